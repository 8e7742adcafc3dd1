"""From results/STUDY to reports/STUDY, for studies of every shape."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pypdf
import pytest
import report_data
from process_memory import taken_by
from report_findings import with_findings
from yardstick import slowness

from scalestudy.errors import StudyError
from scalestudy.records.files import write_model, write_text
from scalestudy.records.paths import StudyPaths
from scalestudy.report.build import build_report, write_figure

SHAPES = [
    report_data.laptop,
    report_data.single,
    report_data.nothing_completed,
    report_data.without_base,
    report_data.many_panels,
    report_data.whole,
]


def store(data, results):
    paths = StudyPaths(results)
    write_model(paths.report, data)
    write_text(paths.tables / "runs.csv", "run\n" + "".join(f"{run.run}\n" for run in data.runs))
    return results


def text_of(path):
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_reports_of_every_shape_are_built(shape, tmp_path):
    data = shape()
    report = build_report(store(data, tmp_path / "results"), tmp_path / "reports")
    assert report == tmp_path / "reports" / "report.pdf"
    text = "".join(text_of(report).split())
    assert all("".join(run.run.split()) in text for run in data.runs)
    assert {path.suffix for path in (tmp_path / "reports").rglob("*") if path.is_file()} <= {
        ".pdf",
        ".svg",
        ".png",
        ".md",
        ".html",
    }


def test_the_attachments_of_a_report_side_by_side_make_it_again(tmp_path):
    first = build_report(store(report_data.laptop(), tmp_path / "results"), tmp_path / "reports").read_bytes()
    for name, (content,) in pypdf.PdfReader(io.BytesIO(first)).attachments.items():
        (tmp_path / "saved").mkdir(exist_ok=True)
        (tmp_path / "saved" / name).write_bytes(content)
    assert build_report(tmp_path / "saved", tmp_path / "again").read_bytes() == first
    pages = tmp_path / "saved" / "tables"  # as where the PDF lies already
    pages.mkdir()
    (pages / "runs.html").touch()
    assert build_report(tmp_path / "saved", tmp_path / "saved").read_bytes() == first
    assert (pages / "runs.html").is_file()


def test_a_single_run_has_no_interval(tmp_path):
    text = " ".join(text_of(build_report(store(report_data.single(), tmp_path), tmp_path)).split())
    assert "n = 1" in text
    assert "there is no interval" in text


def test_a_study_without_completed_runs_says_so(tmp_path):
    text = " ".join(text_of(build_report(store(report_data.nothing_completed(), tmp_path), tmp_path)).split())
    assert "No speedup can be reported" in text
    assert "out of memory" in text
    assert "Parity with serial training was not computed" in text
    assert "No job recorded its environment" in text


def test_captions_name_nothing_that_is_not_drawn(tmp_path):
    without = " ".join(text_of(build_report(store(report_data.without_base(), tmp_path / "a"), tmp_path / "a")).split())
    assert "Training loss, epoch scaling: each strategy at its largest layout (color); thin" in without
    assert "No speedup can be reported: no parallel cell has one." in without
    for absent in ("serial base (gray)", "dotted line", "with 95% intervals", "and a serial base to compare"):
        assert absent not in without
    laptop = " ".join(text_of(build_report(store(report_data.laptop(), tmp_path / "b"), tmp_path / "b")).split())
    for drawn in ("serial base (gray)", "serial bar (dotted line)", "epoch scaling, with 95% intervals"):
        assert drawn in laptop


BUILD = (
    "import sys; from pathlib import Path; from scalestudy.report.build import build_report;"
    "build_report(Path(sys.argv[1]), Path(sys.argv[1]))"
)


@pytest.fixture(scope="module")
def thousand_runs(tmp_path_factory):
    """A report of 1,092 runs in 156 cells, and what building it took, all processes together, imports included."""
    results = store(report_data.broad(), tmp_path_factory.mktemp("broad"))
    return results, taken_by([sys.executable, "-c", BUILD, str(results)])


def test_a_thousand_runs_take_less_than_ten_seconds_with_the_process_that_draws(thousand_runs):
    results, taken = thousand_runs
    assert taken.cpu_s < 10 * (slow := slowness()), f"a machine {slow:.2f} times as slow as the reference"
    assert len(pypdf.PdfReader(results / "report.pdf").pages) > 30
    assert len(list((results / "figures").glob("*.svg"))) == 9


def test_a_thousand_runs_take_less_than_three_hundred_megabytes_in_all_processes(thousand_runs):
    assert thousand_runs[1].peak_mb < 300


def test_with_every_table_filled_they_take_no_more(tmp_path):
    """Which costs nearly all of the time: of three rounds the least counts, to which other programs only add."""
    results = store(with_findings(report_data.broad()), tmp_path)
    rounds = [taken_by([sys.executable, "-c", BUILD, str(results)]) for _ in range(3)]
    least = min(taken.cpu_s for taken in rounds)
    assert least < 10 * (slow := slowness()), f"a machine {slow:.2f} times as slow as the reference"
    assert max(taken.peak_mb for taken in rounds) < 300
    assert len(list((results / "figures").glob("*.svg"))) == 11


def test_what_a_process_takes_is_counted_with_its_children():
    hold = "import time; kept = bytearray(60_000_000); kept[::4096] = bytes(len(kept[::4096]));"
    child = f"{hold} sum(range(6_000_000)); time.sleep(0.5)"
    code = f"import subprocess, sys; {hold} subprocess.run([sys.executable, '-c', {child!r}])"
    taken = taken_by([sys.executable, "-c", code])
    assert 110 < taken.peak_mb < 180
    assert taken.cpu_s > 0.1


def test_the_figures_of_an_earlier_study_do_not_stay(tmp_path):
    build_report(store(report_data.laptop(), tmp_path), tmp_path)
    build_report(store(report_data.nothing_completed(), tmp_path), tmp_path)
    assert list((tmp_path / "figures").glob("*.svg")) == []


def test_a_missing_or_truncated_report_json_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"report\.json: cannot be read"):
        build_report(tmp_path, tmp_path / "reports")
    (tmp_path / "report.json").write_text('{"study": "qui')
    with pytest.raises(StudyError, match=r"report\.json: "):
        build_report(tmp_path, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


def test_importing_the_report_layer_loads_neither_matplotlib_nor_typst_nor_torch():
    code = (
        "import sys, scalestudy.report.build, scalestudy.report.show, scalestudy.report.pdf;"
        "print([name for name in ('matplotlib', 'typst', 'torch', 'rich', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_figure_is_drawn_again_by_the_command_beside_it(tmp_path):
    results = store(report_data.single(), tmp_path / "results")
    build_report(results, tmp_path / "reports")
    folder = tmp_path / "reports" / "figures"
    commands = re.findall(r"`scalestudy figure (\S+) (\S+) (\S+)`", (folder / "README.md").read_text())
    assert [name for name, _, _ in commands] == sorted(path.stem for path in folder.glob("*.svg"))[::-1]
    for name, report, _ in commands:
        write_figure(name, Path(report), tmp_path / "again.svg")
        assert (tmp_path / "again.svg").read_bytes() == (folder / f"{name}.svg").read_bytes()
        write_figure(name, Path(report), tmp_path / "again.png")
        assert (tmp_path / "again.png").read_bytes() == (folder / f"{name}.png").read_bytes()


def test_a_figure_that_is_not_there_and_an_unknown_ending_are_one_line(tmp_path):
    report = store(report_data.single(), tmp_path) / "report.json"
    with pytest.raises(StudyError, match="found no figure scaling-weak; there is scaling-epoch, curves-epoch"):
        write_figure("scaling-weak", report, tmp_path / "a.svg")
    with pytest.raises(StudyError, match=r"found the ending \.jpg; must be \.svg or \.png"):
        write_figure("scaling-epoch", report, tmp_path / "a.jpg")


def test_the_package_run_as_a_module_makes_a_report_too(tmp_path):
    results = store(report_data.single(), tmp_path / "results")
    command = [sys.executable, "-m", "scalestudy", "report", str(results / "report.json"), str(tmp_path / "report.pdf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "report.pdf").exists()
