"""Every strategy computes what serial training computes; the check says so, and says when one does not."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from train_setup import ADAM, SGD, Parts, import_what_ranks_need, make_run, on_ranks

from scalestudy.errors import StudyError
from scalestudy.records.image import MARK, Around
from scalestudy.records.parity import GRADIENT_TOLERANCE, PARAMETER_TOLERANCE, ParityRow
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.config import ReportSpec
from scalestudy.spec.run import Study
from scalestudy.train import parity_check
from scalestudy.train.clock import StepClock
from scalestudy.train.context import Context
from scalestudy.train.data.tensors import load_meta
from scalestudy.train.job import build, make_context
from scalestudy.train.mesh import Mesh
from scalestudy.train.parity import batch_sizes, not_negligible, relative_error, worst_error
from scalestudy.train.parity_check import check_run, check_study, runs_to_check
from scalestudy.train.ranks import Rank
from scalestudy.train.strategies import divided_update
from scalestudy.train.strategies.base import Batches
from scalestudy.train.strategies.data_parallel import CpuDataParallel
from scalestudy.train.strategies.ddp import DDP
from scalestudy.train.strategies.hsdp import HSDP
from scalestudy.train.strategies.hybrid import Hybrid
from scalestudy.train.strategies.serial import Serial

LAYOUTS = [
    ("serial", (1, 1)),
    ("data_parallel", (1, 2)),
    ("data_parallel", (1, 3)),
    ("ddp", (1, 2)),
    ("ddp", (1, 3)),
    ("ddp", (2, 1)),
    ("hybrid", (2, 1)),
    ("hybrid", (2, 2)),
    ("hsdp", (1, 2)),
    ("hsdp", (2, 2)),
]


def check(*arguments: Any, **settings: Any) -> list[ParityRow]:
    import_what_ranks_need()
    return check_run(make_run(*arguments, **settings))


@pytest.mark.parametrize(("strategy", "layout"), LAYOUTS)
@pytest.mark.parametrize("model", ["mnist_cnn", "cifar_cnn"])
def test_every_strategy_passes(strategy: str, layout: tuple[int, int], model: str) -> None:
    rows = check(strategy, layout, model=model)
    references = ["shards"] if model == "cifar_cnn" else ["shards", "full_batch"]
    if strategy == "serial":
        references = ["full_batch"]
    assert [(row.shares, row.reference) for row in rows] == [
        (shares, reference) for shares in ("even", "uneven") for reference in references
    ]
    for row in rows:
        assert row.passed, row
        assert row.steps == 10
        assert row.gradient_error is not None
        assert row.gradient_error <= GRADIENT_TOLERANCE
        assert row.parameter_error is not None
        assert row.parameter_error <= PARAMETER_TOLERANCE


@pytest.mark.parametrize(
    ("model", "optimizer"),
    [("mnist_cnn", ADAM), ("mnist_cnn", SGD), ("cifar_cnn", SGD)],
    ids=["mnist-adam", "mnist-sgd", "cifar-sgd"],
)
@pytest.mark.parametrize(("strategy", "layout"), [LAYOUTS[place] for place in (0, 1, 3, 7, 8)])
def test_every_strategy_passes_with_accumulated_gradients(
    strategy: str, layout: tuple[int, int], model: str, optimizer: dict[str, Any]
) -> None:
    for row in check(strategy, layout, model=model, accumulate=2, optimizer=optimizer):
        assert row.passed, row


@pytest.mark.parametrize("strategy", ["data_parallel", "hybrid", "ddp", "hsdp"])
def test_channels_last_passes(strategy: str) -> None:
    for row in check(strategy, model="cifar_cnn", memory_format="channels_last"):
        assert row.passed, row


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("strategy", ["serial", "data_parallel", "hybrid", "ddp", "hsdp"])
def test_weights_and_what_passes_between_layers_lie_in_the_memory_format_of_the_workload(
    strategy: str, memory_format: str
) -> None:
    run = make_run(strategy, model="cifar_cnn", memory_format=memory_format)

    def work(rank: Rank) -> tuple[set[str], set[str]]:
        parts = Parts(run, rank)
        weights, passed = set(), set()
        for module in parts.strategy.modules():
            for layer in module.modules():
                if isinstance(layer, nn.Conv2d):
                    weights.update(map(layout, parts.strategy.full_tensors([layer.weight])))
                    layer.register_forward_hook(lambda _, images, out: passed.update(map(layout, (*images, out))))
        parts.train.start_epoch(1, 0)
        clock = parts.strategy.host_clock()
        clock.start_epoch()
        clock.start_step()
        parts.strategy.gradients(parts.train, 0, 32, clock)
        return weights, passed

    of_weights = "contiguous" if strategy == "hsdp" else memory_format  # FSDP2 takes no others, as the run notes
    assert on_ranks(work, run.processes) == [({of_weights}, {memory_format})] * run.processes


def layout(tensor: Tensor) -> str:
    if tensor.is_contiguous():
        return "contiguous"
    return "channels_last" if tensor.is_contiguous(memory_format=torch.channels_last) else "another"


@pytest.mark.parametrize("wanted", [True, False])
def test_batch_norm_is_synchronized_where_asked_for(wanted: bool) -> None:
    """Conversion needs no GPU; training does."""
    run = make_run("ddp", model="cifar_cnn", sync_batch_norm=wanted)

    def work(rank: Rank) -> list[bool]:
        context = make_context(run, rank)
        model, _ = build(run, load_meta(Path(run.data_folder)), context)
        norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        return [isinstance(module, nn.SyncBatchNorm) for module in norms]

    assert on_ranks(work, run.processes) == [[wanted] * 3] * 2


def test_an_error_in_a_small_tensor_is_not_hidden_by_a_large_one_and_rounding_in_a_negligible_one_is_no_error() -> None:
    right = [torch.ones(3, dtype=torch.float64) * size for size in (1e3, 1e-2, 1e-17)]
    found = [right[0], right[1] * (1 + 1e-9), right[2] * 2]
    places = not_negligible(right)
    assert places == [0, 1]
    assert relative_error(found, right) < GRADIENT_TOLERANCE / 10
    assert worst_error(found, right, places) == pytest.approx(1e-9, rel=1e-3)
    assert worst_error([*right[:2], found[2]], right, places) < GRADIENT_TOLERANCE


class LateUpdate(Serial):
    """Updates before it has the gradients of this batch."""

    def step(self, optimizer: Optimizer, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        optimizer.step()
        optimizer.zero_grad()
        return self.gradients(batches, start, stop, clock)


class SharedGradient(nn.Module):
    """Autograd gives ``first`` and ``second``, which are only added, the very same gradient tensor."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        size = shape[0] * shape[1] * shape[2]
        self.first = nn.Parameter(torch.randn(classes, size) / size**0.5)
        self.second = nn.Parameter(torch.randn(classes, size) / size**0.5)

    def forward(self, images: Tensor) -> Tensor:
        return functional.linear(images.flatten(1), self.first + self.second)


