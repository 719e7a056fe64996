"""How sure a mean over images is: bootstrap intervals over groups of images that are not independent of each other.

Images of one building, room or scene are hard or easy together, so that intervals resampled over images are too narrow.
Groups are drawn instead, whole, by the bias-corrected and accelerated bootstrap (Efron 1987; `scipy.stats.bootstrap`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avsnet.errors import DepthError, OptionError

LEAST = 0.01
"""Relative differences below it are called none, however sure they are."""


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval.

    Attributes:
        mean: of the values, each image counting once.
        low: lower end; NaN where there are too few groups for an interval.
        high: upper end; NaN likewise.
        groups: how many were drawn from.
    """

    mean: float
    low: float
    high: float
    groups: int

    @property
    def known(self) -> bool:
        """Whether there are enough groups for an interval."""
        return not math.isnan(self.low)

    @property
    def holds_zero(self) -> bool:
        """Whether chance alone may explain the mean; so it is where there is no interval."""
        return not self.known or self.low <= 0.0 <= self.high


def fewest_groups(level: float = 0.95) -> int:
    """The fewest groups of which an interval can be had.

    A bootstrap never leaves the range of the groups' means, and the median of what they are drawn from lies outside
    that range with a chance of 2^(1 - groups).

    >>> fewest_groups()
    6
    """
    return math.ceil(1.0 - math.log2(1.0 - level))


def grouped_interval(
    values: Sequence[float] | np.ndarray,
    groups: Sequence[str],
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of a mean over images, of which whole groups are drawn.

    From a dozen groups on, intervals of 95 % hold the true mean in 93 to 97 % of trials; of eight, in 92 %.

    Args:
        values: (N,) one number an image; give differences of two systems on the same images for a paired interval.
        groups: of each image; images of one group are not independent.
        level: chance that the interval holds the true mean.
        draws: how many times as many groups as there are are drawn with replacement.
        seed: of the draws; the same seed and groups give the same draws, whatever the values.

    Raises:
        DepthError: no values, one that is not finite, or not a group for each.
        OptionError: a level outside 0..1, or no draws.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all() or len(groups) != values.size:
        raise DepthError(
            f"bootstrap of {values.shape} values in {len(groups)} groups: wanted (N,) finite numbers, at least one, "
            "and the group of each"
        )
    if not 0.0 < level < 1.0 or draws < 1:
        raise OptionError(f"level {level}, draws {draws}: wanted a share between 0 and 1 and at least one draw")
    _, place = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place).astype(np.float64)
    mean = float(values.mean())
    if counts.size < fewest_groups(level):
        return Interval(mean, math.nan, math.nan, counts.size)
    if np.ptp(sums / counts) <= 1e-12 * abs(mean):
        return Interval(mean, mean, mean, counts.size)
    alike = float(counts.sum() ** 2 / np.sum(counts**2))  # groups of one size that would tell as much
    low, high = _bca(sums, counts, _widened(level, alike), draws, seed)
    return Interval(mean, low, high, counts.size)


def _bca(sums: np.ndarray, counts: np.ndarray, level: float, draws: int, seed: int) -> tuple[float, float]:
    """Ends of the interval of sum(sums) / sum(counts) when groups are drawn."""
    from scipy.stats import bootstrap

    def mean(total: np.ndarray, images: np.ndarray, axis: int = -1) -> np.ndarray:
        return total.sum(axis=axis) / images.sum(axis=axis)

    found = bootstrap(
        (sums, counts),
        mean,
        paired=True,
        vectorized=True,
        method="BCa",
        n_resamples=draws,
        confidence_level=level,
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def _widened(level: float, groups: float) -> float:
    """The level at which few groups give what was asked for.

    The bootstrap's deviation is too small by sqrt((n - 1) / n), and its quantiles are those of a normal distribution
    where Student's are due (Hesterberg 2015, "What teachers should know about the bootstrap", section 4.4).
    """
    from scipy.stats import norm, t

    student = float(t.ppf((1.0 + level) / 2.0, max(groups - 1.0, 1.0)))
    return float(2.0 * norm.cdf(math.sqrt(groups / max(groups - 1.0, 1.0)) * student) - 1.0)


def verdict(difference: Interval, base: float, control: Interval | None = None) -> str:
    """What may be said of a difference of two systems.

    Args:
        difference: paired, ours minus the other's.
        base: the other's mean.
        control: ours minus what ours becomes with an echo that says nothing of the scene; None: it hears nothing. What
            such an echo does as well, the echo did not do.

    Returns:
        "lower" or "higher"; else "none", or "open" without an interval, and why.
    """
    if not difference.known:
        return f"open: {difference.groups} group{'s' * (difference.groups != 1)}, no interval can be had"
    if abs(difference.mean) < LEAST * abs(base):
        return f"none: under {LEAST:.0%}"
    if difference.holds_zero:
        return "none: the interval holds 0"
    if control is not None and (control.holds_zero or control.mean * difference.mean < 0.0):
        return "none: within the control's"
    return "lower" if difference.mean < 0.0 else "higher"
