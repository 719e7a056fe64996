"""What stands on a room's floor, and where: columns, pieces along the walls, pieces before the first camera.

Source: scene grammar of the simulator's design.
"""

from __future__ import annotations

import numpy as np

from avsnet.rooms.geometry import looks
from avsnet.rooms.geometry.blocks import bounds
from avsnet.rooms.geometry.furniture import AGAINST_WALL, FREE
from avsnet.rooms.geometry.historic_furniture import column
from avsnet.rooms.geometry.office_furniture import pillar
from avsnet.rooms.geometry.room_plan import AIR, RoomPlan
from avsnet.rooms.geometry.scene import Quads, placed
from avsnet.rooms.preset import Preset

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


def furnish(room: RoomPlan, start: np.ndarray, preset: Preset) -> None:
    """Columns, then pieces along the walls and on the floor, many of them before the first camera."""
    rng, space = room.rng, room.space
    length, width, tall = space.length(0), space.length(1), room.height
    # Round the camera, and a step ahead and behind for its walk.
    clear = (preset.clearance + 0.05) / room.smallest
    ahead = np.array([np.cos(start[2]), np.sin(start[2])])
    ends = start[:2] + np.array([[-0.1], [0.5]]) * ahead
    low, high = ends.min(axis=0) - clear, ends.max(axis=0) + clear
    room.feet.append(np.array([low[0], high[0], low[1], high[1]]))
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


def _against_wall(room: RoomPlan, piece: Quads) -> None:
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
        at = space.on_side(side, middle, 0.0, AIR - low[1])
        if _stand(room, piece, at[0], at[1], room.facing(side)):
            return


def _stand(room: RoomPlan, piece: Quads, x: float, y: float, yaw: float) -> bool:
    """Put a piece there if it fits between the walls and among the others."""
    moved = placed(piece, x, y, yaw)
    low, high = bounds(moved)
    x0, x1, y0, y1 = room.space.area()
    if low[0] < x0 or high[0] > x1 or low[1] < y0 or high[1] > y1 or high[2] > room.height + 1e-9:
        return False
    for feet in room.feet:
        if low[0] < feet[1] and feet[0] < high[0] and low[1] < feet[3] and feet[2] < high[1]:
            return False
    room.feet.append(np.array([low[0] - AIR, high[0] + AIR, low[1] - AIR, high[1] + AIR]))
    room.parts.append(moved)
    return True
