"""MiDaS v2.1, small and large (Ranftl et al. 2020), and a tiny one of the small one's shape to train from scratch."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from avsnet.models.midas import IMAGENET, Midas, with_input_size
from avsnet.models.midas_decoder import MidasDecoder
from avsnet.models.midas_keys import load_midas
from avsnet.models.registry import ModelInfo, register_model

PAPER = "Ranftl et al., Towards Robust Monocular Depth Estimation (2020)"
RELEASE = "https://github.com/isl-org/MiDaS/releases/download/v2_1"

SMALL = ModelInfo(
    "midas_small",
    output="affine_disparity",
    code_licence="Apache-2.0",
    weights_licence="MIT",
    source=f"{PAPER}, MiDaS v2.1 small",
    size=(256, 256),
    size_multiple=32,
    parameters=21_320_545,
    fit="upper",
    resample="cubic",
    upsample="cubic",
    published=f"{RELEASE}/midas_v21_small_256.pt",
)
LARGE = ModelInfo(
    "midas_v21_large",
    output="affine_disparity",
    code_licence="Apache-2.0",
    weights_licence="MIT; trained on from weights under CC BY-NC 4.0",
    source=f"{PAPER}, MiDaS v2.1",
    size=(384, 384),
    size_multiple=32,
    parameters=1,
    fit="upper",
    resample="cubic",
    upsample="cubic",
    published=f"{RELEASE}/midas_v21_384.pt",
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


class LayersEncoder(nn.Module):
    """A convolutional backbone of timm, cut where its stride doubles and numbered as in the published files.

    Args:
        name: of timm's network: a lite EfficientNet (Tan and Le 2019) or a ResNeXt (Xie et al. 2017).

    Attributes:
        channels: of the maps at strides 4, 8, 16, 32.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        import timm

        net = timm.create_model(name)
        if hasattr(net, "blocks"):
            # The third entry was the activation, which timm now has inside bn1.
            self.layer1 = nn.Sequential(net.conv_stem, net.bn1, nn.Identity(), *net.blocks[:2])
            self.layer2, self.layer3 = nn.Sequential(*net.blocks[2:3]), nn.Sequential(*net.blocks[3:5])
            self.layer4 = nn.Sequential(*net.blocks[5:])
        else:
            self.layer1 = nn.Sequential(net.conv1, net.bn1, net.act1, net.maxpool, net.layer1)
            self.layer2, self.layer3, self.layer4 = net.layer2, net.layer3, net.layer4
        self.channels = tuple(stage["num_chs"] for stage in net.feature_info[1:])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> maps at strides 4, 8, 16, 32."""
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            image = layer(image)
            maps.append(image)
        return maps


@register_model(SMALL)
def midas_small(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> Midas:
    """MiDaS v2.1 small."""
    encoder = LayersEncoder("tf_efficientnet_lite3")
    decoder = MidasDecoder(encoder.channels, (64, 128, 256, 512), (32, 32), head_corners=False)
    return load_midas(Midas(with_input_size(SMALL, input_size), encoder, decoder, IMAGENET), weights)


@register_model(TINY)
def midas_tiny(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> Midas:
    """The shape of MiDaS v2.1 small with a sixth of its weights, for training from scratch."""
    encoder = LayersEncoder("tf_efficientnet_lite0")
    decoder = MidasDecoder(encoder.channels, (32, 48, 64, 64), (32, 16), head_corners=False)
    return load_midas(Midas(with_input_size(TINY, input_size), encoder, decoder, IMAGENET), weights)


@register_model(LARGE)
def midas_v21_large(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> Midas:
    """MiDaS v2.1, the large one: plain fusion, and ReLUs that work in place."""
    encoder = LayersEncoder("resnext101_32x8d")
    decoder = MidasDecoder(encoder.channels, (256,) * 4, (128, 32), project=False, head_corners=False, rectified=True)
    return load_midas(Midas(with_input_size(LARGE, input_size), encoder, decoder, IMAGENET), weights)
