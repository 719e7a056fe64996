"""An echo for a real depth map: the acoustics of the made rooms, fed by what a real camera measured.

With a real picture beside it this is half real: true picture, true metric depth, an echo that follows from them where
the camera looks, and a guess where it does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from avsnet.audio.rig import Rig
from avsnet.errors import DepthError, OptionError
from avsnet.geometry import check_intrinsics
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.sound.acoustics import record
from avsnet.rooms.sound.depth_room import clutter_of_depth, room_of_depth
from avsnet.rooms.sound.rig import RecordingRig, draw_rig

SHORTEST, LONGEST = 0.05, 2.0
"""Seconds that a recording may last."""


@dataclass(frozen=True, eq=False)
class DepthEcho:
    """A made recording.

    Args:
        waveform: (2, N) float32 at 44 100 Hz, left ear first.
        surfaces: how many rectangles of the depth map it was made of.
        clipped: samples at full scale.
    """

    waveform: np.ndarray
    surfaces: int
    clipped: int


def rig_for(seed: int, geometry: Rig | None = None, gain: float | None = None) -> RecordingRig:
    """The rig that the echoes of a data set are made with.

    Args:
        seed: draws what is not given: geometry, colour, level, noise.
        geometry: speaker and ears, what is played.
        gain: from pressure to full scale; a path of 1 m arrives with pressure 1.

    Raises:
        OptionError: a seed below 0, or a gain that is not a positive number.
    """
    if seed < 0:
        raise OptionError(f"seed {seed} is below 0")
    if gain is not None and not 0.0 < gain < float("inf"):
        raise OptionError(f"gain {gain:g}: give a positive number, such as 0.1")
    rig = draw_rig(np.random.SeedSequence([seed, 0]), below=0.1, plate=False)
    return replace(rig, geometry=geometry or rig.geometry, gain=gain or rig.gain)


def echo_of_depth(
    depth: np.ndarray, intrinsics: np.ndarray, rig: RecordingRig, *, seed: int | list[int], duration: float = 0.5
) -> DepthEcho:
    """Record a sweep where a depth map was taken, the rig's origin at the camera.

    Args:
        depth: (H, W) metres along the optical axis, 0 = unknown.
        intrinsics: (3, 3) pixels.
        rig: such as from `rig_for`.
        seed: of the materials, the unseen sides of the room, the rays and the noise.
        duration: seconds.

    Raises:
        DepthError: depth is not (H, W), not finite, or without a pixel above 0.
        CalibrationError: the intrinsics make no sense.
        OptionError: a duration outside 0.05 to 2 seconds.
    """
    depth, intrinsics = np.asarray(depth, dtype=np.float64), check_intrinsics(intrinsics)
    if depth.ndim != 2 or not np.isfinite(depth).all():
        raise DepthError(f"depth of shape {depth.shape}; give (height, width) of finite metres, 0 where unknown")
    if not (depth > 0.0).any():
        raise DepthError("no pixel has a depth above 0; give another map")
    if not SHORTEST <= duration <= LONGEST:
        raise OptionError(f"duration {duration:g} s is outside {SHORTEST:g} to {LONGEST:g} seconds")
    room, clutter, rays, noise = np.random.SeedSequence(seed).spawn(4)
    quads = room_of_depth(depth, intrinsics, room)
    waveform = record(
        quads,
        ray_caster(quads),
        np.zeros(3),
        np.eye(3),
        rig,
        ray_seed=rays,
        noise_seed=noise,
        clutter=clutter_of_depth(clutter),
        duration=duration,
    )
    return DepthEcho(waveform, len(quads) - 6, int((np.abs(waveform) >= 1.0).sum()))
