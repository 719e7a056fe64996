"""A second renderer: the image sources of pyroomacoustics on the planes of a depth map.

No network here was trained on it: a scale that is heard in these echoes, too, is not a trait of our own simulator. They
are plainer than ours: rectangles of one absorption each, points that send and hear alike in all directions, white
noise, no rays and hence no late sound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.errors import MissingExtraError
from avsnet.rooms.geometry.materials import BANDS, MATERIALS
from avsnet.rooms.geometry.scene import Quads
from avsnet.rooms.sound.depth_room import room_of_depth
from avsnet.rooms.sound.rig import RecordingRig

ORDER = 2
"""Reflections that a path may have."""

_LARGEST = 48  # surfaces seen, the largest first; the time grows with the square of their number
_SHELL = 6  # rectangles at the end of a room of depth that the camera does not see
_MIDDLE = (500.0, 8000.0)  # hertz between which a material's one absorption is taken
_REACH = 16  # samples to either side of an arrival


def echo_by_planes(
    depth: np.ndarray, intrinsics: np.ndarray, rig: RecordingRig, *, seed: int, duration: float
) -> np.ndarray:
    """Record a sweep where a depth map was taken, the rig's origin at the camera.

    Args:
        depth: (H, W) metres along the optical axis, 0 = unknown.
        intrinsics: (3, 3) pixels.
        rig: its geometry, start, level, noise and direct sound count, its body, plate and directivity do not.
        seed: of the materials, of what the camera does not see, and of the noise.
        duration: seconds.

    Returns:
        (2, duration * 44100) float32 within -1..1, left ear first.

    Raises:
        MissingExtraError: pyroomacoustics is not installed.
    """
    room, noise = np.random.SeedSequence(seed).spawn(2)
    quads = room_of_depth(np.asarray(depth, dtype=np.float64), intrinsics, room)
    lengths, amplitudes = image_sources(_largest(quads), rig)
    samples = round(duration * SAMPLE_RATE)
    heard = np.random.default_rng(noise).normal(0.0, rig.noise, (2, samples))
    for ear in range(2):
        at = (rig.start + lengths[ear] / rig.geometry.speed_of_sound) * SAMPLE_RATE
        response = _on_axis(at, amplitudes[ear], samples)
        heard[ear] += fftconvolve(response, np.array(rig.geometry.emitted, dtype=np.float64))[:samples]
    return np.clip(rig.gain * heard, -1.0, 1.0).astype(np.float32)


def image_sources(quads: Quads, rig: RecordingRig) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The paths from the speaker to each ear, the direct one among them, as pyroomacoustics finds them.

    Args:
        quads: in metres, in camera axes; they reflect on the side of their normals.
        rig: at the camera.

    Returns:
        Per ear (P,) metres and (P,) pressure of each path, that of a free one of 1 m being 1.
    """
    acoustics = _pyroomacoustics()
    absorption = _absorption()
    walls = [
        acoustics.wall_factory(_corners(quads, place), [absorption[quads.material[place]]], [0.0], f"wall {place}")
        for place in range(len(quads))
    ]
    room = acoustics.Room(walls, fs=SAMPLE_RATE, max_order=ORDER)
    # The library wants both inside a closed room and asks rays for it, which gaps between rectangles let out.
    room.is_inside = lambda *_, **__: True
    room.add_source(np.array(rig.geometry.speaker))
    room.add_microphone_array(np.array(rig.geometry.ears).T)
    room.image_source_model()
    source = room.sources[0]
    lengths, amplitudes = [], []
    for ear, place in enumerate(rig.geometry.ears):
        seen = np.asarray(room.visibility[0][ear], dtype=bool)
        length = np.linalg.norm(source.images[:, seen].T - np.array(place), axis=1)
        pressure = source.damping[0, seen] / length
        pressure[source.orders[seen] == 0] *= rig.direct
        lengths.append(length)
        amplitudes.append(pressure)
    return lengths, amplitudes


def _largest(quads: Quads) -> Quads:
    """The largest surfaces that are seen, in their order, and the shell."""
    seen = len(quads) - _SHELL
    order = np.argsort(-quads.area[:seen], kind="stable")[:_LARGEST]
    return quads.take([*sorted(order.tolist()), *range(seen, len(quads))])


def _corners(quads: Quads, place: int) -> np.ndarray:
    """(3, 4) of a rectangle, in the order that makes the library's normal point out of the air."""
    corner, u, v = quads.corner[place], quads.u[place], quads.v[place]
    return np.stack([corner, corner + v, corner + u + v, corner + u], axis=1)


def _absorption() -> np.ndarray:
    """(M,) share of the energy that each material takes, one number for all of the sweep."""
    middle = [_MIDDLE[0] <= band <= _MIDDLE[1] for band in BANDS]
    return np.array([np.mean(np.array(material.absorption)[middle]) for material in MATERIALS])


def _on_axis(at: np.ndarray, amplitude: np.ndarray, samples: int) -> np.ndarray:
    """(samples,) impulses at fractional samples, as windowed sincs."""
    response = np.zeros(samples + 2 * _REACH)
    inside = at < samples - 1
    offset = np.arange(1 - _REACH, 1 + _REACH)
    first = np.floor(at[inside]).astype(np.int64)
    apart = offset - (at[inside] - first)[:, None]
    taps = np.sinc(apart) * np.cos(0.5 * np.pi * apart / _REACH) ** 2 * amplitude[inside, None]
    np.add.at(response, first[:, None] + offset + _REACH, taps)
    return response[_REACH:-_REACH]


def _pyroomacoustics() -> Any:
    try:
        import pyroomacoustics
    except ImportError:
        raise MissingExtraError("--renderer planes needs pyroomacoustics: pip install 'avsnet[dev]'") from None
    return pyroomacoustics
