"""Is a data set whole? Every row is read once; what was met is counted, and what is broken is named.

Counts that differ from the published ones are reported, not broken: people cut data sets, and some published counts
are second-hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from avsnet.data.check_report import Report, RowReport
from avsnet.data.check_rows import Part, sample_parts
from avsnet.data.registry import DataSetInfo, data_sets, find_data_set, recognise
from avsnet.errors import AvsnetError, DataError, OptionError


def check(source: str | Path, layout: str = "auto", *, full_scale: float | None = None, workers: int = 0) -> Report:
    """Read every row of a data set once. On a terminal a bar shows how far it is.

    Args:
        source: its folder, or `NAME:WHERE` as everywhere.
        layout: the name of a data set, or "auto" to recognise the folder.
        full_scale: for V1, what recordings are divided by where their type does not say.
        workers: further processes to read with; 0 reads in this one.

    Returns:
        The report; what is broken in the data set is in it and is not raised.

    Raises:
        OptionError: an unknown layout or source, or fewer than no workers.
        DataError: the folder is not there, or looks like several data sets.
    """
    if workers < 0:
        raise OptionError(f"workers: found {workers}, wanted 0 or more")
    info, where = _find(str(source), layout)
    if info is None:
        report = Report(where, "unknown")
        report.broken.append(f"{where}: none of {', '.join(data_sets())} is recognised; give --layout")
        return report
    report = Report(where, info.name, dict(info.published))
    parts = sample_parts(info, where, report) if info.check is None else info.check(Path(where), report, full_scale)
    rows = DataLoader(_Rows(parts), batch_size=None, num_workers=workers)
    report.rows.extend(tqdm(rows, unit="row", disable=None))
    return report


def _find(source: str, layout: str) -> tuple[DataSetInfo | None, str]:
    """The entry, None for a folder that is not recognised, and where its data are."""
    known = data_sets()
    if layout not in ("auto", *known):
        raise OptionError(f"layout: found {layout!r}, wanted auto or one of {', '.join(known)}")
    if layout == "auto" and Path(source).is_dir():
        return recognise(Path(source)), source
    info, where = find_data_set(source) if layout == "auto" else (known[layout], source)
    if info.where == "ROOT" and not Path(where).is_dir():
        raise DataError(f"{where}: is no folder; give the root of a data set")
    return info, where


class _Rows(Dataset[RowReport]):
    """The reports of all rows: a data set, so that worker processes can share the reading."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.places = [(number, index) for number, part in enumerate(parts) for index in range(len(part.ids))]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> RowReport:
        number, index = self.places[place]
        part = self.parts[number]
        row = RowReport(part.split, part.ids[index])
        try:
            part.measure(index, row)
        except AvsnetError as error:
            row.reason = f"{row.id}: {' '.join(str(error).split())}"
        return row
