"""The terminal tables."""

import io
import re

import pypdf
import pytest
import report_data
from rich.console import Console
from synthetic_study import make_study

from scalestudy.analysis.analyze import analyze
from scalestudy.errors import StudyError
from scalestudy.records.files import write_model
from scalestudy.records.paths import StudyPaths
from scalestudy.report import numbers
from scalestudy.report.pdf import compile_report
from scalestudy.report.show import analyzed, headline_text, show
from scalestudy.spec.config import ReportSpec


def shown(data, tmp_path, **options):
    write_model(StudyPaths(tmp_path).report, data)
    stream = io.StringIO()
    show(tmp_path, Console(file=stream, width=80, highlight=False, **options))
    return stream.getvalue()


def shown_of(study):
    stream = io.StringIO()
    show(study.results, Console(file=stream, width=80))
    return stream.getvalue()


@pytest.mark.parametrize("shape", [report_data.laptop, report_data.cluster, report_data.hostile, report_data.single])
def test_tables_fit_eighty_columns(shape, tmp_path):
    lines = shown(shape(), tmp_path).splitlines()
    assert max(map(len, lines)) <= 80


def test_every_speedup_and_interval_is_shown(tmp_path):
    data = report_data.laptop()
    text = shown(data, tmp_path)
    for row in data.speedup:
        if row.strategy != "serial":
            assert numbers.fixed(row.speedup, 2) in text
            assert numbers.interval(row.speedup_low, row.speedup_high, 2) in text
    assert "(synthetic data)" in text


def test_an_end_of_an_interval_that_is_not_one_is_not_shown_as_it(tmp_path):
    data = report_data.laptop()
    near = {"speedup": 1.0042, "speedup_low": 1.0031, "speedup_high": 1.02}
    rows = [row if row.strategy == "serial" else row.model_copy(update=near) for row in data.speedup]
    text = shown(data.model_copy(update={"speedup": rows}), tmp_path)
    assert text.count("1.004") == text.count("[1.003, 1.020]") == len([row for row in rows if row.strategy != "serial"])


def test_every_table_has_its_base_also_where_two_scalings_share_it(tmp_path):
    strategies = {"ddp": ("1x2",)}
    study = make_study(tmp_path, workloads=1, strategies=strategies, scalings=("strong", "epoch"))
    _, strong, epoch = re.split(r"(?:strong|epoch) scaling", shown_of(study).partition("Study")[0])
    assert (strong.count("Serial"), epoch.count("Serial")) == (1, 1)


def test_a_pipe_gets_no_escape_codes_and_a_terminal_does(tmp_path):
    assert "\x1b" not in shown(report_data.laptop(), tmp_path)
    assert "\x1b" in shown(report_data.laptop(), tmp_path, force_terminal=True, color_system="standard")


def test_markup_in_titles_is_printed_as_it_is(tmp_path):
    data = report_data.laptop()
    workloads = [row.model_copy(update={"title": "[bold]x[/bold]"}) for row in data.workloads]
    text = shown(data.model_copy(update={"workloads": workloads}), tmp_path)
    assert "[bold]x[/bold]" in text


def test_cells_without_a_speedup_say_why(tmp_path):
    text = shown(report_data.without_base(), tmp_path)
    assert text.count("no serial") == 10
    assert "No speedup can be reported." in text


def test_headline_text_counts_the_runs_and_names_the_report(tmp_path):
    pdf, html = tmp_path / "report.pdf", tmp_path / "report.html"
    assert "Report:" not in headline_text(report_data.cluster(), pdf)
    pdf.touch()
    assert headline_text(report_data.cluster(), pdf).splitlines()[-1] == f"Report: {pdf}"
    html.touch()
    text = headline_text(report_data.cluster(), pdf)
    assert "774 of 780 runs completed, 6 failed" in text
    assert "6 failed: " in text
    assert "scalestudy retry" in text
    assert text.splitlines()[-1] == f"Report: {pdf}, with report.html beside it"
    assert report_data.cluster().headlines[0].value in text


def test_the_headlines_of_a_german_report_are_english_in_the_terminal(tmp_path):
    study = make_study(tmp_path, workloads=1, strategies={"ddp": ("1x2",)}, words=ReportSpec(language="de"))
    assert "am schnellsten" in headline_text(analyze(study.results))
    assert "fastest: " in headline_text(analyzed(study.results))


def test_the_headline_has_the_interval_of_the_fastest_speedup_also_where_it_does_not_pay(tmp_path):
    study = make_study(tmp_path, workloads=1, strategies={"ddp": ("1x2",)}, speedups={("ddp", "1x2"): 0.73})
    data = analyze(study.results)
    row = data.speedup[1]
    interval = f"95% CI {row.speedup_low:.2f}–{row.speedup_high:.2f}"
    for printed in (headline_text(data), shown_of(study)):
        assert f"fastest: 0.73× ({interval}; slower than one device" in " ".join(printed.split())
    few = make_study(tmp_path / "few", workloads=1, strategies={"ddp": ("1x2",)}, seeds=(0, 1))
    assert "fastest: 1.96× (no interval; DDP" in " ".join(shown_of(few).split())


@pytest.mark.parametrize(("lost", "said"), [("serial-1x1", "base: n < 3"), ("ddp-1x2", "n = 2")])
def test_without_an_interval_it_is_said_whether_the_cell_or_the_base_has_too_few_runs(lost, said, tmp_path):
    settings = {"workloads": 1, "strategies": {"ddp": ("1x2",)}, "failures": {f"mnist/epoch/{lost}/seed0": "missing"}}
    study = make_study(tmp_path, **settings)
    (line,) = [line for line in shown_of(study).splitlines() if "1×2 " in line]
    assert f" {said} " in line
    data = analyze(study.results)
    pages = pypdf.PdfReader(io.BytesIO(compile_report(data, [], "run\n", "pdf"))).pages
    text = "".join("".join(page.extract_text() for page in pages).split())
    assert numbers.fixed(data.speedup[1].speedup, 2) + "".join(said.split()) in text


def test_a_study_that_was_not_planned_is_one_line(tmp_path):
    with pytest.raises(StudyError, match=r"study\.json: cannot be read"):
        show(tmp_path)


def test_a_study_under_way_is_shown_as_far_as_it_is(tmp_path):
    missing = {f"mnist/epoch/{cell}/seed{seed}": "missing" for cell in ("hsdp-2x4", "hybrid-2x4") for seed in (0, 1, 2)}
    study = make_study(tmp_path, workloads=1, failures=missing, words=ReportSpec(language="de"))
    assert not study.report.exists()
    stream = io.StringIO()
    show(study.results, Console(file=stream, width=80))
    text = stream.getvalue()
    assert "24 of 30 runs completed, 6 missing" in text
    assert "23 of 30" not in text
    assert "7.02" in text
    (study.run("mnist/epoch/ddp-2x4/seed0").result).unlink()
    stream = io.StringIO()
    show(study.results, Console(file=stream, width=80))
    assert "23 of 30 runs completed, 7 missing" in stream.getvalue()


def test_efficiencies_are_also_shown_by_strategy_and_layout(tmp_path):
    stream = io.StringIO()
    show(make_study(tmp_path, workloads=1).results, Console(file=stream, width=80))
    lines = stream.getvalue().splitlines()
    assert any(line.split() == ["Efficiency", "1×2", "1×4", "2×2", "2×4"] for line in lines)
    assert any(line.split() == ["DDP", "98%", "94%", "–", "88%"] for line in lines)
