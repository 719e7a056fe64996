"""Looks of surfaces: what a wall, a floor or a piece of furniture may be made of, and in which colours."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from avsnet.rooms.geometry.materials import material_index
from avsnet.rooms.geometry.scene import Look
from avsnet.rooms.geometry.texture import PATTERNS

Colour = tuple[float, float, float]


def look(
    rng: np.random.Generator,
    material: str,
    pattern: str,
    colour: Colour,
    accent: Colour | None = None,
    grain: float = 1.0,
    roughness: float = 0.08,
) -> Look:
    """A look with a seed of its own; the accent is a darker shade of the colour unless given."""
    return Look(
        material=material_index(material),
        pattern=PATTERNS.index(pattern),
        colour=colour,
        accent=accent if accent is not None else shade(colour, 0.55),
        grain=grain,
        roughness=roughness,
        seed=int(rng.integers(1 << 20)),
    )


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker or lighter."""
    red, green, blue = (min(0.95, channel * factor) for channel in colour)
    return red, green, blue


def paint(rng: np.random.Generator, light: tuple[float, float], vivid: float) -> Colour:
    """A colour of any hue.

    Args:
        rng: draws it.
        light: range of its lightness, 0..1 linear.
        vivid: largest saturation, 0 = grey.
    """
    return colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.0, vivid), rng.uniform(*light))


def warm(rng: np.random.Generator, light: tuple[float, float], vivid: tuple[float, float] = (0.1, 0.4)) -> Colour:
    """A colour between red brown and cream."""
    return colorsys.hsv_to_rgb(rng.uniform(0.04, 0.13), rng.uniform(*vivid), rng.uniform(*light))


def timber(rng: np.random.Generator, pattern: str = "wood", grain: float = 0.5, material: str = "wood") -> Look:
    """Wood, from beech to mahogany."""
    base = warm(rng, (0.12, 0.6), (0.35, 0.75))
    return look(rng, material, pattern, base, shade(base, 0.6), grain, 0.1)


def steel(rng: np.random.Generator) -> Look:
    """Painted or bare metal."""
    return look(rng, "door", "plain", paint(rng, (0.05, 0.6), 0.1), roughness=0.03)


def cloth(rng: np.random.Generator, light: tuple[float, float] = (0.05, 0.5)) -> Look:
    """Upholstery in any colour."""
    base = paint(rng, light, 0.7)
    return look(rng, "upholstery", "speckle", base, shade(base, 0.75), 0.3, 0.15)


def foliage(rng: np.random.Generator) -> Look:
    """Leaves."""
    base = colorsys.hsv_to_rgb(rng.uniform(0.2, 0.34), rng.uniform(0.45, 0.75), rng.uniform(0.1, 0.28))
    return look(rng, "grass", "leaves", base, shade(base, 0.3), 0.5, 0.35)


def lacquer(rng: np.random.Generator) -> Look:
    """Painted or laminated board: white, grey or coloured."""
    vivid = 0.8 if rng.random() < 0.35 else 0.08
    return look(rng, "wood", "plain", paint(rng, (0.15, 0.8), vivid), roughness=0.04)


def walls(rng: np.random.Generator, domain: str, room_type: str) -> Look:
    """The look of most walls of a room."""
    if domain == "offices":
        kind = _choose(rng, {"paint": 0.7, "concrete": 0.1, "brick": 0.1, "panel": 0.1})
        if kind == "paint":
            light = paint(rng, (0.45, 0.85), 0.18)
            return look(rng, "plaster", "plain", light, grain=1.2, roughness=0.07)
        if kind == "concrete":
            return look(rng, "concrete", "block", paint(rng, (0.3, 0.5), 0.06), grain=1.2, roughness=0.18)
    else:
        shares = {"stone": 0.4, "plaster": 0.3, "brick": 0.15, "panel": 0.15}
        if room_type == "courtyard":
            shares = {"stone": 0.5, "plaster": 0.2, "brick": 0.3}
        kind = _choose(rng, shares)
        if kind == "stone":
            base = warm(rng, (0.35, 0.7), (0.08, 0.3))
            return look(rng, "limestone", "block", base, shade(base, 0.6), rng.uniform(0.3, 0.6), 0.22)
        if kind == "plaster":
            return look(rng, "plaster", "plain", warm(rng, (0.4, 0.8), (0.05, 0.45)), grain=1.5, roughness=0.14)
    if kind == "brick":
        base = colorsys.hsv_to_rgb(rng.uniform(0.01, 0.08), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.5))
        return look(rng, "brick", "brick", base, paint(rng, (0.3, 0.6), 0.1), rng.uniform(0.07, 0.1), 0.2)
    base = warm(rng, (0.15, 0.6), (0.2, 0.6))
    return look(rng, "wood", "panel", base, shade(base, 0.5), rng.uniform(0.6, 1.2), 0.06)


