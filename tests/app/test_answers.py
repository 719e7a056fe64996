"""What the page shows equals what Python gives, and what it cannot do it says in words."""

import os
import time

import numpy as np
import pytest

from avsnet.app.answers import CAMERAS, KEPT, WIDEST, Choices, answer, clicked, fresh_folder, reading, room
from avsnet.errors import AudioError, CalibrationError, ImageError, OptionError
from avsnet.io.pictures import picture_size
from avsnet.predict import predict
from avsnet.prediction import Prediction

NAMES = ("model", "weights_hash", "scale_source", "version")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return room(0, tmp_path_factory.mktemp("room"))


def chosen(made, **others):
    return Choices(camera_file=str(made[2]), rig_file=str(made[3]), **others)


def test_numbers_equal_those_of_python(made, tmp_path):
    found = answer(str(made[0]), str(made[1]), chosen(made), tmp_path)
    wanted = predict(made[0], made[1], intrinsics=made[2], rig=made[3])
    np.testing.assert_array_equal(found.prediction.depth, wanted.depth)
    height, width = wanted.depth.shape
    for column, row in ((3, 5), (width // 2, height // 2), (width - 1, height - 1)):
        said = reading(found.prediction, ((column + 0.5) / width, (row + 0.5) / height))
        assert said.startswith(f"**{wanted.depth[row, column]:.2f} m** at pixel {column}, {row}")


def test_what_is_taken_away_is_whole(made, tmp_path):
    found = answer(str(made[0]), str(made[1]), chosen(made), tmp_path)
    assert sorted(path.suffix for path in found.files) == [".glb", ".npz", ".ply", ".png"]
    np.testing.assert_array_equal(Prediction.load(found.files[0]).depth, found.prediction.depth)
    assert picture_size(found.picture) == picture_size(made[0])
    assert "iframe" in found.cloud and "http" not in found.cloud


def test_an_interval_stands_beside_metres_that_were_measured(made, tmp_path):
    found = answer(str(made[0]), str(made[1]), chosen(made, model="avsnet_lite0_v", scale_from="ear"), tmp_path)
    assert "with 90 % probability" in reading(found.prediction, (0.5, 0.5))
    assert found.evidence is not None and picture_size(found.evidence)[1] > 600


def test_bad_uploads_say_what_is_wrong(made, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG nonsense")
    with pytest.raises(ImageError, match=r"broken\.png"):
        answer(str(broken), None, Choices(), tmp_path)
    with pytest.raises(AudioError, match=r"broken\.png"):
        answer(str(made[0]), str(broken), Choices(), tmp_path)
    with pytest.raises(OptionError, match="no picture yet"):
        answer(None, str(made[1]), Choices(), tmp_path)
    with pytest.raises(CalibrationError):
        answer(str(made[0]), str(made[1]), Choices(fov=400.0), tmp_path)


@pytest.mark.parametrize(
    "typed",
    [
        {"camera": "a drone"},
        {"camera": None},
        {"model": None},
        {"model": ["avsnet_lite0_v"]},
        {"scale_from": 3},
        {"fov": "wide"},
        {"fov": float("nan")},
        {"fov": 10**400},
    ],
)
def test_what_the_fields_do_not_offer_is_refused_in_one_line(made, tmp_path, typed):
    with pytest.raises((OptionError, CalibrationError), match=next(iter(typed)).replace("fov", "field of view")):
        answer(str(made[0]), None, Choices(**typed), tmp_path)


def ramp(height, width):
    depth = np.arange(1.0, 1.0 + height * width).reshape(height, width)
    size = {"valid": depth > 0.0, "intrinsics": np.eye(3)}
    return Prediction(depth, "metric_depth", 1.0, 0.0, **size, **dict.fromkeys(NAMES, "a"))


def test_a_click_outside_is_read_at_the_border_and_one_nowhere_is_refused():
    prediction = ramp(3, 4)
    assert "pixel 0, 0" in reading(prediction, (-0.9, -1e30)) and "pixel 3, 2" in reading(prediction, (1e30, 1.0))
    with pytest.raises(OptionError, match="place"):
        reading(prediction, (0.5, float("nan")))


def test_a_click_is_a_pixel_of_the_picture_that_is_shown():
    assert "at pixel 2, 1;" in clicked(ramp(3, 4), [2, 1])
    wide = ramp(2, 2 * WIDEST)  # shown half as large
    assert "at pixel 21, 1" in clicked(wide, (10, 0)) and f"at pixel {2 * WIDEST - 1}, 0" in clicked(wide, (1e8, -5))


NOWHERE = [None, 7, "ab", [], [1], [1, 2, 3], [1, None], ["1", 2], {"a": 1, "b": 2}]
NOWHERE += [[float("nan"), 1], [1, float("inf")], [10**400, 1], [[1], [2]]]


@pytest.mark.parametrize("place", NOWHERE, ids=[f"{place!r:.20}" for place in NOWHERE])
def test_a_click_that_is_no_pixel_is_a_message_on_the_page(place):
    gradio = pytest.importorskip("gradio", reason="the page needs avsnet[app]")
    from avsnet.app.page import _read

    event = gradio.SelectData(None, {"index": place, "value": None})
    with pytest.raises(gradio.Error, match="click at") as shown:
        _read(ramp(3, 4), event)
    assert "\n" not in shown.value.message and len(shown.value.message) < 200


def test_files_of_old_answers_go_with_the_next_one():
    first, second = fresh_folder(), fresh_folder()
    (first / "a.npz").write_bytes(b"depth")
    os.utime(first, (time.time() - KEPT - 1.0,) * 2)
    third = fresh_folder()
    assert not first.exists() and second.is_dir() and third.is_dir() and first.parent == third.parent


def test_a_file_name_is_no_markdown(made, tmp_path):
    odd = tmp_path / "[a](b) *c*.png"
    odd.write_bytes(made[0].read_bytes())
    words = answer(str(odd), None, Choices(model="avsnet_lite0_v"), tmp_path).words
    assert "[a](" not in words


def test_fields_of_view_of_cameras_follow_their_focal_length():
    # 26 mm and 13 mm on the 36 mm wide film that such millimetres refer to.
    for name, focal in (("phone, main camera (26 mm)", 26.0), ("phone, wide camera (13 mm)", 13.0)):
        assert CAMERAS[name] == pytest.approx(np.degrees(2 * np.arctan(18.0 / focal)), abs=0.1)
