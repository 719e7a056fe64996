"""The 35 mm equivalent of EXIF becomes a camera by the diagonal, and one that makes no sense becomes none."""

import math

import numpy as np
import pytest
from PIL import ExifTags, Image

from avsnet.geometry import camera_of, horizontal_fov
from avsnet.io.focal_length import equivalent_focal_length, focal_in_pixels
from avsnet.predictor import Predictor


def photo(folder, focal=26, size=(60, 80), taken=None, orientation=1, name="a.jpg"):
    """A picture whose camera wrote a focal length, and perhaps the size (H, W) of what it took."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    entries = exif.get_ifd(ExifTags.IFD.Exif)
    if focal is not None:
        entries[ExifTags.Base.FocalLengthIn35mmFilm] = focal
    if taken is not None:
        entries[ExifTags.Base.ExifImageHeight], entries[ExifTags.Base.ExifImageWidth] = taken
    path = folder / name
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(path, exif=exif)
    return path


def test_on_a_frame_of_35_mm_film_it_is_the_focal_length_itself():
    assert focal_in_pixels(50.0, (2400, 3600)) == pytest.approx(5000.0)
    # A phone's main camera: 26 mm on 4:3 sees 67.3 degrees across, as its maker says of its 4032 x 3024 pictures.
    camera, _ = camera_of(None, None, (3024, 4032), equivalent=26.0)
    assert horizontal_fov(camera, 4032) == pytest.approx(67.3, abs=0.1)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_predict_takes_it_and_says_so(tmp_path, name):
    inputs = Predictor("avsnet_lite0_v").read(photo(tmp_path, name=name))
    assert inputs.assumptions[:1] == ("field of view from the picture's EXIF: 35 mm equivalent 26 mm",)
    assert inputs.camera[0, 0] == inputs.camera[1, 1] == pytest.approx(26.0 / math.hypot(36.0, 24.0) * 100.0)


def test_a_picture_that_exif_turns_has_the_same_focal_length(tmp_path):
    lying = Predictor("avsnet_lite0_v").read(photo(tmp_path, taken=(60, 80)))
    upright = Predictor("avsnet_lite0_v").read(photo(tmp_path, taken=(60, 80), orientation=6))
    assert upright.picture.shape == (80, 60, 3)
    assert upright.camera[0, 0] == lying.camera[0, 0]
    assert upright.camera[:2, 2].tolist() == [29.5, 39.5]


def test_what_the_user_gives_comes_first(tmp_path):
    path = photo(tmp_path)
    for known in ({"fov": 50.0}, {"intrinsics": np.array([[70.0, 0, 40], [0, 70, 30], [0, 0, 1]])}):
        assert "field of view" not in " ".join(Predictor("avsnet_lite0_v", **known).read(path).assumptions)


def test_a_picture_that_was_made_smaller_keeps_it_and_a_cropped_one_does_not(tmp_path):
    notes = []
    assert equivalent_focal_length(photo(tmp_path, taken=(3000, 4000)), notes) == 26.0
    assert equivalent_focal_length(photo(tmp_path, taken=(4000, 3000)), notes) == 26.0  # turned by an editor
    assert notes == []
    assert equivalent_focal_length(photo(tmp_path, size=(60, 60), taken=(3000, 4000)), notes) is None
    assert len(notes) == 1 and "cropped" in notes[0]
    inputs = Predictor("avsnet_lite0_v").read(photo(tmp_path, size=(60, 60), taken=(3000, 4000)))
    assert inputs.assumptions[:1] == ("field of view assumed: 70 degrees horizontal",)
    assert "cropped" in " ".join(inputs.warnings)


@pytest.mark.parametrize("focal", [1, 4, 9, 2000, 65535])
def test_a_focal_length_of_no_lens_is_not_used_and_said(tmp_path, focal):
    notes = []
    assert equivalent_focal_length(photo(tmp_path, focal), notes) is None
    assert len(notes) == 1 and f"{focal:g} mm" in notes[0]


@pytest.mark.parametrize("focal", [None, 0])
def test_an_unknown_one_is_passed_over_in_silence(tmp_path, focal):
    notes = []
    assert equivalent_focal_length(photo(tmp_path, focal), notes) is None and notes == []


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*"])
def test_a_broken_file_has_none(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert equivalent_focal_length(tmp_path / "a.jpg", []) is None


def test_an_entry_that_is_no_number_is_none(tmp_path):
    assert equivalent_focal_length(photo(tmp_path, "wide"), []) is None


def test_the_assumed_field_of_view_is_that_of_the_long_side():
    lying, said = camera_of(None, None, (480, 640))
    upright, said_upright = camera_of(None, None, (640, 480))
    assert upright[0, 0] == lying[0, 0] and upright[:2, 2].tolist() == [239.5, 319.5]
    assert said == ["field of view assumed: 70 degrees horizontal"]
    assert said_upright == ["field of view assumed: 70 degrees vertical"]
    assert horizontal_fov(upright, 480) == pytest.approx(55.4, abs=0.1)