def accent_wall(rng: np.random.Generator) -> Look:
    """One wall in a stronger colour."""
    return look(rng, "plaster", "plain", paint(rng, (0.15, 0.6), 0.75), grain=1.2, roughness=0.07)


def floors(rng: np.random.Generator, domain: str, room_type: str) -> Look:
    """The look of the floor."""
    if domain == "offices":
        kind = _choose(rng, {"lino tiles": 0.3, "lino": 0.15, "carpet": 0.3, "carpet tiles": 0.1, "parquet": 0.15})
    elif room_type == "courtyard":
        kind = _choose(rng, {"gravel": 0.3, "paving": 0.5, "grass": 0.2})
    else:
        kind = _choose(rng, {"marble": 0.35, "stone": 0.3, "parquet": 0.35})
    if kind in ("lino tiles", "lino"):
        base = paint(rng, (0.2, 0.65), 0.25)
        pattern, grain = ("tile", rng.uniform(0.3, 0.6)) if kind == "lino tiles" else ("speckle", 0.6)
        return look(rng, "linoleum", pattern, base, shade(base, 0.7), grain, 0.08)
    if kind in ("carpet", "carpet tiles"):
        base = paint(rng, (0.06, 0.4), 0.5)
        pattern, grain = ("speckle", 0.4) if kind == "carpet" else ("checker", 0.5)
        return look(rng, "carpet", pattern, base, shade(base, 0.75), grain, 0.18)
    if kind == "parquet":
        base = warm(rng, (0.2, 0.55), (0.35, 0.65))
        return look(rng, "parquet", "plank", base, shade(base, 0.35), rng.uniform(0.08, 0.18), 0.08)
    if kind == "marble":
        light, dark = warm(rng, (0.5, 0.8), (0.02, 0.2)), paint(rng, (0.04, 0.3), 0.4)
        return look(rng, "marble", "checker", light, dark, rng.uniform(0.35, 0.8), 0.1)
    if kind == "stone":
        base = warm(rng, (0.25, 0.6), (0.05, 0.3))
        return look(rng, "limestone", "tile", base, shade(base, 0.5), rng.uniform(0.4, 0.9), 0.18)
    if kind == "paving":
        base = warm(rng, (0.2, 0.5), (0.02, 0.2))
        return look(rng, "limestone", "block", base, shade(base, 0.4), rng.uniform(0.15, 0.4), 0.25)
    if kind == "gravel":
        base = warm(rng, (0.3, 0.55), (0.05, 0.3))
        return look(rng, "gravel", "speckle", base, shade(base, 0.5), 0.5, 0.2)
    base = colorsys.hsv_to_rgb(rng.uniform(0.17, 0.3), rng.uniform(0.4, 0.65), rng.uniform(0.14, 0.25))
    return look(rng, "grass", "leaves", base, shade(base, 0.5), 0.5, 0.3)


def ceilings(rng: np.random.Generator, domain: str) -> Look:
    """The look of the ceiling."""
    if domain == "offices" and rng.random() < 0.6:
        return look(rng, "ceiling_tile", "tile", paint(rng, (0.6, 0.85), 0.03), grain=0.6, roughness=0.1)
    if domain == "historic" and rng.random() < 0.3:
        return timber(rng, "plank", rng.uniform(0.15, 0.3))
    return look(rng, "plaster", "plain", paint(rng, (0.6, 0.85), 0.06), grain=1.5, roughness=0.06)


def lamp_look(rng: np.random.Generator) -> Look:
    """What shines."""
    return look(rng, "glass", "lamp", (0.9, 0.87, 0.8), roughness=0.0)


def pane(rng: np.random.Generator) -> Look:
    """A window with the world behind it."""
    sky = colorsys.hsv_to_rgb(0.58, rng.uniform(0.0, 0.35), 1.0)
    light = rng.uniform(0.9, 2.2)
    ground = colorsys.hsv_to_rgb(rng.uniform(0.05, 0.35), rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.6))
    return look(rng, "glass", "window", tuple(light * channel for channel in sky), ground, 0.0, 0.0)  # type: ignore[arg-type]


def painting(rng: np.random.Generator) -> Look:
    """A framed picture or a poster."""
    frame = timber(rng).colour if rng.random() < 0.6 else paint(rng, (0.03, 0.8), 0.1)
    return look(rng, "wood", "picture", paint(rng, (0.3, 0.9), 0.3), frame, 0.0, 0.05)


def _choose(rng: np.random.Generator, shares: dict[str, float]) -> str:
    names: Sequence[str] = list(shares)
    return names[rng.choice(len(names), p=np.array(list(shares.values())))]
