"""Frames of V1 and of folders: their order, their recordings, their camera."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from avsnet.data.batvision_v1 import batvision_v1_frames
from avsnet.data.frames import Frames, folder_frames
from avsnet.errors import CalibrationError, DataError
from avsnet.geometry import camera_of, intrinsics_from_fov, read_intrinsics
from avsnet.io.pictures import picture_size


def table(root, split, ids):
    """A table of V1; none of its files is there."""
    lines = [f"{day}/audio/raw_long/{time}_left.npy,r,{day}/camera/{time}.jpg,d" for day, time in ids]
    text = "audio path left,audio path right,camera path left,depth path\n" + "\n".join(lines)
    (root / f"{split}.csv").write_text(text)


def own_or_assumed(own, size):
    return camera_of(own, None, size)[0]


def pictures(folder, *names, size=(16, 12)):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", size, (40 + 10 * number, 90, 120)).save(folder / name)


def test_v1_is_sorted_by_time_and_a_long_gap_or_another_day_begins_a_recording(tmp_path):
    day, next_day = "2019.08.26", "2019.08.27"
    first = [(day, f"1759{50 + second}.{tenth}00000") for second in range(10) for tenth in range(10)]
    second = [(day, f"180100.{tenth}00000") for tenth in range(10)]
    third = [(next_day, f"00000{tenth}.5") for tenth in range(3)]
    rows = [*first, *second, *third]
    shuffled = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]
    table(tmp_path, "train", shuffled)
    found = batvision_v1_frames(tmp_path, "train")
    assert [frame.id for frame in found] == [f"{one}/{time}" for one, time in rows]
    parts = [f"{day}/0"] * 100 + [f"{day}/1"] * 10 + [f"{next_day}/0"] * 3
    assert [frame.recording for frame in found] == parts
    assert found[0].image == str(tmp_path / day / "camera" / "175950.000000.jpg")


def test_minutes_and_hours_count(tmp_path):
    """Frames a second apart run on from 17:59:59 to 18:00:00; as decimal numbers they would be 4041 apart."""
    times = ["175957.0", "175958.0", "175959.0", "180000.0", "180001.0"]
    table(tmp_path, "val", [("2019.08.26", time) for time in times])
    assert {frame.recording for frame in batvision_v1_frames(tmp_path, "val")} == {"2019.08.26/0"}


def test_a_file_name_without_a_time_is_refused(tmp_path):
    table(tmp_path, "train", [("2019.08.26", "frame_12")])
    with pytest.raises(DataError, match=r"2019\.08\.26/frame_12 is not named DAY/HHMMSS"):
        batvision_v1_frames(tmp_path, "train")


def test_a_folder_is_sorted_as_people_count_and_each_sub_folder_is_a_recording(tmp_path):
    pictures(tmp_path / "hall", "2.png", "10.png", "1.png")
    pictures(tmp_path / "attic 10", "f9.jpg", "f10.jpg")
    pictures(tmp_path / "attic 9", "f1.jpg")
    pictures(tmp_path, "a.png")
    for stray in (".DS_Store", "film.mp4", "hall/notes.txt", "hall/._1.png"):
        (tmp_path / stray).write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    found = folder_frames(tmp_path)
    hall = ["hall/1", "hall/2", "hall/10"]
    assert [frame.id for frame in found] == ["a", "attic 9/f1", "attic 10/f9", "attic 10/f10", *hall]
    assert [frame.recording for frame in found] == ["", "attic 9", "attic 10", "attic 10", "hall", "hall", "hall"]
    with pytest.raises(DataError, match="no picture"):
        folder_frames(tmp_path / "empty")


def test_a_frame_has_its_own_camera_of_the_size_that_is_read(tmp_path):
    pictures(tmp_path / "a", "1.png", size=(64, 36))
    pictures(tmp_path / "b", "1.png", size=(64, 36))
    entries = {"width": 128, "height": 72, "fx": 100, "fy": 101, "cx": 60, "cy": 35}
    (tmp_path / "b" / "intrinsics.json").write_text(json.dumps(entries))
    frames = Frames(folder_frames(tmp_path), (18, 16), own_or_assumed)
    assumed, own = frames[0], frames[1]
    assert own["image"].shape == (3, 18, 16) and (assumed["id"], own["id"]) == ("a/1", "b/1")
    # Read at 128 x 72 and brought to 16 x 18: an eighth of the width, a quarter of the height.
    expected = np.array([[100 / 8, 0, 60.5 / 8 - 0.5], [0, 101 / 4, 35.5 / 4 - 0.5], [0, 0, 1]])
    np.testing.assert_allclose(own["intrinsics"], expected, rtol=1e-6)
    assert np.array_equal(read_intrinsics(tmp_path / "b" / "intrinsics.json", 128, 72)[0], [100, 0, 60])
    # Squeezed from 64 x 36: the picture's pixels were square, those of what is read are not.
    focal = intrinsics_from_fov(64, 36, 70.0)[0, 0]
    np.testing.assert_allclose(assumed["intrinsics"].diagonal(), [focal / 4, focal / 2, 1.0], rtol=1e-6)
    assert assumed["intrinsics"].dtype == torch.float32


def test_a_picture_on_its_side_has_the_camera_of_the_upright_one(tmp_path):
    pictures(tmp_path, "plain.jpg", size=(36, 64))
    turned = Image.new("RGB", (64, 36))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    frames = Frames(folder_frames(tmp_path), (32, 32), own_or_assumed)
    assert picture_size(tmp_path / "turned.jpg") == picture_size(tmp_path / "plain.jpg") == (64, 36)
    assert torch.equal(frames[0]["intrinsics"], frames[1]["intrinsics"])


def test_what_cannot_be_read_names_frame_and_file(tmp_path):
    pictures(tmp_path / "a", "1.png", "2.png")
    (tmp_path / "a" / "1.png").write_bytes(b"no picture")
    frames = Frames(folder_frames(tmp_path), (32, 32), own_or_assumed)
    with pytest.raises(DataError, match=r"^a/1: .*1\.png"):
        frames[0]
    (tmp_path / "intrinsics.json").write_text("{}")
    with pytest.raises(CalibrationError, match=r"intrinsics\.json: lacks width"):
        Frames(folder_frames(tmp_path), (32, 32), own_or_assumed)[1]
