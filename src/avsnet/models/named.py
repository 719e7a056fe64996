"""A depth model by one text: a registered name, a name with weights, a third-party file, or a saved folder."""

from __future__ import annotations

import os
from functools import lru_cache
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
    from avsnet.models.registry import PREFIXES, create_model

    if os.path.isdir(name):
        return load_folder(name, **options)
    prefixed = name.partition(":")[0] in PREFIXES
    name, _, weights = (name, "", "") if prefixed else name.partition("=")
    return create_model(name, weights=weights or "default", **options)


loaded = lru_cache(maxsize=4)(load_model)
"""One module for all calls, in eval mode."""
