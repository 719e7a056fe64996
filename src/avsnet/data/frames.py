"""Frames of moving cameras, in the order of time: of BatVision V1, or of a folder of one's own footage."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.data.folder import find_captures
from avsnet.data.transforms import check_size, load_image
from avsnet.data.triplets import continuous
from avsnet.errors import DataError, ImageError
from avsnet.geometry import resize_intrinsics
from avsnet.io import picture_size

Camera = Callable[[Path | None, tuple[int, int]], np.ndarray]
"""Gives (3, 3) pixels of a picture of a size (H, W), which may have a file of its own."""

_STAMP = re.compile(r"([^/]+)/(\d\d)(\d\d)(\d\d(?:\.\d+)?)")


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
        size: (h, w) to which pictures and cameras are brought, pixels.
        camera: gives the intrinsics of a picture of its own size.
    """

    def __init__(self, frames: Sequence[Frame], size: tuple[int, int], camera: Camera) -> None:
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
        matrix = resize_intrinsics(self.camera(frame.intrinsics, own), own, self.size)
        return {"id": frame.id, "image": image, "intrinsics": torch.from_numpy(matrix.astype(np.float32))}


def batvision_v1_frames(root: str | Path, split: str) -> list[Frame]:
    """The frames of a split of V1 by the order of time; a day has a new recording wherever there is a long gap.

    Args:
        root: folder of V1.
        split: "train", "val" or "test".

    Raises:
        DataError: a table that cannot be read, or a file name without a time.
    """
    stamped = []
    for row in BatVisionV1(root, split, keys=("image",)).rows:
        found = _STAMP.fullmatch(row.id)
        if found is None:
            raise DataError(f"{root}: {row.id} is not named DAY/HHMMSS.ffffff, which gives the order of time")
        seconds = 3600 * int(found[2]) + 60 * int(found[3]) + float(found[4])
        stamped.append((found[1], seconds, row))
    stamped.sort(key=lambda entry: entry[:2])
    frames = []
    for day, group in groupby(stamped, key=lambda entry: entry[0]):
        entries = list(group)
        for (_, _, row), number in zip(entries, continuous([entry[1] for entry in entries]), strict=True):
            frames.append(Frame(row.id, row.image, f"{day}/{number}"))
    return frames


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
