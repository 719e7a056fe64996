"""A random rig, as a builder of robots or a holder of telephones would make one: geometry, colour, loudness, noise.

The rig is metric: it does not grow with the room. Wide ranges, so that what is trained on them survives another rig.
Source: the simulator's design; ranges around the BatVision rigs as far as one real recording tells them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.rooms.geometry.materials import material_index
from avsnet.rooms.geometry.scene import Look, Quads, rectangles

BEHIND = (1.0, 0.95, 0.85, 0.7, 0.5, 0.35, 0.22, 0.15)
"""Amplitude behind a speaker or an ear over that ahead, per octave band: a head's shadow grows with frequency."""

_GAINS = (0.015, 0.2)  # the wide range of recording levels; the loudest clip in under 2 % of the rooms
_DIRECT = (0.1, 0.3)  # share of the direct sound: the speaker looks away from the ears, a housing stands between

_SPEAKER_AXIS = np.array([0.0, 0.0, 1.0])
_EAR_AXES = np.array([[-0.8, 0.0, 0.6], [0.8, 0.0, 0.6]])  # turned 37 degrees from the side to the front


@dataclass(frozen=True)
class PlacedRig:
    """A rig in a room.

    Args:
        speaker: (3,) metres, world axes.
        ears: (2, 3) metres, left first.
        axes: (3, 3) rows right, down, forward of the camera in world axes.
        behind: (8,) amplitude behind a speaker or an ear over that ahead.
        direct: share of the direct sound that reaches the ears.
        speed_of_sound: metres per second.
    """

    speaker: np.ndarray
    ears: np.ndarray
    axes: np.ndarray
    behind: np.ndarray
    direct: float
    speed_of_sound: float

    def speaker_gain(self, towards: np.ndarray) -> np.ndarray:
        """(P, 8) amplitude that the speaker sends towards (P, 3) directions of any length."""
        return self._gain(towards, _SPEAKER_AXIS)

    def ear_gain(self, from_ear: np.ndarray, ear: int) -> np.ndarray:
        """(P, 8) amplitude with which ear 0 or 1 hears what lies in (P, 3) directions of any length."""
        return self._gain(from_ear, _EAR_AXES[ear])

    def _gain(self, direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
        """The cardioid family behind + (1 - behind)(1 + cos) / 2."""
        length = np.maximum(np.sqrt(np.einsum("pi,pi->p", direction, direction)), 1e-12)
        ahead = (0.5 + 0.5 * (direction @ (axis @ self.axes)) / length).astype(np.float32)
        gain = ahead[:, None] * (1.0 - self.behind)
        gain += self.behind
        return gain


@dataclass(frozen=True)
class RecordingRig:
    """A rig and all that colours its recordings.

    Args:
        geometry: speaker and ears in camera axes, what is played, the speed of sound.
        start: seconds from the recording's begin to the sweep's.
        resonance: hertz; where the ears' lift of sound from ahead peaks.
        gain: from pressure to full scale; a path of 1 m arrives with pressure 1.
        noise: RMS pressure at each ear.
        body: (2, T, 2) per ear the delays (seconds after the direct sound) and amplitudes (of it) of the sound that
            the rig's own body throws back.
        plate: (3,) width, length and depth below the camera, metres, of a level plate (a robot's body, a tray) that
            shades the floor; None without one.
        behind: (8,) amplitude behind a speaker or an ear over that ahead, per octave band.
        direct: share of the direct sound that reaches the ears.
        colour: power of the frequency response that speaker and ears have; 0 makes it flat.
        diffuse: pressure of scattered and late sound over what the rays carry; 0 leaves mirror reflections alone.
    """

    geometry: Rig = field(default_factory=Rig)
    start: float = 0.0063
    resonance: float = 4600.0
    gain: float = 0.3
    noise: float = 0.01
    body: np.ndarray = field(default_factory=lambda: np.zeros((2, 0, 2)))
    plate: tuple[float, float, float] | None = None
    behind: tuple[float, ...] = BEHIND
    direct: float = 0.2
    colour: float = 1.0
    diffuse: float = 1.0

    @property
    def direct_sample(self) -> int:
        """Sample of a recording at which the direct sound stands, by geometry."""
        return round((self.start + self.geometry.direct_paths.min() / self.geometry.speed_of_sound) * SAMPLE_RATE)

    def placed(self, camera: np.ndarray, axes: np.ndarray) -> PlacedRig:
        """The rig with its camera at a point, (3,) metres in world axes, that looks along the last row of `axes`."""
        speaker, *ears = camera + np.array([self.geometry.speaker, *self.geometry.ears]) @ axes
        behind = np.array(self.behind, dtype=np.float32)
        return PlacedRig(speaker, np.array(ears), axes, behind, self.direct, self.geometry.speed_of_sound)

    def plate_quads(self, camera: np.ndarray, axes: np.ndarray) -> Quads | None:
        """The plate as a rectangle of the metric scene; join it before the ray caster is made, or it shades nothing.

        Args:
            camera: (3,) metres, world axes.
            axes: (3, 3) rows right, down, forward in world axes.
        """
        if self.plate is None:
            return None
        width, length, below = self.plate
        right, down, forward = axes
        corner = camera + below * down - 0.5 * width * right - 0.5 * length * forward
        # Forward x right = down; its face is up.
        return rectangles(
            corner[None], width * right[None], length * forward[None], Look(material=material_index("wood"))
        )


def draw_rig(
    seed: int | np.random.SeedSequence,
    *,
    start: float = 0.0063,
    resonance: float = 4600.0,
    noise: float = 0.01,
    below: float = 0.05,
    plate: bool | None = None,
    spacing: tuple[float, float] = (0.12, 0.35),
) -> RecordingRig:
    """Draw a rig, the speaker 0.06 to 0.5 m from its ears.

    Args:
        seed: of the rig alone; the room's size must not be in it.
        start: seconds before the sweep, give or take 1 ms.
        resonance: hertz, give or take a sixth.
        noise: RMS pressure, give or take 2 dB.
        below: metres that the rig may reach below its camera; the camera's smallest height less 0.10 m keeps it
            clear of the floor.
        plate: whether there is a plate; None = every second rig has one.
        spacing: range of the metres between the ears.
    """
    rng = np.random.default_rng(seed)
    half = rng.uniform(*spacing) / 2
    distance = rng.uniform(max(0.05, 1.02 * half), 0.5)
    ahead, aside = rng.uniform(-np.pi / 2, np.pi / 2), rng.uniform(-0.02, 0.02)
    middle = rng.uniform([-0.02, -0.05, -0.10], [0.02, 0.10, 0.05])
    reach = np.sqrt(distance**2 - half**2)
    places = middle + np.array(
        [[aside, reach * np.sin(ahead), reach * np.cos(ahead)], [-half, 0.0, 0.0], [half, 0.0, 0.0]]
    )
    places[:, 1] -= max(0.0, places[:, 1].max() - below)  # y points down
    speaker, left, right = (tuple(place.round(4).tolist()) for place in places)
    body = np.stack([rng.uniform(1e-4, 9e-4, (2, 2)), rng.uniform(-0.3, 0.3, (2, 2))], axis=-1)
    width, length, gap = rng.uniform([0.25, 0.25, 0.03], [0.6, 0.6, 0.06])
    has_plate = rng.random() < 0.5
    return RecordingRig(
        geometry=Rig(speaker=speaker, ears=(left, right), origin="known"),
        start=start + float(rng.uniform(-0.001, 0.001)),
        resonance=resonance * float(np.exp(rng.uniform(-0.15, 0.15))),
        gain=float(np.exp(rng.uniform(*np.log(_GAINS)))),
        noise=noise * float(np.exp(rng.normal(0.0, 0.2))),
        direct=float(np.exp(rng.uniform(*np.log(_DIRECT)))),
        body=body,
        plate=(width, length, places[:, 1].max() + gap) if (has_plate if plate is None else plate) else None,
    )
