"""Rooms seen and heard without a picture."""

import numpy as np

from avsnet.audio.recording import listen
from avsnet.geometry import unproject
from avsnet.rooms.sound.rig import BEHIND
from avsnet.rooms.soundings import room_sounding, sounding_rig


def test_the_same_seed_and_place_give_the_same_bytes_and_another_place_others():
    once, again, other = (room_sounding("offices", 5, place, size=(24, 32), samples=3000) for place in (0, 0, 1))
    assert np.array_equal(once.depth, again.depth) and np.array_equal(once.waveform, again.waveform)
    assert not np.array_equal(once.depth, other.depth)
    assert once.depth.dtype == once.waveform.dtype == np.float32 and once.waveform.shape == (2, 3000)


def test_some_views_are_near_and_none_is_within_a_thing():
    near = []
    for seed in range(12):
        found = room_sounding("historic", seed, size=(24, 32), samples=2000)
        ranges = np.linalg.norm(unproject(found.depth, found.intrinsics), axis=-1)
        assert ranges[found.depth > 0.0].min() > 0.15
        near.append(np.median(found.depth) < 1.3)
    assert 1 <= sum(near) <= 9


def test_the_direct_sound_comes_first_by_the_rigs_geometry():
    found = room_sounding("offices", 3, size=(24, 32), samples=3000)
    echo = listen(found.waveform, 44_100, found.rig)
    assert found.rig.origin == "known"
    assert 200 < echo.direct < 600


def test_rigs_reach_from_telephones_to_heads():
    spacings = [np.ptp([ear[0] for ear in sounding_rig(seed).geometry.ears]) for seed in range(200)]
    assert 0.08 <= min(spacings) < 0.1 and 0.23 < max(spacings) <= 0.25


def test_some_rigs_are_the_simulators_own_and_others_point_colour_and_scatter_otherwise():
    rigs = [sounding_rig(seed) for seed in range(200)]
    usual = [rig for rig in rigs if rig.behind == BEHIND and rig.colour == rig.diffuse == 1.0]
    assert 0.2 < len(usual) / len(rigs) < 0.45
    assert any(min(rig.behind) == 1.0 for rig in rigs)  # alike in all directions
    assert any(rig.diffuse == 0.0 for rig in rigs) and max(rig.diffuse for rig in rigs) > 1.1
    assert min(rig.colour for rig in rigs) == 0.0