class PartOfAGradient(nn.Module):
    """Autograd gives ``part`` a part of the memory of the gradient of ``whole``, to which it is only added."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        size = shape[0] * shape[1] * shape[2]
        self.part = nn.Parameter(torch.randn(classes - 1, size) / size**0.5)
        self.whole = nn.Parameter(torch.randn(classes, size) / size**0.5)
        self.register_buffer("row", torch.zeros(1, size))

    def forward(self, images: Tensor) -> Tensor:
        return functional.linear(images.flatten(1), torch.cat([self.row, self.part]) + self.whole)


@pytest.mark.parametrize("strategy", ["data_parallel", "ddp"])
@pytest.mark.parametrize("model", ["SharedGradient", "PartOfAGradient"])
def test_a_model_whose_parameters_share_the_memory_of_gradients_passes(model: str, strategy: str) -> None:
    for row in check(strategy, model=f"test_train_parity:{model}"):
        assert row.passed, row


PARALLEL = [(strategy, layout) for strategy, layout in LAYOUTS if layout in ((1, 2), (2, 1))]
DECAY = SGD | {"weight_decay": 0.1}
"""Moves every parameter that has a gradient, if only one of zeros."""


@pytest.mark.parametrize(("strategy", "layout"), [("data_parallel", (1, 3)), ("hybrid", (2, 2))])
def test_an_update_that_is_divided_passes_and_is_what_trains(
    strategy: str, layout: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divided_update, "WORTH_IT", 0)
    assert all(row.passed for row in check(strategy, layout, optimizer=ADAM))
    monkeypatch.setattr(divided_update.Part, "step", lambda _: None)
    assert not any(row.passed for row in check(strategy, layout, optimizer=ADAM))


@pytest.mark.parametrize(("strategy", "layout"), [("serial", (1, 1)), *PARALLEL])
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("model", ["Dropping", "Normalizing", "Unused", "Frozen", "Transposed", "Tied"])
def test_models_that_are_odd_for_a_strategy_pass(
    model: str, accumulate: int, strategy: str, layout: tuple[int, int]
) -> None:
    rows = check(strategy, layout, model=f"odd_models:{model}", accumulate=accumulate, optimizer=DECAY)
    assert [row.error for row in rows if not row.passed] == []


def test_a_model_that_draws_outside_of_dropout_layers_fails_with_the_reason() -> None:
    rows = check("ddp", model="odd_models:DroppingByFunction")
    assert not any(row.passed for row in rows)
    assert all("draws random numbers outside of dropout layers" in str(row.error) for row in rows)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("mesh", [Mesh(1, 1, 1), Mesh(1, 3, 3)])
def test_a_model_that_needs_two_images_is_given_them_in_shares_that_differ(mesh: Mesh, accumulate: int) -> None:
    for shares in ("even", "uneven"):
        sizes = batch_sizes(mesh, shares, 10_000, least=2 * accumulate)
        assert min(sizes) // mesh.devices >= 2 * accumulate
        assert (len(set(sizes)) > 1) == (shares == "uneven")


def test_a_data_set_too_small_for_what_a_model_needs_is_refused() -> None:
    with pytest.raises(StudyError, match="needs 60 images; found 59"):
        batch_sizes(Mesh(1, 3, 3), "even", 59, least=2)


def test_uneven_steps_have_unequal_shares_and_empty_ones() -> None:
    mesh = Mesh(2, 2, 1)
    sizes = [
        [stop - start for start, stop in (mesh.share(samples, device) for device in range(4))]
        for samples in batch_sizes(mesh, "uneven", 10_000)
    ]
    assert any(max(shares) > min(shares) > 0 for shares in sizes)
    assert any(min(shares) == 0 for shares in sizes)


class EveryRankWeighsTheSame(DDP):
    """Divides by the size of the share instead of that of the batch, the classic mistake with uneven shares."""

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        first, last = self.context.mesh.share(stop - start, self.context.rank)
        images, labels = batches.batch(start + first, start + last) if first < last else batches.batch(start, start + 1)
        functional.cross_entropy(self._wrapped(images), labels).backward()
        return torch.zeros(())


class NodesApart(Hybrid):
    """Skips the all-reduce between nodes, so that every node trains a model of its own."""

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        return self.inner.gradients(batches, start, stop, clock)


class FirstDeviceOnly(CpuDataParallel):
    """Forgets the gradients of all devices but the first."""

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(context, model)
        self._sum.tasks = lambda gradients: [lambda: None for _ in context.devices]  # type: ignore[method-assign]


class OneStepLate(CpuDataParallel):
    """Uses the gradients of the step before, as a pipeline without a wait would."""

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        before = getattr(self, "before", None)
        loss = super().gradients(batches, start, stop, clock)
        self.before = [parameter.grad for parameter in self.parameters()]
        for parameter, gradient in zip(self.parameters(), before or self.before, strict=True):
            parameter.grad = gradient
        return loss


class RoundsToFloat32(DDP):
    """Computes in float32 what should be float64: right to the eye, wrong to the check."""

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        loss = super().gradients(batches, start, stop, clock)
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad.copy_(parameter.grad.float())
        return loss


class NotANumber(HSDP):
    """Gradients that are not finite."""

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        loss = super().gradients(batches, start, stop, clock)
        next(iter(self.parameters())).grad *= float("nan")  # type: ignore[operator]
        return loss


class Raises(DDP):
    """One rank fails while the others wait for it."""

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        if self.context.rank == 1:
            raise ArithmeticError("the strategy is broken")
        return super().gradients(batches, start, stop, clock)


class IsKilled(DDP):
    """One rank is killed, as by the kernel when memory runs out."""

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        if self.context.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().gradients(batches, start, stop, clock)


Break = Callable[[str, type], None]


@pytest.fixture
def implement(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Puts another class behind the name of a strategy."""

    def put(strategy: str, kind: type) -> None:
        facts = replace(STRATEGIES[strategy], implementation=f"{__name__}:{kind.__name__}")
        monkeypatch.setitem(STRATEGIES, strategy, facts)

    return put


