# The study: read and planned once, before any job is thought of.
import os
import shlex
import sys
from pathlib import Path

from scalestudy.cli.planning import chosen_config, plan_study
from scalestudy.errors import StudyError
from scalestudy.spec.probing import probings

try:
    CONFIG, chosen = chosen_config(workflow.configfiles, workflow.config_settings.config)
    STUDY = plan_study(CONFIG, chosen)
except StudyError as error:
    sys.exit(str(error))

RUNS = {run.id: run for run in STUDY.runs}
PROBINGS = probings(STUDY)  # by layout
RESULTS = f"results/{STUDY.name}"
REPORTS = f"reports/{STUDY.name}"
EXCLUSIVE = workflow.cores or 1  # two runs at once would disturb each other's times

# The commands of this very environment, whether or not it is activated.
shell.prefix(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; set -euo pipefail; ")


container: "containers/scalestudy.sif"  # used with `--sdm apptainer` only


wildcard_constraints:
    run=r"[^/]+/[^/]+/[^/]+/seed\d+",
    layout=r"\d+x\d+",


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
