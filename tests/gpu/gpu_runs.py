"""Runs for the GPU tests: the CIFAR CNN on a small synthetic data set, trained by the command line in its own process.

The test process must not be forked after it has used CUDA, so whole runs are started as a user starts them.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.run import Cell, Run
from scalestudy.spec.workload import Workload
from scalestudy.train.data.stage import prepare

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0
needs_gpu = pytest.mark.skipif(GPUS < 1, reason="no GPU here: torch.cuda.is_available() is False")
needs_two = pytest.mark.skipif(GPUS < 2, reason=f"needs two GPUs, and there are {GPUS}")
needs_four = pytest.mark.skipif(GPUS < 4, reason=f"needs four GPUs, and there are {GPUS}")

IMAGES = 6 * 64 + 10  # the last batch is smaller


def make_run(
    storage: Path,
    strategy: str = "serial",
    device: str = "cuda",
    devices: int = 1,
    options: dict[str, Any] | None = None,
    **changes: Any,
) -> Run:
    """Three epochs of the CIFAR CNN; ``changes`` are keys of the workload."""
    settings: dict[str, Any] = {
        "data": {
            "name": "synthetic",
            "options": {"shape": [3, 32, 32], "classes": 10, "train": IMAGES, "test": 100},
            "augment": "crop_flip",
        },
        "model": {"name": "cifar_cnn"},
        "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
        "batch_size": 64,
        "epochs": 3,
        "memory_format": "channels_last",
    }
    workload = Workload.model_validate(settings | changes)
    return Run(
        study="test",
        cell=Cell(workload="cifar", scaling="strong", strategy=strategy, nodes=1, devices_per_node=devices),
        seed=1,
        workload=workload,
        strategy_options=options or {},
        device=device,
        cores_per_device=1,
        oversubscribed=True,  # on the CPU, one core may stand for all devices
        data_folder=str(prepare(workload.data, storage, download=False)),
    )


def trained(run: Run, folder: Path) -> Result:
    """The result of ``scalestudy train run.json``."""
    paths = RunPaths(folder)
    write_model(paths.run, run)
    command = [sys.executable, "-m", "scalestudy", "train", str(paths.run)]
    paths_of = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # with the models of slow_models.py
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=paths_of)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_model(paths.result, Result)


def losses(result: Result) -> list[float]:
    """Training and test losses of all epochs."""
    return [loss for epoch in result.epochs for loss in (epoch.train_loss, epoch.test_loss)]