@pytest.mark.parametrize(
    ("strategy", "broken", "shares_that_show_it"),
    [
        ("ddp", EveryRankWeighsTheSame, {"uneven"}),
        ("hybrid", NodesApart, {"even", "uneven"}),
        ("data_parallel", FirstDeviceOnly, {"even", "uneven"}),
        ("data_parallel", OneStepLate, {"even", "uneven"}),
        ("ddp", RoundsToFloat32, {"even", "uneven"}),
        ("hsdp", NotANumber, {"even", "uneven"}),
        ("serial", LateUpdate, {"even", "uneven"}),
    ],
)
def test_a_broken_strategy_fails(strategy: str, broken: type, shares_that_show_it: set[str], implement: Break) -> None:
    implement(strategy, broken)
    rows = check(strategy)
    assert {row.shares for row in rows if not row.passed} == shares_that_show_it
    assert all(row.error is None for row in rows)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (Raises, "rank 1 of 2: ArithmeticError: the strategy is broken"),
        (IsKilled, "rank 1 of 2: was killed by SIGKILL"),
    ],
)
def test_a_strategy_that_crashes_fails_with_the_reason(broken: type, reason: str, implement: Break) -> None:
    implement("ddp", broken)
    rows = check("ddp")
    assert [(row.shares, row.passed, row.gradient_error) for row in rows] == [
        ("even", False, None),
        ("uneven", False, None),
    ]
    assert all(row.error is not None and row.error.startswith(reason) for row in rows)


