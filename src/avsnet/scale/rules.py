"""The idea of the paper: a picture gives the shape of depth, an echo its scale; bring any map to metres.

Source: the paper, stage two: M = R * median(Mp) / median(R), with R the depth of a relative model and Mp the
pseudo-dense metric depth of AVS-Net. The medians are those of *depth*, so disparity is inverted first, and
only here. Maps with an open shift take the least-squares fit that MiDaS is evaluated with (Ranftl et al. 2020): scale
and shift of the map in its own space, which for a disparity is inverse depth. Rules finer than a scale and a shift are
in `avsnet.scale.finer`; the table of all is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from avsnet.errors import DepthError, OptionError
from avsnet.models.info import OUTPUT_KINDS
from avsnet.scale.finer import Bent, grid, histogram, log_affine, shrunk_grid

_FEWEST = 3  # pixels for scale and shift: two always fit exactly, and so prove nothing
_CONSTANT = 1e-6  # deviation over mean absolute value from which a map is flat: float32 knows no more digits
_SHARE_KEPT = 0.5  # of the map's known pixels that must stay in front of the camera
_HUBER = 1.345  # standard deviations from which a residual counts less: 95 % efficient on Gaussian noise
_ROUNDS = 30  # of re-weighting, at most
_SETTLED = 1e-9  # relative change of the residuals' sum that ends them


@dataclass(frozen=True)
class ScaledDepth:
    """A depth map in metres, and how it was brought there.

    In the space `"depth"`: depth = scale * R + shift, with R the relative depth (of a disparity: its inverse) and the
    shift in metres. In the space `"inverse depth"`: 1 / depth = scale * D + shift, with D the disparity and the shift
    in 1 / metres; only rules that find a shift live there, and only for disparities. So where there is no shift,
    `scale` always is the factor of depth. In the space `"log depth"`: log depth = log(scale * m) + contrast log(R / m),
    m the median of R. In the space `"picture"` no few numbers tell the map: each depth, or each place, has a factor of
    its own, and `scale` is the ratio of the two maps' medians.

    Attributes:
        depth: (H, W) float32 metres, 0 = unknown: what was unknown, and what came to lie at or behind the camera.
        scale: the factor.
        shift: what was added after it.
        method: the name in `METHODS` of the rule that these numbers are from.
        space: `"depth"`, `"inverse depth"`, `"log depth"` or `"picture"`, where scale, shift and contrast live.
        fallback: why `method` is not the rule that was asked for; None if it is.
        contrast: the power of depth; 1 in all spaces but `"log depth"`.
    """

    depth: np.ndarray
    scale: float
    shift: float
    method: str
    space: str = "depth"
    fallback: str | None = None
    contrast: float = 1.0

    @property
    def factor(self) -> float:
        """Metres per unit of the map, or of the inverse of a disparity, whatever the space."""
        return 1.0 / self.scale if self.space == "inverse depth" else self.scale

    def times(self, factor: float) -> ScaledDepth:
        """The same map, so many times as far away."""
        moved = 1.0 / factor if self.space == "inverse depth" else factor
        depth = self.depth * np.float32(factor)
        return replace(self, depth=depth, scale=self.scale * moved, shift=self.shift * moved)


Fit = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def scale_median(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """median(reference) / median(relative), and no shift: the paper's rule.

    Args:
        relative: (P,) depth, any unit.
        reference: (P,) metres, the same pixels.

    Returns:
        scale, shift; the median of an even number of pixels is the mean of the middle two.
    """
    return float(np.median(reference) / np.median(relative)), 0.0


def scale_least_squares(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """The s that makes sum (s * relative - reference)^2 least, and no shift.

    Args:
        relative: (P,) positive; depth, or inverse depth, any unit.
        reference: (P,) positive; metres, or 1 / metres, the same pixels.

    Returns:
        scale, shift. The scale of positive numbers is positive.
    """
    largest = relative.max()  # in units of it, the squares stay finite
    return float((relative / largest) @ reference / np.square(relative / largest).sum() / largest), 0.0


def scale_affine(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """The s and b that make sum (s * relative + b - reference)^2 least.

    Args:
        relative: (P,) depth, or inverse depth, up to scale and shift.
        reference: (P,) metres, or 1 / metres, the same pixels.

    Returns:
        scale, shift.

    Raises:
        DepthError: too few pixels, a flat map, or a scale that is not positive.
    """
    if len(relative) < _FEWEST:
        raise DepthError(f"{len(relative)} pixels known in both maps are too few for scale and shift")
    deviation, mean = relative - relative.mean(), reference.mean()
    spread = np.abs(deviation).max()
    if not spread > _CONSTANT * np.abs(relative).mean():
        raise DepthError("the map is flat over the pixels known in both")
    scale = float((deviation / spread) @ (reference - mean) / np.square(deviation / spread).sum() / spread)
    # A flat reference leaves a slope of rounding errors, of either sign.
    if not scale * spread > _CONSTANT * abs(mean):
        raise DepthError(f"the fitted scale {scale:.3g} is not positive: the reference does not grow with the map")
    return scale, float(mean - scale * relative.mean())


def scale_mean(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """mean(reference) / mean(relative), and no shift: the other statistic of one number."""
    return float(np.mean(reference) / np.mean(relative)), 0.0


def scale_weighted_median(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """The s that makes mean |s * relative - reference| / reference least: the best one factor for abs_rel.

    Args:
        relative: (P,) positive depth, any unit.
        reference: (P,) positive metres, the same pixels.

    Returns:
        scale, shift. The scale is the median of the ratios reference / relative, each weighted by its inverse.
    """
    ratio = np.sort(reference / relative)
    mass = np.cumsum(ratio[0] / ratio)
    return float(ratio[np.searchsorted(mass, mass[-1] / 2)]), 0.0


def scale_robust_least_squares(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """`scale_least_squares` by Huber's loss: what is far off counts for its distance, not for its square."""
    return _robust(scale_least_squares, relative, reference)


