"""Scores of images as CSV: one row per image and trial, the summary made from them, and shards merged.

A file starts with `# key: value` lines: every choice that its numbers depend on. Numbers are text from the moment they
are measured, so that a merged file has the bytes of an unbroken run.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from avsnet.errors import DataError, OptionError
from avsnet.evaluation.comparisons import (
    DIFFERENCE_FIELDS,
    SEED_FIELDS,
    TWIN_FIELDS,
    differences,
    interval,
    seed_of,
    seed_spread,
    twin_differences,
)
from avsnet.io.texts import read_text
from avsnet.io.whole_files import atomic_path
from avsnet.metrics import METRICS
from avsnet.metrics_shape import SHAPE_METRICS

STATUSES = ("ok", "fallback", "refused", "failed", "empty")
"""What became of an image: scored; scored by a simpler rule than asked for; scored by the best guess of a rule that
refused to answer; no scale at all; no valid pixel. Only the first three have numbers."""

KEYS = ("data", "system", "scaling", "id")
"""What a row is of, and the order of rows."""

LABELS = ("group", "subset", "room_type", "fov")
"""What images share: the building, room or scene whose images are resampled together; ambiguous or cued; the kind of
room; the horizontal field of view in degrees."""

SCORE_FIELDS = (*KEYS, "row", *LABELS, "status", "pixels", "scale", *METRICS, *SHAPE_METRICS)
UNKNOWN = "unknown"
"""A further field of some data: how many of the pixels that count a map leaves unknown, which counts as 1 mm."""

INTERVAL_FIELDS = (*KEYS, "metre", "mae")

FILES = ("scores.csv", "intervals.csv", "summary.csv", "differences.csv", "seeds.csv", "twins.csv")
"""What an evaluation writes: a row an image; its error in each metre of depth; means; what differs from what; how far
training runs of several seeds lie apart; and how much worse all is where sight fails than in plain rooms."""

Row = dict[str, str]

_SEAL = "table"  # the header's entry that counts the rows of its file


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
        """Write `FILES`; of a shard only the first two, numbered.

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
            _write(folder / "differences.csv", self.header, DIFFERENCE_FIELDS, differences(self.rows))
            _write(folder / "seeds.csv", self.header, SEED_FIELDS, seed_spread(self.rows))
            _write(folder / "twins.csv", self.header, TWIN_FIELDS, twin_differences(self.rows))

    @classmethod
    def read(cls, folder: Path, number: str = "", *, sealed: bool = False) -> Scores:
        """Read what `write` wrote.

        Args:
            folder: of the files.
            number: of a shard, as in its files' names.
            sealed: whether files that do not count their rows are refused; those that do are always checked.

        Raises:
            DataError: a file is missing, is none of ours, or was cut or changed.
        """
        header, rows = _read(folder / f"scores{number}.csv", SCORE_FIELDS, sealed)
        return cls(header, rows, _read(folder / f"intervals{number}.csv", INTERVAL_FIELDS, sealed)[1])


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
    parts = [Scores.read(folder, f".{place}-of-{total}", sealed=True) for place in range(1, total + 1)]
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


BOUNDED = ("abs_rel", "delta1")
"""The metrics whose means have 95 % intervals in `summary.csv`."""

SUMMARY_FIELDS = (
    *("data", "system", "scaling", "subset", "seed", "images", "groups", *STATUSES, *METRICS, *SHAPE_METRICS),
    *(f"{name}_{end}" for name in BOUNDED for end in ("low", "high")),
)


def summarise(rows: Iterable[Row]) -> list[Row]:
    """Means over images per data set, system, scaling and subset; "all" is everything.

    Subsets are the ambiguous and the cued rooms, each kind of room and each fifteen degrees of view. Intervals are of
    whole groups; where there are too few groups they are left empty.
    """
    tables: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        for subset in _subsets(row):
            tables.setdefault((row["data"], row["system"], row["scaling"], subset), []).append(row)
    whole = {key: len(members) for key, members in tables.items() if key[3] == "all"}
    summary = []
    for key, members in sorted(tables.items()):
        if key[3] not in ("all", "ambiguous", "cued") and len(members) == whole[(*key[:3], "all")]:
            continue  # a kind of room that all rooms are of
        scored = [row for row in members if row["abs_rel"]]
        line = dict(zip(("data", "system", "scaling", "subset"), key, strict=True))
        line |= {"seed": seed_of(members[0]), "images": str(len(scored))}
        line |= {"groups": str(len({row["group"] for row in scored}))}
        line |= {status: str(sum(row["status"] == status for row in members)) for status in STATUSES}
        for name in (*METRICS, *SHAPE_METRICS):
            values = [float(row[name]) for row in scored if row[name]]
            line[name] = number(float(np.mean(values))) if values else ""
        for name in BOUNDED:
            line |= _bounds(name, scored)
        if any(UNKNOWN in row for row in members):
            line[UNKNOWN] = str(sum(int(row.get(UNKNOWN) or 0) for row in members))
        summary.append(line)
    return summary


