"""A simulated room seen and heard without a picture: true depth and a recording, many places and headings a room.

Pictures are most of a sample's cost. What listens to a map, and not to a picture, learns from these: cameras of any
field of view, near views of desks and walls included, each with a rig of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from avsnet.audio.rig import Rig
from avsnet.geometry import intrinsics_from_fov
from avsnet.rooms.geometry.scene import View, look_along
from avsnet.rooms.geometry.walk import FRAMES, sphere
from avsnet.rooms.simulator import Location, listen_at, location
from avsnet.rooms.sound.rig import BEHIND, RecordingRig, draw_rig

_FOV = (55.0, 95.0)  # degrees, horizontal
_NEAR = 0.35  # share of views that step up to a surface
_STEP_UP = (0.4, 1.3)  # metres that are left to it
_CLEAR = 0.3  # metres round the camera
_TRIES = 8
_SPACING = (0.08, 0.25)  # metres between the ears: telephones to heads
_DIRECT = (0.1, 0.8)  # share of the direct sound that reaches the ears: robots with a housing to bare laptops
_AS_USUAL = 1 / 3  # share of rigs with the simulator's own directivity, colour and scattering
_POINTED = (-0.4, 1.5)  # power of the directivity; below 0 counts as 0: alike in all directions
_COLOURS = (-0.2, 1.3)  # likewise of the frequency response
_DIFFUSE = (-0.3, 1.3)  # likewise pressure of scattered sound over the simulator's
_PURPOSE = 77  # sets these streams of numbers apart from those of the pictures


@dataclass(frozen=True, eq=False)
class Sounding:
    """What was measured at one place of a room.

    Args:
        depth: (H, W) float32 metres along the optical axis, 0 where there is nothing.
        intrinsics: (3, 3) pixels.
        waveform: (2, N) float32 at 44 100 Hz, left ear first.
        rig: what was played, where from and to.
    """

    depth: np.ndarray
    intrinsics: np.ndarray
    waveform: np.ndarray
    rig: Rig


def room_sounding(
    domain: str,
    seed: int,
    place: int = 0,
    *,
    size: tuple[int, int] = (96, 128),
    samples: int = 6600,
    preset: str = "rooms-1",
) -> Sounding:
    """See and hear a room from one of its places.

    Args:
        domain: `"offices"` or `"historic"`.
        seed: of the room; the room is that of `avsnet.rooms.sample`.
        place: number of the place; each has its own view, camera and rig.
        size: (h, w) pixels.
        samples: length of the recording at 44 100 Hz.
        preset: name of the simulator's knobs.

    Raises:
        OptionError: an unknown domain or preset.
        ValueError: a negative seed or place.
    """
    room = location(domain, seed, preset)
    rng = np.random.default_rng(room.stream("walk", place, _PURPOSE))
    view = replace(room.walk(place).view(int(rng.integers(FRAMES))), fov=rng.uniform(*_FOV))
    if rng.random() < _NEAR:
        view = _step_up(room, view, rng)
    rig = sounding_rig(room.stream("rig", place, _PURPOSE), below=_room_below(room, view))
    intrinsics = intrinsics_from_fov(size[1], size[0], view.fov)
    waveform = listen_at(room, view.scaled(room.k), room.k, rig, place * FRAMES, samples)
    return Sounding(_depth(room, view, intrinsics, size), intrinsics, waveform, rig.geometry)


def sounding_rig(seed: int | np.random.SeedSequence, below: float = 0.1) -> RecordingRig:
    """Draw a rig of the kinds that an ear meets: robots, heads, telephones, laptops.

    Nobody knows how much sound a real room scatters or how speakers and ears point: what learns from one value of these
    hears half the true size in a room without scattered sound, so two thirds are drawn over all that they can be.

    Args:
        seed: of the rig.
        below: metres that it may reach below its camera.
    """
    rng = np.random.default_rng(seed)
    direct = float(np.exp(rng.uniform(*np.log(_DIRECT))))
    rig = replace(draw_rig(seed, below=min(0.3, below), spacing=_SPACING), direct=direct)
    if rng.random() < _AS_USUAL:
        return rig
    pointed, colour, diffuse = (max(0.0, float(rng.uniform(*one))) for one in (_POINTED, _COLOURS, _DIFFUSE))
    return replace(rig, behind=tuple(float(b**pointed) for b in BEHIND), colour=colour, diffuse=diffuse)


def _room_below(room: Location, view: View) -> float:
    """Metres of air under a camera, less a hand's breadth."""
    _, distance = room.caster.cast(view.position, np.array([[0.0, 0.0, -1.0]]))
    return float(min(distance[0] * room.k, 1.0)) - room.preset.floor_clearance


def _step_up(room: Location, view: View, rng: np.random.Generator) -> View:
    """The view from where a surface that it sees, mostly a low one, is near; the view itself where none will do."""
    slope = np.tan(np.radians(view.fov / 2))
    for _ in range(_TRIES):
        towards = np.array([[rng.uniform(-0.7, 0.7) * slope, rng.uniform(-0.2, 0.7) * slope, 1.0]]) @ view.axes
        towards /= np.linalg.norm(towards)
        index, distance = room.caster.cast(view.position, towards)
        step = distance[0] - rng.uniform(*_STEP_UP) / room.k
        position = view.position + max(float(step), 0.0) * towards[0]
        if index[0] < 0 or not np.isfinite(step) or not _open(room, position):
            continue
        heading = np.arctan2(towards[0, 1], towards[0, 0]) + rng.normal(0.0, 0.3)
        pitch = rng.uniform(0.2, 1.0) * np.arcsin(towards[0, 2]) + rng.normal(0.0, 0.15)
        return View(position, look_along(float(heading), float(pitch)), view.fov)
    return view


def _open(room: Location, position: np.ndarray) -> bool:
    """Whether a camera may be there: nothing near, and not within a thing."""
    directions = sphere()
    index, distance = room.caster.cast(position, directions)
    backs = np.einsum("ij,ij->i", room.scene.quads.normal[index], directions) > 0.0
    return bool(distance.min() * room.k > _CLEAR and np.mean(backs & (index >= 0)) < 0.1)


def _depth(room: Location, view: View, intrinsics: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 metres."""
    rows, columns = np.divmod(np.arange(size[0] * size[1]), size[1])
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=1)
    index, depth = room.caster.cast(view.position, pixels @ np.linalg.inv(intrinsics).T @ view.axes)
    return np.where(index >= 0, room.k * depth, 0.0).reshape(size).astype(np.float32)
