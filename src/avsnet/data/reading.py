"""How the samples of a data set are wanted: one set of options that every data set's `open` understands."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.audio.range_axis import AS_RECORDED, RangeAxis

if TYPE_CHECKING:
    import numpy as np

KEYS = ("image", "waveform", "depth")
"""What can be read of a row; `valid`, `sample_rate` and `echo` come along."""

Camera = Callable[["Path | np.ndarray | None", tuple[int, int]], "np.ndarray"]
"""Gives (3, 3) pixels of a picture of a size (H, W), which may have a camera of its own, a file or a matrix."""


@dataclass(frozen=True)
class Reading:
    """How the samples of a data set are wanted. A data set passes over what it has no use for.

    Attributes:
        split: "train", "val", "test" or "all"; data sets without splits are read whole.
        size: (h, w) of pictures, depth and cameras, pixels; None: as in the files.
        cap: metres; deeper pixels do not count; None: the data set's own.
        axis: of recordings.
        keys: which of `KEYS` to read; files of the others are not opened.
        locations: of a data set that has some, those to read; None: all there are.
        leave_out: and those to leave out.
        cache: folder in which simulated samples and echoes are kept.
        rigs: half-real frames are recorded by so many rigs, each recording a sample of its own.
        oversample: simulated pictures are made so many times larger each way and averaged.
    """

    split: str = "test"
    size: tuple[int, int] | None = None
    cap: float | None = None
    axis: RangeAxis = AS_RECORDED
    keys: tuple[str, ...] = KEYS
    locations: Collection[str] | None = None
    leave_out: Collection[str] = ()
    cache: str | Path | None = None
    oversample: int = 1
    rigs: int = 1
