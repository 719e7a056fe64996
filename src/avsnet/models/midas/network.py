"""MiDaS: one picture to inverse depth, up to an unknown scale and shift.

An encoder gives four maps at strides 4, 8, 16 and 32; the decoder fuses them from coarse to fine. Every encoder of the
family stands behind the same `Midas`, so that a metric head takes the same six features from any of them
(ZoeDepth, Bhat et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from avsnet.errors import OptionError
from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.midas.decoder import MidasDecoder
from avsnet.models.resize import checked_image

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
"""Mean and standard deviation of the red, green and blue that an encoder was trained with."""


class MidasFeatures(NamedTuple):
    """What a metric head takes from MiDaS for a picture of (H, W).

    Args:
        out_conv: (B, C, H, W), after the ReLU of the head's second convolution.
        bottleneck: (B, C, H/32, W/32), the coarsest encoder map at the decoder's width (`layer4_rn`).
        blocks: (r4, r3, r2, r1), the outputs of the fusion blocks, (B, C, h, w) at strides 16, 8, 4, 2.
        disparity: (B, 1, H, W), inverse depth up to scale and shift, 0 or more.
    """

    out_conv: Tensor
    bottleneck: Tensor
    blocks: tuple[Tensor, Tensor, Tensor, Tensor]
    disparity: Tensor


class MidasChannels(NamedTuple):
    """The number of channels of each of `MidasFeatures`."""

    out_conv: int
    bottleneck: int
    blocks: tuple[int, int, int, int]


class Midas(DepthModel):
    """An encoder and the decoder that fits it.

    Args:
        info: what the network is; its size rule is what `forward` takes.
        encoder: a normalised picture (B, 3, H, W) -> four maps, strides 4, 8, 16, 32.
        decoder: its widths fit the encoder.
        normalisation: mean and standard deviation per colour, `HALF` or `IMAGENET`.
        channels_last: whether the maps lie in memory pixel by pixel, which makes narrow convolutions faster on a CPU.

    Attributes:
        info: as given.
        channels: of what `features` returns.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(
        self,
        info: ModelInfo,
        encoder: nn.Module,
        decoder: MidasDecoder,
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.info = info
        # The names of the published files.
        self.pretrained, self.scratch = encoder, decoder
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.channels = MidasChannels(decoder.out_conv, decoder.bottleneck, decoder.blocks)
        for name, values in zip(("_mean", "_std"), normalisation, strict=True):
            self.register_buffer(name, torch.tensor(values).reshape(3, 1, 1), persistent=False)

    def features(self, image: Tensor, change: Callable[[Tensor], Tensor] | None = None) -> MidasFeatures:
        """The relative depth and what lies behind it.

        Args:
            image: (B, 3, H, W) 0..1 RGB, not normalised, of a size that is legal by `info`.
            change: what is done to the bottleneck before the decoder starts from it; None: nothing.
        """
        image = (image - self._mean) / self._std
        maps = self.pretrained(image.contiguous(memory_format=self.memory_format))
        return MidasFeatures(*self.scratch(maps, change))

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One pass; nothing is resized.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised, of a size that is legal by `info`.

        Returns:
            {"affine_disparity": (B, 1, H, W)}, 1 / depth up to scale and shift, 0 or more.

        Raises:
            SampleError: no image, or one of another shape, size or type, or with NaN in it.
        """
        return {"affine_disparity": self.features(checked_image(batch, self.info)).disparity}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The parameters by how ZoeDepth's training sets their learning rates.

        Returns:
            "encoder" (with what brings its maps to the decoder's strides), "relative_position" (the encoder's
            relative-position tables; of many encoders none) and "decoder", each parameter once.
        """
        groups: dict[str, list[nn.Parameter]] = {"encoder": [], "relative_position": [], "decoder": []}
        for name, parameter in self.named_parameters():
            part = "decoder" if name.startswith("scratch.") else "encoder"
            groups["relative_position" if "relative_position" in name else part].append(parameter)
        return groups


def with_input_size(info: ModelInfo, size: tuple[int, int] | None) -> ModelInfo:
    """A network's info with another input size, to which every picture then comes exactly; None leaves it as it is.

    Args:
        info: of the network.
        size: (height, width) in pixels, multiples of `info.size_multiple`; where that is None, only `info.size`.

    Raises:
        OptionError: no such size.
    """
    if size is None:
        return info
    sides, multiple = tuple(size), info.size_multiple
    if multiple is None and sides != info.size:
        raise OptionError(f"input_size {size}: {info.name} takes {info.size} only")
    multiple = multiple or 1
    if len(sides) != 2 or any(not isinstance(side, int) or side < 1 or side % multiple for side in sides):
        raise OptionError(f"input_size {size}: give (height, width) in whole pixels, multiples of {multiple}")
    return replace(info, size=sides, fit="exact")
