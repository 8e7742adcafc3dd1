# The study: read and planned once, before any job is thought of.
import os
import shlex
import sys
from pathlib import Path

from scalestudy.cli.planning import chosen_config, image_of, plan_study, tell_what_is_planned
from scalestudy.cli.requests import of_parity, of_run
from scalestudy.errors import StudyError
from scalestudy.spec.probing import probings

# Jobs go to other machines where a profile limits their number and not the cores of this one; in a dry run Snakemake
# sets the cores to 1.
asked = workflow.resource_settings
CLUSTER = asked.nodes is not None and (asked.cores is None or asked.default_resources is not None)

try:
    CONFIG, chosen = chosen_config(workflow.configfiles, workflow.config_settings.config)
    STUDY = plan_study(CONFIG, chosen, CLUSTER)
    IMAGE = image_of(CONFIG, CLUSTER)
except StudyError as error:
    sys.exit(str(error))
tell_what_is_planned(STUDY, sys.stderr)

RUNS = {run.id: run for run in STUDY.runs}
PROBINGS = probings(STUDY)  # by layout
PREPARED = sorted({f"{run.data_folder}/meta.json" for run in STUDY.runs})
RESULTS = f"results/{STUDY.name}"
REPORTS = f"reports/{STUDY.name}"
HERE = None if CLUSTER else asked.cores or 1  # the cores of this machine: no two runs at once
REQUESTS = {run.id: of_run(run, HERE) for run in STUDY.runs}
REQUESTS |= {layout: of_run(probing.run, HERE) for layout, probing in PROBINGS.items()}
PARITY = of_parity(STUDY, HERE)
# What stands before the commands that need torch, and before those of them that use the network; nothing without image.
RECORD = [IMAGE.record] if IMAGE else []
INSIDE, ONLINE = (
    [f"scalestudy inside {option}{shlex.quote(IMAGE.record)}" for option in ("", '--online --see "$CONFIG" ')]
    if IMAGE
    else ("", "")
)

# The commands of this very environment, whether or not it is activated. CONFIG: for the rule whose results do not depend
# on which file it is. OF_RANK: nothing, or .rank1 and up.
PLACES = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH CONFIG={shlex.quote(str(CONFIG))}"
shell.prefix(
    f"export {PLACES.replace('{', '{{').replace('}', '}}')}; set -euo pipefail; "
    "OF_RANK=${{RANK:+.rank$RANK}}; OF_RANK=${{OF_RANK#.rank0}}; "
)


# With `--sdm apptainer` alone: every rule in one SIF, built by hand; `snakemake --lint` wants it, and no test runs it.
# Results then name their image as unknown. Usually container.engine in config.yaml says in what the rules with torch
# run, and the rule `image` sees to it.
container: "containers/scalestudy.sif"


rule plan:
    input:
        ancient(str(CONFIG)),
    output:
        f"{RESULTS}/study.json",  # and each run.json: as thousands of outputs they would cost Snakemake minutes
    log:
        f"{RESULTS}/logs/plan.log",
    params:
        study=STUDY.name,
        digest=STUDY.digest,
        place="--cluster" if CLUSTER else "",
    localrule: True
    shell:
        "scalestudy plan --config {input:q} --study {params.study:q} {params.place} > {log:q}"
