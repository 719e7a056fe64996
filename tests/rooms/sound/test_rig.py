"""Random rigs stay within what people build, and depend on nothing but their seed."""

import numpy as np
import pytest

from avsnet.rooms.geometry.scene import look_along
from avsnet.rooms.sound.rig import BEHIND, RecordingRig, draw_rig

RIGS = [draw_rig(seed) for seed in range(300)]
CAMERA, AXES = np.array([1.0, 2.0, 1.4]), look_along(0.3, -0.1)


def test_distances_fill_the_ranges_of_real_rigs():
    ears = np.array([rig.geometry.ears for rig in RIGS])
    spacing = np.linalg.norm(ears[:, 1] - ears[:, 0], axis=1)
    paths = np.array([rig.geometry.direct_paths for rig in RIGS])
    assert 0.119 < spacing.min() < 0.13 and 0.33 < spacing.max() < 0.351
    assert 0.05 < paths.min() < 0.1 and 0.45 < paths.max() < 0.53
    assert (ears[:, 0, 0] < ears[:, 1, 0]).all()  # left ear first


def test_no_part_lies_farther_below_the_camera_than_allowed():
    for below in (0.05, 0.2):
        lowest = [max(place[1] for place in _places(draw_rig(seed, below=below))) for seed in range(100)]
        assert max(lowest) <= below + 1e-4


def test_the_allowance_moves_a_rig_and_changes_nothing_else():
    low, high = draw_rig(5, below=0.0), draw_rig(5, below=0.3)
    shift = np.array(_places(low)) - np.array(_places(high))
    np.testing.assert_allclose(shift, np.tile(shift[0], (3, 1)), atol=2e-4)
    assert (low.gain, low.start, low.resonance, low.noise) == (high.gain, high.start, high.resonance, high.noise)


def test_levels_and_colour_vary_widely():
    gain, noise, start, resonance = (
        np.array([getattr(rig, name) for rig in RIGS]) for name in ("gain", "noise", "start", "resonance")
    )
    assert gain.max() / gain.min() > 10.0
    assert noise.max() / noise.min() > 2.0
    assert np.ptp(start) > 0.0015 and start.mean() == pytest.approx(0.0063, abs=2e-4)
    assert resonance.max() / resonance.min() > 1.25


def test_every_second_rig_has_a_plate_under_it_unless_told_otherwise():
    plates = [rig.plate is not None for rig in RIGS]
    assert 0.4 < np.mean(plates) < 0.6
    assert draw_rig(0, plate=True).plate is not None and draw_rig(0, plate=False).plate is None
    assert draw_rig(0, plate=True).geometry == draw_rig(0, plate=False).geometry


def test_a_plate_lies_level_under_every_part_of_the_rig_and_faces_it():
    rig = draw_rig(1, plate=True)
    plate = rig.plate_quads(CAMERA, AXES)
    np.testing.assert_allclose(plate.normal[0], -AXES[1], atol=1e-12)  # up, in the camera's own axes
    middle = plate.corner[0] + (plate.u[0] + plate.v[0]) / 2
    np.testing.assert_allclose((middle - CAMERA) @ AXES[1], rig.plate[2])
    assert max(place[1] for place in _places(rig)) < rig.plate[2] < max(p[1] for p in _places(rig)) + 0.061
    assert RecordingRig().plate_quads(CAMERA, AXES) is None


def test_a_rig_is_placed_as_the_camera_stands():
    rig = draw_rig(2)
    placed = rig.placed(CAMERA, AXES)
    for place, world in zip(_places(rig), [placed.speaker, *placed.ears], strict=True):
        np.testing.assert_allclose((world - CAMERA) @ AXES.T, place, atol=1e-12)


def test_the_same_seed_gives_the_same_rig():
    one, two = draw_rig(9), draw_rig(9)
    assert (one.geometry, one.gain, one.plate, one.body.tobytes()) == (
        two.geometry,
        two.gain,
        two.plate,
        two.body.tobytes(),
    )
    assert draw_rig(10).geometry != one.geometry


def test_speaker_and_ears_favour_their_axes_and_more_so_the_higher_the_band():
    placed = RecordingRig().placed(CAMERA, AXES)
    ahead, back = placed.speaker_gain(np.stack([5 * AXES[2], -0.1 * AXES[2]]))
    np.testing.assert_allclose(ahead, 1.0, rtol=1e-6)
    np.testing.assert_allclose(back, BEHIND, rtol=1e-6)
    side = AXES[0][None]  # to the right
    left, right = placed.ear_gain(side, 0)[0], placed.ear_gain(side, 1)[0]
    assert left[0] == right[0] == 1.0 and (np.diff(right / left) > 0).all()
    front = AXES[2][None]
    np.testing.assert_allclose(placed.ear_gain(front, 0), placed.ear_gain(front, 1), rtol=1e-6)


def _places(rig):
    return [rig.geometry.speaker, *rig.geometry.ears]
