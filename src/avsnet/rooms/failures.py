"""Where sight fails: glass, mirrors, the dark, bare walls and smoke, each next to a plain twin of the same room.

A twin has the same geometry, hence the same depth, and the same sound; only the picture differs. So what a model loses
against the twin is lost by sight, and what an echo gives back is no other room's luck.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from avsnet.geometry import intrinsics_from_fov
from avsnet.rooms.geometry.materials import material_index
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, Quads, Scene, View, join, rectangles
from avsnet.rooms.geometry.texture import PATTERNS
from avsnet.rooms.geometry.walk import FRAMES
from avsnet.rooms.picture.render import Picture, render
from avsnet.rooms.picture.sensor import exposure, photograph
from avsnet.rooms.simulator import Location, listen_at, location
from avsnet.rooms.sound.rig import RecordingRig, draw_rig

TWINS = {"glass": "panel", "mirror": "panel", "dark": "plain", "blank": "plain", "smoke": "plain"}
"""What sight fails at, and the plain twin of each: the room as it is, or with an opaque partition across it."""

KINDS = ("plain", *(kind for kind, twin in TWINS.items() if twin == "plain"), "panel", "glass", "mirror")
"""Every picture of a room."""

_RIG, _BELOW = 77, 0.05  # the seed of the rig, and how many metres it may reach below its camera
_PLACES = 12  # places in a room that are tried for a partition
_SHARE = (0.45, 0.7)  # of the way ahead to what is there, where the partition stands
_LEAST_AHEAD = 2.0  # metres of free way that it needs
_DOOR = 0.5  # chance that only a leaf in the partition is of glass, and the rest is opaque
_LEAF = (0.3, 0.7)  # of the partition's width
_TRANSMITS, _REFLECTS = 0.9, 0.07  # of the light, by clear glass seen from ahead
_MIRRORS = 0.92
_UNLIT = 0.0015  # of the light that the exposure is made for
_GRAINY = 4.0  # of the camera's noise, in the dark
_LEFT_AT_MEDIAN = 0.12  # of the light from the median depth, in smoke
_BARE = 1.0  # square units from which on a surface is bare where walls are


@dataclass(frozen=True, eq=False)
class Failure:
    """One picture with its truth and its sound.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32 metres, exact; of a pane, that of the pane.
        waveform: (2, N) float32.
        intrinsics: (3, 3) pixels.
        rig: with which it was recorded.
        room_type: the kind of room.
    """

    rgb: np.ndarray
    depth: np.ndarray
    waveform: np.ndarray
    intrinsics: np.ndarray
    rig: RecordingRig
    room_type: str


@lru_cache(maxsize=128)
def failure(domain: str, seed: int, kind: str, size: tuple[int, int], preset: str = "rooms-1") -> Failure:
    """Simulate one picture where sight fails, or its twin.

    Args:
        domain: `"offices"` or `"historic"`.
        seed: of the room.
        kind: one of `KINDS`.
        size: (h, w) pixels.
        preset: name of the simulator's knobs.
    """
    place = location(domain, seed, preset)
    view, frame, ahead = _view(place)
    partition = kind in ("panel", "glass", "mirror")
    quads = place.scene.quads
    panel = _partition(place, view, ahead) if partition else None
    room = place if panel is None else _with(place, join([quads, panel]))
    intrinsics = intrinsics_from_fov(size[1], size[0], view.fov)
    seen = render(_blank(room) if kind == "blank" else room.scene, room.caster, view, intrinsics, *size)
    radiance, gain, noise = seen.radiance, place.gain(frame // FRAMES), place.domain.camera
    if kind in ("glass", "mirror"):
        assert panel is not None
        radiance = _through(place, view, intrinsics, seen, panel, kind)
    elif kind == "smoke":
        radiance = _in_smoke(seen)
        gain = exposure(radiance, 0.45)
    elif kind == "dark":
        radiance, noise = radiance * np.float32(_UNLIT), replace(noise, deviation=_GRAINY * noise.deviation)
    random = np.random.default_rng(place.stream("camera noise", frame))
    waveform, rig = _sound(domain, seed, preset, partition)
    return Failure(
        rgb=photograph(radiance, gain, noise, random),
        depth=(place.k * seen.depth).astype(np.float32),
        waveform=waveform,
        intrinsics=intrinsics,
        rig=rig,
        room_type=place.scene.room_type,
    )


@lru_cache(maxsize=32)
def _sound(domain: str, seed: int, preset: str, partition: bool) -> tuple[np.ndarray, RecordingRig]:
    """The recording of a room with or without its partition, which all its pictures share."""
    place = location(domain, seed, preset)
    view, frame, ahead = _view(place)
    if partition:
        place = _with(place, join([place.scene.quads, _partition(place, view, ahead)]))
    # One rig for all rooms: another room's echo, the control, is then that of the same rig.
    rig = draw_rig(_RIG, start=place.domain.start, resonance=place.domain.resonance, below=_BELOW, plate=False)
    return listen_at(place, view.scaled(place.k), place.k, rig, frame, place.preset.samples), rig


def _with(place: Location, quads: Quads) -> Location:
    return replace(place, scene=replace(place.scene, quads=quads), caster=ray_caster(quads))


def _view(place: Location) -> tuple[View, int, float]:
    """The first place of the room with enough free way ahead, its frame, and that way; else the freest of all."""
    best: tuple[View, int, float] | None = None
    for number in range(_PLACES):
        view = place.walk(number).view(0)
        forward = _level(view)
        _, way = place.caster.cast(view.position, forward[None])
        ahead = float(min(way[0], 20.0))
        if best is None or ahead > best[2]:
            best = view, number * FRAMES, ahead
        if ahead * place.k >= _LEAST_AHEAD:
            break
    assert best is not None
    return best


def _level(view: View) -> np.ndarray:
    """(3,) the direction ahead, without the camera's pitch."""
    forward = view.axes[2] * np.array([1.0, 1.0, 0.0])
    return np.asarray(forward / np.linalg.norm(forward))


