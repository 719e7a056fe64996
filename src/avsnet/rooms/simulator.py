"""One sample: a room, a camera in it, what it sees and what two ears beside it hear.

Everything random has its own stream of numbers, named by domain, room and purpose, so that another size of room, of
picture or of recording leaves the rest as it was. The picture is made in template units, before there is a scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.errors import OptionError
from avsnet.geometry import intrinsics_from_fov
from avsnet.rooms.geometry.grammar import draw_scene
from avsnet.rooms.geometry.raycast import RayCaster, ray_caster
from avsnet.rooms.geometry.scene import Scene, View, join
from avsnet.rooms.geometry.surfaces import draw_clutter
from avsnet.rooms.geometry.walk import FRAMES, Walk, draw_walk
from avsnet.rooms.picture.render import render
from avsnet.rooms.picture.sensor import exposure, measure, photograph
from avsnet.rooms.preset import DOMAINS, Domain, Preset, find_domain, find_preset
from avsnet.rooms.sound.acoustics import record
from avsnet.rooms.sound.rig import RecordingRig, draw_rig

VERSION = 2
"""Of what one seed gives: a change of grammar, picture or sound makes another number, and caches start afresh."""

_PURPOSES = ("scene", "k", "walk", "exposure", "camera noise", "depth noise", "rays", "rig", "audio noise", "clutter")
_ATTEMPTS = 20  # rooms drawn for one seed before giving up
_METER = 32  # pixels of the small picture from which the exposure is taken


def sample(
    domain: str,
    seed: int,
    frame: int = 0,
    *,
    size: tuple[int, int] = (256, 256),
    k: float | None = None,
    aspect: float | None = None,
    samples: int | None = None,
    rig: RecordingRig | None = None,
    preset: str = "rooms-1",
) -> dict[str, Any]:
    """Simulate one sample.

    Args:
        domain: `"offices"` or `"historic"`.
        seed: of the room; 0 or more.
        frame: of the room; 100 frames are one smooth walk, further ones see the room from other places.
        size: (h, w) of picture and depth, pixels.
        k: metres per template unit; None: drawn for the room, or 1 where its furniture has its size in metres.
        aspect: width over height of what the picture shows, squeezed into `size` where it differs; None: that of
            `size`, with square pixels.
        samples: length of the recording at 44 100 Hz; None: the preset's 20 000. 0: no `audio`.
        rig: speaker and ears; None: drawn for the room.
        preset: name of the knobs.

    Returns:
        rgb (H, W, 3) uint8; depth (H, W) float32 metres along the optical axis, 0 where there is nothing;
        depth_sensor (H, W) uint16 millimetres, noisy and with holes of 0; audio (2, N) float32; K (3, 3) float64
        pixels; pose (4, 4) float64 camera to world, metres; k; ambiguous: whether everything in the room scales with
        k; room_type; location: `"<domain>-<seed>"`; rig: the `RecordingRig`.

    Raises:
        OptionError: an unknown domain or preset, a negative seed or frame, or a size or scale that makes no sense.
    """
    found = describe(domain, seed, frame, size=size, k=k, aspect=aspect, preset=preset)
    if samples is not None:
        _check_whole("samples", samples, 0)
    place = location(domain, seed, preset)
    kind, number, k = place.domain, frame // FRAMES, found["k"]
    view = place.walk(number).view(frame % FRAMES)
    picture = render(place.scene, place.caster, view, found["K"], *size)
    found["rgb"] = photograph(
        picture.radiance, place.gain(number), kind.camera, np.random.default_rng(place.stream("camera noise", frame))
    )
    found["depth"] = (k * picture.depth).astype(np.float32)
    found["depth_sensor"] = measure(
        found["depth"], found["rgb"], kind.depth, kind.cap, np.random.default_rng(place.stream("depth noise", frame))
    )
    found["rig"] = place.rig() if rig is None else rig
    samples = place.preset.samples if samples is None else samples
    if samples:
        found["audio"] = listen_at(place, view.scaled(k), k, found["rig"], frame, samples)
    return found


def describe(
    domain: str,
    seed: int,
    frame: int = 0,
    *,
    size: tuple[int, int] = (256, 256),
    k: float | None = None,
    aspect: float | None = None,
    preset: str = "rooms-1",
) -> dict[str, Any]:
    """What is known of a sample before it is seen or heard: K, pose, k, ambiguous, room_type and location of `sample`.

    Args:
        domain: as in `sample`, and so all others.
        seed: of the room.
        frame: of the room.
        size: (h, w) pixels.
        k: metres per template unit.
        aspect: width over height of what the picture shows.
        preset: name of the knobs.

    Raises:
        OptionError: as in `sample`.
    """
    find_domain(domain, find_preset(preset))
    _check_whole("seed", seed, 0)
    _check_whole("frame", frame, 0)
    for name, ratio in (("k", k), ("aspect", aspect)):
        if ratio is not None and not 0.01 <= ratio <= 100.0:
            raise OptionError(f"{name} {ratio!r}: give a number from 0.01 to 100")
    if len(size) != 2 or any(int(side) != side or not 8 <= side <= 8192 for side in size):
        raise OptionError(f"size {size!r}: give (height, width), each 8 to 8192 pixels")
    place = location(domain, seed, preset)
    walk = place.walk(frame // FRAMES)
    view = walk.view(frame % FRAMES)
    intrinsics = intrinsics_from_fov(size[1], size[0], walk.fov)
    if aspect is not None:
        intrinsics[1, 1] = intrinsics[0, 0] * size[0] / size[1] * aspect
    k = place.k if k is None else float(k)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = view.axes.T, k * view.position
    found = {"K": intrinsics, "pose": pose, "k": k, "ambiguous": place.scene.ambiguous}
    return found | {"room_type": place.scene.room_type, "location": f"{domain}-{seed}"}


def _check_whole(name: str, value: int, least: int) -> None:
    if int(value) != value or value < least:
        raise OptionError(f"{name} {value!r}: give a whole number of {least} or more")


@dataclass
class Location:
    """A room made ready: all its frames share it."""

    domain: Domain
    preset: Preset
    seed: int
    scene: Scene
    caster: RayCaster
    first: Walk
    k: float
    walks: dict[int, Walk] = field(default_factory=dict)
    gains: dict[int, float] = field(default_factory=dict)

    @property
    def smallest(self) -> float:
        """The smallest k that this room may get."""
        return self.domain.k[0] if self.scene.ambiguous else 1.0

    def stream(self, purpose: str, *frame: int) -> np.random.SeedSequence:
        """The room's random numbers for one purpose."""
        return _stream(self.domain.name, self.seed, purpose, *frame)

    def walk(self, number: int) -> Walk:
        """One of its walks, the first one where there is no other."""
        if number not in self.walks:
            drawn = draw_walk(
                self.scene, self.caster, self.preset, self.smallest, number == 0, self.stream("walk", number)
            )
            self.walks[number] = drawn or self.first
        return self.walks[number]

    def gain(self, number: int) -> float:
        """The exposure of a walk, from a small picture at its first frame."""
        if number not in self.gains:
            walk = self.walk(number)
            small = render(
                self.scene, self.caster, walk.view(0), intrinsics_from_fov(_METER, _METER, walk.fov), _METER, _METER
            )
            target = 0.45 * np.random.default_rng(self.stream("exposure", number)).uniform(*self.preset.exposure)
            self.gains[number] = exposure(small.radiance, target)
        return self.gains[number]

    def rig(self) -> RecordingRig:
        """The rig that all of its recordings are made with."""
        below = self.scene.camera_height * self.smallest - self.preset.floor_clearance
        return draw_rig(
            self.stream("rig"), start=self.domain.start, resonance=self.domain.resonance, below=min(0.3, below)
        )


