"""Split files: a CSV next to the data that says which frames train, validate and test."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from avsnet.errors import DataError

SPLITS = ("train", "val", "test", "all")

_BLOCK = 50  # neighbouring rows of one split that are kept together at most
_VALIDATED = 20  # every so many-th block of the training rows validates where the split file names none


def in_split(names: Sequence[str], split: str, path: Path) -> list[str]:
    """The names of a split, in the order of the split file.

    Args:
        names: of all frames of a folder.
        split: one of `SPLITS`.
        path: CSV with `split` and one of the columns index, id, name, frame; neighbouring rows may show one scene.
            Where it names no "val", every twentieth block of neighbouring training rows is that, and not "train".

    Raises:
        DataError: a broken file, a row without its frame, or no row of the split.
    """
    if not path.exists() or split == "all":
        return list(names)
    rows = table_rows(path, ("split",))
    column = _naming_column(rows, path)
    known = set(names)
    missing = next((row[column] for row in rows if row[column] not in known), None)
    if missing is not None:
        raise DataError(f"{path}: {missing} has no picture with a depth map; copy the data set whole")
    parts = [(row[column], row["split"]) for row in rows]
    if not any(part == "val" for _, part in parts):
        parts = with_validation(parts)
    chosen = [name for name, part in parts if part == split]
    if not chosen:
        raise DataError(f"{path}: no row has the split {split!r}")
    return chosen


def room_types(path: Path) -> dict[str, str]:
    """The kind of room of each frame, by the column `scene_type` of a split file; empty where it has none.

    Raises:
        DataError: a broken file, or no column that names frames.
    """
    if not path.exists():
        return {}
    rows = table_rows(path, ("split",))
    if "scene_type" not in rows[0]:
        return {}
    column = _naming_column(rows, path)
    return {row[column]: row["scene_type"] or "" for row in rows}


def _naming_column(rows: list[dict[str, str]], path: Path) -> str:
    column = next((name for name in ("index", "id", "name", "frame") if name in rows[0]), None)
    if column is None:
        raise DataError(f"{path}: has no column that names frames; call it id")
    return column


def with_validation(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The rows of a split file with every twentieth block of training rows turned into "val", the tenth first.

    A block is a run of rows of one split, as neighbours share scenes, and a run of many rows is several.

    Args:
        parts: name and split of each row.
    """
    found, number = [], 0
    for part, run in groupby(parts, key=lambda row: row[1]):
        rows = list(run)
        for start in range(0, len(rows), _BLOCK):
            validates = part == "train" and number % _VALIDATED == _VALIDATED // 2
            number += part == "train"
            found += [(name, "val" if validates else part) for name, _ in rows[start : start + _BLOCK]]
    return found


def table_rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV that must have some columns.

    Raises:
        DataError: it cannot be read, is empty, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    if not rows or not set(columns) <= set(rows[0]):
        raise DataError(f"{path}: needs rows and the columns {', '.join(columns)}")
    return rows
