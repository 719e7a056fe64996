"""A distribution over one unknown: the logarithm of the factor that brings a map to metres.

Sources of scale give one each; what is known independently is multiplied. All of it lives on a grid of log k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter1d

STEP = 0.002
"""Of log k between the values of a fresh grid."""

PEAK = 0.15
"""Half width in log k of what counts as one scale: "within 15 %"."""

_SMOOTH = 0.02  # of log k, over which the probability is averaged before its peak is taken
_REACH = 6.0  # deviations that a normal distribution's grid reaches to either side


@dataclass(frozen=True, eq=False)
class ScalePosterior:
    """How probable each scale is.

    Args:
        log_scale: (S,) evenly spaced log k, with k in metres per unit of the map.
        probability: (S,) of each, not negative; is brought to sum 1.

    Raises:
        ValueError: the grid does not rise evenly, or the probability is not of its shape, negative, or 0 everywhere.
    """

    log_scale: np.ndarray
    probability: np.ndarray

    def __post_init__(self) -> None:
        grid = np.asarray(self.log_scale, dtype=np.float64)
        probability = np.asarray(self.probability, dtype=np.float64)
        steps = np.diff(grid)
        if grid.ndim != 1 or len(grid) < 2 or not steps.min() > 0.0 or np.ptp(steps) > 1e-6 * steps.mean() + 1e-9:
            raise ValueError(f"log_scale of shape {grid.shape}: wanted at least two values that rise evenly")
        if probability.shape != grid.shape or not (probability >= 0.0).all() or not 0.0 < probability.sum() < np.inf:
            raise ValueError(
                f"probability of shape {probability.shape}: wanted {grid.shape}, none negative, some above 0"
            )
        object.__setattr__(self, "log_scale", grid)
        object.__setattr__(self, "probability", probability / probability.sum())

    @classmethod
    def normal(cls, scale: float, deviation: float) -> ScalePosterior:
        """A normal distribution of log k.

        Args:
            scale: its middle, metres per unit.
            deviation: of log k; 0.1 is about 10 %.
        """
        step = min(STEP, deviation / 5.0)
        offsets = np.arange(-round(_REACH * deviation / step), round(_REACH * deviation / step) + 1) * step
        return cls(np.log(scale) + offsets, np.exp(-0.5 * (offsets / deviation) ** 2))

    @property
    def step(self) -> float:
        """Of log k, between two values of the grid."""
        return float(self.log_scale[1] - self.log_scale[0])

    @cached_property
    def mode(self) -> int:
        """Place in the grid of the highest peak, after an average over 2 %."""
        return int(np.argmax(gaussian_filter1d(self.probability, _SMOOTH / self.step, mode="constant")))

    @property
    def scale(self) -> float:
        """The most probable scale, metres per unit."""
        return float(np.exp(self.log_scale[self.mode]))

    @property
    def median(self) -> float:
        """The scale that is as probably too large as too small, metres per unit."""
        return self.interval(0.0)[0]

    @property
    def confidence(self) -> float:
        """Probability that the scale lies within 15 % of the most probable one."""
        near = np.abs(self.log_scale - self.log_scale[self.mode]) < PEAK - self.step / 4  # rounding decides nothing
        return float(self.probability[near].sum())

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The scales between which the unknown one lies with a probability, with as much below as above.

        Args:
            level: 0 to 1.

        Returns:
            Lowest and highest scale, metres per unit.
        """
        # The mass of a grid point spreads over its cell, so that a narrow distribution still has a width.
        edges = np.append(self.log_scale - self.step / 2, self.log_scale[-1] + self.step / 2)
        below = np.concatenate([[0.0], np.cumsum(self.probability)])
        low, high = np.interp([0.5 - level / 2, 0.5 + level / 2], below, edges)
        return float(np.exp(low)), float(np.exp(high))

    def shifted(self, delta: float) -> ScalePosterior:
        """The distribution of k times e^delta: of a map whose unit is e^-delta as large."""
        return ScalePosterior(self.log_scale + delta, self.probability)

    def product(self, other: ScalePosterior) -> ScalePosterior:
        """What both say together, if they err independently: on the finer grid, over all that either allows.

        Raises:
            ValueError: no scale is possible by both.
        """
        return self._together(other, 1.0, 1.0)

    def pooled(self, other: ScalePosterior, share: float) -> ScalePosterior:
        """What both say together, if they err much alike: a logarithmic pool, no surer than they are.

        Args:
            other: of the same unknown.
            share: of its say; 0 to 1.

        Raises:
            ValueError: no scale is possible by both.
        """
        return self._together(other, 1.0 - share, share)

    def _together(self, other: ScalePosterior, power: float, others: float) -> ScalePosterior:
        """The product of powers of both, on the finer grid over all that either allows."""
        step = min(self.step, other.step)
        low = max(self.log_scale[0], other.log_scale[0])
        high = min(self.log_scale[-1], other.log_scale[-1])
        if not high > low + step:
            raise ValueError("the two distributions have no scale in common")
        grid = np.arange(low, high + step / 2, step)
        first, second = (np.interp(grid, one.log_scale, one.probability / one.step) for one in (self, other))
        return ScalePosterior(grid, first**power * second**others)

    def second(self, distance: float) -> tuple[float, float]:
        """The best scale that is a different answer.

        Args:
            distance: in log k from the first scale, from which another one is a different answer.

        Returns:
            That scale, metres per unit; its probability as a share of the first scale's.
        """
        far = np.where(np.abs(self.log_scale - self.log_scale[self.mode]) > distance, self.probability, 0.0)
        mass = np.convolve(far, np.ones(2 * int(PEAK / self.step) + 1), mode="same")
        middle = int(np.argmax(mass))
        near_it = np.abs(self.log_scale - self.log_scale[middle]) < PEAK
        best = int(np.argmax(np.where(near_it, gaussian_filter1d(far, _SMOOTH / self.step), 0.0)))
        return float(np.exp(self.log_scale[best])), float(mass[middle]) / max(self.confidence, 1e-12)
