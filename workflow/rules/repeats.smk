# Adaptive repeats: a round looks at all results so far, and asks for one more run of every cell whose interval is too wide.
checkpoint repeats:
    input:
        study=f"{RESULTS}/study.json",
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
