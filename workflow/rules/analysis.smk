rule analyze:
    input:
        study=f"{RESULTS}/study.json",
        parity=f"{RESULTS}/parity.json",
        probe=expand(f"{RESULTS}/probe/{{layout}}.json", layout=PROBINGS),
        runs=expand(f"{RESULTS}/runs/{{run}}/result.json", run=RUNS),
    output:
        report=f"{RESULTS}/report.json",
        tables=expand(
            f"{RESULTS}/tables/{{table}}.csv",
            table=(
                *("runs", "speedup", "phases", "accuracy", "parity"),
                *("efficiency", "communication", "probe", "allreduce", "links"),
            ),
        ),
    log:
        f"{RESULTS}/logs/analyze.log",
    localrule: True
    shell:
        "scalestudy analyze {input.study:q} 2> >(tee {log:q} >&2)"
