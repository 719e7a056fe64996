"""The walls round a room: spaces open into one another, windows and niches are shallow spaces of their own.

A space is a box seen from inside, in a plan frame of its own. Its sides are numbered clockwise as seen from above:
0 at +y, 1 at +x, 2 at -y, 3 at -x; a place along a side is counted clockwise from where the side begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from avsnet.rooms.geometry.scene import Look, Quads, join, rectangles


@dataclass(frozen=True)
class Opening:
    """A hole in a side.

    Args:
        start: along the side.
        end: along the side.
        low: height of its lower edge.
        high: height of its upper edge.
    """

    start: float
    end: float
    low: float
    high: float


@dataclass(frozen=True)
class Frame:
    """A plan frame in the world: its origin, and its x axis turned left of the world's by `turns` quarter turns."""

    origin: tuple[float, float] = (0.0, 0.0)
    turns: int = 0

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) own coordinates -> (..., 3) world."""
        return self.directions(points) + np.array([*self.origin, 0.0])

    def directions(self, vectors: np.ndarray) -> np.ndarray:
        """(..., 3) own directions -> (..., 3) world."""
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[self.turns % 4]
        turn = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]], dtype=float)
        return np.asarray(vectors, dtype=float) @ turn


@dataclass(frozen=True)
class Space:
    """A box seen from inside.

    Args:
        low: x and y of its lowest corner.
        high: x and y of its highest corner.
        height: of its ceiling.
        base: of its floor.
        frame: its plan frame.
        openings: of each side.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    height: float
    base: float = 0.0
    frame: Frame = field(default_factory=Frame)
    openings: tuple[list[Opening], ...] = field(default_factory=lambda: ([], [], [], []))

    def length(self, side: int) -> float:
        """Of a side."""
        return (self.high[0] - self.low[0], self.high[1] - self.low[1])[side % 2]

    def start(self, side: int) -> np.ndarray:
        """(3,) where a side begins, own coordinates, on the floor."""
        (x0, y0), (x1, y1) = self.low, self.high
        return np.array([*((x0, y1), (x1, y1), (x1, y0), (x0, y0))[side], self.base])

    def along(self, side: int) -> np.ndarray:
        """(3,) the direction of a side."""
        return np.array([((1, 0), (0, -1), (-1, 0), (0, 1))[side][0], ((1, 0), (0, -1), (-1, 0), (0, 1))[side][1], 0.0])

    def inward(self, side: int) -> np.ndarray:
        """(3,) from a side into the space."""
        return np.cross(self.along(side), [0.0, 0.0, 1.0])

    def on_side(self, side: int, along: float, up: float, inward: float = 0.0) -> np.ndarray:
        """(3,) world: a place at a side."""
        own = self.start(side) + along * self.along(side) + np.array([0, 0, up]) + inward * self.inward(side)
        return self.frame.to_world(own)

    def area(self) -> np.ndarray:
        """(4,) x low, x high, y low, y high in the world."""
        corners = self.frame.to_world(np.array([[*self.low, 0.0], [*self.high, 0.0]]))
        low, high = corners.min(axis=0), corners.max(axis=0)
        return np.array([low[0], high[0], low[1], high[1]])

    def behind(
        self, side: int, hole: Opening, depth: float, extra: tuple[float, float] = (0.0, 0.0), gap: float = 0.0
    ) -> tuple[Space, Opening]:
        """The space behind a hole, its side 3 facing this one; it reaches farther by `extra` than the hole does.

        Args:
            side: of this space.
            hole: in that side.
            depth: of the new space.
            extra: how much longer it is at the hole's start and end.
            gap: thickness of the wall between.

        Returns:
            The space, from floor to the hole's height, and the hole as its side 3 has it.
        """
        corner = self.frame.to_world(self.start(side))
        frame = Frame((float(corner[0]), float(corner[1])), self.frame.turns + (1, 0, 3, 2)[side])
        low, high = (gap, -(hole.end + extra[1])), (gap + depth, -(hole.start - extra[0]))
        space = Space(low, high, hole.high - hole.low, self.base + hole.low, frame)
        return space, Opening(extra[1], extra[1] + hole.end - hole.start, 0.0, hole.high - hole.low)

    def sides(self, looks: Sequence[Look | None]) -> Quads | None:
        """The walls, cut at the openings.

        Args:
            looks: of each side; None leaves a side out.
        """
        parts = [self._side(side, surface) for side, surface in enumerate(looks) if surface is not None]
        kept = [part for part in parts if part is not None]
        return join(kept) if kept else None

    def level(self, up: bool, surface: Look) -> Quads:
        """The floor (facing up) or the ceiling."""
        (x0, y0), (x1, y1) = self.low, self.high
        x, y = self.frame.directions(np.array([[x1 - x0, 0, 0], [0, y1 - y0, 0]]))
        corner = self.frame.to_world(np.array([x0, y0, self.base if up else self.base + self.height]))
        return rectangles(corner, *((x, y) if up else (y, x)), surface)

    def _side(self, side: int, surface: Look) -> Quads | None:
        length = self.length(side)
        cuts = sorted(
            {0.0, length, *(min(max(edge, 0.0), length) for o in self.openings[side] for edge in (o.start, o.end))}
        )
        pieces = []
        for left, right in pairwise(cuts):
            holes = [o for o in self.openings[side] if o.start < (left + right) / 2 < o.end]
            bands = [(0.0, self.height)]
            for hole in holes:
                bands = [
                    band for low, high in bands for band in ((low, min(high, hole.low)), (max(low, hole.high), high))
                ]
            pieces += [(left, right, low, high) for low, high in bands if high - low > 1e-9 and right - left > 1e-9]
        if not pieces:
            return None
        a, b, low, high = np.array(pieces).T
        along, up = self.frame.directions(self.along(side)), np.array([0.0, 0.0, 1.0])
        origin = self.frame.to_world(self.start(side))
        corner = origin + a[:, None] * along + low[:, None] * up
        return rectangles(corner, (b - a)[:, None] * along, (high - low)[:, None] * up, surface, anchor=origin)


