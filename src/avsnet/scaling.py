"""The idea of the paper: a picture gives the shape of depth, an echo its scale; bring any map to metres.

Source: the paper, stage two: M = R * median(Mp) / median(R), with R the depth of a relative model and Mp the
pseudo-dense metric depth of AVS-Net. The medians are those of *depth*, so disparity is inverted first, and
only here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avsnet.errors import DepthError, OptionError
from avsnet.models.registry import OUTPUT_KINDS


@dataclass(frozen=True)
class ScaledDepth:
    """A depth map in metres, and how it was brought there.

    Attributes:
        depth: (H, W) float32 metres, 0 = unknown.
        scale: what the relative depth (of a disparity: its inverse) was multiplied by.
        shift: metres that were added after it.
        method: the rule's name in `METHODS`.
    """

    depth: np.ndarray
    scale: float
    shift: float
    method: str


def scale_median(relative: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """median(reference) / median(relative), and no shift: the paper's rule.

    Args:
        relative: (P,) depth, any unit.
        reference: (P,) metres, the same pixels.

    Returns:
        scale, shift; the median of an even number of pixels is the mean of the middle two.
    """
    return float(np.median(reference) / np.median(relative)), 0.0


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[float, float]]] = {"median": scale_median}
"""Each rule by name: (P,) positive float64 relative and reference depth -> scale, shift."""


def scale_depth(
    relative: np.ndarray,
    reference: np.ndarray,
    *,
    kind: str,
    method: str = "median",
    valid: np.ndarray | None = None,
) -> ScaledDepth:
    """Map the depth of one model onto the metres of another: depth = scale * relative + shift.

    Args:
        relative: (H, W) what the model gave; its numbers mean `kind`.
        reference: (H, W) metric depth, metres, for example the pseudo-dense depth of AVS-Net; 0 = unknown.
        kind: one of `OUTPUT_KINDS`, the name of the model's output. Metric depth is corrected like relative depth.
        method: one of `METHODS`.
        valid: (H, W) bool, the pixels that the rule looks at; None looks at all. A pixel that either map does
            not know (not finite, not positive) is never looked at. Every pixel is scaled.

    Returns:
        The scaled depth; pixels unknown in `relative` stay 0.

    Raises:
        OptionError: an unknown kind or method, or a kind whose shift is open.
        DepthError: maps that are not (H, W) and equal in shape, or no pixel known in both.

    >>> scale_depth(np.array([[1.0, 2.0, 4.0]]), np.array([[3.0, 6.0, 6.0]]), kind="relative_depth").depth
    array([[ 3.,  6., 12.]], dtype=float32)
    """
    if method not in METHODS:
        raise OptionError(f"method: found {method!r}, wanted one of {', '.join(METHODS)}")
    depth, reference = as_depth(relative, kind), as_depth(reference, "metric_depth")
    if depth.ndim != 2 or depth.shape != reference.shape:
        raise DepthError(f"relative {depth.shape} and reference {reference.shape}: wanted one shape (H, W)")
    known = (depth > 0.0) & (reference > 0.0)
    if valid is not None:
        valid = np.asarray(valid)
        if valid.shape != depth.shape or valid.dtype != np.bool_:
            raise DepthError(f"valid: found {valid.dtype} {valid.shape}, wanted bool {depth.shape}")
        known &= valid
    if not known.any():
        raise DepthError("no valid pixel: none is finite and positive in both maps")
    scale, shift = METHODS[method](depth[known].astype(np.float64), reference[known].astype(np.float64))
    metres = np.where(depth > 0.0, depth.astype(np.float64) * scale + shift, 0.0)
    return ScaledDepth(as_depth(metres, "metric_depth"), scale, shift, method)


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
            f"kind: {kind!r} leaves a shift open: a scale is not enough, it needs a rule that finds a shift"
        )
    depth = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        # Zero and denormal disparities become infinite, hence unknown.
        depth = (1.0 / depth if kind == "disparity" else depth).astype(np.float32)
    return np.where(np.isfinite(depth) & (depth > 0.0), depth, np.float32(0.0))
