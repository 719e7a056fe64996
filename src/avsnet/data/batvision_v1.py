"""BatVision V1: offices at UC Berkeley, one folder per day.

Source: as `batvision_v2`. Layout: ROOT/{train,val,test}.csv, whose paths are relative to ROOT; per instance one `.npy`
per ear (44.1 kHz, about 975 nearly blank samples before the chirp), depth in millimetres as `.npy` with NaN, infinite
and negative values, and the left picture of a stereo camera.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.rows import DIRECT_AT, KEYS, SAMPLES, Row, RowDataset, RowReader, without_repeats
from avsnet.data.table import read_table
from avsnet.errors import DataError, OptionError

SPLITS = ("train", "val", "test")
PUBLISHED_ROWS = {"test": 4960}
"""How many rows the official splits have, where that was published; 52 220 in all, by hearsay."""

_COLUMNS = {
    "image": ("camera path left",),
    "waveform": ("audio path left", "audio path right"),
    "depth": ("depth path",),
}


class BatVisionV1(RowDataset):
    """The rows of one split of V1, as samples; what the options mean stands at `RowReader`.

    With the same `samples` and `align` as V2, which is the default, a column of a spectrogram means the same range in
    both parts.

    Args:
        root: the folder that holds `train.csv`, `val.csv` and `test.csv`.
        split: "train", "val" or "test".
        size: (h, w) of picture and depth, pixels.
        cap: metres.
        over_cap: "drop" or "clip".
        samples: length of every recording.
        align: the sample at which the direct sound is put; None: as recorded, as the authors' code does.
        spectrogram: settings that give `echo`.
        keys: which of image, waveform and depth to read.
        full_scale: what recordings are divided by, where their own type does not say.

    Attributes:
        rows: the files of each row; ids are `<day>/<time>`.
        repeated: ids that were listed more than once; each is read once.

    Raises:
        DataError: the table is missing, cannot be read or lists no row.
        OptionError: a setting is outside what it allows.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        *,
        size: tuple[int, int] | None = None,
        cap: float = 12.0,
        over_cap: str = "drop",
        samples: int | None = SAMPLES,
        align: int | None = DIRECT_AT,
        spectrogram: SpectrogramSettings | None = None,
        keys: Sequence[str] = KEYS,
        full_scale: float | None = None,
    ) -> None:
        if split not in SPLITS:
            raise OptionError(f"split: found {split!r}, wanted one of {', '.join(SPLITS)}")
        self.root, self.split = Path(root), split
        reader = RowReader(cap, over_cap, size, samples, align, spectrogram, tuple(keys), full_scale)
        table = self.root / f"{split}.csv"
        rows, self.repeated = without_repeats(_rows(self.root, table, reader.keys))
        if not rows:
            raise DataError(f"{table}: lists no row; copy it again")
        super().__init__(rows, reader)


def _rows(root: Path, table: Path, keys: tuple[str, ...]) -> list[Row]:
    # The left ear's file gives the id, so its column is always wanted.
    wanted = dict.fromkeys(["audio path left", *(column for key in keys for column in _COLUMNS[key])])
    rows = []
    for number, row in enumerate(read_table(table, list(wanted)), 1):
        left = PurePosixPath(row["audio path left"])
        name = f"{left.parts[0]}/{left.stem.removesuffix('_left')}" if left.parts else f"row {number} of {table.name}"
        image, (left_ear, right_ear), (depth,) = (
            [os.path.join(root, cell) if (cell := row.get(column)) else "" for column in _COLUMNS[key]] for key in KEYS
        )
        rows.append(Row(name, image[0], (left_ear, right_ear), depth))
    return rows
