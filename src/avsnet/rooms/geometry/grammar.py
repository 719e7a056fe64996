"""Rooms drawn from a seed: a shell with its openings, what hangs on its walls and what stands on its floor.

All of it is in template units and nothing here knows the scale k: only the smallest k of the domain's range is read,
so that a room is never too narrow for a person. Source: scene grammar of the simulator's design.
"""

from __future__ import annotations

import numpy as np

from avsnet.rooms.geometry.fittings import fix_to_walls
from avsnet.rooms.geometry.furnishing import furnish
from avsnet.rooms.geometry.lamps import hang_lamps
from avsnet.rooms.geometry.openings import draw_shell
from avsnet.rooms.geometry.room_plan import RoomPlan
from avsnet.rooms.geometry.scene import Scene, join
from avsnet.rooms.geometry.shells import Space
from avsnet.rooms.preset import Domain, Preset


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
    room = RoomPlan(
        rng, domain, room_type, Space((-size[0] / 2, -size[1] / 2), (size[0] / 2, size[1] / 2), size[2]), smallest
    )
    start, height = _camera(room, preset, ambiguous)
    draw_shell(room)
    fix_to_walls(room)
    hang_lamps(room)
    furnish(room, start, preset)
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


def _camera(room: RoomPlan, preset: Preset, ambiguous: bool) -> tuple[np.ndarray, float]:
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
