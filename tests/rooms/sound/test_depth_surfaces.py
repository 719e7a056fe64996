"""Rectangles of a depth map against the scene that the map was cast from, and against brute force."""

from itertools import product

import numpy as np
import pytest

from avsnet.geometry import intrinsics_from_fov, pixel_rays
from avsnet.planes import find_planes
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, join, rectangles
from avsnet.rooms.sound.depth_surfaces import TOLERANCE, largest_rectangle, patches, plane_tiles, thinned

HEIGHT, WIDTH = 120, 160
CAMERA = intrinsics_from_fov(WIDTH, HEIGHT, 80.0)
LOOK = Look(0)


def wall(z, x=(-9.0, 9.0), y=(-9.0, 9.0)):
    """A rectangle square to the optical axis."""
    return rectangles([[x[0], y[0], z]], [[0.0, y[1] - y[0], 0.0]], [[x[1] - x[0], 0.0, 0.0]], LOOK)


FLOOR = rectangles([[-9.0, 1.4, 0.0]], [[0.0, 0.0, 9.0]], [[18.0, 0.0, 0.0]], LOOK)


def seen(quads, intrinsics=CAMERA, size=(HEIGHT, WIDTH)):
    """(H, W) depth of a scene in camera axes, 0 where nothing is."""
    t = ray_caster(quads).cast(np.zeros(3), pixel_rays(intrinsics, *size).reshape(-1, 3))[1]
    return np.where(np.isfinite(t), t, 0.0).reshape(size)


def tiles_of(depth, number=0):
    plane = find_planes(depth, depth > 0, CAMERA, TOLERANCE)[0][number]
    return plane_tiles(depth, CAMERA, plane, np.eye(3))


def area(tiles):
    return np.linalg.norm(np.cross(tiles[:, 1], tiles[:, 2]), axis=1)


def test_a_wall_becomes_one_tile_of_its_size_at_its_place():
    tiles, covered = tiles_of(seen(wall(2.0, x=(-1.0, 1.2), y=(-0.8, 0.7))))
    assert len(tiles) == 1
    np.testing.assert_allclose(area(tiles), 2.2 * 1.5, rtol=0.06)
    np.testing.assert_allclose(tiles[0, 0], [-1.0, -0.8, 2.0], atol=0.06)
    assert covered.sum() > 0.97 * (seen(wall(2.0, x=(-1.0, 1.2), y=(-0.8, 0.7))) > 0).sum()


def test_tiles_look_back_at_the_camera():
    depth = seen(join([wall(4.0), FLOOR]))
    for number in (0, 1):
        tiles, _ = tiles_of(depth, number)
        normal = np.cross(tiles[:, 1], tiles[:, 2])
        assert (np.sum(normal * tiles[:, 0], axis=1) < 0.0).all()


def test_tiles_of_one_plane_do_not_overlap_and_cover_most_of_it():
    hole = np.zeros((HEIGHT, WIDTH), dtype=bool)
    hole[30:70, 60:100] = True
    depth = np.where(hole, 5.0, seen(wall(2.0)))  # one sees through it to something farther
    tiles, covered = tiles_of(depth)
    assert 4 <= len(tiles) <= 12
    assert covered[~hole].mean() > 0.9 and not covered[hole].any()
    seen_area = (~hole).sum() * 4.0 / (CAMERA[0, 0] * CAMERA[1, 1])
    assert area(tiles).sum() == pytest.approx(seen_area, rel=0.06)


def test_a_small_hole_in_the_map_does_not_break_a_wall():
    depth = seen(wall(2.0))
    rng = np.random.default_rng(0)
    depth[rng.random(depth.shape) < 0.2] = 0.0
    depth[:, 80] = 0.0
    tiles, _ = tiles_of(depth)
    assert area(tiles).max() > 0.9 * area(tiles).sum()


def test_a_table_leg_before_a_wall_does_not_break_it_either():
    tiles, _ = tiles_of(seen(join([wall(3.0), wall(2.5, x=(-0.02, 0.02))])))
    assert area(tiles).max() > 0.9 * area(tiles).sum()


def test_patches_stand_where_the_map_is_and_are_as_large_as_what_they_stand_for():
    distances = 2.0 + 0.8 * np.random.default_rng(1).random((HEIGHT // 8, WIDTH // 8))
    depth = np.kron(distances, np.ones((8, 8)))
    found = patches(depth, CAMERA, depth > 0)
    assert len(found) == distances.size
    quads = rectangles(found[:, 0], found[:, 1], found[:, 2], LOOK)
    t = seen(quads)
    hit = t > 0
    assert hit.mean() > 0.85
    assert np.median(np.abs(t[hit] / depth[hit] - 1)) < 0.01
    expected = np.sum(depth**2) / (CAMERA[0, 0] * CAMERA[1, 1])
    assert area(found).sum() == pytest.approx(expected, rel=0.05)


def test_an_edge_within_a_block_gives_two_patches_and_none_between():
    depth = np.full((8, 8), 2.0)
    depth[:, 4:] = 3.0
    found = patches(depth, CAMERA, depth > 0)
    centre = found[:, 0] + (found[:, 1] + found[:, 2]) / 2
    np.testing.assert_allclose(np.sort(centre[:, 2]), [2.0, 3.0])


def test_noise_along_the_rays_makes_no_patch_edge_on():
    rng = np.random.default_rng(0)
    depth = 2.0 * (1 + 0.04 * rng.normal(size=(HEIGHT, WIDTH)).clip(-1, 1))
    found = patches(depth, CAMERA, depth > 0)
    normal = np.cross(found[:, 1], found[:, 2])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    centre = found[:, 0] + (found[:, 1] + found[:, 2]) / 2
    cosine = -np.sum(normal * centre, axis=1) / np.linalg.norm(centre, axis=1)
    assert cosine.min() > 0.2


def test_twice_the_depth_gives_the_same_rectangles_twice_as_large():
    depth = seen(join([wall(4.0), FLOOR, wall(2.5, x=(0.3, 0.9), y=(0.2, 1.4))]))
    once, covered = tiles_of(depth)
    twice, also = tiles_of(2 * depth)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
    np.testing.assert_array_equal(covered, also)
    left = (depth > 0) & ~covered
    np.testing.assert_allclose(patches(2 * depth, CAMERA, left), 2 * patches(depth, CAMERA, left), rtol=1e-6)


def test_a_thinned_map_sees_the_same_points():
    large = intrinsics_from_fov(640, 480, 80.0)
    scene = join([wall(4.0), FLOOR])
    small, camera = thinned(seen(scene, large, (480, 640)), large)
    assert small.shape == (120, 160)
    np.testing.assert_allclose(small, seen(scene, camera, small.shape), rtol=1e-5)


def test_the_largest_rectangle_is_that_of_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = rng.random((rng.integers(1, 8), rng.integers(1, 8))) < 0.7
        (first, last), cells = largest_rectangle(mask)
        best = 0
        for top, left in product(*map(range, mask.shape)):
            for bottom, right in product(range(top, mask.shape[0]), range(left, mask.shape[1])):
                if mask[top : bottom + 1, left : right + 1].all():
                    best = max(best, (bottom + 1 - top) * (right + 1 - left))
        assert cells == best
        assert mask[first[0] : last[0], first[1] : last[1]].sum() == cells
