# What the machine allows on each layout of the study, measured by as many ranks as devices.
rule probe:
    input:
        unpack(before_probing),
    output:
        f"{RESULTS}/probe/{{layout}}.json",
    log:
        f"{RESULTS}/logs/probe-{{layout}}.log",
    wildcard_constraints:
        layout=unless_current(r"\d+x\d+", PROBINGS, record_of_layout),
    params:
        digest=lambda wildcards: PROBINGS[wildcards.layout].digest,
        inside=INSIDE,
    priority: 2  # when nothing of the study has warmed or filled the machine
    threads: lambda wildcards: REQUESTS[wildcards.layout]["cpus_per_task"]
    resources:
        nodes=lambda wildcards: REQUESTS[wildcards.layout]["nodes"],
        tasks_per_node=lambda wildcards: REQUESTS[wildcards.layout]["tasks_per_node"],
        mem_mb=lambda wildcards: REQUESTS[wildcards.layout]["mem_mb"],
        gpu=lambda wildcards: REQUESTS[wildcards.layout]["gpu"],
    shell:
        "exec {params.inside} scalestudy probe {input.study:q} {wildcards.layout:q} --record-failure "
        "2> >(trap '' INT TERM; exec tee {log:q}$OF_RANK >&2)"
