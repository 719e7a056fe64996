"""Frames of moving cameras in the order of time, and a folder of one's own footage as a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.data.folder import CaptureFolder, find_captures
from avsnet.data.reading import Camera, Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.transforms import check_size, load_image
from avsnet.data.triplets import Footage
from avsnet.errors import DataError, ImageError
from avsnet.geometry import resize_intrinsics
from avsnet.io.pictures import picture_size


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a recording.

    Attributes:
        id: unique, stable, sortable.
        image: path of the picture; "" where the table names none.
        recording: of which it is part.
        intrinsics: file of its camera, if there is any.
    """

    id: str
    image: str
    recording: str
    intrinsics: Path | None = None


class Frames(Dataset[dict[str, Any]]):
    """Frames as samples with id, image and intrinsics.

    Args:
        frames: what to read.
        size: (h, w) to which pictures and cameras are brought, pixels; None keeps each picture's own.
        camera: gives the intrinsics of a picture of its own size.
    """

    def __init__(self, frames: Sequence[Frame], size: tuple[int, int] | None, camera: Camera) -> None:
        check_size(size)
        self.frames, self.size, self.camera = frames, size, camera

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One frame.

        Raises:
            DataError: the picture cannot be read; names the frame and the file.
            CalibrationError: its camera makes no sense.
        """
        frame = self.frames[index]
        try:
            image = load_image(frame.image, self.size)
            own = picture_size(frame.image)
        except ImageError as error:
            raise DataError(f"{frame.id}: {error}") from None
        matrix = resize_intrinsics(self.camera(frame.intrinsics, own), own, self.size or own)
        return {"id": frame.id, "image": image, "intrinsics": torch.from_numpy(matrix.astype(np.float32))}


def folder_frames(root: str | Path) -> list[Frame]:
    """The pictures of a folder and of its sub-folders, each of which is one recording; 2.jpg comes before 10.jpg.

    Args:
        root: the folder; cameras lie in it as those of captures do.

    Raises:
        DataError: no folder, or no picture in it.
    """
    captures = sorted(find_captures(Path(root)), key=lambda capture: _natural(capture.id))
    return [Frame(one.id, str(one.image), one.id.rpartition("/")[0], one.intrinsics) for one in captures]


def _natural(name: str) -> list[str | int]:
    """Text and numbers in turn, so that numbers are compared as such."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name))]


def file_footage(frames: Sequence[Frame], size: tuple[int, int] | None, interval: int, camera: Camera) -> Footage:
    """Frames of files as footage.

    Args:
        frames: in the order of time.
        size: as in `Frames`.
        interval: frames from a picture to its neighbours.
        camera: as in `Frames`.

    Raises:
        CalibrationError: the camera of the first frame makes no sense.
    """
    with suppress(ImageError):  # a camera that makes no sense ends a run before it begins
        camera(frames[0].intrinsics, picture_size(frames[0].image))
    return Footage(
        Frames(frames, size, camera),
        [frame.recording for frame in frames],
        interval,
        missing=frozenset(place for place, frame in enumerate(frames) if not frame.image),
        camera_known=all(frame.intrinsics is not None for frame in frames),
    )


def _footage(root: str, reading: Reading, interval: int, camera: Camera) -> Footage:
    return file_footage(folder_frames(root), reading.size, interval, camera)


def _open(root: str, reading: Reading) -> CaptureFolder:
    return CaptureFolder(root, size=reading.size, keys=("image",))


register_data_set(DataSetInfo("frames", _open, footage=_footage, has_depth=False))
