"""Which rectangle a ray meets first: Embree where it is installed, and its twin in pure NumPy.

The twin is exact (float64), ten to fifty times slower, the oracle in the tests and what is used where the extra
`rooms` is not installed. Both answer alike but for rays that pass within the tolerance of an edge.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Protocol

import numpy as np

from avsnet.errors import MissingExtraError, OptionError
from avsnet.rooms.geometry.scene import Quads

_CHUNK = 2_000_000
"""Ray-rectangle pairs per block of the twin: about 100 MB of temporaries."""


class RayCaster(Protocol):
    """One scene, made ready for many rays.

    Attributes:
        tolerance: length, 1e-5 of the scene's diagonal (0.3 mm in a hall of 30 m): a surface nearer than this to
            either end of a segment does not occlude it. Embree counts in float32, whose step is a hundredth of it.
    """

    tolerance: float

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest rectangle that each ray meets, from either side.

        A ray that starts on a surface may meet that surface: start it `tolerance` off.

        Args:
            origins: (R, 3), or (3,) for all rays alike.
            directions: (R, 3), any length.

        Returns:
            index (R,) int, -1 where nothing is met; t (R,) float64 in lengths of `directions`, inf where nothing is
            met.
        """
        ...

    def occluded(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Whether something stands strictly between two points, more than `tolerance` from both.

        Args:
            start: (R, 3), or (3,) for all alike.
            end: (R, 3), or (3,) for all alike.

        Returns:
            (R,) bool.
        """
        ...


def ray_caster(quads: Quads, backend: str = "auto") -> RayCaster:
    """Make a scene ready for rays.

    Args:
        quads: the scene, in any unit.
        backend: `"embree"`, `"numpy"`, or `"auto"`: Embree where it is installed.

    Raises:
        OptionError: an unknown backend.
        MissingExtraError: `"embree"` is asked for and not installed.
    """
    if backend not in ("auto", "embree", "numpy"):
        raise OptionError(f"unknown ray caster {backend!r}: choose auto, embree or numpy")
    installed = importlib.util.find_spec("embreex") is not None
    if backend == "embree" and not installed:
        raise MissingExtraError("the Embree ray caster needs embreex; install avsnet[rooms]")
    return _Embree(quads) if installed and backend != "numpy" else _Numpy(quads)


def _tolerance(quads: Quads) -> float:
    points = np.concatenate([quads.corner, quads.corner + quads.u + quads.v])
    return 1e-5 * float(np.linalg.norm(np.ptp(points, axis=0)))


class _Embree:
    """Two triangles a rectangle, so that triangle number // 2 is the rectangle's."""

    def __init__(self, quads: Quads) -> None:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.tolerance = _tolerance(quads)
        corners = [quads.corner, quads.corner + quads.u, quads.corner + quads.u + quads.v, quads.corner + quads.v]
        triangles = np.stack([corners[number] for number in (0, 1, 2, 0, 2, 3)], axis=1).reshape(-1, 3, 3)
        self._scene: Any = EmbreeScene(robust=True)
        self._mesh = TriangleMesh(self._scene, triangles.astype(np.float32))

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rays = _float32(origins, directions)
        found = self._scene.run(*rays, output=True)
        index = found["primID"] // 2  # -1 stays -1
        return index, np.where(index >= 0, found["tfar"].astype(np.float64), np.inf)

    def occluded(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        start, end = np.broadcast_arrays(start, end)
        segment = end - start
        length = np.sqrt(np.einsum("ij,ij->i", segment, segment))
        # The start is moved, as Embree counts from it; the end is given as the farthest t.
        share = self.tolerance / np.maximum(length, 1e-300)
        rays = _float32(start + np.minimum(share, 0.5)[:, None] * segment, segment)
        farthest = np.maximum(1.0 - 2.0 * share, 0.0).astype(np.float32)
        return self._scene.run(*rays, dists=farthest, query="OCCLUDED") == 0


class _Numpy:
    """Every ray against every rectangle."""

    def __init__(self, quads: Quads) -> None:
        self.tolerance = _tolerance(quads)
        self._normal = quads.normal
        self._offset = np.sum(quads.corner * self._normal, axis=1)
        self._along = [edge / np.sum(edge**2, axis=1, keepdims=True) for edge in (quads.u, quads.v)]
        self._start = [np.sum(quads.corner * along, axis=1) for along in self._along]

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        origins = np.broadcast_to(origins, directions.shape)
        index, nearest = np.empty(len(directions), dtype=np.int32), np.empty(len(directions))
        for rows in self._blocks(len(directions)):
            t = self._meet(origins[rows], directions[rows])
            index[rows] = np.argmin(t, axis=1)
            nearest[rows] = np.min(t, axis=1)
        index[~np.isfinite(nearest)] = -1
        return index, nearest

    def occluded(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        start, end = np.broadcast_arrays(start, end)
        blocked = np.empty(len(start), dtype=bool)
        for rows in self._blocks(len(start)):
            segment = end[rows] - start[rows]
            share = self.tolerance / np.maximum(np.linalg.norm(segment, axis=1, keepdims=True), 1e-300)
            t = self._meet(start[rows], segment)
            blocked[rows] = ((t > share) & (t < 1.0 - share)).any(axis=1)
        return blocked

    def _blocks(self, count: int) -> list[slice]:
        step = max(1, _CHUNK // max(1, len(self._offset)))
        return [slice(first, first + step) for first in range(0, count, step)]

    def _meet(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(R, Q) ray parameter of each crossing, inf where the ray misses the rectangle."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t = (self._offset - origins @ self._normal.T) / (directions @ self._normal.T)
            inside = t > 0.0
            for along, start in zip(self._along, self._start, strict=True):
                share = origins @ along.T + t * (directions @ along.T) - start
                inside &= (share >= -1e-9) & (share <= 1.0 + 1e-9)  # no ray slips through an edge
        return np.where(inside, t, np.inf)


def _float32(origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rays = np.broadcast_arrays(origins, directions)
    return np.ascontiguousarray(rays[0], dtype=np.float32), np.ascontiguousarray(rays[1], dtype=np.float32)
