"""The room round a depth map: what bounds the view is continued, nothing guessed stands before what is seen."""

import numpy as np
import pytest

from avsnet.geometry import intrinsics_from_fov, pixel_rays, read_intrinsics
from avsnet.io.depth_maps import read_depth
from avsnet.planes import find_planes
from avsnet.rooms.geometry.materials import MATERIALS
from avsnet.rooms.geometry.raycast import ray_caster
from avsnet.rooms.geometry.scene import Look, look_along, shell
from avsnet.rooms.sound.depth_room import room_frame, room_of_depth
from avsnet.rooms.sound.depth_surfaces import thinned
from places import SHARED

SIZE = (120, 160)
CAMERA = intrinsics_from_fov(SIZE[1], SIZE[0], 90.0)
ROOM = np.array([6.0, 5.0, 2.8])
PLACE = np.array([-1.0, 0.3, 1.2])


def depth_of_room(yaw=0.0, pitch=0.0, size=ROOM, place=PLACE):
    """Depth of an empty room, seen along +x, turned by yaw and pitch in radians."""
    axes = look_along(yaw, pitch)
    rays = pixel_rays(CAMERA, *SIZE).reshape(-1, 3) @ axes
    t = ray_caster(shell(size, [Look(0)] * 6)).cast(place, rays)[1]
    return t.reshape(SIZE), axes


def recast(quads, intrinsics, size):
    rays = pixel_rays(intrinsics, *size).reshape(-1, 3)
    return ray_caster(quads).cast(np.zeros(3), rays)[1].reshape(size)


def offsets(quads):
    """(6,) how far the camera is from the sides left, right, above, below, behind, ahead of the guessed shell."""
    return -np.sum(quads.corner[-6:] * quads.normal[-6:], axis=1)


@pytest.mark.parametrize("yaw, pitch", [(0.0, 0.0), (0.25, -0.2), (-0.35, 0.1)])
def test_the_frame_is_that_of_the_room_however_the_camera_is_held(yaw, pitch):
    depth, axes = depth_of_room(yaw, pitch)
    frame = room_frame(find_planes(depth, depth > 0, CAMERA, 0.015)[0])
    true = look_along(0.0, 0.0) @ axes.T  # the room's right, down, forward in camera axes
    np.testing.assert_allclose(frame, true, atol=0.01)


def test_without_planes_the_camera_is_taken_to_be_level():
    np.testing.assert_allclose(room_frame([]), np.eye(3))


def test_seen_walls_floor_and_ceiling_are_continued_past_the_picture():
    quads = room_of_depth(depth_of_room(0.0, -0.1)[0], CAMERA, 3)
    left, right, above, below, behind, ahead = offsets(quads)
    np.testing.assert_allclose([left, right], [2.5 - 0.3, 2.5 + 0.3], atol=0.04)
    np.testing.assert_allclose([above, below, ahead], [1.6, 1.2, 4.0], atol=0.04)
    assert 1.0 <= behind <= 4.0  # nobody knows


def test_the_shell_is_closed_and_faces_inwards():
    quads = room_of_depth(depth_of_room(0.2, -0.2)[0], CAMERA, 1)
    directions = np.random.default_rng(0).normal(size=(2000, 3))
    index, _ = ray_caster(quads).cast(np.zeros(3), directions)
    assert (index >= 0).all()
    assert (offsets(quads) > 0.3).all()
    np.testing.assert_allclose(quads.normal[-6::2], -quads.normal[-5::2], atol=1e-9)


@pytest.mark.parametrize("yaw, pitch", [(0.0, -0.1), (0.25, -0.2), (0.6, 0.0)])
def test_what_is_seen_is_not_hidden_by_what_is_guessed(yaw, pitch):
    depth, _ = depth_of_room(yaw, pitch)
    t = recast(room_of_depth(depth, CAMERA, 0), CAMERA, SIZE)
    assert np.median(np.abs(t / depth - 1)) < 0.003
    assert (np.abs(t / depth - 1) < 0.03).mean() > 0.97


def test_materials_depend_on_the_seed_and_floors_are_floors():
    depth, _ = depth_of_room(0.0, -0.2)
    drawn = [room_of_depth(depth, CAMERA, seed) for seed in range(12)]
    floors = {MATERIALS[quads.material[-3]].name for quads in drawn}
    assert floors == {"linoleum", "parquet", "carpet"}
    assert (room_of_depth(depth, CAMERA, 5).corner == drawn[5].corner).all()
    upwards = drawn[0].normal[:-6] @ look_along(0.0, -0.2)[:, 2] > 0.95
    seen_floor = upwards & (drawn[0].area[:-6] > 0.3)
    assert seen_floor.any() and (drawn[0].material[:-6][seen_floor] == drawn[0].material[-3]).all()


def test_one_lonely_pixel_still_gives_a_room():
    depth = np.zeros(SIZE)
    depth[60, 80] = 2.0
    quads = room_of_depth(depth, CAMERA, 0)
    assert len(quads) == 6 and np.isfinite(quads.corner).all()


def test_real_depth_maps_are_seen_again_in_their_rooms():
    folder = SHARED / "real" / "hololens_rgbd"
    if not folder.exists():
        pytest.skip("no shared/real beside the checkout")
    errors = []
    for path in sorted((folder / "depth").glob("*.png"))[::12]:
        depth = read_depth(path)
        intrinsics = read_intrinsics(folder / "K.txt", depth.shape[1], depth.shape[0])
        small, camera = thinned(depth, intrinsics)
        t = recast(room_of_depth(depth, intrinsics, 0), camera, small.shape)
        errors.append(np.abs(t[small > 0] / small[small > 0] - 1))
    assert len(errors) >= 7
    assert np.mean([np.median(error) for error in errors]) < 0.01
    assert np.mean([np.mean(error < 0.05) for error in errors]) > 0.85