def scale_robust_affine(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """`scale_affine` by Huber's loss; raises what that raises."""
    return _robust(scale_affine, relative, reference)


def _robust(fit: Fit, relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Re-weight a least-squares fit until it settles; the unit of residuals is their median, so that no unit matters.

    Source: Huber 1964 by iteratively re-weighted least squares, the deviation as 1.4826 median |residual|.
    """
    scale, shift = fit(relative, reference)
    before = np.inf
    for _ in range(_ROUNDS):
        residual = np.abs(scale * relative + shift - reference)
        unit = 1.4826 * float(np.median(residual))
        total = float(residual.sum())
        if not unit > _CONSTANT * float(np.abs(reference).mean()) or abs(before - total) <= _SETTLED * total:
            break
        weight = np.sqrt(np.minimum(1.0, _HUBER * unit / np.maximum(residual, 1e-300)))
        scale, shift = _weighted(fit, relative, reference, weight)
        before = total
    return scale, shift


def _weighted(fit: Fit, relative: np.ndarray, reference: np.ndarray, root: np.ndarray) -> tuple[float, float]:
    """One weighted least-squares step of the fit's form; `root` (P,) are the weights' square roots."""
    if fit is scale_least_squares:
        return scale_least_squares(root * relative, root * reference)
    weight = np.square(root) / np.square(root).sum()
    centre, mean = float(weight @ relative), float(weight @ reference)
    deviation = relative - centre
    spread = float(np.abs(deviation).max())
    scale = float(
        weight @ (deviation / spread * (reference - mean)) / (weight @ np.square(deviation / spread)) / spread
    )
    if not scale * spread > _CONSTANT * abs(mean):
        raise DepthError(f"the fitted scale {scale:.3g} is not positive: the reference does not grow with the map")
    return scale, mean - scale * centre


@dataclass(frozen=True)
class Rule:
    """How two maps give a scale.

    Attributes:
        fit: (P,) float64 relative and reference -> scale, shift; one that cannot raises DepthError.
        inverse: whether it compares disparities with inverse depth; else every map is turned into depth first.
        finds_shift: whether it finds a shift too, as kinds whose shift is open need.
    """

    fit: Fit
    inverse: bool = False
    finds_shift: bool = False


@dataclass(frozen=True)
class FinerRule:
    """How two maps give a third: every kind of map is turned into depth first.

    Attributes:
        bend: (H, W) float64 depth with NaN where unknown, (H, W) reference in metres, and (H, W) bool, known in both ->
            the map in metres; one that cannot raises DepthError.
        space: where the result lives, as in `ScaledDepth`.
        inverse: False, as for a `Rule` that compares depths, and
        finds_shift: False: an open shift is found by none.
    """

    bend: Callable[[np.ndarray, np.ndarray, np.ndarray], Bent]
    space: str = "picture"
    inverse: bool = False
    finds_shift: bool = False


METHODS: dict[str, Rule | FinerRule] = {
    "median": Rule(scale_median),
    "mean": Rule(scale_mean),
    "weighted_median": Rule(scale_weighted_median),
    "least_squares": Rule(scale_least_squares, inverse=True),
    "robust_least_squares": Rule(scale_robust_least_squares, inverse=True),
    "affine": Rule(scale_affine, inverse=True, finds_shift=True),
    "robust_affine": Rule(scale_robust_affine, inverse=True, finds_shift=True),
    "log_affine": FinerRule(log_affine, "log depth"),
    "robust_log_affine": FinerRule(partial(log_affine, robust=True), "log depth"),
    "histogram": FinerRule(histogram),
    "grid": FinerRule(grid),
    "shrunk_grid": FinerRule(shrunk_grid),
}
"""Each rule by name: one scale, and perhaps one shift, for the whole map; or a map that is bent."""


def scale_depth(
    relative: np.ndarray,
    reference: np.ndarray,
    *,
    kind: str,
    method: str = "median",
    valid: np.ndarray | None = None,
) -> ScaledDepth:
    """Map the depth of one model onto the metres of another.

    The median is that of depth, and finer rules work on depth; the other fits are made in the space of `kind`: for
    disparities in inverse depth. A fit that cannot be meant (too few pixels, a flat map, a scale or contrast that is
    not positive, more than half of the map at or behind the camera) falls back to the median and says so; a kind whose
    shift is open has no such way out.

    Args:
        relative: (H, W) what the model gave; its numbers mean `kind`.
        reference: (H, W) metric depth, metres, for example the pseudo-dense depth of AVS-Net; 0 = unknown.
        kind: one of `OUTPUT_KINDS`, the name of the model's output. Metric depth is corrected like relative depth.
        method: one of `METHODS`. A kind whose shift is open needs one that finds a shift.
        valid: (H, W) bool, the pixels that the rule looks at; None looks at all. A pixel that either map does
            not know (not finite; not positive, unless the map's shift is open) is never looked at. Every pixel is
            scaled.

    Returns:
        The scaled depth; pixels unknown in `relative` stay 0.

    Raises:
        OptionError: an unknown kind or method, or a kind whose shift is open and a rule that finds none.
        DepthError: maps that are not (H, W) and equal in shape, no pixel known in both, or a kind whose shift is
            open and a reference that does not set it.

    >>> scale_depth(np.array([[1.0, 2.0, 4.0]]), np.array([[3.0, 6.0, 6.0]]), kind="relative_depth").depth
    array([[ 3.,  6., 12.]], dtype=float32)
    >>> metres = np.array([[4.0, 1.0, 2.0]])
    >>> scale_depth(np.array([[0.0, 3.0, 1.0]]), metres, kind="affine_disparity", method="affine").shift
    0.25
    """
    if method not in METHODS:
        raise OptionError(f"method: found {method!r}, wanted one of {', '.join(METHODS)}")
    return scale_by(METHODS[method], method, relative, reference, kind=kind, valid=valid)


def scale_by(
    rule: Rule | FinerRule,
    name: str,
    relative: np.ndarray,
    reference: np.ndarray,
    *,
    kind: str,
    valid: np.ndarray | None = None,
) -> ScaledDepth:
    """As `scale_depth`, by a rule that need not be in `METHODS`, called `name`."""
    inverse = kind.endswith("disparity") and rule.inverse
    values = _values(relative, kind, rule, inverse)
    metres = as_depth(reference, "metric_depth")
    if values.ndim != 2 or values.shape != metres.shape:
        raise DepthError(f"relative {values.shape} and reference {metres.shape}: wanted one shape (H, W)")
    known = np.isfinite(values) & (metres > 0.0)
    if valid is not None:
        valid = np.asarray(valid)
        if valid.shape != values.shape or valid.dtype != np.bool_:
            raise DepthError(f"valid: found {valid.dtype} {valid.shape}, wanted bool {values.shape}")
        known &= valid
    if not known.any():
        raise DepthError("no valid pixel: none is finite and positive in both maps")
    target = metres[known].astype(np.float64)
    try:
        if isinstance(rule, FinerRule):
            return _bent(rule, name, values, metres.astype(np.float64), known)
        scale, shift = rule.fit(values[known], 1.0 / target if inverse else target)
        depth = as_depth(scale * values + shift, "disparity" if inverse else "metric_depth")
        if rule.finds_shift and (depth > 0.0).sum() <= _SHARE_KEPT * np.isfinite(values).sum():
            raise DepthError(f"scale {scale:.3g} and shift {shift:.3g} leave most of the map at or behind the camera")
    except DepthError as error:
        if kind.startswith("affine"):
            raise DepthError(
                f"{kind}: {error}; without a shift the map has no metres, so give another reference"
            ) from None
        fallback = f"{name} fell back to the median: {error}"
        return replace(scale_depth(relative, reference, kind=kind, valid=valid), fallback=fallback)
    if inverse and not rule.finds_shift:
        return ScaledDepth(depth, 1.0 / scale, shift, name)
    return ScaledDepth(depth, scale, shift, name, "inverse depth" if inverse else "depth")


def _bent(rule: FinerRule, name: str, depth: np.ndarray, metres: np.ndarray, known: np.ndarray) -> ScaledDepth:
    """What a finer rule makes of a map, and the factor between the medians."""
    bent = rule.bend(depth, metres, known)
    there = np.isfinite(depth)
    scale = float(np.median(bent.depth[there]) / np.median(depth[there]))
    return ScaledDepth(as_depth(bent.depth, "metric_depth"), scale, 0.0, name, space=rule.space, contrast=bent.contrast)


def _values(relative: np.ndarray, kind: str, rule: Rule | FinerRule, inverse: bool) -> np.ndarray:
    """float64 numbers of the map in the space of the fit; NaN = unknown."""
    if kind in OUTPUT_KINDS and kind.startswith("affine") and rule.finds_shift:
        # Up to a shift, 0 and negative numbers are as good as any.
        values = np.asarray(relative, dtype=np.float64)
        return np.where(np.isfinite(values), values, np.nan)
    depth = as_depth(relative, kind).astype(np.float64)
    known = np.where(depth > 0.0, depth, np.nan)
    return 1.0 / known if inverse else known


def as_depth(values: np.ndarray, kind: str) -> np.ndarray:
    """Read a network's numbers as depth: the one place that inverts disparity.

    Args:
        values: array of any shape, whose numbers mean `kind`.
        kind: one of `OUTPUT_KINDS`.

    Returns:
        float32 depth of the same shape: metres if metric, else up to scale. 0 = unknown: what is not finite
        or not positive, before or after the inversion.

    Raises:
        OptionError: an unknown kind, or one that is known only up to a shift and so is no depth yet.
    """
    if kind not in OUTPUT_KINDS:
        raise OptionError(f"kind: found {kind!r}, wanted one of {', '.join(OUTPUT_KINDS)}")
    if kind.startswith("affine"):
        # Taking the shift as 0 would give a plausible, wrong map.
        raise OptionError(
            f"kind: {kind!r} leaves a shift open: a scale is not enough, it needs a rule that finds a shift, such as "
            "affine"
        )
    with np.errstate(divide="ignore", over="ignore"):
        # Zero and denormal disparities become infinite, hence unknown.
        depth = 1.0 / np.asarray(values, dtype=np.float64) if kind == "disparity" else np.asarray(values)
        depth = depth.astype(np.float32, copy=False)
    return np.where(np.isfinite(depth) & (depth > 0.0), depth, np.float32(0.0))
