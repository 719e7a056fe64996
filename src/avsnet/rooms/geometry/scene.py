"""A scene is a list of rectangles that know what they are made of and how they look; a view is a camera in it.

World axes: x along the room, y left, z up, origin on the floor. A rectangle is a corner and two edges; its normal
u x v points into the air. A scene is drawn in template units, and `scaled(k)` makes metres of it. Source: scene
grammar of the simulator's design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Look:
    """What a surface is made of and how it looks.

    Args:
        material: index into `materials.MATERIALS`; what is heard.
        pattern: index into `texture.PATTERNS`; this and all below is what is seen.
        colour: RGB reflectance 0..1, linear.
        accent: second RGB reflectance: grout, joints, the other squares of a checker.
        grain: side of a pattern cell, in the scene's unit; 0: the whole rectangle is one cell.
        roughness: contrast of the random part of the texture, 0..1.
        seed: of the random part.
    """

    material: int
    pattern: int = 0
    colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
    accent: tuple[float, float, float] = (0.3, 0.3, 0.3)
    grain: float = 0.5
    roughness: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class Quads:
    """Q rectangles with their looks, lengths in template units or in metres.

    Args:
        corner: (Q, 3).
        u: (Q, 3) first edge.
        v: (Q, 3) second edge, at a right angle to the first.
        anchor: (Q, 3) where the texture's origin lies, so that the pieces of one wall share one pattern.
        material: (Q,) int, as in `Look`.
        pattern: (Q,) int.
        colour: (Q, 3).
        accent: (Q, 3).
        grain: (Q,) length.
        roughness: (Q,).
        seed: (Q,) int.
    """

    corner: np.ndarray
    u: np.ndarray
    v: np.ndarray
    anchor: np.ndarray
    material: np.ndarray
    pattern: np.ndarray
    colour: np.ndarray
    accent: np.ndarray
    grain: np.ndarray
    roughness: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return len(self.corner)

    @property
    def normal(self) -> np.ndarray:
        """(Q, 3) unit normals."""
        cross = np.cross(self.u, self.v)
        return cross / np.linalg.norm(cross, axis=1, keepdims=True)

    @property
    def area(self) -> np.ndarray:
        """(Q,) square lengths."""
        return np.linalg.norm(np.cross(self.u, self.v), axis=1)

    def take(self, rows: Sequence[int]) -> Quads:
        """Some of the rectangles."""
        return Quads(**{entry.name: getattr(self, entry.name)[list(rows)] for entry in fields(self)})

    def scaled(self, k: float) -> Quads:
        """The same scene, all lengths times `k`."""
        lengths = ("corner", "u", "v", "anchor", "grain")
        return replace(self, **{name: k * getattr(self, name) for name in lengths})


@dataclass(frozen=True)
class View:
    """A camera in a scene.

    Args:
        position: (3,) world axes.
        axes: (3, 3) rows are the camera's right, down and forward directions in world axes.
        fov: horizontal field of view in degrees.
    """

    position: np.ndarray
    axes: np.ndarray
    fov: float

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera axes -> (..., 3) world axes."""
        return self.position + np.asarray(points) @ self.axes

    def scaled(self, k: float) -> View:
        """The same camera in the scene whose lengths are times `k`."""
        return replace(self, position=k * self.position)


@dataclass(frozen=True)
class Lamp:
    """A light: a level rectangle for its shadows, a point for its strength.

    Args:
        position: (3,) middle.
        half: half its length and half its width, along x and y.
        power: RGB, in squared lengths: what a surface that faces it from a distance of 1 receives.
        hangs: whether it shines only on what is below it.
    """

    position: tuple[float, float, float]
    half: tuple[float, float]
    power: tuple[float, float, float]
    hangs: bool = True


@dataclass(frozen=True)
class Scene:
    """A room that can be seen and heard, in template units.

    Args:
        quads: every surface.
        lamps: its lights, at least one.
        ambient: RGB light from everywhere.
        sky: RGB of what rays that leave the room see; None: the room is closed.
        size: (3,) length, width and height of the main space.
        floors: (F, 4) x low, x high, y low, y high: where a camera may stand.
        start: (3,) x, y and heading (radians) of the place that the room was furnished about.
        camera_height: of every camera in it.
        room_type: a name of the domain's room types.
        ambiguous: whether everything scales with k; otherwise doors, furniture and camera heights are in metres.
    """

    quads: Quads
    lamps: tuple[Lamp, ...]
    ambient: tuple[float, float, float]
    sky: tuple[float, float, float] | None
    size: np.ndarray
    floors: np.ndarray
    start: np.ndarray
    camera_height: float
    room_type: str
    ambiguous: bool


