"""Scores of images as CSV: one row per image and trial, the summary made from them, and shards merged.

A file starts with `# key: value` lines: every choice that its numbers depend on. Numbers are text from the moment they
are measured, so that a merged file has the bytes of an unbroken run.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from avsnet.errors import DataError, OptionError
from avsnet.io.whole_files import atomic_path
from avsnet.metrics import METRICS

STATUSES = ("ok", "fallback", "refused", "failed", "empty")
"""What became of an image: scored; scored by a simpler rule than asked for; scored by the best guess of a rule that
refused to answer; no scale at all; no valid pixel. Only the first three have numbers."""

KEYS = ("data", "system", "scaling", "id")
"""What a row is of, and the order of rows."""

SCORE_FIELDS = (*KEYS, "row", "group", "status", "pixels", "scale", *METRICS)
UNKNOWN = "unknown"
"""A further field of some data: how many of the pixels that count a map leaves unknown, which counts as 1 mm."""

INTERVAL_FIELDS = (*KEYS, "metre", "mae")

Row = dict[str, str]


@dataclass
class Scores:
    """Rows with the choices behind them.

    Attributes:
        header: key -> value.
        rows: of `SCORE_FIELDS`, sorted.
        intervals: of `INTERVAL_FIELDS`: the mean absolute error in each metre of true depth.
    """

    header: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    intervals: list[Row] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        """The images that have rows."""
        return {row["id"] for row in self.rows}

    def write(self, folder: Path, shard: tuple[int, int] | None = None) -> None:
        """Write `scores.csv`, `intervals.csv` and `summary.csv`; of a shard only the first two, numbered.

        Raises:
            OutputError: the folder cannot be written.
        """
        self.rows.sort(key=lambda row: [row[key] for key in KEYS])
        self.intervals.sort(key=lambda row: [*(row[key] for key in KEYS), int(row["metre"])])
        number = "" if shard is None else f".{shard[0]}-of-{shard[1]}"
        _write(folder / f"scores{number}.csv", self.header, _with_unknown(SCORE_FIELDS, self.rows), self.rows)
        _write(folder / f"intervals{number}.csv", self.header, INTERVAL_FIELDS, self.intervals)
        if shard is None:
            summary = summarise(self.rows)
            _write(folder / "summary.csv", self.header, _with_unknown(SUMMARY_FIELDS, summary), summary)

    @classmethod
    def read(cls, folder: Path, number: str = "") -> Scores:
        """Read what `write` wrote.

        Raises:
            DataError: a file is missing or is none of ours.
        """
        header, rows = _read(folder / f"scores{number}.csv", SCORE_FIELDS)
        return cls(header, rows, _read(folder / f"intervals{number}.csv", INTERVAL_FIELDS)[1])


def merge(folder: Path) -> Scores:
    """Merge the shards in a folder into one and write it.

    Raises:
        DataError: no shards, one is missing, shards of different runs, or an image in two of them.
    """
    found = sorted(folder.glob("scores.*-of-*.csv"))
    numbers = [re.fullmatch(r"scores\.(\d+)-of-(\d+)\.csv", path.name) for path in found]
    shards = [(int(number[1]), int(number[2])) for number in numbers if number]
    totals = {total for _, total in shards}
    if len(totals) != 1:
        raise DataError(f"{folder}: holds {'no shards' if not totals else 'shards of different runs'} to merge")
    total = totals.pop()
    missing = sorted(set(range(1, total + 1)) - {place for place, _ in shards})
    if missing:
        raise DataError(f"{folder}: shard {missing[0]}/{total} is missing; run it with --shard {missing[0]}/{total}")
    parts = [Scores.read(folder, f".{place}-of-{total}") for place in range(1, total + 1)]
    whole = Scores(parts[0].header)
    for place, part in enumerate(parts, 1):
        if part.header != whole.header:
            differs = [key for key in whole.header if part.header.get(key) != whole.header[key]]
            raise DataError(f"{folder}: shard {place}/{total} differs in {', '.join(differs) or 'its header'}")
        whole.rows += part.rows
        whole.intervals += part.intervals
    keys = [tuple(row[key] for key in KEYS) for row in whole.rows]
    if len(set(keys)) != len(keys):
        raise DataError(f"{folder}: an image is in two shards; delete the shards of older runs")
    whole.write(folder)
    return whole


SUMMARY_FIELDS = ("data", "system", "scaling", "group", "images", *STATUSES, *METRICS)


def summarise(rows: Iterable[Row]) -> list[Row]:
    """Means over images per data set, system, scaling and group; the group "all" is everything."""
    tables: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        for group in dict.fromkeys(("all", row["group"] or "all")):
            tables.setdefault((row["data"], row["system"], row["scaling"], group), []).append(row)
    summary = []
    for key, members in sorted(tables.items()):
        scored = [row for row in members if row["abs_rel"]]
        line = dict(zip(("data", "system", "scaling", "group"), key, strict=True)) | {"images": str(len(scored))}
        line |= {status: str(sum(row["status"] == status for row in members)) for status in STATUSES}
        for name in METRICS:
            line[name] = number(float(np.mean([float(row[name]) for row in scored]))) if scored else ""
        if any(UNKNOWN in row for row in members):
            line[UNKNOWN] = str(sum(int(row.get(UNKNOWN) or 0) for row in members))
        summary.append(line)
    return summary


def table(rows: Iterable[Row]) -> str:
    """The summary for people: one line per data set, system and scaling, the seven metrics of the paper."""
    shown = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
    lines = [("system", "scaling", "group", "images", *shown)]
    for line in summarise(rows):
        left_out = [f"{line[status]} {status}" for status in STATUSES[1:] if line[status] != "0"]
        left_out += [f"{line[UNKNOWN]} unknown pixels"] if line.get(UNKNOWN, "0") != "0" else []
        numbers = [f"{float(line[name]):.3f}" if line[name] else "-" for name in shown]
        named = [line["system"], line["scaling"], line["group"], line["images"]]
        lines.append((*named, *numbers, ", ".join(left_out)))  # type: ignore[arg-type]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.ljust, line, [*widths, 0])).rstrip() for line in lines)


def number(value: float) -> str:
    """A number as the files hold it: six significant digits."""
    return f"{value:.6g}" if math.isfinite(value) else ""


def _with_unknown(fields: tuple[str, ...], rows: list[Row]) -> tuple[str, ...]:
    return (*fields, UNKNOWN) if any(UNKNOWN in row for row in rows) else fields


def _write(path: Path, header: dict[str, str], fields: tuple[str, ...], rows: list[Row]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for key, value in header.items():
            file.write(f"# {key}: {' '.join(str(value).split())}\n")
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _read(path: Path, fields: tuple[str, ...]) -> tuple[dict[str, str], list[Row]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = file.readlines()
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    start = next((place for place, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    header = dict(line[2:].rstrip("\n").split(": ", 1) for line in lines[:start] if ": " in line)
    reader = csv.DictReader(lines[start:])
    if tuple(reader.fieldnames or ()) not in (fields, (*fields, UNKNOWN)):
        raise DataError(f"{path}: is no table of avsnet evaluate of this version; run it again")
    return header, list(reader)


def parse_shard(text: str) -> tuple[int, int]:
    """Read `I/N`: part I, from 1, of N.

    Raises:
        OptionError: anything else.

    >>> parse_shard("2/3")
    (2, 3)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise OptionError(f"shard {text!r}: wanted I/N with 1 <= I <= N, such as 2/3")
    return int(found[1]), int(found[2])
