"""The camera files of other programs give the camera that they mean, or say what they lack."""

import json

import numpy as np
import pytest

from avsnet.errors import CalibrationError
from avsnet.geometry import camera_of, check_camera, read_intrinsics
from avsnet.io.cameras import read_camera

K = np.array([[114.25, 0.0, 79.5], [0.0, 115.5, 59.5], [0.0, 0.0, 1.0]])
ROW = " ".join(str(value) for value in K.ravel())
COLUMNS = K.T.ravel().tolist()
PROJECTION = "114.25 0 79.5 44.8 0 115.5 59.5 0.2 0 0 1 0.002"
FOUR = "114.25 0 79.5 0\n0 115.5 59.5 0\n0 0 1 0\n0 0 0 1\n"
OPEN3D = {"width": 160, "height": 120, "intrinsic_matrix": COLUMNS}

SIZED = {
    "ROS 1": f"height: 120\nwidth: 160\nD: [0.1, 0.0, 0.0, 0.0, 0.0]\nK: {K.ravel().tolist()}\n---\nheight: 9\n",
    "ROS 2": "header:\n  frame_id: c\nheight: 120\nwidth: 160\nk:\n" + "".join(f"- {value}\n" for value in K.ravel()),
    "ROS calibration": "image_width: 160\nimage_height: 120\ncamera_matrix:\n  rows: 3\n  cols: 3\n  data: "
    + str(K.ravel().tolist()),
    "OpenCV": "%YAML:1.0\n---\nimage_width: 160\nimage_height: 120\ncamera_matrix: !!opencv-matrix\n   rows: 3\n"
    "   cols: 3\n   dt: d\n   data: [ 114.25, 0., 79.5, 0., 115.5, 59.5, 0., 0., 1. ]\n",
    "Open3D camera": json.dumps(OPEN3D),
    "Open3D parameters": json.dumps({"class_name": "PinholeCameraParameters", "extrinsic": [], "intrinsic": OPEN3D}),
    "Open3D trajectory": json.dumps({"parameters": [{"extrinsic": [], "intrinsic": OPEN3D}] * 2}),
    "RealSense": '{"width": 160, "height": 120, "ppx": 79.5, "ppy": 59.5, "fx": 114.25, "fy": 115.5, "coeffs": [0, 0]}',
    "NeRF": '{"w": 160, "h": 120, "cx": 79.5, "cy": 59.5, "fl_x": 114.25, "fl_y": 115.5, "frames": []}',
    "rows in JSON": json.dumps({"K": K.tolist(), "width": 160, "height": 120}),
    "ScanNet scene": "colorHeight = 120\ncolorWidth = 160\ndepthHeight = 60\nfx_color = 114.25\nfx_depth = 50\n"
    "fy_color = 115.5\nmx_color = 79.5\nmy_color = 59.5\nsceneType = Office\n",
    "ScanNet info": "m_versionNumber = 4\nm_colorWidth = 160\nm_colorHeight = 120\nm_calibrationColorIntrinsic = "
    + " ".join(FOUR.split()),
    "KITTI raw": f"calib_time: 09-Jan-2012 13:57:47\nS_02: 200 150\nK_02: {ROW}\nS_rect_02: 1.6e+02 1.2e+02\n"
    f"P_rect_02: {PROJECTION}\n",
    "COLMAP": "# Camera list\n1 PINHOLE 160 120 114.25 115.5 80 60\n2 PINHOLE 160 120 114.25 115.5 80 60\n",
}
UNSIZED = {
    "ScanNet 4 x 4": FOUR,
    "nine numbers": ROW,
    "four numbers": "114.25 115.5 79.5 59.5",
    "KITTI object": f"P0: {' '.join('1' * 12)}\nP2: {PROJECTION}\nR0_rect: {ROW}\n",
    "printed array": str(K),
    "CSV": "\n".join(",".join(map(str, row)) for row in K),
    "JSON without size": json.dumps({"camera_matrix": K.tolist()}),
}


