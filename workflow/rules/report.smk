# The PDF, its figures and tables; and, when the workflow ends well, Snakemake's HTML report of all of them.
from scalestudy.report.captions import Labels, words
from scalestudy.report.html import make_html
from scalestudy.report.show import analyzed, headline_text

LABELS = Labels(STUDY)  # categories and labels in the report's language
config["words"] = words(STUDY)  # for the captions: the study's own words, with nothing in them that RST would obey


report: f"{LABELS.captions}/workflow.rst"


rule report:
    input:
        report=f"{RESULTS}/report.json",
    output:
        pdf=report(
            f"{REPORTS}/report.pdf",
            caption=f"{LABELS.captions}/report.rst",
            category=LABELS.say("Report"),
            labels=LABELS.of_report(),
        ),
        figures=report(
            directory(f"{REPORTS}/figures"),
            patterns=["{figure}.svg"],
            caption=f"{LABELS.captions}/figure.rst",
            category=LABELS.say("Figures"),
            labels=LABELS.of_figure,
        ),
        tables=report(
            directory(f"{REPORTS}/tables"),
            patterns=["{table}.html"],
            caption=f"{LABELS.captions}/table.rst",
            category=LABELS.say("Tables"),
            labels=LABELS.of_table,
        ),
    log:
        f"{RESULTS}/logs/report.log",
    localrule: True
    shell:
        "scalestudy report {input.report:q} {output.pdf:q} > {log:q}"


onsuccess:
    if workflow.is_main_process:
        place = ["--executor", "submitit", "--jobs", "1"] if CLUSTER else ["--cores", str(asked.cores or 1)]
        make_html(Path(REPORTS), [*place, "--configfile", str(CONFIG), "--config", f"study={STUDY.name}"])
        if Path(f"{RESULTS}/report.json").exists() and not workflow.output_settings.quiet:
            print(headline_text(analyzed(Path(RESULTS)), Path(f"{REPORTS}/report.pdf")))
