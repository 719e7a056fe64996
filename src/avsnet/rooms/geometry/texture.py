"""What colour a point of a surface has: patterns and noise, faded where a pixel is too large to show them.

A texture lives in its rectangle's own plane, in cells of side `grain`. Fading every part by the size of a pixel's
footprint keeps the pictures of a moving camera free of shimmer. Source: rendering rules of the simulator's design.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from avsnet.rooms.geometry.scene import Quads

_OCTAVES = ((1.3, 0.5), (5.0, 0.3), (21.0, 0.2))
"""Cycles per cell and weight of each octave of noise."""

_SIDE = 128  # of the noise table: noise repeats after so many cells


def albedo(quads: Quads, index: np.ndarray, points: np.ndarray, footprint: np.ndarray) -> np.ndarray:
    """Reflectance of points on rectangles; lamps and window panes give what they emit, above 1.

    Args:
        quads: the scene.
        index: (N,) rectangle of each point.
        points: (N, 3) on it.
        footprint: (N,) length that a pixel covers there.

    Returns:
        (N, 3) float32 RGB, linear.
    """
    a, b = _coordinates(quads, index, points)
    blur = (footprint / _cells(quads).min(axis=0)[index]).astype(np.float32)
    seed = quads.seed[index]
    roughness = quads.roughness.astype(np.float32)[index]
    colour = quads.colour.astype(np.float32)[index]
    accent = quads.accent.astype(np.float32)[index]
    pattern = quads.pattern[index]
    for number in np.unique(pattern):
        chosen = np.flatnonzero(pattern == number) if number or pattern.any() else slice(None)
        draw = _DRAW[PATTERNS[number]]
        colour[chosen] = draw(a[chosen], b[chosen], blur[chosen], seed[chosen], colour[chosen], accent[chosen])
    grain = np.zeros(len(a), np.float32)
    for number, (cycles, weight) in enumerate(_OCTAVES):
        fade = np.clip(1.5 - 2.5 * cycles * blur, 0.0, 1.0)
        shown = np.flatnonzero(fade > 0.0)
        grain[shown] += weight * fade[shown] * noise(a[shown] * cycles, b[shown] * cycles, seed[shown] + 977 * number)
    colour *= np.maximum(1.0 + roughness * grain, 0.05)[:, None]
    return colour


def noise(a: np.ndarray, b: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Smooth value noise: random values at whole coordinates, cubic steps in between.

    Args:
        a: (N,) first coordinate.
        b: (N,) second coordinate.
        seed: (N,) int; noise of different seeds is shifted.

    Returns:
        (N,) float32 in -1..1.
    """
    whole_a, whole_b = np.floor(a), np.floor(b)
    part_a, part_b = a - whole_a, b - whole_b
    part_a *= part_a * (3.0 - 2.0 * part_a)
    part_b *= part_b * (3.0 - 2.0 * part_b)
    row = (whole_a.astype(np.int32) + seed * 53) & (_SIDE - 1)
    column = (whole_b.astype(np.int32) + seed * 17 + seed // 128) & (_SIDE - 1)
    corners = _corners().take(row * _SIDE + column, axis=0)
    low = corners[:, 0] + part_a * (corners[:, 1] - corners[:, 0])
    high = corners[:, 2] + part_a * (corners[:, 3] - corners[:, 2])
    return low + part_b * (high - low)


@lru_cache(maxsize=1)
def _corners() -> np.ndarray:
    """(side * side, 4) the values at the four corners of every cell of a periodic table."""
    table = np.random.default_rng(20_230_307).uniform(-1.0, 1.0, (_SIDE, _SIDE)).astype(np.float32)
    next_row = np.roll(table, -1, axis=0)
    return np.stack([table, next_row, np.roll(table, -1, axis=1), np.roll(next_row, -1, axis=1)], -1).reshape(-1, 4)


def _cell(row: np.ndarray, column: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """(N,) one random value 0..1 per whole cell."""
    mixed = (row.astype(np.int64) * 73_856_093) ^ (column.astype(np.int64) * 19_349_663) ^ (seed * 83_492_791)
    mixed = (mixed ^ (mixed >> 13)) * 1_274_126_177
    return (((mixed ^ (mixed >> 16)) & 0xFFFF) / np.float32(65_536.0)).astype(np.float32)


def _coordinates(quads: Quads, index: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) places of the points along both edges, in cells."""
    coordinates = []
    for edge, cell in zip((quads.u, quads.v), _cells(quads), strict=True):
        along = edge / (np.linalg.norm(edge, axis=1) * cell)[:, None]
        start = np.sum(quads.anchor * along, axis=1)
        coordinates.append((np.einsum("ij,ij->i", points, along[index]) - start[index]).astype(np.float32))
    return coordinates[0], coordinates[1]


def _cells(quads: Quads) -> np.ndarray:
    """(2, Q) length of a cell along both edges; a grain of 0 makes one cell of the whole rectangle."""
    edges = np.stack([np.linalg.norm(edge, axis=1) for edge in (quads.u, quads.v)])
    return np.where(quads.grain > 0.0, quads.grain, edges)


def _lines(part: np.ndarray, width: float, blur: np.ndarray) -> np.ndarray:
    """Coverage 0..1 of a line of `width` at the whole numbers, averaged over a footprint of width `blur`."""
    distance = np.abs(part - np.round(part))
    wide = np.maximum(blur, 1e-3)
    covered = np.clip((width / 2 + wide / 2 - distance) / np.minimum(wide, width), 0.0, 1.0)
    covered *= np.minimum(1.0, width / wide)
    return np.where(blur < 1.0, covered, width)


def _mix(colour: np.ndarray, accent: np.ndarray, share: np.ndarray) -> np.ndarray:
    return colour + share[:, None] * (accent - colour)


def _fade(blur: np.ndarray) -> np.ndarray:
    """How much of what differs from cell to cell is still seen."""
    return np.clip(1.5 - 1.5 * blur, 0.0, 1.0)


def _plain(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    return colour


def _tile(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    jitter = 1.0 + 0.16 * (_cell(np.floor(a), np.floor(b), seed) - 0.5) * _fade(blur)
    grout = np.maximum(_lines(a, 0.03, blur), _lines(b, 0.03, blur))
    return _mix(colour * jitter[:, None], accent, grout)


def _bond(aspect: float, joint: float, contrast: float):  # type: ignore[no-untyped-def]
    """Bricks and blocks: rows of height 1 and length `aspect`, every other row moved by half."""

    def draw(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
        row = np.floor(b)
        along = a / aspect + 0.5 * (row % 2)
        jitter = 1.0 + contrast * (_cell(np.floor(along), row, seed) - 0.5) * _fade(blur)
        joints = np.maximum(_lines(along, joint / aspect, blur / aspect), _lines(b, joint, blur))
        return _mix(colour * jitter[:, None], accent, joints)

    return draw


def _plank(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    row = np.floor(b)
    along = a / 7.0 + _cell(row, row, seed)
    tone = 0.45 * (_cell(np.floor(along), row, seed) - 0.5)
    veins = 0.18 * noise(a * 0.7, b * 6.0, seed) * np.clip(1.5 - 15.0 * blur, 0.0, 1.0)
    joints = np.maximum(_lines(along, 0.006, blur / 7.0), _lines(b, 0.05, blur))
    return _mix(colour * (1.0 + tone * _fade(blur) + veins)[:, None], accent, joints)


def _checker(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    # A product of smoothed square waves is a checker whose edges are as wide as the footprint.
    wide = np.maximum(blur, 0.01)
    wave = [np.clip((np.abs((x % 2.0) - 1.0) - 0.5) / wide, -0.5, 0.5) * 2.0 for x in (a, b)]
    share = 0.5 + 0.5 * wave[0] * wave[1] * _fade(blur)
    jitter = 1.0 + 0.12 * (_cell(np.floor(a + 0.5), np.floor(b + 0.5), seed) - 0.5) * _fade(blur)
    return _mix(colour, accent, share) * jitter[:, None]


def _panel(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    """Framed panels: a line round each cell and a second one inside it."""
    edge = np.maximum(np.abs(a - np.floor(a) - 0.5), np.abs(b - np.floor(b) - 0.5))
    wide = np.maximum(blur, 0.004)
    lines = [np.clip((0.012 + wide / 2 - np.abs(edge - at)) / np.minimum(wide, 0.024), 0.0, 1.0) for at in (0.5, 0.38)]
    share = np.maximum(lines[0], 0.7 * lines[1]) * np.minimum(1.0, 0.024 / wide)
    veins = 0.15 * noise(a * 9.0, b * 1.2, seed) * np.clip(1.5 - 20.0 * blur, 0.0, 1.0)
    return _mix(colour * (1.0 + veins)[:, None], accent, share)


def _speckle(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    fine = noise(a * 24.0, b * 24.0, seed) * np.clip(1.5 - 40.0 * blur, 0.0, 1.0)
    coarse = noise(a * 7.0, b * 7.0, seed + 5) * np.clip(1.5 - 12.0 * blur, 0.0, 1.0)
    return _mix(colour, accent, np.clip(0.25 + 0.5 * fine + 0.35 * coarse, 0.0, 1.0))


def _wood(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    rings = noise(a * 1.1, b * 9.0, seed) + 0.5 * noise(a * 3.0, b * 31.0, seed + 3)
    share = np.clip(0.35 + 0.4 * rings * np.clip(1.5 - 20.0 * blur, 0.0, 1.0), 0.0, 1.0)
    return _mix(colour, accent, share)


def _books(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    """Spines: upright strips, each with its own colour and height."""
    strip = np.floor(a * 9.0 + 0.35 * noise(a * 9.0, np.zeros_like(a), seed))
    tone = [_cell(strip, strip * 0 + channel, seed) for channel in range(4)]
    hue = np.stack(tone[:3], axis=1) * 0.55 + 0.05
    gap = (b - np.floor(b)) > 0.66 + 0.3 * tone[3]
    spines = np.where(gap[:, None], accent * 0.3, hue * (0.5 + colour))
    return _mix(colour * 0.45, spines, np.clip(1.5 - 4.5 * blur, 0.0, 1.0))


def _lamp(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    return 1.0 + 4.0 * colour


def _window(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    """Sky above hills behind glazing bars; a cell is the whole pane."""
    skyline = 0.35 + 0.12 * noise(a * 3.0, np.zeros_like(a), seed) + 0.05 * noise(a * 11.0, np.zeros_like(a), seed)
    sky = np.clip((b - skyline) / 0.02, 0.0, 1.0)
    ground = 0.5 + 0.4 * noise(a * 13.0, b * 13.0, seed + 9)
    seen = _mix(accent * ground[:, None], colour * (1.0 + 0.6 * (1.0 - b))[:, None], sky)
    bars = np.maximum(_lines(a * 2.0, 0.06, 2.0 * blur), _lines(b * 3.0, 0.06, 3.0 * blur))
    return _mix(seen, np.full_like(seen, 0.25), bars)


def _picture(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    """A painting or poster: a frame, and within it soft shapes in a few tones."""
    shapes = noise(a * 2.3, b * 2.3, seed) + 0.5 * noise(a * 6.1, b * 6.1, seed + 1)
    detail = 0.25 * noise(a * 23.0, b * 23.0, seed + 2) * np.clip(1.5 - 40.0 * blur, 0.0, 1.0)
    # Three tones of a palette, one for each band of the shapes: ground, middle, sky.
    palette = np.stack(
        [_cell(seed * 0 + tone, seed * 0 + channel, seed) for tone in range(3) for channel in range(3)], 1
    )
    palette = palette.reshape(-1, 3, 3)
    palette = 0.35 * palette + 0.65 * palette.mean(axis=2, keepdims=True) * colour[:, None]
    place = np.clip(1.5 * b + 0.8 * shapes + 0.2, 0.0, 2.0)[:, None]
    inside = palette[:, 0] + np.clip(place, 0, 1) * (palette[:, 1] - palette[:, 0])
    inside = inside + np.clip(place - 1.0, 0, 1) * (palette[:, 2] - palette[:, 1])
    inside = np.clip(inside * (1.0 + detail)[:, None], 0.02, 0.95)
    edge = np.maximum(np.abs(a - 0.5), np.abs(b - 0.5))
    return _mix(accent, inside.astype(np.float32), np.clip((0.44 - edge) / np.maximum(blur, 0.01) + 0.5, 0.0, 1.0))


def _leaves(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    share = 0.5 + 0.5 * noise(a * 11.0, b * 11.0, seed) + 0.4 * noise(a * 29.0, b * 29.0, seed + 2)
    return _mix(colour, accent, np.clip(share * np.clip(1.5 - 12.0 * blur, 0.2, 1.0), 0.0, 1.0))


def _stripes(a, b, blur, seed, colour, accent):  # type: ignore[no-untyped-def]
    """Folds of a curtain, slats of a radiator or blind: soft upright waves, a cell wide."""
    phase = a + 0.15 * noise(a * 0.5, b * 0.5, seed)
    return _mix(colour, accent, 0.5 + 0.5 * np.sin(2 * np.pi * phase) * _fade(2.0 * blur))


_DRAW: dict[str, Callable[..., np.ndarray]] = {
    "plain": _plain,
    "tile": _tile,
    "brick": _bond(3.0, 0.12, 0.5),
    "block": _bond(2.0, 0.05, 0.3),
    "plank": _plank,
    "checker": _checker,
    "panel": _panel,
    "speckle": _speckle,
    "wood": _wood,
    "books": _books,
    "lamp": _lamp,
    "window": _window,
    "picture": _picture,
    "leaves": _leaves,
    "stripes": _stripes,
}

PATTERNS = tuple(_DRAW)
"""Names of the patterns; `Look.pattern` is an index into them."""
