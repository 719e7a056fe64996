"""Picture and depth of a room: one ray a pixel, Lambert shading from a lamp at the camera, tiles drawn on surfaces."""

from __future__ import annotations

import numpy as np

from avsnet.geometry import intrinsics_from_fov, pixel_rays
from closed_form.raycast import cast
from closed_form.scene import Room


def render(room: Room, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Look into the room.

    Args:
        room: the scene and its camera.
        height: pixels.
        width: pixels.

    Returns:
        image (H, W, 3) uint8 RGB; depth (H, W) float32 metres along the optical axis, 0 where a ray leaves the room;
        intrinsics (3, 3) pixels.
    """
    intrinsics = intrinsics_from_fov(width, height, room.fov)
    directions = (pixel_rays(intrinsics, height, width) @ room.axes).reshape(-1, 3)
    index, depth = cast(room.quads, room.camera, directions)  # rays have z = 1, so t is the depth
    met = index >= 0
    depth = np.where(met, depth, 0.0)
    points = room.camera + depth[:, None] * directions
    quads = room.quads
    u, v = quads.u[index], quads.v[index]
    offset = points - quads.corner[index]
    tiles = sum(
        np.floor(np.sum(offset * edge, axis=1) / np.linalg.norm(edge, axis=1) / 0.3).astype(int) for edge in (u, v)
    )
    facing = np.abs(np.sum(quads.normal[index] * directions, axis=1)) / np.linalg.norm(directions, axis=1)
    light = (0.35 + 0.65 * facing) / (1.0 + 0.02 * depth**2)
    colour = quads.colour[index] * (light * np.where(tiles % 2 == 0, 1.0, 0.88))[:, None]
    image = np.where(met[:, None], np.clip(colour, 0.0, 1.0) ** (1 / 2.2), 0.0)
    shape = (height, width)
    return (
        (image * 255).round().astype(np.uint8).reshape(*shape, 3),
        depth.astype(np.float32).reshape(shape),
        intrinsics,
    )
