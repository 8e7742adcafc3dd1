"""What a job asks for, in the words of sbatch."""

from typing import Any

import pytest

from submitit_ranks.errors import NotSubmitted
from submitit_ranks.options import ranks_of, sbatch_options


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        ({"gpu": 4}, {"gpus-per-node": 4}),
        ({"gpu": 4, "gpu_model": "a100"}, {"gpus-per-node": "a100:4"}),
        ({"gpu": 4, "gres": "gpu:a100:{gpu}"}, {"gres": "gpu:a100:4"}),
        ({"gpu": 4, "gres": "gpu:a100:4"}, {"gres": "gpu:a100:4"}),
        ({"gpu": 4, "gres": "nvme:1,gpu:a100:{gpu}"}, {"gres": "nvme:1,gpu:a100:4"}),
        ({"gpu": 4, "gres": "nvme:1,gres/gpu:4"}, {"gres": "nvme:1,gres/gpu:4"}),
        ({"gpu": 4, "gres": "vgpu:1"}, {"gpus-per-node": 4, "gres": "vgpu:1"}),
        ({"gpu": 4, "gres": "nvme:1"}, {"gpus-per-node": 4, "gres": "nvme:1"}),
        ({"gres": "gpu:a100:{gpu}"}, {}),
        ({"gres": "nvme:1"}, {"gres": "nvme:1"}),
    ],
)
def test_gpus_are_asked_for_as_gres_or_per_node_and_not_as_both(asked: dict[str, Any], options: dict[str, Any]) -> None:
    assert sbatch_options("rule r", asked) == options | {"signal": "B:CONT@1"}


def test_every_resource_has_its_option_and_memory_of_a_core_takes_the_place_of_that_of_a_node() -> None:
    asked = {"slurm_partition": "p", "slurm_account": "a", "qos": "q", "constraint": "c", "reservation": "r"}
    asked |= {"runtime": 9, "mem_mb": 100, "mem_mb_per_cpu": 50}
    options = {"partition": "p", "account": "a", "qos": "q", "constraint": "c", "reservation": "r"}
    options |= {"time": 9, "mem-per-cpu": 50, "signal": "B:CONT@1"}
    assert sbatch_options("rule r", asked) == options
    assert sbatch_options("rule r", {"mem_mb": 100})["mem"] == 100


@pytest.mark.parametrize(
    ("asked", "found"),
    [({}, (1, 1)), ({"nodes": 2}, (2, 2)), ({"nodes": 2, "tasks_per_node": 3}, (2, 6)), ({"tasks": 4}, (1, 4)),
     ({"nodes": 2, "tasks": 4}, (2, 4))],
)  # fmt: skip
def test_ranks_are_counted_by_node_or_over_all_nodes(asked: dict[str, Any], found: tuple[int, int]) -> None:
    assert ranks_of("rule r", asked) == found


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        ("--exclusive", {"exclusive": True}),
        ("'--exclusive --nice=1'", {"exclusive": True, "nice": "1"}),
        ("--comment='a b'", {"comment": "a b"}),
        ('--comment="a b" --exclusive', {"comment": "a b", "exclusive": True}),
        ("--mail-user='me@x.y'", {"mail-user": "me@x.y"}),
    ],
)
def test_further_options_may_be_quoted_whole_or_in_part(extra: str, options: dict[str, Any]) -> None:
    assert sbatch_options("rule r", {"slurm_extra": extra}) == options | {"signal": "B:CONT@1"}


@pytest.mark.parametrize(
    ("extra", "said"),
    [("--comment=it's", "slurm_extra: No closing quotation"), ("-p gpu", "slurm_extra has '-p'; write every option")],
)
def test_further_options_that_cannot_be_read_are_refused_by_the_rule(extra: str, said: str) -> None:
    with pytest.raises(NotSubmitted, match=f"^rule r: {said}"):
        sbatch_options("rule r", {"slurm_extra": extra})
