# What runs and probes need before them, and which of them are outdated. Snakemake looks at params only where nothing
# before a job is made anew, as plan, data and image are after a change.
import re

from scalestudy.records.current import is_current

# `ancient` protects nothing from a file that is not there and must be made: then records that are what is asked for are
# no rule's output, also when they are asked for by force.
BEFORE = [f"{RESULTS}/study.json", *PREPARED, *RECORD]
PROTECTED = not all(Path(path).exists() for path in BEFORE)


def record_of_run(run):
    """Its result, and the digest of what is asked for."""
    return Path(f"{RESULTS}/runs/{run}/result.json"), RUNS[run].digest


def record_of_layout(layout):
    """Its probe, and the digest of what is asked for."""
    return Path(f"{RESULTS}/probe/{layout}.json"), PROBINGS[layout].digest


def unless_current(pattern, names, record_of):
    """The pattern of a wildcard without the names whose records are protected."""
    current = [name for name in names if PROTECTED and is_current(*record_of(name), IMAGE is not None)]
    return f"(?!(?:{'|'.join(map(re.escape, current))})[/.]){pattern}" if current else pattern


def unless_outdated(record, digest):
    """Marks input: it counts where the record is of something else; `ancient` where it is what is asked for, or missing,
    which is a reason of its own."""
    outdated = record.exists() and not is_current(record, digest, IMAGE is not None)
    return (lambda files: files) if outdated else ancient


def before_training(wildcards):
    """What a run needs."""
    mark = unless_outdated(*record_of_run(wildcards.run))
    data = f"{RUNS[wildcards.run].data_folder}/meta.json"
    return {"study": mark(f"{RESULTS}/study.json"), "data": mark(data), "image": mark(RECORD)}


def before_probing(wildcards):
    """What the probe of a layout needs."""
    mark = unless_outdated(*record_of_layout(wildcards.layout))
    return {"study": mark(f"{RESULTS}/study.json"), "data": mark(PREPARED), "image": mark(RECORD)}
