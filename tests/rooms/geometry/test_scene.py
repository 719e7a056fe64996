"""Boxes and shells are closed surfaces facing the right way, and the camera's axes mean what they say."""

from dataclasses import fields

import numpy as np
import pytest

from avsnet.rooms.geometry.scene import Look, Quads, View, box, join, look_along, rectangles, shell

LOOK = Look(material=2, pattern=1, colour=(0.2, 0.4, 0.6), accent=(0.1, 0.1, 0.2), grain=0.3, roughness=0.2, seed=7)
BOXES = [
    # centre, size, base, yaw
    ((0.0, 0.0), (1.0, 1.0, 1.0), 0.0, 0.0),
    ((1.5, -0.7), (2.0, 0.4, 0.9), 0.3, 0.0),
    ((-3.0, 2.0), (0.5, 1.7, 0.04), 0.7, 0.6),
    ((0.2, 0.1), (1.2, 0.6, 2.1), 0.01, -2.5),
]
SHELLS = [(4.0, 3.0, 2.5), (20.0, 1.5, 3.0), (5.0, 12.0, 9.0)]


def surfaces():
    """Every box and shell with its middle, its volume and +1 where it faces outwards."""
    for centre, size, base, yaw in BOXES:
        middle = np.array([*centre, base + size[2] / 2])
        yield box(centre, size, base, yaw, LOOK), middle, np.prod(size), 1.0
    for size in SHELLS:
        yield shell(np.array(size), [LOOK] * 6), np.array([0, 0, size[2] / 2]), np.prod(size), -1.0


every_surface = pytest.mark.parametrize(
    ("quads", "middle", "volume", "sign"),
    list(surfaces()),
    ids=[*(f"box{number}" for number in range(len(BOXES))), *(f"shell{number}" for number in range(len(SHELLS)))],
)


def centres(quads):
    return quads.corner + (quads.u + quads.v) / 2


@every_surface
def test_boxes_face_outwards_and_shells_inwards(quads, middle, volume, sign):
    assert (sign * np.sum((centres(quads) - middle) * quads.normal, axis=1) > 0).all()


@every_surface
def test_the_surfaces_are_closed_and_hold_their_volume(quads, middle, volume, sign):
    # Divergence theorem: the flux of a constant field is 0, that of x is three times the volume.
    areas = quads.area[:, None] * quads.normal
    np.testing.assert_allclose(areas.sum(axis=0), 0.0, atol=1e-12)
    assert np.sum(areas * centres(quads)) / 3 == pytest.approx(sign * volume, rel=1e-12)


@every_surface
def test_every_edge_of_a_surface_is_shared_by_two_rectangles(quads, middle, volume, sign):
    # Flux alone does not see rectangles that are right in size and direction but in the wrong place.
    loops = np.stack([quads.corner, quads.corner + quads.u, quads.corner + quads.u + quads.v, quads.corner + quads.v])
    middles = ((loops + np.roll(loops, -1, axis=0)) / 2).reshape(-1, 3)
    _, counts = np.unique(middles.round(9) + 0.0, axis=0, return_counts=True)
    assert counts.tolist() == [2] * 12


@every_surface
def test_on_upright_faces_the_first_edge_is_level_and_the_second_points_up(quads, middle, volume, sign):
    # Bricks and planks follow the edges.
    np.testing.assert_allclose(quads.u[2:, 2], 0.0, atol=1e-12)
    assert (quads.v[2:, 2] > 0).all()
    np.testing.assert_allclose(np.sum(quads.u * quads.v, axis=1), 0.0, atol=1e-12)


def test_a_box_stands_on_its_base_and_turns_left_about_its_middle():
    quads = box((2.0, 1.0), (3.0, 1.0, 0.5), 0.2, np.pi / 2, LOOK)
    corners = np.concatenate([quads.corner, quads.corner + quads.u + quads.v])
    np.testing.assert_allclose(corners.min(axis=0), [1.5, -0.5, 0.2], atol=1e-12)
    np.testing.assert_allclose(corners.max(axis=0), [2.5, 2.5, 0.7], atol=1e-12)
    turned = box((0.0, 0.0), (2.0, 0.2, 1.0), 0.0, 0.3, LOOK)
    end = centres(turned)[np.argmax(turned.normal @ [1.0, 0.0, 0.0])]
    np.testing.assert_allclose(end[:2], [np.cos(0.3), np.sin(0.3)], atol=1e-12)  # towards +y, which is left


