"""The triplets of a source, by its short name, and what there is to tell about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from avsnet.data.triplets import Triplets, find_triplets
from avsnet.errors import CalibrationError, ImageError, OptionError
from avsnet.io import picture_size
from avsnet.predict import ASSUMED_FOV, camera_of
from avsnet.train.config import DataConfig

if TYPE_CHECKING:
    from avsnet.data.frames import Frame
    from avsnet.rooms.dataset import Rooms

PUBLISHED = {"train": "39165 triplets", "val": "7378 triplets", "test": "4960 instances"}
"""What the paper makes of the splits of V1."""


def open_triplets(source: str, config: DataConfig) -> Triplets:
    """The triplets to train on.

    Args:
        source: `batvision_v1:ROOT`, of which the training split is taken, `rooms:DOMAIN:FIRST-LAST` or `frames:ROOT`.
        config: size, interval, intrinsics and cache.

    Raises:
        OptionError: a source without moving frames.
        DataError: there is no triplet, or the data set is not as published.
        CalibrationError: the intrinsics make no sense.
    """
    kind, _, where = source.partition(":")
    if kind == "rooms":
        return _of_rooms(source, config)
    if kind == "batvision_v1":
        return _of_batvision(source, where, config)
    if kind == "frames":
        from avsnet.data.frames import folder_frames

        return _of_files(source, folder_frames(where), config)
    raise OptionError(f"source {source!r} has no moving frames; data.interval goes with batvision_v1, rooms and frames")


def open_rooms(source: str, config: DataConfig, **options: Any) -> Rooms:
    """The rooms that `rooms:DOMAIN:FIRST-LAST` names, kept in the config's cache.

    Args:
        source: the name.
        config: size and cache.
        **options: further ones of `Rooms`.

    Raises:
        OptionError: no such form.
    """
    from avsnet.rooms.dataset import Rooms

    found = re.fullmatch(r"rooms:(\w+):(\d+)-(\d+)", source)
    if found is None:
        raise OptionError(f"source {source!r}: wanted rooms:DOMAIN:FIRST-LAST, such as rooms:historic:0-1999")
    seeds = range(int(found[2]), int(found[3]) + 1)
    if not seeds:
        raise OptionError(f"source {source!r}: holds no room; give the smaller seed first")
    size = (config.size[0], config.size[1])
    return Rooms(found[1], seeds, size=size, cache=config.cache, oversample=config.oversample, **options)


def _of_rooms(source: str, config: DataConfig) -> Triplets:
    from avsnet.rooms.geometry.walk import FRAMES

    # Every so many frames of each walk: neighbouring triplets share pictures.
    rooms = open_rooms(source, config, frames=range(0, FRAMES, config.interval or 1), depth=None, samples=0)
    intrinsics = None
    if config.intrinsics is not None:
        intrinsics = torch.from_numpy(_camera(config.intrinsics, None, rooms.size).astype(np.float32))
    triplets = find_triplets([seed for seed, _ in rooms.items], 1)
    return Triplets(rooms, triplets, intrinsics, [_told(source, config, _count(triplets, rooms.items))])


def _of_batvision(source: str, root: str, config: DataConfig) -> Triplets:
    from avsnet.data.batvision_v1 import SPLITS
    from avsnet.data.frames import batvision_v1_frames

    # One can train without the other splits' tables.
    splits = [split for split in SPLITS if split == "train" or (Path(root) / f"{split}.csv").exists()]
    frames = {split: batvision_v1_frames(root, split) for split in splits}
    counts = []
    for split, own in frames.items():
        kept = f"{len(own)} instances" if split == "test" else _count(_triplets(own, config), own)
        counts.append(f"{split} {kept} (paper: {PUBLISHED[split]})")
    return _of_files(source, frames["train"], config, ", ".join(counts))


def _of_files(source: str, frames: Sequence[Frame], config: DataConfig, counts: str | None = None) -> Triplets:
    from avsnet.data.frames import Frames

    triplets = _triplets(frames, config)
    told = [_told(source, config, counts or _count(triplets, frames))]
    if config.intrinsics is None and any(frame.intrinsics is None for frame in frames):
        told.append(f"{source}: no camera known, field of view assumed: {ASSUMED_FOV:g} degrees horizontal")
    camera = partial(_camera, config.intrinsics)
    with suppress(ImageError):  # a camera that makes no sense ends a run before it begins
        camera(frames[0].intrinsics, picture_size(frames[0].image))
    return Triplets(Frames(frames, (config.size[0], config.size[1]), camera), triplets, told=told)


def _triplets(frames: Sequence[Frame], config: DataConfig) -> list[tuple[int, int, int]]:
    found = find_triplets([frame.recording for frame in frames], config.interval or 1)
    return [triplet for triplet in found if all(frames[place].image for place in triplet)]


def _camera(given: float | str | None, own: Path | None, size: tuple[int, int]) -> np.ndarray:
    """(3, 3) pixels of a picture of `size`: of the config, else its own, else the assumed one."""
    if given is None:
        return camera_of(own, None, size)[0]
    try:
        degrees = float(given)
    except ValueError:
        if not Path(str(given)).is_file():
            raise CalibrationError(
                f"data.intrinsics {given!r}: no such file; give a camera file or a horizontal field of view in degrees"
            ) from None
        return camera_of(str(given), None, size)[0]
    return camera_of(None, degrees, size)[0]


def _count(triplets: Sequence[Any], frames: Sequence[Any]) -> str:
    return f"{len(triplets)} triplets of {len(frames)} frames"


def _told(source: str, config: DataConfig, counts: str) -> str:
    return f"{source}, {config.interval} frames apart: {counts}"
