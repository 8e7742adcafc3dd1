"""The project's own config.yaml with the study `quick`, for tests that run all of it."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TRAIN, TEST, EPOCHS = 512, 128, 2
SEED = 1


def quick() -> dict[str, Any]:
    """All its workloads, strategies and layouts as they are, but few images and epochs, and one seed."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
    study = config["studies"]["quick"]
    study["seeds"] = [SEED]
    for name in study["workloads"]:
        workload = config["workloads"][name]
        data = workload["data"]
        counts = data.get("options", data)
        counts |= {"train": TRAIN, "test": TEST}
        workload["epochs"] = EPOCHS
    return config
