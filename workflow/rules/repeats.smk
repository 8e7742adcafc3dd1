# Adaptive repeats: when so many runs of a cell have ended, Snakemake asks `wanted_of` whether it gets another one.
checkpoint repeats:
    input:
        study=f"{RESULTS}/study.json",
        runs=lambda wildcards: results_of(CELLS[wildcards.cell][: int(wildcards.number)]),
    output:
        f"{RESULTS}/repeats/{{cell}}/{{number}}.txt",
    log:
        f"{RESULTS}/logs/repeats/{{cell}}/{{number}}.log",
    wildcard_constraints:
        cell=r".+",
        number=r"\d+",
    priority: 2
    localrule: True
    shell:
        "printf '%s\n' {input.runs:q} > {output:q} 2> {log:q}"
