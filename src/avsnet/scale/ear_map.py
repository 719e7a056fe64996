"""What the ear takes from a depth map: what can be expected to echo, over the logarithm of distance per median depth.

Every pixel is a small piece of surface. Sound comes back along the ray where it is met squarely; a flat surface
mirrors it from the foot of its perpendicular, at the distance of its tangent plane, wherever that foot lies. All is
divided by the map's median depth, so a map times two gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter

from avsnet.geometry import unproject
from avsnet.scale.ear_echo import DIRECTIONS, STEP

DISTANCES = np.arange(-215, 167) * STEP
"""(V,) log of the distance over the median depth: 0.04 to 12."""

MAP_CHANNELS = 14
MAP_NUMBERS = 12

_COLUMNS = 64  # that the map is thinned to
_WINDOWS = (5, 13)  # thinned pixels, sides of the squares through which tangent planes are fitted
_FLAT = (0.02, 0.04)  # relative error at which such a square counts half as flat
_FOOT = 0.12  # of log depth between a foot and what is seen there, up to which they are the same surface
_LEVEL = 0.7  # cosine between a normal and the vertical, of floors and ceilings


def map_features(depth: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A map over log distance, and its statistics.

    Args:
        depth: (H, W) along the optical axis, any unit.
        valid: (H, W) bool, some of it true.
        intrinsics: (3, 3) pixels of this map.

    Returns:
        (14, V) float32 square roots of densities of solid angle: over the distance along the ray, all and where it is
        met squarely; over the tangent plane's, all, and for small and large tangent planes those met rather squarely;
        of the large planes those whose foot is seen, outside the picture, hidden, or open, and those that face each of
        `DIRECTIONS`.
        (12,) float32: quantiles of log depth, share known, field of view, floor, ceiling, lower and upper third.
    """
    depth, valid, camera = _thinned(depth, valid, intrinsics)
    depth = np.where(valid, depth, 0.0).astype(np.float64)
    depth /= np.median(depth[valid])
    points = unproject(depth, camera)
    ranges = np.maximum(np.linalg.norm(points, axis=-1), 1e-9)
    angle = np.where(valid, (depth / ranges) ** 3, 0.0)  # solid angle of a pixel, but for a constant
    angle /= angle.sum()
    small, large = (_tangents(points, valid, window, flat) for window, flat in zip(_WINDOWS, _FLAT, strict=True))
    incidence = [
        np.clip(np.einsum("hwi,hwi->hw", m, points) / (size * ranges), 0.0, 1.0) for m, size, _ in (small, large)
    ]
    near, far = ((1.0 / size, angle * weight) for _, size, weight in (small, large))
    foot = _feet(large[0] / large[1][..., None] ** 2, depth, valid, camera)
    squarely, normals = far[1] * incidence[1] ** 2, large[0] / large[1][..., None]
    ray, tangent, wide = _Bins(ranges), _Bins(near[0]), _Bins(far[0])
    channels = [
        ray.density(angle),
        ray.density(near[1] * incidence[0] ** 16),
        tangent.density(near[1]),
        tangent.density(near[1] * incidence[0] ** 4),
        wide.density(far[1] * incidence[1] ** 4),
        *(wide.density(squarely * (foot == kind)) for kind in range(4)),
        *(wide.density(squarely * np.maximum(normals @ direction, 0.0) ** 2) for direction in DIRECTIONS),
    ]
    numbers = _statistics(depth, valid, camera, normals, *far)
    return np.stack(channels).astype(np.float32), numbers.astype(np.float32)


