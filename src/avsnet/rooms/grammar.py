"""Rooms drawn from a seed: a shell with its openings, what hangs on its walls and what stands on its floor.

All of it is in template units and nothing here knows the scale k: only the smallest k of the domain's range is read,
so that a room is never too narrow for a person. Source: scene grammar of the simulator's design.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from avsnet.rooms import looks
from avsnet.rooms.furniture import AGAINST_WALL, FREE, block, bounds, column, pillar, prism
from avsnet.rooms.preset import Domain, Preset
from avsnet.rooms.scene import Lamp, Look, Quads, Scene, join, placed, rectangles
from avsnet.rooms.shells import Opening, Space, barrel, passage, recess

_DOOR = (0.83, 2.04)
_AIR = 0.04  # between pieces of furniture, and between them and the wall

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

# pieces of furniture: fewest, most, and square metres a piece
_COUNTS = {
    "office": (7, 18, 1.6),
    "corridor": (5, 14, 3.0),
    "lab": (9, 22, 2.8),
    "hall": (8, 24, 7.0),
    "gallery": (7, 20, 4.0),
    "courtyard": (8, 22, 14.0),
    "salon": (8, 20, 2.4),
}


@dataclass
class _Room:
    """A room while it is being drawn."""

    rng: np.random.Generator
    domain: Domain
    room_type: str
    space: Space
    smallest: float
    parts: list[Quads] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    floors: list[np.ndarray] = field(default_factory=list)
    taken: list[list[tuple[float, float]]] = field(default_factory=lambda: [[], [], [], []])  # of each side
    feet: list[np.ndarray] = field(default_factory=list)  # (4,) x low, x high, y low, y high of what stands there

    @property
    def height(self) -> float:
        return self.space.height

    def place_on_side(self, side: int, width: float, tries: int = 10) -> float | None:
        """Where along a side something as wide begins that meets nothing else there."""
        room = self.space.length(side) - width
        for _ in range(tries if room > 0.2 else 0):
            start = self.rng.uniform(0.1, room - 0.1)
            if all(start + width + 0.05 < low or high + 0.05 < start for low, high in self.taken[side]):
                self.taken[side].append((start, start + width))
                return float(start)
        return None

    def mount(self, side: int, middle: float, low: float, size: tuple[float, float, float], surface: Look) -> None:
        """A box on a wall: width, thickness and height."""
        at = self.space.on_side(side, middle, 0.0, size[1] / 2)
        self.parts.append(
            placed(block(0, 0, low, size, surface).take((0, 1, 2, 3, 5)), at[0], at[1], self.facing(side))
        )

    def facing(self, side: int) -> float:
        """The turn that makes a thing's front look into the room from a side."""
        inward = self.space.inward(side)
        return float(np.arctan2(inward[1], inward[0]) - np.pi / 2)


def draw_scene(domain: Domain, preset: Preset, seed: np.random.SeedSequence) -> Scene:
    """Draw one room.

    Args:
        domain: its kinds of rooms.
        preset: the knobs.
        seed: of everything here.

    Returns:
        The room, furnished about one place where a camera may stand.
    """
    rng = np.random.default_rng(seed)
    ambiguous = bool(rng.random() < preset.ambiguous)
    stretch = 1.0 if ambiguous else float(np.exp(rng.uniform(*np.log(domain.k))))
    smallest = domain.k[0] if ambiguous else 1.0
    types = list(domain.rooms.values())
    room_type = list(domain.rooms)[rng.choice(len(types), p=[entry.share for entry in types])]
    size = _size(rng, domain, room_type, stretch, preset.narrowest / smallest)
    room = _Room(
        rng, domain, room_type, Space((-size[0] / 2, -size[1] / 2), (size[0] / 2, size[1] / 2), size[2]), smallest
    )
    start, height = _camera(room, preset, ambiguous)
    _shell(room)
    _on_walls(room)
    _lamps(room)
    _furnish(room, start, preset)
    sky = None
    flux = 2 * np.pi * sum(np.array(lamp.power) for lamp in room.lamps)
    length, width, tall = size
    ambient = 0.65 * flux / (2 * (length * width + length * tall + width * tall))
    if room_type == "courtyard":
        tint = np.array([0.75, 0.88, 1.0])
        sky = tuple((rng.uniform(0.9, 1.6) * tint).tolist())
        ambient = rng.uniform(0.3, 0.7) * tint
    return Scene(
        quads=join(room.parts),
        lamps=tuple(room.lamps),
        ambient=tuple(ambient.tolist()),
        sky=sky,
        size=size,
        floors=np.array(room.floors),
        start=start,
        camera_height=height,
        room_type=room_type,
        ambiguous=ambiguous,
    )


