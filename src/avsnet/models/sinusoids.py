"""The transformer's code of a position (Vaswani et al. 2017): sines and cosines at geometric frequencies."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(position: Tensor, width: int) -> Tensor:
    """Sines in the first half of the channels and cosines in the second, of position * 10000^(-2i / width).

    Args:
        position: (T,) any unit.
        width: even.

    Returns:
        (T, width).
    """
    index = torch.arange(0, width, 2, device=position.device, dtype=position.dtype)
    angle = position[:, None] * torch.exp(index * (-math.log(10_000.0) / width))
    return torch.cat([angle.sin(), angle.cos()], dim=1)
