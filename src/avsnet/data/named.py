"""A data set by one line of text, as it is given on a command line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.data.batvision_v2 import BatVisionV2
from avsnet.data.check import recognise
from avsnet.data.folder import CaptureFolder
from avsnet.data.visual_echoes import VisualEchoes
from avsnet.errors import DataError

CAPS = {"v1": 12.0, "v2": 30.0, "visual_echoes": 14.104, "folder": 10.0}
"""Metres up to which depth counts: the published caps; of captures, what most depth cameras reach."""


@dataclass(frozen=True)
class NamedData:
    """A data set that was opened.

    Attributes:
        name: layout and folder, for tables.
        data: its samples.
        cap: metres up to which depth counts.
    """

    name: str
    data: Dataset[Any]
    cap: float


def open_data(
    root: str | Path,
    split: str = "test",
    *,
    size: tuple[int, int] | None = None,
    samples: int | None = None,
    align: int | None = None,
    cap: float | None = None,
    locations: Collection[str] | None = None,
) -> NamedData:
    """Open a data set by its folder, whose layout is recognised.

    Args:
        root: folder of BatVision V1 or V2, VisualEchoes or captures; captures have no splits.
        split: "train", "val" or "test"; of V2 also "all".
        size: (h, w) of pictures and depth, pixels; None: as in the files.
        samples: length of every recording; None: as it is.
        align: the sample at which the direct sound is put; None: as recorded.
        cap: metres up to which depth counts; None: as in `CAPS`.
        locations: of V2, those to take; None: all there are.

    Raises:
        DataError: no such folder, no known layout, or broken tables.
        OptionError: a setting is outside what it allows.
    """
    root = Path(root)
    layout = recognise(root) if root.is_dir() else "missing"
    if layout not in CAPS:
        found = "no such folder" if layout == "missing" else "no layout that we know"
        raise DataError(
            f"{root}: {found}; give BatVision V1 or V2, VisualEchoes or captures; `avsnet check` tells more"
        )
    cap = CAPS[layout] if cap is None else cap
    options: dict[str, Any] = {"size": size, "samples": samples, "align": align, "cap": cap}
    data: Dataset[Any]
    if layout == "v1":
        data = BatVisionV1(root, split, **options)
    elif layout == "v2":
        data = BatVisionV2(root, split, locations=locations, **options)
    elif layout == "folder":
        data = CaptureFolder(root, **options)
    else:
        data = VisualEchoes(root, split)
    return NamedData(f"{layout}:{root.resolve().name}", data, cap)
