"""Layouts that strategies get on a machine, and the runs that a study becomes."""

import copy
import json
import time
from pathlib import Path

import pytest

from scalestudy.errors import StudyError
from scalestudy.records.files import model_text
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.config import Config
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine, automatic, doubling
from scalestudy.spec.probing import probings
from scalestudy.spec.reading import check, load_config
from scalestudy.spec.run import Run

ALL = list(STRATEGIES)
DATA = {
    "study": "quick",
    "workloads": {
        name: {
            "data": {"name": "mnist"},
            "model": {"name": "mnist_cnn"},
            "optimizer": {"name": "adam", "lr": 0.01},
            "epochs": 3,
            "weak_samples": 600,
        }
        for name in ("one", "two")
    },
    "studies": {"quick": {"workloads": ["one", "two"], "strategies": ALL, "seeds": [1, 2, 3]}},
}


def config(machine: dict | None = None, workload: dict | None = None, **study) -> Config:
    data = copy.deepcopy(DATA)
    data["machine"] = machine or {}
    data["workloads"]["one"] |= workload or {}
    data["studies"]["quick"] |= study
    return check(data, "config.yaml")


def cpus(devices: int) -> Machine:
    return Machine(device="cpu", devices=devices, cores=devices)


@pytest.mark.parametrize(
    ("strategy", "nodes", "devices", "layouts"),
    [
        ("serial", 1, 8, [(1, 1)]),
        ("data_parallel", 1, 8, [(1, 2), (1, 4), (1, 8)]),
        ("data_parallel", 2, 4, [(1, 2), (1, 4)]),
        ("ddp", 1, 1, []),
        ("ddp", 1, 2, [(1, 2)]),
        ("ddp", 1, 6, [(1, 2), (1, 4), (1, 6)]),
        ("ddp", 3, 4, [(1, 2), (1, 4), (2, 4), (3, 4)]),
        ("ddp", 4, 1, [(2, 1), (4, 1)]),
        ("hybrid", 1, 8, [(2, 1), (2, 2), (2, 4)]),
        ("hsdp", 2, 4, [(1, 2), (2, 2), (2, 4)]),
    ],
)
def test_doubling_ends_with_all_devices(strategy, nodes, devices, layouts):
    assert doubling(strategy, nodes, devices) == layouts
    last = automatic(strategy, nodes, devices)
    assert layouts[-1:] == ([last] if last else [])


def test_a_study_that_doubles_plans_a_curve_wherever_it_is_planned():
    entries = ["serial", {"name": "ddp", "layouts": ["doubling", "1x3"]}]
    for devices, layouts in ((8, ["1x2", "1x4", "1x8", "1x3"]), (3, ["1x2", "1x3"])):
        study = expand(config(strategies=entries, workloads=["one"], seeds=[1]), cpus(devices))
        assert [run.cell.layout for run in study.runs if run.cell.strategy == "ddp"] == layouts
    alone = expand(config(strategies=["serial", {"name": "ddp", "layouts": ["doubling"]}]), cpus(1))
    assert "DDP: needs at least 2 devices, and the study has 1" in alone.skipped


@pytest.mark.parametrize(
    ("nodes", "devices", "layouts"),
    [
        (1, 1, [(1, 1), None, None, None, None]),
        (1, 2, [(1, 1), (1, 2), (1, 2), (2, 1), (1, 2)]),
        (1, 3, [(1, 1), (1, 3), (1, 3), (2, 1), (1, 3)]),
        (1, 4, [(1, 1), (1, 4), (1, 4), (2, 2), (2, 2)]),
        (1, 6, [(1, 1), (1, 6), (1, 6), (2, 3), (2, 3)]),
        (4, 1, [(1, 1), None, (4, 1), (4, 1), (4, 1)]),
        (2, 4, [(1, 1), (1, 4), (2, 4), (2, 4), (2, 4)]),
    ],
)
def test_auto_uses_all_devices_as_the_strategy_can(nodes, devices, layouts):
    assert [automatic(strategy, nodes, devices) for strategy in ALL] == layouts


@pytest.mark.parametrize("nodes", range(1, 6))
@pytest.mark.parametrize("devices", range(1, 10))
def test_auto_never_asks_for_more_than_there_is(nodes, devices):
    found = [layout for strategy in ALL if (layout := automatic(strategy, nodes, devices))]
    assert all(layout[0] * layout[1] <= nodes * devices for layout in found)


def test_every_workload_strategy_and_seed_has_its_run():
    runs = expand(config(), cpus(2)).runs
    assert len(runs) == len({run.id for run in runs}) == 2 * len(ALL) * 3
    assert [run.seed for run in runs] == [1] * 10 + [2] * 10 + [3] * 10
    assert [run.cell.strategy for run in runs[:5]] == ALL


@pytest.mark.parametrize("scalings", [["epoch", "strong"], ["strong", "epoch"], ["weak", "strong", "epoch"]])
def test_the_base_of_epoch_and_strong_scaling_is_planned_once_under_the_first(scalings):
    runs = expand(config(scalings=scalings, workloads=["one"], seeds=[1]), cpus(2)).runs
    first = next(scaling for scaling in scalings if scaling != "weak")
    bases = [run.cell.scaling for run in runs if run.cell.strategy == "serial"]
    assert bases == [scaling for scaling in scalings if scaling in (first, "weak")]
    assert len(runs) == len(scalings) * (len(ALL) - 1) + len(bases)


