# One job per run. Its state lies beside the result: a run that is started again goes on where it was.
rule train:
    input:
        study=ancient(f"{RESULTS}/study.json"),
        data=ancient(lambda wildcards: f"{RUNS[wildcards.run].data_folder}/meta.json"),
    output:
        f"{RESULTS}/runs/{{run}}/result.json",
    log:
        f"{RESULTS}/runs/{{run}}/train.log",
    params:
        run=f"{RESULTS}/runs/{{run}}/run.json",
        digest=lambda wildcards: RUNS[wildcards.run].digest,
    threads: lambda wildcards: REQUESTS[wildcards.run]["cpus_per_task"]
    resources:
        nodes=lambda wildcards: REQUESTS[wildcards.run]["nodes"],
        tasks_per_node=lambda wildcards: REQUESTS[wildcards.run]["tasks_per_node"],
        mem_mb=lambda wildcards: REQUESTS[wildcards.run]["mem_mb"],
        gpu=lambda wildcards: REQUESTS[wildcards.run]["gpu"],
    # Every rank runs this line. A signal that asks for saving reaches the trainer itself, and does not end its log.
    shell:
        "exec scalestudy train {params.run:q} --record-failure "
        "2> >(trap '' INT TERM; exec tee {log:q}$OF_RANK >&2)"


rule parity:
    input:
        study=f"{RESULTS}/study.json",
        data=ancient(expand("{folder}/meta.json", folder=sorted({run.data_folder for run in STUDY.runs}))),
    output:
        f"{RESULTS}/parity.json",
    log:
        f"{RESULTS}/logs/parity.log",
    threads: PARITY["cpus_per_task"]
    resources:
        mem_mb=PARITY["mem_mb"],
        gpu=PARITY["gpu"],
    shell:
        "scalestudy parity {input.study:q} 2> >(tee {log:q} >&2)"
