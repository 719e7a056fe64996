"""What data sets there are: a name, how a folder is recognised, how it is opened and checked, its cap, its counts.

A data set is one file in this folder that calls `register_data_set`. Everything that takes a data set takes a source:
`NAME:WHERE`, such as `batvision_v2:data/BatvisionV2` or `rooms:historic:0-1999`, or a folder that is recognised.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsnet.data.reading import Camera, Reading
from avsnet.errors import DataError, OptionError

if TYPE_CHECKING:  # torch takes a second to import, and names do not need it
    from torch.utils.data import Dataset

    from avsnet.data.check_report import Report
    from avsnet.data.check_rows import Part
    from avsnet.data.triplets import Footage

_ELSEWHERE = ("avsnet.rooms.dataset", "avsnet.rooms.failure_set", "avsnet.rooms.half_real")
"""Files outside this folder that register a data set."""


@dataclass(frozen=True)
class DataSetInfo:
    """One data set.

    Args:
        name: lower snake case, unique; what stands before the colon of a source.
        open: called with what stands behind the colon and a `Reading`; gives samples of `avsnet.data.sample` by index.
            Where `cap` is None, they have a `cap` of their own.
        where: what stands behind the colon, for people; ROOT is a folder, SOURCE another source.
        recognise: whether a folder is one of these, by the names in it; None: no folder is.
        generic: a layout so loose that the folders of others may look like it; it gives way to them.
        cap: metres up to which depth counts unless the user says otherwise.
        splits: that it has, the names of `Reading.split`; () if it is always read whole.
        published: split, or "all", to its number of rows by publication; None where that was not published.
        check: called with ROOT, the report to write remarks to, and the full scale of its recordings or None; gives the
            rows to read. None: every sample of every split is read.
        footage: called as `open`, and with an interval in frames and a camera; gives frames of moving cameras.
        has_depth: whether there is depth to learn from and to be evaluated on.
        has_echo: whether there are recordings.

    Raises:
        OptionError: the name is not lower snake case.
    """

    name: str
    open: Callable[[str, Reading], Dataset[dict[str, Any]]]
    where: str = "ROOT"
    recognise: Callable[[Path], bool] | None = None
    generic: bool = False
    cap: float | None = None
    splits: tuple[str, ...] = ()
    published: Mapping[str, int | None] = field(default_factory=dict)
    check: Callable[[Path, Report, float | None], list[Part]] | None = None
    footage: Callable[[str, Reading, int, Camera], Footage] | None = None
    has_depth: bool = True
    has_echo: bool = True

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise OptionError(f"data set name {self.name!r} is not lower snake case")

    @property
    def form(self) -> str:
        """What a source looks like, for people."""
        return f"{self.name}:{self.where}"


@dataclass(frozen=True)
class OpenedData:
    """A data set that was opened.

    Attributes:
        name: of the data set and the folder, for tables.
        data: its samples.
        cap: metres up to which depth counts.
        info: its entry.
    """

    name: str
    data: Dataset[dict[str, Any]]
    cap: float
    info: DataSetInfo


_DATA_SETS: dict[str, DataSetInfo] = {}


def register_data_set(info: DataSetInfo) -> None:
    """Make a data set known to training, `check`, `evaluate` and `reproduce`.

    Raises:
        OptionError: the name is taken.
    """
    if info.name in _DATA_SETS:
        raise OptionError(f"a data set named {info.name!r} is registered already; choose another name")
    _DATA_SETS[info.name] = info


def data_sets() -> dict[str, DataSetInfo]:
    """All registered data sets by name, sorted."""
    package = importlib.import_module("avsnet.data")
    for name in (*(f"avsnet.data.{module.name}" for module in pkgutil.iter_modules(package.__path__)), *_ELSEWHERE):
        importlib.import_module(name)
    return dict(sorted(_DATA_SETS.items()))


def source_forms() -> str:
    """The forms of a source, for people."""
    return ", ".join(info.form for info in data_sets().values())


def recognise(root: Path) -> DataSetInfo | None:
    """The data set that a folder holds, by the names in it; None if it is none that we know.

    Raises:
        DataError: it looks like several.
    """
    likely = [info for info in data_sets().values() if info.recognise is not None and info.recognise(root)]
    found = [info for info in likely if not info.generic] or likely
    if len(found) > 1:
        raise DataError(f"{root}: may be {' or '.join(info.name for info in found)}; give {found[0].name}:{root}")
    return found[0] if found else None


def find_data_set(source: str) -> tuple[DataSetInfo, str]:
    """The entry of a source, and where its data are.

    Args:
        source: `NAME:WHERE`, or a folder that is recognised.

    Raises:
        OptionError: no form of a source.
        DataError: a folder that is not there, is not recognised, or looks like several data sets.
    """
    name, colon, where = source.partition(":")
    known = data_sets()
    if name in known and where:
        return known[name], where
    if not Path(source).is_dir():
        if not colon and name not in known:
            raise DataError(f"{source}: no such folder; give that of a data set, or {source_forms()}")
        raise OptionError(f"source {source!r} is none of {source_forms()}, and no folder of that name exists")
    found = recognise(Path(source))
    if found is None:
        raise DataError(f"{source}: no data set that we know; if it is one, say which: {source_forms()}")
    return found, source


def open_data(source: str | Path, reading: Reading | None = None) -> OpenedData:
    """Open what a source names.

    Args:
        source: `NAME:WHERE`, or a folder that is recognised.
        reading: how its samples are wanted; None: its test split, as in the files.

    Raises:
        OptionError: no such source or split, frames without depth, or a setting outside what it allows.
        DataError: the data set is not as published.
    """
    info, where = find_data_set(str(source))
    reading = Reading() if reading is None else reading
    if not info.has_depth:
        raise OptionError(f"source '{info.name}:{where}': has no depth; it serves data.train, with data.interval")
    if info.splits and reading.split not in info.splits:
        raise OptionError(
            f"source '{info.name}:{where}': has no split {reading.split!r}, only {', '.join(info.splits)}; name "
            "another source for it"
        )
    if reading.cap is None:
        reading = dataclasses.replace(reading, cap=info.cap)
    data = info.open(where, reading)
    cap = reading.cap if reading.cap is not None else float(data.cap)  # type: ignore[attr-defined]
    return OpenedData(_label(info, where), data, cap, info)


def _label(info: DataSetInfo, where: str) -> str:
    """What tables call a source: without the path to it."""
    if info.where == "SOURCE":
        return f"{info.name}:{_label(*find_data_set(where))}"
    return f"{info.name}:{Path(where).resolve().name if info.where == 'ROOT' else where}"
