"""Data parallelism over the CPU devices of one process: the shared-memory twin of ``nn.DataParallel``.

``nn.DataParallel`` does nothing without GPUs, and says nothing about it. Here every device is a persistent thread bound
to its own cores. All devices read the same parameters, each has its own batch-norm buffers (as the replicas of
DataParallel have), computes forward and ``autograd.grad`` on its share, and gradients are summed in the order of the
devices, so that they are bitwise those of a serial loop over the same shares.
"""

import copy
import math
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from scalestudy.train.processor import pin_thread

Task = Callable[[], Any]
LARGE = 1 << 16
"""Parameters with more elements than this are divided among the devices' threads."""

VECTOR = 16
"""They are divided at multiples of so many elements: between two vectors of the processor, since what computes the last
elements, fewer than a vector, may round otherwise."""


class DeviceThreads:
    """One thread per device; the first is the caller's own. Tasks of one call run side by side."""

    def __init__(self, cores: Sequence[list[int]], threads_per_device: int) -> None:
        self._threads_per_device = threads_per_device
        self._tasks: list[SimpleQueue[Task | None]] = [SimpleQueue() for _ in cores[1:]]
        self._done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(place, own), name=f"device{place}", daemon=True)
            for place, own in enumerate(cores[1:], start=1)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, place: int, cores: list[int]) -> None:
        pin_thread(cores)
        torch.set_num_threads(self._threads_per_device)  # OpenMP keeps it per thread
        queue = self._tasks[place - 1]
        while (task := queue.get()) is not None:
            try:
                self._done.put((place, task(), None))
            except BaseException as error:
                self._done.put((place, None, error))

    def run(self, tasks: Sequence[Task]) -> list[Any]:
        """Run one task per device, the first on the calling thread. Raises what the first failing device raised."""
        for queue, task in zip(self._tasks, tasks[1:], strict=False):
            queue.put(task)
        results: list[Any] = [None] * len(tasks)
        errors: dict[int, BaseException] = {}
        try:
            results[0] = tasks[0]()
        except BaseException as error:
            errors[0] = error
        for _ in tasks[1:]:
            place, results_of, error_of = self._done.get()
            results[place] = results_of
            if error_of is not None:
                errors[place] = error_of
        if errors:
            raise errors[min(errors)]
        return results

    def close(self) -> None:
        """End the threads."""
        for queue in self._tasks:
            queue.put(None)
        for thread in self._threads:
            thread.join()


def replicas_sharing_parameters(model: nn.Module, count: int) -> list[nn.Module]:
    """The model and copies of it that hold the very same parameters but buffers of their own."""
    shared = {id(parameter): parameter for parameter in model.parameters()}
    replicas = [model] + [copy.deepcopy(model, dict(shared)) for _ in range(count - 1)]
    if model._compiled_call_impl is not None:  # which copies lose
        for replica in replicas[1:]:
            replica.compile()
    return replicas


class Rows(NamedTuple):
    """Rows of the parameter at a place: ``length`` from ``first`` on; all of it where ``first`` is None."""

    place: int
    first: int | None
    length: int

    def of(self, tensor: Tensor) -> Tensor:
        """These rows of a tensor of the parameter's shape."""
        return tensor if self.first is None else tensor.narrow(0, self.first, self.length)


def divided(parameters: Sequence[nn.Parameter], devices: int) -> list[list[Rows]]:
    """What each device's thread does of work on all parameters: rows of the large ones, and some small ones whole."""
    shares: list[list[Rows]] = [[] for _ in range(devices)]
    loads = [0] * devices
    for index, parameter in enumerate(parameters):
        rows = parameter.shape[0] if parameter.dim() else 1
        block = VECTOR // math.gcd(parameter.numel() // max(rows, 1), VECTOR)
        if parameter.numel() > LARGE and rows >= devices * block:
            edges = [rows * place // (devices * block) * block for place in range(devices)] + [rows]
            for place in range(devices):
                shares[place].append(Rows(index, edges[place], edges[place + 1] - edges[place]))
                loads[place] += parameter.numel() // devices
        else:
            place = loads.index(min(loads))
            shares[place].append(Rows(index, None, 0))
            loads[place] += parameter.numel()
    return shares


class GradientSum:
    """Sums the devices' gradients in the order of the devices, the work divided among the devices' threads."""

    def __init__(self, shares: Sequence[Sequence[Rows]]) -> None:
        self._shares = shares

    def tasks(self, gradients: Sequence[Sequence[Tensor | None]]) -> list[Task]:
        """One task per thread; after all of them ``gradients[0]`` holds the sums."""
        return [lambda share=share: self._add(share, gradients) for share in self._shares]  # type: ignore[misc]

    @staticmethod
    def _add(share: Sequence[Rows], gradients: Sequence[Sequence[Tensor | None]]) -> None:
        for rows in share:
            total = gradients[0][rows.place]
            if total is None:  # a parameter that the loss does not depend on
                continue
            for other in gradients[1:]:
                term = other[rows.place]
                assert term is not None  # those that some devices lack are zeros
                rows.of(total).add_(rows.of(term))
