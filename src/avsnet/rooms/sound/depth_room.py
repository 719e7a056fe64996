"""A room round a depth map: the surfaces that the camera sees, and a guess at those that it does not.

Sound comes back from behind the camera too. What bounds the view (the floor, a wall) is continued past its edges;
the other sides of the room are drawn from a seed. They serve the late field and make no claim to be true.
"""

from __future__ import annotations

import numpy as np

from avsnet.geometry import unproject
from avsnet.planes import Plane, find_planes
from avsnet.rooms.geometry.materials import material_index
from avsnet.rooms.geometry.scene import Look, Quads, join, rectangles
from avsnet.rooms.geometry.surfaces import Clutter
from avsnet.rooms.sound.depth_surfaces import TOLERANCE, patches, plane_members, plane_tiles, thinned

_WALLS = ("plaster", "plaster", "concrete", "wood", "brick")
_FLOORS = ("linoleum", "parquet", "carpet")
_CEILINGS = ("ceiling_tile", "ceiling_tile", "plaster")
_THINGS = ("wood", "wood", "upholstery", "door")
_CLUTTER = ((0.15, 0.25), (0.3, 0.45))  # from, to: more than a made room's, which has its furniture

_UPRIGHT, _LEVEL = 0.3, 0.7  # cosine between a plane's normal and the vertical, of walls and of floors
_BOUNDS = 0.9  # cosine between a plane's normal and the side of the room that it may be
_BEHIND_SEEN = 0.01  # metres by which the guessed shell stays behind what is seen


def room_of_depth(depth: np.ndarray, intrinsics: np.ndarray, seed: int | np.random.SeedSequence) -> Quads:
    """Surfaces for the sound of what a depth map shows, in camera axes (x right, y down, z forward).

    Args:
        depth: (H, W) metres along the optical axis, 0 = unknown.
        intrinsics: (3, 3) pixels.
        seed: of the materials and of what the camera does not see.

    Returns:
        Rectangles in metres; the last six are the guessed shell.
    """
    rng = np.random.default_rng(seed)
    walls, floor, ceiling, things = (
        Look(material_index(str(rng.choice(names)))) for names in (_WALLS, _FLOORS, _CEILINGS, _THINGS)
    )
    depth, camera = thinned(depth, intrinsics)
    known = depth > 0.0
    planes = find_planes(depth, known, camera, TOLERANCE)[0]
    frame = room_frame(planes)
    parts, left = [], known
    for plane in planes:
        tiles, covered = plane_tiles(np.where(left, depth, 0.0), camera, plane, frame)
        left = left & ~covered
        tilt = plane.normal @ frame[1]
        look = floor if tilt > _LEVEL else ceiling if tilt < -_LEVEL else walls
        parts.append(rectangles(tiles[:, 0], tiles[:, 1], tiles[:, 2], look))
    small = patches(depth, camera, left)
    parts.append(rectangles(small[:, 0], small[:, 1], small[:, 2], things))
    points = unproject(depth, camera)[known]
    parts.append(_shell(_sides(points, planes, frame, rng), frame, [walls, walls, ceiling, floor, walls, walls]))
    return join(parts)


def clutter_of_depth(seed: int | np.random.SeedSequence) -> Clutter:
    """What stands where the camera does not look: absorption 0.15 to 0.3, scattering 0.25 to 0.45."""
    absorption, scattering = np.random.default_rng(seed).uniform(*_CLUTTER)
    return Clutter(float(absorption), float(scattering))


def room_frame(planes: list[Plane]) -> np.ndarray:
    """The room's directions (3, 3), rows nearest to the camera's right, down and forward, from its planes.

    The largest level plane tells the vertical, the largest upright one the walls' direction; without one of them the
    camera is taken to be level, or to look straight at a wall.
    """
    down = np.array([0.0, 1.0, 0.0])
    level = [plane.normal for plane in planes if abs(plane.normal[1]) > _LEVEL]
    if level:
        down = level[0] * np.sign(level[0][1])
    forward = np.array([0.0, 0.0, 1.0])
    upright = [plane.normal for plane in planes if abs(plane.normal @ down) < _UPRIGHT]
    if upright:
        if not level:  # a wall stands upright, so it tells how the camera is tilted
            down = down - (down @ upright[0]) * upright[0]
            down /= np.linalg.norm(down)
        turned = np.cross(down, upright[0])
        forward = max((upright[0], -upright[0], turned, -turned), key=lambda direction: direction[2])
    forward = forward - (forward @ down) * down
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(down, forward), down, forward])


def _sides(points: np.ndarray, planes: list[Plane], frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(6,) metres from the camera to the sides left, right, above, below, behind, ahead.

    A plane that bounds the view is the side itself; else the side lies somewhere past what is seen.
    """
    height = rng.uniform(2.4, 3.4)
    camera_height = rng.uniform(1.0, 1.6)
    least = np.array([1.0, 1.0, height - camera_height, camera_height, rng.uniform(1.0, 4.0), 1.0])
    beyond = rng.uniform([0.2, 0.2, 0.0, 0.0, 0.0, 0.1], [2.0, 2.0, 0.2, 0.1, 0.0, 0.6])
    sides = np.empty(6)
    for side in range(6):
        outwards = frame[side // 2] * (1 if side % 2 else -1)
        reach = max(0.0, float(np.percentile(points @ outwards, 99.0)))
        bounds = [plane for plane in planes if plane.normal @ outwards > _BOUNDS]
        # Nearly all of a plane's points stay inside, however it is tilted against the side.
        offsets = [np.percentile(points[plane_members(points, plane)] @ outwards, 97.0) for plane in bounds]
        offset = max(offsets, default=0.0)
        sides[side] = offset + _BEHIND_SEEN if offset > 0.93 * reach else max(least[side], reach + beyond[side])
    return sides


def _shell(sides: np.ndarray, frame: np.ndarray, looks: list[Look]) -> Quads:
    """Six rectangles that face the camera, each `sides` metres from it."""
    low, high = -sides[::2], sides[1::2]
    parts = []
    for side, look in enumerate(looks):
        axis = side // 2
        first, second = (axis + 1) % 3, (axis + 2) % 3
        u, v = (frame[other] * (high[other] - low[other]) for other in (first, second))
        place = low.copy()
        if side % 2:
            place[axis] = high[axis]
            u, v = v, u  # first x second points along the axis; this side looks against it
        parts.append(rectangles(place @ frame, u, v, look))
    return join(parts)