def test_one_cell_that_two_layouts_name_is_planned_once():
    entry = {"name": "ddp", "layouts": ["auto", "1x2", "2x1"]}
    runs = expand(config(strategies=["serial", entry], workloads=["one"], seeds=[1]), cpus(2)).runs
    assert [run.cell.layout for run in runs] == ["1x1", "1x2", "2x1"]


def test_digests_are_stable_and_differ_between_runs():
    first, second = (expand(config(scalings=["strong", "weak"]), cpus(4)).runs for _ in range(2))
    assert [run.digest for run in first] == [run.digest for run in second]
    assert len({run.digest for run in first}) == len(first)


def test_a_changed_workload_changes_the_digests_of_its_runs_alone():
    before, after = (expand(config(workload=change), cpus(2)).runs for change in ({}, {"epochs": 4}))
    changed = {old.cell.workload for old, new in zip(before, after, strict=True) if old.digest != new.digest}
    same = {old.cell.workload for old, new in zip(before, after, strict=True) if old.digest == new.digest}
    assert (changed, same) == ({"one"}, {"two"})


PAIR = ["serial", "ddp", {"name": "ddp", "label": "ddp_fp16", "layouts": ["1x2"], "options": {"compression": "fp16"}}]


def test_a_labeled_entry_has_runs_of_its_own_below_its_label():
    runs = expand(config(strategies=PAIR, workloads=["one"], seeds=[1]), cpus(2)).runs
    names = ["serial-1x1", "ddp-1x2", "ddp_fp16-1x2"]
    assert [run.id for run in runs] == [f"one/epoch/{name}/seed1" for name in names]
    assert [run.cell.strategy for run in runs] == ["serial", "ddp", "ddp"]
    assert [run.strategy_options for run in runs] == [{}, {}, {"compression": "fp16"}]
    assert [run.processes for run in runs] == [1, 2, 2]


def test_a_run_without_a_label_is_written_as_before_there_were_labels():
    runs = expand(config(strategies=PAIR, workloads=["one"], seeds=[1]), cpus(2)).runs
    alone = expand(config(strategies=PAIR[:2], workloads=["one"], seeds=[1]), cpus(2)).runs
    assert [run.digest for run in runs[:2]] == [run.digest for run in alone]
    assert [json.loads(model_text(run))["cell"].get("label") for run in runs] == [None, None, "ddp_fp16"]
    assert list(json.loads(model_text(alone[1]))["cell"]) == [
        *("workload", "scaling", "strategy", "nodes", "devices_per_node")
    ]
    assert Run.model_validate_json(model_text(runs[2])) == runs[2]


def test_the_probe_of_a_layout_is_that_of_no_entry():
    study = expand(config(strategies=[PAIR[0], PAIR[2]], workloads=["one"], seeds=[1]), cpus(2))
    (probing,) = probings(study).values()
    assert (probing.run.cell.strategy, probing.run.cell.label) == ("ddp", "")


def test_a_labeled_entry_that_the_machine_cannot_run_is_named_by_its_label():
    study = expand(config(strategies=[*PAIR[:2], PAIR[2] | {"layouts": ["auto"]}]), cpus(1))
    assert "DDP (ddp_fp16): needs at least 2 devices, and the study has 1" in study.skipped


def test_a_machine_with_one_device_runs_the_base_and_says_what_it_skips():
    study = expand(config(), cpus(1))
    assert {run.cell.strategy for run in study.runs} == {"serial"}
    assert study.skipped[0] == "DataParallel twin: needs at least 2 devices, and the study has 1"
    assert study.notes == ["nothing parallel is left to compare: the report shows the serial base alone"]
    assert len(study.skipped) == len(ALL) - 1


def test_nothing_is_skipped_where_all_can_run():
    assert expand(config(), cpus(2)).skipped + expand(config(), cpus(2)).notes == []


def test_a_study_without_any_run_is_refused():
    data = config().model_copy(
        update={"studies": {"quick": config().studies["quick"].model_copy(update={"seeds": []})}}
    )
    with pytest.raises(StudyError, match=r"studies\.quick: found no run in it"):
        expand(data, cpus(2))


def test_an_unknown_study_is_refused():
    with pytest.raises(StudyError, match="study: found full; must be one of quick"):
        expand(config(), cpus(2), "full")


def test_gpus_are_not_shared_and_nobody_is_told_that_they_may_be():
    entry = {"name": "ddp", "layouts": ["1x4"]}
    for machine in ({}, {"oversubscribe": True}):
        with pytest.raises(StudyError) as refusal:
            expand(config(machine=machine, strategies=["serial", entry], seeds=[1]), Machine("cuda", 2, 8))
        assert str(refusal.value).endswith("found 1x4, 4 devices; must be at most 2 GPUs, all that there are")


