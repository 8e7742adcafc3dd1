# Which runs the study wants. With fixed repeats all; with adaptive ones the first few of every cell, and what each round
# asks for after them.
from scalestudy.analysis.repeats import first_runs

FIRST = first_runs(STUDY)


def of_round(number):
    """The runs that a round looks at: those that the round before wanted."""
    if number == 0:
        return FIRST
    with checkpoints.repeats.get(number=number - 1).output[0].open() as stream:
        return stream.read().split()


def wanted_results(wildcards):
    """Results of all runs that are wanted in the end: when a round asks for nothing new, the one before it had all."""
    number, runs = 0, FIRST
    while STUDY.repeats and len(runs) < len(following := of_round(number + 1)):
        number, runs = number + 1, following
    return results_of(runs)


def results_of(runs):
    """Their files."""
    return [f"{RESULTS}/runs/{run}/result.json" for run in runs]
