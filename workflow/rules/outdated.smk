# What the image, runs and probes need before them, and which of them are outdated. Snakemake looks at params only where
# nothing before a job is made anew, as plan, data and image are after a change, and only as long as .snakemake is there.
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
    """Marks input: `ancient` where the record is what is asked for. A missing one needs input that counts: where that is
    made anew, Snakemake looks at no other reason."""
    return ancient if is_current(record, digest, IMAGE is not None) else (lambda files: files)


def before_image(wildcards):
    """What the image needs; one that is recorded as something else than what is asked for is made by force."""
    if IMAGE.outdated:
        workflow.dag.forcefiles.add(IMAGE.record)  # --force cannot be asked for earlier: no job is thought of before
    return {"config": ancient(str(CONFIG))}


def before_training(wildcards):
    """What a run needs."""
    mark = unless_outdated(*record_of_run(wildcards.run))
    data = f"{RUNS[wildcards.run].data_folder}/meta.json"
    return {"study": mark(f"{RESULTS}/study.json"), "data": mark(data), "image": mark(RECORD)}


def before_probing(wildcards):
    """What the probe of a layout needs."""
    mark = unless_outdated(*record_of_layout(wildcards.layout))
    return {"study": mark(f"{RESULTS}/study.json"), "data": mark(PREPARED), "image": mark(RECORD)}
