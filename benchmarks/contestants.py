"""The loops that are compared. Each function loads what one process needs and returns its blocks of steps by name."""

import atexit
import copy
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from pairs import Block, Build
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.optim import SGD, Adam, Optimizer
from workloads import keep, restore

from scalestudy.records.events import EventLog
from scalestudy.records.result import Part
from scalestudy.spec.run import Run
from scalestudy.train.checkpoint import Checkpoints
from scalestudy.train.clock import DeviceClock, StepClock
from scalestudy.train.control import Control, join_process_group
from scalestudy.train.data.tensors import load_meta, load_split
from scalestudy.train.job import build, load_data, make_context
from scalestudy.train.loop import Progress, Trainer
from scalestudy.train.optimizer import make_optimizer
from scalestudy.train.processor import keep_freed_memory
from scalestudy.train.progress import ProgressLine
from scalestudy.train.ranks import Rank
from scalestudy.train.shared_memory import SharedMemoryReducer, average_in_shared_memory
from scalestudy.train.stopping import StopRequest
from scalestudy.train.strategies.make import make_strategy

T = TypeVar("T")
ALONE = Rank(0, 1, "", one_machine=True)


def make_trainer(run: Run, rank: Rank) -> Trainer:
    """The trainer of a run, assembled as train/job.py does."""
    keep_freed_memory()
    context = make_context(run, rank)
    prepared, (train, test) = load_data(run, context)
    control = Control(rank.ranks)
    if rank.ranks > 1 and not dist.is_initialized():
        join_process_group(rank.rank, rank.ranks, context.device, rank.init_method)
    model, _ = build(run, prepared, context)
    strategy = make_strategy(context, model)
    optimizer = make_optimizer(run.workload.optimizer, strategy.parameters(), strategy.fused_optimizer)
    folder = Path(tempfile.mkdtemp(prefix="scalestudy-benchmark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Trainer(
        strategy=strategy,
        optimizer=optimizer,
        train=train,
        test=test,
        test_images=len(test),
        samples=run.train_samples or prepared.train,
        control=control,
        stop=StopRequest(control),
        checkpoints=Checkpoints(folder, run.digest, rank.rank, control),
        log=EventLog(folder / f"rank{rank.rank}.jsonl"),
        line=ProgressLine("", 1, quiet=True),
        progress=Progress(),
        one_machine=True,
        began=monotonic(),
        part=Part(started="", time_s=0.0),
    )


def epoch_of(trainer: Trainer) -> float:
    """One epoch as a study runs it; its seconds as a study records them."""
    trainer.progress.epoch = trainer.run.workload.epochs - 1
    trainer.run_to_end()
    return float(trainer.progress.epochs[-1]["time_s"])


def plain_epoch(
    module: nn.Module,
    optimizer: Optimizer,
    steps: int,
    batch: Callable[[int], tuple[Tensor, Tensor]],
    control: Control,
) -> float:
    """The best plain loop: no clock, no strategy, nothing but the step. ``batch(step)`` gives its images and labels."""
    total = torch.zeros((), dtype=torch.float64)
    control.barrier()
    begin = perf_counter()
    for step in range(steps):
        optimizer.zero_grad()
        images, labels = batch(step)
        loss = functional.cross_entropy(module(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach()
    control.barrier()
    return perf_counter() - begin


class SilentClock(StepClock):
    """Takes no times."""

    measures_phases = False

    def __init__(self, devices: int) -> None:
        super().__init__(devices)
        self.devices = [SilentDeviceClock(self.now, self.times) for _ in range(devices)]

    def now(self) -> int:
        """No moment."""
        return 0

    def start_step(self) -> None:
        """Nothing."""

    def optimizer_done(self) -> None:
        """Nothing."""

    def end_epoch(self) -> None:
        """Nothing."""

    def met(self, arrived: int, left: int) -> None:
        """Nothing."""


class SilentDeviceClock(DeviceClock):
    """Takes no times."""

    def start_step(self, now: int) -> None:
        """Nothing."""

    def lap(self, phase: int, now: int | None = None) -> int:  # noqa: ARG002
        """Nothing."""
        return 0


def silenced(trainer: Trainer) -> Trainer:
    """The same trainer with its timers off."""
    silent = copy.copy(trainer)
    silent.clock = SilentClock(len(trainer.clock.devices))
    return silent


def without_marks(trainer: Trainer) -> Trainer:
    """A trainer that nobody else uses with its timers off, and without what tells them of the last gradient."""
    trainer.strategy.not_apart = "timers are off"
    return silenced(trainer)


def from_start(model: nn.Module, block: Callable[[], T]) -> Callable[[], T]:
    """The block, starting from the same weights every time."""
    state = [*model.parameters(), *model.buffers()]
    kept = keep(state)

    def work() -> T:
        restore(state, kept)
        return block()

    return work


def one_device(run: Run) -> Build:
    """``trainer``, ``silent`` (its timers off), ``plain``, and ``fixed`` (plain, with one batch for ever)."""

    def load() -> dict[str, Block]:
        trainer = make_trainer(run, ALONE)
        silent = silenced(trainer)
        model, batches, size = trainer.strategy.plain, trainer.train, run.global_batch
        batches.start_epoch(run.seed, 0, trainer.samples)
        fixed = batches.batch(0, size)

        def plain(batch: Callable[[int], tuple[Tensor, Tensor]]) -> Block:
            return lambda: plain_epoch(model, trainer.optimizer, trainer.steps, batch, trainer.control)

        blocks: dict[str, Block] = {
            "trainer": lambda: epoch_of(trainer),
            "silent": lambda: epoch_of(silent),
            "plain": plain(lambda step: batches.batch(step * size, (step + 1) * size)),
            "fixed": plain(lambda _: fixed),
        }
        return {name: from_start(model, block) for name, block in blocks.items()}

    return load


def device_threads(run: Run) -> Build:
    """``trainer`` over several devices of one process, and ``silent`` (its timers off)."""

    def load() -> dict[str, Block]:
        trainer = make_trainer(run, ALONE)
        silent = silenced(trainer)
        model = trainer.strategy.plain
        blocks: dict[str, Block] = {"trainer": lambda: epoch_of(trainer), "silent": lambda: epoch_of(silent)}
        return {name: from_start(model, block) for name, block in blocks.items()}

    return load


def one_rank(run: Run, rank: Rank) -> Build:
    """``trainer`` with DDP, ``silent`` (its timers off), and ``bare``: DDP with that communication in a plain loop."""

    def load() -> dict[str, Block]:
        trainer, silent = make_trainer(run, rank), without_marks(make_trainer(run, rank))
        context, batches = trainer.strategy.context, trainer.train
        model = copy.deepcopy(trainer.strategy.plain)
        bare = DistributedDataParallel(
            model, forward_sync_buffers=False, gradient_as_bucket_view=True, static_graph=True
        )
        if "shared_memory" in trainer.strategy.implementation:
            reducer = SharedMemoryReducer(bare)
            bare.register_comm_hook(reducer, average_in_shared_memory)
        optimizer = make_optimizer(run.workload.optimizer, list(model.parameters()), fused=True)
        batches.start_epoch(run.seed, 0, trainer.samples)
        size, (first, last) = run.global_batch, context.mesh.share(run.global_batch, rank.rank)

        def batch(step: int) -> tuple[Tensor, Tensor]:
            return batches.batch(step * size + first, step * size + last)

        return {
            "trainer": from_start(trainer.strategy.plain, lambda: epoch_of(trainer)),
            "silent": from_start(silent.strategy.plain, lambda: epoch_of(silent)),
            "bare": from_start(model, lambda: plain_epoch(bare, optimizer, trainer.steps, batch, trainer.control)),
        }

    return load


def course_style(run: Run) -> Build:
    """``course``: a PIL image per sample, torchvision transforms, DataLoader, and every default of torch."""

    def load() -> dict[str, Block]:
        from torch.utils.data import DataLoader

        context = make_context(run, ALONE)
        torch.backends.cudnn.benchmark = False
        finish: Callable[[], object] = torch.cuda.synchronize if context.device.type == "cuda" else lambda: None
        meta = load_meta(Path(run.data_folder))
        images = PilImages(run, meta.mean, meta.std)
        loader: DataLoader[Any] = DataLoader(images, batch_size=run.global_batch, shuffle=True)
        plain = run.model_copy(update={"workload": run.workload.model_copy(update={"memory_format": "contiguous"})})
        model, _ = build(plain, meta, context)
        criterion, optimizer = nn.CrossEntropyLoss(), default_optimizer(run, model)

        def epoch() -> float:
            finish()
            begin = perf_counter()
            model.train()
            running, right = 0.0, 0
            for batch, labels in loader:
                inputs, targets = batch.to(context.device), labels.to(context.device)
                optimizer.zero_grad()
                outputs = model(inputs)
                loss = criterion(outputs, targets)
                loss.backward()
                optimizer.step()
                running += loss.item()
                right += int((outputs.argmax(1) == targets).sum().item())
            finish()
            return perf_counter() - begin

        return {"course": from_start(model, epoch)}

    return load


def default_optimizer(run: Run, model: nn.Module) -> Optimizer:
    """Unfused, as torch makes it."""
    spec = run.workload.optimizer
    if spec.name == "adam":
        return Adam(model.parameters(), lr=spec.lr)
    return SGD(model.parameters(), lr=spec.lr, momentum=spec.momentum)


class PilImages(torch.utils.data.Dataset[Any]):
    """What torchvision's CIFAR10 and MNIST classes do with a sample."""

    def __init__(self, run: Run, mean: list[float], std: list[float]) -> None:
        from torchvision import transforms

        split = load_split(Path(run.data_folder), "train", run.workload.data.train)
        self._images = split.images.permute(0, 2, 3, 1).squeeze(3).contiguous().numpy()
        self._labels = split.labels.tolist()
        augment = run.workload.data.augment == "crop_flip"
        drawn = [transforms.RandomCrop(split.images.shape[2], padding=4), transforms.RandomHorizontalFlip()]
        self._transform = transforms.Compose(
            [*(drawn if augment else []), transforms.ToTensor(), transforms.Normalize(mean, std)]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from PIL import Image

        return self._transform(Image.fromarray(self._images[index])), self._labels[index]
