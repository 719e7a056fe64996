"""What a camera sees of a scene: colour before the camera's own response, and depth along the optical axis.

One ray through each pixel's centre gives depth and the rectangle met; four more at outlines smooth these. Light comes
straight from the lamps, with soft shadows, and from everywhere, less in corners. Everything is in template units: there
is no scale here to read. Source: rendering rules of the simulator's design.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from avsnet.rooms.geometry.raycast import RayCaster
from avsnet.rooms.geometry.scene import Quads, Scene, View
from avsnet.rooms.geometry.texture import PATTERNS, albedo

_OFFSETS = np.array([[-0.375, -0.125], [0.125, -0.375], [0.375, 0.125], [-0.125, 0.375]])
"""Pixels; further rays at outlines."""

_CORNER_RAYS = 4  # a point of the coarse grid sends so many to see how much of the room is open to it
_NOTHING = 0.03  # of the light from everywhere
_GLOWING = tuple(PATTERNS.index(name) for name in ("lamp", "window"))


@dataclass(frozen=True)
class Picture:
    """What is seen through each pixel's centre.

    Args:
        radiance: (H, W, 3) float32 linear RGB.
        depth: (H, W) float64 along the optical axis, in the scene's unit; 0 where nothing is met.
        index: (H, W) int rectangle met, -1 for none.
    """

    radiance: np.ndarray
    depth: np.ndarray
    index: np.ndarray


@dataclass(frozen=True)
class _Seen:
    """N rays with what they met."""

    directions: np.ndarray  # (N, 3), 1 along the optical axis
    points: np.ndarray  # (N, 3)
    index: np.ndarray  # (N,)
    depth: np.ndarray  # (N,)
    normals: np.ndarray  # (N, 3) float32
    dither: np.ndarray  # (N, 2) 0..1, neighbouring pixels far apart

    def take(self, rows: np.ndarray) -> _Seen:
        return _Seen(*(getattr(self, entry.name)[rows] for entry in fields(self)))


def render(scene: Scene, caster: RayCaster, view: View, intrinsics: np.ndarray, height: int, width: int) -> Picture:
    """Look into the scene.

    Args:
        scene: what is there.
        caster: rays in it.
        view: the camera; its field of view is not read, the intrinsics say it.
        intrinsics: (3, 3) pixels, centres at whole coordinates.
        height: pixels.
        width: pixels.
    """
    rows, columns = np.divmod(np.arange(height * width), width)
    normal = scene.quads.normal.astype(np.float32)
    seen = _look(caster, view, intrinsics, np.stack([columns, rows], 1), normal)
    shape = (height, width)
    index = seen.index.reshape(shape)
    number = _planes(scene.quads)
    planes = number[index]
    open_to = _openness(caster, seen, planes, min(scene.size[:2]) / 2)
    light = np.zeros((height * width, 3), np.float32)
    for visible, strength in _lamplight(scene, caster, seen):
        soft = _smoothed(_smoothed(visible.reshape(shape), planes), planes, 2)
        light += soft.ravel()[:, None] * strength
    radiance = _shade(scene, seen, light, open_to.ravel(), intrinsics[0, 0])
    outline = np.flatnonzero(_outlines(planes))
    if len(outline):
        places = np.stack([columns, rows], 1)[outline]
        finer = _look(caster, view, intrinsics, (places[:, None] + _OFFSETS).reshape(-1, 2), normal)
        owner = np.repeat(outline, len(_OFFSETS))
        own_light = light[owner]
        other = np.flatnonzero(number[finer.index] != planes.ravel()[owner])
        own_light[other] = sum(
            visible[:, None] * strength for visible, strength in _lamplight(scene, caster, finer.take(other))
        )
        colours = _shade(scene, finer, own_light, open_to.ravel()[owner], intrinsics[0, 0])
        colours = colours.reshape(len(outline), len(_OFFSETS), 3).sum(axis=1)
        radiance[outline] = (radiance[outline] + colours) / (1 + len(_OFFSETS))
    return Picture(radiance.reshape(*shape, 3), seen.depth.reshape(shape), index)


def _look(caster: RayCaster, view: View, intrinsics: np.ndarray, pixels: np.ndarray, normal: np.ndarray) -> _Seen:
    x = (pixels[:, 0] - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (pixels[:, 1] - intrinsics[1, 2]) / intrinsics[1, 1]
    directions = np.stack([x, y, np.ones(len(pixels))], 1) @ view.axes
    index, depth = caster.cast(view.position, directions)
    depth = np.where(index >= 0, depth, 0.0)
    points = view.position + depth[:, None] * directions
    # The plastic numbers: any few neighbouring pixels share out the unit square evenly.
    dither = (pixels @ np.array([[0.754_877_67, 0.569_840_29], [0.569_840_29, 0.754_877_67]])) % 1.0
    return _Seen(directions, points, index, depth, normal[index], dither.astype(np.float32))


def _planes(quads: Quads) -> np.ndarray:
    """(Q + 1,) a number per surface: pieces of one wall share it. The last one stands for no rectangle."""
    key = np.concatenate([quads.anchor, quads.normal, quads.seed[:, None]], axis=1).round(6)
    _, number = np.unique(key, axis=0, return_inverse=True)
    return np.append(number.ravel(), -1)


def _outlines(planes: np.ndarray) -> np.ndarray:
    """(H, W) whether the pixel beside or below shows another surface, or this one does to them."""
    found = np.zeros(planes.shape, bool)
    across, down = planes[:, 1:] != planes[:, :-1], planes[1:] != planes[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def _lamplight(scene: Scene, caster: RayCaster, seen: _Seen) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per lamp: (N,) whether it is seen from each point, and (N, 3) what it would give there."""
    lights = []
    points = seen.points.astype(np.float32)
    for number, lamp in enumerate(scene.lamps):
        place, power = np.array(lamp.position, np.float32), np.array(lamp.power, np.float32)
        towards = place - points
        square = np.einsum("ij,ij->i", towards, towards)
        strength = np.einsum("ij,ij->i", towards, seen.normals) / (np.sqrt(square) * np.maximum(square, 0.04))
        if lamp.hangs:  # it shines down, and its own body shades what is above
            strength *= np.clip(2.5 * towards[:, 2] / np.sqrt(square), 0.0, 1.0)
        # What adds next to nothing to the light from everywhere needs no ray.
        dim = _NOTHING * max(scene.ambient) / max(lamp.power)
        lit = np.flatnonzero((strength > dim) & (seen.index >= 0))
        # The lamp is moved for the shadow only, and only level: through the ceiling would be dark.
        spread = ((seen.dither[lit] + np.float32(0.37 * number)) % 1.0 - 0.5) * (2.0 * np.array(lamp.half, np.float32))
        ends = np.broadcast_to(place, (len(lit), 3)).copy()
        ends[:, :2] += spread
        visible = np.zeros(len(points), np.float32)
        visible[lit] = ~caster.occluded(points[lit], ends)
        lights.append((visible, strength[:, None] * power))
    return lights


