"""The MNIST CNN learns Fashion-MNIST, from the real files where Debian's dataset-fashion-mnist is installed."""

import os
from pathlib import Path

import pytest
from train_setup import make_run, trained

from scalestudy.spec.workload import DataSpec
from scalestudy.train.data.stage import prepare

FILES = Path("/usr/share/datasets/fashion-mnist")
EPOCHS = 8  # ten are allowed; the best comes here


def test_fashion_mnist_reaches_90_percent_in_ten_epochs(tmp_path: Path) -> None:
    if not FILES.is_dir() and os.environ.get("CI") != "true":
        pytest.skip(f"{FILES} is not there: install Debian's dataset-fashion-mnist")
    assert FILES.is_dir(), f"{FILES} is not there: CI must install Debian's dataset-fashion-mnist"
    (tmp_path / "fashion-mnist").symlink_to(FILES)
    data = DataSpec(name="fashion_mnist")
    folder = prepare(data, tmp_path, download=False)
    layout = (1, 2) if len(os.sched_getaffinity(0)) > 1 else (1, 1)
    run = make_run(
        "data_parallel",
        layout,
        epochs=EPOCHS,
        batch_size=128,
        optimizer={"name": "adam", "lr": 0.0005, "weight_decay": 1e-4},
        precision="bfloat16",
    )
    workload = run.workload.model_copy(update={"data": data})
    result = trained(run.model_copy(update={"workload": workload, "data_folder": str(folder)}), tmp_path / "run")
    assert max(epoch.test_accuracy for epoch in result.epochs) >= 0.90
