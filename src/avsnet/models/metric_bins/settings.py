"""How a metric-bins head is built, and how the published ones were.

Source: ZoeDepth (Bhat et al. 2023), whose networks N (indoor), K (outdoor) and NK (both) these settings name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avsnet.errors import OptionError

CENTERS = ("softplus", "normed", "hybrid1", "hybrid2")
"""How centres are bounded: not at all; to the depth range; the seeds only ("hybrid1"); the pulled only ("hybrid2")."""

ATTRACTORS = ("inverse", "exponential")
"""The pull over a distance d: d / (1 + alpha |d|^gamma), or d exp(-alpha |d|^gamma)."""


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


def check_head(blocks: Sequence[int], settings: BinSettings, depth_range: tuple[float, float]) -> None:
    """Refuse levels and attractors that differ in number, and a range that is none."""
    if len(blocks) != len(settings.attractors):
        raise OptionError(f"attractors: found {settings.attractors} for {len(blocks)} levels, wanted one number each")
    if not 0.0 <= depth_range[0] < depth_range[1]:
        raise OptionError(f"depth_range: found {depth_range} metres, wanted 0 <= least < greatest")
