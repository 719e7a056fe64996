"""Where the camera is: short smooth walks through a room, a hundred frames each.

Frames 100 w to 100 w + 99 of a room are one walk; frames of different walks see it from different places. Twenty frames
on, the distance that triplets use, the camera has moved 0.03 to 0.15 template units and turned up to 3 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.rooms.geometry.raycast import RayCaster
from avsnet.rooms.geometry.scene import Scene, View, look_along
from avsnet.rooms.preset import Preset

Seed = int | list[int] | np.random.SeedSequence

FRAMES = 100
"""Frames of a walk."""

_TRIPLET = 20  # frames between those that a triplet uses
_TRIES = 60
_RAYS = 256


@dataclass(frozen=True)
class Walk:
    """A camera's path.

    Args:
        place: (3,) at its first frame.
        step: (2,) per frame, x and y.
        sway: sideways amplitude of its curve.
        heading: radians at the first frame.
        turn: amplitude of the swing of the heading, radians.
        pitch: radians; how far the camera looks up.
        phase: of sway, swing and nodding, radians.
        fov: horizontal field of view in degrees.
    """

    place: np.ndarray
    step: np.ndarray
    sway: float
    heading: float
    turn: float
    pitch: float
    phase: float
    fov: float

    def view(self, frame: int) -> View:
        """The camera at a frame, 0 to 99."""
        # Slow waves, each a fraction of a period in a walk: their slopes keep to the limits above.
        angle = 2 * np.pi * frame / FRAMES
        across = np.array([-self.step[1], self.step[0]]) / max(float(np.linalg.norm(self.step)), 1e-12)
        swing = np.sin(0.7 * angle + self.phase) - np.sin(self.phase)
        place = self.place + [*(frame * self.step + self.sway * swing * across), 0.05 * self.sway * swing]
        heading = self.heading + self.turn * swing
        return View(place, look_along(heading, self.pitch + 0.15 * self.turn * swing), self.fov)


def draw_walk(scene: Scene, caster: RayCaster, preset: Preset, smallest: float, first: bool, seed: Seed) -> Walk | None:
    """Draw a walk along which the camera keeps clear of everything.

    Args:
        scene: the room.
        caster: rays in it.
        preset: the knobs.
        smallest: smallest k that the room may get; the preset's metres are kept at it.
        first: whether the walk begins at the place that the room was furnished about.
        seed: of the walk, as NumPy takes it.

    Returns:
        The walk; None where the room has no such place.
    """
    rng = np.random.default_rng(seed)
    clear = preset.clearance / smallest
    for _ in range(1 if first else _TRIES):
        if first:
            place, heading = scene.start[:2], scene.start[2]
        else:
            areas = np.prod(scene.floors[:, 1::2] - scene.floors[:, ::2], axis=1)
            low_x, high_x, low_y, high_y = scene.floors[rng.choice(len(areas), p=areas / areas.sum())]
            place = rng.uniform([low_x, low_y], [high_x, high_y])
            # Mostly along the longer side of the floor, which is where there is something to see.
            along = 0.0 if high_x - low_x > high_y - low_y else np.pi / 2
            heading = along + np.pi * rng.integers(2) + rng.normal(0.0, 0.5)
        speed = rng.uniform(0.036, 0.13) / _TRIPLET
        step = speed * np.array([np.cos(heading), np.sin(heading)]) * (1.0 if rng.random() < 0.8 else -1.0)
        walk = Walk(
            place=np.array([*place, scene.camera_height]),
            step=step,
            sway=rng.uniform(0.0, 0.3) * speed * FRAMES / (2 * np.pi * 0.7),
            heading=float(heading),
            turn=np.radians(rng.uniform(0.1, 2.8)) / _TRIPLET * FRAMES / (2 * np.pi * 0.7),
            pitch=float(rng.normal(-0.03, 0.05)),
            phase=float(rng.uniform(0.0, 2 * np.pi)),
            fov=preset.fov,
        )
        # Of the floor below the camera only the rig's own clearance is asked.
        if all(_clear(scene, caster, walk.view(frame).position, clear) for frame in (0, FRAMES // 2, FRAMES - 1)):
            return walk
    return None


def _clear(scene: Scene, caster: RayCaster, place: np.ndarray, clear: float) -> bool:
    """Whether a camera may stand there: in the open, not within a thing, nothing near."""
    directions = sphere()
    index, distance = caster.cast(place, directions)
    # Steeply below is the floor, or what the camera stands on or looks over: half the room is enough.
    asked = np.where(directions[:, 2] < -0.5, 0.5, 1.0) * clear
    backs = np.einsum("ij,ij->i", scene.quads.normal[index], directions) > 0.0
    return bool((distance > asked).all() and np.mean(backs & (index >= 0)) < 0.1 and np.mean(index >= 0) > 0.4)


def sphere() -> np.ndarray:
    """(256, 3) directions that share out the sphere evenly."""
    number = np.arange(_RAYS) + 0.5
    z = 1.0 - 2.0 * number / _RAYS
    angle = np.pi * (1.0 + 5.0**0.5) * number
    side = np.sqrt(1.0 - z * z)
    return np.column_stack([side * np.cos(angle), side * np.sin(angle), z])
