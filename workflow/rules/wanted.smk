# Which runs the study wants. With fixed repeats all; with adaptive ones the first few of every cell, and one more at a
# time for as long as those that are there do not suffice.
from functools import cache, partial

from scalestudy.analysis.collect import collect_runs
from scalestudy.analysis.repeats import cells_of, wanted_of_cell

CELLS = cells_of(STUDY)


def wanted_of(cell, wildcards):
    """Results of a cell's runs; where it depends on those, the checkpoint makes Snakemake ask again."""
    own = CELLS[cell]
    for count in range(STUDY.repeats.min if STUDY.repeats else len(own), len(own)):
        checkpoints.repeats.get(cell=cell, number=count)
        if suffice(cell, count):
            return results_of(own[:count])
    return results_of(own)


@cache
def suffice(cell, count):
    """Whether so many runs of a cell, which have ended, are enough."""
    rows = [found.row for found in collect_runs(Path(RESULTS), CELLS[cell][:count])]
    return wanted_of_cell(rows, STUDY.repeats) <= count


def results_of(runs):
    """Their files."""
    return [f"{RESULTS}/runs/{run.id}/result.json" for run in runs]


WANTED = [partial(wanted_of, cell) for cell in CELLS] if STUDY.repeats else results_of(STUDY.runs)
