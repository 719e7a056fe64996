"""A scene is a list of rectangles; a room is a scene with a camera in it.

World axes: x along the room, y left, z up, metres, origin at the floor's centre. A rectangle is a corner and two
edges; its normal u x v points into the air. Source: scene grammar of the simulator's design.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
    half = np.array(size) / 2
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    middle = np.array([*centre, base + half[2]])
    return _six_faces(half, turn, middle, 1.0, np.tile(paint, (6, 1)))


def shell(size: np.ndarray, paints: np.ndarray) -> Quads:
    """Six rectangles facing inwards: floor, ceiling, end walls (-x, +x), side walls (-y, +y).

    Args:
        size: (3,) metres.
        paints: (6, 4) colour and absorption of each.
    """
    return _six_faces(size / 2, np.eye(3), np.array([0, 0, size[2] / 2]), -1.0, paints)


def look_along(yaw: float, pitch: float) -> np.ndarray:
    """Camera axes (rows right, down, forward) that look along +x, turned left by `yaw`, up by `pitch` (radians)."""
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def _six_faces(half: np.ndarray, turn: np.ndarray, middle: np.ndarray, sign: float, paints: np.ndarray) -> Quads:
    corners, us, vs = [], [], []
    for axis, side in ((2, -1), (2, 1), (0, -1), (0, 1), (1, -1), (1, 1)):
        normal = np.zeros(3)
        normal[axis] = side * sign
        u, v = np.zeros(3), np.zeros(3)
        u[(axis + 1) % 3] = 2 * half[(axis + 1) % 3]
        v[(axis + 2) % 3] = 2 * half[(axis + 2) % 3]
        if np.dot(np.cross(u, v), normal) < 0:
            u, v = v, u
        face = side * half * np.eye(3)[axis]
        corners.append(turn @ (face - u / 2 - v / 2) + middle)
        us.append(turn @ u)
        vs.append(turn @ v)
    return Quads(np.array(corners), np.array(us), np.array(vs), paints[:, :3].copy(), paints[:, 3].copy())
