"""A model whose batch norm needs two images: its shares have them, or a run is refused before its first step."""

from pathlib import Path

import pytest
from train_setup import LAYOUTS, make_run, start, trained

from scalestudy.errors import StudyError
from scalestudy.train.mesh import Mesh
from scalestudy.train.models.build import build_model
from scalestudy.train.shares import check_shares

MODEL = "odd_models:Normalizing"
SHAPE = (3, 8, 8)


@pytest.mark.parametrize("strategy", LAYOUTS)
def test_a_share_of_one_image_is_refused_in_one_line_before_training(
    strategy: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = 33 if strategy == "serial" else 34
    run = make_run(strategy, model=MODEL, data={"train": samples})
    with pytest.raises(StudyError) as refused:
        start(run, tmp_path)
    assert "\n" not in str(refused.value)
    assert "workloads.tiny.batch_size: found 32, so that the last batch of an epoch has" in str(refused.value)
    assert "batch norm needs 2" in str(refused.value)
    assert "Traceback" not in capfd.readouterr().err
    assert not list(tmp_path.glob("result.json"))


@pytest.mark.parametrize(("strategy", "layout"), [("ddp", (1, 3)), ("hsdp", (1, 3)), ("data_parallel", (1, 3))])
def test_a_device_without_images_takes_part_whatever_the_batch_norm(
    strategy: str, layout: tuple[int, int], tmp_path: Path
) -> None:
    images = 32 + 6
    for accumulate in (1, 2):  # shares of 2, and with a second pass of pieces of one
        run = make_run(strategy, layout, model=MODEL, accumulate=accumulate, data={"train": images}, epochs=1)
        if accumulate == 1:
            assert trained(run, tmp_path / "one").outcome == "completed"
        else:
            with pytest.raises(StudyError, match="batch norm needs 2"):
                start(run, tmp_path / "two")


@pytest.mark.parametrize(
    ("size", "devices", "accumulate", "refused"),
    [
        (64, 2, 1, False),
        (65, 2, 1, True),  # the last batch has one image
        (66, 2, 1, True),  # one each
        (67, 2, 1, True),  # two and one
        (68, 2, 1, False),
        (68, 2, 2, True),  # one by one
        (72, 2, 2, False),
    ],
)
def test_the_smallest_piece_of_an_epoch_decides(size: int, devices: int, accumulate: int, refused: bool) -> None:
    run = make_run("ddp", (1, devices), model=MODEL, accumulate=accumulate)
    mesh = Mesh(1, devices, 1)
    for name, problem in ((MODEL, refused), ("cifar_cnn", False)):
        spec = run.workload.model.model_copy(update={"name": name})
        model = build_model(spec, SHAPE, 4)
        if problem:
            with pytest.raises(StudyError):
                check_shares(run, mesh, size, model, SHAPE)
        else:
            check_shares(run, mesh, size, model, SHAPE)


def test_synchronized_batch_norm_refuses_a_batch_that_leaves_a_device_without_images() -> None:
    run = make_run("ddp", (1, 4), model="cifar_cnn", sync_batch_norm=True)
    model = build_model(run.workload.model, SHAPE, 4)
    check_shares(run, Mesh(1, 4, 1), 32 + 4, model, SHAPE)
    with pytest.raises(
        StudyError, match=r"batch_size: found 32, .* has 3 of 35 images; with sync_batch_norm each of 4"
    ):
        check_shares(run, Mesh(1, 4, 1), 32 + 3, model, SHAPE)
