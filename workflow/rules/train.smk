# One job per run. Its state lies beside the result: a run that is started again goes on where it was.
rule train:
    input:
        unpack(before_training),
    output:
        f"{RESULTS}/runs/{{run}}/result.json",
    log:
        f"{RESULTS}/runs/{{run}}/train.log",
    wildcard_constraints:
        run=unless_current(r"[^/]+/[^/]+/[^/]+/seed\d+", RUNS, record_of_run),
    params:
        run=f"{RESULTS}/runs/{{run}}/run.json",
        digest=lambda wildcards: RUNS[wildcards.run].digest,
        inside=INSIDE,
    threads: lambda wildcards: REQUESTS[wildcards.run]["cpus_per_task"]
    resources:
        nodes=lambda wildcards: REQUESTS[wildcards.run]["nodes"],
        tasks_per_node=lambda wildcards: REQUESTS[wildcards.run]["tasks_per_node"],
        mem_mb=lambda wildcards: REQUESTS[wildcards.run]["mem_mb"],
        gpu=lambda wildcards: REQUESTS[wildcards.run]["gpu"],
    # Every rank runs this line. A signal that asks for saving reaches the trainer itself, and does not end its log.
    shell:
        "exec {params.inside} scalestudy train {params.run:q} --record-failure "
        "2> >(trap '' INT TERM; exec tee {log:q}$OF_RANK >&2)"


# First of all that is measured: a strategy that is wrong is known before the time is spent.
rule parity:
    input:
        study=f"{RESULTS}/study.json",
        data=ancient(PREPARED),
        image=ancient(RECORD),
    output:
        f"{RESULTS}/parity.json",
    log:
        f"{RESULTS}/logs/parity.log",
    params:
        inside=INSIDE,
    priority: 3
    threads: PARITY["cpus_per_task"]
    resources:
        mem_mb=PARITY["mem_mb"],
        gpu=PARITY["gpu"],
    shell:
        "exec {params.inside} scalestudy parity {input.study:q} 2> >(trap '' INT TERM; exec tee {log:q} >&2)"
