"""A depth map as rectangles: its planes tiled, and whatever is not plane as small patches.

What the camera sees becomes surfaces that sound can meet; every tolerance is relative, so that a map times two gives
the same rectangles times two. World axes are the camera's: x right, y down, z forward.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_closing

from avsnet.geometry import unproject
from avsnet.planes import Plane

COLUMNS = 160
"""Pixels across that a map is thinned to; sound resolves no more."""

TOLERANCE = 0.015
"""Relative depth error up to which a pixel lies on a plane."""

_CELLS = 48  # along the longer side of a plane
_MOST_TILES = 12  # of one plane
_SMALLEST_TILE = 0.02  # of the plane's cells
_BLOCK = 8  # thinned pixels, side of a patch of what is not plane
_STEEPEST = 0.25  # cosine between a patch's normal and the ray that sees it
_CLUSTER = 0.05  # relative depth within one patch


def thinned(depth: np.ndarray, intrinsics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every so many-th pixel of a map (H, W), at most about 160 across, and the camera that goes with it."""
    step = max(1, round(max(depth.shape) / COLUMNS))
    return depth[::step, ::step], np.diag([1 / step, 1 / step, 1.0]) @ intrinsics


def plane_members(points: np.ndarray, plane: Plane) -> np.ndarray:
    """(...,) whether points (..., 3) lie on a plane, as the camera sees it."""
    return np.abs(1.0 - points @ (plane.normal / plane.distance)) < TOLERANCE


