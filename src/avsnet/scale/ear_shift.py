"""Scale and shift of a map whose shift is open, by ear.

A map up to scale and shift is a family of shapes: from nearly flat to one that reaches far. Each is heard as any map,
and how well an echo fits the best scale of a shape tells the shapes apart. Where an AVS-Net has seen the picture, the
contrast and the median of its metres are witnesses; a least-squares fit to them was worse, and has no answer where the
two maps disagree.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from avsnet.audio.recording import Echo
from avsnet.errors import DepthError
from avsnet.scale.ear import EarScale, posterior_from_ear, probability_of_shapes, whichever_shape
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.rules import ScaledDepth, as_depth

if TYPE_CHECKING:
    from avsnet.scale.ear_network import EarNetwork

_CONTRASTS = np.exp(np.linspace(np.log(1.6), np.log(18.0), 7))  # far over near depth of the shapes that are tried
_USUAL = (1.5, 0.6)  # mean and deviation of the log of that ratio, in rooms
_SEEN = 0.4  # deviation of that log, where a network's metres tell it
_ENDS = (0.02, 0.98)  # quantiles of the map that count as near and far
_FLAT = 1e-6  # of the map's largest value, between these, under which it has no shape


def scale_and_shift(
    values: np.ndarray,
    kind: str,
    intrinsics: np.ndarray,
    echo: Echo,
    *,
    metres: np.ndarray | None = None,
    spread: float = 0.4,
    network: EarNetwork | None = None,
) -> tuple[ScaledDepth, EarScale]:
    """Bring a map with an open shift to metres by an echo, and by another model's metres where there are some.

    Args:
        values: (H, W) depth or disparity up to scale and shift; not finite = unknown.
        kind: `"affine_depth"` or `"affine_disparity"`.
        intrinsics: (3, 3) pixels of this map.
        echo: what `avsnet.audio.recording.listen` heard.
        metres: (H, W) what an AVS-Net makes of the same picture: its contrast and its median are witnesses.
        spread: deviation of the log of the true scale over that median's.
        network: None: the packaged ear.

    Returns:
        The map in metres, and what was heard; its posterior, over the factor of that map, counts in the doubt about
        the shift.

    Raises:
        DepthError: no pixel is known, or the map is flat.
        EchoError: as `posterior_from_ear`.
        ModelError: likewise.
    """
    expected, deviation = _USUAL if metres is None else (_contrast(metres), _SEEN)
    heard: list[EarScale] = []
    shapes = [_shape(values, kind, contrast) for contrast in _CONTRASTS]
    for shape in shapes:
        known = shape.depth > 0.0
        own = None if metres is None else ScalePosterior.normal(_median(metres) / _median(shape.depth), spread)
        heard.append(posterior_from_ear(shape.depth, known, intrinsics, echo, own=own, network=network))
    probability = probability_of_shapes(heard, -0.5 * ((np.log(_CONTRASTS) - expected) / deviation) ** 2)
    best = int(np.searchsorted(np.cumsum(probability), 0.5))
    found, unit = whichever_shape(heard, probability, best), float(np.log(shapes[best].factor))
    told = replace(found, posterior=found.posterior.shifted(unit), prior=found.prior.shifted(unit))
    return shapes[best].times(found.posterior.median), told


def shape_like(values: np.ndarray, kind: str, metres: np.ndarray) -> ScaledDepth:
    """A map with an open shift, at the contrast and the median of another model's metres.

    Raises:
        DepthError: no pixel is known, or the map is flat.
    """
    shape = _shape(values, kind, float(np.exp(np.clip(_contrast(metres), *np.log(_CONTRASTS[[0, -1]])))))
    return shape.times(_median(metres) / _median(shape.depth))


def _shape(values: np.ndarray, kind: str, contrast: float) -> ScaledDepth:
    """The map in some unit, its far end so many times as far away as its near one."""
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        raise DepthError("no valid pixel: the map is all unknown")
    low, high = np.quantile(values[known], _ENDS)
    if not high - low > _FLAT * np.abs(values[known]).max():
        raise DepthError(f"{kind}: the map is flat, so nothing sets its shift")
    inverse = kind.endswith("disparity")
    scale = float(1.0 / (high - low))
    shift = float(1.0 / (contrast - 1.0) - scale * low)
    depth = as_depth(np.where(known, scale * values + shift, np.nan), "disparity" if inverse else "metric_depth")
    return ScaledDepth(depth, scale, shift, "ear", "inverse depth" if inverse else "depth")


def _contrast(metres: np.ndarray) -> float:
    """Log of the far over the near depth of a metric map."""
    low, high = np.quantile(metres[metres > 0.0], _ENDS)
    return float(np.log(high / low))


def _median(depth: np.ndarray) -> float:
    return float(np.median(depth[depth > 0.0]))
