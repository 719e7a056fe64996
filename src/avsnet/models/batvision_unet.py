"""The BatVision U-Net: depth from the echo alone, the baseline of the data set's paper.

Source: Brunetto, Hornauer, Yu, Moutarde, "The Audio-Visual BatVision Dataset for Research on Sight and Sound", IROS
2023: the generator of pix2pix on the spectrograms of both ears. No weights are published.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.network_input import AudioSettings
from avsnet.errors import OptionError
from avsnet.models.contract import DepthModel
from avsnet.models.echo_input import echo_shape, needed_echo, original_audio
from avsnet.models.info import ModelInfo
from avsnet.models.load import Layout, build
from avsnet.models.registry import model_info, register_model
from avsnet.models.settings import settings_by_name

_SOURCE = "Brunetto et al., IROS 2023; no weights published"


class BatVisionUNet(DepthModel, PyTorchModelHubMixin):
    """Down to 1 x 1 and up again; what the image shows it never sees.

    Args:
        size: S; spectrogram and depth are S x S, a power of 2, from 32.
        max_depth: metres, the depth of an output of 1.
        ngf: channels of the first level; 64 as published.
        audio: `AudioSettings` by name that differ from the baseline's, 30 m of V2 resized to S x S.
        depth_norm: whether outputs are shares of `max_depth` (sigmoid) or metres (ReLU).
    """

    audio: AudioSettings

    def __init__(
        self,
        size: int = 256,
        max_depth: float = 30.0,
        ngf: int = 64,
        audio: Mapping[str, Any] | None = None,
        depth_norm: bool = True,
    ) -> None:
        super().__init__()
        levels = size.bit_length() - 1
        if size != 1 << levels or levels < 5:
            raise OptionError(f"size {size}: give a power of 2 from 32")
        baseline = original_audio("v2_cut30", SAMPLE_RATE, resize="rgb")
        self.audio = settings_by_name(AudioSettings, "audio", baseline | dict(audio or {}))
        if echo_shape(self.audio, (size, size)) != (size, size):
            raise OptionError(f"audio: gives {echo_shape(self.audio, (size, size))}, wanted {size, size}; resize: rgb")
        self.size, self.max_depth, self.depth_norm = size, max_depth, depth_norm
        widths = [ngf * min(8, 1 << level) for level in range(levels)]
        block = Block(widths[-2], widths[-1], None)
        for outer, inner in zip(widths[-3::-1], widths[-2:0:-1], strict=True):
            block = Block(outer, inner, block)
        self.model = Outermost(ngf, block)
        initialise(self)

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One pass.

        Args:
            batch: `waveform` (B, 2, N) with `sample_rate`, or `echo` (B, 2, S, S).

        Returns:
            `metric_depth` (B, 1, S, S) metres, and `raw`, the network's own output.

        Raises:
            SampleError: nothing to hear, or of another rate or shape.
        """
        echo = needed_echo(batch, self.audio, (self.size, self.size))
        # Out of half precision first: of a sigmoid near 1 it would keep steps of 0.1 m.
        logits = self.model(echo).float()
        raw = torch.sigmoid(logits) if self.depth_norm else torch.relu(logits)
        return {"metric_depth": raw * self.max_depth if self.depth_norm else raw, "raw": raw}


class Block(nn.Module):
    """One level: down, the levels below it, up; beside that the skip.

    The published block activates its input in place, so that the skip carries the activated input, not the raw one.
    """

    def __init__(self, outer: int, inner: int, below: Block | None) -> None:
        super().__init__()
        down = nn.Conv2d(outer, inner, 4, 2, 1, bias=False)
        if below is None:
            up = nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False)
            parts = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, nn.BatchNorm2d(outer)]
        else:
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=False)
            parts = [nn.LeakyReLU(0.2), down, nn.BatchNorm2d(inner), below, nn.ReLU(), up, nn.BatchNorm2d(outer)]
        self.model = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """(B, outer, h, w) -> (B, 2 outer, h, w)."""
        activated = self.model[0](x)
        return torch.cat([activated, self.model[1:](activated)], 1)


class Outermost(nn.Module):
    """Spectrogram in, depth out; the only level with a bias."""

    def __init__(self, ngf: int, below: Block) -> None:
        super().__init__()
        down, up = nn.Conv2d(2, ngf, 4, 2, 1, bias=False), nn.ConvTranspose2d(2 * ngf, 1, 4, 2, 1)
        self.model = nn.Sequential(down, below, nn.ReLU(), up)

    def forward(self, echo: Tensor) -> Tensor:
        """(B, 2, S, S) -> (B, 1, S, S), before the sigmoid or the ReLU."""
        return self.model(echo)


def initialise(network: nn.Module) -> None:
    """The initialisation of pix2pix and of BITD: weights N(0, 0.02), gains of norms N(1, 0.02)."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)


def _info(size: int, parameters: int) -> ModelInfo:
    return ModelInfo(
        name=f"batvision_unet_{size}",
        output="metric_depth",
        code_licence="Apache-2.0",
        weights_licence="none published",
        source=_SOURCE,
        size=(size, size),
        size_multiple=None,
        parameters=parameters,
        hears=True,
        sees=False,
    )


LAYOUT = Layout(stem="model.model.")
"""A checkpoint of the authors' training script."""


@register_model(_info(256, 54_408_833))
def batvision_unet_256(
    weights: str | Path | None = None,
    *,
    max_depth: float | None = None,
    ngf: int | None = None,
    audio: Mapping[str, Any] | None = None,
    depth_norm: bool | None = None,
) -> BatVisionUNet:
    """The baseline; `weights` is a checkpoint of the authors' training script or a folder of ours."""
    return _create(256, weights, max_depth=max_depth, ngf=ngf, audio=audio, depth_norm=depth_norm)


@register_model(_info(128, 41_823_873))
def batvision_unet_128(
    weights: str | Path | None = None,
    *,
    max_depth: float | None = None,
    ngf: int | None = None,
    audio: Mapping[str, Any] | None = None,
    depth_norm: bool | None = None,
) -> BatVisionUNet:
    """The same with a level less."""
    return _create(128, weights, max_depth=max_depth, ngf=ngf, audio=audio, depth_norm=depth_norm)


def _create(size: int, weights: str | Path | None, **options: Any) -> BatVisionUNet:
    info = model_info(f"batvision_unet_{size}")
    return build(BatVisionUNet, info, {"size": size} | options, weights, LAYOUT)
