"""What a run asks of a scheduler."""

import pytest

from scalestudy.cli.requests import of_parity, of_run
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine
from scalestudy.spec.reading import check
from scalestudy.spec.run import Study

NET = {
    "data": {"name": "mnist"},
    "model": {"name": "mnist_cnn"},
    "optimizer": {"name": "adam", "lr": 0.01},
    "epochs": 2,
}
STRATEGIES = ["serial", "data_parallel", "ddp", "hybrid", "hsdp"]


def study(**cluster: object) -> Study:
    data = {
        "study": "one",
        "cluster": {"nodes": 2, "devices_per_node": 4, "cores_per_device": 3} | cluster,
        "workloads": {"net": NET},
        "studies": {"one": {"workloads": ["net"], "strategies": STRATEGIES, "seeds": [1]}},
    }
    config = check(data, "config.yaml")
    return expand(config, Machine.of_cluster(config.cluster))


@pytest.mark.parametrize(
    ("strategy", "nodes", "tasks_per_node", "cpus_per_task", "gpu"),
    [
        ("serial", 1, 1, 3, 1),
        ("data_parallel", 1, 1, 12, 4),
        ("ddp", 2, 4, 3, 4),
        ("hybrid", 2, 1, 12, 4),
        ("hsdp", 2, 4, 3, 4),
    ],
)
def test_a_run_asks_for_its_layout(
    strategy: str, nodes: int, tasks_per_node: int, cpus_per_task: int, gpu: int
) -> None:
    asked = [
        of_run(next(run for run in study(device=device).runs if run.cell.strategy == strategy))
        for device in ("cpu", "cuda")
    ]
    for request in asked:
        assert (request["nodes"], request["tasks_per_node"]) == (nodes, tasks_per_node)
        assert request["cpus_per_task"] == cpus_per_task
    assert [request["gpu"] for request in asked] == [0, gpu]
    assert asked[0]["mem_mb"] == tasks_per_node * 2000


def test_on_one_machine_every_run_takes_all_cores() -> None:
    assert {of_run(run, cores=8)["cpus_per_task"] for run in study().runs} == {8}


def test_the_parity_check_takes_one_node_and_has_memory_for_all_ranks_that_it_starts() -> None:
    asked = of_parity(study())
    assert (asked["nodes"], asked["tasks_per_node"], asked["cpus_per_task"]) == (1, 1, 12)
    assert asked["mem_mb"] == 4 * 2000 + 4 * 600


def test_the_parity_check_of_many_gpu_nodes_asks_for_no_more_memory_than_their_runs_do() -> None:
    many = study(device="cuda", nodes=16)
    assert max(run.processes for run in many.runs) == 64
    assert of_parity(many)["mem_mb"] <= max(of_run(run)["mem_mb"] for run in many.runs)
