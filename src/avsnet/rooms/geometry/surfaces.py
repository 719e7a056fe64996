"""Rectangles as sound meets them: planes, what they absorb and scatter, and the clutter that no scene models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.rooms.geometry.materials import MATERIALS
from avsnet.rooms.geometry.scene import Quads


@dataclass(frozen=True)
class Clutter:
    """The small things that lie about in a room and are not modelled: without them rooms are too live.

    Args:
        absorption: share of the energy that they take at each reflection, on top of the material's.
        scattering: likewise the share that they scatter.
    """

    absorption: float = 0.0
    scattering: float = 0.0


def draw_clutter(seed: int | np.random.SeedSequence) -> Clutter:
    """The clutter of one room, absorption 0.05 to 0.25 and scattering 0.10 to 0.35 (one real room shows about 0.2)."""
    rng = np.random.default_rng(seed)
    return Clutter(float(rng.uniform(0.05, 0.25)), float(rng.uniform(0.10, 0.35)))


@dataclass(frozen=True)
class Surfaces:
    """What image sources and rays ask of Q rectangles.

    Args:
        corner: (Q, 3) metres.
        normal: (Q, 3) unit, into the air.
        across: (2, Q, 3) edges over their squared lengths: a point's place on the rectangle, 0..1 each way.
        area: (Q,) square metres.
        absorption: (Q, 8) share of the energy, per octave band.
        scattering: (Q, 8) share of what is reflected.
    """

    corner: np.ndarray
    normal: np.ndarray
    across: np.ndarray
    area: np.ndarray
    absorption: np.ndarray
    scattering: np.ndarray

    @classmethod
    def of(cls, quads: Quads, clutter: Clutter | None = None) -> Surfaces:
        """The surfaces of a scene in metres; clutter comes on top: 1 - (1 - a)(1 - a_clutter)."""
        clutter = clutter or Clutter()
        absorption, scattering = (
            1.0 - (1.0 - np.array([getattr(material, name) for material in MATERIALS])) * (1.0 - getattr(clutter, name))
            for name in ("absorption", "scattering")
        )
        cross = np.cross(quads.u, quads.v)
        area = np.linalg.norm(cross, axis=1)
        across = np.stack([edge / np.sum(edge**2, axis=1, keepdims=True) for edge in (quads.u, quads.v)])
        return cls(
            quads.corner, cross / area[:, None], across, area, absorption[quads.material], scattering[quads.material]
        )

    def height(self, index: np.ndarray, point: np.ndarray) -> np.ndarray:
        """(...,) signed distance of `point` (..., 3) from the rectangles of `index` (...,), metres."""
        return np.einsum("...i,...i->...", point - self.corner[index], self.normal[index])

    def holds(self, index: np.ndarray, point: np.ndarray) -> np.ndarray:
        """(P,) whether points of their planes lie on the rectangles; an edge shared by two belongs to one."""
        from_corner = point - self.corner[index]
        share = np.einsum("epi,pi->ep", self.across[:, index], from_corner)
        return ((share >= 0.0) & (share < 1.0)).all(axis=0)
