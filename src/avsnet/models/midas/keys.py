"""From the published weight files of MiDaS to the names of our networks.

Our modules bear the names of the published files (`pretrained.`, `scratch.`), which are those of an old timm; what has
changed since, and what was published but is never run, is here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor, nn

from avsnet.models.load import Layout
from avsnet.weights import load_strictly

UNUSED = (
    r"pretrained\.model\.(norm|fc_norm|head|proj_head)\..+",
    r"pretrained\.model\..+\.(relative_position_index|relative_coords_table|attn_mask)",
)
"""Whole names of entries that some files hold and others lack: the backbone's final norm and classifier, which are
never run, and index tables, which a network computes for itself."""


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


LAYOUT = Layout(lambda state, network, path: from_published(state, network.state_dict()), UNUSED)
"""Of the published files, each of which is a whole network."""
