"""BatVision V2: rooms of a Paris engineering school, one folder per location.

Source: Brunetto, Hornauer, Yu, Moutarde, "The Audio-Visual BatVision Dataset for Research on Sight and Sound", IROS
2023 (CC-BY-SA-4.0). Layout: ROOT/<location>/{train,val,test}.csv, whose paths are relative to ROOT and name the
location again: WAV of two channels at 44.1 kHz, depth in uint16 millimetres, JPEG of 1280 x 720.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from avsnet.audio.range_axis import BATVISION_AXIS, RangeAxis
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.check_report import Report
from avsnet.data.check_rows import Part, remark_repeats
from avsnet.data.reading import KEYS, Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.rows import Row, RowDataset, RowReader, row_part, without_repeats
from avsnet.data.table import inside, read_table
from avsnet.errors import DataError, OptionError

SPLITS = ("train", "val", "test")
PUBLISHED_ROWS = {"train": 1911, "val": 625, "test": 584}
"""How many rows the official splits have."""

CAP = 30.0
"""Metres; the published cap."""

_COLUMNS = {"image": "camera", "waveform": "audio", "depth": "depth"}


class BatVisionV2(RowDataset):
    """The rows of one split of V2, as samples; what the options mean stands at `RowReader`.

    Args:
        root: the folder that holds the locations. A location is a direct sub-folder with the split's CSV; anything
            else there is ignored, as are folders named `.*`, `__*` and `*_unzipped`, which unpacking leaves behind.
        split: "train", "val" or "test", each the concatenation over the locations, sorted by name; or "all", the
            three together.
        locations: names of those to take; None: all there are.
        leave_out: names of those to leave out.
        size: (h, w) of picture and depth, pixels.
        cap: metres.
        over_cap: "drop" or "clip".
        axis: of recordings. The authors' own settings: no alignment, with the samples of `ORIGINAL_SETTINGS`.
        spectrogram: settings that give `echo`.
        keys: which of image, waveform and depth to read.

    Attributes:
        locations: names of the locations that were taken, sorted.
        rows: the files of each row; ids are `<location>/<number>`.
        repeated: ids that were listed more than once; each is read once.

    Raises:
        DataError: no such folder, no location or no row in it, or a table that cannot be read.
        OptionError: a setting is outside what it allows, or a location that is not there.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        *,
        locations: Collection[str] | None = None,
        leave_out: Collection[str] = (),
        size: tuple[int, int] | None = None,
        cap: float = CAP,
        over_cap: str = "drop",
        axis: RangeAxis = BATVISION_AXIS,
        spectrogram: SpectrogramSettings | None = None,
        keys: Sequence[str] = KEYS,
    ) -> None:
        if split not in (*SPLITS, "all"):
            raise OptionError(f"split: found {split!r}, wanted one of {', '.join(SPLITS)}, all")
        self.root, self.split = Path(root), split
        reader = RowReader(cap, over_cap, size, axis, spectrogram, tuple(keys))
        self.locations = _chosen(find_locations(root), find_locations(root, split), locations, leave_out)
        tables = [(name, part) for name in self.locations for part in (SPLITS if split == "all" else (split,))]
        rows, self.repeated = without_repeats(
            row
            for name, part in tables
            if (table := self.root / name / f"{part}.csv").is_file()
            for row in _rows(self.root, name, table, reader.keys)
        )
        if not rows:
            raise DataError(f"{root}: the tables of split {split!r} list no row in {', '.join(self.locations)}")
        super().__init__(rows, reader)

    def group_of(self, identity: str) -> str:
        """What images share that are hard or easy together: the location."""
        return identity.rpartition("/")[0]


def leave_locations_out(root: str | Path, held_out: Collection[str], **options: Any) -> dict[str, BatVisionV2]:
    """Split by location, as the official split does not: its three parts share their rooms.

    Args:
        root: as in `BatVisionV2`.
        held_out: names of the locations to test on.
        **options: further options of `BatVisionV2`.

    Returns:
        "train" and "val": the official train and val rows of the other locations. "test": every row of the
        locations held out, of whichever official split.

    Raises:
        DataError: as in `BatVisionV2`.
        OptionError: a location that is not there, or none is held out, or none is left.
    """
    if not held_out:
        raise OptionError("held_out: names no location; give one to test on")
    return {
        "train": BatVisionV2(root, "train", leave_out=held_out, **options),
        "val": BatVisionV2(root, "val", leave_out=held_out, **options),
        "test": BatVisionV2(root, "all", locations=held_out, **options),
    }


