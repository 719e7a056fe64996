"""Rows of BatVision and how they become samples.

V1 and V2 share it, so that both come with one range axis and one rule for depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.range_axis import BATVISION_AXIS, RangeAxis
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.batvision_files import load_depth, load_ears
from avsnet.data.check_report import RowReport
from avsnet.data.check_rows import Part, measure_depth, measure_sound
from avsnet.data.reading import KEYS
from avsnet.data.transforms import check_size, load_image
from avsnet.errors import AudioError, DataError, DepthError, EchoError, ImageError, OptionError, SampleError
from avsnet.io.pictures import open_picture
from avsnet.metrics import valid_depth

_GLANCE = (90, 160)  # a JPEG is decoded at an eighth, for which all of its bytes are read


@dataclass(frozen=True, slots=True)
class Row:
    """The files of one instance.

    Attributes:
        id: unique, stable, sortable.
        image: path of the picture; "", as for the others, where the table names none.
        audio: one WAV of two channels, or one `.npy` per ear, left first.
        depth: path of the `.npy`.
    """

    id: str
    image: str
    audio: tuple[str, ...]
    depth: str

    def require(self, keys: Sequence[str]) -> None:
        """Refuse a row whose table leaves out a file of these keys.

        Raises:
            DataError: names the row and what is left out.
        """
        files = {"image": (self.image,), "waveform": self.audio, "depth": (self.depth,)}
        for key in keys:
            if not all(files[key]):
                raise DataError(f"{self.id}: the table names no {key} file; fill in the cell, or drop the row")


@dataclass(frozen=True)
class RowReader:
    """How rows become samples; call it with a `Row`.

    Attributes:
        cap: metres; deeper pixels do not count.
        over_cap: "drop": they are unknown (the paper); "clip": they count as the cap (the authors' code).
        size: (h, w) of picture and depth, pixels; None: as in the files.
        axis: where the direct sound stands in a recording, and how long the recording is.
        spectrogram: settings that turn `waveform` into `echo`; None: no `echo`.
        keys: which of `KEYS` to read; files of the others are not opened.
        full_scale: what the samples of `.npy` recordings are divided by; None: signed integers by their type's own
            full scale, floats by 1.

    Raises:
        OptionError: a setting is outside what it allows.
    """

    cap: float
    over_cap: str = "drop"
    size: tuple[int, int] | None = None
    axis: RangeAxis = BATVISION_AXIS
    spectrogram: SpectrogramSettings | None = None
    keys: tuple[str, ...] = KEYS
    full_scale: float | None = None

    def __post_init__(self) -> None:
        check_size(self.size)
        valid_depth(np.zeros(1), self.cap, self.over_cap)
        if not set(self.keys) or not set(self.keys) <= set(KEYS):
            raise OptionError(f"keys: found {self.keys}, wanted some of {', '.join(KEYS)}")
        if self.full_scale is not None and not 0.0 < self.full_scale < float("inf"):
            raise OptionError(f"full_scale: found {self.full_scale}, wanted None or a positive number, such as 32768")
        wanted = self.spectrogram.samples if self.spectrogram else None
        if wanted is not None and self.axis.samples is not None and wanted > self.axis.samples:
            raise OptionError(
                f"samples: {self.axis.samples} are fewer than the {wanted} of the spectrogram; give as many"
            )

    def __call__(self, row: Row) -> dict[str, Any]:
        """Read a row.

        Returns:
            The sample of `avsnet.data.sample`, and `notes`: what was odd and was corrected, one line or "".

        Raises:
            DataError: a file is missing, broken or does not fit the others; names the row, the file and the reason.
        """
        (found,) = self.read([row])
        if isinstance(found, DataError):
            raise found
        return found

    def read(self, rows: Sequence[Row]) -> list[dict[str, Any] | DataError]:
        """Read rows kind by kind: all pictures, then all recordings, and so on.

        That is a fifth faster than row by row, as what one kind needs stays in the processor's caches.

        Returns:
            In the place of each row its sample, or the error that calling with this row raises.
        """
        steps = [self._image] if "image" in self.keys else []
        if "waveform" in self.keys:
            steps += [self._ears, self._place] + ([] if self.spectrogram is None else [self._echo])
        if "depth" in self.keys:
            steps += [self._depth]
        found: list[dict[str, Any] | DataError] = [{"id": row.id, "notes": ""} for row in rows]
        for step in [self._whole, *steps]:
            for place, row in enumerate(rows):
                sample = found[place]
                if isinstance(sample, DataError):
                    continue
                try:
                    step(row, sample)
                except DataError as error:
                    found[place] = error
                except (ImageError, AudioError, DepthError) as error:
                    found[place] = DataError(f"{row.id}: {error}")
                except (EchoError, SampleError) as error:  # these know no file
                    found[place] = DataError(f"{row.id}: {row.audio[0]}: {error}")
        return found

    def _whole(self, row: Row, sample: dict[str, Any]) -> None:
        row.require(self.keys)

    def _image(self, row: Row, sample: dict[str, Any]) -> None:
        sample["image"] = load_image(row.image, self.size)

    def _ears(self, row: Row, sample: dict[str, Any]) -> None:
        recording, sample["notes"] = load_ears(row.audio, self.full_scale)
        sample["waveform"], sample["sample_rate"] = torch.from_numpy(recording.waveform), recording.sample_rate

    def _place(self, row: Row, sample: dict[str, Any]) -> None:
        waveform = sample["waveform"].numpy()
        direct = None if self.axis.align is None else direct_sound(waveform)
        sample["waveform"] = torch.from_numpy(self.axis.place(waveform, direct))

    def _echo(self, row: Row, sample: dict[str, Any]) -> None:
        assert self.spectrogram is not None
        sample["echo"] = self.spectrogram(sample["waveform"])

    def _depth(self, row: Row, sample: dict[str, Any]) -> None:
        sample["depth"], sample["valid"] = load_depth(row.depth, self.cap, self.over_cap, self.size)
        if "image" in sample and sample["image"].shape[1:] != sample["depth"].shape[1:]:
            picture, depth = (tuple(sample[key].shape[1:]) for key in ("image", "depth"))
            raise DepthError(f"picture of {picture} and depth of {depth} pixels; give one size for both")


class RowDataset(Dataset[dict[str, Any]]):
    """Rows of a data set as samples.

    Args:
        rows: the files of each row.
        reader: what makes samples of them.
    """

    def __init__(self, rows: list[Row], reader: RowReader) -> None:
        self.rows, self.reader = rows, reader

    @property
    def cap(self) -> float:
        """Metres up to which depth counts."""
        return self.reader.cap

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The sample at a place of the split.

        Raises:
            DataError: an unreadable row; `loading.SampleLoader` leaves such rows out and counts them.
        """
        return self.reader(self.rows[index])

    def read(self, indices: Sequence[int]) -> list[dict[str, Any] | DataError]:
        """Samples or errors at some places, faster than one by one; `loading.SampleLoader` reads batches so."""
        return self.reader.read([self.rows[index] for index in indices])


def without_repeats(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Keep the first row of each id: a recording that is listed twice would count twice.

    Returns:
        The rows in their order, and the ids of those left out.
    """
    kept: dict[str, Row] = {}
    repeated = []
    for row in rows:
        if row.id in kept:
            repeated.append(row.id)
        else:
            kept[row.id] = row
    return list(kept.values()), repeated


def row_part(split: str, data: RowDataset) -> Part:
    """The rows of a split to check: their files as they are, whatever the reader makes of them."""
    return Part(split, [row.id for row in data.rows], partial(_measure, data))


def _measure(data: RowDataset, index: int, report: RowReport) -> None:
    files = data.rows[index]
    files.require(KEYS)
    load_image(files.image, _GLANCE)
    with open_picture(files.image) as picture:
        report.picture = f"{picture.width} x {picture.height}"
    recording, report.notes = load_ears(files.audio, data.reader.full_scale)
    depth = load_depth(files.depth, data.reader.cap)
    measure_sound(report, recording.waveform, recording.sample_rate)
    measure_depth(report, *depth)