def _openness(caster: RayCaster, seen: _Seen, planes: np.ndarray, reach: float) -> np.ndarray:
    """(H, W) 0..1, how far away what surrounds each point is: little light gets into corners.

    Asked on every other pixel of every other row, and smoothed within a surface.
    """
    height, width = planes.shape
    grid = np.arange(height * width).reshape(planes.shape)[::2, ::2]
    chosen = grid.ravel()
    normal, met = seen.normals[chosen], seen.index[chosen] >= 0
    directions = _cosine_directions(normal, seen.dither[chosen])
    starts = seen.points[chosen] + 4 * caster.tolerance * normal
    _, distance = caster.cast(np.repeat(starts, _CORNER_RAYS, axis=0), directions.reshape(-1, 3))
    free = (1.0 - np.exp(-distance / reach)).reshape(-1, _CORNER_RAYS).mean(axis=1)
    coarse = np.where(met, free, 1.0).astype(np.float32).reshape(grid.shape)
    coarse_planes = planes[::2, ::2]
    coarse = _smoothed(_smoothed(coarse, coarse_planes), coarse_planes, 2)
    # Each fine pixel takes the mean of the coarse ones round it on its own surface, else the nearest one.
    total, weight = np.zeros(planes.shape, np.float32), np.zeros(planes.shape, np.float32)
    rows, columns = np.arange(height), np.arange(width)
    for row in (rows // 2, np.minimum((rows + 1) // 2, len(grid) - 1)):
        for column in (columns // 2, np.minimum((columns + 1) // 2, grid.shape[1] - 1)):
            same = coarse_planes[np.ix_(row, column)] == planes
            weight += same
            total += same * coarse[np.ix_(row, column)]
    nearest = coarse[np.ix_(rows // 2, columns // 2)]
    return np.where(weight > 0.0, total / np.maximum(weight, 1.0), nearest)


def _cosine_directions(normal: np.ndarray, dither: np.ndarray) -> np.ndarray:
    """(N, rays, 3) unit directions about each normal, as many as Lambert's law asks for."""
    number = np.arange(_CORNER_RAYS, dtype=np.float32)
    angle = 2.0 * np.pi * (dither[:, :1] + number / _CORNER_RAYS)
    square = (dither[:, 1:] + number * 0.618_034) % 1.0
    helper = np.where(np.abs(normal[:, 2:]) < 0.9, np.array([[0, 0, 1]], np.float32), np.array([[1, 0, 0]], np.float32))
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normal, first)
    side = np.sqrt(square)
    return (
        (side * np.cos(angle))[..., None] * first[:, None]
        + (side * np.sin(angle))[..., None] * second[:, None]
        + np.sqrt(1.0 - square)[..., None] * normal[:, None]
    )


def _smoothed(values: np.ndarray, planes: np.ndarray, step: int = 1) -> np.ndarray:
    """Mean over 3 x 3 pixels `step` apart that show the same surface."""
    total, count = values.astype(np.float32), np.ones(values.shape, np.float32)
    height, width = values.shape
    for down in (-step, 0, step):
        for right in (-step, 0, step):
            if not (down or right) or abs(down) >= height or abs(right) >= width:
                continue
            here = (slice(max(0, -down), height - max(0, down)), slice(max(0, -right), width - max(0, right)))
            there = (slice(max(0, down), height - max(0, -down)), slice(max(0, right), width - max(0, -right)))
            same = planes[here] == planes[there]
            total[here] += same * values[there]
            count[here] += same
    return total / count


def _shade(scene: Scene, seen: _Seen, light: np.ndarray, open_to: np.ndarray, focal: float) -> np.ndarray:
    """(N, 3) float32 radiance."""
    met = seen.index >= 0
    ambient = np.array(scene.ambient, np.float32) * (open_to * (1.0 + 0.25 * seen.normals[:, 2]))[:, None]
    light = light + ambient
    length = np.sqrt(np.einsum("ij,ij->i", seen.directions, seen.directions))
    slant = np.abs(np.einsum("ij,ij->i", seen.directions, seen.normals)) / length
    footprint = seen.depth / (focal * np.maximum(slant, 0.02) ** 0.75)
    glows = np.isin(scene.quads.pattern, _GLOWING)[seen.index]
    light[glows] = 1.0
    radiance = albedo(scene.quads, seen.index, seen.points, footprint) * light
    if not met.all():
        up = seen.directions[~met, 2] / length[~met]
        sky = np.array(scene.sky if scene.sky is not None else (0.0, 0.0, 0.0), np.float32)
        radiance[~met] = sky * (1.15 - 0.5 * np.clip(up, 0.0, 1.0))[:, None]
    return radiance.astype(np.float32, copy=False)
