"""How far two pictures of a page are apart, and how far they may be."""

import numpy as np

ALLOWED = 2.0
"""Mean difference of gray levels (of 255) that other versions of FreeType or Typst may cause."""
BLOCK = 16
"""Pixels along the side of the squares in which differences are looked at too: some 1 cm, two lines of text."""
ALLOWED_IN_BLOCK = 10.0
"""Likewise in any one square: a word or a number that is gone makes more."""


def difference(first, second):
    return float(np.abs(np.asarray(first, float) - np.asarray(second, float)).mean())


def largest_in_block(first, second):
    """The mean difference of gray levels in the square where it is largest."""
    gray = np.abs(np.asarray(first, float) - np.asarray(second, float))
    rows, columns = (-(-size // BLOCK) * BLOCK for size in gray.shape)
    whole = np.zeros((rows, columns))
    whole[: gray.shape[0], : gray.shape[1]] = gray
    return float(whole.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).mean(axis=(1, 3)).max())


def alike(first, second):
    """Whether two gray pictures show the same page."""
    if first.size != second.size:
        return False
    return difference(first, second) < ALLOWED and largest_in_block(first, second) < ALLOWED_IN_BLOCK
