"""The metric-bins head: from a relative network's features to metres, as a mix of bin centres that each pixel moves.

Source: ZoeDepth (Bhat et al. 2023). A seed regressor gives K bin centres at the bottleneck; at each finer level
attractors pull them; a log-binomial distribution over the bins, one for every pixel, mixes them into depth. Parameters
have the names of the published files. Convolutions are initialised as torch does it: with all-zero biases and small
weights every centre and attractor would start at ln 2, where the pull cancels the centre exactly, and neither the seed
nor an echo fused into the bottleneck would ever get a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.errors import OptionError
from avsnet.models.metric_bins.centers import WIDTH_FLOOR, attractor_layers, normed_centers, pull, seed_regressor
from avsnet.models.metric_bins.layers import PixelMLP, project, up
from avsnet.models.metric_bins.log_binomial import ConditionalLogBinomial
from avsnet.models.metric_bins.settings import BinSettings, check_head


class MetricBins(nn.Module):
    """The head of one domain (ZoeDepth-N and -K, and every AVS-Net).

    Args:
        bottleneck: channels of the bottleneck.
        blocks: channels of the decoder's levels, coarse to fine; as many as `settings.attractors`.
        out_conv: channels of the finest features.
        settings: how it is built.
        depth_range: metres; bounds the centres where `settings.centers` says so, and nothing else.

    Raises:
        OptionError: levels and attractors differ in number, or a range that is none.
    """

    def __init__(
        self,
        bottleneck: int,
        blocks: Sequence[int],
        out_conv: int,
        settings: BinSettings = BinSettings(),  # noqa: B008  it is frozen
        depth_range: tuple[float, float] = (1e-3, 10.0),
    ) -> None:
        super().__init__()
        check_head(blocks, settings, depth_range)
        self.settings, self.depth_range = settings, depth_range
        width, e = settings.projector_width, settings.embedding
        self.conv2 = nn.Conv2d(bottleneck, bottleneck, 1)
        self.seed_bin_regressor = seed_regressor(bottleneck, settings)
        self.seed_projector = PixelMLP(bottleneck, width, e)
        self.projectors = nn.ModuleList(PixelMLP(channels, width, e) for channels in blocks)
        self.attractors = attractor_layers(settings)
        self.conditional_log_binomial = ConditionalLogBinomial(out_conv, settings)

    def spread_seeds(self) -> None:
        """Let unbounded seeds start from the hundredth of the depth range's end to its end, in even ratios.

        For fresh weights: as torch initialises them all start near ln 2 m, and those for 20 m have a long way to go.
        """
        if self.settings.centers not in ("softplus", "hybrid2"):
            return
        low, high = self.depth_range
        last: nn.Conv2d = self.seed_bin_regressor._net[2]  # type: ignore[assignment]
        bias = last.bias
        assert bias is not None
        wanted = torch.logspace(math.log10(max(low, high / 100.0)), math.log10(high), len(bias), dtype=torch.float64)
        with torch.no_grad():
            bias.copy_(wanted + torch.log(-torch.expm1(-wanted)))  # the inverse of softplus

    def forward(
        self, bottleneck: Tensor, blocks: Sequence[Tensor], out_conv: Tensor, disparity: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Metres from features; an echo comes in by way of the bottleneck.

        Args:
            bottleneck: (B, C, H/32, W/32), for example fused with an echo.
            blocks: (B, C_l, h, w) of each level, coarse to fine.
            out_conv: (B, C_o, H, W) the finest features.
            disparity: (B, 1, H', W') the relative network's map, raw; where the settings take it.

        Returns:
            `metric_depth` (B, 1, H / stride, W / stride) metres, float32; `bin_centers` (B, K, h, w) metres at the
            finest level; `seed_centers` (B, K, H/32, W/32) metres.
        """
        x = self.conv2(bottleneck)
        embeddings = [self.seed_projector(x), *project(self.projectors, blocks)]
        parts = DomainParts(
            self.seed_bin_regressor, self.attractors, self.conditional_log_binomial, self.settings, self.depth_range
        )
        return metres(parts, x, embeddings, finest_features(out_conv, disparity, self.settings))


class DomainParts(NamedTuple):
    """What one domain measures with."""

    seed_bin_regressor: nn.Module
    attractors: nn.ModuleList
    log_binomial: nn.Module
    settings: BinSettings
    depth_range: tuple[float, float]


def metres(parts: DomainParts, x: Tensor, embeddings: list[Tensor], last: Tensor) -> dict[str, Tensor]:
    """Seed bins, attractors level by level, log-binomial.

    Args:
        parts: of the domain.
        x: (B, C, H/32, W/32) the bottleneck.
        embeddings: (B, E, h, w) of the bottleneck and of each level, coarse to fine.
        last: (B, C_o, H, W) of `finest_features`.

    Returns:
        As `MetricBins.forward`.
    """
    settings, (low, high) = parts.settings, parts.depth_range
    pulled_in_metres = settings.centers in ("softplus", "hybrid1")
    seed = parts.seed_bin_regressor(x).float()
    if settings.centers in ("normed", "hybrid1"):
        seed = normed_centers(seed, low, high)
    centers = seed if pulled_in_metres else (seed - low) / (high - low)
    previous = embeddings[0]
    for attractor, embedding in zip(parts.attractors, embeddings[1:], strict=True):
        points = attractor(embedding + up(previous, embedding)).float()
        if not pulled_in_metres:
            first, second = (points + WIDTH_FLOOR).unflatten(1, (-1, 2)).unbind(2)
            points = first if settings.published else first / (first + second)
        centers = up(centers, embedding)
        centers = centers + pull(points, centers, settings)
        previous = embedding
    if not pulled_in_metres:
        centers = ((high - low) * centers + low).sort(dim=1).values.clamp(low, high)
    probability = parts.log_binomial(last, previous)
    depth = (probability * up(centers, last)).sum(dim=1, keepdim=True)
    return {"metric_depth": depth, "bin_centers": centers, "seed_centers": seed}


def finest_features(out_conv: Tensor, disparity: Tensor | None, settings: BinSettings) -> Tensor:
    """(B, C, H / stride, W / stride), what the log-binomial takes beside the embeddings."""
    parts = [out_conv]
    if settings.takes_disparity:
        if disparity is None:
            raise OptionError("the head is built to take the relative map: give disparity")
        parts.append(up(disparity.to(out_conv.dtype), out_conv))
    if settings.stride > 1:
        parts = [F.avg_pool2d(part, settings.stride) for part in parts]
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
