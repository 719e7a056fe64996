"""The dominant planes of a depth map: which surfaces can mirror a sound, and how well the map knows where they are.

A plane n . x = d is fitted through m = n / d, because 1 = m . x makes the residual 1 - m . x the *relative* depth
error along a ray, which is what a depth model errs in: near and far pixels weigh alike, and the fit is linear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from avsnet.geometry import pixel_rays, unproject

_COLUMNS = 64  # at least, that the map is thinned to, rows alike; planes need no more
_FEWEST_ROWS, _MOST_ROWS = 24, 256  # of very flat and very tall pictures, whose rows are thinned otherwise
_PATCHES = (5, 9, 15)  # grid cells; sides of the squares that propose planes
_PROPOSALS = 130  # of each size
_MIN_SHARE = 0.03  # of the known pixels
_MAX_PLANES = 10
_EXACT = 0.01  # relative error within which the surfaces of a rendered map are flat
_FLAT, _FLATTER = 0.05, 0.12  # share off all planes of a map that is flat; by how much another reading must be worse
_CELLS = 6  # shape errors are taken as independent between sixths of the picture


class Foot(Enum):
    """What stands where the perpendicular from the camera meets the plane, the point that mirrors the rig's sound."""

    SEEN = "seen"  # the plane itself
    OUTSIDE = "outside"  # outside the picture, or unknown: the plane is extrapolated
    HIDDEN = "hidden"  # something nearer
    OPEN = "open"  # something farther: the plane ends before


@dataclass(frozen=True)
class Plane:
    """One plane of a map.

    Args:
        normal: (3,) unit vector, camera axes, pointing away from the camera.
        distance: from the camera, in the map's unit.
        share: of the known pixels that lie on it.
        spread: relative error of `distance` for a relative shape error of 1, from the fit's covariance.
        foot: what stands where it would mirror sound.
    """

    normal: np.ndarray
    distance: float
    share: float
    spread: float
    foot: Foot


def find_planes(
    depth: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray, tolerance: float, seed: int = 0
) -> tuple[list[Plane], float]:
    """Take the best plane, remove its pixels, repeat while one holds 3 % of the picture.

    Args:
        depth: (H, W) any unit, along the optical axis.
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels.
        tolerance: relative depth error up to which a pixel lies on a plane.
        seed: of the squares that propose planes; a bent map falls into planes in more than one way.

    Returns:
        The planes, largest share first, at most 10; the share of the known pixels that lies on none.
    """
    across = max(1, depth.shape[1] // _COLUMNS)
    down = int(np.clip(across, math.ceil(depth.shape[0] / _MOST_ROWS), max(1, depth.shape[0] // _FEWEST_ROWS)))
    known = valid[::down, ::across]
    points = unproject(depth[::down, ::across], np.diag([1 / across, 1 / down, 1.0]) @ intrinsics)
    proposals = _proposals(points, known, seed)
    if not len(proposals):
        return [], 1.0
    flat, free = points.reshape(-1, 3), known.ravel().copy()
    fewest = _MIN_SHARE * free.sum()
    near = np.abs(1.0 - flat @ proposals.T) < tolerance
    planes: list[Plane] = []
    while len(planes) < _MAX_PLANES:
        members = near & free[:, None]
        best = int(np.argmax(members.sum(axis=0)))
        inside, m = members[:, best], proposals[best]
        if inside.sum() < fewest:
            break
        for _ in range(3):
            refined = _fit(flat[inside])
            closer = (np.abs(1.0 - flat @ refined) < tolerance) & free
            if closer.sum() < fewest:
                break
            inside, m = closer, refined
        length = float(np.linalg.norm(m))
        planes.append(
            Plane(
                normal=m / length,
                distance=1.0 / length,
                share=float(inside.sum() / known.sum()),
                spread=_spread(m, points, inside.reshape(known.shape)),
                foot=_foot(m / length**2, depth, valid, intrinsics, tolerance),
            )
        )
        free &= ~inside
    return planes, float(free.sum() / known.sum())


def _spread(m: np.ndarray, points: np.ndarray, inside: np.ndarray) -> float:
    """Relative error of the distance 1 / |m| if each cell of the picture errs by 1, from the fit's covariance."""
    members = points[inside]
    height, width = inside.shape
    rows, columns = np.nonzero(inside)
    cells = np.unique(rows * _CELLS // height * _CELLS + columns * _CELLS // width)
    scatter = members.T @ members / len(members)
    covariance = np.linalg.inv(scatter + 1e-9 * np.trace(scatter) * np.eye(3)) / len(cells)
    return float(np.sqrt(m @ covariance @ m) / (m @ m))


def _foot(point: np.ndarray, depth: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray, tolerance: float) -> Foot:
    height, width = depth.shape
    if point[2] <= 0.01 * np.linalg.norm(point):  # beside or behind the camera
        return Foot.OUTSIDE
    column, row, _ = np.rint(intrinsics @ point / point[2]).astype(int)
    if not (0 <= row < height and 0 <= column < width and valid[row, column]):
        return Foot.OUTSIDE
    gap = np.log(depth[row, column] / point[2])
    if abs(gap) < 3.0 * tolerance:
        return Foot.SEEN
    return Foot.HIDDEN if gap < 0.0 else Foot.OPEN


def _proposals(points: np.ndarray, known: np.ndarray, seed: int) -> np.ndarray:
    """(P, 3) planes m through small squares of the grid; the same for the same seed and size of map."""
    rng = np.random.default_rng(seed)
    height, width = known.shape
    found = []
    for size in _PATCHES:
        if size > min(height, width):
            continue
        for row, column in zip(
            rng.integers(0, height - size + 1, _PROPOSALS),
            rng.integers(0, width - size + 1, _PROPOSALS),
            strict=True,
        ):
            square = slice(row, row + size), slice(column, column + size)
            if known[square].mean() >= 0.6:
                found.append(_fit(points[square][known[square]]))
    return np.array(found).reshape(-1, 3)


def _fit(points: np.ndarray) -> np.ndarray:
    """Least squares of 1 = m . x."""
    scatter = points.T @ points
    return np.linalg.solve(scatter + 1e-9 * np.trace(scatter) * np.eye(3), points.sum(axis=0))


def counts_distance(depth: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray) -> bool:
    """Whether a map's surfaces are flat if its numbers are distances along the rays, and bent if they are depth.

    Args:
        depth: (H, W) any unit.
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels.
    """
    rays = np.linalg.norm(pixel_rays(intrinsics, *depth.shape), axis=-1)
    bent, flat = (find_planes(one, valid, intrinsics, _EXACT)[1] for one in (depth, depth / rays))
    return flat < _FLAT and bent > flat + _FLATTER
