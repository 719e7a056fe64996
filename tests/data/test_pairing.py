"""Pictures find their recordings by stem, by number or by time, and what may be two is never guessed."""

from pathlib import Path

import pytest
import soundfile

from avsnet.audio.chirp import sweep
from avsnet.data.folder import CaptureFolder, find_captures
from avsnet.data.pairing import TOLERANCE, pair, time_stamp
from avsnet.errors import DataError


def names(pictures, recordings, **options):
    found = pair([Path(name) for name in pictures], [Path("sound") / name for name in recordings], **options)
    return [one.recording.name if one.recording else one.obstacle for one in found]


def test_the_stem_comes_first_and_then_the_number_that_no_other_has():
    assert names(["camera_2.png", "a.png"], ["audio_2.wav", "camera_2.wav", "a.flac"]) == ["camera_2.wav", "a.flac"]
    assert names(["camera_47.jpeg", "camera_7.jpeg"], ["audio_7.wav", "audio_47.wav"]) == [
        "audio_47.wav",
        "audio_7.wav",
    ]
    (left, right) = names(["left_1.png", "right_1.png"], ["audio_1.wav"])
    assert left == right and left.startswith("no recordings of the same stem or the same number")


def test_two_that_may_be_it_are_both_named():
    (found,) = names(["a_3.png"], ["b_3.wav", "c_03.wav"])
    assert found == "b_3.wav and c_03.wav may both be the recording of a_3.png; keep or rename one"
    assert "1.900.wav and 2.100.wav may both" in names(["2.000.png"], ["1.900.wav", "2.100.wav"], tolerance=0.2)[0]


def test_tum_files_are_paired_by_the_nearest_time_within_the_tolerance():
    pictures = ["1305031102.175304.png", "1305031102.211214.png", "1305031102.575304.png", "1305031103.900000.png"]
    recordings = ["1305031102.160407.wav", "1305031102.226738.wav", "1305031102.560000.wav", "1305031104.000000.wav"]
    found = names(pictures, recordings)
    assert found[:3] == recordings[:3]
    assert found[3] == "no recordings of the same stem or the same number at its end, or within 0.05 s by a time stamp"
    # The nearest by brute force, each within the tolerance.
    for picture, recording in zip(pictures[:3], found, strict=False):
        gaps = {other: abs(float(other[:-4]) - float(picture[:-4])) for other in recordings}
        assert min(gaps, key=gaps.get) == recording and gaps[recording] <= TOLERANCE


def test_a_recording_belongs_to_its_nearest_picture_alone():
    (far, near) = names(["frame_10.00.png", "frame_10.03.png"], ["10.04.wav"])
    assert near == "10.04.wav" and far.startswith("no recordings")


def test_stamps_that_share_their_microseconds_are_not_a_number_at_the_end():
    (found,) = names(["1305031102.175304.png"], ["1305031500.175304.wav"])
    assert found.startswith("no recordings")


def test_ros_nanoseconds_dates_and_seconds_are_times_and_counters_are_none():
    ros = time_stamp("left-1625072443123456789")
    assert ros == 1_625_072_443_123_456_789 == time_stamp("1625072443.123456789")
    assert time_stamp("1625072443123") == 1_625_072_443_123 * 10**6
    dated = [time_stamp(stem) for stem in ("2021-06-30_17-00-43.1", "IMG_20210630_170043", "20210630T170043,1")]
    assert dated == [1_625_072_443_100_000_000, 1_625_072_443_000_000_000, 1_625_072_443_100_000_000]
    for counter in ("camera_47", "IMG_0000000047", "0001", "a", "20211399_170043"):
        assert time_stamp(counter) is None


def write(folder, *stems):
    from PIL import Image

    for stem in stems:
        if stem.endswith("wav"):
            soundfile.write(folder / stem, 0.5 * sweep(44_100).repeat(2).reshape(-1, 2), 44_100)
        else:
            Image.new("RGB", (4, 3)).save(folder / stem)


def test_captures_named_by_time_stamps_find_their_recordings(tmp_path):
    write(tmp_path, "1305031102.175304.png", "1305031102.160407.wav", "1305031105.5.png")
    first, second = find_captures(tmp_path)
    assert first.echo.name == "1305031102.160407.wav"
    assert second.echo == tmp_path / "1305031105.5.wav" and not second.echo.exists()


def test_a_capture_with_two_recordings_is_unreadable_only_where_they_are_wanted(tmp_path):
    write(tmp_path, "a_1.png", "b_1.wav", "c_1.wav")
    with pytest.raises(DataError, match=r"a_1\.png: b_1\.wav and c_1\.wav may both be the recording of a_1\.png"):
        CaptureFolder(tmp_path)[0]
    assert "image" in CaptureFolder(tmp_path, keys=("image",))[0]