def test_a_shell_stands_on_the_origin_and_lists_floor_ceiling_ends_and_sides():
    quads = shell(np.array([6.0, 4.0, 3.0]), [Look(material=number) for number in range(6)])
    expected = [[0, 0, 0], [0, 0, 3], [-3, 0, 1.5], [3, 0, 1.5], [0, -2, 1.5], [0, 2, 1.5]]
    np.testing.assert_allclose(centres(quads), expected, atol=1e-12)
    assert quads.material.tolist() == list(range(6))


def test_rectangles_carry_their_look_and_share_an_anchor_if_one_is_given():
    corner = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    u, v = np.tile([1.0, 0.0, 0.0], (2, 1)), np.tile([0.0, 2.0, 0.0], (2, 1))
    own, shared = rectangles(corner, u, v, LOOK), rectangles(corner, u, v, LOOK, anchor=corner[0])
    np.testing.assert_array_equal(own.anchor, corner)
    np.testing.assert_array_equal(shared.anchor, corner[[0, 0]])
    for name in ("material", "pattern", "colour", "accent", "grain", "roughness", "seed"):
        np.testing.assert_array_equal(getattr(own, name), [getattr(LOOK, name)] * 2, err_msg=name)


def test_joining_keeps_the_order_and_every_entry():
    parts = [surface[0] for surface in surfaces()]
    joined = join(parts)
    assert len(joined) == 6 * len(parts)
    for name in ("normal", "area", *(entry.name for entry in fields(Quads))):
        np.testing.assert_array_equal(
            getattr(joined, name), np.concatenate([getattr(part, name) for part in parts]), err_msg=name
        )


def test_scaling_multiplies_every_length_and_nothing_else():
    quads = box((2.0, 1.0), (3.0, 1.0, 0.5), 0.2, 0.4, LOOK)
    larger = quads.scaled(1.7)
    for name in ("corner", "u", "v", "anchor", "grain"):
        np.testing.assert_allclose(getattr(larger, name), 1.7 * getattr(quads, name), err_msg=name)
    for name in ("material", "pattern", "colour", "accent", "roughness", "seed"):
        np.testing.assert_array_equal(getattr(larger, name), getattr(quads, name), err_msg=name)
    np.testing.assert_allclose(larger.area, 1.7**2 * quads.area)
    np.testing.assert_allclose(larger.normal, quads.normal)


ANGLES = [(0.0, 0.0), (0.4, 0.1), (-1.3, -0.2), (2.8, 0.9), (np.pi, -0.7)]


@pytest.mark.parametrize(("yaw", "pitch"), ANGLES)
def test_the_cameras_axes_are_right_handed_and_orthonormal(yaw, pitch):
    axes = look_along(yaw, pitch)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)  # x right, y down, z forward


@pytest.mark.parametrize(("yaw", "pitch"), ANGLES)
def test_yaw_turns_left_and_pitch_looks_up(yaw, pitch):
    right, down, forward = look_along(yaw, pitch)
    assert np.arcsin(forward[2]) == pytest.approx(pitch)
    assert np.angle(np.exp(1j * (np.arctan2(forward[1], forward[0]) - yaw))) == pytest.approx(0.0, abs=1e-12)
    assert right[2] == pytest.approx(0.0, abs=1e-12)  # no roll
    assert down[2] < 0.0


def test_the_camera_that_looks_along_the_room_has_the_left_wall_at_its_left():
    np.testing.assert_allclose(look_along(0.0, 0.0), [[0, -1, 0], [0, 0, -1], [1, 0, 0]], atol=1e-12)


def test_points_in_camera_axes_go_to_the_world_and_grow_with_it():
    view = View(np.array([1.0, 0.5, 1.2]), look_along(0.7, -0.2), 70.0)
    np.testing.assert_allclose(view.to_world(np.array([0.0, 0.0, 2.0])), view.position + 2.0 * view.axes[2])
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    world = view.to_world(points)
    np.testing.assert_allclose((world - view.position) @ view.axes.T, points, atol=1e-12)
    np.testing.assert_allclose(view.scaled(3.0).to_world(3.0 * points), 3.0 * world)
