"""What every strategy must do alike: learn the same, count every sample once, repeat exactly."""

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from needed import need
from torch import Tensor, nn
from train_setup import LAYOUTS, TRAIN, Parts, learned, make_run, on_ranks, trained

from scalestudy.records.result import Result
from scalestudy.train.clock import StepClock
from scalestudy.train.evaluation import evaluate
from scalestudy.train.job import load_data, make_context
from scalestudy.train.mesh import Mesh
from scalestudy.train.optimizer import LearningRate
from scalestudy.train.parity import trace_reference
from scalestudy.train.ranks import Rank
from scalestudy.train.strategies.data_parallel import InBfloat16
from scalestudy.train.strategies.device_threads import RANDOM_NOTE

PARALLEL = [strategy for strategy in LAYOUTS if strategy != "serial"]


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return trained(make_run("serial"), tmp_path_factory.mktemp("serial"))


@pytest.mark.parametrize("strategy", LAYOUTS)
def test_the_same_seed_repeats_exactly_and_another_differs(strategy: str, tmp_path: Path) -> None:
    results = [
        trained(make_run(strategy, model="cifar_cnn", seed=seed), tmp_path / name)
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    ]
    digests = [result.weights_sha256 for result in results]
    assert digests[0] == digests[1] != digests[2]
    assert learned(results[0]) == learned(results[1]) != learned(results[2])


@pytest.mark.parametrize(("strategy", "layout"), [("data_parallel", (1, 2)), ("hybrid", (2, 2))])
def test_dropout_repeats_exactly_although_devices_are_threads(
    strategy: str, layout: tuple[int, int], tmp_path: Path
) -> None:
    run = make_run(strategy, layout, model="odd_models:DroppingAtAnyTime", epochs=1)
    first, again = (trained(run, tmp_path / name) for name in ("first", "again"))
    assert first.weights_sha256 == again.weights_sha256
    assert RANDOM_NOTE not in first.notes


def test_a_run_whose_random_numbers_have_no_order_says_so(tmp_path: Path) -> None:
    model = "odd_models:DroppingByFunction"
    assert RANDOM_NOTE in trained(make_run("data_parallel", model=model, epochs=1), tmp_path / "threads").notes
    assert RANDOM_NOTE not in trained(make_run("ddp", model=model, epochs=1), tmp_path / "ranks").notes


@pytest.mark.parametrize("strategy", PARALLEL)
def test_strong_scaling_has_the_loss_curve_of_serial(strategy: str, serial: Result, tmp_path: Path) -> None:
    result = trained(make_run(strategy), tmp_path)
    for epoch, base in zip(result.epochs, serial.epochs, strict=True):
        assert epoch.train_loss == pytest.approx(base.train_loss, rel=1e-5)
        assert epoch.test_loss == pytest.approx(base.test_loss, rel=1e-5)
        assert epoch.test_accuracy == base.test_accuracy
        assert (epoch.images, epoch.steps) == (TRAIN, 11)


@pytest.mark.parametrize(
    ("scaling", "workload", "images", "steps"),
    [("epoch", {}, TRAIN, 6), ("weak", {"weak_samples": 70}, 140, 3), ("strong", {}, TRAIN, 11)],
)
def test_scalings_have_their_own_number_of_steps(
    scaling: str, workload: dict[str, Any], images: int, steps: int, tmp_path: Path
) -> None:
    result = trained(make_run("data_parallel", scaling=scaling, epochs=1, **workload), tmp_path)
    assert [(epoch.images, epoch.steps) for epoch in result.epochs] == [(images, steps)]


