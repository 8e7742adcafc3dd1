rule report:
    input:
        report=f"{RESULTS}/report.json",
    output:
        pdf=f"{REPORTS}/report.pdf",
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    shell:
        "scalestudy report {input.report:q} {output.pdf:q} > {log:q}"
