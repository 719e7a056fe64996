"""Walks are smooth: between the frames that a triplet uses the camera moves a little and turns a little."""

import numpy as np
import pytest

from avsnet.rooms.geometry.grammar import draw_scene
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.walk import FRAMES, draw_walk
from avsnet.rooms.preset import find_domain, find_preset

PRESET = find_preset("rooms-1")


@pytest.fixture(scope="module")
def walks():
    found = []
    for domain in ("offices", "historic"):
        for seed in range(10):
            scene = draw_scene(find_domain(domain, PRESET), PRESET, np.random.SeedSequence([9, seed]))
            caster = ray_caster(scene.quads)
            smallest = find_domain(domain, PRESET).k[0] if scene.ambiguous else 1.0
            found += [(scene, draw_walk(scene, caster, PRESET, smallest, number == 0, number)) for number in range(3)]
    return [(scene, walk) for scene, walk in found if walk is not None]


def test_most_rooms_have_room_for_walks(walks):
    assert len(walks) > 50


def test_twenty_frames_on_the_camera_has_moved_and_turned_within_the_limits(walks):
    for _, walk in walks:
        for frame in range(0, FRAMES - 20, 7):
            one, other = walk.view(frame), walk.view(frame + 20)
            assert 0.03 <= np.linalg.norm(other.position - one.position) <= 0.15
            turn = np.arccos(np.clip((np.trace(one.axes @ other.axes.T) - 1) / 2, -1.0, 1.0))
            assert np.degrees(turn) <= 3.0


def test_walks_are_smooth(walks):
    for _, walk in walks:
        places = np.array([walk.view(frame).position for frame in range(FRAMES)])
        steps = np.diff(places, axis=0)
        assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < 0.15 * np.linalg.norm(steps, axis=1).min() + 1e-9


def test_the_camera_s_height_is_the_room_s_and_the_first_walk_begins_where_it_was_furnished(walks):
    for scene, walk in walks:
        assert walk.view(0).position[2] == pytest.approx(scene.camera_height)
        assert np.abs(walk.view(FRAMES - 1).position[2] - scene.camera_height) < 0.02
    scene, walk = walks[0]
    np.testing.assert_allclose(walk.view(0).position[:2], scene.start[:2])


def test_different_walks_of_a_room_begin_at_different_places(walks):
    places = {}
    for scene, walk in walks:
        places.setdefault(id(scene), []).append(walk.place)
    apart = [np.linalg.norm(some[0] - some[1]) for some in places.values() if len(some) > 1]
    assert np.median(apart) > 1.0
