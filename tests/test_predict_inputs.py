"""What the world hands to `predict`: what is odd about a picture is in the prediction, a wrong camera is refused."""

import json

import numpy as np
import pytest
from PIL import Image

import avsnet
from avsnet.errors import CalibrationError

CAMERA = {"width": 64, "height": 48, "fx": 50.0, "fy": 52.0, "cx": 33.0, "cy": 21.0}


def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)


def test_ten_bits_in_a_16_bit_picture_are_a_warning_of_the_prediction(tmp_path):
    Image.fromarray(scene().astype(np.uint16) * 4).save(tmp_path / "ten.png")
    with Image.open(tmp_path / "ten.png") as picture:
        for given in (tmp_path / "ten.png", picture):
            assert any("10 bits" in text for text in avsnet.predict(given).warnings)


@pytest.mark.parametrize("opened", [False, True])
def test_the_camera_of_a_turned_picture_is_turned_and_told(tmp_path, opened):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene()).save(tmp_path / "a.png", exif=exif)
    (tmp_path / "camera.json").write_text(json.dumps(CAMERA))
    with Image.open(tmp_path / "a.png") as picture:
        given = picture if opened else tmp_path / "a.png"
        found = avsnet.predict(given, intrinsics=tmp_path / "camera.json")
    assert found.depth.shape == (64, 48)
    assert found.intrinsics.tolist() == [[52.0, 0.0, 26.0], [0.0, 50.0, 33.0], [0.0, 0.0, 1.0]]
    assert "picture turned by its EXIF tag, its camera alike" in found.assumptions


def test_an_array_of_another_camera_and_a_field_of_view_in_radians_are_refused():
    pixels = np.repeat(scene()[..., None], 3, axis=-1)
    matrix = np.array([[50.0, 0.0, 33.0], [0.0, 52.0, 21.0], [0.0, 0.0, 1.0]])
    assert np.array_equal(avsnet.predict(pixels, intrinsics=matrix).intrinsics, matrix)
    for factor in (1 / 64, 0.5, 2.0, 4.0):
        with pytest.raises(CalibrationError, match=r"picture widths|another size"):
            avsnet.predict(pixels, intrinsics=np.diag([factor, factor, 1.0]) @ matrix)
    with pytest.raises(CalibrationError, match=r"radians; give degrees, 69\.9"):
        avsnet.predict(pixels, fov=1.22)
