# Adaptive repeats: a round looks at all results so far, and asks for one more run of every cell whose interval is too wide.
# It waits for every job that may be tried again: when a checkpoint ends, Snakemake forgets those that wait for that.
checkpoint repeats:
    input:
        study=f"{RESULTS}/study.json",
        parity=f"{RESULTS}/parity.json",
        probe=expand(f"{RESULTS}/probe/{{layout}}.json", layout=PROBINGS),
        runs=lambda wildcards: results_of(of_round(int(wildcards.number))),
    output:
        f"{RESULTS}/repeats/{{number}}.txt",
    log:
        f"{RESULTS}/logs/repeats-{{number}}.log",
    wildcard_constraints:
        number=r"\d+",
    localrule: True
    shell:
        "scalestudy repeats {input.study:q} {output:q} 2> >(tee {log:q} >&2)"
