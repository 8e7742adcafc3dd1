"""Which layouts of a study are probed, and with what."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from synthetic_study import make_study

from scalestudy.cli.main import main
from scalestudy.records.files import read_model
from scalestudy.spec.probing import Probing, probings
from scalestudy.spec.run import Study


def probings_of(folder: Path, scalings: Sequence, **strategies: tuple[str, ...]) -> dict[str, Probing]:
    paths = make_study(folder, scalings=scalings, strategies=strategies, seeds=(0, 1), workloads=2)
    return probings(read_model(paths.study, Study))


def test_every_layout_of_a_parallel_cell_is_probed_once_with_every_workload(tmp_path: Path) -> None:
    found = probings_of(tmp_path, ("epoch",), ddp=("1x2", "2x4"), data_parallel=("1x2",))
    assert list(found) == ["1x2", "2x4"]
    assert found["2x4"].devices == 8
    assert [one.workload for one in found["1x2"].trainings] == ["mnist", "cifar"]
    assert found["2x4"].run.processes == 8


def test_strong_scaling_is_probed_with_the_share_of_a_device(tmp_path: Path) -> None:
    found = probings_of(tmp_path, ("epoch", "strong", "weak"), ddp=("1x4",))
    assert [one.batch_size for one in found["1x4"].trainings] == [64, 16, 64, 16]


def test_without_parallel_cells_one_device_is_probed(tmp_path: Path) -> None:
    found = probings_of(tmp_path, ("epoch",))
    assert list(found) == ["1x1"]
    assert found["1x1"].run.processes == 1


def test_a_probe_depends_on_what_it_trains_and_not_on_the_seeds(tmp_path: Path) -> None:
    def digest(folder: str, **changes: object) -> str:
        paths = make_study(tmp_path / folder, strategies={"ddp": ("1x2",)}, workloads=1, **changes)
        return probings(read_model(paths.study, Study))["1x2"].digest

    assert digest("a", seeds=(0, 1)) == digest("b", seeds=(0, 1, 2))
    assert digest("a", seeds=(0,)) != digest("c", seeds=(0,), epochs=7)


def test_a_layout_that_the_study_lacks_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = make_study(tmp_path, strategies={"ddp": ("1x2", "1x4")})
    assert main(["probe", str(paths.study), "3x3"]) == 2
    assert capsys.readouterr().err.rstrip().endswith("study.json: layout: found 3x3; the study has 1x2, 1x4")
