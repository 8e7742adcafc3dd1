"""A run or a probe that failed names what it failed in: in another image, or outside of one, it is tried again."""

import json
from pathlib import Path

import pytest
from train_setup import make_run

from scalestudy.cli.probe import probe
from scalestudy.cli.training import train_run
from scalestudy.records.current import is_current
from scalestudy.records.files import read_model
from scalestudy.records.image import MARK, Around
from scalestudy.records.paths import RunPaths
from scalestudy.records.probe import Probe
from scalestudy.records.result import Result
from scalestudy.spec.probing import probings
from scalestudy.spec.run import Study

IMAGE = Around(engine="apptainer", engine_version="1.4.5", image_digest=f"sha256:{64 * 'a'}")


def the_weather(*_: object) -> int:
    raise RuntimeError("the weather")


def assert_known_as_made_in(path: Path, digest: str, around: Around) -> None:
    """The workflow takes the record as one of its present image, or of none, and makes it again on a change of that."""
    provenance = json.loads(path.read_text())["provenance"]
    assert {name: provenance[name] for name in Around.model_fields} == around.model_dump()
    assert is_current(path, digest, in_image=bool(around.engine))
    assert not is_current(path, digest, in_image=not around.engine)


@pytest.mark.parametrize("around", [IMAGE, Around()])
def test_a_run_that_failed(around: Around, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, around.model_dump_json())
    monkeypatch.setattr("scalestudy.train.launch.train", the_weather)
    run, path = make_run(), RunPaths(tmp_path).result
    assert train_run(run, RunPaths(tmp_path), 0.0, record_failure=True) == 0
    result = read_model(path, Result)
    assert (result.outcome, result.error) == ("failed", "RuntimeError: the weather")
    assert_known_as_made_in(path, run.digest, around)


@pytest.mark.parametrize("around", [IMAGE, Around()])
def test_a_probe_that_failed(around: Around, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, around.model_dump_json())
    monkeypatch.setattr("scalestudy.train.probe.layout.probe_layout", the_weather)
    (probing,) = probings(Study(name="test", runs=[make_run()], accuracy_margin=0.01)).values()
    path = tmp_path / "1x1.json"
    assert probe(probing, path, 0.0, record_failure=True) == 0
    assert read_model(path, Probe).error == "RuntimeError: the weather"
    assert_known_as_made_in(path, probing.digest, around)
