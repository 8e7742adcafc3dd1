# What is prepared depends on the key alone, whichever configuration describes it.
rule data:
    input:
        image=ancient(RECORD),
    output:
        "{folder}/prepared/{key}/meta.json",
    log:
        "{folder}/prepared/logs/{key}.log",
    params:
        inside=ONLINE,
    priority: 4  # a data set that cannot be had is found out before anything trains
    threads: HERE or 1
    shell:
        "exec {params.inside} scalestudy data --config \"$CONFIG\" {wildcards.key:q} "
        "2> >(trap '' INT TERM; exec tee {log:q} >&2)"
