"""MiDaS v2.1 small (Ranftl et al. 2020), and two of its shape to train: one from ImageNet's weights, one from scratch.

The latter two have a sixth of its weights.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from avsnet.errors import OptionError
from avsnet.models.info import ModelInfo
from avsnet.models.load import build
from avsnet.models.midas.decoder import MidasDecoder
from avsnet.models.midas.imagenet import load_imagenet
from avsnet.models.midas.keys import LAYOUT
from avsnet.models.midas.lite import LiteEfficientNet, LiteSize
from avsnet.models.midas.network import IMAGENET, Midas, with_input_size
from avsnet.models.registry import register_model

SMALL = ModelInfo(
    "midas_small",
    output="affine_disparity",
    code_licence="Apache-2.0",
    weights_licence="MIT",
    source="Ranftl et al., Towards Robust Monocular Depth Estimation (2020), MiDaS v2.1 small",
    size=(256, 256),
    size_multiple=32,
    parameters=21_320_545,
    fit="upper",
    resample="cubic",
    upsample="cubic",
    published="https://github.com/isl-org/MiDaS/releases/download/v2_1/midas_v21_small_256.pt",
)
TINY = ModelInfo(
    "midas_tiny",
    output="affine_disparity",
    code_licence="Apache-2.0",
    weights_licence="none published",
    source="this project; the shape of MiDaS v2.1 small on EfficientNet-Lite0, 64 wide at most",
    size=(192, 256),
    size_multiple=32,
    parameters=3_671_217,
)
LITE0 = replace(
    TINY,
    name="midas_lite0",
    source="this project; the shape of MiDaS v2.1 small on EfficientNet-Lite0 as it was trained on ImageNet",
)


@register_model(SMALL)
def midas_small(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> Midas:
    """MiDaS v2.1 small."""
    return build(_small, SMALL, {"input_size": input_size}, weights, LAYOUT)


def _small(input_size: tuple[int, int] | None = None) -> Midas:
    encoder = LiteEfficientNet(LiteSize(width=1.2, depth=1.4))
    decoder = MidasDecoder(encoder.channels, (64, 128, 256, 512), (32, 32), head_corners=False)
    return Midas(with_input_size(SMALL, input_size), encoder, decoder, IMAGENET)


@register_model(TINY)
def midas_tiny(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> Midas:
    """The shape of MiDaS v2.1 small with a sixth of its weights, for training from scratch."""
    return build(partial(_lite, TINY, LiteSize(same=False)), TINY, {"input_size": input_size}, weights, LAYOUT)


@register_model(LITE0)
def midas_lite0(
    weights: str | Path | None = None,
    input_size: tuple[int, int] | None = None,
    imagenet: str | Path | None = None,
) -> Midas:
    """The same on an encoder whose padding is that of the published ImageNet weights, `imagenet`."""
    if weights is not None and imagenet is not None:
        raise OptionError(f"{LITE0.name}: give weights or imagenet, not both")
    built = build(partial(_lite, LITE0, LiteSize()), LITE0, {"input_size": input_size}, weights, LAYOUT)
    if imagenet is not None:
        load_imagenet(built.pretrained, imagenet)
    return built


def _lite(base: ModelInfo, size: LiteSize, input_size: tuple[int, int] | None = None) -> Midas:
    encoder = LiteEfficientNet(size)
    decoder = MidasDecoder(encoder.channels, (32, 48, 64, 64), (32, 16), head_corners=False)
    return Midas(with_input_size(base, input_size), encoder, decoder, IMAGENET, channels_last=True)
