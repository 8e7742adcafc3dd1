"""The MNIST CNN learns Fashion-MNIST, from the real files where Debian's dataset-fashion-mnist is installed."""

import os
from pathlib import Path

from needed import need
from train_setup import make_run, trained

from scalestudy.spec.workload import DataSpec
from scalestudy.train.data.stage import prepare

FILES = Path("/usr/share/datasets/fashion-mnist")
EPOCHS = 9
"""Ten are allowed. With these settings the last three came to 89.95, 90.41 and 90.57 %, and went on rising."""


def test_fashion_mnist_reaches_90_percent_in_ten_epochs(tmp_path: Path) -> None:
    need(FILES.is_dir(), f"{FILES} is not there: install Debian's dataset-fashion-mnist")
    (tmp_path / "fashion-mnist").symlink_to(FILES)
    data = DataSpec(name="fashion_mnist")
    folder = prepare(data, tmp_path, download=False)
    layout = (1, 2) if len(os.sched_getaffinity(0)) > 1 else (1, 1)
    run = make_run(
        "data_parallel",
        layout,
        epochs=EPOCHS,
        batch_size=128,
        optimizer={"name": "adam", "lr": 0.0002},  # small steps: the last epoch is no matter of luck
    )
    workload = run.workload.model_copy(update={"data": data})
    result = trained(run.model_copy(update={"workload": workload, "data_folder": str(folder)}), tmp_path / "run")
    assert result.epochs[-1].test_accuracy >= 0.90
