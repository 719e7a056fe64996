"""The contract of every depth model: `forward(batch: dict) -> dict`, and beside it what the caller must know.

`forward` is one pass. It gives `model.info.output` -> (B, 1, h, w), and may give more; the meaning of numbers is the
name of their key. It never resizes a picture whose size is legal by `model.info`.
"""

from __future__ import annotations

from torch import nn

from avsnet.audio.network_input import AudioSettings
from avsnet.models.info import OUTPUT_KINDS, ModelInfo

__all__ = ["OUTPUT_KINDS", "DepthModel", "ModelInfo"]


class DepthModel(nn.Module):
    """What `create_model` gives.

    Attributes:
        info: what its numbers mean and which pictures it takes.
        audio: how a recording becomes what it hears; None where `info.hears` is False.
        echo_dropout: share of echoes that its training left out; above 0 a network that hears also runs without one.
        weights_hash: 12 hexadecimal digits that stand for its files of weights and for the options given beside them;
            None: fresh weights.
    """

    info: ModelInfo
    audio: AudioSettings | None = None
    echo_dropout: float = 0.0
    weights_hash: str | None = None
