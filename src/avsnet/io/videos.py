"""Pictures out of a video, one after the other: an animated GIF as it is, other films with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ImageSequence

from avsnet.errors import ImageError, LimitError, MissingExtraError, one_line
from avsnet.io.limits import PIXELS
from avsnet.io.pictures import open_picture, rgb_array
from avsnet.io.whole_files import require_bytes

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif")
"""Endings of files that are read as videos."""

_GIF_FRAME = 0.1  # seconds, of a frame that does not tell


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video.

    Args:
        image: (H, W, 3) uint8 RGB, upright.
        time: seconds from the video's start.
    """

    image: np.ndarray
    time: float


def read_video(path: str | Path) -> Iterator[Frame]:
    """Every frame, decoded as it is asked for.

    Raises:
        ImageError: the file is missing, or no video, or its frames have more pixels than `PIXELS` allows.
        MissingExtraError: a video other than a GIF, without PyAV.
    """
    require_bytes(Path(path), ImageError, "video")
    with _errors_name(path):
        yield from _gif(path) if Path(path).suffix.lower() == ".gif" else _film(path)


def frame_count(path: str | Path) -> int | None:
    """How many frames the file says that it has; None where it does not tell.

    Raises:
        ImageError, MissingExtraError: as `read_video`.
    """
    with _errors_name(path):
        if Path(path).suffix.lower() == ".gif":
            with open_picture(path) as picture:
                return int(getattr(picture, "n_frames", 1))
        with _av(path).open(str(path)) as container:
            return int(container.streams.video[0].frames) or None if container.streams.video else None


@contextmanager
def _errors_name(path: str | Path) -> Iterator[None]:
    """Whatever goes wrong while a video is read is an error that names it."""
    try:
        yield
    except (ImageError, LimitError) as error:
        raise ImageError(f"{path}: {error}") from None
    except MissingExtraError:
        raise
    except Exception as error:  # on a broken file Pillow's readers raise nearly anything
        raise ImageError(f"{path}: cannot be read as a video ({one_line(error)}); export it again") from None


def _gif(path: str | Path) -> Iterator[Frame]:
    time = 0.0
    with open_picture(path) as picture:
        for frame in ImageSequence.Iterator(picture):
            yield Frame(rgb_array(frame.convert("RGB"), []), time)
            time += frame.info.get("duration", 0) / 1000.0 or _GIF_FRAME


def _film(path: str | Path) -> Iterator[Frame]:
    with _av(path).open(str(path)) as container:
        if not container.streams.video:
            raise ImageError("holds no pictures; give a video, or the sound as --echo")
        stream, first = container.streams.video[0], None
        PIXELS.check(stream.codec_context.width * stream.codec_context.height)
        for frame in container.decode(stream):
            time = float(frame.time or 0.0)
            first = time if first is None else first
            turned = np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90))
            yield Frame(np.ascontiguousarray(turned), time - first)


def _av(path: str | Path):  # type: ignore[no-untyped-def]  # an optional library's module
    try:
        import av
    except ImportError:
        raise MissingExtraError(f"{path}: a video needs PyAV; pip install 'avsnet[media]', or give a GIF") from None
    return av
