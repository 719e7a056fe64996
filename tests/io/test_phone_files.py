"""What phones write: HEIC pictures, and sound whose coding is lossy."""

import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet.audio.ranging import range_profile
from avsnet.errors import AudioError, MissingExtraError
from avsnet.geometry import intrinsics_from_fov
from avsnet.io.pictures import picture_size, read_image
from avsnet.io.recordings import read_wav
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for

RIG = rig_for(1, gain=0.1)


@pytest.fixture
def heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif not installed (extra media)")
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[:, :32], colours[:, 32:] = (200, 40, 30), (20, 60, 210)
    pillow_heif.from_pillow(Image.fromarray(colours)).save(tmp_path / "a.heic", quality=95)
    return tmp_path / "a.heic", colours


def test_a_heic_picture_is_read_like_any_other(heic):
    path, colours = heic
    assert picture_size(path) == (48, 64)
    assert np.abs(read_image(path).astype(int) - colours)[:, np.r_[2:28, 36:62]].max() < 12


def test_without_its_library_a_heic_picture_is_refused_with_both_ways_out(heic, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MissingExtraError, match=r"avsnet\[media\].*JPEG"):
        read_image(heic[0])


def test_m4a_is_refused_with_the_command_that_converts_it(tmp_path):
    (tmp_path / "memo.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match=r"ffmpeg -i memo\.m4a memo\.wav"):
        read_wav(tmp_path / "memo.m4a")


@pytest.fixture(scope="module")
def echo():
    camera = intrinsics_from_fov(64, 48, 70.0)
    return echo_of_depth(np.full((48, 64), 2.0, np.float32), camera, RIG, seed=1).waveform


def ranges(waveform, rate):
    return [one.range for one in range_profile(waveform, rate, RIG.geometry).reflections]


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="this libsndfile writes no MP3")
def test_mp3_keeps_the_ranges_of_the_clearest_echo_within_2_cm(tmp_path, echo):
    soundfile.write(tmp_path / "a.mp3", echo.T, 44_100, format="MP3")
    read = read_wav(tmp_path / "a.mp3")
    before, after = ranges(echo, 44_100), ranges(read.waveform, read.sample_rate)
    wall = min(before, key=lambda found: abs(found - 2.0))
    assert min(abs(found - wall) for found in after) < 0.02


@pytest.mark.skipif("MP3" not in soundfile.available_formats(), reason="this libsndfile writes no MP3")
def test_mp3_adds_noise_before_the_direct_sound_as_docs_say(tmp_path, echo):
    soundfile.write(tmp_path / "a.mp3", echo.T, 44_100, format="MP3")
    read = read_wav(tmp_path / "a.mp3").waveform
    length = min(read.shape[1], echo.shape[1])
    # Aligned by correlation: a coder delays.
    shift = int(np.argmax(np.correlate(read[0, :8_000], echo[0, :6_000], "valid")))
    error = read[:, shift : shift + length - shift] - echo[:, : length - shift]
    ratio = 20.0 * np.log10(np.abs(echo).max() / np.sqrt((error[:, :6_000] ** 2).mean()))
    print(f"coding noise {ratio:.0f} dB below the peak, delay {shift} samples")
    assert ratio > 25.0
