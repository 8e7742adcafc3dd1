"""From a strategy's name to the strategy."""

from importlib import import_module

from torch import nn

from scalestudy.spec.catalog import STRATEGIES
from scalestudy.train.context import Context
from scalestudy.train.strategies.base import Strategy


def make_strategy(context: Context, model: nn.Module) -> Strategy:
    """The strategy of the run, applied to the model. All ranks call it together."""
    module, _, name = STRATEGIES[context.run.cell.strategy].implementation.partition(":")
    strategy = getattr(import_module(module), name)(context, model)
    assert isinstance(strategy, Strategy)
    return strategy
