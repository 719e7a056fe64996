"""How depth is evaluated: ten metrics of one image, and their mean over images.

Source: the paper's protocol (abs_rel to delta3) and "Beyond Image to Depth" (log10, mae). g = target, p =
prediction, metres, over the valid pixels of one image; then the mean over images. An image without a valid
pixel is skipped and counted: the published metric functions take it as 0, which flatters the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from avsnet.errors import DepthError, OptionError

Depth = np.ndarray | torch.Tensor


def abs_rel(pred: np.ndarray, target: np.ndarray) -> float:
    """mean(|g - p| / g)."""
    return np.mean(np.abs(target - pred) / target)


def sq_rel(pred: np.ndarray, target: np.ndarray) -> float:
    """mean((g - p)^2 / g), metres."""
    return np.mean((target - pred) ** 2 / target)


def rmse(pred: np.ndarray, target: np.ndarray) -> float:
    """sqrt(mean((g - p)^2)), metres."""
    return np.sqrt(np.mean((target - pred) ** 2))


def rmse_log(pred: np.ndarray, target: np.ndarray) -> float:
    """sqrt(mean((ln g - ln p)^2))."""
    return np.sqrt(np.mean((np.log(target) - np.log(pred)) ** 2))


def delta(pred: np.ndarray, target: np.ndarray, power: int) -> float:
    """Share of pixels with max(g / p, p / g) < 1.25^power, strictly."""
    return np.mean(np.maximum(target / pred, pred / target) < 1.25**power)


def log10(pred: np.ndarray, target: np.ndarray) -> float:
    """mean|log10 g - log10 p|."""
    return np.mean(np.abs(np.log10(target) - np.log10(pred)))


def mae(pred: np.ndarray, target: np.ndarray) -> float:
    """mean|g - p|, metres."""
    return np.mean(np.abs(target - pred))


def silog(pred: np.ndarray, target: np.ndarray) -> float:
    """100 sqrt(mean(d^2) - mean(d)^2), d = ln p - ln g: the deviation of d, blind to a global scale."""
    return 100.0 * np.std(np.log(pred) - np.log(target))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "abs_rel": abs_rel,
    "sq_rel": sq_rel,
    "rmse": rmse,
    "rmse_log": rmse_log,
    "delta1": partial(delta, power=1),
    "delta2": partial(delta, power=2),
    "delta3": partial(delta, power=3),
    "log10": log10,
    "mae": mae,
    "silog": silog,
}
"""Each metric by name: (P,) positive float64 predictions and targets, metres -> number."""

PAPER_METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
"""The metrics of the paper's tables, in its order."""

HIGHER_IS_BETTER: dict[str, bool] = {name: name.startswith("delta") for name in METRICS}
"""The direction of every metric, for arrows and bold type in tables."""


def depth_metrics(
    pred: Depth, target: Depth, valid: Depth, *, minimum: float = 1e-3, maximum: float = math.inf
) -> dict[str, float]:
    """Evaluate one image by all of `METRICS`, in float64.

    Args:
        pred: predicted depth, metres; array or tensor of any shape.
        target: true depth, metres; the same shape. Must be positive and finite where `valid`.
        valid: bool, the same shape: pixels that count.
        minimum: predictions below it, zero and negative ones too, are raised to it, metres: their logarithm
            and their ratio would be infinite.
        maximum: predictions above it are lowered to it, metres: the data set's cap, the same for every
            method.

    Returns:
        Name -> value, in the order of `METRICS`.

    Raises:
        DepthError: the shapes differ, no pixel is valid, or a valid pixel has a prediction that is NaN or
            infinite (unless `maximum` bounds it) or a target that is not positive and finite.
        OptionError: not 0 < minimum < maximum.

    >>> depth_metrics(np.array([1.0, 9.0]), np.array([2.0, 0.0]), np.array([True, False]))["abs_rel"]
    0.5
    """
    pixels = _valid_pixels(pred, target, valid, minimum, maximum)
    if pixels[0].size == 0:
        raise DepthError("no valid pixel")
    return {name: float(metric(*pixels)) for name, metric in METRICS.items()}


