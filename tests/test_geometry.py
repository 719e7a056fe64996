"""The pinhole camera against its own definition: edges, rays, planes."""

import json

import numpy as np
import pytest

from avsnet.errors import CalibrationError, DepthError
from avsnet.geometry import (
    check_intrinsics,
    horizontal_fov,
    intrinsics_from_fov,
    pixel_rays,
    read_intrinsics,
    resize_intrinsics,
    unproject,
)
from places import SHARED

CAMERA = np.array([[500.0, 0.0, 310.0], [0.0, 490.0, 250.0], [0.0, 0.0, 1.0]])
ENTRIES = {"width": 640, "height": 480, "fx": 500.0, "fy": 490.0, "cx": 310.0, "cy": 250.0}


@pytest.mark.parametrize("fov", [5.0, 55.0, 70.0, 90.0, 150.0])
def test_a_field_of_view_survives_the_round_trip(fov):
    matrix = intrinsics_from_fov(641, 480, fov)
    assert horizontal_fov(matrix, 641) == pytest.approx(fov)
    assert matrix[0, 0] == matrix[1, 1] and (matrix[0, 2], matrix[1, 2]) == (320.0, 239.5)


def test_the_field_of_view_is_the_angle_between_the_outer_edges_of_the_outer_pixels():
    left, right = (np.linalg.solve(CAMERA, [u, 0.0, 1.0]) * [1.0, 0.0, 1.0] for u in (-0.5, 639.5))
    cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
    assert horizontal_fov(CAMERA, 640) == pytest.approx(np.degrees(np.arccos(cosine)))


def test_the_field_of_view_does_not_change_when_the_image_is_resized():
    resized = resize_intrinsics(CAMERA, (480, 640), (100, 333))
    assert horizontal_fov(resized, 333) == pytest.approx(horizontal_fov(CAMERA, 640))


@pytest.mark.parametrize("fov", [0.0, -10.0, 1.22, 3.14159, 180.0, float("nan"), float("inf")])
def test_an_impossible_field_of_view_is_refused(fov):
    with pytest.raises(CalibrationError, match="field of view"):
        intrinsics_from_fov(640, 480, fov)
    with pytest.raises(CalibrationError, match="size"):
        intrinsics_from_fov(0, 480, 70.0)


def test_resizing_there_and_back_keeps_every_ray():
    small = resize_intrinsics(CAMERA, (480, 640), (123, 77))
    back = resize_intrinsics(small, (123, 77), (480, 640))
    assert np.allclose(pixel_rays(back, 480, 640), pixel_rays(CAMERA, 480, 640), atol=1e-12)


