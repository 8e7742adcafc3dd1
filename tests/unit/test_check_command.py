"""`scalestudy check`: a configuration is read and planned, and nothing is written."""

from pathlib import Path

import pytest

from scalestudy.cli.main import main

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
    assert all(str(path) in line for line in printed.splitlines())
