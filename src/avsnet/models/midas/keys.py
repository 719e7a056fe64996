"""From the published weight files of MiDaS to the names of our networks.

Our modules bear the names of the published files (`pretrained.`, `scratch.`), which are those of an old timm; what has
changed since, and what was published but is never run, is here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from avsnet.models.registry import ModelInfo
from avsnet.weights import default_weights, load_strictly, read_state_dict

UNUSED = (
    r"pretrained\.model\.(norm|fc_norm|head|proj_head)\..+",
    r"pretrained\.model\..+\.(relative_position_index|relative_coords_table|attn_mask)",
)
"""Whole names of entries that some files hold and others lack: the backbone's final norm and classifier, which are
never run, and index tables, which a network computes for itself."""

Network = TypeVar("Network", bound=nn.Module)


def load_midas(model: Network, weights: str | Path | None) -> Network:
    """Load weights in the published layout, strictly.

    Args:
        model: a `Midas`; carries its `ModelInfo` as `info`.
        weights: None leaves the model as it is; "default"; a file; or a folder with a `model.safetensors`.

    Returns:
        The model.

    Raises:
        ModelError: the file is not there, damaged, or not of this network.
    """
    if weights is None:
        return model
    path = weights_file(model.info, weights)  # type: ignore[arg-type]
    load_midas_state(model, read_state_dict(path), path)
    return model


def load_midas_state(model: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Load the entries of a published file of MiDaS, or those of our own network, strictly.

    Args:
        model: a `Midas`.
        state: name -> tensor.
        source: the file, for messages.

    Raises:
        ModelError: they are not of this network; it is as it was.
    """
    load_strictly(model, from_published(state, model.state_dict()), source, unused=UNUSED)


def weights_file(info: ModelInfo, weights: str | Path) -> Path:
    """The file that `weights` of `create_model` means for a model."""
    path = default_weights(info.name, info.published) if weights == "default" else Path(weights)
    return path / "model.safetensors" if path.is_dir() else path


def from_published(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Give the entries of a published file the names of our network; what needs no other name keeps its own.

    Args:
        state: published name -> tensor.
        own: names of our network's entries, in its order.
    """
    if any(key.startswith("pretrained.model.features.") for key in state):
        return _next_vit(state, own)
    # An old timm counted the step to a coarser stage to the finer one.
    late = "pretrained.model.layers.0.downsample.reduction.weight" in state
    renamed = {}
    for key, value in state.items():
        if late:
            key = re.sub(r"(?<=model\.layers\.)(\d+)(?=\.downsample\.)", lambda found: str(int(found[1]) + 1), key)
        key = re.sub(
            r"^pretrained\.model\.blocks\.(\d+)\.attn\.relative_position_bias_table$",
            r"pretrained.relative_position.tables.\1",
            key,
        )
        renamed[key] = value
    return renamed


def _next_vit(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """The original Next-ViT, whose entries, as timm says, have timm's order under other names."""
    backbone = [key for key in own if key.startswith("pretrained.model.")]
    kept = [key for key in state if not any(re.fullmatch(pattern, key) for pattern in UNUSED)]
    names = dict(zip((key for key in kept if key.startswith("pretrained.model.")), backbone, strict=False))
    return {names.get(key, key): state[key] for key in kept}
