rule data:
    input:
        config=ancient(str(CONFIG)),
        image=ancient(RECORD),
    output:
        "{folder}/prepared/{key}/meta.json",
    log:
        "{folder}/prepared/logs/{key}.log",
    params:
        inside=ONLINE,
    priority: 1  # a data set that cannot be had is found out before anything trains
    threads: HERE or 1
    shell:
        "{params.inside} scalestudy data --config {input.config:q} {wildcards.key:q} 2> >(tee {log:q} >&2)"
