"""RGB-D data: any folder of pictures and depth maps, without sound.

Source: the folders' own conventions, `avsnet.data.rgbd_conventions`. `avsnet.rooms.half_real` makes the echoes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.data.reading import KEYS, Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.rgbd_conventions import is_unmistakable
from avsnet.data.rgbd_frames import ASPECT, camera_of_frame, find_frames
from avsnet.data.split_files import SPLITS, in_split, room_types
from avsnet.data.transforms import check_size, load_image, resize_nearest
from avsnet.errors import DepthError, OptionError
from avsnet.geometry import resize_intrinsics
from avsnet.io.depth_maps import map_like_picture
from avsnet.io.pictures import picture_size
from avsnet.metrics import valid_depth

CAP = 10.0
"""Metres up to which depth counts: what most depth cameras reach."""


class RgbdFolder(Dataset[dict[str, Any]]):
    """A folder of pictures and depth maps, as samples with image, depth, valid, intrinsics and id.

    Args:
        root: the folder.
        split: "train", "val", "test" or "all"; a folder without `split.csv` is read whole.
        size: (h, w) to which picture, depth and camera are brought, pixels; None keeps each picture's own.
        cap: metres; deeper pixels are unknown.
        keys: which of image and depth to read.

    Raises:
        OptionError: a size, a cap or a split outside what it allows.
        DataError: no folder of a known convention, a broken `rgbd.json` or `split.csv`, or no frame in the split.

    Attributes:
        convention: how the folder is written.
        frames: the files behind each index.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "all",
        *,
        size: tuple[int, int] | None = None,
        cap: float = CAP,
        keys: Sequence[str] = KEYS,
    ) -> None:
        check_size(size)
        if not cap > 0.0:
            raise OptionError(f"cap: found {cap}, wanted metres above 0")
        if split not in SPLITS:
            raise OptionError(f"split {split!r} is none of {', '.join(SPLITS)}")
        self.root, self.size, self.cap, self.keys = Path(root), size, cap, tuple(keys)
        self.convention, every = find_frames(self.root)
        by_id = {frame.id: frame for frame in every}
        self._place = {frame.id: place for place, frame in enumerate(every)}
        self._room_types = room_types(self.root / "split.csv")
        self.frames = [by_id[name] for name in in_split(list(by_id), split, self.root / "split.csv")]

    def __len__(self) -> int:
        return len(self.frames)

    def group_of(self, identity: str) -> str:
        """What images share that are hard or easy together: the scene's folder, or the block of neighbours in it."""
        scene = identity.rpartition("/")[0] or "."
        if self.convention.neighbours is None:
            return scene
        return f"{scene}/{self._place[identity] // self.convention.neighbours:04d}"

    def room_type_of(self, identity: str) -> str:
        """The kind of room where `split.csv` tells it as scene_type, else ""."""
        return self._room_types.get(identity, "")

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample of the contract; `intrinsics` are there where the folder or its convention knows a camera.

        Raises:
            ImageError: the picture cannot be read.
            DepthError: the depth cannot be read, or has another aspect ratio than the picture.
            CalibrationError: the camera cannot be read or belongs to another picture.
        """
        frame = self.frames[index]
        own = picture_size(frame.image)
        size = self.size or own
        sample: dict[str, Any] = {"id": frame.id}
        if "image" in self.keys:
            sample["image"] = load_image(frame.image, self.size)
        if "depth" in self.keys:
            metres = map_like_picture(self.convention.read(frame.depth, frame.mask), frame.depth, frame.image)
            if abs(metres.shape[1] * own[0] / (metres.shape[0] * own[1]) - 1.0) > ASPECT:
                raise DepthError(f"{frame.depth}: {metres.shape} with a picture of {own}; give the same aspect ratio")
            depth, valid = valid_depth(resize_nearest(metres, size), self.cap)
            sample["depth"], sample["valid"] = torch.from_numpy(depth)[None], torch.from_numpy(valid)[None]
        matrix = camera_of_frame(frame, self.convention, own)
        if matrix is not None:
            sample["intrinsics"] = torch.from_numpy(resize_intrinsics(matrix, own, size).astype(np.float32))
        return sample


def _open(root: str, reading: Reading) -> RgbdFolder:
    cap = CAP if reading.cap is None else reading.cap
    return RgbdFolder(root, reading.split, size=reading.size, cap=cap, keys=reading.keys)


register_data_set(DataSetInfo("rgbd", _open, recognise=is_unmistakable, cap=CAP, has_echo=False))
