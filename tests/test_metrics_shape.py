"""Metrics of scale, shape, surfaces and obstacles, against loops and against what geometry says."""

import math

import numpy as np
import pytest

from avsnet.metrics import abs_rel
from avsnet.metrics_shape import (
    SHAPE_METRICS,
    best_scale,
    missed_near,
    nearest_error,
    normal_error,
    scale_error,
    shape_error,
    shape_metrics,
)

CAMERA = np.array([[90.0, 0.0, 47.5], [0.0, 90.0, 35.5], [0.0, 0.0, 1.0]])
EVERY = np.ones((72, 96), dtype=bool)


def tilted(degrees):
    """Depth of a plane through (0, 0, 3 m) that is turned about the vertical."""
    x = (np.arange(96) - CAMERA[0, 2]) / CAMERA[0, 0]
    return np.broadcast_to(3.0 / (1.0 - x * math.tan(math.radians(degrees))), (72, 96))


def test_the_best_scale_is_the_one_that_a_search_finds():
    random = np.random.default_rng(0)
    target, pred = random.uniform(0.5, 6.0, 301), random.uniform(0.5, 6.0, 301)
    tried = np.exp(np.linspace(-3, 3, 60_001))
    errors = [abs_rel(k * pred, target) for k in tried]
    k = best_scale(pred, target)
    assert k == pytest.approx(tried[int(np.argmin(errors))], rel=2e-4)
    assert shape_error(pred, target) == pytest.approx(min(errors), rel=1e-6)
    assert scale_error(pred, target) == pytest.approx(abs(math.log(k)))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
def test_a_wrong_scale_and_a_wrong_shape_are_told_apart(factor):
    random = np.random.default_rng(1)
    target = random.uniform(0.5, 6.0, 500)
    bent = target * np.exp(random.normal(0.0, 0.1, 500))
    assert scale_error(factor * target, target) == pytest.approx(abs(math.log(factor)))
    assert shape_error(factor * target, target) == pytest.approx(0.0, abs=1e-12)
    assert shape_error(factor * bent, target) == pytest.approx(shape_error(bent, target))


@pytest.mark.parametrize("degrees", [5.0, 20.0, 35.0])
def test_a_plane_that_is_turned_has_normals_that_are_turned(degrees):
    flat = tilted(0.0)
    assert normal_error(tilted(degrees), flat, EVERY, CAMERA) == pytest.approx(degrees, abs=1e-6)
    assert normal_error(3.0 * tilted(degrees), flat, EVERY, CAMERA) == pytest.approx(degrees, abs=1e-6)


def test_a_wavy_wall_that_the_usual_metrics_hardly_see_is_seen():
    flat = tilted(0.0)
    wavy = flat * (1.0 + 0.02 * np.sin(np.arange(96) / 2.0))
    assert abs_rel(wavy[EVERY], flat[EVERY]) < 0.015
    assert normal_error(wavy, flat, EVERY, CAMERA) > 15.0


def test_normals_equal_a_loop_over_triangles_and_leave_out_edges_and_unknown_pixels():
    random = np.random.default_rng(2)
    target = 2.0 + 0.05 * random.random((72, 96))
    target[:, 48:] += 3.0
    pred = target * random.uniform(0.98, 1.02, target.shape)
    valid = random.random(target.shape) > 0.1
    angles = []
    for row in range(71):
        for column in range(95):
            corners = [(row, column), (row, column + 1), (row + 1, column)]
            depths = [target[corner] for corner in corners]
            if (
                not all(valid[corner] for corner in corners)
                or max(abs(d - depths[0]) for d in depths) >= 0.1 * depths[0]
            ):
                continue
            normals = []
            for depth in (pred, target):
                a, b, c = (depth[r, k] * np.linalg.solve(CAMERA, [k, r, 1.0]) for r, k in corners)
                normal = np.cross(b - a, c - a)
                normals.append(normal / np.linalg.norm(normal))
            angles.append(math.degrees(math.acos(min(1.0, float(normals[0] @ normals[1])))))
    assert normal_error(pred, target, valid, CAMERA) == pytest.approx(np.mean(angles), rel=1e-6)


def test_obstacles_are_missed_where_the_map_puts_them_beyond_two_metres():
    target = np.array([0.5, 1.0, 1.5, 1.9, 2.5, 4.0])
    pred = np.array([0.6, 2.0, 1.4, 2.2, 1.0, 4.0])
    assert missed_near(pred, target) == 0.5
    assert math.isnan(missed_near(pred[4:], target[4:]))


def test_the_nearest_obstacle_is_the_hundredth_part_of_the_picture_that_is_nearest():
    target = np.linspace(1.0, 5.0, 1001)
    assert nearest_error(1.1 * target, target) == pytest.approx(0.104)
    one_speck = target.copy()
    one_speck[-1] = 0.01
    assert nearest_error(one_speck, target) < 0.01


def test_all_together_are_each_by_itself_and_a_perfect_map_has_none():
    target = tilted(20.0).copy()
    target[:5] = 0.0
    valid = target > 0
    found = shape_metrics(target, target, valid, CAMERA)
    assert list(found) == list(SHAPE_METRICS)
    assert max(found[name] for name in SHAPE_METRICS if name != "missed_near") == pytest.approx(0.0, abs=1e-5)
    pred = 1.2 * np.where(valid, target, 1.0) ** 0.8
    found = shape_metrics(pred, target, valid, CAMERA)
    p, g = pred[valid], target[valid]
    assert found["scale_error"] == scale_error(p, g) and found["shape_error"] == shape_error(p, g)
    assert found["normal_error"] == normal_error(pred, target, valid, CAMERA)
    assert found["nearest_error"] == nearest_error(p, g)
    assert math.isnan(shape_metrics(pred, target, valid)["normal_error"])