def test_a_halved_image_looks_along_the_mean_ray_of_each_2_by_2_block():
    half = resize_intrinsics(CAMERA, (480, 640), (240, 320))
    blocks = pixel_rays(CAMERA, 480, 640).reshape(240, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.allclose(pixel_rays(half, 240, 320), blocks, atol=1e-12)


def test_rays_project_back_onto_their_pixels_even_with_skew():
    skewed = CAMERA + np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    rays = pixel_rays(skewed, 5, 7)
    assert rays.shape == (5, 7, 3) and (rays[..., 2] == 1.0).all()
    rows, columns = np.mgrid[:5, :7]
    assert np.allclose(rays @ skewed.T, np.stack([columns, rows, np.ones_like(rows)], axis=-1))


def test_the_middle_ray_of_a_centred_camera_looks_straight_ahead():
    assert pixel_rays(intrinsics_from_fov(5, 3, 60.0), 3, 5)[1, 2].tolist() == [0.0, 0.0, 1.0]


def test_a_flat_wall_stays_flat():
    normal, distance = np.array([0.3, -0.2, 0.93]), 2.5  # normal . point = distance
    depth = distance / (pixel_rays(CAMERA, 480, 640) @ normal)
    points = unproject(depth.astype(np.float32), CAMERA)
    assert np.abs(points @ normal - distance).max() < 1e-6
    assert np.array_equal(points[..., 2], depth.astype(np.float32))


def test_right_and_below_are_positive_and_unknown_depth_stays_unknown():
    depth = np.full((480, 640), 2.0)
    depth[0, 0] = np.nan
    points = unproject(depth, CAMERA)
    assert points[-1, -1, 0] > 0.0 and points[-1, -1, 1] > 0.0 and np.isnan(points[0, 0]).all()
    with pytest.raises(DepthError, match="shape"):
        unproject(depth[None], CAMERA)


def test_json_intrinsics_are_rescaled_to_the_image(tmp_path):
    path = tmp_path / "intrinsics.json"
    path.write_text(json.dumps(ENTRIES))
    assert np.allclose(read_intrinsics(path, 640, 480), CAMERA)
    expected = [[250.0, 0.0, 154.75], [0.0, 245.0, 124.75], [0.0, 0.0, 1.0]]
    assert np.allclose(read_intrinsics(path, 320, 240), expected)
    assert np.allclose(read_intrinsics(path, 323, 240), resize_intrinsics(CAMERA, (480, 640), (240, 323)))


def test_json_intrinsics_of_another_aspect_ratio_are_refused(tmp_path):
    path = tmp_path / "intrinsics.json"
    path.write_text(json.dumps(ENTRIES))
    for size in ((640, 360), (480, 640), (325, 240)):
        with pytest.raises(CalibrationError, match="aspect ratio"):
            read_intrinsics(path, *size)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "neither JSON nor"),
        ("{", "cannot be read"),
        ("[1, 2]", "neither JSON nor"),
        ("1 2 3\n4 5", "neither JSON nor"),
        ("1 2\n3 4", "shape"),
        (json.dumps({**ENTRIES, "fx": None}), "numbers"),
        (json.dumps({**ENTRIES, "fx": -500.0}), "focal"),
        (json.dumps({**ENTRIES, "cx": float("nan")}), "finite"),
        (json.dumps({**ENTRIES, "width": 0}), "width 0"),
        (json.dumps({"fx": 500.0, "fy": 500.0, "cx": 1.0, "cy": 1.0}), "lacks width, height"),
    ],
)
def test_a_broken_intrinsics_file_is_named(tmp_path, content, word):
    path = tmp_path / "camera.txt"
    path.write_text(content)
    with pytest.raises(CalibrationError, match=word) as caught:
        read_intrinsics(path, 640, 480)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_or_binary_intrinsics_file_is_named(tmp_path):
    with pytest.raises(CalibrationError, match=r"none\.json"):
        read_intrinsics(tmp_path / "none.json", 640, 480)
    (tmp_path / "binary.txt").write_bytes(bytes(range(128, 256)))
    with pytest.raises(CalibrationError, match=r"binary\.txt"):
        read_intrinsics(tmp_path / "binary.txt", 640, 480)


@pytest.mark.parametrize("separator", [" ", ",", ", "])
def test_a_text_matrix_is_taken_as_it_stands_but_not_for_another_size(tmp_path, separator):
    path = tmp_path / "K.txt"
    path.write_text("\n".join(separator.join(str(value) for value in row) for row in CAMERA))
    assert np.array_equal(read_intrinsics(path, 640, 480), CAMERA)
    for size in ((320, 240), (1280, 960)):
        with pytest.raises(CalibrationError, match="another size"):
            read_intrinsics(path, *size)


def test_a_real_camera_file_is_read():
    path = SHARED / "real" / "hololens_rgbd" / "K.txt"
    if not path.exists():
        pytest.skip("needs ../shared/real/hololens_rgbd beside the checkout")
    matrix = read_intrinsics(path, 540, 360)
    assert matrix[0] == pytest.approx([495.57, 0.0, 269.50], abs=0.01)
    assert matrix[1] == pytest.approx([0.0, 495.48, 169.19], abs=0.01)


def test_a_matrix_that_is_no_camera_is_refused():
    assert check_intrinsics(CAMERA.astype(np.float32)).dtype == np.float64
    for matrix, word in [
        (np.eye(4), "shape"),
        (CAMERA.T, "transposed"),
        (CAMERA * np.nan, "finite"),
        (CAMERA * [[0.0], [1.0], [1.0]], "focal"),
        ("camera", "numbers"),
    ]:
        with pytest.raises(CalibrationError, match=word):
            check_intrinsics(matrix)
