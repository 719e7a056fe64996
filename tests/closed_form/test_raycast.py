"""Rays against rectangles: the vectorised caster against a slow one, a ray and a rectangle at a time."""

import numpy as np
import pytest

from closed_form import raycast
from closed_form.furnished import furnished_room
from closed_form.raycast import cast, occluded
from closed_form.scene import Quads, box, join, shell
from slow_rays import meet_slowly

GREY = np.full((6, 4), 0.5)


def scattered(count, seed):
    """Rectangles of random place, turn and size: rays miss, hit their fronts, hit their backs."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(2, count, 3))
    v -= np.sum(u * v, axis=1, keepdims=True) / np.sum(u * u, axis=1, keepdims=True) * u
    return Quads(rng.normal(0.0, 2.0, (count, 3)), u, v, np.ones((count, 3)), np.zeros(count))


@pytest.mark.parametrize("scene", ["scattered", "furnished"])
def test_the_nearest_rectangle_is_that_of_the_slow_search(scene):
    quads = scattered(30, 0) if scene == "scattered" else furnished_room("offices", 3).quads
    rng = np.random.default_rng(1)
    origins = rng.uniform(-1.0, 1.0, (120, 3)) + [0.0, 0.0, 1.1]
    directions = rng.normal(size=(120, 3)) * rng.uniform(0.1, 5.0, (120, 1))
    index, t = cast(quads, origins, directions)
    for ray in range(len(origins)):
        slow = meet_slowly(quads, origins[ray], directions[ray])
        assert t[ray] == pytest.approx(slow.min(), rel=1e-9)
        assert index[ray] == (np.argmin(slow) if np.isfinite(slow.min()) else -1)
    assert scene == "furnished" or 10 < np.sum(index < 0) < 110  # hits and misses were both tried


def test_the_ray_parameter_is_counted_in_lengths_of_the_direction():
    quads, directions = scattered(30, 0), np.random.default_rng(2).normal(size=(50, 3))
    once, thrice = cast(quads, np.zeros(3), directions), cast(quads, np.zeros(3), 3.0 * directions)
    np.testing.assert_array_equal(once[0], thrice[0])
    np.testing.assert_allclose(once[1], 3.0 * thrice[1])


def test_a_ray_from_inside_a_shell_always_hits_it():
    rng = np.random.default_rng(0)
    for size in ((3.0, 2.0, 2.5), (30.0, 2.6, 3.4), (5.0, 18.0, 9.0)):
        inside = rng.uniform(-0.499, 0.499, (5000, 3)) * size + [0.0, 0.0, size[2] / 2]
        index, t = cast(shell(np.array(size), GREY), inside, rng.normal(size=(5000, 3)))
        assert (index >= 0).all() and np.isfinite(t).all() and (t > 0).all()


def test_a_ray_along_an_axis_hits_the_wall_it_points_at():
    quads = shell(np.array([6.0, 4.0, 3.0]), GREY)
    directions = np.array([[0, 0, -1], [0, 0, 1], [-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]], dtype=float)
    index, t = cast(quads, np.array([1.0, 0.5, 1.2]), directions)
    assert index.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(t, [1.2, 1.8, 4.0, 2.0, 2.5, 1.5])


def test_a_ray_that_meets_nothing_says_so():
    index, t = cast(box((0.0, 0.0), (1.0, 1.0, 1.0), 0.0, 0.0, GREY[0]), np.array([5.0, 0.0, 0.5]), np.eye(3))
    assert index.tolist() == [-1, -1, -1] and np.isinf(t).all()


def test_occlusion_agrees_with_the_slow_search():
    quads = scattered(25, 3)
    start, end = np.random.default_rng(4).normal(0.0, 1.5, (2, 200, 3))
    slow = [(meet_slowly(quads, a, b - a) < 1).any() for a, b in zip(start, end, strict=True)]
    assert occluded(quads, start, end).tolist() == slow
    assert 20 < sum(slow) < 180


def test_surfaces_at_the_ends_do_not_occlude_but_a_box_between_does():
    room = shell(np.array([6.0, 4.0, 3.0]), GREY)
    rng = np.random.default_rng(0)
    wall = [np.column_stack([np.full(50, x), rng.uniform(-1.9, 1.9, 50), rng.uniform(0.1, 2.9, 50)]) for x in (-3, 3)]
    assert not occluded(room, wall[0], wall[1]).any()
    # Between the end walls stands a screen that nothing can pass.
    screen = box((0.0, 0.0), (0.2, 4.0, 2.98), 0.01, 0.0, GREY[0])
    assert occluded(join([room, screen]), wall[0], wall[1]).all()


def test_a_box_behind_either_end_does_not_occlude():
    blocks = join([box((x, 0.0), (1.0, 1.0, 1.0), 0.0, 0.0, GREY[0]) for x in (-3.0, 3.0)])
    assert not occluded(blocks, np.array([[-2.0, 0.0, 0.5]]), np.array([[2.0, 0.0, 0.5]])).any()


@pytest.mark.parametrize("chunk", [1, 70, 1000])
def test_the_size_of_the_blocks_makes_no_difference(monkeypatch, chunk):
    quads = scattered(30, 0)
    start, end = np.random.default_rng(5).normal(0.0, 2.0, (2, 101, 3))
    whole = *cast(quads, start, end - start), occluded(quads, start, end)
    monkeypatch.setattr(raycast, "_CHUNK", chunk)
    for one, other in zip(whole, (*cast(quads, start, end - start), occluded(quads, start, end)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