@pytest.mark.parametrize("form", [*SIZED, *UNSIZED])
def test_every_form_gives_its_camera_and_the_size_that_it_tells(tmp_path, form):
    path = tmp_path / "camera"
    path.write_text({**SIZED, **UNSIZED}[form])
    camera = read_camera(path)
    assert np.allclose(camera.matrix, K) and camera.size == ((120, 160) if form in SIZED else None)
    assert np.allclose(read_intrinsics(path, 160, 120), K)
    if form in SIZED:
        assert read_intrinsics(path, 80, 60)[0, 0] == pytest.approx(57.125)


def test_a_simple_radial_camera_has_one_focal_length(tmp_path):
    (tmp_path / "cameras.txt").write_text("7 SIMPLE_RADIAL 160 120 114.25 80 60 0.01\n")
    assert np.allclose(read_camera(tmp_path / "cameras.txt").matrix, [[114.25, 0, 79.5], [0, 114.25, 59.5], [0, 0, 1]])


def test_numpy_files_and_saved_predictions_give_their_camera(tmp_path):
    np.save(tmp_path / "K.npy", K)
    assert np.array_equal(read_intrinsics(tmp_path / "K.npy", 160, 120), K)
    np.savez(tmp_path / "a.npz", depth=np.ones((120, 160)), intrinsics=K)
    assert read_intrinsics(tmp_path / "a.npz", 320, 240)[0, 0] == pytest.approx(228.5)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("height: 120\nwidth: 160\nK: [0, 0, 0, 0, 0, 0, 0, 0, 0]\n", "focal lengths 0, 0"),
        ("K: [1, 2\n b: {", "neither JSON, YAML"),
        ("- a\n- b\n", "neither JSON"),
        ("hello: world\n", "lacks width"),
        ("1 OPENCV_FISHEYE 160 120 1 1 1 1 0 0 0 0", "OPENCV_FISHEYE is no pinhole"),
        ("1 PINHOLE 160 120 114 114 80 60\n2 PINHOLE 160 120 99 99 80 60\n", "2 different cameras"),
        ("<?xml version='1.0'?><opencv_storage/>", "neither JSON"),
        ('{"K": null}', "shape"),
        ("camera_matrix:\n  data: abc\n", "numbers"),
        ('{"width": 160, "height": 120, "fx": 114, "fy": 114, "cx": 318, "cy": 238}', "outside its own"),
        ('{"width": 160, "height": 120, "fx": 0.71, "fy": 0.95, "cx": 0.5, "cy": 0.5}', "picture widths"),
        ("0.71 0 0.5\n0 0.95 0.5\n0 0 1", "picture widths"),
        ("457 0 318\n0 457 238\n0 0 1", "another size"),
        ("57 0 39.5\n0 57 29.5\n0 0 1", "another size"),
    ],
)
def test_what_is_no_camera_of_the_picture_is_refused_in_one_line_that_names_the_file(tmp_path, text, word):
    (tmp_path / "camera.yaml").write_text(text)
    with pytest.raises(CalibrationError, match=word) as caught:
        read_intrinsics(tmp_path / "camera.yaml", 160, 120)
    assert "camera.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_broken_numpy_files_and_foreign_entries_are_refused(tmp_path):
    (tmp_path / "broken.npy").write_bytes(b"no")
    np.savez(tmp_path / "a.npz", a=K)
    np.save(tmp_path / "wrong.npy", np.ones((2, 5)))
    for name, word in (("broken.npy", "cannot be read"), ("a.npz", "name the camera"), ("wrong.npy", "shape")):
        with pytest.raises(CalibrationError, match=word):
            read_intrinsics(tmp_path / name, 160, 120)


@pytest.mark.parametrize("factor", [4.0, 2.0, 0.5, 1 / 160])
def test_an_array_of_another_size_or_unit_is_refused_as_a_text_file_is(tmp_path, factor):
    other = np.diag([factor, factor, 1.0]) @ K
    np.savetxt(tmp_path / "K.txt", other)
    for refuse in (
        lambda: check_camera(other, (120, 160)),
        lambda: camera_of(other, None, (120, 160)),
        lambda: read_intrinsics(tmp_path / "K.txt", 160, 120),
    ):
        with pytest.raises(CalibrationError, match=r"another size|picture widths"):
            refuse()
    assert np.array_equal(camera_of(K, None, (120, 160))[0], K)
