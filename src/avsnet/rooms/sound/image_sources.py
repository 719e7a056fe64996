"""Mirror reflections, exactly: the speaker mirrored in one rectangle and in two, where nothing stands in the way.

Source: image-source method (Allen and Berkley 1979); a panel too small for the wave length reflects less, after the
far-field Kirchhoff limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.rooms.geometry.materials import BANDS
from avsnet.rooms.geometry.raycast import RayCaster
from avsnet.rooms.geometry.surfaces import Surfaces
from avsnet.rooms.sound.rig import PlacedRig

SECOND_ORDER_AREA = 1.0
"""Square metres; two reflections are followed between rectangles larger than this."""

_FRONT = 1e-6  # metres before a plane that count as before it


@dataclass(frozen=True)
class Arrivals:
    """P arrivals at the ears.

    Args:
        ear: (P,) 0 = left, 1 = right.
        length: (P,) metres of path.
        amplitude: (P, 8) pressure per octave band, without the air's absorption.
    """

    ear: np.ndarray
    length: np.ndarray
    amplitude: np.ndarray


def direct_sound(rig: PlacedRig) -> Arrivals:
    """The direct sound at each ear, left first."""
    towards = rig.ears - rig.speaker
    length = np.linalg.norm(towards, axis=1)
    gain = rig.direct * rig.speaker_gain(towards) * _ear_gains(rig, -towards, np.arange(2))
    return Arrivals(np.arange(2), length, gain / length[:, None])


def mirror_reflections(surfaces: Surfaces, caster: RayCaster, rig: PlacedRig, longest: float) -> Arrivals:
    """Every unobstructed path over one rectangle, or over two large ones.

    Args:
        surfaces: the scene.
        caster: of the same scene.
        rig: the rig in it.
        longest: metres; longer paths are left out.
    """
    once, twice = _first_order(surfaces, caster, rig), _second_order(surfaces, caster, rig)
    ear, length, amplitude = (np.concatenate(both) for both in zip(once, twice, strict=True))
    kept = length < longest
    return Arrivals(ear[kept], length[kept], amplitude[kept])


_Paths = tuple[np.ndarray, np.ndarray, np.ndarray]


def _first_order(surfaces: Surfaces, caster: RayCaster, rig: PlacedRig) -> _Paths:
    speaker, ears = rig.speaker, rig.ears
    everything = np.arange(len(surfaces.area))
    from_speaker = surfaces.height(everything, speaker)
    from_ear = surfaces.height(everything[None], ears[:, None])
    ear, index = np.nonzero((from_speaker > _FRONT) & (from_ear > _FRONT))
    image = speaker - 2.0 * from_speaker[index, None] * surfaces.normal[index]
    share = from_ear[ear, index] / (from_ear[ear, index] + from_speaker[index])
    point = ears[ear] + share[:, None] * (image - ears[ear])
    kept = np.flatnonzero(surfaces.holds(index, point))
    kept = kept[~_blocked(caster, [np.broadcast_to(speaker, point.shape)[kept], point[kept], ears[ear[kept]]])]
    ear, index, image, point, share = ear[kept], index[kept], image[kept], point[kept], share[kept]
    length = np.linalg.norm(image - ears[ear], axis=1)
    slant = from_speaker[index] / (length * (1.0 - share))
    limit = rig.speed_of_sound * length * share * (1.0 - share) / (surfaces.area[index] * slant)
    amplitude = _reflected(surfaces, index) * np.minimum(1.0, np.array(BANDS) / limit[:, None])
    amplitude *= rig.speaker_gain(point - speaker) * _ear_gains(rig, point - ears[ear], ear)
    return ear, length, amplitude / length[:, None]


def _second_order(surfaces: Surfaces, caster: RayCaster, rig: PlacedRig) -> _Paths:
    speaker, ears = rig.speaker, rig.ears
    large = np.flatnonzero(surfaces.area > SECOND_ORDER_AREA)
    first_side = surfaces.height(large, speaker)
    reached = large[first_side > _FRONT]
    image1 = speaker - 2.0 * first_side[first_side > _FRONT, None] * surfaces.normal[reached]
    # Heights of every first image over every second plane at once: most pairs fall away here.
    offset = np.einsum("qi,qi->q", surfaces.corner[large], surfaces.normal[large])
    height = image1 @ surfaces.normal[large].T - offset
    ear_side = ears @ surfaces.normal[large].T - offset
    ear, row, column = np.nonzero((height > _FRONT)[None] & (ear_side > _FRONT)[:, None])
    first, second, image1 = reached[row], large[column], image1[row]
    image2 = image1 - 2.0 * height[row, column, None] * surfaces.normal[second]
    share = ear_side[ear, column] / (ear_side[ear, column] + height[row, column])
    point2 = ears[ear] + share[:, None] * (image2 - ears[ear])
    kept = np.flatnonzero(surfaces.holds(second, point2))
    ear, first, second, image1, image2, point2 = (rows[kept] for rows in (ear, first, second, image1, image2, point2))
    before, behind = surfaces.height(first, point2), surfaces.height(first, image1)
    with np.errstate(divide="ignore", invalid="ignore"):
        point1 = point2 + (before / (before - behind))[:, None] * (image1 - point2)
    kept = np.flatnonzero((before > _FRONT) & surfaces.holds(first, point1))
    ear, first, second, image2, point1, point2 = (rows[kept] for rows in (ear, first, second, image2, point1, point2))
    path = [np.broadcast_to(speaker, point1.shape), point1, point2, ears[ear]]
    kept = np.flatnonzero(~_blocked(caster, path))
    ear, first, second, image2, point1, point2 = (rows[kept] for rows in (ear, first, second, image2, point1, point2))
    length = np.linalg.norm(image2 - ears[ear], axis=1)
    amplitude = _reflected(surfaces, first) * _reflected(surfaces, second)
    amplitude *= rig.speaker_gain(point1 - speaker) * _ear_gains(rig, point2 - ears[ear], ear)
    return ear, length, amplitude / length[:, None]


def _reflected(surfaces: Surfaces, index: np.ndarray) -> np.ndarray:
    """(P, 8) amplitude that leaves by the mirror law: what is neither absorbed nor scattered."""
    return np.sqrt((1.0 - surfaces.absorption[index]) * (1.0 - surfaces.scattering[index]))


def _ear_gains(rig: PlacedRig, from_ear: np.ndarray, ear: np.ndarray) -> np.ndarray:
    """(P, 8) of `ear_gain`, each direction at its own ear."""
    return np.where((ear == 0)[:, None], rig.ear_gain(from_ear, 0), rig.ear_gain(from_ear, 1))


def _blocked(caster: RayCaster, path: list[np.ndarray]) -> np.ndarray:
    """(P,) whether something stands on one of the legs between (P, 3) points; one question to the caster for all."""
    legs, count = len(path) - 1, len(path[0])
    blocked = caster.occluded(np.concatenate(path[:-1]), np.concatenate(path[1:]))
    return np.asarray(blocked.reshape(legs, count).any(axis=0))
