"""MiDaS v2.1, the large one (Ranftl et al. 2020): a ResNeXt, plain fusion, and ReLUs that work in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from avsnet.models.info import ModelInfo
from avsnet.models.load import build
from avsnet.models.midas.decoder import MidasDecoder
from avsnet.models.midas.keys import LAYOUT
from avsnet.models.midas.network import IMAGENET, Midas, with_input_size
from avsnet.models.registry import register_model

INFO = ModelInfo(
    "midas_v21_large",
    output="affine_disparity",
    code_licence="Apache-2.0",
    weights_licence="MIT; trained on from weights under CC BY-NC 4.0",
    source="Ranftl et al., Towards Robust Monocular Depth Estimation (2020), MiDaS v2.1",
    size=(384, 384),
    size_multiple=32,
    parameters=105_362_945,
    fit="upper",
    resample="cubic",
    upsample="cubic",
    published="https://github.com/isl-org/MiDaS/releases/download/v2_1/midas_v21_384.pt",
)


class ResNeXt(nn.Module):
    """A ResNeXt-101 32x8d (Xie et al. 2017) cut where its stride doubles, numbered as in the published file."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        net: Any = timm.create_model("resnext101_32x8d")
        self.layer1 = nn.Sequential(net.conv1, net.bn1, net.act1, net.maxpool, net.layer1)
        self.layer2, self.layer3, self.layer4 = net.layer2, net.layer3, net.layer4

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> maps at strides 4, 8, 16, 32."""
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            image = layer(image)
            maps.append(image)
        return maps


@register_model(INFO)
def midas_v21_large(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> Midas:
    """MiDaS v2.1, the large one."""
    return build(_v21_large, INFO, {"input_size": input_size}, weights, LAYOUT)


def _v21_large(input_size: tuple[int, int] | None = None) -> Midas:
    decoder = MidasDecoder(
        (256, 512, 1024, 2048), (256,) * 4, (128, 32), project=False, head_corners=False, rectified=True
    )
    return Midas(with_input_size(INFO, input_size), ResNeXt(), decoder, IMAGENET)
