"""A true depth map bent as real depth models bend it, so that the ear does not trust shapes that no model delivers.

Ranges follow what FastDepth and PyDNet err by on real pictures: deviation of log depth 0.24 to 0.46 after the median,
slope of true on predicted log depth 0.3 to 1.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from avsnet.scale.factor import nearest_factor

_TRUE = 0.25  # share of maps whose shape is left true
_CROP = (0.45, 1.0)  # share of the picture's sides
_ERROR = 0.3  # largest deviation of the smooth error of log depth
_CELLS = (2, 4, 9)  # random values across, of the three scales of that error
_TILT = 0.12  # deviation of the slopes of log depth over half a picture
_CONTRAST = 0.3  # deviation of the log of the factor of log depth
_BLUR = 0.02  # of the width, largest
_FOCAL = 0.06  # deviation of the log of the focal length that is believed
_FAR = 0.25  # share of maps whose far parts are unknown


@dataclass(frozen=True, eq=False)
class DepthMap:
    """A map beside the truth.

    Args:
        depth: (H, W) any unit along the optical axis, 0 = unknown.
        truth: (H, W) metres, 0 = unknown.
        intrinsics: (3, 3) pixels, as believed.
    """

    depth: np.ndarray
    truth: np.ndarray
    intrinsics: np.ndarray

    def scales(self) -> tuple[float, float]:
        """Metres per unit: by the ratio of medians, and the one factor with the least mean relative error.

        Raises:
            DepthError: no pixel is known in both.
        """
        factor = nearest_factor(self.depth, self.truth)
        both = (self.depth > 0.0) & (self.truth > 0.0)
        return float(np.median(self.truth[both]) / np.median(self.depth[both])), factor


def cropped(found: DepthMap, rng: np.random.Generator, least: float = _CROP[0]) -> DepthMap:
    """A part of a map, of between `least` and all of its sides."""
    height, width = found.depth.shape
    share = rng.uniform(least, _CROP[1])
    size = max(8, round(share * height)), max(8, round(share * width))
    upper, left = (int(rng.integers(0, side - part + 1)) for side, part in zip((height, width), size, strict=True))
    part = slice(upper, upper + size[0]), slice(left, left + size[1])
    shift = np.array([[0.0, 0.0, left], [0.0, 0.0, upper], [0.0, 0.0, 0.0]])
    return DepthMap(found.depth[part], found.truth[part], found.intrinsics - shift)


def distorted(found: DepthMap, rng: np.random.Generator, strength: float = 1.0) -> DepthMap:
    """A map with the errors of a depth model.

    Args:
        found: a map, some of it known.
        rng: draws them.
        strength: of the errors in shape, 1 for a true map.
    """
    known = found.depth > 0.0
    if rng.random() < _TRUE or not known.any():
        return found
    log = np.log(np.where(known, found.depth, 1.0)).astype(np.float64)
    log = np.where(known, log, np.median(log[known]))
    log = gaussian_filter(log, rng.uniform(0.0, _BLUR) * log.shape[1])
    middle = np.median(log[known])
    log = middle + np.exp(strength * rng.normal(0.0, _CONTRAST)) * (log - middle)
    log += strength * _smooth_error(log.shape, rng)
    depth = np.where(known, np.exp(np.clip(log, middle - 4.0, middle + 4.0)), 0.0)
    if rng.random() < _FAR:
        depth[depth > np.quantile(depth[known], rng.uniform(0.4, 1.0))] = 0.0
    focal = np.exp(rng.normal(0.0, _FOCAL))
    return replace(found, depth=depth, intrinsics=np.diag([focal, focal, 1.0]) @ _centred(found, focal))


def _centred(found: DepthMap, focal: float) -> np.ndarray:
    """The camera with its principal point divided by a factor that it will be multiplied with."""
    camera = found.intrinsics.copy()
    camera[:2, 2] /= focal
    return camera


def _smooth_error(size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(H, W) random fields of three scales and a tilt."""
    shares = rng.dirichlet(np.ones(len(_CELLS)))
    deviation = rng.uniform(0.0, _ERROR)
    rows, columns = np.linspace(-1.0, 1.0, size[0])[:, None], np.linspace(-1.0, 1.0, size[1])
    slopes = rng.normal(0.0, _TILT, 2)
    error = slopes[0] * rows + slopes[1] * columns
    for cells, share in zip(_CELLS, shares, strict=True):
        coarse = rng.standard_normal((cells + 1, cells + 1))
        field = zoom(coarse, (size[0] / (cells + 1), size[1] / (cells + 1)), order=1, grid_mode=True, mode="nearest")
        error = error + deviation * np.sqrt(share) * field[: size[0], : size[1]]
    return error
