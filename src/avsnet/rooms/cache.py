"""Samples of rooms kept on disk: one `.npy` file of one record each, whole or absent, read in well under a millisecond.

The folder is named after everything that shapes the bytes, so that what was made with other settings is never taken for
these. No torch here: whoever fills a cache needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avsnet.audio.range_axis import RangeAxis
from avsnet.geometry import resize_intrinsics
from avsnet.io.arrays import read_array
from avsnet.io.whole_files import atomic_path
from avsnet.rooms.simulator import VERSION, sample

FULL = 32_767
"""What a recording's peak is stored as."""

_LONGEST_LEAD = 1200  # samples by which a recording's direct sound may come later than where it is put


@dataclass(frozen=True)
class Store:
    """Settings of samples, and where they are kept.

    Args:
        domain: `"offices"` or `"historic"`.
        size: (h, w) pixels.
        aspect: as in `sample`.
        axis: of recordings, with a length; None: there are none, and no sound is made.
        preset: name of the simulator's knobs.
        cache: folder; None: nothing is kept.
        oversample: pictures are made so many times larger each way and averaged, as those of a camera are before they
            are learned from; that takes away noise. Depth is that of one pixel of each square.
    """

    domain: str
    size: tuple[int, int]
    aspect: float | None
    axis: RangeAxis | None
    preset: str
    cache: Path | None
    oversample: int = 1

    @property
    def folder(self) -> Path | None:
        """Where the samples of these settings lie."""
        if self.cache is None:
            return None
        name = f"{self.preset}-v{VERSION}-{self.domain}-{self.size[0]}x{self.size[1]}"
        name += f"-aspect{self.aspect:.4g}" if self.aspect else ""
        name += f"-oversample{self.oversample}" if self.oversample > 1 else ""
        if self.axis is None:
            return self.cache / f"{name}-silent"
        return self.cache / f"{name}-{self.axis.samples}-{'raw' if self.axis.align is None else self.axis.align}"

    @property
    def record_type(self) -> np.dtype:
        """What a record holds."""
        height, width = self.size
        kind: list[Any] = [
            ("rgb", "u1", (height, width, 3)),
            ("depth", "<u2", (height, width)),
            ("depth_sensor", "<u2", (height, width)),
        ]
        if self.axis is not None:
            kind += [("waveform", "<i2", (2, self.axis.samples or 0)), ("peak", "<f4")]
        kind += [("K", "<f8", (3, 3)), ("k", "<f8"), ("ambiguous", "?"), ("room_type", "<U16")]
        return np.dtype(kind)

    def path(self, seed: int, frame: int) -> Path:
        """The file of a sample."""
        assert self.folder is not None
        return self.folder / f"{seed // 1000:04d}" / f"{seed:07d}_{frame:04d}.npy"

    def read(self, seed: int, frame: int) -> np.ndarray:
        """A sample's record, made and kept if it was not there, or is damaged.

        It holds rgb, depth and depth_sensor (uint16 millimetres), waveform (int16, `FULL` standing for `peak`) and
        peak where there is sound, K, k, ambiguous and room_type.
        """
        if self.folder is not None:
            try:
                kept = read_array(self.path(seed, frame))
            except (FileNotFoundError, ValueError):  # none, or one that a full disk or a copy has damaged
                return self.make(seed, frame)
            if kept.dtype == self.record_type and kept.shape == ():
                return kept
        return self.make(seed, frame)

    def fill(self, item: tuple[int, int]) -> None:
        """Make and keep a sample; for worker processes, which send nothing back."""
        self.make(*item)

    def make(self, seed: int, frame: int) -> np.ndarray:
        """Make a sample's record, and keep it where there is a cache."""
        samples = 0 if self.axis is None else self.axis.samples or 0
        raw = samples + (0 if self.axis is None or self.axis.align is None else _LONGEST_LEAD)
        height, width = self.size
        finer = (height * self.oversample, width * self.oversample)
        made = sample(self.domain, seed, frame, size=finer, aspect=self.aspect, samples=raw, preset=self.preset)
        record = np.zeros((), self.record_type)
        if self.axis is not None:
            waveform = self.axis.place(made["audio"], made["rig"].direct_sample)
            peak = max(float(np.abs(waveform).max()), 1e-12)
            record["waveform"], record["peak"] = np.round(waveform * (FULL / peak)), peak
        middle = slice(self.oversample // 2, None, self.oversample)
        squares = made["rgb"].reshape(height, self.oversample, width, self.oversample, 3)
        record["rgb"] = np.round(squares.mean(axis=(1, 3)))
        record["depth"] = np.clip(np.round(made["depth"][middle, middle] * 1000.0), 0, 65_535)
        record["depth_sensor"] = made["depth_sensor"][middle, middle]
        record["K"] = resize_intrinsics(made["K"], finer, self.size)
        for name in ("k", "ambiguous", "room_type"):
            record[name] = made[name]
        if self.folder is not None:
            with atomic_path(self.path(seed, frame)) as temporary:
                np.save(temporary, record)
        return record
