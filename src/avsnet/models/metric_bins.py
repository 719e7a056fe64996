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
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.errors import OptionError

CENTERS = ("softplus", "normed", "hybrid1", "hybrid2")
"""How centres are bounded: not at all; to the depth range; the seeds only ("hybrid1"); the pulled only ("hybrid2")."""

ATTRACTORS = ("inverse", "exponential")
"""The pull over a distance d: d / (1 + alpha |d|^gamma), or d exp(-alpha |d|^gamma)."""

CONSTANTS = (r"(.*\.)?log_binomial_transform\.(k_idx|K_minus_1)",)
"""Entries of published files that are no weights, as regular expressions of whole keys."""

_WIDTH_FLOOR = 1e-3  # of a normed bin or attractor, before they share their sum
_SHARE_FLOOR = 1e-4  # of p and t in the pair that each is from
_LOG_FLOOR = 1e-4  # of a probability before its logarithm
_STIRLING = 1e-7


@dataclass(frozen=True)
class BinSettings:
    """How a head is built; the defaults are those of ZoeDepth-N's published configuration.

    Args:
        n_bins: K, bins of every pixel.
        embedding: E, channels of the bin embeddings.
        attractors: how many at each level, coarse to fine.
        centers: one of `CENTERS`.
        attractor: one of `ATTRACTORS`.
        alpha: strength of the pull, 1 / metres^gamma; large is near-sighted.
        gamma: exponent of the distance.
        gather: "mean" or "sum" of the attractors' pulls.
        temperature: least and greatest, by which the log-binomial is divided.
        regressor_width: hidden channels of the seed regressor.
        projector_width: hidden channels of the projectors.
        attractor_width: hidden channels of the attractors.
        binomial_width: hidden channels of the log-binomial's parameters.
        takes_disparity: whether the relative network's own map is an input of the log-binomial.
        stride: input pixels per pixel of the depth map, along each side. Above 1 the finest features are averaged
            down to it, which spares most of the work: K numbers for every pixel are what the head's time goes into.
        published: whether to compute as the code behind the published weights does: alpha 300 and gamma 2 whatever is
            configured, normed attractors without the division by their pair's sum, one domain for a whole batch; and
            in its order, since a small temperature magnifies rounding.

    Raises:
        OptionError: a value is outside what it allows.
    """

    n_bins: int = 64
    embedding: int = 128
    attractors: tuple[int, ...] = (16, 8, 4, 1)
    centers: str = "softplus"
    attractor: str = "inverse"
    alpha: float = 300.0
    gamma: float = 2.0
    gather: str = "mean"
    temperature: tuple[float, float] = (0.0212, 50.0)
    regressor_width: int = 256
    projector_width: int = 128
    attractor_width: int = 128
    binomial_width: int = 80
    takes_disparity: bool = True
    stride: int = 1
    published: bool = False

    def __post_init__(self) -> None:
        for name in ("attractors", "temperature"):  # JSON and YAML know no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, known in (("centers", CENTERS), ("attractor", ATTRACTORS), ("gather", ("mean", "sum"))):
            if getattr(self, name) not in known:
                raise OptionError(f"{name}: found {getattr(self, name)!r}, wanted one of {', '.join(known)}")
        for name, least in (("n_bins", 2), ("stride", 1)):
            if getattr(self, name) < least:
                raise OptionError(f"{name}: found {getattr(self, name)}, wanted {least} or more")
        if not 0.0 < self.temperature[0] <= self.temperature[1]:
            raise OptionError(f"temperature: found {self.temperature}, wanted 0 < least <= greatest")


ZOEDEPTH_N = BinSettings(published=True)
"""The published indoor head; depth range 1e-3 .. 10 m."""

ZOEDEPTH_K = BinSettings(centers="normed", published=True)
"""The published outdoor head; its range is 1e-3 .. 80 m, though its own configuration says 10."""