class CountingBatches:
    """Batches that remember which positions were asked for."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.positions: list[int] = []

    def batch(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        self.positions.extend(range(start, stop))
        return self.parts.train.batch(start, stop)


@pytest.mark.parametrize(("strategy", "layout"), [*LAYOUTS.items(), ("ddp", (1, 3)), ("hybrid", (2, 2))])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_uneven_batches_count_every_sample_once(strategy: str, layout: tuple[int, int], accumulate: int) -> None:
    run = make_run(strategy, layout, batch_size=32, accumulate=accumulate)
    samples = 32 * 2 + 7  # the last batch is neither full nor even

    def work(rank: Rank) -> tuple[float, list[int]]:
        parts = Parts(run, rank)
        parts.train.start_epoch(1, 0, samples)
        batches, clock = CountingBatches(parts), parts.strategy.host_clock()
        clock.start_epoch()
        total = 0.0
        for start in (0, 32, 64):
            clock.start_step()
            total += float(parts.strategy.gradients(batches, start, min(start + 32, samples), clock))
        return total, batches.positions

    everywhere = on_ranks(work, run.processes)
    asked = Counter(position for _, positions in everywhere for position in positions)
    twice = asked - Counter(range(samples))
    assert set(asked) == set(range(samples))
    assert set(twice) <= {64, 65}  # what ranks without a share compute and do not count
    (whole,) = on_ranks(lambda rank: loss_of(rank, samples), 1)
    assert sum(total for total, _ in everywhere) == pytest.approx(whole, rel=1e-5)


def loss_of(rank: Rank, samples: int) -> float:
    parts = Parts(make_run("serial"), rank)
    parts.train.start_epoch(1, 0, samples)
    images, labels = parts.train.batch(0, samples)
    with torch.no_grad():
        return float(torch.nn.functional.cross_entropy(parts.model(images), labels, reduction="sum"))


@pytest.mark.parametrize("model", ["mnist_cnn", "cifar_cnn"])
def test_gradients_of_the_threaded_twin_are_bitwise_those_of_a_loop_over_the_shares(model: str) -> None:
    run = make_run("data_parallel", (1, 3), model=model)

    def work(rank: Rank) -> bool:
        parts = Parts(run, rank)
        parts.train.start_epoch(1, 0)
        plain = Parts(run, rank).model
        expected = trace_reference(run, plain, parts.train, Mesh(1, 3, 3), [31], "shards").gradients[0]
        clock = StepClock(3)
        clock.start_epoch()
        clock.start_step()
        parts.strategy.gradients(parts.train, 0, 31, clock)
        found = [parameter.grad for parameter in parts.strategy.parameters()]
        # The loop divides each sum of losses, the twin multiplies it: the same factor, once rounded.
        return all(
            torch.allclose(gradient, right, rtol=2e-6, atol=1e-9)
            for gradient, right in zip(found, expected, strict=True)
            if gradient is not None
        ) and serial_shards(parts) == digest(found)

    assert on_ranks(work, 1) == [True]


def serial_shards(parts: Parts) -> list[bytes]:
    """The gradients of the three shares one after the other on one thread, summed in their order."""
    from scalestudy.train.parity import _replica

    sums: list[Tensor] = []
    fresh = Parts(parts.run, Rank(0, 1, "", one_machine=True)).model
    for number in range(3):
        first, last = parts.context.mesh.share(31, number)
        images, labels = parts.train.batch(first, last)
        replica = _replica(fresh)
        loss = torch.nn.functional.cross_entropy(replica(images), labels, reduction="sum") * (1.0 / 31)
        gradients = torch.autograd.grad(loss, list(replica.parameters()))
        sums = list(gradients) if not sums else [total + one for total, one in zip(sums, gradients, strict=True)]
    return digest(sums)


def digest(tensors: list[Any]) -> list[bytes]:
    return [tensor.detach().contiguous().numpy().tobytes() for tensor in tensors]


@pytest.mark.parametrize(("rule", "factor"), [("none", 1.0), ("linear", 4.0), ("sqrt", 2.0)])
def test_the_learning_rate_follows_the_global_batch_and_warms_up(rule: str, factor: float) -> None:
    run = make_run("ddp", (1, 4), scaling="epoch", lr_scaling=rule, warmup_epochs=0.5)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    rate = LearningRate(run, optimizer, steps_per_epoch=8)
    peak = 0.002 * factor
    assert [rate.at(step) for step in range(6)] == pytest.approx([peak / 4, peak / 2, 3 * peak / 4, peak, peak, peak])
    rate.set(1)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(peak / 2)


@pytest.mark.parametrize("strategy", LAYOUTS)
def test_bfloat16_trains(strategy: str, tmp_path: Path) -> None:
    result = trained(make_run(strategy, precision="bfloat16", model="cifar_cnn"), tmp_path)
    assert result.epochs[-1].train_loss < 0.6 * result.epochs[0].train_loss
    assert result.epochs[-1].test_accuracy > 0.6


def test_augmentation_changes_the_training_images_and_not_the_test_images() -> None:
    plain, augmented = (make_run(data={"augment": augment}) for augment in ("none", "crop_flip"))

    def work(rank: Rank) -> tuple[bool, bool]:
        (train, test), (cropped, same) = (load_data(run, make_context(run, rank))[1] for run in (plain, augmented))
        for batches in (train, cropped):
            batches.start_epoch(1, 0)
        return torch.equal(train.batch(0, 32)[0], cropped.batch(0, 32)[0]), torch.equal(
            test.batch(0, 32)[0], same.batch(0, 32)[0]
        )

    assert on_ranks(work, 1) == [(False, True)]


@pytest.mark.parametrize("strategy", LAYOUTS)
@pytest.mark.parametrize(("precision", "computes_in"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_every_device_trains_and_evaluates_in_the_precision_of_the_workload(
    strategy: str, precision: str, computes_in: torch.dtype
) -> None:
    run = make_run(strategy, precision=precision)

    def work(rank: Rank) -> list[set[torch.dtype]]:
        parts = Parts(run, rank)
        seen: list[set[torch.dtype]] = []
        for module in {*parts.strategy.modules(), *parts.strategy.evaluation_modules()}:
            for layer in module.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    layer.register_forward_hook(lambda *arguments: seen[-1].add(arguments[-1].dtype))
        seen.append(set())
        parts.train.start_epoch(1, 0)
        clock = parts.strategy.host_clock()
        clock.start_epoch()
        clock.start_step()
        parts.strategy.gradients(parts.train, 0, 32, clock)
        seen.append(set())
        evaluate(parts.strategy, parts.test, len(parts.test), parts.control)
        return seen

    assert on_ranks(work, run.processes) == [[{computes_in}, {computes_in}]] * run.processes


def test_a_thread_of_data_parallel_on_gpus_computes_in_bfloat16_whatever_autocast_it_inherits() -> None:
    """Torch's own enters autocast there without a type, which is float16 on GPUs."""
    model = InBfloat16(nn.Linear(2, 2))

    def work() -> torch.dtype:
        with torch.autocast("cpu", dtype=torch.float16):
            return model(torch.ones(1, 2)).dtype

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(work).result() == torch.bfloat16


class Linear(nn.Sequential):
    """As little as can be compiled."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))


@pytest.mark.parametrize("strategy", LAYOUTS)
def test_a_compiled_model_trains_as_the_plain_one(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))  # nothing that was compiled before
    need(shutil.which("c++") is not None, "torch.compile needs a C++ compiler, such as Debian's g++")
    data = {"test": 30}
    plain, compiled = (
        trained(
            make_run(strategy, model=f"{__name__}:Linear", compile=wanted, epochs=1, batch_size=30, data=data),
            tmp_path / str(wanted),
        )
        for wanted in (False, True)
    )
    assert compiled.startup is not None
    assert compiled.startup.warm_up_s > compiled.epochs[0].time_s
    assert learned(compiled)[0] == pytest.approx(learned(plain)[0], rel=1e-4)
