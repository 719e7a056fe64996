"""Rectangles carry their paint, a camera's points go to the world; where they stand is tested with the simulator."""

import numpy as np

from avsnet.rooms.geometry.scene import look_along
from closed_form.scene import Room, box, join, shell

PAINT = np.array([0.2, 0.4, 0.6, 0.1])


def test_a_shell_stands_on_the_origin_and_lists_floor_ceiling_ends_and_sides():
    paints = np.arange(24.0).reshape(6, 4) / 24
    quads = shell(np.array([6.0, 4.0, 3.0]), paints)
    expected = [[0, 0, 0], [0, 0, 3], [-3, 0, 1.5], [3, 0, 1.5], [0, -2, 1.5], [0, 2, 1.5]]
    np.testing.assert_allclose(quads.corner + (quads.u + quads.v) / 2, expected, atol=1e-12)
    np.testing.assert_array_equal(np.column_stack([quads.colour, quads.absorption]), paints)


def test_joining_keeps_the_order_and_every_entry():
    paints = np.arange(24.0).reshape(6, 4) / 24
    parts = [box((0.0, 0.0), (1.0, 2.0, 0.5), 0.0, 0.3, PAINT), shell(np.array([6.0, 4.0, 3.0]), paints)]
    joined = join(parts)
    assert len(joined) == 12
    for name in ("corner", "u", "v", "colour", "absorption", "normal", "area"):
        np.testing.assert_allclose(getattr(joined, name), np.concatenate([getattr(part, name) for part in parts]))


def test_points_ahead_of_the_camera_go_to_the_world_and_back():
    axes = look_along(0.7, -0.2)
    quads = shell(np.array([6.0, 4.0, 3.0]), np.full((6, 4), 0.5))
    room = Room(quads, np.array([6.0, 4.0, 3.0]), np.array([1.0, 0.5, 1.2]), axes, 70.0, 0)
    np.testing.assert_allclose(room.to_world(np.array([0.0, 0.0, 2.0])), room.camera + 2.0 * axes[2])
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    world = room.to_world(points)
    np.testing.assert_allclose(np.stack([(world - room.camera) @ axis for axis in axes], axis=-1), points, atol=1e-12)
