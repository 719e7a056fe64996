"""Furnished rooms drawn from a seed: a closed shell, boxes and tables in it, a camera that looks along it.

Shell sizes, furniture and camera heights follow the two BatVision parts: `offices` (V1-like) and `historic` (V2-like).
"""

from __future__ import annotations

import numpy as np

from avsnet.errors import OptionError
from avsnet.rooms.geometry.scene import look_along
from closed_form.raycast import cast
from closed_form.scene import Quads, Room, box, join, shell

# room type: probability, then ranges of length, width, height in metres
_SHELLS = {
    "offices": {
        "office": (0.5, (3.0, 7.0), (2.6, 5.5), (2.4, 3.2)),
        "corridor": (0.3, (8.0, 22.0), (1.5, 2.8), (2.4, 3.0)),
        "lab": (0.2, (6.0, 11.0), (5.0, 9.0), (2.6, 3.8)),
    },
    "historic": {
        "hall": (0.4, (12.0, 32.0), (8.0, 18.0), (4.5, 9.0)),
        "gallery": (0.35, (14.0, 36.0), (2.6, 5.0), (3.4, 6.0)),
        "salon": (0.25, (5.0, 10.0), (4.0, 8.0), (3.4, 5.0)),
    },
}

# length, width, height ranges in metres, and whether it is a slab on legs
_FURNITURE = (
    ((0.4, 1.2), (0.35, 0.6), (0.7, 2.1), False),  # cabinet
    ((1.0, 2.0), (0.6, 1.0), (0.70, 0.76), True),  # table
    ((0.3, 0.8), (0.3, 0.8), (0.2, 0.8), False),  # box
    ((0.25, 0.5), (0.25, 0.5), (2.0, 2.6), False),  # pillar
    ((1.4, 2.2), (0.8, 1.0), (0.4, 0.85), False),  # sofa
    ((0.45, 0.5), (0.45, 0.5), (0.43, 0.47), True),  # stool
)

_CAMERA_HEIGHTS = ((0.25, 0.45), (0.9, 1.3), (1.3, 1.7))  # robot, trolley, hand
_CLEARANCE = 0.3  # metres kept free round the camera


def furnished_room(domain: str, seed: int) -> Room:
    """Draw one room; the same domain and seed give the same room.

    Args:
        domain: `"offices"` or `"historic"`.
        seed: any non-negative integer.

    Returns:
        A closed `Room` whose camera stands at least 0.3 m from every surface (256 test rays).

    Raises:
        OptionError: an unknown domain.
    """
    if domain not in _SHELLS:
        raise OptionError(f"unknown domain {domain!r}: choose one of {', '.join(_SHELLS)}")
    for attempt in range(50):
        rng = np.random.default_rng([seed, list(_SHELLS).index(domain), attempt])
        room = _draw(domain, seed, rng)
        directions = rng.normal(size=(256, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        if cast(room.quads, room.camera, directions)[1].min() > _CLEARANCE:
            return room
    raise AssertionError(f"no free place for the camera in 50 rooms drawn from {domain} {seed}")


def _draw(domain: str, seed: int, rng: np.random.Generator) -> Room:
    types = list(_SHELLS[domain].values())
    kind = types[rng.choice(len(types), p=[entry[0] for entry in types])]
    size = np.array([rng.uniform(*limits) for limits in kind[1:]])
    paints = np.column_stack([rng.uniform(0.25, 0.9, (6, 3)), rng.uniform(0.03, 0.35, 6)])
    ahead = size[0] * np.clip(rng.beta(1.6, 1.6), 0.12, 0.9)
    camera = np.array([size[0] / 2 - ahead, size[1] * rng.uniform(-0.3, 0.3), 0.0])
    camera[2] = rng.uniform(*_CAMERA_HEIGHTS[rng.integers(3)])
    yaw = rng.normal(0.0, 0.35) + (rng.uniform(-1.2, 1.2) if rng.random() < 0.2 else 0.0)
    things = [_thing(size, rng) for _ in range(rng.integers(4, 13))]
    return Room(
        quads=join([shell(size, paints), *things]),
        size=size,
        camera=camera,
        axes=look_along(yaw, rng.normal(-0.03, 0.05)),
        fov=float(rng.uniform(60.0, 90.0)),
        seed=seed,
    )


def _thing(size: np.ndarray, rng: np.random.Generator) -> Quads:
    """One piece of furniture: 60 % stand along a side wall, the others anywhere and turned a little."""
    length, width, height, on_legs = _FURNITURE[rng.integers(len(_FURNITURE))]
    extent = (rng.uniform(*length), rng.uniform(*width), rng.uniform(*height))
    paint = np.array([*rng.uniform(0.1, 0.9, 3), rng.uniform(0.05, 0.5)])
    x = rng.uniform(-0.5, 0.5) * (size[0] - extent[0])
    if rng.random() < 0.6:
        y, yaw = rng.choice([-0.5, 0.5]) * (size[1] - extent[1] - 0.04), 0.0
    else:
        y, yaw = rng.uniform(-0.5, 0.5) * (size[1] - extent[1]), rng.normal(0.0, 0.3)
    if not on_legs:
        return box((x, y), extent, 0.01, yaw, paint)
    top = box((x, y), (extent[0], extent[1], 0.04), extent[2] - 0.04, yaw, paint)
    reach = np.array([extent[0] - 0.06, extent[1] - 0.06]) / 2
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    legs = []
    for side in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        foot = turn @ (reach * side) + (x, y)
        legs.append(box((foot[0], foot[1]), (0.05, 0.05, extent[2] - 0.05), 0.005, yaw, paint))
    return join([top, *legs])
