# The PDF, its figures and tables; and, when the workflow ends well, Snakemake's HTML report of all of them.
from scalestudy.report.captions import HTML_SECONDS, figure_labels, table_labels, words

config["words"] = words(STUDY)  # for the captions: the study's own words, with nothing in them that RST would obey


report: "../captions/workflow.rst"


rule report:
    input:
        report=f"{RESULTS}/report.json",
    output:
        pdf=report(
            f"{REPORTS}/report.pdf",
            caption="../captions/report.rst",
            category="Report",
            labels={"part": "the report", "of": STUDY.name},
        ),
        figures=report(
            directory(f"{REPORTS}/figures"),
            patterns=["{figure}.svg"],
            caption="../captions/figure.rst",
            category="Figures",
            labels=figure_labels,
        ),
        tables=report(
            directory(f"{REPORTS}/tables"),
            patterns=["{table}.html"],
            caption="../captions/table.rst",
            category="Tables",
            labels=table_labels,
        ),
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    shell:
        "scalestudy report {input.report:q} {output.pdf:q} > {log:q}"


def html_report():
    """Collect the report, figures and tables with their origin in one file; a failure here spoils no study."""
    import subprocess

    pdf, html = Path(f"{REPORTS}/report.pdf"), Path(f"{REPORTS}/report.html")
    if not workflow.is_main_process or not pdf.exists():
        return
    if html.exists() and html.stat().st_mtime > pdf.stat().st_mtime:
        return
    command = [sys.executable, "-m", "snakemake", "--nolock", "--quiet", "all", "--report", str(html)]
    command += ["--configfile", str(CONFIG), "--config", f"study={STUDY.name}"]
    command += ["--nodes", "1"] if CLUSTER else ["--cores", str(asked.cores or 1)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=HTML_SECONDS)
        said = "" if made.returncode == 0 else (made.stderr.strip().splitlines() or ["no message"])[-1]
    except subprocess.TimeoutExpired:
        said = f"not made within {HTML_SECONDS} s"
    if said:
        print(f"{html}: not made: {said}", file=sys.stderr)


onsuccess:
    html_report()
