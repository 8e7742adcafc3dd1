# What runs and probes need before them, and which of them are outdated. Snakemake looks at params only where nothing
# before a job is made anew, as plan, data and image are after a change.
from scalestudy.records.current import is_current


def unless_outdated(record, digest):
    """Marks input: it counts where the record is of something else; `ancient` where it is what is asked for, or missing,
    which is a reason of its own."""
    outdated = Path(record).exists() and not is_current(Path(record), digest, IMAGE is not None)
    return (lambda files: files) if outdated else ancient


def before_training(wildcards):
    """What a run needs."""
    run = RUNS[wildcards.run]
    mark = unless_outdated(f"{RESULTS}/runs/{run.id}/result.json", run.digest)
    return {"study": mark(f"{RESULTS}/study.json"), "data": mark(f"{run.data_folder}/meta.json"), "image": mark(RECORD)}


def before_probing(wildcards):
    """What the probe of a layout needs."""
    mark = unless_outdated(f"{RESULTS}/probe/{wildcards.layout}.json", PROBINGS[wildcards.layout].digest)
    return {"study": mark(f"{RESULTS}/study.json"), "data": mark(PREPARED), "image": mark(RECORD)}
