"""The lamps of a room: panels under its ceiling, chandeliers, or the sun; each is a thing to see and a light.

Source: scene grammar of the simulator's design.
"""

from __future__ import annotations

import numpy as np

from avsnet.rooms.geometry import looks
from avsnet.rooms.geometry.blocks import block, prism
from avsnet.rooms.geometry.room_plan import RoomPlan
from avsnet.rooms.geometry.scene import Lamp, Quads, rectangles
from avsnet.rooms.geometry.shells import Space


def hang_lamps(room: RoomPlan) -> None:
    """Lamps of the main space: panels, chandeliers or the sun; some rooms have only their windows."""
    rng, space, tall = room.rng, room.space, room.height
    length, width = space.length(0), space.length(1)
    if room.room_type == "courtyard":
        turn, lift, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.3), 80.0
        at = far * np.array([np.cos(lift) * np.cos(turn), np.cos(lift) * np.sin(turn), np.sin(lift)])
        room.lamps.append(lamp(at, (1.0, 1.0), rng.uniform(0.2, 2.0) * far**2, (1.0, 0.95, 0.85), hangs=False))
        return
    if room.lamps and rng.random() < 0.2:
        return
    count = int(np.clip(round(length / max(4.0, tall)), 1, 3))
    tint = (1.0, rng.uniform(0.82, 1.0), rng.uniform(0.6, 1.0))
    for number in range(count):
        x, y = length * ((number + 0.5) / count - 0.5), width * rng.uniform(-0.08, 0.08)
        power = rng.uniform(0.6, 1.3) * tall**2
        if room.domain.name == "offices":
            _panel(room, np.array([x, y, tall]), power, tint)
        else:
            drop = tall * rng.uniform(0.6, 0.85)
            metal, bulb = looks.steel(rng), looks.lamp_look(rng)
            radius = rng.uniform(0.2, 0.6)
            room.parts += [
                prism(x, y, drop + 0.1, radius, 0.12, metal),
                block(x, y, drop + 0.2, (0.03, 0.03, max(0.1, tall - drop - 0.2)), metal),
                prism(x, y, drop + 0.02, radius * 0.8, 0.1, bulb),
                block(x, y, drop + 0.22, (1.4 * radius, 1.4 * radius, 0.02), metal),
            ]
            room.lamps.append(lamp(np.array([x, y, drop - 0.03]), (radius, radius), power, tint))
    if room.domain.name == "offices" and count > 1:  # lamps between the lamps, for the eye
        for number in range(count - 1):
            x = length * ((number + 1) / count - 0.5)
            room.parts.append(_shining(room, np.array([x, 0.0, tall]), (0.6, 0.15)))


def hang_panel(room: RoomPlan, space: Space) -> None:
    """A lamp in the middle of another space's ceiling."""
    x0, x1, y0, y1 = space.area()
    at = np.array([(x0 + x1) / 2, (y0 + y1) / 2, space.base + space.height])
    _panel(room, at, room.rng.uniform(0.5, 1.3) * space.height**2, (1.0, 0.92, 0.8))


def _panel(room: RoomPlan, at: np.ndarray, power: float, tint: tuple[float, float, float]) -> None:
    half = (room.rng.uniform(0.25, 0.65), room.rng.uniform(0.08, 0.3))
    room.parts.append(_shining(room, at, half))
    room.lamps.append(lamp(at - np.array([0, 0, 0.08]), half, power, tint))


def _shining(room: RoomPlan, at: np.ndarray, half: tuple[float, float]) -> Quads:
    """A lamp's lower face, just under the ceiling."""
    corner = at - np.array([half[0], half[1], 0.03])
    return rectangles(corner, [0, 2 * half[1], 0], [2 * half[0], 0, 0], looks.lamp_look(room.rng))


def lamp(
    at: np.ndarray, half: tuple[float, float], power: float, tint: tuple[float, float, float], hangs: bool = True
) -> Lamp:
    """A light of a power, in all three channels as its tint has it."""
    red, green, blue = (power * channel for channel in tint)
    return Lamp((float(at[0]), float(at[1]), float(at[2])), half, (red, green, blue), hangs)