def test_oversubscribed_cells_are_marked_and_the_others_are_not():
    entry = {"name": "ddp", "layouts": ["1x2", "1x4"]}
    runs = expand(config(machine={"oversubscribe": True}, strategies=["serial", entry], seeds=[1]), cpus(2)).runs
    assert {(run.cell.layout, run.oversubscribed) for run in runs} == {("1x1", False), ("1x2", False), ("1x4", True)}


def test_nodes_on_one_machine_share_its_devices():
    runs = expand(config(machine={"nodes": 2}, strategies=["serial", "ddp"], seeds=[1]), cpus(8)).runs
    assert {run.cell.layout for run in runs} == {"1x1", "2x4"}


def test_more_devices_per_node_than_configured_are_refused():
    entry = {"name": "ddp", "layouts": ["1x8"]}
    with pytest.raises(StudyError, match="found 1x8; must be at most 4 devices per node"):
        expand(config(machine={"nodes": 2, "devices_per_node": 4}, strategies=["serial", entry]), cpus(8))


def test_a_run_knows_where_its_prepared_data_lies():
    data = copy.deepcopy(DATA)
    data["data"] = {"folder": "/scratch/sets"}
    data["workloads"]["two"]["data"] = {"name": "synthetic", "options": {"shape": [1, 28, 28]}}
    runs = expand(check(data, "config.yaml"), cpus(1)).runs
    folders = {run.cell.workload: run.data_folder for run in runs}
    assert folders["one"] == "/scratch/sets/prepared/mnist"
    assert folders["two"].startswith("/scratch/sets/prepared/synthetic-")


def test_two_thousand_runs_are_planned_in_less_than_half_a_second():
    began = time.process_time()
    study = expand(config(scalings=["epoch", "strong", "weak"], seeds=list(range(75))), cpus(4))
    digests = {run.digest for run in study.runs}
    assert len(digests) == len(study.runs) == 2 * 14 * 75
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("devices", [1, 2, 3, 7, 64, 128, 256])
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_the_default_study_is_planned_on_any_number_of_devices(kind: str, devices: int) -> None:
    study = expand(load_config(Path("config.yaml")), Machine(kind, devices, devices), "quick")
    assert study.runs
    most = max(run.cell.devices for run in study.runs)
    assert most <= devices
    for run in study.runs:
        images = {"fashion": 4096, "cifar_synthetic": 2048}[run.cell.workload]
        assert images // run.global_batch >= 4
    assert any("auto: takes" in note for note in study.notes) == (devices > 8)
    assert bool(study.skipped) == (devices == 1)


def test_a_cluster_is_planned_as_it_is_described_whatever_this_machine_has():
    described = config(machine={"nodes": 1, "devices_per_node": 1}, workload={"lr_scaling": "none"})
    study = expand(described, Machine.of_cluster(described.cluster))
    layouts = {run.cell.strategy: run.cell.layout for run in study.runs}
    assert layouts == {"serial": "1x1", "data_parallel": "1x2", "ddp": "2x2", "hybrid": "2x2", "hsdp": "2x2"}
    assert not study.skipped + study.notes
    assert not any(run.oversubscribed for run in study.runs)


def test_a_layout_beyond_the_cluster_names_the_key_that_describes_it():
    wide = config(strategies=["serial", {"name": "ddp", "layouts": ["4x2"]}])
    with pytest.raises(
        StudyError, match=r"found 4x2, 8 devices; must be at most 4 CPU devices, those of .* key cluster"
    ):
        expand(wide, Machine.of_cluster(wide.cluster))


def test_a_run_of_a_cluster_is_another_run_than_that_of_the_machine_that_plans():
    one = config(strategies=["serial", "ddp"])
    here, there = (expand(one, machine).runs[0] for machine in (cpus(4), Machine.of_cluster(one.cluster)))
    assert here.id == there.id
    assert here.digest != there.digest


def test_a_workload_too_small_for_all_devices_says_so_and_explicit_layouts_stay_possible():
    few = {"data": {"name": "mnist", "train": 300}, "batch_size": 64}
    study = expand(config(workload=few, workloads=["one"], strategies=["serial", "ddp"]), cpus(2))
    assert [run.cell.strategy for run in study.runs] == ["serial"] * 3
    assert study.skipped == [f"{STRATEGIES['ddp'].title}: needs at least 2 devices, and auto takes 1"]
    assert study.notes == [
        "auto: takes 1 of 2 devices per node (an epoch of one, 300 images, would have fewer than 4 batches of 64 "
        "per device); name layouts to take more",
        "nothing parallel is left to compare: the report shows the serial base alone",
    ]
    named = config(workload=few, workloads=["one"], strategies=["serial", {"name": "ddp", "layouts": ["1x2"]}])
    assert {run.cell.layout for run in expand(named, cpus(2)).runs} == {"1x1", "1x2"}


def test_a_batch_with_fewer_images_than_devices_limits_strong_scaling():
    study = expand(config(workload={"batch_size": 1}, workloads=["one"], scalings=["strong"]), cpus(2))
    assert study.notes[0].startswith("auto: takes 1 of 2 devices per node (a batch of one has 1 image to share)")
