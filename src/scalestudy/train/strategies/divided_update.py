"""The update of the parameters, divided among the threads of a process's CPU devices.

One core cannot move 77 MB, as Adam does for the 2.8 million parameters of the MNIST CNN, as fast as two. Adam and SGD
compute each element from its own gradient and state, so that it makes no difference who computes it.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from scalestudy.train.strategies.threads import DeviceThreads, Rows

WORTH_IT = 1 << 20
"""Elements from which on dividing the update pays. That of the CIFAR CNN (0.3 million) took longer when divided."""


class DividedUpdate:
    """Steps of an optimizer over these parameters, by threads that each have some rows of them."""

    def __init__(
        self, parameters: Sequence[nn.Parameter], shares: Sequence[Sequence[Rows]], threads: DeviceThreads
    ) -> None:
        self._parameters, self._shares, self._threads = parameters, shares, threads
        self._worth_it = len(shares) > 1 and sum(parameter.numel() for parameter in parameters) >= WORTH_IT
        # Fused optimizers run through memory: rows must be blocks of it.
        self._worth_it &= all(own.stride(0) == max(own.stride()) for own in parameters if own.dim())
        self._parts: list[Part] = []
        self._state: object = None

    def step(self, optimizer: Optimizer) -> None:
        """Update all parameters that have gradients. Undivided while one of them has no state, which that makes: SGD
        without momentum never has any, and moves little.
        """
        trained = (parameter for parameter in self._parameters if parameter.grad is not None)
        if not self._worth_it or any(parameter not in optimizer.state for parameter in trained):
            optimizer.step()
            self._parts = []
            return
        if not self._parts or self._state is not optimizer.state:  # another one where a checkpoint was loaded
            self._parts = [Part(optimizer, self._parameters, share) for share in self._shares if share]
            self._state = optimizer.state
        self._threads.run([part.step for part in self._parts])


class Part:
    """A thread's rows of the parameters under an optimizer of their own, in the same memory, the state's too."""

    def __init__(self, whole: Optimizer, parameters: Sequence[nn.Parameter], share: Sequence[Rows]) -> None:
        self._whole = whole
        self._rows = [(rows, parameters[rows.place]) for rows in share]
        self._own = [nn.Parameter(rows.of(parameter.detach())) for rows, parameter in self._rows]
        self._optimizer = type(whole)(self._own, **whole.defaults)
        for own, (rows, parameter) in zip(self._own, self._rows, strict=True):
            if state := whole.state.get(parameter):
                self._optimizer.state[own] = {key: _part(value, parameter, rows) for key, value in state.items()}

    def step(self) -> None:
        """Update these rows, at the learning rate of the whole."""
        for own, (rows, parameter) in zip(self._own, self._rows, strict=True):
            own.grad = None if parameter.grad is None else rows.of(parameter.grad)
        self._optimizer.param_groups[0]["lr"] = self._whole.param_groups[0]["lr"]
        self._optimizer.step()
        self._optimizer.zero_grad()  # views keep what they are of


def _part(value: object, parameter: nn.Parameter, rows: Rows) -> object:
    """Of a state like the parameter the rows; a count of steps is the whole's for the first rows, a copy for others."""
    if not isinstance(value, Tensor):
        return value
    if value.shape == parameter.shape:
        return rows.of(value)
    return value.clone() if rows.first else value
