"""From the published weight files of MiDaS to the names of our networks.

Our modules bear the names of the published files (`pretrained.`, `scratch.`), so little is left to map.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from torch import nn

from avsnet.models.registry import ModelInfo
from avsnet.weights import default_weights, load_strictly, read_state_dict

Network = TypeVar("Network", bound=nn.Module)


def load_midas(model: Network, weights: str | Path | None) -> Network:
    """Load weights in the published layout, strictly.

    Args:
        model: carries its `ModelInfo` as `info`.
        weights: None leaves the model as it is; "default", or a file.

    Returns:
        The model.

    Raises:
        ModelError: the file is not there, damaged, or not of this network.
    """
    if weights is None:
        return model
    info: ModelInfo = model.info  # type: ignore[assignment]
    path = default_weights(info.name, info.published) if weights == "default" else Path(weights)
    load_strictly(model, read_state_dict(path), path)
    return model
