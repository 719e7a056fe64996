"""Things of halls, galleries, courtyards and salons alone, built of blocks."""

from __future__ import annotations

import numpy as np

from avsnet.rooms.geometry import looks
from avsnet.rooms.geometry.blocks import Rng, block, centred, clutter, legs, prism, turned
from avsnet.rooms.geometry.looks import cloth, lamp_look, look, paint, painting, shade, steel, timber, warm
from avsnet.rooms.geometry.scene import Look, Quads, join, rectangles


def pews(rng: Rng) -> Quads:
    """Three to five benches behind each other."""
    gap, width = rng.uniform(0.85, 1.0), rng.uniform(1.8, 3.0)
    wood = timber(rng)
    parts = []
    for row in range(rng.integers(3, 6)):
        y = -row * gap
        parts += [
            block(0, y, 0.42, (width, 0.4, 0.05), wood),
            block(0, y - 0.22, 0.42, (width, 0.04, 0.5), wood),
            *[block(sx * width / 2, y - 0.05, 0.0, (0.05, 0.5, 0.95), wood) for sx in (-1, 1)],
        ]
    return centred(join(parts))


def plinth(rng: Rng) -> Quads:
    """A pedestal with a bust or a vase."""
    stone = look(rng, "marble", "plain", warm(rng, (0.4, 0.8), (0.02, 0.2)), grain=0.5, roughness=0.2)
    figure = stone if rng.random() < 0.5 else look(rng, "marble", "plain", paint(rng, (0.05, 0.5), 0.5), roughness=0.15)
    high = rng.uniform(0.7, 1.2)
    parts = [
        block(0, 0, 0.0, (0.6, 0.6, 0.12), stone),
        block(0, 0, 0.12, (0.45, 0.45, high - 0.18), stone),
        block(0, 0, high - 0.06, (0.55, 0.55, 0.08), stone),
        prism(0, 0, high + 0.02, 0.09, 0.15, figure),
        prism(0, 0, high + 0.15, 0.2, 0.3, figure),
        block(0, 0, high + 0.44, (0.3, 0.3, 0.02), figure),
        prism(0, 0, high + 0.44, 0.11, 0.25, figure),
        block(0, 0, high + 0.68, (0.17, 0.17, 0.02), figure),
    ]
    return join(parts)


def display_case(rng: Rng) -> Quads:
    """A museum case: base, glass-like upper part, lid."""
    width, depth = rng.uniform(0.8, 1.8), rng.uniform(0.5, 0.8)
    wood = timber(rng)
    glass = look(rng, "glass", "picture", paint(rng, (0.3, 0.7), 0.3), wood.colour, 0.0, 0.05)
    parts = [*legs(width, depth, 0.75, 0.06, wood), block(0, 0, 0.75, (width, depth, 0.1), wood)]
    return join([*parts, block(0, 0, 0.85, (width - 0.04, depth - 0.04, 0.25), glass)])


def commode(rng: Rng) -> Quads:
    """A chest of drawers with a lamp or a clock on it."""
    width, depth, height = rng.uniform(0.9, 1.5), rng.uniform(0.45, 0.6), rng.uniform(0.8, 1.0)
    wood = timber(rng)
    front = look(rng, "wood", "panel", wood.colour, shade(wood.colour, 0.4), height / 3, 0.08)
    face = turned(rectangles([-width / 2, depth / 2 + 0.012, 0.08], [width, 0, 0], [0, 0, height - 0.12], front))
    lamp = [
        block(0, 0, height + 0.02, (0.08, 0.08, 0.25), steel(rng)),
        prism(0, 0, height + 0.25, 0.16, 0.22, lamp_look(rng)),
    ]
    parts = [block(0, 0, 0.06, (width, depth, height - 0.06), wood), face, *legs(width, depth, 0.06, 0.06, wood)]
    return join([*parts, *(lamp if rng.random() < 0.4 else clutter(rng, width, depth, height, 2))])


