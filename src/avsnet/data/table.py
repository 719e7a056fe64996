"""A data set's table: a CSV file read by the names of its columns, never by their order."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from avsnet.errors import DataError
from avsnet.io.texts import read_text


def inside(root: str | Path, *parts: str, table: str | Path) -> str:
    """The path of a file that a table names, which must lie in the data set's folder.

    Args:
        root: of the data set.
        parts: as the table writes them, relative to the root.
        table: for the message.

    Raises:
        DataError: an absolute path, or one with `..`.

    >>> inside("data", "2019/depth", "1.npy", table="train.csv")
    'data/2019/depth/1.npy'
    """
    for part in parts:
        if part.startswith("/") or part[1:2] == ":" or ".." in part.split("/"):
            raise DataError(f"{table}: names {part!r}, which is outside its folder {root}; put the files below it")
    return os.path.join(root, *parts)


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the columns that are wanted and ignore all others, index columns among them.

    Args:
        path: comma-separated UTF-8 with a header row; a byte order mark and spaces around names do no harm.
        columns: names, which may hold spaces.

    Returns:
        One dict per row: column -> text without surrounding spaces, "" where a row is too short. Paths written with
        backslashes get slashes.

    Raises:
        DataError: the file is missing, empty or no text, or lacks a column.
    """
    try:
        lines = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read as a table ({reason}); give the data set's own CSV file") from None
    if not lines:
        raise DataError(f"{path}: is empty, without even a header row; copy it again")
    header = [name.strip() for name in lines[0]]
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(f"{path}: has no column {missing[0]!r}, only {', '.join(map(repr, header))}")
    places = [header.index(name) for name in columns]
    return [
        {
            name: line[place].strip().replace("\\", "/") if place < len(line) else ""
            for name, place in zip(columns, places, strict=True)
        }
        for line in lines[1:]
        if any(line)
    ]
