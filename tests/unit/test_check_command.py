"""`scalestudy check`: a configuration is read and planned, and nothing is written."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from scalestudy.cli.main import main
from scalestudy.cli.planning import plan_study
from scalestudy.errors import StudyError
from scalestudy.spec.run import Study

ROOT = Path(__file__).parents[2]


def test_a_good_configuration_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", "--config", str(ROOT / "config.yaml"), "--study", "quick"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{ROOT / 'config.yaml'}: study quick, ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        ("study: [", "is not YAML"),
        ("study: quick\n", "workloads: missing"),
        ("study: quick\n", "studies: missing"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    path = tmp_path / "my.yaml"
    if content is not None:
        path.write_text(content)
    assert main(["check", "--config", str(path)]) == 2
    assert said in (printed := capsys.readouterr().err)
    assert all(line.startswith(f"scalestudy check: {path}: ") for line in printed.splitlines())


def test_a_study_names_its_configuration_as_seen_from_the_folder_of_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "folder" / "my.yaml"
    inner.parent.mkdir()
    inner.write_text((ROOT / "config.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    assert plan_study(inner, "quick").configuration == "folder/my.yaml"  # Snakemake makes paths absolute
    monkeypatch.chdir(inner.parent)
    assert plan_study(Path("my.yaml"), "quick").configuration == "my.yaml"
    assert plan_study(ROOT / "config.yaml", "quick").configuration == "config.yaml"  # from elsewhere


@pytest.mark.parametrize(
    ("container", "refused"),
    [
        ({"engine": "none"}, False),
        ({"engine": "apptainer"}, True),
        ({"engine": "apptainer", "base": "docker://python:3.11"}, False),
        ({"engine": "apptainer", "image": "x.sif"}, False),
    ],
)
def test_a_model_is_not_compiled_in_the_image_without_a_compiler(
    tmp_path: Path, container: dict[str, str], refused: bool
) -> None:
    content = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"container": container}
    content["workloads"]["fashion"]["compile"] = True
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(content))
    said = r"workloads\.fashion\.compile: found true; .*which has no compiler, or container\.base one that has$"
    with pytest.raises(StudyError, match=said) if refused else nullcontext():
        assert plan_study(path, "quick").runs


@pytest.mark.parametrize("command", ["check", "plan"])
def test_check_and_plan_say_in_the_same_words_what_the_study_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    study = Study(name="small", runs=[], skipped=["ddp: needs 2"], notes=["auto: takes 1"], accuracy_margin=0.01)
    monkeypatch.setattr("scalestudy.cli.planning.plan_study", lambda *_: study)
    assert main([command]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["note: auto: takes 1", "left out: ddp: needs 2"]


def test_without_a_command_the_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "typeset the PDF report" in capsys.readouterr().err
