"""Rays against the diffuse field's theory, an ensemble of rays that counts nothing but energy, and what must hold."""

from dataclasses import replace

import numpy as np
import pytest

from avsnet.audio.rig import Rig
from avsnet.rooms.geometry import surfaces as surfaces_module
from avsnet.rooms.geometry.materials import Material
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, rectangles, shell
from avsnet.rooms.geometry.surfaces import Surfaces
from avsnet.rooms.sound.ray_tracing import diffuse_rain
from avsnet.rooms.sound.rig import RecordingRig

AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
OMNI = RecordingRig(
    geometry=Rig(speaker=(0.0, 0.0, 0.0), ears=((-0.1, 0.1, 0.0), (0.1, 0.1, 0.0))), behind=(1.0,) * 8, direct=1.0
)


@pytest.fixture
def grey(monkeypatch):
    """A shoebox of one material, alike in all bands: (quads, surfaces)."""

    def make(size, absorption, scattering):
        material = Material("grey", (absorption,) * 8, (scattering,) * 8)
        monkeypatch.setattr(surfaces_module, "MATERIALS", (material,))
        quads = shell(np.array(size, dtype=float), [Look(0)] * 6)
        return quads, Surfaces.of(quads)

    return make


def rain(quads, surfaces, rig=OMNI, camera=(0.3, -0.2, 1.2), longest=150.0, rays=4096, seed=0):
    return diffuse_rain(surfaces, ray_caster(quads), rig.placed(np.array(camera), AXES), longest, rays=rays, seed=seed)


def energy_from(arrivals, start):
    """Energy of the first band, per ear, of what travelled farther than `start` metres."""
    late = arrivals.length > start
    return np.array([np.sum(arrivals.amplitude[late & (arrivals.ear == ear), 0] ** 2) for ear in (0, 1)])


def ensemble_decay(size, absorption, scattering, rays=8_000, seconds=0.9):
    """T20 of the energy of rays that bounce in an empty shoebox, with no ears, no images and no connections."""
    rng, size = np.random.default_rng(0), np.array(size, dtype=float)
    place = rng.uniform(size=(rays, 3)) * size
    heading = rng.normal(size=(rays, 3))
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    time, energy = np.zeros(rays), np.ones(rays)
    held = np.zeros(int(seconds * 1000) + 2)  # change of the energy in the room at each millisecond
    while len(time):
        with np.errstate(divide="ignore"):
            flight = np.where(heading > 0, (size - place) / heading, -place / heading)
        axis, row = flight.argmin(axis=1), np.arange(len(time))
        until = time + flight[row, axis] / 343.0
        for edge, sign in ((time, 1.0), (until, -1.0)):
            np.add.at(held, np.minimum(np.ceil(edge * 1000).astype(int), len(held) - 1), sign * energy)
        place = np.clip(place + flight[row, axis][:, None] * heading, 1e-9, size - 1e-9)
        normal = np.zeros_like(place)
        normal[row, axis] = -np.sign(heading[row, axis])
        sphere = rng.normal(size=place.shape)
        lambert = normal + sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
        lambert /= np.linalg.norm(lambert, axis=1, keepdims=True)
        mirror = heading - 2 * np.sum(heading * normal, axis=1, keepdims=True) * normal
        heading = np.where((rng.random(len(time)) < scattering)[:, None], lambert, mirror)
        going = until < seconds
        time, energy = until[going], energy[going] * (1 - absorption)
        place, heading = place[going], heading[going]
    level = 10 * np.log10(np.cumsum(held)[:-1] / rays)
    first, last = np.argmax(level < -5), np.argmax(level < -25)
    return -60 / np.polyfit(np.arange(first, last) / 1000, level[first:last], 1)[0]


def reverberation_time(arrivals):
    """T20 of the energy per 10 ms, from the third 10 ms on."""
    energy = np.histogram(arrivals.length / 343.0, np.arange(0.03, 1.0, 0.01), weights=arrivals.amplitude[:, 0] ** 2)[0]
    level = 10 * np.log10(np.maximum(energy, 1e-12) / energy[0])
    last = np.argmax(level < -22)
    assert last > 5
    return -60 / np.polyfit(np.arange(last) * 0.01, level[:last], 1)[0]


@pytest.mark.parametrize(
    "size, absorption, scattering",
    [((6, 5, 3), 0.15, 0.2), ((4, 3, 2.6), 0.1, 0.2), ((20, 12, 7), 0.35, 0.2), ((15, 2, 2.6), 0.15, 0.3)],
)
def test_late_sound_decays_as_the_energy_of_free_rays_does(grey, size, absorption, scattering):
    arrivals = rain(*grey(size, absorption, scattering), longest=300.0)
    expected = ensemble_decay(size, absorption, scattering)
    assert reverberation_time(arrivals) == pytest.approx(expected, rel=0.10)


