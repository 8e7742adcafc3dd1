"""Gradients averaged through memory that the ranks of one host share."""

import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from train_setup import import_what_ranks_need, on_ranks

from scalestudy.train.control import join_process_group
from scalestudy.train.processes import RankFailed, run_ranks
from scalestudy.train.ranks import Rank
from scalestudy.train.shared_memory import SharedMemoryReducer, average_in_shared_memory

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 5e-2, torch.float64: 1e-13}


def network(dtype: torch.dtype) -> nn.Module:
    """Odd sizes, so that no bucket and no slice ends where a cache line does."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(33, 57), nn.ReLU(), nn.Linear(57, 101), nn.ReLU(), nn.Linear(101, 7)).to(dtype)


def shared(model: nn.Module, timeout_s: float = 60.0, **options: object) -> DistributedDataParallel:
    wrapped = DistributedDataParallel(model, **options)  # type: ignore[arg-type]
    reducer = SharedMemoryReducer(wrapped, timeout_s=timeout_s)
    wrapped.register_comm_hook(reducer, average_in_shared_memory)
    return wrapped


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("bucket_mb", [25, 0.01])
def test_all_ranks_get_the_average_over_steps_that_accumulate(ranks: int, dtype: torch.dtype, bucket_mb: float) -> None:
    def work(rank: Rank) -> bool:
        join_process_group(rank.rank, ranks, torch.device("cpu"), rank.init_method)
        ours, plain = shared(network(dtype), bucket_cap_mb=bucket_mb), network(dtype)
        generator = torch.Generator().manual_seed(rank.rank)
        for _ in range(4):
            batches = [torch.randn(8, 33, generator=generator).to(dtype) for _ in range(2)]
            ours.zero_grad()
            plain.zero_grad()
            for number, batch in enumerate(batches):
                with ours.no_sync() if number == 0 else nullcontext():
                    ours(batch).square().mean().backward()
                plain(batch).square().mean().backward()
            for found, own in zip(ours.parameters(), plain.parameters(), strict=True):
                assert found.grad is not None
                assert own.grad is not None
                every = [torch.empty_like(own.grad) for _ in range(ranks)]
                dist.all_gather(every, own.grad)
                average = torch.stack(every).double().mean(dim=0)
                tolerance = TOLERANCE[dtype]
                torch.testing.assert_close(
                    found.grad.double(), average, rtol=tolerance, atol=tolerance * float(average.abs().max())
                )
                dist.all_gather(every, found.grad.contiguous())
                assert all(torch.equal(every[0], other) for other in every)
        return True

    assert on_ranks(work, ranks) == [True] * ranks


@pytest.mark.parametrize("ranks", [2, 3])
def test_a_killed_rank_is_named_by_the_others_at_once(ranks: int, tmp_path: Path) -> None:
    import_what_ranks_need()

    def work(rank: Rank) -> int:
        join_process_group(rank.rank, ranks, torch.device("cpu"), rank.init_method)
        model = shared(network(torch.float32))
        for _ in range(3):  # in the first steps DDP itself talks over gloo, to rebuild its buckets
            model(torch.ones(4, 33)).sum().backward()
        if rank.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        begin = time.monotonic()
        try:
            model(torch.ones(4, 33)).sum().backward()
        except RuntimeError as error:
            (tmp_path / str(rank.rank)).write_text(f"{time.monotonic() - begin}\n{str(error).splitlines()[0]}")
        return 0

    with pytest.raises(RankFailed, match=r"rank 1 of .* SIGKILL"):
        run_ranks(work, ranks)
    seconds, message = (tmp_path / "0").read_text().split("\n")
    assert float(seconds) < 10
    assert "ended before it had reduced its gradients" in message
    assert "rank 1" in message or ranks > 2  # with more, a rank that gave up may be the first to be missed


def test_a_rank_that_is_silent_is_given_up() -> None:
    def work(rank: Rank) -> str:
        join_process_group(rank.rank, 2, torch.device("cpu"), rank.init_method)
        model = shared(network(torch.float32), timeout_s=0.3)
        if rank.rank == 1:
            time.sleep(1.5)
            return ""
        try:
            model(torch.ones(4, 33)).sum().backward()
        except RuntimeError as error:
            return str(error).splitlines()[0]
        return "nothing"

    assert "rank 1 was silent for 0.3 s" in on_ranks(work, 2)[0]


def test_nothing_is_left_in_shared_memory() -> None:
    before = {path.name for path in Path("/dev/shm").iterdir()}

    def work(rank: Rank) -> set[str]:
        join_process_group(rank.rank, 2, torch.device("cpu"), rank.init_method)
        shared(network(torch.float32))(torch.ones(4, 33)).sum().backward()
        return {path.name for path in Path("/dev/shm").iterdir()}

    for seen in on_ranks(work, 2):
        assert not {name for name in seen - before if "gradient" in name}
    assert not {name for name in {path.name for path in Path("/dev/shm").iterdir()} - before if "gradient" in name}
