"""Picture and depth of a room against the closed form: the distance from inside a box to its walls."""

import numpy as np
import pytest

from avsnet.geometry import intrinsics_from_fov, unproject
from avsnet.rooms.geometry.scene import look_along
from closed_form.furnished import furnished_room
from closed_form.render import render
from closed_form.scene import Room, box, join, shell

SIZE = np.array([6.0, 4.0, 3.0])
LOW, HIGH = np.array([-3.0, -2.0, 0.0]), np.array([3.0, 2.0, 3.0])
VIEWS = [(0.0, 0.0), (0.5, -0.1), (-1.2, 0.3), (3.0, -0.6)]


def empty_room(yaw, pitch, *furniture, camera=(-1.0, 0.4, 1.3), fov=75.0):
    quads = join([shell(SIZE, np.full((6, 4), 0.5)), *furniture])
    return Room(quads, SIZE, np.array(camera), look_along(yaw, pitch), fov, 0)


def to_walls(room, intrinsics, height, width):
    """Depth of each pixel in an empty room, one pixel at a time: the first of six planes that its ray leaves by."""
    depth = np.empty((height, width))
    for row in range(height):
        for column in range(width):
            ray = np.linalg.inv(intrinsics) @ [column, row, 1.0]
            direction = ray[0] * room.axes[0] + ray[1] * room.axes[1] + ray[2] * room.axes[2]
            leave = np.where(direction > 0, HIGH, LOW)
            with np.errstate(divide="ignore"):
                times = (leave - room.camera) / np.where(direction == 0, np.nan, direction)
            depth[row, column] = np.nanmin(times)
    return depth


@pytest.mark.parametrize(("yaw", "pitch"), VIEWS)
def test_the_depth_of_an_empty_room_is_the_closed_form(yaw, pitch):
    room = empty_room(yaw, pitch)
    _, depth, intrinsics = render(room, 23, 31)
    np.testing.assert_allclose(depth, to_walls(room, intrinsics, 23, 31), rtol=1e-6)


def test_depth_is_along_the_optical_axis_and_not_along_the_ray():
    _, depth, _ = render(empty_room(0.0, 0.0, camera=(1.0, 0.0, 1.5), fov=60.0), 40, 60)
    # The end wall 2 m ahead fills the picture: its depth is the same in every pixel, its ray length is not.
    np.testing.assert_allclose(depth, 2.0, rtol=1e-6)


@pytest.mark.parametrize(("yaw", "pitch"), VIEWS)
def test_unprojected_walls_are_flat_and_lie_in_the_shell(yaw, pitch):
    room = empty_room(yaw, pitch)
    _, depth, intrinsics = render(room, 48, 64)
    points = room.to_world(unproject(depth.astype(np.float64), intrinsics)).reshape(-1, 3)
    gaps = np.concatenate([points - LOW, HIGH - points], axis=1)  # (P, 6) to each wall, inwards
    assert np.abs(gaps.min(axis=1)).max() < 2e-6
    walls = np.argmin(gaps, axis=1)
    seen = [wall for wall in range(6) if np.sum(walls == wall) > 50]
    assert len(seen) >= 2
    for wall in seen:
        cloud = points[walls == wall]
        assert np.linalg.svd(cloud - cloud.mean(axis=0), compute_uv=False)[-1] / np.sqrt(len(cloud)) < 1e-6


def test_a_box_hides_what_is_behind_it():
    # Its front is 2 m ahead; it spans 0.4 m either side and 1 m up and down of the optical axis.
    view = {"camera": (-1.0, 0.0, 1.5), "fov": 90.0}
    crate = box((1.25, 0.0), (0.5, 0.8, 2.0), 0.5, 0.0, np.full(4, 0.5))
    _, without, intrinsics = render(empty_room(0.0, 0.0, **view), 61, 81)
    _, depth, _ = render(empty_room(0.0, 0.0, crate, **view), 61, 81)
    rows, columns = np.mgrid[:61, :81]
    x, y = (columns - intrinsics[0, 2]) / intrinsics[0, 0] * 2.0, (rows - intrinsics[1, 2]) / intrinsics[1, 1] * 2.0
    inside = (np.abs(x) < 0.399) & (np.abs(y) < 0.999)
    outside = (np.abs(x) > 0.401) | (np.abs(y) > 1.001)
    np.testing.assert_allclose(depth[inside], 2.0, rtol=1e-6)
    np.testing.assert_array_equal(depth[outside], without[outside])
    assert inside.sum() > 300


def test_what_is_at_the_left_is_drawn_at_the_left_and_what_is_up_is_drawn_up():
    crate = box((0.5, 1.0), (0.4, 0.4, 0.4), 2.2, 0.0, np.full(4, 0.5))  # world y is left, z is up
    _, without, _ = render(empty_room(0.0, 0.0, camera=(-1.0, 0.0, 1.5)), 48, 64)
    _, depth, _ = render(empty_room(0.0, 0.0, crate, camera=(-1.0, 0.0, 1.5)), 48, 64)
    rows, columns = np.nonzero(depth < without)
    assert len(rows) > 20
    assert columns.max() < 32 and rows.max() < 24


def test_where_a_ray_leaves_the_room_depth_is_0_and_the_picture_black():
    quads = box((2.0, 0.0), (0.5, 0.5, 0.5), 1.0, 0.0, np.full(4, 0.5))
    room = Room(quads, SIZE, np.array([0.0, 0.0, 1.25]), look_along(0.0, 0.0), 70.0, 0)
    image, depth, _ = render(room, 48, 64)
    assert 0 < np.sum(depth > 0) < depth.size / 2
    assert (image[depth == 0] == 0).all() and (image[depth > 0] > 0).all()


def test_the_picture_is_uint8_of_the_size_asked_for_with_its_cameras_intrinsics():
    room = furnished_room("offices", 1)
    image, depth, intrinsics = render(room, 36, 50)
    assert image.dtype == np.uint8 and image.shape == (36, 50, 3)
    assert depth.dtype == np.float32 and depth.shape == (36, 50)
    np.testing.assert_allclose(intrinsics, intrinsics_from_fov(50, 36, room.fov))
    assert image.std() > 5.0  # something is to be seen


def test_a_nearer_camera_sees_a_brighter_wall_of_the_walls_own_hue():
    paints = np.tile([0.8, 0.4, 0.2, 0.1], (6, 1))
    rooms = [
        Room(shell(SIZE, paints), SIZE, np.array([x, 0.0, 1.5]), look_along(0.0, 0.0), 20.0, 0) for x in (-2.9, 2.0)
    ]
    far, near = (render(room, 30, 40)[0].reshape(-1, 3).mean(axis=0) for room in rooms)
    assert (near > 1.15 * far).all()  # the lamp is at the camera; light and dark tiles differ by less than this
    assert near[0] > near[1] > near[2]
