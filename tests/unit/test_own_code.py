"""An edit of the user's own model or data set is a change of the runs."""

import sys
from pathlib import Path
from typing import Any

import pytest

from scalestudy.cli.main import main
from scalestudy.errors import StudyError
from scalestudy.records.files import write_model
from scalestudy.records.paths import StudyPaths
from scalestudy.spec.data_key import prepared_key
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine
from scalestudy.spec.own_code import code_digest
from scalestudy.spec.reading import check
from scalestudy.spec.run import Run, Study
from scalestudy.spec.workload import DataSpec

NET = "raise RuntimeError('this module must not be imported')\nclass Net: ...\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that everything is started in, with a package and a module of the user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(NET)
    (tmp_path / "mine" / "nets.py").write_text(NET)
    (tmp_path / "plain" / "folders").mkdir(parents=True)
    (tmp_path / "plain" / "folders" / "nets.py").write_text(NET)
    (tmp_path / "my_net.py").write_text(NET)
    (tmp_path / "my_data.py").write_text("def load(folder, download): ...\n")
    return tmp_path


def planned(**workload: Any) -> Run:
    """The one run of a study."""
    settings = {"data": {"name": "fashion_mnist_subset"}, "model": {"name": "mnist_cnn"}, **workload}
    config = {
        "study": "own",
        "workloads": {"mine": settings | {"optimizer": {"name": "sgd", "lr": 0.1}, "epochs": 2}},
        "studies": {"own": {"workloads": ["mine"], "strategies": ["serial"], "seeds": [1]}},
    }
    (run,) = expand(check(config, "config.yaml"), Machine(device="cpu", devices=1, cores=1)).runs
    return run


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("my_net:Net", "my_net.py"),
        ("mine.nets:Net", "mine/nets.py"),
        ("mine:Net", "mine/__init__.py"),
        ("plain.folders.nets:Net", "plain/folders/nets.py"),
    ],
)
def test_the_digest_of_a_module_is_that_of_its_file_alone(here: Path, name: str, file: str) -> None:
    before = code_digest(name)
    (here / "my_other.py").write_text("")
    assert code_digest(name) == before != ""
    (here / file).write_text(NET + "\n")
    assert code_digest(name) not in ("", before)
    (here / file).write_text(NET)
    assert code_digest(name) == before


@pytest.mark.parametrize(
    "name",
    [
        "mnist_cnn",
        "json:loads",
        "nobody:Net",
        "mine.nobody:Net",
        "plain.folders.nobody:Net",
        "plain.folders:Net",
        "../my_net:Net",
        "math:pi",
    ],
)
def test_what_does_not_lie_in_the_folder_has_no_digest(here: Path, name: str) -> None:
    assert code_digest(name) == ""


def test_a_run_of_a_network_of_the_catalog_says_nothing_of_code() -> None:
    assert "model_code" not in planned().model_dump(mode="json")


def test_an_edited_model_makes_another_run(here: Path) -> None:
    before = planned(model={"name": "my_net:Net"})
    assert planned(model={"name": "my_net:Net"}).digest == before.digest
    (here / "my_net.py").write_text(NET + "# edited\n")
    assert planned(model={"name": "my_net:Net"}).digest != before.digest


def test_an_edited_data_set_is_prepared_anew_and_makes_another_run(here: Path) -> None:
    spec = DataSpec(name="my_data:load")
    key, before = prepared_key(spec), planned(data={"name": spec.name})
    assert before.data_folder.endswith(f"/{key}")
    (here / "my_data.py").write_text("def load(folder, download): return None\n")
    assert prepared_key(spec) != key
    assert planned(data={"name": spec.name}).digest != before.digest


@pytest.mark.parametrize("command", ["train", "parity", "probe"])
def test_a_model_is_not_run_for_a_plan_that_was_made_with_another(
    command: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, paths = planned(model={"name": "my_net:Net"}), StudyPaths(here / "results" / "own")
    write_model(paths.run(run.id).run, run)
    write_model(paths.study, Study(name="own", runs=[run], accuracy_margin=0.01))
    (here / "my_net.py").write_text(NET + "# edited\n")
    what = {"train": [paths.run(run.id).run], "parity": [paths.study], "probe": [paths.study, "1x1"]}
    assert main([command, *map(str, what[command])]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{run.id}: model.name: found another file of my_net:Net than the run was planned with" in line
    assert "scalestudy plan" in line


def test_a_run_planned_where_the_module_was_installed_is_trained_where_it_lies_beside(here: Path) -> None:
    from scalestudy.cli.training import check_code

    run = planned(model={"name": "my_net:Net"})
    check_code([run])
    check_code([run.model_copy(update={"model_code": ""})])
    (here / "my_net.py").unlink()
    check_code([run])
    (here / "my_net.py").write_text("")
    with pytest.raises(StudyError):
        check_code([run])
