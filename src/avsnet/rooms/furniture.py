"""Things that stand in rooms, each built of boxes about the origin: x along its front, y towards whoever faces it.

Sizes are metres of real furniture; in an ambiguous room everything is scaled with the room.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avsnet.rooms import looks
from avsnet.rooms.looks import cloth, lacquer, lamp_look, look, paint, painting, shade, steel, timber, warm
from avsnet.rooms.scene import Look, Quads, box, join, placed, rectangles

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


def _legs(width: float, depth: float, height: float, thick: float, surface: Look) -> list[Quads]:
    x, y = (width - thick) / 2 - 0.02, (depth - thick) / 2 - 0.02
    return [block(sx * x, sy * y, 0.0, (thick, thick, height), surface) for sx in (-1, 1) for sy in (-1, 1)]


def table(rng: Rng) -> Quads:
    """A top on four legs, now and then with things on it."""
    width, depth, height = rng.uniform(1.0, 2.2), rng.uniform(0.6, 1.0), rng.uniform(0.70, 0.76)
    top = timber(rng) if rng.random() < 0.6 else lacquer(rng)
    parts = [block(0, 0, height - 0.04, (width, depth, 0.04), top)]
    parts += _legs(width, depth, height - 0.04, rng.uniform(0.04, 0.07), steel(rng) if rng.random() < 0.5 else top)
    return join([*parts, *_clutter(rng, width, depth, height, int(rng.integers(0, 5)))])


def desk(rng: Rng) -> Quads:
    """A desk with drawers, a screen and a keyboard."""
    width, depth, height = rng.uniform(1.2, 1.8), rng.uniform(0.65, 0.85), rng.uniform(0.70, 0.76)
    top, dark = (timber(rng) if rng.random() < 0.5 else lacquer(rng)), steel(rng)
    side = rng.choice([-1.0, 1.0])
    screen = look(rng, "glass", "picture" if rng.random() < 0.5 else "plain", (0.05, 0.06, 0.08), grain=0.0)
    parts = [block(0, 0, height - 0.03, (width, depth, 0.03), top)]
    parts += _legs(width, depth, height - 0.03, 0.05, dark)
    parts += [
        block(side * (width / 2 - 0.25), 0, 0.05, (0.4, depth - 0.1, height - 0.12), lacquer(rng)),
        block(-side * 0.1, -0.15, height, (0.22, 0.16, 0.02), dark),
        block(-side * 0.1, -0.17, height + 0.02, (0.04, 0.03, 0.12), dark),
        block(-side * 0.1, -0.14, height + 0.12, (rng.uniform(0.45, 0.65), 0.04, rng.uniform(0.28, 0.38)), screen),
        block(-side * 0.1, 0.12, height, (0.42, 0.14, 0.025), dark),
    ]
    return join([*parts, *_clutter(rng, width, depth, height, int(rng.integers(0, 3)))])


def chair(rng: Rng) -> Quads:
    """Seat, back and four legs."""
    seat = rng.uniform(0.43, 0.47)
    cover = cloth(rng) if rng.random() < 0.5 else timber(rng)
    frame = steel(rng) if rng.random() < 0.5 else timber(rng)
    parts = [block(0, 0, seat - 0.05, (0.45, 0.45, 0.05), cover), *_legs(0.45, 0.45, seat - 0.05, 0.035, frame)]
    back = rng.uniform(0.85, 0.98)
    parts.append(block(0, -0.21, seat + 0.12, (0.43, 0.035, back - seat - 0.12), cover))
    parts += [block(sx * 0.2, -0.21, seat, (0.03, 0.03, 0.14), frame) for sx in (-1, 1)]
    return join(parts)


def office_chair(rng: Rng) -> Quads:
    """Seat and back on one leg with a foot."""
    cover, frame = cloth(rng), steel(rng)
    foot = [
        placed(block(0.15, 0, 0.03, (0.3, 0.05, 0.05), frame), 0.0, 0.0, turn) for turn in (0.3, 1.6, 2.8, 4.1, 5.4)
    ]
    return join(
        [
            block(0, 0, 0.42, (0.48, 0.46, 0.08), cover),
            block(0, -0.22, 0.60, (0.44, 0.06, rng.uniform(0.4, 0.6)), cover),
            block(0, -0.23, 0.48, (0.06, 0.04, 0.2), frame),
            block(0, 0, 0.06, (0.05, 0.05, 0.37), frame),
            *foot,
        ]
    )


def stool(rng: Rng) -> Quads:
    """A small top on four legs."""
    height = rng.uniform(0.43, 0.7)
    return join(
        [
            block(0, 0, height - 0.04, (0.38, 0.38, 0.04), timber(rng)),
            *_legs(0.38, 0.38, height - 0.04, 0.04, steel(rng)),
        ]
    )


def cabinet(rng: Rng) -> Quads:
    """A closed cupboard whose doors are seen."""
    width, depth = rng.uniform(0.6, 1.4), rng.uniform(0.35, 0.6)
    height = rng.uniform(0.7, 1.2) if rng.random() < 0.5 else rng.uniform(1.6, 2.1)
    body = timber(rng) if rng.random() < 0.5 else lacquer(rng)
    doors = look(rng, "wood", "panel", body.colour, shade(body.colour, 0.45), width / 2, 0.05)
    front = rectangles([-width / 2, depth / 2 + 0.012, 0.06], [width, 0, 0], [0, 0, height - 0.1], doors)
    front = _turned(front)
    return join([block(0, 0, 0.0, (width, depth, height), body), front])


def shelf(rng: Rng) -> Quads:
    """Open boards between sides, some with books."""
    width, depth, height = rng.uniform(0.7, 1.3), rng.uniform(0.28, 0.4), rng.uniform(1.2, 2.1)
    body = timber(rng) if rng.random() < 0.6 else lacquer(rng)
    count = max(3, round(height / 0.36))
    step = (height - 0.03) / count
    parts = [block(0, -depth / 2 + 0.01, 0.0, (width, 0.02, height), body)]
    parts += [block(sx * (width / 2 - 0.015), 0, 0.0, (0.03, depth, height), body) for sx in (-1, 1)]
    parts += [block(0, 0, row * step, (width - 0.06, depth, 0.03), body) for row in range(count + 1)]
    books = look(rng, "wood", "books", (0.4, 0.35, 0.3), (0.05, 0.05, 0.05), step, 0.1)
    for row in range(count):
        share = rng.uniform(0.3, 1.0)
        if rng.random() < 0.75:
            length = (width - 0.08) * share
            parts.append(
                block(-(width - 0.08 - length) / 2, -0.03, row * step + 0.03, (length, 0.2, step * 0.8), books)
            )
    return join(parts)


def sofa(rng: Rng) -> Quads:
    """Seat, back and two arms."""
    width, depth = rng.uniform(1.4, 2.2), rng.uniform(0.8, 0.95)
    cover = cloth(rng)
    return join(
        [
            block(0, 0.05, 0.08, (width, depth - 0.1, 0.34), cover),
            block(0, -depth / 2 + 0.1, 0.08, (width, 0.2, rng.uniform(0.65, 0.8)), cover),
            *[block(sx * (width / 2 - 0.09), 0, 0.08, (0.18, depth, 0.52), cover) for sx in (-1, 1)],
            *[block(sx * width * 0.22, 0.04, 0.42, (width * 0.4, depth - 0.3, 0.1), cloth(rng)) for sx in (-1, 1)],
        ]
    )


def boxes(rng: Rng) -> Quads:
    """One to three cardboard or plastic boxes on each other."""
    parts, base = [], 0.0
    for _ in range(rng.integers(1, 4)):
        size = rng.uniform([0.3, 0.25, 0.2], [0.7, 0.5, 0.45])
        surface = look(
            rng,
            "wood",
            "plain",
            warm(rng, (0.25, 0.5), (0.3, 0.55)) if rng.random() < 0.7 else paint(rng, (0.1, 0.6), 0.8),
        )
        parts.append(placed(block(0, 0, base, tuple(size), surface), 0.0, 0.0, rng.normal(0.0, 0.15)))
        base += size[2]
    return join(parts)


def bin_(rng: Rng) -> Quads:
    """A waste bin."""
    height = rng.uniform(0.3, 0.7)
    radius = rng.uniform(0.12, 0.22)
    surface = steel(rng)
    return join(
        [prism(0, 0, 0.0, radius, height, surface), block(0, 0, height - 0.05, (radius, radius, 0.02), surface)]
    )


def plant(rng: Rng) -> Quads:
    """A pot with leaves."""
    height = rng.uniform(0.6, 1.7)
    green = looks.foliage(rng)
    parts = [prism(0, 0, 0.0, 0.18, 0.32, look(rng, "brick", "plain", paint(rng, (0.1, 0.6), 0.6)))]
    parts.append(block(0, 0, 0.28, (0.05, 0.05, height * 0.5), timber(rng)))
    for _ in range(9):
        size = rng.uniform([0.03, 0.1, 0.1], [0.1, 0.32, 0.35])
        x, y = rng.normal(0.0, 0.12, 2)
        leaf = placed(block(0, 0, rng.uniform(0.4, height), tuple(size), green), x, y, rng.uniform(0, 3))
        parts.append(leaf)
    return join(parts)


def screen(rng: Rng) -> Quads:
    """A folding screen or partition."""
    width, height = rng.uniform(0.9, 1.8), rng.uniform(1.2, 1.9)
    cover = cloth(rng) if rng.random() < 0.6 else lacquer(rng)
    feet = [block(sx * width * 0.4, 0, 0.0, (0.05, 0.4, 0.04), steel(rng)) for sx in (-1, 1)]
    return join([block(0, 0, 0.05, (width, 0.05, height), cover), *feet])


def board(rng: Rng) -> Quads:
    """A whiteboard on a stand with wheels."""
    width = rng.uniform(1.1, 1.8)
    metal = steel(rng)
    white = look(rng, "glass", "plain", (0.8, 0.8, 0.8), roughness=0.12, grain=0.4)
    parts = [block(0, 0, 0.8, (width, 0.04, 1.0), white)]
    parts += [block(sx * width / 2, 0, 0.05, (0.04, 0.05, 1.8), metal) for sx in (-1, 1)]
    parts += [block(sx * width / 2, 0, 0.0, (0.05, 0.55, 0.05), metal) for sx in (-1, 1)]
    return join(parts)


def rack(rng: Rng) -> Quads:
    """A tall cabinet of instruments."""
    height = rng.uniform(1.2, 2.0)
    body = steel(rng)
    parts = [block(0, 0, 0.0, (0.6, 0.7, height), body)]
    base = 0.15
    while base < height - 0.25:
        tall = rng.uniform(0.08, 0.25)
        front = look(rng, "door", "books" if rng.random() < 0.3 else "plain", paint(rng, (0.03, 0.6), 0.3), grain=0.25)
        parts.append(block(0, 0.35, base, (0.5, 0.03, tall), front))
        base += tall + rng.uniform(0.01, 0.08)
    return join(parts)


def bench(rng: Rng) -> Quads:
    """A long seat, perhaps with a back."""
    width = rng.uniform(1.2, 2.4)
    surface = (
        timber(rng) if rng.random() < 0.7 else look(rng, "limestone", "plain", warm(rng, (0.3, 0.6)), roughness=0.2)
    )
    parts = [block(0, 0, 0.40, (width, 0.4, 0.06), surface)]
    parts += [block(sx * (width / 2 - 0.15), 0, 0.0, (0.08, 0.36, 0.4), surface) for sx in (-1, 1)]
    if rng.random() < 0.5:
        parts.append(block(0, -0.2, 0.55, (width, 0.04, 0.35), surface))
        parts += [block(sx * (width / 2 - 0.15), -0.2, 0.4, (0.05, 0.05, 0.3), surface) for sx in (-1, 1)]
    return join(parts)


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
    return _centred(join(parts))


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
    parts = [*_legs(width, depth, 0.75, 0.06, wood), block(0, 0, 0.75, (width, depth, 0.1), wood)]
    return join([*parts, block(0, 0, 0.85, (width - 0.04, depth - 0.04, 0.25), glass)])


def commode(rng: Rng) -> Quads:
    """A chest of drawers with a lamp or a clock on it."""
    width, depth, height = rng.uniform(0.9, 1.5), rng.uniform(0.45, 0.6), rng.uniform(0.8, 1.0)
    wood = timber(rng)
    front = look(rng, "wood", "panel", wood.colour, shade(wood.colour, 0.4), height / 3, 0.08)
    face = _turned(rectangles([-width / 2, depth / 2 + 0.012, 0.08], [width, 0, 0], [0, 0, height - 0.12], front))
    lamp = [
        block(0, 0, height + 0.02, (0.08, 0.08, 0.25), steel(rng)),
        prism(0, 0, height + 0.25, 0.16, 0.22, lamp_look(rng)),
    ]
    parts = [block(0, 0, 0.06, (width, depth, height - 0.06), wood), face, *_legs(width, depth, 0.06, 0.06, wood)]
    return join([*parts, *(lamp if rng.random() < 0.4 else _clutter(rng, width, depth, height, 2))])


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


def pillar(rng: Rng, height: float) -> Quads:
    """A square pillar up to the given height."""
    side = rng.uniform(0.25, 0.5)
    surface = look(rng, "concrete", "plain", paint(rng, (0.35, 0.8), 0.1), roughness=0.12)
    return block(0, 0, 0.0, (side, side, height), surface)


def steps(rng: Rng) -> Quads:
    """A low flight of steps."""
    width, count = rng.uniform(1.2, 3.0), int(rng.integers(2, 6))
    stone = look(rng, "limestone", "plain", warm(rng, (0.3, 0.6), (0.05, 0.25)), grain=0.5, roughness=0.2)
    return _centred(
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


def _clutter(rng: Rng, width: float, depth: float, height: float, count: int) -> list[Quads]:
    """Small things on a top."""
    parts = []
    for _ in range(count):
        size = rng.uniform([0.06, 0.06, 0.02], [0.35, 0.25, 0.3])
        x, y = rng.uniform(-0.5, 0.5, 2) * (np.array([width, depth]) - size[:2] - 0.02)
        thing = block(0, 0, height, tuple(size), look(rng, "wood", "plain", paint(rng, (0.05, 0.8), 0.8)))
        parts.append(placed(thing, x, y, rng.normal(0.0, 0.2)))
    return parts


def _turned(front: Quads) -> Quads:
    """A front panel given with u along +x faces -y; turn it to face +y."""
    return placed(front, 0.0, 2 * float(front.corner[0, 1]), np.pi) if front.normal[0, 1] < 0 else front


def _centred(quads: Quads) -> Quads:
    low, high = bounds(quads)
    x, y, _ = -(low + high) / 2
    return placed(quads, x, y, 0.0)


def bounds(quads: Quads) -> tuple[np.ndarray, np.ndarray]:
    """(3,) lowest and highest coordinates."""
    points = np.concatenate(
        [quads.corner, quads.corner + quads.u, quads.corner + quads.v, quads.corner + quads.u + quads.v]
    )
    return points.min(axis=0), points.max(axis=0)


Piece = Callable[[Rng], Quads]

AGAINST_WALL: dict[str, dict[str, tuple[Piece, ...]]] = {
    "offices": {
        "office": (desk, cabinet, shelf, shelf, sofa, boxes, plant, table),
        "corridor": (cabinet, bench, boxes, plant, bin_, shelf, chair),
        "lab": (desk, rack, rack, cabinet, shelf, table, boxes),
    },
    "historic": {
        "hall": (bench, plinth, commode, display_case, pews, piano, plant),
        "gallery": (bench, plinth, plinth, display_case, commode, chair),
        "courtyard": (bench, plinth, tree, steps, boxes),
        "salon": (commode, sofa, shelf, cabinet, piano, chair, plinth),
    },
}
"""What stands with its back to a wall, by domain and room type."""

FREE: dict[str, dict[str, tuple[Piece, ...]]] = {
    "offices": {
        "office": (desk, table, chair, office_chair, office_chair, stool, boxes, bin_, screen, board, plant),
        "corridor": (boxes, chair, bin_, plant, board, stool),
        "lab": (table, table, desk, office_chair, stool, boxes, rack, board, screen),
    },
    "historic": {
        "hall": (pews, bench, table, chair, display_case, plinth, easel, screen),
        "gallery": (bench, plinth, display_case, chair, easel),
        "courtyard": (fountain, tree, tree, bench, plinth, steps, chair, table),
        "salon": (table, chair, chair, sofa, stool, easel, plinth, display_case, screen),
    },
}
"""What stands anywhere."""
