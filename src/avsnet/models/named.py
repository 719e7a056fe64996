"""A depth model by one text: a registered name, a name with weights, a third-party file, or a saved folder."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch takes a second to import
    from avsnet.models.contract import DepthModel


def load_model(name: str, **options: Any) -> DepthModel:
    """A depth model by one text.

    Args:
        name: for `create_model`, with its default weights; NAME=PATH with those of a file or folder; or the folder of a
            saved AVS-Net.
        **options: of the model.

    Raises:
        ModelError: an unknown name, or weights that are missing or broken.
        OptionError: an option that the model does not have.
    """
    from avsnet.models.avsnet.weights import load_folder
    from avsnet.models.registry import create_model

    if os.path.isdir(name):
        return load_folder(name, **options)
    name, weights = _parted(name)
    return create_model(name, weights=weights or "default", **options)


def loaded(name: str) -> DepthModel:
    """One module for all calls, in eval mode, until a file that it was read from changes.

    Args:
        name: as of `load_model`, which says what it raises.
    """
    return _loaded(name, _stamps(name))


@lru_cache(maxsize=4)
def _loaded(name: str, stamps: tuple[tuple[str, int, int], ...]) -> DepthModel:
    return load_model(name)


def _parted(name: str) -> tuple[str, str]:
    """The name for `create_model`, and the weights beside it, "" for its own; a name with a prefix holds its path."""
    from avsnet.models.registry import PREFIXES

    if name.partition(":")[0] in PREFIXES:
        return name, ""
    model, _, weights = name.partition("=")
    return model, weights


def _stamps(name: str) -> tuple[tuple[str, int, int], ...]:
    """Path, bytes and time of change of each file that a text names, of its default weights or of what lies beside."""
    from avsnet.weights import find_weights

    model, weights = _parted(name)
    try:
        where = name if os.path.isdir(name) else weights or model.partition(":")[2] or find_weights(model)
        if where is None:
            return ()
        path = Path(where)
        files = sorted(path.iterdir()) if path.is_dir() else [path, path.with_suffix(".json")]
        stamps = [(str(file.absolute()), file.stat()) for file in files if file.is_file()]
    except (OSError, ValueError):  # no path; what is wrong with the name is said where it is loaded
        return ()
    return tuple((text, stamp.st_size, stamp.st_mtime_ns) for text, stamp in stamps)
