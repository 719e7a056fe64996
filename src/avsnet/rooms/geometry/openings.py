"""A room's shell: floor, ceiling and walls, and what opens in them: a wing, doorways to other rooms, windows, doors.

Source: scene grammar of the simulator's design.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avsnet.rooms.geometry import looks
from avsnet.rooms.geometry.blocks import bounds
from avsnet.rooms.geometry.fittings import fix_under_ceiling
from avsnet.rooms.geometry.furniture import AGAINST_WALL
from avsnet.rooms.geometry.lamps import hang_panel, lamp
from avsnet.rooms.geometry.room_plan import AIR, RoomPlan
from avsnet.rooms.geometry.scene import Look, placed, rectangles
from avsnet.rooms.geometry.shells import Opening, barrel, passage, recess

_DOOR = (0.83, 2.04)

# chance of: a wing (an L or a T), an open doorway to another room, windows, closed doors
_OPENINGS = {
    "office": (0.25, 0.35, 0.7, 0.5),
    "corridor": (0.5, 0.4, 0.2, 1.0),
    "lab": (0.2, 0.35, 0.7, 0.7),
    "hall": (0.35, 0.6, 0.9, 0.4),
    "gallery": (0.25, 0.5, 0.8, 0.4),
    "courtyard": (0.0, 0.3, 1.0, 0.9),
    "salon": (0.15, 0.5, 0.9, 0.5),
}


def draw_shell(room: RoomPlan) -> None:
    """Floor, ceiling, walls, and what opens in them."""
    rng, space, domain = room.rng, room.space, room.domain.name
    courtyard = room.room_type == "courtyard"
    wall, floor = looks.walls(rng, domain, room.room_type), looks.floors(rng, domain, room.room_type)
    ceiling = looks.ceilings(rng, domain)
    walls = [wall] * 4
    if domain == "offices" and rng.random() < 0.35:
        walls[rng.integers(4)] = looks.accent_wall(rng)
    wing, doorway, windows, doors = _OPENINGS[room.room_type]
    if rng.random() < wing:
        _wing(room, wall, floor, ceiling)
    for _ in range(2):
        if rng.random() < doorway:
            _doorway(room, wall)
    if courtyard:
        _facades(room)
    elif rng.random() < windows:
        _windows(room, wall)
    for _ in range(int(rng.integers(1, 4 + int(space.length(0) / 5)))):
        if rng.random() < doors:
            _closed_door(room)
    sides = space.sides(walls)
    assert sides is not None
    room.parts += [sides, space.level(True, floor)]
    if (
        room.room_type == "gallery"
        and rng.random() < 0.45
        and not any(o.high >= space.height for s in space.openings for o in s)
    ):
        room.parts.append(
            barrel(space, rng.uniform(0.25, 0.5) * space.length(1), wall if rng.random() < 0.5 else ceiling)
        )
    elif not courtyard:
        room.parts.append(space.level(False, ceiling))
        fix_under_ceiling(room)
    room.floors.insert(0, space.area())


def _wing(room: RoomPlan, wall: Look, floor: Look, ceiling: Look) -> None:
    """A part of the room round the corner, as high as the room: an L where it begins at the end, else a T."""
    rng, space = room.rng, room.space
    side = int(rng.choice([0, 2] if rng.random() < 0.8 else [1, 3]))
    length = space.length(side)
    width = min(rng.uniform(0.25, 0.5) * length, rng.uniform(1.6, 6.0))
    width = max(width, 1.3 / room.smallest)
    if width > 0.8 * length:
        return
    start = float(rng.choice([0.0, length - width])) if rng.random() < 0.6 else rng.uniform(0.1, 0.9) * (length - width)
    hole = Opening(start, start + width, 0.0, space.height)
    space.openings[side].append(hole)
    room.taken[side].append((hole.start, hole.end))
    beyond, _ = space.behind(side, hole, rng.uniform(1.0, 3.0) * width)
    sides = beyond.sides((wall, wall, wall, None))
    assert sides is not None
    room.parts += [sides, beyond.level(True, floor), beyond.level(False, ceiling)]
    room.floors.append(beyond.area())
    hang_panel(room, beyond)


def _doorway(room: RoomPlan, wall: Look) -> None:
    """A hole in the wall and another room behind it."""
    rng, space, domain = room.rng, room.space, room.domain.name
    historic = domain == "historic"
    width = rng.uniform(1.0, 2.4) if historic else rng.uniform(0.85, 1.6)
    high = min(rng.uniform(2.2, 3.6) if historic else 2.05, space.height - 0.25)
    side = int(rng.integers(4))
    start = room.place_on_side(side, width)
    if start is None:
        return
    hole = Opening(start, start + width, 0.0, high)
    space.openings[side].append(hole)
    thick = rng.uniform(0.3, 0.7) if historic else rng.uniform(0.1, 0.25)
    other_wall = looks.walls(rng, domain, "salon") if rng.random() < 0.6 else wall
    other_floor = looks.floors(rng, domain, "salon")
    room.parts.append(
        passage(space, side, hole, thick, other_wall if rng.random() < 0.5 else looks.timber(rng), other_floor)
    )
    depth = rng.uniform(2.0, 8.0 if historic else 5.0)
    extra = (float(rng.uniform(0.3, 2.5)), float(rng.uniform(0.3, 2.5)))
    beyond, entrance = space.behind(side, hole, depth, extra, thick)
    beyond = replace(beyond, height=high + rng.uniform(0.2, 1.0))
    beyond.openings[3].append(entrance)
    sides = beyond.sides((other_wall,) * 4)
    assert sides is not None
    room.parts += [sides, beyond.level(True, other_floor), beyond.level(False, looks.ceilings(rng, domain))]
    if rng.random() < 0.6:
        pieces = AGAINST_WALL[domain]["salon" if historic else "office"]
        piece = pieces[rng.integers(len(pieces))](rng)
        low, _ = bounds(piece)
        at = beyond.on_side(1, beyond.length(1) * rng.uniform(0.35, 0.65), 0.0, AIR - low[1])
        inward = beyond.frame.directions(beyond.inward(1))
        room.parts.append(placed(piece, at[0], at[1], float(np.arctan2(inward[1], inward[0]) - np.pi / 2)))
    if len(room.lamps) < 2 and rng.random() < 0.8:
        hang_panel(room, beyond)


def _windows(room: RoomPlan, wall: Look) -> None:
    """Windows along one or two sides, with the same light from each."""
    rng, space = room.rng, room.space
    historic = room.domain.name == "historic"
    pane, frame = looks.pane(rng), looks.look(rng, "plaster", "plain", looks.paint(rng, (0.5, 0.8), 0.05))
    sides = rng.permutation(4)[: 1 + int(rng.random() < 0.35)]
    width = rng.uniform(0.9, 1.6) if historic else rng.uniform(0.9, 2.2)
    low = rng.uniform(0.5, 1.3) if historic else rng.uniform(0.75, 1.05)
    high = min(low + (rng.uniform(1.8, 4.5) if historic else rng.uniform(1.1, 1.5)), space.height - 0.3)
    gap, depth = rng.uniform(0.8, 2.5), (rng.uniform(0.2, 0.5) if historic else rng.uniform(0.08, 0.2))
    curtains = looks.look(rng, "curtain", "stripes", looks.paint(rng, (0.1, 0.7), 0.6), None, 0.12, 0.05)
    hung = rng.random() < 0.35
    if high - low < 0.4:
        return
    for side in sides.tolist():
        length = space.length(side)
        count = int(min(7, (length - 0.4) // (width + gap)))
        for number in range(count):
            middle = length * (number + 0.5) / count
            span = (middle - width / 2, middle + width / 2)
            if any(span[0] < b + 0.1 and a - 0.1 < span[1] for a, b in room.taken[side]):
                continue
            room.taken[side].append(span)
            hole = Opening(*span, low, high)
            space.openings[side].append(hole)
            room.parts.append(recess(space, side, hole, depth, frame if rng.random() < 0.8 else wall, pane))
            if hung:
                for edge in span:
                    room.mount(
                        side, edge, max(0.05, low - 0.5), (0.28, 0.1, high - max(0.05, low - 0.5) + 0.1), curtains
                    )
        if count and len(room.lamps) < 2:
            at = space.on_side(side, length / 2, (low + high) / 2, 0.6)
            power = rng.uniform(0.3, 1.2) * min(space.height, space.length(side + 1)) ** 2
            room.lamps.append(lamp(at, (0.3, 0.3), power, (0.92, 0.97, 1.0), hangs=False))


def _facades(room: RoomPlan) -> None:
    """Rows of flat windows on all sides of a courtyard."""
    rng, space = room.rng, room.space
    pane = looks.pane(rng)
    pane = replace(pane, colour=tuple(0.4 * channel for channel in pane.colour))  # type: ignore[arg-type]
    width, gap, storey = rng.uniform(0.9, 1.5), rng.uniform(1.2, 2.4), rng.uniform(3.2, 4.4)
    surround = looks.look(rng, "limestone", "plain", looks.warm(rng, (0.4, 0.8), (0.02, 0.2)), roughness=0.1)
    for side in range(4):
        count = int((space.length(side) - 0.8) // (width + gap))
        for floor in range(int(space.height // storey)):
            low, tall = floor * storey + rng.uniform(0.9, 1.1), min(1.9, storey - 1.6)
            for number in range(count):
                middle = space.length(side) * (number + 0.5) / count
                if not floor and any(middle - width < b and a < middle + width for a, b in room.taken[side]):
                    continue
                room.mount(side, middle, low - 0.12, (width + 0.3, 0.08, tall + 0.24), surround)
                corner = space.on_side(side, middle - width / 2, low, 0.085)
                along = width * space.along(side)
                room.parts.append(rectangles(corner, along, [0, 0, tall], replace(pane, seed=pane.seed + number)))
        if rng.random() < 0.6:
            room.mount(side, space.length(side) / 2, storey - 0.35, (space.length(side), 0.15, 0.25), surround)


def _closed_door(room: RoomPlan) -> None:
    rng = room.rng
    width, high = _DOOR
    if room.domain.name == "historic":
        width, high = width * rng.uniform(1.0, 1.9), high * rng.uniform(1.0, 1.4)
    high = min(high, room.height - 0.12)
    side = int(rng.integers(4))
    start = room.place_on_side(side, width + 0.16)
    if start is None:
        return
    leaf = looks.timber(rng, "panel", width, "door") if rng.random() < 0.6 else looks.lacquer(rng)
    middle = start + width / 2 + 0.08
    room.mount(side, middle, 0.0, (width + 0.16, 0.035, high + 0.08), looks.timber(rng))
    room.mount(side, middle, 0.01, (width, 0.05, high - 0.01), leaf)
    room.mount(side, middle + rng.choice([-1, 1]) * 0.4 * width, 1.0, (0.12, 0.11, 0.03), looks.steel(rng))