def find_locations(root: str | Path, split: str = "all") -> list[str]:
    """The names of the locations of a split, sorted.

    Raises:
        DataError: no such folder, or no location in it.
    """
    wanted = [f"{part}.csv" for part in (SPLITS if split == "all" else (split,))]
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{root}: cannot be listed ({error.strerror}); give the folder of the locations") from None
    names = [
        entry.name
        for entry in entries
        if entry.is_dir()
        and not entry.name.startswith((".", "__"))
        and not entry.name.endswith("_unzipped")
        and any(os.path.isfile(os.path.join(entry.path, name)) for name in wanted)
    ]
    if not names:
        raise DataError(f"{root}: no folder in it holds {' or '.join(wanted)}; give the folder of the locations")
    return names


def _chosen(
    known: list[str], found: list[str], locations: Collection[str] | None, leave_out: Collection[str]
) -> list[str]:
    """Those of the split's locations that are wanted; a name that no split has is a mistake."""
    if isinstance(locations, str) or isinstance(leave_out, str):
        raise OptionError("locations, leave_out: found one name, wanted a list of names")
    unknown = sorted({*(locations or ()), *leave_out} - set(known))
    if unknown:
        raise OptionError(f"locations: no {unknown[0]!r}, only {', '.join(known)}")
    chosen = [name for name in found if (locations is None or name in locations) and name not in leave_out]
    if not chosen:
        raise OptionError(f"locations: none of {', '.join(found)} is left")
    return chosen


def _rows(root: Path, location: str, table: Path, keys: tuple[str, ...]) -> list[Row]:
    # The audio file gives the id, so its columns are always wanted.
    kinds = {"audio", *(_COLUMNS[key] for key in keys)}
    cells = read_table(table, [f"{kind} {part}" for kind in sorted(kinds) for part in ("path", "file name")])
    rows = []
    for number, row in enumerate(cells, 1):
        image, audio, depth = (
            inside(root, row[f"{kind} path"], file, table=table) if (file := row.get(f"{kind} file name")) else ""
            for kind in ("camera", "audio", "depth")
        )
        name = PurePosixPath(row["audio file name"]).stem.removeprefix("audio_")
        rows.append(Row(f"{location}/{name or f'row {number} of {table.name}'}", image, (audio,), depth))
    return rows


def _open(root: str, reading: Reading) -> BatVisionV2:
    return BatVisionV2(
        root,
        reading.split,
        locations=reading.locations,
        leave_out=reading.leave_out,
        size=reading.size,
        cap=CAP if reading.cap is None else reading.cap,
        axis=reading.axis,
        keys=reading.keys,
    )


def _recognise(root: Path) -> bool:
    try:
        return bool(find_locations(root))
    except DataError:
        return False


def _check(root: Path, report: Report, full_scale: float | None) -> list[Part]:
    """Location by location, so that a broken table costs no other."""
    parts = []
    known = set()
    for split in SPLITS:
        try:
            locations = find_locations(root, split)
        except DataError as error:
            report.broken.append(str(error))
            continue
        known.update(locations)
        for location in locations:
            try:
                if not read_table(root / location / f"{split}.csv", ()):
                    continue  # a location need not have rows in every split
                data = BatVisionV2(root, split, locations=[location])
            except DataError as error:
                report.broken.append(str(error))
                continue
            remark_repeats(report, f"{location}, {split}", data.repeated)
            parts.append(row_part(split, data))
    report.remarks.append(f"{len(known)} locations: {', '.join(sorted(known)) or 'none'}")
    stray = sorted(entry.name for entry in root.iterdir() if entry.name not in known)
    if stray:
        report.remarks.append(f"{len(stray)} entries of the root are no location and are ignored: {', '.join(stray)}")
    return parts


register_data_set(
    DataSetInfo(
        "batvision_v2",
        _open,
        recognise=_recognise,
        cap=CAP,
        splits=(*SPLITS, "all"),
        published={**PUBLISHED_ROWS, "all": sum(PUBLISHED_ROWS.values())},
        check=_check,
    )
)
