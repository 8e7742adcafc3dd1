# The study: read and planned once, before any job is thought of.
import os
import shlex
import sys
from pathlib import Path

from scalestudy.cli.planning import chosen_config, image_of, plan_study
from scalestudy.errors import StudyError

try:
    CONFIG, chosen = chosen_config(workflow.configfiles, workflow.config_settings.config)
    STUDY = plan_study(CONFIG, chosen)
    IMAGE = image_of(CONFIG)
except StudyError as error:
    sys.exit(str(error))

RUNS = {run.id: run for run in STUDY.runs}
RESULTS = f"results/{STUDY.name}"
REPORTS = f"reports/{STUDY.name}"
# What stands before the commands that need torch, and before those of them that use the network; nothing without image.
RECORD = [IMAGE.record] if IMAGE else []
INSIDE, ONLINE = (
    [f"scalestudy inside {option}{shlex.quote(IMAGE.record)}" for option in ("", "--online ")] if IMAGE else ("", "")
)
EXCLUSIVE = workflow.cores or 1  # two runs at once would disturb each other's times

# The commands of this very environment, whether or not it is activated.
shell.prefix(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; set -euo pipefail; ")


# With `--sdm apptainer` alone: every rule in one SIF, built by hand. Usually container.engine in config.yaml says in
# what the rules with torch run, and the rule `image` sees to it.
container: "containers/scalestudy.sif"


wildcard_constraints:
    run=r"[^/]+/[^/]+/[^/]+/seed\d+",


rule plan:
    input:
        ancient(str(CONFIG)),
    output:
        f"{RESULTS}/study.json",
        expand(f"{RESULTS}/runs/{{run}}/run.json", run=RUNS),
    log:
        f"{RESULTS}/logs/plan.log",
    params:
        study=STUDY.name,
        digest=STUDY.digest,
    localrule: True
    shell:
        "scalestudy plan --config {input:q} --study {params.study:q} > {log:q}"