def rectangles(corner: ArrayLike, u: ArrayLike, v: ArrayLike, look: Look, anchor: ArrayLike | None = None) -> Quads:
    """Rectangles of one look.

    Args:
        corner: (Q, 3).
        u: (Q, 3) first edges.
        v: (Q, 3) second edges.
        look: of all of them.
        anchor: (3,) the texture's origin; None: each rectangle's own corner.
    """
    corner, u, v = (np.atleast_2d(np.asarray(edge, dtype=float)) for edge in (corner, u, v))
    count = len(corner)
    return Quads(
        corner=corner,
        u=u,
        v=v,
        anchor=corner.copy() if anchor is None else np.tile(np.asarray(anchor, dtype=float), (count, 1)),
        material=np.full(count, look.material),
        pattern=np.full(count, look.pattern),
        colour=np.tile(np.array(look.colour, dtype=float), (count, 1)),
        accent=np.tile(np.array(look.accent, dtype=float), (count, 1)),
        grain=np.full(count, float(look.grain)),
        roughness=np.full(count, float(look.roughness)),
        seed=np.full(count, look.seed),
    )


def join(parts: Sequence[Quads]) -> Quads:
    """Concatenate lists of rectangles."""
    names = [entry.name for entry in fields(Quads)]
    return Quads(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def box(centre: tuple[float, float], size: tuple[float, float, float], base: float, yaw: float, look: Look) -> Quads:
    """Six rectangles facing outwards: bottom, top, then the faces at -x, +x, -y, +y.

    Args:
        centre: x, y of the box.
        size: length, width, height, before the turn by `yaw`.
        base: height of its lower face.
        yaw: radians about the vertical, leftwards.
        look: of all six.
    """
    half = np.array(size) / 2
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    return rectangles(*_six_faces(half, turn, np.array([*centre, base + half[2]]), 1.0), look)


def shell(size: np.ndarray, looks: Sequence[Look]) -> Quads:
    """Six rectangles facing inwards: floor, ceiling, end walls (-x, +x), side walls (-y, +y).

    Args:
        size: (3,) length, width, height.
        looks: of each.
    """
    corner, u, v = _six_faces(np.array(size) / 2, np.eye(3), np.array([0.0, 0.0, size[2] / 2]), -1.0)
    return join([rectangles(corner[face], u[face], v[face], look) for face, look in enumerate(looks)])


def placed(quads: Quads, x: float, y: float, yaw: float) -> Quads:
    """The same rectangles, turned left by `yaw` about the origin, then moved by (x, y)."""
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    moved = {name: getattr(quads, name) @ turn + np.array([x, y, 0.0]) for name in ("corner", "anchor")}
    return replace(quads, u=quads.u @ turn, v=quads.v @ turn, **moved)


def look_along(yaw: float, pitch: float) -> np.ndarray:
    """Camera axes (rows right, down, forward) that look along +x, turned left by `yaw`, up by `pitch` (radians)."""
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def _unit_faces() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(6, 3) corners and edges of a box from -1 to 1 that faces outwards; v runs along y or, on upright faces, up."""
    corners, us, vs = [], [], []
    for axis, side in ((2, -1), (2, 1), (0, -1), (0, 1), (1, -1), (1, 1)):
        normal = side * np.eye(3)[axis]
        v = 2.0 * np.eye(3)[1 if axis == 2 else 2]
        u = np.cross(v, normal)
        corners.append(normal - u / 2 - v / 2)
        us.append(u)
        vs.append(v)
    return np.array(corners), np.array(us), np.array(vs)


_CORNERS, _US, _VS = _unit_faces()


def _six_faces(
    half: np.ndarray, turn: np.ndarray, middle: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(6, 3) corners and edges of a box that faces outwards (sign 1) or inwards (-1)."""
    corner, u, v = ((edge * half) @ turn.T for edge in (_CORNERS, _US, _VS))
    if sign < 0:  # the first edge turned round faces the other way
        corner, u = corner + u, -u
    return corner + middle, u, v