@dataclass
class MetricMean:
    """The mean over images of `depth_metrics`; parts made in different processes can be merged.

    Attributes:
        count: images that entered the mean.
        skipped: images without a valid pixel, which did not.
        sums: per metric, the sum over the counted images.
    """

    count: int = 0
    skipped: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(METRICS, 0.0))

    def add(self, scores: dict[str, float] | None) -> None:
        """Add one image's `depth_metrics`; None, for an image without a valid pixel, is skipped and counted."""
        if scores is None:
            self.skipped += 1
            return
        self.count += 1
        for name in METRICS:
            self.sums[name] += scores[name]

    def merge(self, other: MetricMean) -> None:
        """Take in the images that another accumulator has seen."""
        self.count += other.count
        self.skipped += other.skipped
        for name, value in other.sums.items():
            self.sums[name] += value

    def compute(self) -> dict[str, float]:
        """Name -> mean over the counted images, in the order of `METRICS`.

        Raises:
            DepthError: no image had a valid pixel.
        """
        if self.count == 0:
            raise DepthError(f"no image with a valid pixel ({self.skipped} skipped)")
        return {name: value / self.count for name, value in self.sums.items()}


def valid_depth(target: np.ndarray, cap: float, over_cap: str = "drop") -> tuple[np.ndarray, np.ndarray]:
    """Which pixels of a recorded depth map count. Errors under the two rules for the far ones do not compare.

    Args:
        target: metres, float array of any shape, as read: zeros, NaN, infinite and negative values are
            unknown.
        cap: metres; 12 for BatVision V1, 30 for V2.
        over_cap: what becomes of depth above the cap: "drop", it does not count (the paper), or "clip", it
            counts as the cap (the BatVision authors' code).

    Returns:
        target of the same shape and type, 0 where it does not count; valid, bool: target > 0.

    Raises:
        DepthError: the target is of a whole-number type: files hold millimetres so, and this wants metres.
        OptionError: the cap is not positive, or the rule is unknown.
    """
    target = np.asarray(target)
    if not np.issubdtype(target.dtype, np.floating):
        raise DepthError(f"target: found {target.dtype}, wanted metres as float (divide millimetres by 1000)")
    if not cap > 0.0:
        raise OptionError(f"cap: found {cap}, wanted a positive number of metres")
    if over_cap not in ("drop", "clip"):
        raise OptionError(f"over_cap: found {over_cap!r}, wanted one of drop, clip")
    valid = np.isfinite(target) & (target > 0.0)
    if over_cap == "drop":
        valid &= target <= cap
    return np.where(valid, np.minimum(target, cap), 0.0).astype(target.dtype), valid


def _valid_pixels(
    pred: Depth, target: Depth, valid: Depth, minimum: float, maximum: float
) -> tuple[np.ndarray, np.ndarray]:
    """The checked (P,) float64 predictions, clamped, and targets where `valid`; P may be 0."""
    if not 0.0 < minimum < maximum:
        raise OptionError(f"minimum {minimum}, maximum {maximum}: wanted 0 < minimum < maximum, metres")
    pred, target, valid = _array(pred), _array(target), _array(valid)
    if not pred.shape == target.shape == valid.shape:
        raise DepthError(f"shapes differ: pred {pred.shape}, target {target.shape}, valid {valid.shape}")
    if valid.dtype != np.bool_:
        raise DepthError(f"valid: found {valid.dtype}, wanted bool (for example target > 0)")
    pred = np.clip(pred[valid].astype(np.float64), minimum, maximum)
    target = target[valid].astype(np.float64)
    if not np.isfinite(pred).all():
        raise DepthError(f"pred: {np.sum(~np.isfinite(pred))} of {pred.size} valid pixels are NaN or infinite")
    unknown = ~(np.isfinite(target) & (target > 0.0))
    if unknown.any():
        raise DepthError(
            f"target: {unknown.sum()} of {target.size} valid pixels are not positive and finite; "
            "leave them out of `valid`"
        )
    return pred, target


def _array(values: Depth) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        # NumPy has no bfloat16.
        values = values.double() if values.is_floating_point() else values
    return np.asarray(values)
