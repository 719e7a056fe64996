"""What the parts of the metric-bins head have in common: a network for every pixel, and coming to a level's size.

Source: ZoeDepth (Bhat et al. 2023).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn


class PixelMLP(nn.Module):
    """Two 1 x 1 convolutions with a ReLU between them, and perhaps an activation behind them."""

    def __init__(self, inputs: int, hidden: int, outputs: int, activation: nn.Module | None = None) -> None:
        super().__init__()
        layers = [nn.Conv2d(inputs, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, outputs, 1)]
        self._net = nn.Sequential(*layers, *([activation] if activation else []))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        return self._net(x)


def project(projectors: Iterable[nn.Module], blocks: Iterable[Tensor]) -> list[Tensor]:
    """The embeddings of the levels' features, (B, E, h, w) each."""
    return [projector(block) for projector, block in zip(projectors, blocks, strict=True)]


def up(values: Tensor, to: Tensor) -> Tensor:
    """Bilinear, corners aligned, to another map's size."""
    if values.shape[2:] == to.shape[2:]:
        return values
    return F.interpolate(values, to.shape[2:], mode="bilinear", align_corners=True)