def _size(rng: np.random.Generator, domain: Domain, room_type: str, stretch: float, narrowest: float) -> np.ndarray:
    """(3,) length, width, height; wide enough at the smallest k."""
    entry = domain.rooms[room_type]
    # A range below the narrowest width is cut there: the same as drawing again until it is wide enough.
    length, width = (
        stretch * rng.uniform(max(low, min(narrowest / stretch, high)), max(high, narrowest / stretch))
        for low, high in (entry.length, entry.width)
    )
    return np.array([length, width, max(2.2, stretch**0.5 * rng.uniform(*entry.height))])


def _camera(room: _Room, preset: Preset, ambiguous: bool) -> tuple[np.ndarray, float]:
    """(3,) x, y and heading of the first camera, and the height of all."""
    rng, space = room.rng, room.space
    length, width = space.length(0), space.length(1)
    ahead = length * np.clip(rng.beta(1.6, 1.6), 0.12, 0.9)
    place = np.array([length / 2 - ahead, width * rng.uniform(-0.3, 0.3)])
    reach = np.array([length, width]) / 2 - (preset.clearance + 0.03) / room.smallest
    place = np.clip(place, -reach, reach)
    heading = rng.normal(0.0, 0.35) + (rng.uniform(-1.2, 1.2) if rng.random() < 0.2 else 0.0)
    if ambiguous:
        # The rig reaches 0.10 m below its camera and keeps its clearance at the smallest k.
        low = max(preset.free_heights[0], (preset.floor_clearance + 0.10) / room.smallest)
        height = float(np.exp(rng.uniform(np.log(low), np.log(preset.free_heights[1]))))
    else:
        height = float(rng.uniform(*preset.rig_heights[rng.integers(len(preset.rig_heights))]))
    return np.array([*place, heading]), min(height, room.height - preset.clearance / room.smallest)


def _shell(room: _Room) -> None:
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
        _under_ceiling(room)
    room.floors.insert(0, space.area())


def _wing(room: _Room, wall: Look, floor: Look, ceiling: Look) -> None:
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
    _panel_lamp(room, beyond)


def _doorway(room: _Room, wall: Look) -> None:
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
        at = beyond.on_side(1, beyond.length(1) * rng.uniform(0.35, 0.65), 0.0, _AIR - low[1])
        inward = beyond.frame.directions(beyond.inward(1))
        room.parts.append(placed(piece, at[0], at[1], float(np.arctan2(inward[1], inward[0]) - np.pi / 2)))
    if len(room.lamps) < 2 and rng.random() < 0.8:
        _panel_lamp(room, beyond)


def _windows(room: _Room, wall: Look) -> None:
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
            room.lamps.append(_lamp(at, (0.3, 0.3), power, (0.92, 0.97, 1.0), hangs=False))


def _facades(room: _Room) -> None:
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


def _closed_door(room: _Room) -> None:
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


def _on_walls(room: _Room) -> None:
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


def _under_ceiling(room: _Room) -> None:
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


def _lamps(room: _Room) -> None:
    """Lamps of the main space: panels, chandeliers or the sun; some rooms have only their windows."""
    rng, space, tall = room.rng, room.space, room.height
    length, width = space.length(0), space.length(1)
    if room.room_type == "courtyard":
        turn, lift, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.3), 80.0
        at = far * np.array([np.cos(lift) * np.cos(turn), np.cos(lift) * np.sin(turn), np.sin(lift)])
        room.lamps.append(_lamp(at, (1.0, 1.0), rng.uniform(0.2, 2.0) * far**2, (1.0, 0.95, 0.85), hangs=False))
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
            room.lamps.append(_lamp(np.array([x, y, drop - 0.03]), (radius, radius), power, tint))
    if room.domain.name == "offices" and count > 1:  # lamps between the lamps, for the eye
        for number in range(count - 1):
            x = length * ((number + 1) / count - 0.5)
            room.parts.append(_shining(room, np.array([x, 0.0, tall]), (0.6, 0.15)))


def _panel_lamp(room: _Room, space: Space) -> None:
    """A lamp in the middle of another space's ceiling."""
    x0, x1, y0, y1 = space.area()
    at = np.array([(x0 + x1) / 2, (y0 + y1) / 2, space.base + space.height])
    _panel(room, at, room.rng.uniform(0.5, 1.3) * space.height**2, (1.0, 0.92, 0.8))


def _panel(room: _Room, at: np.ndarray, power: float, tint: tuple[float, float, float]) -> None:
    half = (room.rng.uniform(0.25, 0.65), room.rng.uniform(0.08, 0.3))
    room.parts.append(_shining(room, at, half))
    room.lamps.append(_lamp(at - np.array([0, 0, 0.08]), half, power, tint))


def _shining(room: _Room, at: np.ndarray, half: tuple[float, float]) -> Quads:
    """A lamp's lower face, just under the ceiling."""
    corner = at - np.array([half[0], half[1], 0.03])
    return rectangles(corner, [0, 2 * half[1], 0], [2 * half[0], 0, 0], looks.lamp_look(room.rng))