def _thinned(depth: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every so many-th pixel, and the camera that goes with it; never fewer than the largest window needs."""
    step = max(1, round(depth.shape[1] / _COLUMNS))
    step = max(1, min(step, depth.shape[0] // (2 * _WINDOWS[-1])))
    thin = valid[::step, ::step]
    if not thin.any():  # the few pixels known fell through
        return depth, valid, intrinsics
    return depth[::step, ::step], thin, np.diag([1 / step, 1 / step, 1.0]) @ intrinsics


def _tangents(
    points: np.ndarray, valid: np.ndarray, window: int, flat: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares of 1 = m . x in a square round each pixel: relative errors along the rays weigh alike.

    Returns:
        (H, W, 3) m; (H, W) its length, one over the tangent plane's distance; (H, W) how flat it is there, 0..1.
    """
    x, y, z = np.moveaxis(np.where(valid[..., None], points, 0.0), -1, 0)
    sums = np.stack([x * x, y * y, z * z, x * y, x * z, y * z, x, y, z, valid])
    xx, yy, zz, xy, xz, yz, *first, count = uniform_filter(sums, size=(1, window, window), mode="constant")
    ridge = 1e-9 * (xx + yy + zz) + 1e-12
    m = _solved((xx + ridge, yy + ridge, zz + ridge), (xy, xz, yz), first)
    error = 1.0 - sum(a * b for a, b in zip(m, first, strict=True)) / np.maximum(count, 1e-9)  # squared, the least
    weight = valid / (1.0 + np.maximum(error, 0.0) / flat**2)
    return np.stack(m, axis=-1), np.maximum(np.sqrt(sum(one * one for one in m)), 1e-6), weight


def _solved(
    diagonal: Sequence[np.ndarray], beside: Sequence[np.ndarray], wanted: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The solutions of many symmetric, positive systems of three: NumPy's own solver takes four times as long.

    Args:
        diagonal: entries 00, 11 and 22 of each.
        beside: entries 01, 02 and 12.
        wanted: the right sides.
    """
    (a, d, f), (b, c, e), (p, q, r) = diagonal, beside, wanted
    second, third = b / a, c / a
    d, e, q = d - second * b, e - second * c, q - second * p
    last = e / d
    z = (r - third * p - last * q) / (f - third * c - last * e)
    y = q / d - last * z
    return p / a - second * y - third * z, y, z


def _feet(foot: np.ndarray, depth: np.ndarray, valid: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(H, W) what is where each tangent plane is met squarely: 0 itself, 1 nothing known, 2 nearer, 3 farther."""
    height, width = depth.shape
    ahead = foot[..., 2] > 0.01 * np.linalg.norm(foot, axis=-1)
    z = np.where(ahead, foot[..., 2], 1.0)
    at = np.clip(np.rint((foot @ camera.T)[..., :2] / z[..., None]), -1e6, 1e6).astype(int)
    inside = ahead & (at >= 0).all(axis=-1) & (at < (width, height)).all(axis=-1)
    column, row = (np.where(inside, at[..., axis], 0) for axis in (0, 1))
    inside &= valid[row, column]
    gap = np.log(np.maximum(depth[row, column], 1e-9) / z)
    return np.where(~inside, 1, np.where(np.abs(gap) < _FOOT, 0, np.where(gap < 0.0, 2, 3)))


class _Bins:
    """The cells of log distance to which pixels belong, by their (H, W) distances."""

    def __init__(self, distance: np.ndarray) -> None:
        place = (np.log(distance.ravel()) - DISTANCES[0]) / STEP
        first = np.floor(place).astype(int)
        self._inside = (first >= 0) & (first < len(DISTANCES) - 1)
        self._first, self._part = first[self._inside], (place - first)[self._inside]

    def density(self, weight: np.ndarray) -> np.ndarray:
        """(V,) square root of the (H, W) weight per unit of log distance, each pixel shared between two cells."""
        weight = weight.ravel()[self._inside]
        found = np.bincount(self._first, weight * (1.0 - self._part), len(DISTANCES))
        return np.sqrt((found + np.bincount(self._first + 1, weight * self._part, len(DISTANCES))) / STEP)


def _statistics(
    depth: np.ndarray,
    valid: np.ndarray,
    camera: np.ndarray,
    normals: np.ndarray,
    distance: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """What the map alone tells of the room's size: its spread of depth, its view, how high it is above a floor."""
    spread = np.quantile(np.log(depth[valid]), [0.05, 0.25, 0.75, 0.95])
    level = []
    for sign in (1.0, -1.0):
        share = np.where(sign * normals[..., 1] > _LEVEL, weight, 0.0)
        total = share.sum()
        level += [total, float((share * np.log(distance)).sum()) / (total + 0.02)]
    return np.array([*spread, valid.mean(), np.log(camera[0, 0] / depth.shape[1]), *level, *_tilt(depth, valid)])


def _tilt(depth: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    """Mean log depth of the lower and of the upper third, 0 where nothing is known."""
    height = len(depth)
    thirds = (slice(2 * height // 3, None), slice(0, max(1, height // 3)))
    return tuple(  # type: ignore[return-value]
        float(np.log(depth[third][valid[third]]).mean()) if valid[third].any() else 0.0 for third in thirds
    )
