"""The triplets of a source, and the lines that say what it holds."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from avsnet.data.reading import Reading
from avsnet.data.registry import data_sets, find_data_set
from avsnet.data.triplets import Triplets
from avsnet.errors import CalibrationError, OptionError
from avsnet.geometry import ASSUMED_FOV, camera_of
from avsnet.train.config import DataConfig


def open_triplets(source: str, reading: Reading, config: DataConfig) -> Triplets:
    """The triplets to train on.

    Args:
        source: of a data set with frames of moving cameras, such as `frames:ROOT`.
        reading: size and cache.
        config: interval and intrinsics.

    Raises:
        OptionError: a source without moving frames.
        DataError: there is no triplet, or the data set is not as published.
        CalibrationError: the intrinsics make no sense.
    """
    info, where = find_data_set(source)
    if info.footage is None:
        moving = ", ".join(name for name, known in data_sets().items() if known.footage is not None)
        raise OptionError(f"source {source!r} has no moving frames; data.interval goes with {moving}")
    interval = config.interval or 1
    footage = info.footage(where, reading, interval, partial(_camera, config.intrinsics))
    remarks = [f"{source}, {interval} frames apart: {footage.counts or footage.count()}"]
    if config.intrinsics is None and not footage.camera_known:
        remarks.append(f"{source}: no camera known, field of view assumed: {ASSUMED_FOV:g} degrees horizontal")
    return Triplets(footage.frames, footage.triplets(), remarks)


def _camera(given: float | str | None, own: Path | np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
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
