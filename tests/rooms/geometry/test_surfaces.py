"""Planes, edges and clutter of the rectangles that sound meets."""

import numpy as np

from avsnet.rooms.geometry.materials import MATERIALS, material_index
from avsnet.rooms.geometry.scene import Look, box, join, rectangles, shell
from avsnet.rooms.geometry.surfaces import Clutter, Surfaces, draw_clutter

BRICK = Look(material_index("brick"))


def test_clutter_takes_its_share_of_what_the_material_leaves():
    quads = box((0.0, 0.0), (1.0, 1.0, 1.0), 0.0, 0.0, BRICK)
    bare, cluttered = Surfaces.of(quads), Surfaces.of(quads, Clutter(0.2, 0.3))
    np.testing.assert_allclose(bare.absorption[0], MATERIALS[BRICK.material].absorption, rtol=1e-12)
    np.testing.assert_allclose(1 - cluttered.absorption, (1 - bare.absorption) * 0.8)
    np.testing.assert_allclose(1 - cluttered.scattering, (1 - bare.scattering) * 0.7)


def test_clutter_is_drawn_between_its_bounds_from_the_seed_alone():
    drawn = [draw_clutter(seed) for seed in range(200)]
    absorption, scattering = (np.array([getattr(c, n) for c in drawn]) for n in ("absorption", "scattering"))
    assert 0.05 <= absorption.min() < 0.06 and 0.24 < absorption.max() <= 0.25
    assert 0.10 <= scattering.min() < 0.12 and 0.33 < scattering.max() <= 0.35
    assert draw_clutter(3) == drawn[3]


def test_geometry_is_that_of_the_rectangles():
    quads = join([shell(np.array([4.0, 3.0, 2.5]), [BRICK] * 6), box((1.0, 0.2), (1.0, 0.5, 0.7), 0.1, 0.4, BRICK)])
    surfaces = Surfaces.of(quads)
    np.testing.assert_allclose(surfaces.normal, quads.normal)
    np.testing.assert_allclose(surfaces.area, quads.area)
    point = np.array([0.3, -0.2, 1.1])
    expected = np.sum((point - quads.corner) * quads.normal, axis=1)
    np.testing.assert_allclose(surfaces.height(np.arange(len(quads)), point), expected)


def test_a_point_on_a_shared_edge_lies_on_exactly_one_rectangle():
    halves = rectangles(
        np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), np.tile([1.0, 0, 0], (2, 1)), np.tile([0, 2.0, 0], (2, 1)), BRICK
    )
    surfaces = Surfaces.of(halves)
    index = np.array([0, 1])
    assert surfaces.holds(index, np.tile([1.0, 1.0, 0.0], (2, 1))).tolist() == [False, True]
    assert surfaces.holds(index, np.tile([0.5, 1.0, 0.0], (2, 1))).tolist() == [True, False]
    assert surfaces.holds(index, np.tile([2.5, 1.0, 0.0], (2, 1))).tolist() == [False, False]