def plane_tiles(
    depth: np.ndarray, intrinsics: np.ndarray, plane: Plane, frame: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles that cover the seen part of a plane, and what lies behind nearer things.

    Args:
        depth: (H, W) metres, thinned, 0 = unknown.
        intrinsics: (3, 3) pixels of it.
        plane: one of its planes.
        frame: (3, 3) rows are the room's directions, which tiles follow.

    Returns:
        (T, 3, 3) corner and two edges of each tile, facing the camera; (H, W) bool, the pixels that they cover.
    """
    points = unproject(depth, intrinsics)
    member = (depth > 0.0) & plane_members(points, plane)
    along = frame[np.argmin(np.abs(frame @ plane.normal))]
    u = along - (along @ plane.normal) * plane.normal
    u /= np.linalg.norm(u)
    axes = np.stack([u, np.cross(plane.normal, u)])
    place = points @ axes.T
    if not member.any():
        return np.zeros((0, 3, 3)), member
    low, high = np.percentile(place[member], [0.5, 99.5], axis=0)
    cell = max(float((high - low).max()) / _CELLS, 1e-9)
    counts = np.maximum(1, np.ceil((high - low) / cell).astype(int))
    centres = low + (np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1) + 0.5) * cell
    solid = _solid(centres @ axes + plane.distance * plane.normal, depth, intrinsics, member)
    tiles, taken = [], np.zeros_like(solid)
    smallest = max(2.0, _SMALLEST_TILE * solid.sum())
    for _ in range(_MOST_TILES):
        (first, last), area = largest_rectangle(solid & ~taken)
        if area < smallest:
            break
        taken[first[0] : last[0], first[1] : last[1]] = True
        begin, edges = low + np.array(first) * cell, (np.array(last) - first) * cell
        corner = plane.distance * plane.normal + begin @ axes
        tiles.append([corner, edges[1] * axes[1], edges[0] * axes[0]])  # v x u looks back at the camera
    index = np.floor((place - low) / cell)
    inside = member & ((index >= 0) & (index < counts)).all(axis=-1)
    covered = np.zeros_like(member)
    covered[inside] = taken[tuple(index[inside].astype(int).T)]
    return np.array(tiles).reshape(-1, 3, 3), covered


def _solid(centres: np.ndarray, depth: np.ndarray, intrinsics: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Which cells of a plane, (A, B, 3) points, are surface: the map says so, or nothing speaks against it."""
    z = np.maximum(centres[..., 2], 1e-9)
    pixel = centres @ intrinsics.T
    column, row = (np.rint(pixel[..., axis] / z) for axis in (0, 1))
    height, width = depth.shape
    seen = (centres[..., 2] > 0.0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    at = np.where(seen, row, 0).astype(int), np.where(seen, column, 0).astype(int)
    on_plane = seen & member[at]
    # Where the map has a hole or something nearer, the plane goes on if it is there on all sides.
    open_ = seen & (depth[at] > z * (1.0 + TOLERANCE)) & ~on_plane
    return on_plane | (binary_closing(on_plane, np.ones((5, 5)), border_value=0) & ~open_)


def largest_rectangle(mask: np.ndarray) -> tuple[tuple[tuple[int, int], tuple[int, int]], int]:
    """The largest block of True in (A, B) bool: its first cell, the one past its last, and its number of cells."""
    best, block = 0, ((0, 0), (0, 0))
    heights = np.zeros(mask.shape[1] + 1, dtype=int)  # a bar of height 0 at the end closes all others
    for row, line in enumerate(mask):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        open_bars: list[tuple[int, int]] = []  # (where it starts, height), rising
        for column, height in enumerate(heights.tolist()):
            start = column
            while open_bars and open_bars[-1][1] > height:
                start, closed = open_bars.pop()
                if closed * (column - start) > best:
                    best = closed * (column - start)
                    block = (row + 1 - closed, start), (row + 1, column)
            if height and (not open_bars or open_bars[-1][1] < height):
                open_bars.append((start, height))
    return block, best


def patches(depth: np.ndarray, intrinsics: np.ndarray, left: np.ndarray) -> np.ndarray:
    """One small rectangle per surface in each block of the pixels that no plane took.

    A block that shows an edge holds two surfaces, a nearer and a farther one; each gets its own rectangle.

    Args:
        depth: (H, W) metres, thinned, 0 = unknown.
        intrinsics: (3, 3) pixels of it.
        left: (H, W) bool, the pixels to cover.

    Returns:
        (P, 3, 3) corner and two edges of each, facing the camera.
    """
    points = unproject(depth, intrinsics)
    found = []
    for row in range(0, depth.shape[0], _BLOCK):
        for column in range(0, depth.shape[1], _BLOCK):
            block = slice(row, row + _BLOCK), slice(column, column + _BLOCK)
            members = points[block][left[block]]
            for _ in range(2):
                if len(members) < 0.2 * _BLOCK**2:
                    break
                middle = np.sort(members[:, 2])[len(members) // 2]  # the mean of two would lie between surfaces
                near = np.abs(members[:, 2] / middle - 1.0) < _CLUSTER
                if near.sum() >= 0.2 * _BLOCK**2:
                    found.append(_patch(members[near], intrinsics))
                members = members[~near]
    return np.array(found).reshape(-1, 3, 3)


def _patch(points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """(3, 3) corner and edges of the rectangle that stands for the points (N, 3) of one block."""
    centre = points.mean(axis=0)
    ray = centre / np.linalg.norm(centre)
    normal = -np.linalg.svd(points - centre, full_matrices=False)[2][2]
    normal = normal if normal @ ray < 0.0 else -normal
    if -normal @ ray < _STEEPEST:  # noise along the rays, not a surface
        normal = -ray
    v = np.cross(normal, [1.0, 0.0, 0.0])
    v /= max(np.linalg.norm(v), 1e-9)
    u = np.cross(v, normal)
    # As large as the pixels that see it, spread over the slanted surface.
    area = len(points) * centre[2] ** 2 / (intrinsics[0, 0] * intrinsics[1, 1]) * ray[2] / (-normal @ ray)
    spread = (points - centre) @ np.stack([u, v]).T
    width, height = np.maximum(spread.std(axis=0), 1e-9)
    side = np.sqrt(area * np.array([width / height, height / width]).clip(0.2, 5.0))
    return np.stack([centre - 0.5 * (side[0] * u + side[1] * v), side[0] * u, side[1] * v])
