"""What `avsnet check` met in a data set: one short record per row, and the lines that sum them up for people."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from avsnet.io.whole_files import atomic_path

_SAME_ASPECT = 0.01  # relative; sizes that differ by rounding have one
_NAMED = 20  # reasons in the report; the CSV has them all


@dataclass(slots=True)
class RowReport:
    """What was met in one row.

    Attributes:
        split: train, val, test, or all.
        id: of the sample.
        reason: why it cannot be read; "" if it can.
        picture: width and height in pixels.
        map: those of the depth map; "" without depth.
        direct: sample of the direct sound; None without one.
        valid: share of the depth map's pixels that count; None without depth.
        depth: metres, the median of those; None without any.
        clipped: share of the audio's samples at full scale.
        sample_rate: hertz.
        samples: per ear.
        notes: what is corrected on reading.
    """

    split: str
    id: str
    reason: str = ""
    picture: str = ""
    map: str = ""
    direct: int | None = None
    valid: float | None = None
    depth: float | None = None
    clipped: float | None = None
    sample_rate: int | None = None
    samples: int | None = None
    notes: str = ""


@dataclass
class Report:
    """What was met in a data set.

    Attributes:
        where: its folder, or what else stands behind the colon of its source.
        layout: the name of the data set.
        published: split (or "all") -> rows by publication; None where that was not published.
        rows: one report per row.
        broken: what is wrong above single rows: a table or a column that is missing, a pickle that is refused.
        remarks: what a user should know and is not broken.
    """

    where: str
    layout: str
    published: dict[str, int | None] = field(default_factory=dict)
    rows: list[RowReport] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def unreadable(self) -> list[RowReport]:
        """The rows that cannot be read."""
        return [row for row in self.rows if row.reason]

    @property
    def whole(self) -> bool:
        """Whether nothing is broken."""
        return not self.broken and not self.unreadable

    def lines(self) -> list[str]:
        """The report, for people."""
        lines = [f"{self.where}: layout {self.layout}", *self._counts(), *self.remarks]
        readable = [row for row in self.rows if not row.reason]
        if readable:
            lines += _audio_lines(readable) + _picture_lines(readable) + _depth_lines(readable)
        unreadable = self.unreadable
        if unreadable:
            lines.append(f"unreadable rows: {len(unreadable)} of {len(self.rows)}")
            lines += [f"  {row.split} {row.reason}" for row in unreadable[:_NAMED]]
            if len(unreadable) > _NAMED:
                lines.append(f"  and {len(unreadable) - _NAMED} more; --out writes all of them")
        lines += [f"broken: {reason}" for reason in self.broken]
        problems = f"{len(self.broken)} problems, {len(unreadable)} unreadable rows"
        return [*lines, "nothing is broken" if self.whole else f"broken: {problems}"]

    def write_csv(self, path: str | Path) -> None:
        """Write one line per row, with the columns of `RowReport`.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(map(asdict, self.rows))

    def _counts(self) -> list[str]:
        counts = Counter(row.split for row in self.rows)
        bad = Counter(row.split for row in self.unreadable)
        lines = []
        for split in [*dict.fromkeys([*self.published, *counts])]:
            rows = len(self.rows) if split == "all" else counts[split]
            published = self.published.get(split)
            official = (
                "" if published is None else f", published {published}{'' if rows == published else ' (differs)'}"
            )
            unreadable = len(self.unreadable) if split == "all" else bad[split]
            lines.append(f"{split}: {rows} rows{official}, {unreadable} unreadable")
        return lines


_COLUMNS = [column.name for column in fields(RowReport)]


def is_report(path: Path) -> bool:
    """Whether a file is a table that `Report.write_csv` wrote."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().rstrip("\n").split(",") == _COLUMNS
    except (OSError, UnicodeError):
        return False


def _audio_lines(rows: Sequence[RowReport]) -> list[str]:
    rows = [row for row in rows if row.samples is not None]
    if not rows:
        return ["audio: none"]
    rates, lengths = (Counter(getattr(row, name) for row in rows) for name in ("sample_rate", "samples"))
    directs = np.array([row.direct for row in rows if row.direct is not None])
    lines = [f"audio: {_met(rates, 'Hz')}; {_met(lengths, 'samples')}"]
    without = [row.id for row in rows if row.direct is None]
    if len(directs):
        lines.append(
            f"direct sound: sample {np.median(directs):g} in the median, from {directs.min()} to {directs.max()}"
        )
    if without:
        lines.append(
            f"without direct sound: {len(without)} rows, such as {without[0]}; readers that align leave them out"
        )
    clipped = np.array([row.clipped for row in rows])
    lines.append(
        f"clipping: {np.count_nonzero(clipped)} rows reach full scale; share of samples {clipped.mean():.2g} on "
        f"average, {clipped.max():.2g} at most"
    )
    notes = Counter(row.notes for row in rows if row.notes)
    return lines + [f"corrected on reading: {count} rows, {note}" for note, count in notes.most_common()]


def _picture_lines(rows: Sequence[RowReport]) -> list[str]:
    rows = [row for row in rows if row.picture]
    if not rows:
        return ["pictures: none"]
    pictures = Counter(row.picture for row in rows)
    maps = Counter(row.map for row in rows if row.map)
    lines = [f"pictures: {_met(pictures, 'pixels')}" + (f"; depth maps: {_met(maps, 'pixels')}" if maps else "")]
    other = [row.id for row in rows if row.map and abs(_aspect(row.map) / _aspect(row.picture) - 1.0) > _SAME_ASPECT]
    return lines + ([f"picture and depth differ in shape: {len(other)} rows, such as {other[0]}"] if other else [])


def _aspect(pixels: str) -> float:
    width, height = pixels.split(" x ")
    return int(width) / int(height)


def _depth_lines(rows: Sequence[RowReport]) -> list[str]:
    fractions = np.array([row.valid for row in rows if row.valid is not None])
    if not len(fractions):
        return ["depth: none"]
    mean, least = fractions.mean(), fractions.min()
    lines = [f"depth: {len(fractions)} maps; valid fraction {mean:.4f} on average, {least:.4f} at least"]
    medians = [row.depth for row in rows if row.depth is not None]
    if medians:
        lines.append(
            f"median depth of a map: {np.median(medians):.3g} m in the median, from {min(medians):.3g} to "
            f"{max(medians):.3g}"
        )
    empty = [row.id for row in rows if row.valid == 0.0]
    return lines + ([f"depth without a valid pixel: {len(empty)} rows, such as {empty[0]}"] if empty else [])


def _met(counts: Counter[Any], unit: str) -> str:
    """The values met, the most frequent first, with how often each was."""
    most = [f"{value} {unit} ({count} rows)" for value, count in counts.most_common(5)]
    return ", ".join(most) + (f" and {len(counts) - 5} other values" if len(counts) > 5 else "")
