"""BatVision V1: offices at UC Berkeley, one folder per day.

Source: as `batvision_v2`. Layout: ROOT/{train,val,test}.csv, whose paths are relative to ROOT; per instance one `.npy`
per ear (44.1 kHz, about 975 nearly blank samples before the chirp), depth in millimetres as `.npy` with NaN, infinite
and negative values, and the left picture of a stereo camera.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path, PurePosixPath

from avsnet.audio.range_axis import BATVISION_AXIS, RangeAxis
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.check_report import Report
from avsnet.data.check_rows import Part, remark_repeats
from avsnet.data.frames import Frame, file_footage
from avsnet.data.reading import KEYS, Camera, Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.rows import Row, RowDataset, RowReader, row_part, without_repeats
from avsnet.data.table import inside, read_table
from avsnet.data.triplets import Footage, continuous
from avsnet.errors import DataError, OptionError

SPLITS = ("train", "val", "test")
PUBLISHED_ROWS = {"train": None, "val": None, "test": 4960, "all": 52_220}
"""How many rows the official splits have, where that was published; 52 220 in all, by hearsay."""

PUBLISHED_TRIPLETS = {"train": "39165 triplets", "val": "7378 triplets", "test": "4960 instances"}
"""What the paper makes of the splits, twenty frames apart."""

CAP = 12.0
"""Metres; the published cap."""

_COLUMNS = {
    "image": ("camera path left",),
    "waveform": ("audio path left", "audio path right"),
    "depth": ("depth path",),
}
_STAMP = re.compile(r"([^/]+)/(\d\d)(\d\d)(\d\d(?:\.\d+)?)")


class BatVisionV1(RowDataset):
    """The rows of one split of V1, as samples; what the options mean stands at `RowReader`.

    With the same `axis` as V2, which is the default, a column of a spectrogram means the same range in both parts.

    Args:
        root: the folder that holds `train.csv`, `val.csv` and `test.csv`.
        split: "train", "val" or "test".
        size: (h, w) of picture and depth, pixels.
        cap: metres.
        over_cap: "drop" or "clip".
        axis: of recordings; the authors' code has them as recorded.
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
        cap: float = CAP,
        over_cap: str = "drop",
        axis: RangeAxis = BATVISION_AXIS,
        spectrogram: SpectrogramSettings | None = None,
        keys: Sequence[str] = KEYS,
        full_scale: float | None = None,
    ) -> None:
        if split not in SPLITS:
            raise OptionError(f"split: found {split!r}, wanted one of {', '.join(SPLITS)}")
        self.root, self.split = Path(root), split
        reader = RowReader(cap, over_cap, size, axis, spectrogram, tuple(keys), full_scale)
        table = self.root / f"{split}.csv"
        rows, self.repeated = without_repeats(_rows(self.root, table, reader.keys))
        if not rows:
            raise DataError(f"{table}: lists no row; copy it again")
        super().__init__(rows, reader)

    @cached_property
    def _recordings(self) -> dict[str, str]:
        """The recording that each row was taken from; its day where the files' names have no time."""
        try:
            return {frame.id: str(frame.recording) for frame in _frames(self.root, self.rows)}
        except DataError:
            return {row.id: row.id.partition("/")[0] for row in self.rows}

    def group_of(self, identity: str) -> str:
        """What images share that are hard or easy together: the recording, which is one walk on one day."""
        return self._recordings[identity]


def _rows(root: Path, table: Path, keys: tuple[str, ...]) -> list[Row]:
    # The left ear's file gives the id, so its column is always wanted.
    wanted = dict.fromkeys(["audio path left", *(column for key in keys for column in _COLUMNS[key])])
    rows = []
    for number, row in enumerate(read_table(table, list(wanted)), 1):
        left = PurePosixPath(row["audio path left"])
        name = f"{left.parts[0]}/{left.stem.removesuffix('_left')}" if left.parts else f"row {number} of {table.name}"
        image, (left_ear, right_ear), (depth,) = (
            [inside(root, cell, table=table) if (cell := row.get(column)) else "" for column in _COLUMNS[key]]
            for key in KEYS
        )
        rows.append(Row(name, image[0], (left_ear, right_ear), depth))
    return rows


def _open(root: str, reading: Reading) -> BatVisionV1:
    return BatVisionV1(
        root,
        reading.split,
        size=reading.size,
        cap=CAP if reading.cap is None else reading.cap,
        axis=reading.axis,
        keys=reading.keys,
    )


def _recognise(root: Path) -> bool:
    return any((root / f"{split}.csv").is_file() for split in SPLITS)


def _check(root: Path, report: Report, full_scale: float | None) -> list[Part]:
    """Split by split, so that a broken table costs no other."""
    report.remarks.append(f"the published {PUBLISHED_ROWS['all']} of all splits together is second-hand")
    parts = []
    for split in SPLITS:
        try:
            data = BatVisionV1(root, split, full_scale=full_scale)
        except DataError as error:
            report.broken.append(str(error))
            continue
        remark_repeats(report, split, data.repeated)
        parts.append(row_part(split, data))
    return parts


def batvision_v1_frames(root: str | Path, split: str) -> list[Frame]:
    """The frames of a split by the order of time; a day has a new recording wherever there is a long gap.

    Args:
        root: folder of V1.
        split: "train", "val" or "test".

    Raises:
        DataError: a table that cannot be read, or a file name without a time.
    """
    return _frames(Path(root), BatVisionV1(root, split, keys=("image",)).rows)


def _frames(root: Path, rows: Sequence[Row]) -> list[Frame]:
    stamped = []
    for row in rows:
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


def _footage(root: str, reading: Reading, interval: int, camera: Camera) -> Footage:
    """The training split, with the counts of the others that are there: one can train without their tables."""
    splits = [split for split in SPLITS if split == "train" or (Path(root) / f"{split}.csv").exists()]
    frames = {split: batvision_v1_frames(root, split) for split in splits}
    found = {split: file_footage(frames[split], reading.size, interval, camera) for split in splits}
    counts = {split: footage.count() for split, footage in found.items()}
    if "test" in frames:
        counts["test"] = f"{len(frames['test'])} instances"  # which the paper does not train on
    lines = [f"{split} {count} (paper: {PUBLISHED_TRIPLETS[split]})" for split, count in counts.items()]
    return replace(found["train"], counts=", ".join(lines))


register_data_set(
    DataSetInfo(
        "batvision_v1",
        _open,
        recognise=_recognise,
        cap=CAP,
        splits=SPLITS,
        published=PUBLISHED_ROWS,
        check=_check,
        footage=_footage,
    )
)