def _subsets(row: Row) -> Iterable[str]:
    """The subsets that an image is in."""
    found = ["all"] + [row["subset"]] * bool(row["subset"])
    if row["room_type"]:
        found.append(f"room: {row['room_type']}")
    if row["fov"]:
        low = int(row["fov"]) // 15 * 15
        found.append(f"view: {low} to {low + 15} degrees")
    return found


def _bounds(name: str, scored: list[Row]) -> Row:
    """The ends of the 95 % interval of a metric's mean."""
    low = high = ""
    if scored:
        found = interval(np.array([float(row[name]) for row in scored]), [row["group"] for row in scored])
        low, high = number(found.low), number(found.high)
    return {f"{name}_low": low, f"{name}_high": high}


def table(rows: Iterable[Row]) -> str:
    """The summary for people: one line per data set, system and scaling, the seven metrics of the paper.

    The first has its 95 % interval, or why there is none. Kinds of rooms and fields of view are left to `summary.csv`.
    """
    shown = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
    lines = [("system", "scaling", "subset", "images", *shown, "95 % of abs_rel")]
    for line in summarise(rows):
        if line["subset"].startswith(("room: ", "view: ")):
            continue
        left_out = [f"{line[status]} {status}" for status in STATUSES[1:] if line[status] != "0"]
        left_out += [f"{line[UNKNOWN]} unknown pixels"] if line.get(UNKNOWN, "0") != "0" else []
        numbers = [f"{float(line[name]):.3f}" if line[name] else "-" for name in shown]
        named = [line["system"], line["scaling"], line["subset"], line["images"]]
        ends = [line["abs_rel_low"], line["abs_rel_high"]]
        sure = "..".join(f"{float(end):.3f}" for end in ends) if all(ends) else f"none: {line['groups']} group(s)"
        lines.append((*named, *numbers, sure, ", ".join(left_out)))  # type: ignore[arg-type]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join("  ".join(map(str.ljust, line, [*widths, 0])).rstrip() for line in lines)


def number(value: float) -> str:
    """A number as the files hold it: six significant digits."""
    return f"{value:.6g}" if math.isfinite(value) else ""


def _with_unknown(fields: tuple[str, ...], rows: list[Row]) -> tuple[str, ...]:
    return (*fields, UNKNOWN) if any(UNKNOWN in row for row in rows) else fields


def _write(path: Path, header: dict[str, str], fields: tuple[str, ...], rows: list[Row]) -> None:
    body = io.StringIO(newline="")
    writer = csv.DictWriter(body, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for key, value in (header | {_SEAL: _seal(body.getvalue(), len(rows))}).items():
            file.write(f"# {key}: {' '.join(str(value).split())}\n")
        file.write(body.getvalue())


def _seal(body: str, rows: int) -> str:
    """What tells whether a table still is as it was written."""
    return f"{rows} rows, sha256 {hashlib.sha256(body.encode()).hexdigest()[:16]}"


def _read(path: Path, fields: tuple[str, ...], sealed: bool) -> tuple[dict[str, str], list[Row]]:
    try:
        lines = io.StringIO(read_text(path), newline="").readlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    start = next((place for place, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    header = dict(line[2:].rstrip("\n").split(": ", 1) for line in lines[:start] if ": " in line)
    reader = csv.DictReader(lines[start:])
    if tuple(reader.fieldnames or ()) not in (fields, (*fields, UNKNOWN)):
        raise DataError(f"{path}: is no table of avsnet evaluate of this version; run it again")
    rows, body = list(reader), "".join(lines[start:])
    found = _seal(body, len(rows))
    told = header.pop(_SEAL, "no count of its rows" if sealed else found)
    if told != found:
        raise DataError(f"{path}: was written with {told} and holds {found}: it was cut or changed; run it again")
    return header, rows


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
