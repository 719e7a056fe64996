"""A cloud is what other programs read, and a wall in it is flat."""

import json
import struct

import numpy as np
import plyfile
import pytest
import trimesh

from avsnet.errors import DepthError, OptionError
from avsnet.geometry import intrinsics_from_fov
from avsnet.point_cloud import cloud_of_depth
from avsnet.prediction import Prediction
from avsnet.scale.posterior import ScalePosterior

SIZE = (48, 64)
CAMERA = intrinsics_from_fov(SIZE[1], SIZE[0], 70.0)


def prediction(depth, posterior=None, scale_source="ranging"):
    depth = np.asarray(depth, np.float32)
    return Prediction(
        depth=depth,
        kind="relative_depth",
        scale=1.0,
        shift=0.0,
        valid=depth > 0.0,
        intrinsics=CAMERA,
        model="toy",
        weights_hash=None,
        scale_source=scale_source,
        version="0",
        posterior=posterior,
    )


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture
def scene(image):
    """A slanted floor with a hole, seen in colours, of a scale that is known to 15 %."""
    depth = np.linspace(4.0, 1.0, SIZE[0])[:, None] * np.ones(SIZE)
    depth[:5, :7] = 0.0
    grid = np.linspace(-1.0, 1.0, 201)
    return prediction(depth, ScalePosterior(grid, np.exp(-0.5 * (grid / 0.1) ** 2))), image


@pytest.mark.parametrize("thin", [1, 3])
def test_a_wall_is_flat_and_stands_where_its_depth_says(thin):
    cloud = prediction(np.full(SIZE, 2.5)).point_cloud(thin=thin)
    np.testing.assert_allclose(cloud.points[:, 2], 2.5, rtol=1e-6)
    # Its middle is on the optical axis, but for where thinning lets the pixels begin.
    assert np.abs(cloud.points[:, :2].mean(axis=0)).max() < 2.5 * thin / CAMERA[0, 0]


def test_a_slanted_wall_is_a_plane():
    rays = (
        np.stack([*np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), np.ones(SIZE)], axis=-1)
        @ np.linalg.inv(CAMERA).T
    )
    normal = np.array([0.6, 0.0, 0.8])
    points = prediction(1.5 / (rays @ normal)).point_cloud().points
    np.testing.assert_allclose(points @ normal, 1.5, atol=1e-5)


def test_thinned_points_are_points_of_the_whole_cloud(scene):
    one, image = scene
    whole, thinned = one.point_cloud(image), one.point_cloud(image, thin=4)
    assert 0 < len(thinned) <= len(whole) / 15
    known = {tuple(row) for row in np.round(whole.points, 5).tolist()}
    assert all(tuple(row) in known for row in np.round(thinned.points, 5).tolist())


def test_y_up_turns_camera_axes_by_half_a_turn_about_x(scene):
    one, image = scene
    camera, y_up = one.point_cloud(image), one.point_cloud(image, axes="y_up")
    np.testing.assert_array_equal(y_up.points, camera.points * [1.0, -1.0, -1.0])
    np.testing.assert_array_equal(y_up.in_axes("camera").points, camera.points)


def test_a_ply_is_read_by_two_other_libraries(tmp_path, scene):
    one, image = scene
    cloud = one.point_cloud(image)
    cloud.save(tmp_path / "a.ply")
    vertices = plyfile.PlyData.read(tmp_path / "a.ply")["vertex"]
    np.testing.assert_array_equal(np.stack([vertices[axis] for axis in "xyz"], axis=1), cloud.points)
    np.testing.assert_array_equal(np.stack([vertices[c] for c in ("red", "green", "blue")], axis=1), cloud.colours)
    np.testing.assert_allclose(vertices["confidence"], one.confidence, rtol=1e-6)
    read = trimesh.load(tmp_path / "a.ply")
    np.testing.assert_allclose(read.vertices, cloud.points, rtol=1e-6)
    np.testing.assert_array_equal(read.colors[:, :3], cloud.colours)


def test_a_glb_is_read_by_another_library_and_is_y_up(tmp_path, scene):
    one, image = scene
    one.save(tmp_path / "a.glb", image)
    (read,) = trimesh.load(tmp_path / "a.glb").geometry.values()
    expected = one.point_cloud(image, axes="y_up")
    np.testing.assert_allclose(read.vertices, expected.points, rtol=1e-6)
    np.testing.assert_array_equal(read.colors[:, :3], expected.colours)


def test_a_glb_keeps_the_specification(tmp_path, scene):
    one, image = scene
    one.save(tmp_path / "a.glb", image)
    data = (tmp_path / "a.glb").read_bytes()
    magic, version, length = struct.unpack("<4sII", data[:12])
    assert (magic, version, length) == (b"glTF", 2, len(data)) and length % 4 == 0
    size, kind = struct.unpack("<I4s", data[12:20])
    assert kind == b"JSON" and size % 4 == 0
    described = json.loads(data[20 : 20 + size])
    binary, kind = struct.unpack("<I4s", data[20 + size : 28 + size])
    assert kind == b"BIN\0" and binary == described["buffers"][0]["byteLength"] == len(data) - 28 - size
    place = described["accessors"][0]
    points = np.frombuffer(data, "<f4", 3 * place["count"], 28 + size).reshape(-1, 3)
    assert place["min"] == points.min(axis=0).tolist() and place["max"] == points.max(axis=0).tolist()


def test_depth_without_metres_makes_a_ply_but_no_glb(tmp_path):
    cloud = prediction(np.ones(SIZE), scale_source="none").point_cloud()
    cloud.save(tmp_path / "a.ply")
    assert b"unit: model units" in (tmp_path / "a.ply").read_bytes()[:200]
    with pytest.raises(OptionError, match="metres"):
        cloud.save(tmp_path / "a.glb")


def test_what_makes_no_cloud_is_refused(tmp_path, image):
    one = prediction(np.ones(SIZE))
    with pytest.raises(OptionError, match="axes"):
        one.point_cloud(axes="z_up")
    with pytest.raises(OptionError, match="thin"):
        one.point_cloud(thin=0)
    with pytest.raises(DepthError, match="image"):
        one.point_cloud(image[:10])
    with pytest.raises(OptionError, match=r"\.glb"):
        one.point_cloud().save(tmp_path / "a.obj")
    empty = cloud_of_depth(np.zeros(SIZE), np.zeros(SIZE, bool), CAMERA)
    empty.save(tmp_path / "empty.ply")
    with pytest.raises(DepthError, match="without points"):
        empty.save(tmp_path / "empty.glb")


def test_a_notebook_shows_the_depth_its_range_and_the_warnings(scene):
    shown = scene[0]._repr_html_()
    assert "data:image/png;base64," in shown and "scale from ranging" in shown and " m" in shown