def _stream(domain: str, seed: int, purpose: str, *frame: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([DOMAINS.index(domain), seed, _PURPOSES.index(purpose), *frame])


@lru_cache(maxsize=4)
def location(domain: str, seed: int, preset: str) -> Location:
    """Draw rooms until there is one with a place for a camera."""
    knobs = find_preset(preset)
    kind = find_domain(domain, knobs)
    for attempt in range(_ATTEMPTS):
        scene = draw_scene(kind, knobs, _stream(domain, seed, "scene", attempt))
        caster = ray_caster(scene.quads)
        smallest = kind.k[0] if scene.ambiguous else 1.0
        for begin in (True, False):
            walk = draw_walk(scene, caster, knobs, smallest, begin, _stream(domain, seed, "walk", 0))
            if walk is not None:
                low, high = np.log(kind.k)
                k = float(np.exp(np.random.default_rng(_stream(domain, seed, "k")).uniform(low, high)))
                return Location(kind, knobs, seed, scene, caster, walk, k if scene.ambiguous else 1.0, {0: walk})
    raise AssertionError(f"no place for a camera in {_ATTEMPTS} rooms drawn from {domain} {seed}")


def listen_at(place: Location, view: View, k: float, rig: RecordingRig, frame: int, samples: int) -> np.ndarray:
    """(2, samples) float32: the room in metres, heard at a view in metres."""
    quads = place.scene.quads.scaled(k)
    plate = rig.plate_quads(view.position, view.axes)
    if plate is not None:
        quads = join([quads, plate])
    return record(
        quads,
        ray_caster(quads),
        view.position,
        view.axes,
        rig,
        ray_seed=place.stream("rays", frame),
        noise_seed=place.stream("audio noise", frame),
        clutter=draw_clutter(place.stream("clutter")),
        duration=samples / SAMPLE_RATE,
    )
