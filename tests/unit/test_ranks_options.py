"""What a job asks for, in the words of sbatch."""

from typing import Any

import pytest

from submitit_ranks.errors import NotSubmitted
from submitit_ranks.options import sbatch_options


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
