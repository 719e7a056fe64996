"""Where the bins of a pixel lie: a seed regressor gives their centres at the bottleneck, attractors pull them later.

Source: ZoeDepth (Bhat et al. 2023).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avsnet.models.metric_bins.layers import PixelMLP
from avsnet.models.metric_bins.settings import BinSettings

WIDTH_FLOOR = 1e-3
"""Of a normed bin or attractor, before they share their sum."""


def seed_regressor(channels: int, settings: BinSettings) -> PixelMLP:
    """(B, channels, h, w) bottleneck -> (B, K, h, w) centres in metres, or widths that are still to be normed."""
    activation = nn.ReLU() if settings.centers in ("normed", "hybrid1") else nn.Softplus()
    return PixelMLP(channels, settings.regressor_width, settings.n_bins, activation)


def normed_centers(y: Tensor, low: float, high: float) -> Tensor:
    """(B, K, h, w) >= 0 -> centres of bins whose widths share the depth range."""
    widths = y + WIDTH_FLOOR
    widths = (high - low) * widths / widths.sum(dim=1, keepdim=True)
    return low + widths.cumsum(dim=1) - 0.5 * widths


def attractor_layers(settings: BinSettings) -> nn.ModuleList:
    """One for each level, (B, E, h, w) embeddings -> (B, A, h, w) attractors; (B, 2 A, h, w) pairs if normed."""
    normed = settings.centers in ("normed", "hybrid2")
    return nn.ModuleList(
        PixelMLP(
            settings.embedding,
            settings.attractor_width,
            (1 + normed) * count,
            nn.ReLU() if normed else nn.Softplus(),
        )
        for count in settings.attractors
    )


def pull(points: Tensor, centers: Tensor, settings: BinSettings) -> Tensor:
    """(B, A, h, w) attractors and (B, K, h, w) centres -> (B, K, h, w) by how much each centre moves."""
    alpha, gamma = (300.0, 2.0) if settings.published else (settings.alpha, settings.gamma)
    share = 1.0 / points.shape[1] if settings.gather == "mean" else 1.0
    one = centers.new_ones(())
    total = torch.zeros_like(centers)
    for point in points.split(1, dim=1):  # one after the other: all at once would need A times the memory
        distance = point - centers
        if settings.attractor == "exponential":
            total = total + share * distance * torch.exp(-alpha * distance.abs() ** gamma)
        else:  # one pass for each line
            power = distance if gamma == 2.0 else distance.abs() ** (gamma - 1.0) * distance.sign()
            total = torch.addcdiv(total, distance, torch.addcmul(one, power, distance, value=alpha), value=share)
    return total
