"""A scene is a list of rectangles; a room is a scene with a camera in it.

World axes: x along the room, y left, z up, metres, origin at the floor's centre. A rectangle is a corner and two
edges; its normal u x v points into the air. Where rectangles stand is the simulator's own arithmetic, tested by itself;
what rays and sound do among them is not: that is what this oracle is for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.rooms.geometry import scene


@dataclass(frozen=True)
class Quads:
    """Q rectangles.

    Args:
        corner: (Q, 3) metres.
        u: (Q, 3) first edge, metres.
        v: (Q, 3) second edge, metres.
        colour: (Q, 3) RGB reflectance 0..1.
        absorption: (Q,) energy absorbed at a reflection, 0..1, one value for all frequencies.
    """

    corner: np.ndarray
    u: np.ndarray
    v: np.ndarray
    colour: np.ndarray
    absorption: np.ndarray

    def __len__(self) -> int:
        return len(self.corner)

    @property
    def normal(self) -> np.ndarray:
        """(Q, 3) unit normals."""
        cross = np.cross(self.u, self.v)
        return cross / np.linalg.norm(cross, axis=1, keepdims=True)

    @property
    def area(self) -> np.ndarray:
        """(Q,) square metres."""
        return np.linalg.norm(np.cross(self.u, self.v), axis=1)


@dataclass(frozen=True)
class Room:
    """A scene with a camera in it.

    Args:
        quads: every surface; the first six are the shell (floor, ceiling, then the four walls).
        size: (3,) length, width and height of the shell in metres.
        camera: (3,) metres, world axes; the rig's origin.
        axes: (3, 3) rows are the camera's right, down and forward directions in world axes.
        fov: horizontal field of view in degrees.
        seed: what the room was drawn from.
    """

    quads: Quads
    size: np.ndarray
    camera: np.ndarray
    axes: np.ndarray
    fov: float
    seed: int

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera axes -> (..., 3) world axes, metres."""
        return self.camera + np.asarray(points) @ self.axes


def join(parts: list[Quads]) -> Quads:
    """Concatenate lists of rectangles."""
    names = ("corner", "u", "v", "colour", "absorption")
    return Quads(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def box(
    centre: tuple[float, float], size: tuple[float, float, float], base: float, yaw: float, paint: np.ndarray
) -> Quads:
    """Six rectangles facing outwards.

    Args:
        centre: x, y of the box in metres.
        size: length, width, height in metres, before the turn by `yaw`.
        base: height of its lower face in metres.
        yaw: radians about the vertical.
        paint: (4,) colour and absorption.
    """
    return _painted(scene.box(centre, size, base, yaw, scene.Look(0)), np.tile(paint, (6, 1)))


def shell(size: np.ndarray, paints: np.ndarray) -> Quads:
    """Six rectangles facing inwards: floor, ceiling, end walls (-x, +x), side walls (-y, +y).

    Args:
        size: (3,) metres.
        paints: (6, 4) colour and absorption of each.
    """
    return _painted(scene.shell(size, [scene.Look(0)] * 6), paints)


def _painted(faces: scene.Quads, paints: np.ndarray) -> Quads:
    return Quads(faces.corner, faces.u, faces.v, paints[:, :3].copy(), paints[:, 3].copy())