def _partition(place: Location, view: View, ahead: float) -> Quads:
    """An upright wall across the way ahead, from wall to wall and from floor to ceiling: a leaf, and what is beside it.

    The leaf comes first; where all is of one piece there is nothing beside it.
    """
    rng = np.random.default_rng([place.seed, 77])
    forward, up = _level(view), np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, up)
    middle = view.position + rng.uniform(*_SHARE) * ahead * forward
    reach = [float(min(place.caster.cast(middle, way[None])[1][0], 30.0)) for way in (-right, right, -up, up)]
    corner = middle - reach[0] * right - reach[2] * up
    width, height = reach[0] + reach[1], reach[2] + reach[3]
    ends = _LEAF if rng.random() < _DOOR else (0.0, 1.0)
    look = Look(material_index("glass"), PATTERNS.index("panel"), (0.55, 0.5, 0.42), (0.3, 0.27, 0.22), 0.8, 0.08, 7)
    spans = [ends, (0.0, ends[0]), (ends[1], 1.0)]
    # Its face is towards the camera: right x up points backwards.
    parts = [
        rectangles(corner + low * width * right, (high - low) * width * right, height * up, look, corner)
        for low, high in spans
        if high > low
    ]
    return join(parts)


def _blank(room: Location) -> Scene:
    """The scene whose walls, floors and other large surfaces have all one colour and no pattern."""
    quads = room.scene.quads
    bare = (quads.area >= _BARE) & ~np.isin(quads.pattern, [PATTERNS.index(name) for name in ("lamp", "window")])
    white = np.where(bare[:, None], 0.75, 1.0)
    painted = replace(
        quads,
        pattern=np.where(bare, PATTERNS.index("plain"), quads.pattern),
        colour=np.where(bare[:, None], white, quads.colour),
        roughness=np.where(bare, 0.0, quads.roughness),
    )
    return replace(room.scene, quads=painted)


def _through(place: Location, view: View, intrinsics: np.ndarray, seen: Picture, panel: Quads, kind: str) -> np.ndarray:
    """(H, W, 3) radiance with the leaf turned into clear glass, or into a mirror."""
    shape = seen.depth.shape
    leaf = (seen.index == len(place.scene.quads))[..., None]
    corner, normal = panel.corner[0], panel.normal[0]
    if kind == "glass":
        behind = render(place.scene, place.caster, view, intrinsics, *shape).radiance
        shown = _TRANSMITS * behind + _REFLECTS * _mirrored(place, view, intrinsics, shape, corner, normal)
    else:
        shown = _MIRRORS * _mirrored(place, view, intrinsics, shape, corner, normal)
    return np.where(leaf, shown.astype(np.float32), seen.radiance)


def _mirrored(
    place: Location, view: View, intrinsics: np.ndarray, shape: tuple[int, ...], corner: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """(H, W, 3) what the camera would see in a mirror that fills its picture.

    It is what a mirrored camera sees of all that is before the mirror: what lies wholly behind it is taken away.
    """
    quads = place.scene.quads
    ends = np.stack([quads.corner, quads.corner + quads.u, quads.corner + quads.v, quads.corner + quads.u + quads.v])
    before = np.flatnonzero(((ends - corner) @ normal > 1e-6).any(axis=0))
    scene = replace(place.scene, quads=quads.take(before.tolist()))
    turned = replace(
        view,
        position=view.position - 2.0 * ((view.position - corner) @ normal) * normal,
        axes=view.axes - 2.0 * np.outer(view.axes @ normal, normal),
    )
    return render(scene, ray_caster(scene.quads), turned, intrinsics, shape[0], shape[1]).radiance


def _in_smoke(seen: Picture) -> np.ndarray:
    """(H, W, 3) radiance with grey smoke of one density in the room."""
    known = seen.depth > 0.0
    density = -np.log(_LEFT_AT_MEDIAN) / float(np.median(seen.depth[known]))
    left = np.where(known, np.exp(-density * seen.depth), 0.0)[..., None].astype(np.float32)
    grey = np.float32(np.median(seen.radiance))
    return left * seen.radiance + (1.0 - left) * grey
