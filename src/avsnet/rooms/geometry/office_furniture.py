"""Things of offices, corridors and labs, built of blocks; many of them stand in historic rooms, too."""

from __future__ import annotations

from avsnet.rooms.geometry import looks
from avsnet.rooms.geometry.blocks import Rng, block, clutter, legs, prism, turned
from avsnet.rooms.geometry.looks import cloth, lacquer, look, paint, shade, steel, timber, warm
from avsnet.rooms.geometry.scene import Quads, join, placed, rectangles


def table(rng: Rng) -> Quads:
    """A top on four legs, now and then with things on it."""
    width, depth, height = rng.uniform(1.0, 2.2), rng.uniform(0.6, 1.0), rng.uniform(0.70, 0.76)
    top = timber(rng) if rng.random() < 0.6 else lacquer(rng)
    parts = [block(0, 0, height - 0.04, (width, depth, 0.04), top)]
    parts += legs(width, depth, height - 0.04, rng.uniform(0.04, 0.07), steel(rng) if rng.random() < 0.5 else top)
    return join([*parts, *clutter(rng, width, depth, height, int(rng.integers(0, 5)))])


def desk(rng: Rng) -> Quads:
    """A desk with drawers, a screen and a keyboard."""
    width, depth, height = rng.uniform(1.2, 1.8), rng.uniform(0.65, 0.85), rng.uniform(0.70, 0.76)
    top, dark = (timber(rng) if rng.random() < 0.5 else lacquer(rng)), steel(rng)
    side = rng.choice([-1.0, 1.0])
    screen = look(rng, "glass", "picture" if rng.random() < 0.5 else "plain", (0.05, 0.06, 0.08), grain=0.0)
    parts = [block(0, 0, height - 0.03, (width, depth, 0.03), top)]
    parts += legs(width, depth, height - 0.03, 0.05, dark)
    parts += [
        block(side * (width / 2 - 0.25), 0, 0.05, (0.4, depth - 0.1, height - 0.12), lacquer(rng)),
        block(-side * 0.1, -0.15, height, (0.22, 0.16, 0.02), dark),
        block(-side * 0.1, -0.17, height + 0.02, (0.04, 0.03, 0.12), dark),
        block(-side * 0.1, -0.14, height + 0.12, (rng.uniform(0.45, 0.65), 0.04, rng.uniform(0.28, 0.38)), screen),
        block(-side * 0.1, 0.12, height, (0.42, 0.14, 0.025), dark),
    ]
    return join([*parts, *clutter(rng, width, depth, height, int(rng.integers(0, 3)))])


def chair(rng: Rng) -> Quads:
    """Seat, back and four legs."""
    seat = rng.uniform(0.43, 0.47)
    cover = cloth(rng) if rng.random() < 0.5 else timber(rng)
    frame = steel(rng) if rng.random() < 0.5 else timber(rng)
    parts = [block(0, 0, seat - 0.05, (0.45, 0.45, 0.05), cover), *legs(0.45, 0.45, seat - 0.05, 0.035, frame)]
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
            *legs(0.38, 0.38, height - 0.04, 0.04, steel(rng)),
        ]
    )


def cabinet(rng: Rng) -> Quads:
    """A closed cupboard whose doors are seen."""
    width, depth = rng.uniform(0.6, 1.4), rng.uniform(0.35, 0.6)
    height = rng.uniform(0.7, 1.2) if rng.random() < 0.5 else rng.uniform(1.6, 2.1)
    body = timber(rng) if rng.random() < 0.5 else lacquer(rng)
    doors = look(rng, "wood", "panel", body.colour, shade(body.colour, 0.45), width / 2, 0.05)
    front = rectangles([-width / 2, depth / 2 + 0.012, 0.06], [width, 0, 0], [0, 0, height - 0.1], doors)
    front = turned(front)
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


def pillar(rng: Rng, height: float) -> Quads:
    """A square pillar up to the given height."""
    side = rng.uniform(0.25, 0.5)
    surface = look(rng, "concrete", "plain", paint(rng, (0.35, 0.8), 0.1), roughness=0.12)
    return block(0, 0, 0.0, (side, side, height), surface)
