"""What the usual metrics hide: a wrong scale apart from a wrong shape, walls that wave, obstacles that are missed.

g = target, p = prediction, metres, over the valid pixels of one image. A wavy wall costs next to none in abs_rel, and
a map that is a tenth too far everywhere has a perfect shape.
"""

from __future__ import annotations

import math

import numpy as np

SHAPE_METRICS = ("scale_error", "shape_error", "normal_error", "nearest_error", "missed_near")
"""Every metric of `shape_metrics`, in its order; lower is better in all."""

NEAR = 2.0
"""Metres; what is nearer is an obstacle."""

_NEAREST = 0.01  # quantile that stands for the nearest pixel: single ones are noise
_STEPS = 96  # pictures are divided by so many for the baseline of normals: less is the sensor's noise
_JUMP = 0.1  # relative difference of true depth across a baseline from which on there is an edge and no surface


def best_scale(pred: np.ndarray, target: np.ndarray) -> float:
    """The factor of least abs_rel: the median of g / p, weighted by p / g.

    Args:
        pred: (P,) metres, positive.
        target: (P,) metres, positive.
    """
    ratio = np.asarray(target, dtype=np.float64) / pred
    order = np.argsort(ratio)
    weight = np.cumsum(1.0 / ratio[order])
    return float(ratio[order[np.searchsorted(weight, 0.5 * weight[-1])]])


def scale_error(pred: np.ndarray, target: np.ndarray) -> float:
    """|log k|, k the factor of least abs_rel: how far off the metres are, whatever the shape."""
    return abs(math.log(best_scale(pred, target)))


def shape_error(pred: np.ndarray, target: np.ndarray) -> float:
    """mean(|g - k p| / g), k the factor of least abs_rel: what is wrong when the scale is right."""
    return float(np.mean(np.abs(target - best_scale(pred, target) * pred) / target))


def normal_error(pred: np.ndarray, target: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray) -> float:
    """Mean angle between the surfaces' normals, degrees; NaN where no smooth surface is seen.

    A normal is that of the triangle of a pixel and its neighbours a 96th of the picture's width to the right and below;
    where these are of several surfaces, by the true depth, there is none.

    Args:
        pred: (H, W) metres, positive.
        target: (H, W) metres.
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels.
    """
    step = max(1, round(target.shape[1] / _STEPS))
    known = valid[::step, ::step]
    depth = np.where(known, target[::step, ::step], 1.0)
    smooth = known[:-1, :-1] & known[:-1, 1:] & known[1:, :-1]
    for other in (depth[:-1, 1:], depth[1:, :-1]):
        smooth &= np.abs(other - depth[:-1, :-1]) < _JUMP * depth[:-1, :-1]
    if not smooth.any():
        return math.nan
    ours, theirs = (_normals(one, intrinsics, step)[smooth] for one in (pred[::step, ::step], depth))
    cosine = np.clip(np.einsum("pi,pi->p", ours, theirs), -1.0, 1.0)
    return float(np.degrees(np.arccos(cosine)).mean())


def nearest_error(pred: np.ndarray, target: np.ndarray) -> float:
    """Absolute error of the distance of the nearest obstacle, metres: of the depth that 1 % of the pixels are below."""
    return float(abs(np.quantile(pred, _NEAREST) - np.quantile(target, _NEAREST)))


def missed_near(pred: np.ndarray, target: np.ndarray) -> float:
    """Share of the pixels nearer than 2 m that the map puts at 2 m or farther; NaN where nothing is so near."""
    near = target < NEAR
    return float(np.mean(pred[near] >= NEAR)) if near.any() else math.nan


def shape_metrics(
    pred: np.ndarray, target: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray | None = None
) -> dict[str, float]:
    """Evaluate one image by all of `SHAPE_METRICS`.

    Args:
        pred: (H, W) metres, positive and finite where valid.
        target: (H, W) metres, likewise.
        valid: (H, W) bool, at least one.
        intrinsics: (3, 3) pixels; None: nobody tells, and there are no normals.

    Returns:
        Name -> value; NaN where the image has nothing to measure it on.
    """
    p, g = pred[valid].astype(np.float64), target[valid].astype(np.float64)
    k = best_scale(p, g)
    return {
        "scale_error": abs(math.log(k)),
        "shape_error": float(np.mean(np.abs(g - k * p) / g)),
        "normal_error": math.nan if intrinsics is None else normal_error(pred, target, valid, intrinsics),
        "nearest_error": nearest_error(p, g),
        "missed_near": missed_near(p, g),
    }


def _normals(depth: np.ndarray, intrinsics: np.ndarray, step: int) -> np.ndarray:
    """(H - 1, W - 1, 3) unit normals of a map of which every `step`-th pixel each way is given."""
    rows, columns = np.indices(depth.shape)
    x = (columns * step - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (rows * step - intrinsics[1, 2]) / intrinsics[1, 1]
    points = np.stack([x, y, np.ones_like(x)], axis=-1) * depth[..., None]
    normal = np.cross(points[:-1, 1:] - points[:-1, :-1], points[1:, :-1] - points[:-1, :-1])
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12))
