"""Random crop and flip of a whole batch at once."""

import torch
from torch import Tensor
from torch.nn.functional import pad

PADDING = 4
"""Black pixels put around an image before it is cropped to its old size."""


def draw_shifts(count: int, generator: torch.Generator) -> Tensor:
    """int64 [3, count]: vertical and horizontal position of the crop (0 to 2 PADDING), and whether to flip (0, 1)."""
    positions = torch.randint(2 * PADDING + 1, (2, count), generator=generator)
    flips = torch.randint(2, (1, count), generator=generator)
    return torch.cat((positions, flips))


def crop_flip(images: Tensor, shifts: Tensor) -> Tensor:
    """Pad with black, crop at ``shifts[0], shifts[1]``, and mirror where ``shifts[2]`` is 1.

    ``images``: uint8 [B, H, W, C]; ``shifts``: int64 [3, B]. The same as torchvision's ``RandomCrop(size, padding=4)``
    and ``RandomHorizontalFlip`` for these numbers, as one gather of whole pixels. Nothing in it waits for a GPU.
    """
    batch, height, width, channels = images.shape
    padded_height, padded_width = height + 2 * PADDING, width + 2 * PADDING
    top, left, flip = shifts.unsqueeze(2)
    row = torch.arange(height, device=images.device)
    column = torch.arange(width, device=images.device)
    first = torch.arange(0, batch * padded_height, padded_height, device=images.device).unsqueeze(1)
    rows = (row + (top + first)) * padded_width  # [B, H]
    columns = left + column + flip * (width - 1 - 2 * column)  # [B, W]
    pixels = rows.unsqueeze(2) + columns.unsqueeze(1)  # [B, H, W]
    padded = pad(images, (0, 0, PADDING, PADDING, PADDING, PADDING))
    return padded.view(-1, channels).index_select(0, pixels.view(-1)).view(images.shape)
