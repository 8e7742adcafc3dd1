# Data and image are named here without `ancient`: where one of them is made anew, Snakemake would otherwise see nothing
# that leads on from it, and leave out runs that are still missing.
rule analyze:
    input:
        data=PREPARED,
        image=RECORD,
        study=f"{RESULTS}/study.json",
        parity=f"{RESULTS}/parity.json",
        probe=expand(f"{RESULTS}/probe/{{layout}}.json", layout=PROBINGS),
        runs=wanted_results,
    output:
        report=f"{RESULTS}/report.json",
        tables=expand(
            f"{RESULTS}/tables/{{table}}.csv",
            table=(
                *("runs", "speedup", "phases", "accuracy", "parity"),
                *("efficiency", "communication", "probe", "allreduce", "links"),
                *("comparison", "mitigations", "equivalence", "target", "epochs_to_target", "compliance"),
                *("fits", "prediction", "validation", "exclusions", "repeats"),
            ),
        ),
    log:
        f"{RESULTS}/logs/analyze.log",
    localrule: True
    shell:
        "scalestudy analyze {input.study:q} > {log:q} 2> >(tee -a {log:q} >&2)"
