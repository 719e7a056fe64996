"""Rays against rectangles: the NumPy caster against a slow one, a ray and a rectangle at a time, and Embree with it."""

import sys

import numpy as np
import pytest

from avsnet.errors import MissingExtraError, OptionError
from avsnet.rooms.geometry import raycast
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, box, join, rectangles, shell
from slow_rays import meet_slowly

GREY = Look(material=0)
BACKENDS = ["numpy", "embree"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "embree":
        pytest.importorskip("embreex")
    return request.param


def scattered(count, seed):
    """Rectangles of random place, turn and size: rays miss, hit their fronts, hit their backs."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(2, count, 3))
    v -= np.sum(u * v, axis=1, keepdims=True) / np.sum(u * u, axis=1, keepdims=True) * u
    return rectangles(rng.normal(0.0, 2.0, (count, 3)), u, v, GREY)


def furnished(seed):
    """A shell with ten boxes that cut into each other and into the walls."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(2.0, 20.0, 3)
    places = rng.uniform(-0.5, 0.5, (10, 2)) * size[:2]
    boxes = [
        box(tuple(place), rng.uniform(0.1, 1.5, 3), rng.uniform(0, 1), rng.uniform(-3, 3), GREY) for place in places
    ]
    return join([shell(size, [GREY] * 6), *boxes]), size


@pytest.mark.parametrize("scene", ["scattered", "furnished"])
def test_the_nearest_rectangle_is_that_of_the_slow_search(scene, backend):
    quads = scattered(30, 0) if scene == "scattered" else furnished(0)[0]
    rng = np.random.default_rng(1)
    origins = rng.uniform(-0.9, 0.9, (120, 3)) + [0.0, 0.0, 1.0]
    directions = rng.normal(size=(120, 3)) * rng.uniform(0.1, 5.0, (120, 1))
    index, t = ray_caster(quads, backend).cast(origins, directions)
    for ray in range(len(origins)):
        slow = meet_slowly(quads, origins[ray], directions[ray])
        assert t[ray] == pytest.approx(slow.min(), rel=1e-4)
        assert index[ray] == (np.argmin(slow) if np.isfinite(slow.min()) else -1)
    assert scene == "furnished" or 10 < np.sum(index < 0) < 110  # hits and misses were both tried


@pytest.mark.parametrize("seed", range(6))
def test_embree_agrees_with_its_twin_but_for_rays_along_an_edge(seed):
    pytest.importorskip("embreex")
    quads, size = furnished(seed) if seed % 2 else (scattered(40, seed), np.array([4.0, 4.0, 4.0]))
    fast, exact = ray_caster(quads, "embree"), ray_caster(quads, "numpy")
    assert fast.tolerance == exact.tolerance
    rng = np.random.default_rng(seed)
    start, end = rng.uniform(-0.5, 0.5, (2, 4000, 3)) * size + [0, 0, size[2] / 2]
    found, expected = (caster.cast(start, end - start) for caster in (fast, exact))
    same = found[0] == expected[0]
    assert same.mean() > 0.999
    np.testing.assert_allclose(found[1][same], expected[1][same], rtol=2e-5, atol=1e-6)
    blocked, wanted = fast.occluded(start, end), exact.occluded(start, end)
    assert np.mean(blocked == wanted) > 0.999
    assert 0.01 < wanted.mean() < 0.99


def test_the_ray_parameter_is_counted_in_lengths_of_the_direction(backend):
    caster, directions = ray_caster(scattered(30, 0), backend), np.random.default_rng(2).normal(size=(50, 3))
    once, thrice = caster.cast(np.zeros(3), directions), caster.cast(np.zeros(3), 3.0 * directions)
    np.testing.assert_array_equal(once[0], thrice[0])
    np.testing.assert_allclose(once[1], 3.0 * thrice[1], rtol=1e-5)


def test_a_ray_from_inside_a_shell_always_hits_it(backend):
    rng = np.random.default_rng(0)
    for size in ((3.0, 2.0, 2.5), (30.0, 2.6, 3.4), (5.0, 18.0, 9.0)):
        inside = rng.uniform(-0.499, 0.499, (5000, 3)) * size + [0.0, 0.0, size[2] / 2]
        index, t = ray_caster(shell(np.array(size), [GREY] * 6), backend).cast(inside, rng.normal(size=(5000, 3)))
        assert (index >= 0).all() and np.isfinite(t).all() and (t > 0).all()


def test_a_ray_along_an_axis_hits_the_wall_it_points_at(backend):
    caster = ray_caster(shell(np.array([6.0, 4.0, 3.0]), [GREY] * 6), backend)
    directions = np.array([[0, 0, -1], [0, 0, 1], [-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]], dtype=float)
    index, t = caster.cast(np.array([1.0, 0.5, 1.2]), directions)
    assert index.tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(t, [1.2, 1.8, 4.0, 2.0, 2.5, 1.5], rtol=1e-6)


def test_a_ray_that_meets_nothing_says_so(backend):
    index, t = ray_caster(box((0.0, 0.0), (1.0, 1.0, 1.0), 0.0, 0.0, GREY), backend).cast(
        np.array([5.0, 0.0, 0.5]), np.eye(3)
    )
    assert index.tolist() == [-1, -1, -1] and np.isinf(t).all()


def test_occlusion_agrees_with_the_slow_search(backend):
    quads = scattered(25, 3)
    start, end = np.random.default_rng(4).normal(0.0, 1.5, (2, 200, 3))
    slow = [(meet_slowly(quads, a, b - a) < 1).any() for a, b in zip(start, end, strict=True)]
    assert ray_caster(quads, backend).occluded(start, end).tolist() == slow
    assert 20 < sum(slow) < 180


def test_surfaces_at_the_ends_do_not_occlude_but_a_box_between_does(backend):
    room = shell(np.array([6.0, 4.0, 3.0]), [GREY] * 6)
    rng = np.random.default_rng(0)
    wall = [np.column_stack([np.full(50, x), rng.uniform(-1.9, 1.9, 50), rng.uniform(0.1, 2.9, 50)]) for x in (-3, 3)]
    assert not ray_caster(room, backend).occluded(wall[0], wall[1]).any()
    # Between the end walls stands a screen that nothing can pass.
    screen = box((0.0, 0.0), (0.2, 4.0, 2.98), 0.01, 0.0, GREY)
    assert ray_caster(join([room, screen]), backend).occluded(wall[0], wall[1]).all()


def test_what_is_nearer_to_an_end_than_the_tolerance_does_not_occlude_and_what_is_farther_does(backend):
    screen = rectangles([[0.0, -5.0, -5.0]], [[0.0, 10.0, 0.0]], [[0.0, 0.0, 10.0]], GREY)
    caster = ray_caster(screen, backend)
    for gap, expected in ((0.5, False), (4.0, True)):
        behind, before = np.array([[gap * caster.tolerance, 0.1, 0.2]]), np.array([[-2.0, 0.3, 0.1]])
        assert caster.occluded(behind, before).tolist() == [expected]
        assert caster.occluded(before, behind).tolist() == [expected]


def test_a_box_behind_either_end_does_not_occlude(backend):
    blocks = join([box((x, 0.0), (1.0, 1.0, 1.0), 0.0, 0.0, GREY) for x in (-3.0, 3.0)])
    caster = ray_caster(blocks, backend)
    assert not caster.occluded(np.array([[-2.0, 0.0, 0.5]]), np.array([[2.0, 0.0, 0.5]])).any()


@pytest.mark.parametrize("chunk", [1, 70, 1000])
def test_the_size_of_the_blocks_makes_no_difference(monkeypatch, chunk):
    caster = ray_caster(scattered(30, 0), "numpy")
    start, end = np.random.default_rng(5).normal(0.0, 2.0, (2, 101, 3))
    whole = *caster.cast(start, end - start), caster.occluded(start, end)
    monkeypatch.setattr(raycast, "_CHUNK", chunk)
    for one, other in zip(whole, (*caster.cast(start, end - start), caster.occluded(start, end)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_without_embree_auto_falls_back_and_embree_names_the_extra(monkeypatch):
    monkeypatch.setattr(raycast.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "embreex", None)
    assert ray_caster(scattered(3, 0)).cast(np.zeros(3), np.eye(3))[0].shape == (3,)
    with pytest.raises(MissingExtraError, match=r"avsnet\[rooms\]"):
        ray_caster(scattered(3, 0), "embree")


def test_an_unknown_backend_is_refused():
    with pytest.raises(OptionError, match=r"'gpu'.*auto, embree or numpy"):
        ray_caster(scattered(3, 0), "gpu")
