"""The second renderer's arrivals against mirrors worked out by hand, and its recordings against the first one's."""

import numpy as np
import pytest

from avsnet.audio.direct_sound import direct_sound
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.rooms.geometry.scene import Look, join, rectangles
from avsnet.rooms.sound.depth_room import room_of_depth
from avsnet.rooms.sound.plane_echo import echo_by_planes, image_sources

pytest.importorskip("pyroomacoustics")

CAMERA = np.array([[60.0, 0.0, 39.5], [0.0, 60.0, 29.5], [0.0, 0.0, 1.0]])


def box(low, high):
    """Six rectangles that face into a box."""
    low, high = np.array(low), np.array(high)
    parts = []
    for axis in range(3):
        first, second = (np.eye(3)[(axis + turn) % 3] * (high - low)[(axis + turn) % 3] for turn in (1, 2))
        top = low.copy()
        top[axis] = high[axis]
        parts += [rectangles(low, first, second, Look(0)), rectangles(top, second, first, Look(0))]
    return join(parts)


def test_paths_in_a_box_are_those_of_mirrors_to_the_second_order():
    rig = rig_for(3)
    low, high = np.array([-2.0, -1.2, -1.5]), np.array([2.5, 1.4, 3.0])
    images = {(tuple(rig.geometry.speaker), 0)}
    for _ in range(2):
        for point, order in list(images):
            for axis in range(3):
                for side in (low, high):
                    mirrored = list(point)
                    mirrored[axis] = 2.0 * side[axis] - mirrored[axis]
                    images.add((tuple(np.round(mirrored, 9)), order + 1))
    shortest = {}
    for point, order in images:
        shortest[tuple(np.round(point, 6))] = min(order, shortest.get(tuple(np.round(point, 6)), 9))
    lengths, amplitudes = image_sources(box(low, high), rig)
    for ear, place in enumerate(rig.geometry.ears):
        expected = sorted(np.linalg.norm(np.array(point) - place) for point, order in shortest.items() if order <= 2)
        assert np.sort(lengths[ear]) == pytest.approx(expected, abs=2e-3)
        assert (amplitudes[ear] > 0.0).all()


@pytest.mark.parametrize("metres", [1.5, 3.0])
def test_the_wall_of_a_flat_map_is_heard_by_both_ears_when_it_should_be(metres):
    rig, depth = rig_for(5), np.full((60, 80), metres)
    made = echo_by_planes(depth, CAMERA, rig, seed=2, duration=0.1)
    assert made.shape == (2, 4410) and made.dtype == np.float32 and np.abs(made).max() <= 1.0
    assert abs(direct_sound(made) - rig.direct_sample) <= 3
    lengths, _ = image_sources(room_of_depth(depth, CAMERA, np.random.SeedSequence(2)), rig)
    mirrored = np.array(rig.geometry.speaker) * [1, 1, -1] + [0, 0, 2 * metres]
    for ear, place in enumerate(rig.geometry.ears):
        assert np.abs(lengths[ear] - np.linalg.norm(mirrored - place)).min() < 0.02


def test_recordings_repeat_with_their_seed_and_are_not_the_first_renderers():
    rig, depth = rig_for(7), np.full((60, 80), 2.0)
    made = echo_by_planes(depth, CAMERA, rig, seed=1, duration=0.1)
    assert np.array_equal(made, echo_by_planes(depth, CAMERA, rig, seed=1, duration=0.1))
    ours = echo_of_depth(depth, CAMERA, rig, seed=1, duration=0.1).waveform
    both = np.corrcoef(made[0], ours[0])[0, 1]
    assert abs(both) < 0.95
