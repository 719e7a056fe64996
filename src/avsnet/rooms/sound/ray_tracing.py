"""What image sources leave over: scattered and late sound, by rays that connect to both ears at every bounce.

Energy of a bounce reaches an ear as from a Lambert radiator ("diffuse rain", Schröder 2011). At the first two bounces
only the scattered share does, because mirror reflections of orders one and two are followed exactly elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from avsnet.rooms.geometry.raycast import RayCaster
from avsnet.rooms.geometry.surfaces import Surfaces
from avsnet.rooms.sound.image_sources import SECOND_ORDER_AREA, Arrivals
from avsnet.rooms.sound.rig import PlacedRig

_BOUNCES = 60
_THINNED = (3, 7, 13, 26)  # after these bounces every second ray carries on, with twice the energy
_NEAREST = 0.15  # metres; a bounce nearer to an ear counts as this far, or single rays would stand out


class _Bounces(NamedTuple):
    """Where B rays bounced: point (B, 3), normal (B, 3), metres travelled (B,), radiated energy (B, 8)."""

    point: np.ndarray
    normal: np.ndarray
    length: np.ndarray
    energy: np.ndarray


def diffuse_rain(
    surfaces: Surfaces,
    caster: RayCaster,
    rig: PlacedRig,
    longest: float,
    *,
    rays: int,
    seed: int | np.random.SeedSequence,
) -> Arrivals:
    """Arrivals of signed pressure, whose energies add in the mean.

    Both ears and all bands share one sign per bounce: it keeps the delay between the ears, and no noise carrier adds
    its own loudness.

    Args:
        surfaces: the scene.
        caster: of the same scene.
        rig: the rig in it.
        longest: metres; longer paths are left out.
        rays: how many leave the speaker; 0 leaves mirror reflections alone.
        seed: of their directions, scattering and signs.
    """
    rng = np.random.default_rng(seed)
    bounces = _trace(surfaces, caster, rig, longest, rays, rng)
    amplitude = np.sqrt(bounces.energy * np.float32(1.0 / np.pi))
    amplitude *= np.where(rng.random(len(amplitude)) < 0.5, -1.0, 1.0).astype(np.float32)[:, None]
    heard = []
    for ear in (0, 1):
        towards = rig.ears[ear] - bounces.point
        distance = np.sqrt(np.einsum("bi,bi->b", towards, towards))
        cosine = np.einsum("bi,bi->b", towards, bounces.normal) / np.maximum(distance, 1e-9)
        near = np.flatnonzero((cosine > 0.0) & (bounces.length + distance < longest))
        near = near[~caster.occluded(bounces.point[near], rig.ears[ear])]
        spread = np.zeros(len(towards), dtype=np.float32)
        spread[near] = np.sqrt(cosine[near]) / np.maximum(distance[near], _NEAREST)
        gain = rig.ear_gain(-towards, ear)
        gain *= spread[:, None]
        gain *= amplitude
        heard.append((np.full(len(gain), ear), bounces.length + distance, gain))
    return Arrivals(*(np.concatenate(both) for both in zip(*heard, strict=True)))


def _trace(
    surfaces: Surfaces, caster: RayCaster, rig: PlacedRig, longest: float, rays: int, rng: np.random.Generator
) -> _Bounces:
    kept = (1.0 - surfaces.absorption).astype(np.float32)
    scattering = surfaces.scattering.astype(np.float32)
    chance = surfaces.scattering.mean(axis=1)
    large = surfaces.area > SECOND_ORDER_AREA
    direction = _fibonacci(rays, rng.random())
    energy = rig.speaker_gain(direction) ** 2 * np.float32(4.0 * np.pi / max(rays, 1))
    origin = np.broadcast_to(rig.speaker, direction.shape)
    length = np.zeros(rays)
    mirrored = np.ones(rays, dtype=bool)  # so far followed by the image sources as well
    found = [_Bounces(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), energy[:0])]
    for bounce in range(_BOUNCES if rays else 0):
        quad, t = caster.cast(origin, direction)
        length = length + t
        alive = (quad >= 0) & (length < longest)
        if not alive.all():
            quad, t, length, origin, direction, energy, mirrored = (
                rows[alive] for rows in (quad, t, length, origin, direction, energy, mirrored)
            )
        if len(quad) == 0:
            break
        point = origin + t[:, None] * direction
        normal = surfaces.normal[quad]
        towards = np.einsum("ri,ri->r", direction, normal)
        mirror = direction - (2.0 * towards)[:, None] * normal
        normal = normal * -np.sign(towards)[:, None]  # a rectangle met from behind reflects as well
        energy = energy * kept[quad]
        scattered = scattering[quad]
        if bounce < 2:
            mirrored = mirrored & (large[quad] | (bounce == 0))
            radiated = np.where(mirrored[:, None], energy * scattered, energy)
        else:
            radiated = energy
        found.append(_Bounces(point, normal, length, radiated))
        draw = rng.random((3, len(quad)))
        chosen = draw[0] < chance[quad]
        direction = np.where(chosen[:, None], _lambert(normal, draw[1], draw[2]), mirror)
        if bounce < 2:
            # One draw serves all bands; weights make each band's share right where image sources divide it.
            probability = chance[quad, None].astype(np.float32)
            energy *= np.where(chosen[:, None], scattered / probability, (1.0 - scattered) / (1.0 - probability))
            mirrored = mirrored & ~chosen & large[quad]
        origin = point + caster.tolerance * normal
        if bounce + 1 in _THINNED:
            origin, direction, length, mirrored = (rows[::2] for rows in (origin, direction, length, mirrored))
            energy = energy[::2] * np.float32(2.0)
    return _Bounces(*(np.concatenate(rows) for rows in zip(*found, strict=True)))


def _fibonacci(count: int, phase: float) -> np.ndarray:
    """(count, 3) unit directions spread evenly over the sphere, turned by a random phase about the vertical."""
    number = np.arange(count)
    up = 1.0 - (2.0 * number + 1.0) / count
    turn = 2.0 * np.pi * (number * (np.sqrt(5.0) - 1.0) / 2.0 + phase)
    ring = np.sqrt(1.0 - up**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), up], axis=1)


def _lambert(normal: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(R, 3) unit directions with density cos / pi round each normal, from two uniform draws."""
    up, turn = 2.0 * first - 1.0, 2.0 * np.pi * second
    ring = np.sqrt(1.0 - up**2)
    # A point of the unit sphere that stands on the surface, seen from its foot.
    direction = normal + np.stack([ring * np.cos(turn), ring * np.sin(turn), up], axis=1)
    return direction / np.maximum(np.sqrt(np.einsum("ri,ri->r", direction, direction)), 1e-9)[:, None]
