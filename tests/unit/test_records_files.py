"""What stands where a record should be and is none: a pipe, a folder, a link to nothing, a file too large to read."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import report_data
from synthetic_study import make_study

from scalestudy.analysis.analyze import report_data as analyzed
from scalestudy.analysis.collect import collect
from scalestudy.cli import main
from scalestudy.errors import StudyError
from scalestudy.records.current import is_current
from scalestudy.records.files import MOST_BYTES, read_text, write_model
from scalestudy.records.paths import StudyPaths
from scalestudy.report.pdf import write_manuscript
from scalestudy.report.tables import write_table_pages

RUN = "mnist/epoch/ddp-1x2/seed1"
PATIENCE_S = 60


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to(path.with_name("gone.json"))


def circle(path: Path) -> None:
    path.symlink_to(path)


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)  # without a byte on the disk


WHAT_IS_SAID = {
    pipe: "is no regular file",
    folder: "is no regular file",
    link: "is a link to a file that is not there",
    circle: "cannot be read: Too many levels of symbolic links",
    huge: "is too large: 500 MB, at most 500",
}
kinds = pytest.mark.parametrize("make", WHAT_IS_SAID)
Make = Callable[[Path], None]


@pytest.fixture(autouse=True)
def _nothing_waits_for_ever() -> Iterator[None]:
    def too_late(*_: object) -> None:
        pytest.fail("still reading")  # no OSError, which a reader would take for its own

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def in_place_of(path: Path, make: Make) -> Path:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    make(path)
    return path


def small_study(at: Path, **settings: object) -> StudyPaths:
    return make_study(at / "results", workloads=1, strategies={"ddp": ("1x2",)}, **settings)


@kinds
@pytest.mark.parametrize("command", [["analyze", "{}/study.json"], ["show", "{}"], ["predict", "{}", "--devices", "8"]])
def test_a_plan_that_is_no_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Make, command: list[str]
) -> None:
    paths = small_study(tmp_path)
    in_place_of(paths.study, make)
    assert main([word.format(paths.results) for word in command]) == 2
    assert capsys.readouterr().err == f"scalestudy {command[0]}: {paths.study}: {WHAT_IS_SAID[make]}\n"


@kinds
@pytest.mark.parametrize("command", [["show", "--headline", "{}"], ["compare", "{}", "{}"]])
def test_a_report_that_is_no_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Make, command: list[str]
) -> None:
    paths = StudyPaths(tmp_path / "quick")
    in_place_of(paths.report, make)
    assert main([word.format(paths.results) for word in command]) == 2
    assert capsys.readouterr().err == f"scalestudy {command[0]}: {paths.report}: {WHAT_IS_SAID[make]}\n"


@pytest.mark.parametrize("make", [pipe, link])
def test_a_report_given_as_the_file_itself_is_one_line_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Make
) -> None:
    path = str(in_place_of(tmp_path / "report.json", make))
    assert main(["compare", path, path]) == 2
    assert capsys.readouterr().err == f"scalestudy compare: {path}: {WHAT_IS_SAID[make]}\n"


def test_a_report_that_is_a_pipe_is_not_waited_for_where_it_is_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = in_place_of(tmp_path / "report.json", pipe)
    assert main(["report", str(path), str(tmp_path / "out" / "report.pdf")]) == 2
    assert capsys.readouterr().err == f"scalestudy report: {path}: is no regular file\n"


@kinds
def test_probe_parity_and_run_are_named_and_the_study_is_analyzed_without_them(tmp_path: Path, make: Make) -> None:
    paths = small_study(tmp_path)
    other = RUN.replace("seed1", "seed2")
    damaged = [paths.run(RUN).result, paths.run(other).run, paths.parity, paths.probe("1x2")]
    for path in damaged:
        in_place_of(path, make)
    data = analyzed(collect(paths.results))
    assert data.problems == [f"{path.relative_to(paths.results)}: {WHAT_IS_SAID[make]}" for path in damaged]
    outcomes = {row.run: (row.outcome, row.reason) for row in data.runs if row.outcome != "completed"}
    assert outcomes == dict.fromkeys((RUN, other), ("missing", "damaged record"))
    assert (data.parity, data.probe.ceilings) == ([], [])


@kinds
def test_what_the_last_analysis_kept_is_not_believed(tmp_path: Path, make: Make) -> None:
    paths = small_study(tmp_path)
    collect(paths.results)
    in_place_of(paths.collected, make)
    if make is folder:
        with pytest.raises(StudyError, match=r"collected\.jsonl: cannot be written: Is a directory"):
            collect(paths.results)
    else:
        assert collect(paths.results).read == 6


@kinds
def test_a_record_that_is_no_file_is_not_current(tmp_path: Path, make: Make) -> None:
    assert not is_current(in_place_of(tmp_path / "result.json", make), "abc")


@kinds
def test_a_table_that_is_no_file_is_one_line(tmp_path: Path, make: Make) -> None:
    path = in_place_of(tmp_path / "runs.csv", make)
    for read in (
        lambda: write_manuscript(report_data.single(), [], path),
        lambda: write_table_pages(tmp_path, tmp_path / "pages"),
    ):
        with pytest.raises(StudyError) as refused:
            read()
        assert str(refused.value) == f"{path}: {WHAT_IS_SAID[make]}"


def test_a_table_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_bytes(b"run\n\xff\n")
    with pytest.raises(StudyError, match=r"runs\.csv: cannot be read: 'utf-8' codec"):
        read_text(tmp_path / "runs.csv")


def test_a_link_to_a_record_is_that_record(tmp_path: Path) -> None:
    paths = small_study(tmp_path)
    moved = paths.study.rename(tmp_path / "elsewhere.json")
    paths.study.symlink_to(moved)
    assert len(collect(paths.results).runs) == 6


def test_the_plan_of_ten_thousand_runs_is_not_too_large(tmp_path: Path) -> None:
    paths = small_study(tmp_path, seeds=range(10))
    assert 10_000 * paths.study.stat().st_size / 20 < MOST_BYTES / 10
    write_model(paths.report, analyzed(collect(paths.results)))
    assert 10_000 * paths.report.stat().st_size / 20 < MOST_BYTES / 10