def test_late_energy_is_that_of_the_diffuse_field(grey):
    absorption, size = 0.1, np.array([5.0, 4.5, 4.0])
    quads, surfaces = grey(size, absorption, 0.9)
    mean_free_path = 4 * size.prod() / surfaces.area.sum()
    heard = np.mean([energy_from(rain(quads, surfaces, seed=seed, longest=500.0), 12.0) for seed in range(4)])
    # Source power 4 pi (so p^2 = 1 / d^2): energy density 16 pi / (A c) in steady state, less the part before 12 m.
    rate = -np.log(1 - absorption) / mean_free_path
    steady = 16 * np.pi / (surfaces.area.sum() * -np.log(1 - absorption))
    assert 10 * np.log10(heard / (steady * np.exp(-rate * 12.0))) == pytest.approx(0.0, abs=0.7)


def test_scattered_sound_of_one_wall_is_lamberts(grey):
    """A small wall that only scatters: energy E cos / (pi r^2) of what falls on it, E = solid angle."""
    grey((1, 1, 1), 0.2, 0.999)
    side, distance = 0.2, 2.0
    wall = rectangles(np.array([[distance, side / 2, -side / 2]]), [[0, -side, 0]], [[0, 0, side]], Look(0))
    assert wall.normal[0] @ AXES[2] == -1.0
    arrivals = rain(wall, Surfaces.of(wall), camera=(0.0, 0.0, 0.0), rays=400_000)
    assert len(arrivals.ear) > 200
    expected = 0.8 * 0.999 * side**2 / distance**2 / (np.pi * distance**2)
    np.testing.assert_allclose(energy_from(arrivals, 0.0), expected, rtol=0.05)


def test_what_image_sources_follow_is_not_heard_twice(grey):
    quads, surfaces = grey((6, 5, 3), 0.1, 0.05)
    bare = replace(surfaces, scattering=np.full_like(surfaces.scattering, 1e-6))
    early = rain(quads, bare)
    late = rain(quads, bare).length.min()
    assert energy_from(early, 0.0).max() < 1.5 * energy_from(rain(quads, surfaces), 0.0).max()
    loud = np.abs(early.amplitude[:, 0]) > 1e-4
    assert late < 6.0 < early.length[loud].min()  # only from the third bounce on is there more than a trace


def test_energy_falls_with_absorption(grey):
    energies = [energy_from(rain(*grey((6, 5, 3), absorption, 0.3)), 0.0) for absorption in (0.05, 0.2, 0.6)]
    assert (np.diff(energies, axis=0) < 0).all()


def test_sound_that_leaves_an_open_place_does_not_come_back(grey):
    grey((1, 1, 1), 0.1, 0.5)
    ground = rectangles([[-5.0, -5.0, 0.0]], [[10.0, 0, 0]], [[0, 10.0, 0]], Look(0))
    arrivals = rain(ground, Surfaces.of(ground))
    assert 0 < len(arrivals.ear) <= 2 * 4096  # one bounce a ray
    nothing = rectangles([[500.0, 0.0, 0.0]], [[0, 0.1, 0]], [[0, 0, 0.1]], Look(0))
    assert len(rain(nothing, Surfaces.of(nothing)).ear) == 0


def test_both_ears_and_all_bands_share_the_sign_of_a_bounce(grey):
    arrivals = rain(*grey((6, 5, 3), 0.1, 0.5), rays=256)
    left, right = (arrivals.amplitude[arrivals.ear == ear] for ear in (0, 1))
    both = (left[:, 0] != 0) & (right[:, 0] != 0)
    assert both.mean() > 0.8
    assert (np.sign(left[both]) == np.sign(left[both, :1])).all()
    assert (np.sign(left[both]) == np.sign(right[both])).all()
    assert 0.4 < (left[both, 0] > 0).mean() < 0.6


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(grey):
    room = grey((6, 5, 3), 0.1, 0.3)
    first, again, other = rain(*room, seed=4), rain(*room, seed=4), rain(*room, seed=5)
    assert first.amplitude.tobytes() == again.amplitude.tobytes()
    assert first.amplitude.tobytes() != other.amplitude.tobytes()


def test_more_rays_are_as_loud_as_few(grey):
    room = grey((6, 5, 3), 0.15, 0.3)
    few = np.mean([energy_from(rain(*room, rays=512, seed=seed), 0.0) for seed in range(8)])
    many = energy_from(rain(*room, rays=8192), 0.0).mean()
    assert 10 * np.log10(few / many) == pytest.approx(0.0, abs=0.5)


def test_no_rays_give_no_arrivals(grey):
    assert len(rain(*grey((6, 5, 3), 0.1, 0.3), rays=0).ear) == 0