def test_a_study_is_checked_once_per_layout_and_exactly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_what_ranks_need()
    runs = [
        make_run(strategy, seed=seed, precision="bfloat16", compile=True, options=options)
        for seed in (1, 2)
        for strategy, options in (("serial", {}), ("ddp", {"compression": "fp16"}), ("hybrid", {}))
    ]
    study = Study(name="test", runs=runs, accuracy_margin=0.01, report=ReportSpec())
    assert [run.cell.id for run in runs_to_check(study)] == [
        "tiny/strong/serial-1x1",
        "tiny/strong/ddp-1x2",
        "tiny/strong/hybrid-2x1",
        "tiny/strong/hybrid-2x2",
    ]
    monkeypatch.setenv(MARK, Around(engine="apptainer", image_digest="sha256:1").model_dump_json())
    found = check_study(study)
    assert found.provenance is not None
    assert (found.provenance.image_digest, found.provenance.torch) == ("sha256:1", torch.__version__)
    rows = found.rows
    assert all(row.passed for row in rows)
    assert {(row.strategy, row.nodes, row.devices) for row in rows} == {
        ("serial", 1, 1),
        ("ddp", 1, 2),
        ("hybrid", 2, 2),
        ("hybrid", 2, 4),
    }
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", gradients")[0] for line in lines] == [
        "parity 1/4: tiny serial 1x1 ok",
        "parity 2/4: tiny ddp 1x2 ok",
        "parity 3/4: tiny hybrid 2x1 ok",
        "parity 4/4: tiny hybrid 2x2 ok",
    ]


@pytest.mark.parametrize(("built", "counted", "device"), [(True, 2, "cuda"), (True, 1, "cpu"), (False, 2, "cpu")])
def test_gpus_are_counted_without_touching_them(
    built: bool, counted: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranks that are forked from a process that has touched CUDA cannot use it."""
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: built)
    monkeypatch.setattr(parity_check, "count_gpus", lambda: counted)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("this touches them"))
    run = make_run("ddp").model_copy(update={"device": "cuda"})
    assert parity_check._exact(run, 1, 2).device == device


def test_a_model_that_cannot_be_built_ends_the_check_before_anything_is_trained() -> None:
    run = make_run("serial")
    model = run.workload.model.model_copy(update={"name": "torchvision.models:resnet18", "options": {"widht": 8}})
    run = run.model_copy(update={"workload": run.workload.model_copy(update={"model": model})})
    import_what_ranks_need()
    with pytest.raises(StudyError, match=r"workloads\.tiny: .*model\.options.*widht"):
        check_study(Study(name="test", runs=[run], accuracy_margin=0.01))