def passage(space: Space, side: int, hole: Opening, thickness: float, surface: Look, floor: Look) -> Quads:
    """The four faces of a hole through a wall."""
    through, _ = space.behind(side, hole, thickness)
    faces = through.sides((surface, None, surface, None))
    assert faces is not None
    return join([faces, through.level(True, floor), through.level(False, surface)])


def recess(space: Space, side: int, hole: Opening, depth: float, surface: Look, back: Look) -> Quads:
    """A window or a niche: a hole closed at its back."""
    inside, _ = space.behind(side, hole, depth)
    faces = inside.sides((surface, back, surface, None))
    assert faces is not None
    return join([faces, inside.level(True, surface), inside.level(False, surface)])


def barrel(space: Space, rise: float, surface: Look, strips: int = 7) -> Quads:
    """A barrel vault along x in place of the ceiling: level strips along a half ellipse, and the ends above the walls.

    Args:
        space: whose sides reach up to its height, where the vault springs.
        rise: of the crown above that.
        surface: its look.
        strips: number of flat strips.
    """
    (x0, y0), (x1, y1) = space.low, space.high
    angle = np.linspace(0.0, np.pi, strips + 1)
    y, z = (y0 + y1) / 2 + (y1 - y0) / 2 * np.cos(angle), space.base + space.height + rise * np.sin(angle)
    corner = np.column_stack([np.full(strips, x0), y[:-1], z[:-1]])
    v = np.column_stack([np.zeros(strips), np.diff(y), np.diff(z)])
    along = np.tile([x1 - x0, 0.0, 0.0], (strips, 1))
    vault = rectangles(space.frame.to_world(corner), space.frame.directions(along), space.frame.directions(v), surface)
    # Rectangles behind the strips: what stands above the vault is not seen.
    top, width, up = space.base + space.height, y1 - y0, np.array([0.0, 0.0, rise])
    ends = [
        rectangles(
            space.frame.to_world(np.array([x, y, top])),
            space.frame.directions(np.array([0.0, turn * width, 0.0])),
            up,
            surface,
        )
        for x, y, turn in ((x1, y1, -1.0), (x0, y0, 1.0))
    ]
    return join([vault, *ends])