def _lamp(
    at: np.ndarray, half: tuple[float, float], power: float, tint: tuple[float, float, float], hangs: bool = True
) -> Lamp:
    red, green, blue = (power * channel for channel in tint)
    return Lamp((float(at[0]), float(at[1]), float(at[2])), half, (red, green, blue), hangs)


def _furnish(room: _Room, start: np.ndarray, preset: Preset) -> None:
    """Columns, then pieces along the walls and on the floor, many of them before the first camera."""
    rng, space = room.rng, room.space
    length, width, tall = space.length(0), space.length(1), room.height
    # Round the camera, and a step ahead and behind for its walk.
    clear = (preset.clearance + 0.05) / room.smallest
    ahead = np.array([np.cos(start[2]), np.sin(start[2])])
    ends = start[:2] + np.array([[-0.1], [0.5]]) * ahead
    room.feet.append(np.array([*(ends[:, 0] + 0), *(ends[:, 1] + 0)]))
    low, high = ends.min(axis=0) - clear, ends.max(axis=0) + clear
    room.feet[-1] = np.array([low[0], high[0], low[1], high[1]])
    if room.room_type == "hall" and rng.random() < 0.6:
        row, gap = rng.uniform(0.25, 0.36) * width, rng.uniform(3.0, 5.0)
        stone = looks.look(rng, "limestone", "plain", looks.warm(rng, (0.35, 0.75), (0.05, 0.25)), roughness=0.18)
        for x in np.arange(-length / 2 + gap / 2, length / 2, gap):
            for y in (-row, row):
                _stand(room, column(rng, tall, stone), x, y, 0.0)
    elif room.domain.name == "offices" and rng.random() < 0.25:
        for _ in range(rng.integers(1, 3)):
            _stand(room, pillar(rng, tall), rng.uniform(-0.45, 0.45) * length, rng.uniform(-0.45, 0.45) * width, 0.0)
    fewest, most, square = _COUNTS[room.room_type]
    count = int(np.clip(round(rng.uniform(0.6, 1.4) * length * width / square), fewest, most))
    domain = room.domain.name
    for number in range(count):
        choice = rng.random()
        if choice < 0.45:
            pieces = AGAINST_WALL[domain][room.room_type]
            piece = pieces[rng.integers(len(pieces))](rng)
            _against_wall(room, piece)
            continue
        pieces = FREE[domain][room.room_type]
        piece = pieces[rng.integers(len(pieces))](rng)
        for _ in range(6):
            if number % 3 < 2:  # before the camera
                far, turn = rng.uniform(0.9, min(7.0, 0.5 + length / 2)), start[2] + rng.uniform(-0.75, 0.75)
                x, y = start[:2] + far * np.array([np.cos(turn), np.sin(turn)])
            else:
                x, y = rng.uniform(-0.48, 0.48, 2) * (length, width)
            if _stand(room, piece, x, y, rng.uniform(-np.pi, np.pi) if rng.random() < 0.5 else rng.normal(0.0, 0.3)):
                break


def _against_wall(room: _Room, piece: Quads) -> None:
    rng, space = room.rng, room.space
    low, high = bounds(piece)
    if high[2] > room.height - 0.05:
        return
    for _ in range(6):
        side = int(rng.integers(4))
        if room.domain.name == "offices" or rng.random() < 0.7:
            side = int(rng.choice([0, 2])) if rng.random() < 0.7 else side
        length = space.length(side)
        wide = high[0] - low[0]
        if wide + 0.2 > length:
            continue
        middle = rng.uniform(wide / 2 + 0.05, length - wide / 2 - 0.05)
        doors = [o for o in space.openings[side] if o.low < 0.3]
        if any(middle - wide / 2 < o.end and o.start < middle + wide / 2 for o in doors):
            continue
        at = space.on_side(side, middle, 0.0, _AIR - low[1])
        if _stand(room, piece, at[0], at[1], room.facing(side)):
            return


def _stand(room: _Room, piece: Quads, x: float, y: float, yaw: float) -> bool:
    """Put a piece there if it fits between the walls and among the others."""
    moved = placed(piece, x, y, yaw)
    low, high = bounds(moved)
    x0, x1, y0, y1 = room.space.area()
    if low[0] < x0 or high[0] > x1 or low[1] < y0 or high[1] > y1 or high[2] > room.height + 1e-9:
        return False
    for feet in room.feet:
        if low[0] < feet[1] and feet[0] < high[0] and low[1] < feet[3] and feet[2] < high[1]:
            return False
    room.feet.append(np.array([low[0] - _AIR, high[0] + _AIR, low[1] - _AIR, high[1] + _AIR]))
    room.parts.append(moved)
    return True
