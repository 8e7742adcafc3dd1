"""How nn.DataParallel shares a batch out, as far as that can be seen without GPUs."""

import torch
from torch import nn

from scalestudy.train.strategies.data_parallel import DataParallelInShares

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
