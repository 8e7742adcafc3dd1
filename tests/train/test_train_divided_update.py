"""An update that is divided among threads is the optimizer's own, bit for bit."""

from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from scalestudy.train.strategies.divided_update import DividedUpdate
from scalestudy.train.strategies.threads import DeviceThreads, divided

LARGE, ODD, SMALL = (129, 9001), (64, 33, 5, 5), (127,)


@pytest.fixture
def threads() -> Iterator[DeviceThreads]:
    made = DeviceThreads([[0], [0], [0]], 1)
    yield made
    made.close()


def parameters() -> list[nn.Parameter]:
    draw = torch.Generator().manual_seed(1)
    made = [nn.Parameter(torch.randn(*shape, generator=draw)) for shape in (LARGE, SMALL, ODD)]
    made[2].data = made[2].data.to(memory_format=torch.channels_last)
    return made


class Pair:
    """The same parameters under an optimizer as it is, and under one whose step is divided among three threads."""

    def __init__(self, threads: DeviceThreads, kind: type[Optimizer], **options: float) -> None:
        self.plain, self.own = parameters(), parameters()
        self.kind, self.options = kind, options
        self.optimizers = [kind(one, lr=0.1, fused=True, **options) for one in (self.plain, self.own)]  # type: ignore[call-arg]
        self.update = DividedUpdate(self.own, divided(self.own, 3), threads)
        self.draw = torch.Generator().manual_seed(2)

    def step(self, lacking: Sequence[int] = ()) -> None:
        """One step with random gradients; the parameters at some places have none."""
        for place, (plain, own) in enumerate(zip(self.plain, self.own, strict=True)):
            gradient = torch.empty_like(plain).copy_(torch.randn(plain.shape, generator=self.draw))
            plain.grad, own.grad = (None, None) if place in lacking else (gradient, gradient.clone())
        self.optimizers[0].step()
        self.update.step(self.optimizers[1])

    def assert_equal(self) -> None:
        """Parameters, and what a checkpoint would hold."""
        assert all(torch.equal(plain, own) for plain, own in zip(self.plain, self.own, strict=True))
        plain, own = (optimizer.state_dict()["state"] for optimizer in self.optimizers)
        assert plain.keys() == own.keys()
        for place, state in plain.items():
            assert all(torch.equal(value, own[place][name]) for name, value in state.items())


@pytest.fixture(params=[(Adam, {"weight_decay": 0.01}), (SGD, {"momentum": 0.9}), (SGD, {})])
def pair(request: pytest.FixtureRequest, threads: DeviceThreads) -> Pair:
    kind, options = request.param
    return Pair(threads, kind, **options)


def test_it_gives_the_same_bits_at_changing_learning_rates(pair: Pair) -> None:
    for rate in (0.1, 0.1, 0.05):
        for optimizer in pair.optimizers:
            optimizer.param_groups[0]["lr"] = rate
        pair.step()
        pair.assert_equal()
    assert bool(pair.update._parts) == bool(pair.optimizers[1].state)


def test_it_gives_the_same_bits_when_some_parameters_have_no_gradient_for_a_while(threads: DeviceThreads) -> None:
    pair = Pair(threads, Adam)  # torch's own fused SGD fails then
    for lacking in ((0,), (), (2,), (1, 2), ()):
        pair.step(lacking)
        pair.assert_equal()


def test_it_goes_on_with_a_state_that_was_loaded(pair: Pair) -> None:
    pair.step()
    pair.step()
    saved = pair.optimizers[1].state_dict()
    pair.optimizers[1].load_state_dict(saved)
    pair.step()
    pair.assert_equal()


def test_a_thread_that_has_no_rows_has_nothing_to_do(threads: DeviceThreads) -> None:
    narrow = [nn.Parameter(torch.ones(10, 110_001)), nn.Parameter(torch.ones(10))]  # 10 rows are too few for three
    update = DividedUpdate(narrow, divided(narrow, 3), threads)
    optimizer = Adam(narrow, fused=True)
    for _ in range(2):
        for own in narrow:
            own.grad = torch.ones_like(own)
        update.step(optimizer)
    assert len(update._parts) == 2
    assert [own.max().item() < 1 for own in narrow] == [True, True]


def test_no_gradient_outlives_its_step(threads: DeviceThreads) -> None:
    pair = Pair(threads, Adam)
    pair.step()
    pair.step()
    assert {own.grad for part in pair.update._parts for own in part._own} == {None}


def test_parameters_whose_rows_are_no_blocks_of_memory_are_updated_whole(threads: DeviceThreads) -> None:
    turned = nn.Parameter(torch.randn(1200, 1000).t())
    update = DividedUpdate([turned], divided([turned], 3), threads)
    optimizer = Adam([turned], fused=True)
    for _ in range(2):
        turned.grad = torch.ones(1200, 1000).t()
        update.step(optimizer)
    assert not update._parts
