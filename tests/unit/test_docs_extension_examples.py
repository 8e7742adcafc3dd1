"""The worked examples in docs/ run as they are printed there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine
from scalestudy.spec.reading import check
from scalestudy.spec.workload import DataSpec, ModelSpec
from scalestudy.train.data.batches import EpochBatches
from scalestudy.train.data.stage import prepare
from scalestudy.train.data.tensors import load_meta, load_split
from scalestudy.train.models.build import build_model, layer_table

DOCS = Path(__file__).parents[2] / "docs"


def block(page, label):
    """The text of the code block that carries this label after its language."""
    found = re.findall(rf"^```\w+ {re.escape(label)}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{page} has {len(found)} blocks {label}"
    return found[0]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("my_models", "my_data"):
        sys.modules.pop(name, None)


def test_the_model_of_the_docs_is_built_from_its_config(here):
    (here / "my_models.py").write_text(block("models.md", "my_models.py"))
    spec = ModelSpec.model_validate(yaml.safe_load(block("models.md", "my_models"))["model"])
    model = build_model(spec, (1, 28, 28), 10)
    assert [row.kind for row in layer_table(model, (1, 28, 28))] == ["Flatten", "Linear", "ReLU", "Linear"]
    assert sum(parameter.numel() for parameter in model.parameters()) == 784 * 32 + 32 + 32 * 10 + 10


def test_the_data_set_of_the_docs_is_prepared_and_learned(here):
    (here / "my_data.py").write_text(block("data.md", "my_data.py"))
    (here / "my_models.py").write_text(block("models.md", "my_models.py"))
    spec = DataSpec.model_validate(yaml.safe_load(block("data.md", "my_data"))["data"])
    folder = prepare(spec, here / "data", download=False)
    meta = load_meta(folder)
    assert (meta.shape, meta.classes, meta.train) == ((1, 12, 12), ["horizontal", "vertical"], 256)

    torch.manual_seed(0)
    model = build_model(ModelSpec(name="my_models:Perceptron"), meta.shape, len(meta.classes))
    train = EpochBatches(load_split(folder, "train"), mean=meta.mean, std=meta.std, augment=spec.augment)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(20):
        train.start_epoch(seed=0, epoch=epoch)
        images, labels = train.batch(0, len(train))
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.4


@pytest.mark.parametrize("strategy", ["serial", "ddp"])
def test_both_examples_of_the_docs_are_trained_together_as_a_user_trains_them(here, strategy):
    for page, file in (("models.md", "my_models.py"), ("data.md", "my_data.py")):
        (here / file).write_text(block(page, file))
    workload = yaml.safe_load(block("models.md", "my_models")) | yaml.safe_load(block("data.md", "my_data"))
    workload |= {"optimizer": {"name": "adam", "lr": 0.01}, "epochs": 8, "batch_size": 32}
    study = {"workloads": ["mine"], "strategies": ["serial", "ddp"], "scalings": ["strong"], "seeds": [1]}
    machine = {"devices_per_node": 2, "oversubscribe": True}
    config = {"study": "own", "machine": machine, "workloads": {"mine": workload}, "studies": {"own": study}}
    planned = expand(check(config, "config.yaml"), Machine(device="cpu", devices=2, cores=2))
    run = next(run for run in planned.runs if run.cell.strategy == strategy)
    assert prepare(run.workload.data, here / "data", download=False) == here / run.data_folder
    paths = RunPaths(here / "run")
    write_model(paths.run, run)
    command = [sys.executable, "-m", "scalestudy", "train", str(paths.run)]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    result = read_model(paths.result, Result)
    assert [row.kind for row in result.layers] == ["Flatten", "Linear", "ReLU", "Linear"]
    assert result.epochs[-1].train_loss < 0.8 * result.epochs[0].train_loss
