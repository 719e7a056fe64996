"""What EXIF turns is turned as one: picture, depth map and camera, for all eight orientations."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from avsnet.data.folder import CaptureFolder
from avsnet.errors import CalibrationError
from avsnet.geometry import pixel_rays, read_intrinsics
from avsnet.io.depth_maps import map_like_picture, read_depth, write_depth_png
from avsnet.io.orientation import exif_orientation, is_upright, turned, turned_intrinsics
from avsnet.io.pictures import picture_size, read_image

ORIENTATIONS = range(1, 9)
CAMERA = np.array([[50.0, 0.0, 33.0], [0.0, 52.0, 21.0], [0.0, 0.0, 1.0]])
STORED = (48, 64)  # height, width


def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*STORED, 3), dtype=np.uint8)


def saved(path: Path, pixels: np.ndarray, orientation: int, **options: str) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_pixels_are_turned_as_pillow_turns_them(tmp_path, orientation):
    path = saved(tmp_path / "a.png", scene(), orientation)
    with Image.open(path) as picture:
        wanted = np.asarray(ImageOps.exif_transpose(picture))
    assert exif_orientation(path) == orientation and np.array_equal(turned(scene(), orientation), wanted)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("grey", [False, True])
def test_pictures_of_every_format_come_upright_and_their_size_is_told_before(tmp_path, orientation, suffix, grey):
    pixels = scene()[..., 0] if grey else scene()
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path / f"a.{suffix}", pixels, orientation, **options)
    read = read_image(path)
    assert np.array_equal(read[..., 0], turned(scene(), orientation)[..., 0])
    assert picture_size(path) == read.shape[:2]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_a_depth_picture_is_turned_by_its_own_tag(tmp_path, orientation, suffix):
    millimetres = np.random.default_rng(1).integers(500, 4000, STORED).astype(np.uint16)
    depth = read_depth(saved(tmp_path / f"a.{suffix}", millimetres, orientation))
    assert np.array_equal(depth, turned(millimetres, orientation) / np.float32(1000))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turned_camera_sees_every_pixel_by_the_turned_ray(orientation):
    size = STORED[::-1] if orientation >= 5 else STORED
    rays = pixel_rays(turned_intrinsics(CAMERA, orientation, size), *size)
    directions = turned(pixel_rays(CAMERA, *STORED), orientation)
    # Turning moves a pixel's ray with it; as the axes turn too, its components change places and signs.
    x, y = (directions[..., 1], directions[..., 0]) if orientation >= 5 else (directions[..., 0], directions[..., 1])
    signs = (-1 if orientation in (2, 3, 6, 7) else 1, -1 if orientation in (3, 4, 7, 8) else 1)
    assert np.allclose(rays[..., 0], signs[0] * x) and np.allclose(rays[..., 1], signs[1] * y)


def test_a_skew_survives_half_a_turn_and_is_refused_at_a_quarter():
    skewed = CAMERA + np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert turned_intrinsics(skewed, 3, STORED)[0, 1] == 2.0 and turned_intrinsics(skewed, 2, STORED)[0, 1] == -2.0
    with pytest.raises(CalibrationError, match="skew"):
        turned_intrinsics(skewed, 6, STORED[::-1])


def camera_json(path: Path, matrix: np.ndarray, size: tuple[int, int]) -> Path:
    entries = {"fx": matrix[0, 0], "fy": matrix[1, 1], "cx": matrix[0, 2], "cy": matrix[1, 2]}
    path.write_text(json.dumps({"width": size[1], "height": size[0], **entries}))
    return path


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_camera_file_of_the_sensor_is_turned_with_the_picture(tmp_path, orientation):
    height, width = STORED[::-1] if orientation >= 5 else STORED
    wanted = turned_intrinsics(CAMERA, orientation, (height, width))
    np.savetxt(tmp_path / "K.txt", CAMERA)
    for path in (camera_json(tmp_path / "a.json", CAMERA, STORED), tmp_path / "K.txt"):
        assert np.allclose(read_intrinsics(path, width, height, orientation), wanted)
    doubled = np.array([[100.0, 0.0, 66.5], [0.0, 104.0, 42.5], [0.0, 0.0, 1.0]])
    larger = camera_json(tmp_path / "b.json", doubled, (96, 128))
    assert np.allclose(read_intrinsics(larger, width, height, orientation), wanted)


@pytest.mark.parametrize("orientation", range(5, 9))
def test_a_camera_file_of_the_upright_picture_stays_as_it_is(tmp_path, orientation):
    upright = turned_intrinsics(CAMERA, orientation, STORED[::-1])
    np.savetxt(tmp_path / "K.txt", upright)
    for path in (camera_json(tmp_path / "a.json", upright, STORED[::-1]), tmp_path / "K.txt"):
        assert np.allclose(read_intrinsics(path, STORED[0], STORED[1], orientation), upright)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_map_of_the_sensor_is_turned_with_its_picture_and_an_upright_one_is_not(tmp_path, orientation):
    picture = saved(tmp_path / "a.jpg", scene(), orientation)
    depth = np.random.default_rng(2).uniform(1.0, 4.0, (24, 32)).astype(np.float32)
    np.save(tmp_path / "sensor.npy", depth)
    upright = turned(depth, orientation)
    assert np.array_equal(map_like_picture(depth, tmp_path / "sensor.npy", picture), upright)
    write_depth_png(tmp_path / "ours.png", upright, upright > 0.0)  # what avsnet predicts is upright
    assert np.array_equal(map_like_picture(upright, tmp_path / "ours.png", picture), upright)
    tagged = saved(tmp_path / "tagged.png", (depth * 1000).astype(np.uint16), orientation)
    assert np.array_equal(map_like_picture(read_depth(tagged), tagged, picture), read_depth(tagged))
    if orientation >= 5:
        np.save(tmp_path / "upright.npy", upright)
        assert np.array_equal(map_like_picture(upright, tmp_path / "upright.npy", picture), upright)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_capture_of_the_sensor_gives_one_upright_sample(tmp_path, orientation):
    saved(tmp_path / "a.png", scene(), orientation)
    depth = np.random.default_rng(2).uniform(1.0, 4.0, STORED).astype(np.float32)
    np.save(tmp_path / "a_depth.npy", depth)
    camera_json(tmp_path / "intrinsics.json", CAMERA, STORED)
    sample = CaptureFolder(tmp_path, keys=("image", "depth"))[0]
    upright = turned(depth, orientation)
    assert np.array_equal(sample["depth"][0].numpy(), upright) and sample["image"].shape[1:] == upright.shape
    assert np.allclose(sample["intrinsics"].numpy(), turned_intrinsics(CAMERA, orientation, upright.shape))


def test_a_file_without_a_tag_a_silly_tag_and_no_picture_count_as_upright(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("prose")
    silly = [saved(tmp_path / f"{number}.png", scene(), number) for number in (0, 9)]
    for path in (tmp_path / "a.png", tmp_path / "b.png", tmp_path / "none", *silly):
        assert exif_orientation(path) == 1


@pytest.mark.parametrize(("width", "fits"), [(756, True), (764, True), (748, False), (772, False)])
def test_a_map_fits_the_upright_picture_if_its_aspect_ratio_is_within_a_hundredth(width, fits):
    assert is_upright((1000, width), 6, (400, 304)) is fits  # 760 would be equal; 752.4 and 767.6 the ends
    assert not is_upright((1000, width), 3, (400, 304))


def test_where_turning_keeps_the_aspect_ratio_a_map_counts_as_stored():
    assert not is_upright((24, 24), 6, (32, 32)) and is_upright((24, 24), 1, (32, 32))
    assert is_upright((40, 30), 6, (32, 24)) and not is_upright((30, 40), 6, (32, 24))