ZOEDEPTH_NK = BinSettings(
    attractors=(16, 16, 16, 16),
    regressor_width=64,
    projector_width=64,
    binomial_width=40,
    takes_disparity=False,
    published=True,
)
"""The published head of two domains, for `RoutedMetricBins`."""


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
        settings: BinSettings = BinSettings(),
        depth_range: tuple[float, float] = (1e-3, 10.0),
    ) -> None:
        super().__init__()
        _check(blocks, settings, depth_range)
        self.settings, self.depth_range = settings, depth_range
        width, e = settings.projector_width, settings.embedding
        self.conv2 = nn.Conv2d(bottleneck, bottleneck, 1)
        self.seed_bin_regressor = _seed_regressor(bottleneck, settings)
        self.seed_projector = PixelMLP(bottleneck, width, e)
        self.projectors = nn.ModuleList(PixelMLP(channels, width, e) for channels in blocks)
        self.attractors = _attractors(settings)
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
        embeddings = [self.seed_projector(x), *map(_apply, self.projectors, blocks)]
        parts = _Parts(
            self.seed_bin_regressor, self.attractors, self.conditional_log_binomial, self.settings, self.depth_range
        )
        return _metres(parts, x, embeddings, _last(out_conv, disparity, self.settings))


class RoutedMetricBins(nn.Module):
    """The head of several domains, of which each picture gets the one that a router chooses (ZoeDepth-NK).

    Args:
        bottleneck: channels of the bottleneck.
        blocks: channels of the decoder's levels, coarse to fine.
        out_conv: channels of the finest features.
        settings: how it is built; `published` routes a whole batch by the sum of its logits.
        depth_ranges: metres, by the name of the domain.

    Raises:
        OptionError: as `MetricBins`.
    """

    def __init__(
        self,
        bottleneck: int,
        blocks: Sequence[int],
        out_conv: int,
        settings: BinSettings,
        depth_ranges: dict[str, tuple[float, float]],
    ) -> None:
        super().__init__()
        for depth_range in depth_ranges.values():
            _check(blocks, settings, depth_range)
        self.settings, self.depth_ranges = settings, dict(depth_ranges)
        width, e = settings.projector_width, settings.embedding
        self.conv2 = nn.Conv2d(bottleneck, bottleneck, 1)
        self.patch_transformer = PatchTransformer(bottleneck)
        self.mlp_classifier = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, len(depth_ranges)))
        self.seed_bin_regressors = nn.ModuleDict({name: _seed_regressor(bottleneck, settings) for name in depth_ranges})
        self.seed_projector = PixelMLP(bottleneck, width, e)
        self.projectors = nn.ModuleList(PixelMLP(channels, width, e) for channels in blocks)
        self.attractors = nn.ModuleDict({name: _attractors(settings) for name in depth_ranges})
        self.conditional_log_binomial = nn.ModuleDict(
            {name: ConditionalLogBinomial(out_conv, settings) for name in depth_ranges}
        )

    def forward(
        self, bottleneck: Tensor, blocks: Sequence[Tensor], out_conv: Tensor, disparity: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `MetricBins.forward`, and beside its outputs `domain_logits` (B, domains)."""
        x = self.conv2(bottleneck)
        logits = self.mlp_classifier(self.patch_transformer(x))
        chosen = (logits.sum(0, keepdim=True) if self.settings.published else logits).argmax(1).expand(len(x))
        embeddings = [self.seed_projector(x), *map(_apply, self.projectors, blocks)]
        last = _last(out_conv, disparity, self.settings)
        outputs: dict[str, Tensor] = {}
        for index, (name, depth_range) in enumerate(self.depth_ranges.items()):
            rows = (chosen == index).nonzero()[:, 0]
            if not len(rows):
                continue
            parts = _Parts(
                self.seed_bin_regressors[name],
                self.attractors[name],  # type: ignore[arg-type]
                self.conditional_log_binomial[name],
                self.settings,
                depth_range,
            )
            for key, values in _metres(parts, x[rows], [e[rows] for e in embeddings], last[rows]).items():
                empty = outputs.get(key, values.new_zeros((len(x), *values.shape[1:])))
                outputs[key] = empty.index_copy(0, rows, values)
        return outputs | {"domain_logits": logits}


class PixelMLP(nn.Module):
    """Two 1 x 1 convolutions with a ReLU between them, and perhaps an activation behind them."""

    def __init__(self, inputs: int, hidden: int, outputs: int, activation: nn.Module | None = None) -> None:
        super().__init__()
        layers = [nn.Conv2d(inputs, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, outputs, 1)]
        self._net = nn.Sequential(*layers, *([activation] if activation else []))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        return self._net(x)


class ConditionalLogBinomial(nn.Module):
    """For every pixel a log-binomial distribution over the bins, by its features and its bin embedding."""

    log_choose: Tensor
    successes: Tensor

    def __init__(self, features: int, settings: BinSettings) -> None:
        super().__init__()
        inputs = features + settings.takes_disparity
        self.temperature, self.published = settings.temperature, settings.published
        self.mlp = nn.Sequential(
            nn.Conv2d(inputs + settings.embedding, settings.binomial_width, 1),
            nn.GELU(),
            nn.Conv2d(settings.binomial_width, 4, 1),
            nn.Softplus(),
        )
        k = torch.arange(settings.n_bins, dtype=torch.float32).reshape(1, -1, 1, 1)
        self.register_buffer("successes", k, persistent=False)
        self.register_buffer("log_choose", _log_choose(settings.n_bins - 1, k), persistent=False)

    def forward(self, last: Tensor, embedding: Tensor) -> Tensor:
        """Probabilities of the bins.

        Args:
            last: (B, C, H, W) finest features.
            embedding: (B, E, h, w) of the finest level.

        Returns:
            (B, K, H, W) float32, also under autocast: half precision would lose Stirling's small terms.
        """
        if self.published:
            shares = self.mlp(torch.cat([last, _up(embedding, last)], dim=1))
        else:
            # A 1 x 1 convolution and an interpolation commute: the embedding is convolved at its own, coarser size.
            first: nn.Conv2d = self.mlp[0]  # type: ignore[assignment]
            weight = first.weight.split((last.shape[1], embedding.shape[1]), dim=1)
            hidden = F.conv2d(last, weight[0], first.bias) + _up(F.conv2d(embedding, weight[1]), last)
            shares = self.mlp[1:](hidden)
        p1, p2, t1, t2 = (shares.float() + _SHARE_FLOOR).split(1, dim=1)
        with torch.autocast(last.device.type, enabled=False):
            p, t = p1 / (p1 + p2), t1 / (t1 + t2)
            low, high = self.temperature
            t = (high - low) * t + low
            log_p, log_q = (share.clamp(_LOG_FLOOR, 1.0).log() for share in (p, 1.0 - p))
            if self.published:
                trials = self.log_choose.shape[1] - 1
                y = self.log_choose + self.successes * log_p + (trials - self.successes) * log_q
                return torch.softmax(y / t, dim=1)
            # Without the term that is the same for all bins, and with the fewest passes over K numbers a pixel.
            y = torch.addcmul(self.successes * ((log_p - log_q) / t), self.log_choose, 1.0 / t)
            return torch.softmax(y, dim=1)


class PatchTransformer(nn.Module):
    """The router's view of a picture: a transformer over the bottleneck's positions and one empty token before them."""

    def __init__(self, inputs: int, width: int = 128, heads: int = 4, feedforward: int = 1024, layers: int = 4) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, heads, feedforward, dropout=0.1, activation="relu", batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.embedding_convPxP = nn.Conv2d(inputs, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, width), what the empty token gathered."""
        tokens = F.pad(self.embedding_convPxP(x).flatten(2).transpose(1, 2), (0, 0, 1, 0))
        position = torch.arange(tokens.shape[1], device=x.device, dtype=tokens.dtype)
        return self.transformer_encoder(tokens + sinusoids(position, tokens.shape[2]))[:, 0]


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


class _Parts(NamedTuple):
    """What one domain measures with."""

    seed_bin_regressor: nn.Module
    attractors: nn.ModuleList
    log_binomial: nn.Module
    settings: BinSettings
    depth_range: tuple[float, float]


def _metres(parts: _Parts, x: Tensor, embeddings: list[Tensor], last: Tensor) -> dict[str, Tensor]:
    """Seed bins, attractors level by level, log-binomial."""
    settings, (low, high) = parts.settings, parts.depth_range
    pulled_in_metres = settings.centers in ("softplus", "hybrid1")
    seed = parts.seed_bin_regressor(x).float()
    if settings.centers in ("normed", "hybrid1"):
        seed = _normed_centers(seed, low, high)
    centers = seed if pulled_in_metres else (seed - low) / (high - low)
    previous = embeddings[0]
    for attractor, embedding in zip(parts.attractors, embeddings[1:], strict=True):
        points = attractor(embedding + _up(previous, embedding)).float()
        if not pulled_in_metres:
            first, second = (points + _WIDTH_FLOOR).unflatten(1, (-1, 2)).unbind(2)
            points = first if settings.published else first / (first + second)
        centers = _up(centers, embedding)
        centers = centers + _pull(points, centers, settings)
        previous = embedding
    if not pulled_in_metres:
        centers = ((high - low) * centers + low).sort(dim=1).values.clamp(low, high)
    probability = parts.log_binomial(last, previous)
    depth = (probability * _up(centers, last)).sum(dim=1, keepdim=True)
    return {"metric_depth": depth, "bin_centers": centers, "seed_centers": seed}


def _normed_centers(y: Tensor, low: float, high: float) -> Tensor:
    """(B, K, h, w) >= 0 -> centres of bins whose widths share the depth range."""
    widths = y + _WIDTH_FLOOR
    widths = (high - low) * widths / widths.sum(dim=1, keepdim=True)
    return low + widths.cumsum(dim=1) - 0.5 * widths


def _pull(points: Tensor, centers: Tensor, settings: BinSettings) -> Tensor:
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


def _log_choose(n: int, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient by Stirling's formula, in the type of `k`."""
    top, k = torch.tensor(n, dtype=k.dtype) + _STIRLING, k + _STIRLING
    return top * top.log() - k * k.log() - (top - k) * (top - k + _STIRLING).log()


def _last(out_conv: Tensor, disparity: Tensor | None, settings: BinSettings) -> Tensor:
    parts = [out_conv]
    if settings.takes_disparity:
        if disparity is None:
            raise OptionError("the head is built to take the relative map: give disparity")
        parts.append(_up(disparity.to(out_conv.dtype), out_conv))
    if settings.stride > 1:
        parts = [F.avg_pool2d(part, settings.stride) for part in parts]
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def _up(values: Tensor, to: Tensor) -> Tensor:
    """Bilinear, corners aligned, to another map's size."""
    if values.shape[2:] == to.shape[2:]:
        return values
    return F.interpolate(values, to.shape[2:], mode="bilinear", align_corners=True)


def _apply(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


def _seed_regressor(channels: int, settings: BinSettings) -> PixelMLP:
    activation = nn.ReLU() if settings.centers in ("normed", "hybrid1") else nn.Softplus()
    return PixelMLP(channels, settings.regressor_width, settings.n_bins, activation)


def _attractors(settings: BinSettings) -> nn.ModuleList:
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


def _check(blocks: Sequence[int], settings: BinSettings, depth_range: tuple[float, float]) -> None:
    if len(blocks) != len(settings.attractors):
        raise OptionError(f"attractors: found {settings.attractors} for {len(blocks)} levels, wanted one number each")
    if not 0.0 <= depth_range[0] < depth_range[1]:
        raise OptionError(f"depth_range: found {depth_range} metres, wanted 0 <= least < greatest")
