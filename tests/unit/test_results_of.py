"""Which folder a study's name stands for."""

from pathlib import Path

import pytest

from scalestudy.errors import StudyError
from scalestudy.records.paths import results_of


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with two studies, one of them with the report alone."""
    monkeypatch.chdir(tmp_path)
    for path in ("results/quick/study.json", "results/copied/report.json", "results/other/notes", "quick/notes"):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text("{}")
    return tmp_path


def test_a_study_is_found_by_its_name_and_by_its_folder(here: Path) -> None:
    assert results_of("quick") == results_of("results/quick") == Path("results/quick")
    assert results_of(str(here / "results/copied")) == here / "results/copied"


def test_a_study_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(StudyError, match=r"^results/paper: found no such study; planned here: copied, quick$"):
        results_of("paper")


def test_where_there_is_none_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(StudyError, match="planned here: none yet"):
        results_of("paper")
