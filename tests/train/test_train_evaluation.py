"""Loss and accuracy on the test images."""

import pytest
import torch
from train_setup import LAYOUTS, TEST, Parts, make_run, on_ranks

from scalestudy.train.evaluation import evaluate
from scalestudy.train.job import build
from scalestudy.train.ranks import Rank


@pytest.mark.parametrize(("strategy", "layout"), [*LAYOUTS.items(), ("hybrid", (2, 2)), ("ddp", (1, 3))])
def test_evaluation_is_that_of_a_plain_loop_with_the_first_devices_buffers(
    strategy: str, layout: tuple[int, int]
) -> None:
    run = make_run(strategy, layout, model="cifar_cnn")

    def work(rank: Rank) -> tuple[tuple[float, float], tuple[float, float], bool]:
        parts = Parts(run, rank)
        strategy, test = parts.strategy, parts.test
        parts.train.start_epoch(1, 0)
        clock = strategy.host_clock()
        clock.start_epoch()
        for step in range(3):  # batch-norm buffers of the devices now differ
            clock.start_step()
            strategy.gradients(parts.train, 32 * step, 32 * step + 32, clock)
        found = evaluate(strategy, test, TEST, parts.control)
        plain = build(run, parts.prepared, parts.context)[0]
        values = [
            *strategy.full_tensors(strategy.plain.parameters()),
            *strategy.full_tensors(strategy.plain.buffers()),
        ]
        with torch.no_grad():
            for target, value in zip([*plain.parameters(), *plain.buffers()], values, strict=True):
                target.copy_(value)
            plain.eval()
            images, labels = test.batch(0, TEST)
            outputs = plain(images)
            loss = float(torch.nn.functional.cross_entropy(outputs, labels))
            accuracy = float((outputs.argmax(1) == labels).double().mean())
        of_the_first = dict(strategy.plain.named_buffers())["norm1.running_mean"]
        same = all(
            torch.equal(buffer, of_the_first)
            for module in strategy.modules()
            for name, buffer in module.named_buffers()
            if name == "norm1.running_mean"
        )
        return found, (loss, accuracy), same

    for found, expected, same in on_ranks(work, run.processes):
        assert found[0] == pytest.approx(expected[0], rel=1e-5)
        assert found[1] == pytest.approx(expected[1], abs=1e-12)
        assert same


@pytest.mark.parametrize("strategy", LAYOUTS)
def test_fewer_test_images_than_devices_are_each_counted_once(strategy: str) -> None:
    run = make_run(strategy)

    def work(rank: Rank) -> tuple[float, float]:
        parts = Parts(run, rank)
        return evaluate(parts.strategy, parts.test, 1, parts.control)

    everywhere = on_ranks(work, run.processes)
    assert len(set(everywhere)) == 1
    loss, accuracy = everywhere[0]
    assert loss > 0
    assert accuracy in (0.0, 1.0)
