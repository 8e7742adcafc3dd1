"""One GPU: it learns what a CPU learns, with and without a CUDA graph, and nothing waits inside a step."""

from pathlib import Path

import pytest
import torch
from gpu_runs import IMAGES, losses, make_run, needs_gpu, trained

from scalestudy.spec.run import Run
from scalestudy.train.clock import StepClock
from scalestudy.train.cuda_clock import clock_for
from scalestudy.train.cuda_graph import USUAL_STEPS
from scalestudy.train.data.batches import EpochBatches
from scalestudy.train.job import build, load_data, make_context
from scalestudy.train.optimizer import make_optimizer
from scalestudy.train.ranks import Rank
from scalestudy.train.strategies.base import Strategy
from scalestudy.train.strategies.make import make_strategy
from scalestudy.train.strategies.serial import HOST_NOTE

pytestmark = needs_gpu
EAGER = {"cuda_graph": False}
ADAM = {"name": "adam", "lr": 0.002}
SGD = {"name": "sgd", "lr": 0.01, "momentum": 0.9}


class Parts:
    """What a run trains with, in this process."""

    def __init__(self, run: Run, dtype: torch.dtype = torch.float32) -> None:
        context = make_context(run, Rank(0, 1, "", one_machine=True), dtype)
        prepared, (self.train, _) = load_data(run, context)
        self.strategy: Strategy = make_strategy(context, build(run, prepared, context)[0])
        self.optimizer = make_optimizer(run.workload.optimizer, self.strategy.parameters(), fused=True)
        self.train.start_epoch(run.seed, 0, IMAGES)
        self.clock: StepClock = clock_for(context.devices, 1)
        self.clock.start_epoch()

    def step(self, number: int) -> torch.Tensor:
        """One step of the loop on a whole batch."""
        self.clock.start_step()
        start = 64 * (number % (IMAGES // 64))
        loss = self.strategy.step(self.optimizer, self.train, start, start + 64, self.clock)
        self.clock.optimizer_done()
        return loss


def test_a_gpu_learns_what_a_cpu_learns(tmp_path: Path) -> None:
    on_cpu = trained(make_run(tmp_path, device="cpu"), tmp_path / "cpu")
    on_gpu = trained(make_run(tmp_path), tmp_path / "gpu")
    assert losses(on_gpu) == pytest.approx(losses(on_cpu), rel=0.03)  # TF32 in convolutions


@pytest.mark.parametrize("optimizer", [ADAM, SGD])
def test_a_graph_trains_as_single_launches_do(tmp_path: Path, optimizer: dict[str, object]) -> None:
    graph = trained(make_run(tmp_path, optimizer=optimizer, warmup_epochs=2.0), tmp_path / "graph")
    eager = trained(make_run(tmp_path, optimizer=optimizer, warmup_epochs=2.0, options=EAGER), tmp_path / "eager")
    assert "CUDA graph" in graph.implementation
    assert "CUDA graph" not in eager.implementation
    assert losses(graph) == pytest.approx(losses(eager), rel=0.01)


def test_a_graph_computes_the_step_in_float64(tmp_path: Path) -> None:
    exact = {"name": "sgd", "lr": 2**-7, "momentum": 0.9}  # the graph reads its rate as float32
    runs = [make_run(tmp_path, options=options, optimizer=exact) for options in ({}, EAGER)]
    graph, eager = (Parts(run, torch.float64) for run in runs)
    for number in range(USUAL_STEPS + 4):
        assert graph.step(number).item() == pytest.approx(eager.step(number).item(), rel=1e-9)
    pairs = zip(graph.strategy.plain.state_dict().values(), eager.strategy.plain.state_dict().values(), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("options", [{}, EAGER])
def test_nothing_in_a_step_waits_for_the_gpu(tmp_path: Path, options: dict[str, bool]) -> None:
    parts = Parts(make_run(tmp_path, options=options))
    for number in range(USUAL_STEPS + 2):  # the capture itself waits
        parts.step(number)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(10):
            parts.step(number)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_phases_add_up_and_are_all_known_without_a_graph(tmp_path: Path) -> None:
    result = trained(make_run(tmp_path, options=EAGER), tmp_path / "eager")
    (row,) = result.phases
    phases = row.model_dump(exclude={"device", "steps", "time_s"})
    assert all(value is not None and value >= 0 for value in phases.values())
    assert sum(phases.values()) == pytest.approx(row.time_s, rel=0.01)
    assert row.time_s == pytest.approx(sum(epoch.time_s for epoch in result.epochs if epoch.timed), rel=0.2)


def test_phases_inside_a_graph_are_not_measured(tmp_path: Path) -> None:
    result = trained(make_run(tmp_path), tmp_path / "graph")
    (row,) = result.phases
    assert row.forward is None
    assert row.time_s > 0
    assert any("CUDA graph" in note for note in result.notes)
    assert "CUDA graph" in result.phases_reason


def test_a_model_that_draws_on_the_host_is_trained_without_a_graph(tmp_path: Path) -> None:
    result = trained(make_run(tmp_path, model={"name": "odd_models:LeavingOut"}, memory_format="contiguous"), tmp_path)
    assert "CUDA graph" not in result.implementation
    assert HOST_NOTE in result.notes
    assert result.phases_reason == ""


def test_batches_are_those_of_the_cpu(tmp_path: Path) -> None:
    parts = [Parts(make_run(tmp_path, device=device), torch.float64) for device in ("cpu", "cuda")]
    (images, labels), (on_gpu, gpu_labels) = (_first(part.train) for part in parts)
    torch.testing.assert_close(on_gpu.cpu(), images)
    assert torch.equal(gpu_labels.cpu(), labels)


def _first(batches: EpochBatches) -> tuple[torch.Tensor, torch.Tensor]:
    return batches.batch(0, 64)
