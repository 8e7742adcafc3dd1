# The whole workflow at a glance. Run it with `snakemake --cores all`; `--config study=NAME` picks a study of
# config.yaml, `--configfile FILE` another configuration.
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/failed.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/outdated.smk"
include: "workflow/rules/image.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/wanted.smk"
include: "workflow/rules/repeats.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        f"{REPORTS}/report.pdf",
        f"{RESULTS}/report.json",  # a report whose results are gone (make clean) is not up to date
    localrule: True
