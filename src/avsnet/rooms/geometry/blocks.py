"""What furniture is built of: boxes and prisms about the origin, x along a thing's front, y towards whoever faces it.

Sizes are metres of real furniture; in an ambiguous room everything is scaled with the room.
"""

from __future__ import annotations

import numpy as np

from avsnet.rooms.geometry.looks import look, paint
from avsnet.rooms.geometry.scene import Look, Quads, box, placed, rectangles

Rng = np.random.Generator


def block(x: float, y: float, base: float, size: tuple[float, float, float], surface: Look) -> Quads:
    """A box by its middle, the height of its lower face and its size."""
    return box((x, y), size, base, 0.0, surface)


def prism(x: float, y: float, base: float, radius: float, height: float, surface: Look, sides: int = 8) -> Quads:
    """An upright column of `sides` faces without ends."""
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    points = np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles), np.full(sides, base)])
    u = np.roll(points, -1, axis=0) - points
    return rectangles(points, u, np.tile([0.0, 0.0, height], (sides, 1)), surface)


def legs(width: float, depth: float, height: float, thick: float, surface: Look) -> list[Quads]:
    """Four legs near the corners of a top, from the floor to a height."""
    x, y = (width - thick) / 2 - 0.02, (depth - thick) / 2 - 0.02
    return [block(sx * x, sy * y, 0.0, (thick, thick, height), surface) for sx in (-1, 1) for sy in (-1, 1)]


def clutter(rng: Rng, width: float, depth: float, height: float, count: int) -> list[Quads]:
    """Small things on a top."""
    parts = []
    for _ in range(count):
        size = rng.uniform([0.06, 0.06, 0.02], [0.35, 0.25, 0.3])
        x, y = rng.uniform(-0.5, 0.5, 2) * (np.array([width, depth]) - size[:2] - 0.02)
        thing = block(0, 0, height, tuple(size), look(rng, "wood", "plain", paint(rng, (0.05, 0.8), 0.8)))
        parts.append(placed(thing, x, y, rng.normal(0.0, 0.2)))
    return parts


def turned(front: Quads) -> Quads:
    """A front panel given with u along +x faces -y; turn it to face +y."""
    return placed(front, 0.0, 2 * float(front.corner[0, 1]), np.pi) if front.normal[0, 1] < 0 else front


def centred(quads: Quads) -> Quads:
    """A thing with its middle over the origin."""
    low, high = bounds(quads)
    x, y, _ = -(low + high) / 2
    return placed(quads, x, y, 0.0)


def bounds(quads: Quads) -> tuple[np.ndarray, np.ndarray]:
    """(3,) lowest and highest coordinates."""
    points = np.concatenate(
        [quads.corner, quads.corner + quads.u, quads.corner + quads.v, quads.corner + quads.u + quads.v]
    )
    return points.min(axis=0), points.max(axis=0)
