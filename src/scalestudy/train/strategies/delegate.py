"""A strategy around another one."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from scalestudy.train.strategies.base import Strategy


class Delegate(Strategy):
    """Passes on what it does not change to the strategy inside."""

    def __init__(self, inner: Strategy) -> None:
        super().__init__(inner.context, inner.plain)
        self.inner = inner

    def parameters(self) -> list[nn.Parameter]:
        """Those of the inner strategy."""
        return self.inner.parameters()

    def update(self, optimizer: Optimizer) -> None:
        """As the inner strategy does."""
        self.inner.update(optimizer)

    def modules(self) -> list[nn.Module]:
        """Those of the inner strategy."""
        return self.inner.modules()

    def evaluation_modules(self) -> list[nn.Module]:
        """Those of the inner strategy."""
        return self.inner.evaluation_modules()

    def each_device(self, work: Iterable[Any]) -> Iterator[Any]:
        """As the inner strategy does."""
        return self.inner.each_device(work)

    def full_tensors(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """As the inner strategy does."""
        return self.inner.full_tensors(tensors)

    def close(self) -> None:
        """Close the inner strategy."""
        self.inner.close()
