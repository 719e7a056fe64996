"""Rays against rectangles in pure NumPy: slow, exact, and the oracle for any faster caster."""

from __future__ import annotations

import numpy as np

from closed_form.scene import Quads

_CHUNK = 4_000_000
"""Ray-rectangle pairs per block: about 100 MB of float64 temporaries."""


def cast(quads: Quads, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rectangle that each ray meets, from either side.

    Args:
        quads: the scene.
        origins: (R, 3) metres, or (3,) for all rays alike.
        directions: (R, 3), any length.

    Returns:
        index (R,) int, -1 where nothing is met; t (R,) in lengths of `directions`, inf where nothing is met.
    """
    origins = np.broadcast_to(origins, directions.shape)
    index = np.empty(len(directions), dtype=np.int64)
    nearest = np.empty(len(directions))
    step = max(1, _CHUNK // max(1, len(quads)))
    for start in range(0, len(directions), step):
        rows = slice(start, start + step)
        t = _meet(quads, origins[rows], directions[rows])
        index[rows] = np.argmin(t, axis=1)
        nearest[rows] = np.take_along_axis(t, index[rows][:, None], axis=1)[:, 0]
    index[~np.isfinite(nearest)] = -1
    return index, nearest


def occluded(quads: Quads, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Whether something stands strictly between two points; surfaces at the very ends do not count.

    Args:
        quads: the scene.
        start: (R, 3) metres.
        end: (R, 3) metres.

    Returns:
        (R,) bool.
    """
    blocked = np.empty(len(start), dtype=bool)
    step = max(1, _CHUNK // max(1, len(quads)))
    for first in range(0, len(start), step):
        rows = slice(first, first + step)
        t = _meet(quads, start[rows], end[rows] - start[rows])
        blocked[rows] = ((t > 1e-6) & (t < 1 - 1e-6)).any(axis=1)
    return blocked


def _meet(quads: Quads, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(R, Q) ray parameter of each crossing, inf where the ray misses the rectangle."""
    normal = quads.normal
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gap = np.sum(quads.corner * normal, axis=1) - origins @ normal.T
        t = gap / (directions @ normal.T)
        inside = t > 1e-9
        for edge in (quads.u, quads.v):
            along = edge / np.sum(edge**2, axis=1, keepdims=True)
            share = origins @ along.T + t * (directions @ along.T) - np.sum(quads.corner * along, axis=1)
            inside &= (share >= -1e-9) & (share <= 1.0 + 1e-9)  # no ray slips through an edge
    return np.where(inside, t, np.inf)
