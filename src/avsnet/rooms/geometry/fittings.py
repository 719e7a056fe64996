"""What is fixed to a room's walls and under its ceiling: pictures, boards, radiators, pilasters, beams, ducts.

Source: scene grammar of the simulator's design.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avsnet.rooms.geometry import looks
from avsnet.rooms.geometry.blocks import block
from avsnet.rooms.geometry.room_plan import RoomPlan


def fix_to_walls(room: RoomPlan) -> None:
    """Pictures, boards, radiators, pilasters, skirting."""
    rng, space = room.rng, room.space
    historic = room.domain.name == "historic"
    tall = room.height
    if historic and room.room_type in ("hall", "gallery") and rng.random() < 0.6:
        stone = looks.look(rng, "limestone", "plain", looks.warm(rng, (0.35, 0.75), (0.05, 0.25)), roughness=0.18)
        gap, width = rng.uniform(2.5, 4.5), rng.uniform(0.35, 0.6)
        for side in (0, 2):
            for middle in np.arange(gap / 2, space.length(side), gap):
                span = (middle - width / 2, middle + width / 2)
                if not any(span[0] < b and a < span[1] for a, b in room.taken[side]):
                    room.taken[side].append(span)
                    room.mount(side, middle, 0.0, (width, 0.15, tall), stone)
    if rng.random() < 0.55:
        board = looks.timber(rng) if historic else looks.look(rng, "wood", "plain", looks.paint(rng, (0.05, 0.7), 0.2))
        high = rng.uniform(0.07, 0.16) if not historic or rng.random() < 0.5 else rng.uniform(0.8, 1.3)
        for side in range(4):
            if not space.openings[side]:
                room.mount(side, space.length(side) / 2, 0.0, (space.length(side), 0.02, high), board)
    if room.room_type == "courtyard":
        return
    count = int(rng.integers(2, 5 + int(space.length(0) / 4)))
    for _ in range(count):
        side, kind = int(rng.integers(4)), rng.random()
        if kind < 0.55:  # a picture, a poster, a tapestry
            wide, high = rng.uniform(0.4, 1.8 if historic else 1.1), rng.uniform(0.4, 1.6 if historic else 1.1)
            surface = looks.painting(rng)
            if historic and rng.random() < 0.2:
                surface = replace(surface, material=looks.cloth(rng).material)
            low = rng.uniform(1.0, 1.6)
        elif kind < 0.75:  # a whiteboard or a notice board
            wide, high, low = rng.uniform(0.9, 2.2), rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.1)
            surface = looks.look(rng, "wood", "plain", looks.paint(rng, (0.2, 0.85), 0.4), grain=0.4, roughness=0.1)
        elif kind < 0.9 and not historic:  # a radiator
            wide, high, low = rng.uniform(0.6, 1.4), rng.uniform(0.4, 0.6), 0.12
            surface = looks.look(rng, "door", "stripes", (0.75, 0.75, 0.72), (0.4, 0.4, 0.4), 0.06, 0.02)
        else:  # a sconce, a clock, a box of switches
            wide, high, low = rng.uniform(0.12, 0.35), rng.uniform(0.12, 0.5), rng.uniform(1.2, 2.0)
            surface = looks.steel(rng)
        start = room.place_on_side(side, wide)
        if start is not None and low + high < tall - 0.1:
            room.mount(side, start + wide / 2, low, (wide, rng.uniform(0.02, 0.1), high), surface)


def fix_under_ceiling(room: RoomPlan) -> None:
    """Beams, ducts or pipes."""
    rng, space, tall = room.rng, room.space, room.height
    length, width = space.length(0), space.length(1)
    if room.domain.name == "historic":
        if rng.random() < 0.4:
            wood, gap = looks.timber(rng), rng.uniform(1.2, 2.8)
            deep = rng.uniform(0.15, 0.4)
            for x in np.arange(-length / 2 + gap / 2, length / 2, gap):
                room.parts.append(block(x, 0, tall - deep, (rng.uniform(0.2, 0.3), width, deep), wood).take((0, 2, 3)))
    elif rng.random() < 0.3:
        for _ in range(rng.integers(1, 4)):
            side, drop = rng.uniform(0.06, 0.4), rng.uniform(0.02, 0.15)
            y = rng.uniform(-0.45, 0.45) * width
            if tall - drop - side > 2.0:
                room.parts.append(block(0, y, tall - drop - side, (length, side, side), looks.steel(rng)))
