"""Frames out of a video, upright, with their times; what is none is one clear line."""

import sys

import numpy as np
import pytest
from PIL import Image

from avsnet.errors import ImageError, MissingExtraError
from avsnet.io.videos import frame_count, read_video


def pictures(count=5):
    """Squares of one grey each, the upper left corner white."""
    made = np.stack([np.full((32, 48, 3), 30 * number, np.uint8) for number in range(count)])
    made[:, :8, :8] = 255
    return made


def gif(path, duration=200):
    first, *rest = (Image.fromarray(one) for one in pictures())
    first.save(path, save_all=True, append_images=rest, duration=duration, loop=0)
    return path


def test_a_gif_needs_nothing_else(tmp_path):
    path = gif(tmp_path / "a.gif")
    frames = list(read_video(path))
    assert frame_count(path) == len(frames) == 5
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    for frame, picture in zip(frames, pictures(), strict=True):
        assert frame.image.shape == picture.shape and np.abs(frame.image.astype(int) - picture).max() <= 8


def film(path, turned=0):
    av = pytest.importorskip("av", reason="PyAV, of the extra media, is absent")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 48, 32, "yuv420p", 4_000_000
        for one in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_film_is_read_frame_by_frame(tmp_path):
    path = film(tmp_path / "a.mp4")
    frames = list(read_video(path))
    assert frame_count(path) == len(frames) == 5
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4], abs=0.01)
    for frame, picture in zip(frames, pictures(), strict=True):
        assert frame.image.shape == picture.shape and np.abs(frame.image.astype(int) - picture).mean() < 12


def test_what_is_no_video_is_one_clear_line(tmp_path, monkeypatch):
    for name in ("a.gif", "b.mp4"):
        if name.endswith("mp4"):
            pytest.importorskip("av", reason="PyAV, of the extra media, is absent")
        (tmp_path / name).write_bytes(b"no video" * 100)
        with pytest.raises(ImageError, match=name):
            list(read_video(tmp_path / name))
    with pytest.raises(ImageError):
        list(read_video(tmp_path / "none.mp4"))


def test_a_gif_that_asks_for_more_pixels_than_allowed_is_one_clear_line(tmp_path):
    content = bytearray(gif(tmp_path / "a.gif").read_bytes())
    content[6:10] = b"\xff\xff\xff\xff"  # width and height of its screen
    (tmp_path / "b.gif").write_bytes(content)
    for read in (frame_count, lambda path: list(read_video(path))):
        with pytest.raises(ImageError, match=r"b\.gif.*AVSNET_MAX_PIXELS"):
            read(tmp_path / "b.gif")


def test_a_gif_that_is_cut_anywhere_gives_the_frames_before_or_one_clear_line(tmp_path):
    content = gif(tmp_path / "a.gif").read_bytes()
    for end in range(1, len(content), 7):
        (tmp_path / "b.gif").write_bytes(content[:end])
        try:
            assert 1 <= len(list(read_video(tmp_path / "b.gif"))) <= 5
        except ImageError as error:
            assert "b.gif" in str(error)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(MissingExtraError, match=r"avsnet\[media\]"):
        list(read_video(tmp_path / "a.mp4"))
