"""Recordings and impulse responses against physical laws, an independent simulator, and real rooms."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.audio.rig import Rig
from avsnet.rooms.geometry import surfaces as surfaces_module
from avsnet.rooms.geometry.materials import AIR, BANDS, Material, material_index
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, box, join, look_along, rectangles, shell
from avsnet.rooms.geometry.surfaces import Clutter, Surfaces, draw_clutter
from avsnet.rooms.sound import acoustics
from avsnet.rooms.sound.acoustics import impulse_response, record
from avsnet.rooms.sound.image_sources import mirror_reflections
from avsnet.rooms.sound.rig import RecordingRig, draw_rig
from places import SHARED

SIZE = np.array([6.0, 4.6, 2.9])
CAMERA = np.array([-0.7, 0.0, 1.3])
AHEAD = look_along(0.0, 0.0)
PLASTER, WOOD, LINOLEUM, TILE = (Look(material_index(name)) for name in ("plaster", "wood", "linoleum", "ceiling_tile"))


def hear(quads, function=impulse_response, camera=CAMERA, axes=AHEAD, rig=None, **options):
    options = {"ray_seed": 0} | ({"noise_seed": 0} if function is record else {}) | options
    return function(quads, ray_caster(quads), camera, axes, rig or RecordingRig(), **options)


def empty_room(look=PLASTER, size=SIZE):
    return shell(size, [look] * 6)


def furnished(seed, size, ceiling=TILE):
    """A room with tables and cabinets along its walls."""
    rng = np.random.default_rng(seed)
    parts = [shell(size, [LINOLEUM, ceiling, *[PLASTER] * 4])]
    for _ in range(rng.integers(8, 18)):
        place = (rng.uniform(-0.4, 0.4) * size[0], rng.choice([-1, 1]) * (size[1] / 2 - 0.5))
        parts.append(box(place, tuple(rng.uniform(0.4, 1.2, 3)), 0.0, rng.uniform(0.0, 0.3), WOOD))
    return join(parts)


def arrival(length, rig):
    """Fractional sample at which a path of `length` metres arrives."""
    return (rig.start + length / rig.geometry.speed_of_sound) * SAMPLE_RATE


def test_the_first_arrival_is_the_direct_sound():
    rig = draw_rig(7)
    response = hear(empty_room(), rig=replace(rig, body=np.zeros((2, 0, 2)), direct=1.0, behind=(1.0,) * 8))
    for ear in (0, 1):
        expected = arrival(rig.geometry.direct_paths[ear], rig)
        assert np.argmax(np.abs(response[ear, : int(expected) + 20])) == pytest.approx(expected, abs=1.0)
        assert np.abs(response[ear, : int(expected) - 10]).max() < 0.03 * np.abs(response[ear]).max()


def test_the_wall_ahead_echoes_at_the_delay_of_its_image():
    rig = RecordingRig(geometry=Rig(speaker=(0.0, 0.0, 0.1), ears=((-0.1, 0.0, 0.0), (0.1, 0.0, 0.0))))
    response = hear(empty_room(), rig=rig, rays=0)
    path = np.hypot(2 * (3.0 - CAMERA[0]) - 0.1, 0.1)
    near = slice(round(arrival(path, rig)) - 30, round(arrival(path, rig)) + 30)
    for ear in (0, 1):
        assert near.start + np.argmax(np.abs(response[ear, near])) == pytest.approx(arrival(path, rig), abs=1.0)


def test_a_recording_compressed_by_the_sweep_shows_the_wall_at_that_delay_too():
    rig = RecordingRig(geometry=Rig(speaker=(0.0, 0.0, 0.1), ears=((-0.1, 0.0, 0.0), (0.1, 0.0, 0.0))), noise=1e-4)
    envelope = np.abs(matched_filter(hear(empty_room(), record, rig=rig), sweep()))
    path = np.hypot(2 * (3.0 - CAMERA[0]) - 0.1, 0.1)
    near = slice(round(arrival(path, rig)) - 30, round(arrival(path, rig)) + 30)
    for ear in (0, 1):
        direct = np.argmax(envelope[ear, : round(arrival(1.0, rig))])
        assert direct == pytest.approx(arrival(rig.geometry.direct_paths[ear], rig), abs=2.0)
        assert near.start + np.argmax(envelope[ear, near]) == pytest.approx(arrival(path, rig), abs=2.0)


def test_a_symmetric_scene_sounds_alike_at_both_ears():
    """Mirror reflections to the last digit, scattered sound in the mean."""
    quads = join([empty_room(), box((1.5, 0.0), (0.5, 0.8, 1.0), 0.0, 0.0, WOOD)])
    left, right = hear(quads, rays=0)
    np.testing.assert_allclose(left, right, atol=1e-5 * np.abs(left).max())
    left, right = hear(quads, rig=RecordingRig(direct=0.0), rays=16_384)
    windows = (np.stack([left, right])[:, 1000:19_000] ** 2).reshape(2, 9, -1).sum(axis=-1)
    assert np.abs(10 * np.log10(windows[0] / windows[1])).max() < 1.0


def test_what_stands_left_is_louder_at_the_left_ear_and_mirrored_at_the_right():
    rig = RecordingRig(direct=0.0)
    cabinet = [box((CAMERA[0], side * 1.0), (1.0, 0.6, 2.0), 0.0, 0.0, WOOD) for side in (1, -1)]
    at_left, at_right = (hear(join([empty_room(), part]), rig=rig, rays=0) for part in cabinet)
    np.testing.assert_allclose(at_left, at_right[::-1], atol=1e-5 * np.abs(at_left).max())
    early = slice(0, round(arrival(3.0, rig)))
    energy = (at_left[:, early] ** 2).sum(axis=1)
    assert energy[0] > 1.5 * energy[1]


def test_twice_the_size_doubles_every_delay():
    """With the rig grown as well; pressure halves, as every path does double."""
    quads, rig = furnished(3, SIZE), RecordingRig(start=0.0)
    grown = Rig(
        speaker=tuple(2 * x for x in rig.geometry.speaker),
        ears=tuple(tuple(2 * x for x in ear) for ear in rig.geometry.ears),
    )
    found = []
    for k, geometry in ((1.0, rig.geometry), (2.0, grown)):
        scene = quads.scaled(k)
        placed = replace(rig, geometry=geometry).placed(k * CAMERA, AHEAD)
        found.append(mirror_reflections(Surfaces.of(scene), ray_caster(scene), placed, 1000.0))
    once = {(ear, round(length, 6)) for ear, length in zip(found[0].ear, found[0].length, strict=True)}
    twice = {(ear, round(length / 2, 6)) for ear, length in zip(found[1].ear, found[1].length, strict=True)}
    assert len(once) > 30 and once <= twice  # the larger scene has more rectangles above 1 m^2


def test_with_the_rig_as_it_is_the_wall_of_a_doubled_room_comes_twice_as_late():
    rig = RecordingRig(direct=0.0)
    peaks = []
    for k in (1.0, 2.0):
        response = hear(empty_room().scaled(k), camera=k * CAMERA, rig=rig, rays=0)
        wall = round(arrival(k * 2 * 3.7 - 0.01, rig))
        peaks.append(wall - 40 + np.argmax(np.abs(response[0, wall - 40 : wall + 40])) - rig.start * SAMPLE_RATE)
    assert peaks[1] / peaks[0] == pytest.approx(2.0, rel=0.01)


def test_energy_falls_with_absorption_and_with_clutter():
    energies = [
        (hear(empty_room(), rig=RecordingRig(direct=0.0), clutter=Clutter(share, 0.1)) ** 2).sum()
        for share in (0.0, 0.1, 0.3)
    ]
    assert energies[0] > 1.5 * energies[1] > 3.0 * energies[2]


def test_a_screen_between_rig_and_wall_hides_its_echo():
    screen = box((1.0, 0.0), (0.1, 3.0, 2.8), 0.0, 0.0, WOOD)
    rig = RecordingRig(direct=0.0)
    quiet, loud = (hear(quads, rig=rig, rays=0) for quads in (join([empty_room(), screen]), empty_room()))
    at = round(arrival(2 * 3.7 - 0.01, rig))
    ratio = np.abs(quiet[0, at - 5 : at + 5]).max() / np.abs(loud[0, at - 5 : at + 5]).max()
    assert ratio < 0.05


def test_the_air_takes_from_each_band_what_its_path_says(monkeypatch):
    wall = rectangles([[10.0, 3.0, -3.0]], [[0.0, -6.0, 0.0]], [[0.0, 0.0, 6.0]], PLASTER)
    rig = RecordingRig(direct=0.0)
    options = {"camera": np.zeros(3), "rig": rig, "rays": 0, "duration": 0.1}
    with_air = np.fft.rfft(hear(wall, **options))
    monkeypatch.setattr(acoustics, "AIR", np.zeros(8))
    without = np.fft.rfft(hear(wall, **options))
    frequency = np.fft.rfftfreq(4410, 1 / SAMPLE_RATE)
    for band in (2, 4, 6):  # 500 Hz, 2 kHz, 8 kHz
        row = np.argmin(np.abs(frequency - BANDS[band]))
        expected = np.exp(-AIR[band] * 20.0 / 2)
        np.testing.assert_allclose(np.abs(with_air[:, row] / without[:, row]), expected, rtol=0.003)


def test_a_plate_under_the_rig_shades_the_floor_and_answers_itself():
    rig = replace(draw_rig(1, plate=True), body=np.zeros((2, 0, 2)), direct=0.0)
    quads = empty_room()
    plated = join([quads, rig.plate_quads(CAMERA, AHEAD)])
    bare, shaded = (hear(scene, rig=rig, rays=0) for scene in (quads, plated))
    placed = rig.placed(CAMERA, AHEAD)
    mirrored = placed.speaker * [1, 1, -1]
    at = round(arrival(np.linalg.norm(mirrored - placed.ears[0]), rig))
    near = slice(at - 4, at + 5)
    assert np.abs(shaded[0, near]).max() < 0.2 * np.abs(bare[0, near]).max()
    soon = slice(0, round(arrival(1.5, rig)))
    assert (shaded[:, soon] ** 2).sum() > 10 * (bare[:, soon] ** 2).sum()


def test_seeds_are_separate_streams():
    quads, rig = furnished(1, SIZE), draw_rig(2)
    recorded = hear(quads, record, rig=rig, duration=0.1, ray_seed=1, noise_seed=2)
    again = hear(quads, record, rig=rig, duration=0.1, ray_seed=1, noise_seed=2)
    assert recorded.tobytes() == again.tobytes() and recorded.dtype == np.float32
    assert recorded.shape == (2, 4410)
    other_noise = hear(quads, record, rig=rig, duration=0.1, ray_seed=1, noise_seed=3)
    silent = replace(rig, noise=0.0)
    one, two = (hear(quads, record, rig=silent, duration=0.1, ray_seed=1, noise_seed=seed) for seed in (2, 3))
    np.testing.assert_array_equal(one, two)
    larger = hear(quads.scaled(1.5), record, rig=rig, camera=1.5 * CAMERA, duration=0.1, ray_seed=1, noise_seed=2)
    larger_silent = hear(
        quads.scaled(1.5), record, rig=silent, camera=1.5 * CAMERA, duration=0.1, ray_seed=1, noise_seed=2
    )
    np.testing.assert_allclose(larger - larger_silent, recorded - one, atol=1e-7)
    assert not np.allclose(recorded - one, other_noise - two, atol=1e-5)


def test_both_ray_casters_give_nearly_the_same_echo():
    pytest.importorskip("embreex")
    quads, rig = furnished(1, SIZE), RecordingRig(direct=0.0)
    options = {"ray_seed": 1, "duration": 0.1, "rays": 512}
    one, two = (
        impulse_response(quads, ray_caster(quads, backend), CAMERA, AHEAD, rig, **options)
        for backend in ("embree", "numpy")
    )
    # A ray that one of them lets pass at an edge carries another sign ever after; the early part is the same.
    early = round(arrival(5.0, rig))
    np.testing.assert_allclose(one[:, :early], two[:, :early], atol=0.02 * np.abs(one).max())
    assert 10 * np.log10((one**2).sum() / (two**2).sum()) == pytest.approx(0.0, abs=0.5)


ORACLE_ROOMS = [
    ((6, 5, 3), 0.15, 0.2),
    ((6, 5, 3), 0.35, 0.2),
    ((4, 3, 2.6), 0.10, 0.2),
    ((9, 7, 3.5), 0.20, 0.2),
    ((20, 12, 7), 0.15, 0.2),
    ((15, 2, 2.6), 0.15, 0.3),
]


def test_scattered_sound_is_as_loud_as_the_rig_says_and_mirrors_stay():
    rig = RecordingRig()
    mirrors = hear(furnished(3, SIZE), rig=rig, rays=0)
    whole, half, none = (hear(furnished(3, SIZE), rig=replace(rig, diffuse=diffuse)) for diffuse in (1.0, 0.5, 0.0))
    np.testing.assert_array_equal(none, mirrors)
    np.testing.assert_allclose(half - mirrors, 0.5 * (whole - mirrors), atol=1e-6)
    assert np.abs(whole - mirrors).max() > 1e-3


def t20(response):
    """Reverberation time from the -5 to -25 dB of the backward-integrated energy."""
    level = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] / np.sum(response**2))
    first, last = np.argmax(level < -5), np.argmax(level < -25)
    return -60 / np.polyfit(np.arange(first, last) / SAMPLE_RATE, level[first:last], 1)[0]


@pytest.mark.parametrize("size, absorption, scattering", ORACLE_ROOMS)
def test_decay_and_level_are_those_of_another_simulator(monkeypatch, size, absorption, scattering):
    """Hybrid of pyroomacoustics: image sources to the third order and rays.

    In the corridor its decay is faster than that of rays that keep their energy (0.45 s; free rays 0.57 s, Eyring
    0.52 s), because it blends the mirror's with a random direction in place of choosing one; 40 % are allowed there.
    """
    pyroomacoustics = pytest.importorskip("pyroomacoustics")
    monkeypatch.setattr(surfaces_module, "MATERIALS", (Material("grey", (absorption,) * 8, (scattering,) * 8),))
    monkeypatch.setattr(acoustics, "AIR", np.zeros(8))
    length, duration = np.array(size, dtype=float), 0.5 if size[0] == 20 else 1.2
    speaker, apart = length * [0.3, 0.4, 0.45], np.array([2.8, 1.2, -0.4] if size[0] == 20 else [1.4, -0.3, -0.2])
    room = pyroomacoustics.ShoeBox(
        length,
        fs=SAMPLE_RATE,
        materials=pyroomacoustics.Material(energy_absorption=absorption, scattering=scattering),
        max_order=3,
        ray_tracing=True,
        air_absorption=False,
    )
    room.set_ray_tracing(n_rays=20_000, receiver_radius=0.3, time_thres=duration)
    room.add_source(speaker)
    room.add_microphone(speaker + apart)
    pyroomacoustics.random.seed(0)
    room.compute_rir()
    late = pyroomacoustics.constants.get("frac_delay_length") // 2
    theirs = np.array(room.rir[0][0])[late : late + round(duration * SAMPLE_RATE)]
    geometry = Rig(speaker=(0.0, 0.0, 0.0), ears=(tuple(apart), tuple(apart)))
    rig = RecordingRig(geometry=geometry, start=0.0, behind=(1.0,) * 8, direct=1.0)
    quads, corner = shell(length, [Look(0)] * 6), length * [0.5, 0.5, 0.0]
    ours = hear(quads, camera=speaker - corner, axes=np.eye(3), rig=rig, duration=duration)[0].astype(float)
    direct = round(np.linalg.norm(apart) / 343.0 * SAMPLE_RATE)
    first, rest = slice(direct - 10, direct + 11), slice(direct + 40, None)
    assert 10 * np.log10((ours[first] ** 2).sum() / (theirs[first] ** 2).sum()) == pytest.approx(
        0.0, abs=1.5
    )  # their rays have 4 ms bins
    assert 10 * np.log10((ours[rest] ** 2).sum() / (theirs[rest] ** 2).sum()) == pytest.approx(0.0, abs=4.0)
    assert t20(ours[rest]) == pytest.approx(t20(theirs[rest]), rel=0.4 if size[0] == 15 else 0.2)


STARTS = (10, 20, 30, 40, 50, 60, 80, 100)  # milliseconds


def window_levels(waveform, onset, starts=STARTS):
    """Decibels of 10 ms windows that begin `starts` ms after the one at `onset` seconds, relative to that one."""
    windows = [slice(round((onset + ms / 1000) * SAMPLE_RATE), None) for ms in (0, *starts)]
    energy = np.array([(waveform[:, window][:, :441] ** 2).mean() for window in windows])
    return 10 * np.log10(energy[1:] / energy[0])


def test_rooms_like_that_of_the_real_recording_decay_as_it_does():
    """A wall 0.8 to 1.5 m ahead of a camera near the floor, as in the one real BatVision V2 sample."""
    path = SHARED / "batvision_v2_sample" / "audio_47.wav"
    if not path.exists():
        pytest.skip("no shared/batvision_v2_sample beside the checkout")
    real = window_levels(soundfile.read(path)[0].T, 0.0055)
    rng, levels = np.random.default_rng(0), []
    for seed in range(24):
        size = rng.uniform([4.0, 3.0, 2.6], [7.0, 5.5, 3.2])
        camera = np.array([size[0] / 2 - rng.uniform(0.8, 1.5), 0.0, rng.uniform(0.25, 0.5)])
        rig = replace(draw_rig(seed, below=0.1), gain=0.02)
        waveform = hear(furnished(seed, size), record, camera=camera, rig=rig, clutter=draw_clutter(seed))
        levels.append(window_levels(waveform, rig.start + rig.geometry.direct_paths.min() / 343.0 - 0.0013))
    ours = np.median(levels, axis=0)
    assert np.abs(ours - real).max() < 5.0


def test_rooms_like_the_measured_seminar_room_decay_as_it_does():
    """A clap some metres from a dummy head, windows relative to the one at 20 ms, when the direct sound is over.

    The room is too live for an acoustic ceiling (0.6 s), so ours have hard ones.
    """
    path = SHARED / "real" / "seminar_room_brir" / "brir_clap.wav"
    if not path.exists():
        pytest.skip("no shared/real beside the checkout")
    measured = soundfile.read(path)[0].T
    starts = (10, 20, 30, 40, 60, 80)  # milliseconds after that window
    real = window_levels(measured, np.argmax(np.abs(measured).max(axis=0)) / SAMPLE_RATE + 0.0192, starts)
    clap = Rig(speaker=(0.3, 0.1, 2.9), ears=((-0.09, 0.0, 0.0), (0.09, 0.0, 0.0)))
    rng, levels = np.random.default_rng(0), []
    for seed in range(12):
        size = rng.uniform([7.0, 5.5, 2.8], [11.0, 8.0, 3.5])
        rig = RecordingRig(geometry=clap, start=0.0, direct=1.0)
        camera = np.array([-0.3 * size[0], 0.0, 1.3])
        response = hear(furnished(seed, size, PLASTER), camera=camera, rig=rig, clutter=draw_clutter(seed))
        levels.append(window_levels(response, clap.direct_paths.min() / 343.0 + 0.0192, starts))
    assert np.abs(np.median(levels, axis=0) - real).max() < 5.0
