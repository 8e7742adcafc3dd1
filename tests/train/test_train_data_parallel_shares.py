"""How nn.DataParallel shares a batch out, as far as that can be seen without GPUs."""

import torch
from torch import Tensor, nn
from train_setup import Parts, make_run, on_ranks

from scalestudy.train.ranks import Rank
from scalestudy.train.strategies.base import split
from scalestudy.train.strategies.data_parallel import DataParallelInShares, GpuDataParallel, pieces_of_devices

CPU = torch.device("cpu")


def test_a_batch_is_scattered_in_the_shares_that_are_asked_for_and_empty_ones_are_left_out() -> None:
    wrapped = DataParallelInShares(nn.Identity())
    images = torch.arange(14.0).reshape(14, 1)
    wrapped.shares = [4, 4, 3, 3]  # torch would make it 4, 4, 4, 2
    scattered, words = wrapped.scatter((images,), {}, [CPU] * 4)
    assert [len(piece) for (piece,) in scattered] == [4, 4, 3, 3]
    assert torch.equal(torch.cat([piece for (piece,) in scattered]), images)
    assert words == [{}] * 4
    wrapped.shares = [1, 1, 0, 0]
    scattered, words = wrapped.scatter((images[:2],), {}, [CPU] * 4)
    assert [len(piece) for (piece,) in scattered] == [1, 1]
    assert words == [{}] * 2


def test_every_pass_takes_a_piece_of_each_device_own_share() -> None:
    shares = [(0, 3), (3, 6), (6, 8), (8, 9)]
    passes = pieces_of_devices(shares, 3)
    assert passes == [
        [(0, 1), (3, 4), (6, 7), (8, 9)],
        [(1, 2), (4, 5), (7, 8), (9, 9)],
        [(2, 3), (5, 6), (8, 8), (9, 9)],
    ]
    for device, share in enumerate(shares):
        own = [pieces[device] for pieces in passes if pieces[device][0] < pieces[device][1]]
        assert own == split(*share, 3)
    assert pieces_of_devices(shares, 1) == [shares]
    assert pieces_of_devices([(0, 0), (0, 0)], 2) == []


def test_passes_hand_over_the_images_of_these_pieces_in_the_order_of_the_devices() -> None:
    run = make_run("data_parallel", (1, 3), accumulate=2)

    def work(rank: Rank) -> tuple[list[list[int]], list[list[int]], float]:
        parts = Parts(run, rank)
        strategy = GpuDataParallel(parts.context, parts.model)  # without GPUs it calls the model itself
        parts.train.start_epoch(1, 0)
        shares, images = [], []
        whole = parts.train.batch(0, 13)[0]

        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            shares.append(list(strategy._wrapped.shares))
            images.append([int((whole == image).flatten(1).all(dim=1).nonzero()) for image in inputs[0]])

        strategy._wrapped.register_forward_pre_hook(note)
        clock = strategy.host_clock()
        clock.start_epoch()
        clock.start_step()
        loss = strategy.gradients(parts.train, 0, 13, clock)
        return shares, images, float(loss)

    ((shares, images, loss),) = on_ranks(work, 1)
    assert shares == [[2, 2, 2], [3, 2, 2]]
    assert images == [[0, 1, 5, 6, 9, 10], [2, 3, 4, 7, 8, 11, 12]]
    assert loss > 0