def piano(rng: Rng) -> Quads:
    """An upright piano with its stool."""
    wood = look(rng, "wood", "plain", warm(rng, (0.02, 0.15)), roughness=0.04)
    keys = look(rng, "wood", "stripes", (0.8, 0.8, 0.75), (0.05, 0.05, 0.05), 0.05, 0.0)
    return join(
        [
            block(0, -0.1, 0.0, (1.5, 0.35, 1.2), wood),
            block(0, 0.2, 0.62, (1.5, 0.3, 0.08), wood),
            block(0, 0.22, 0.70, (1.3, 0.18, 0.02), keys),
            *[block(sx * 0.7, 0.28, 0.0, (0.08, 0.1, 0.65), wood) for sx in (-1, 1)],
            block(0, 0.7, 0.45, (0.5, 0.35, 0.06), cloth(rng)),
            *[block(sx * 0.18, 0.7, 0.0, (0.05, 0.3, 0.45), wood) for sx in (-1, 1)],
        ]
    )


def easel(rng: Rng) -> Quads:
    """A painting on a stand."""
    width, height = rng.uniform(0.5, 1.0), rng.uniform(0.5, 1.1)
    wood = timber(rng)
    legs = [block(sx * 0.3, 0.0, 0.0, (0.04, 0.04, 1.0 + height), wood) for sx in (-1, 1)]
    return join(
        [block(0, 0.04, 0.8, (width, 0.04, height), painting(rng)), *legs, block(0, -0.4, 0.0, (0.04, 0.04, 1.5), wood)]
    )


def column(rng: Rng, height: float, stone: Look | None = None) -> Quads:
    """A column with base and capital up to the given height."""
    radius = rng.uniform(0.16, 0.32)
    if stone is None:
        stone = look(rng, "limestone", "plain", warm(rng, (0.35, 0.75), (0.05, 0.25)), grain=0.6, roughness=0.18)
    wide = 2.6 * radius
    return join(
        [
            block(0, 0, 0.0, (wide, wide, 0.3), stone),
            prism(0, 0, 0.3, radius, height - 0.6, stone),
            block(0, 0, height - 0.35, (wide, wide, 0.35), stone),
        ]
    )


def steps(rng: Rng) -> Quads:
    """A low flight of steps."""
    width, count = rng.uniform(1.2, 3.0), int(rng.integers(2, 6))
    stone = look(rng, "limestone", "plain", warm(rng, (0.3, 0.6), (0.05, 0.25)), grain=0.5, roughness=0.2)
    return centred(
        join(
            [
                block(0, -0.3 * row / 2, 0.0, (width, 0.3 * (count - row), 0.16 * (row + 1)), stone)
                for row in range(count)
            ]
        )
    )


def tree(rng: Rng) -> Quads:
    """A trunk and a round or pointed crown of leafy rings."""
    green = looks.foliage(rng)
    trunk, tall, wide = rng.uniform(1.0, 2.2), rng.uniform(1.2, 3.0), rng.uniform(0.6, 1.3)
    parts = [prism(0, 0, 0.0, rng.uniform(0.08, 0.16), trunk + 0.4, timber(rng), 6)]
    rings = 6
    pointed = rng.random() < 0.4
    for ring in range(rings):
        share = (ring + 0.5) / rings
        radius = wide * (1.1 - share if pointed else np.sqrt(1.0 - (2 * share - 1) ** 2)) * rng.uniform(0.8, 1.15)
        x, y = rng.normal(0.0, 0.06, 2)
        base, high = trunk + tall * ring / rings, tall / rings + 0.12
        parts += [
            prism(x, y, base, radius, high, green, 7),
            block(x, y, base + 0.02, (1.3 * radius, 1.3 * radius, high), green),
        ]
    return join(parts)


def fountain(rng: Rng) -> Quads:
    """A round basin with a pillar in it."""
    stone = look(rng, "limestone", "block", warm(rng, (0.35, 0.6), (0.05, 0.2)), grain=0.3, roughness=0.2)
    water = look(rng, "marble", "speckle", (0.08, 0.14, 0.16), (0.2, 0.28, 0.3), 0.8, 0.1)
    radius = rng.uniform(0.9, 1.6)
    parts = [prism(0, 0, 0.0, radius, 0.55, stone, 10), block(0, 0, 0.4, (1.3 * radius, 1.3 * radius, 0.05), water)]
    return join([*parts, prism(0, 0, 0.4, 0.2, 0.9, stone), block(0, 0, 1.2, (0.9, 0.9, 0.15), stone)])
