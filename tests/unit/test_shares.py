"""Which batches are refused because of what a model's batch norm needs."""

import pytest
from train_setup import make_run

from scalestudy.errors import StudyError
from scalestudy.train.mesh import Mesh
from scalestudy.train.models.build import build_model
from scalestudy.train.shares import check_shares

MODEL = "odd_models:Normalizing"
SHAPE = (3, 8, 8)


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
