"""Which records need not be made again."""

import json
from pathlib import Path

import pytest

from scalestudy.records.current import is_current
from scalestudy.records.image import UNKNOWN


def record(folder: Path, **fields: object) -> Path:
    path = folder / "record.json"
    path.write_text(json.dumps(fields))
    return path


@pytest.mark.parametrize("name", ["run_digest", "digest"])
def test_a_record_of_this_specification_is_current_and_of_another_it_is_not(tmp_path: Path, name: str) -> None:
    path = record(tmp_path, **{name: "abc"})
    assert is_current(path, "abc")
    assert not is_current(path, "abd")


@pytest.mark.parametrize(
    ("engine", "in_image", "current"),
    [
        ("", False, True),
        ("", True, False),
        ("apptainer", True, True),
        ("apptainer", False, False),
        ("apptainer", None, True),
    ],
)
def test_a_record_made_in_an_image_is_not_current_outside_and_the_other_way(
    tmp_path: Path, engine: str, in_image: bool | None, current: bool
) -> None:
    path = record(tmp_path, run_digest="abc", provenance={"engine": engine})
    assert is_current(path, "abc", in_image) is current


def test_a_record_made_in_a_container_that_the_workflow_did_not_start_is_one_made_outside(tmp_path: Path) -> None:
    path = record(tmp_path, run_digest="abc", provenance={"engine": "docker", "image_digest": UNKNOWN})
    assert [is_current(path, "abc", in_image) for in_image in (False, True, None)] == [True, False, True]


def test_a_record_without_provenance_is_judged_by_its_specification(tmp_path: Path) -> None:
    assert is_current(record(tmp_path, run_digest="abc", provenance=None), "abc", in_image=True)


@pytest.mark.parametrize("content", ["", "[]", '{"run_digest": "ab', '{"run_digest": "abc", "provenance": 1}', "\x00"])
def test_a_missing_or_damaged_record_is_not_current(tmp_path: Path, content: str) -> None:
    path = tmp_path / "record.json"
    assert not is_current(path, "abc")
    path.write_text(content)
    assert not is_current(path, "abc")
