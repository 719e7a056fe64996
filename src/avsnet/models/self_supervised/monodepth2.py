"""Monodepth2: disparity learned from video, by a ResNet-18 and a decoder with skips.

Source: Godard, Mac Aodha, Firman, Brostow, "Digging into Self-Supervised Monocular Depth Estimation", ICCV 2019. Its
family shares the contract of `disparities`: a sigmoid at several scales, of which the first counts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from avsnet.errors import SampleError
from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.registry import register_model
from avsnet.models.resize import checked_image
from avsnet.models.self_supervised.start import family_layout, sized, start
from avsnet.view_synthesis import MAX_DEPTH, MIN_DEPTH, inverse_depth
from avsnet.weights import load_strictly, read_state_dict

INFO = ModelInfo(
    name="monodepth2",
    output="disparity",
    code_licence="Apache-2.0",
    weights_licence="Monodepth2 licence, non-commercial",
    source="Godard et al., ICCV 2019",
    size=(192, 640),
    size_multiple=32,
    parameters=14_329_236,
    resample="lanczos",
    flip="blend",
    published="https://github.com/nianticlabs/monodepth2 (640x192, 1024x320; mono, stereo, both)",
)


CLASSIFIER = r"encoder\.encoder\.fc\.(weight|bias)"
"""Of ImageNet's classes, which published files hold and no network runs."""


class DisparityNetwork(DepthModel, PyTorchModelHubMixin):
    """What the family shares: a picture through an encoder and a decoder to disparities of several scales.

    Args:
        info: of the model, `sized`.
        encoder: (B, 3, H, W) -> feature maps, fine to coarse.
        decoder: these -> logits (B, 1, h, w), fine to coarse.
        min_depth: of a sigmoid of 1.
        max_depth: of a sigmoid of 0.

    Attributes:
        info: its `ModelInfo`.
        depth_range: the two depths.
        smallest: pixels, of a side.

    Raises:
        OptionError: no such range.
    """

    smallest: int

    def __init__(
        self,
        info: ModelInfo,
        encoder: nn.Module,
        decoder: nn.Module,
        min_depth: float,
        max_depth: float,
    ) -> None:
        super().__init__()
        self.info = info
        inverse_depth(torch.zeros(1), min_depth, max_depth)  # refuses a range that makes no sense
        self.depth_range = (min_depth, max_depth)
        self.encoder, self.decoder = encoder, decoder
        channels_last(self)

    def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One pass.

        Args:
            batch: `image` (B, 3, H, W), H and W multiples of 32 from `smallest`.

        Returns:
            As `disparities`; of scales 1, 1/2, 1/4 and, but for Lite-Mono, 1/8.

        Raises:
            SampleError: no image, or one of another shape, size or type, or with NaN in it.
        """
        image = family_image(batch, self.info, self.smallest)
        return disparities(self.decoder(self.encoder(image)), *self.depth_range)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The parameters of "encoder" and "decoder", which training may give rates of their own."""
        return {name: list(getattr(self, name).parameters()) for name in ("encoder", "decoder")}


class Monodepth2(DisparityNetwork):
    """ResNet-18 and a decoder that enlarges by nearest neighbours, with disparity at four scales.

    Args:
        input_size: (height, width) in pixels, multiples of 32.
        min_depth: of a sigmoid of 1, in the unknown unit of the output.
        max_depth: of a sigmoid of 0.

    Attributes:
        smallest: pixels; a shorter side has no two pixels at stride 32, which reflection needs.
    """

    smallest = 64

    def __init__(
        self, input_size: Sequence[int] = (192, 640), min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH
    ) -> None:
        parts = (ResNet18(), SkipDecoder((64, 64, 128, 256, 512), (16, 32, 64, 128, 256), scales=4))
        super().__init__(sized(INFO, input_size, self.smallest), *parts, min_depth, max_depth)

    def load_imagenet(self, path: str | Path) -> None:
        """Start from a ResNet-18 that was trained on ImageNet."""
        self.encoder.load_imagenet(path)  # type: ignore[operator]


class ResNet18(nn.Module):
    """The five feature maps of a ResNet-18, at strides 2 to 32.

    Args:
        pictures: how many are seen together, one behind the other in the channels.
    """

    def __init__(self, pictures: int = 1) -> None:
        super().__init__()
        self.pictures = pictures
        self.encoder = timm.create_model("resnet18", features_only=True, in_chans=3 * pictures)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3 pictures, H, W), 0..1 -> 64, 64, 128, 256 and 512 channels."""
        return self.encoder(normalised(images))

    def load_imagenet(self, path: str | Path) -> None:
        """Start from a ResNet-18 that was trained on ImageNet, as torchvision or timm saves it.

        Raises:
            ModelError: not the weights of a ResNet-18.
        """
        state = read_state_dict(path)
        if "conv1.weight" in state:
            # The same answer to copies of one picture as to that picture.
            state["conv1.weight"] = state["conv1.weight"].repeat(1, self.pictures, 1, 1) / self.pictures
        load_strictly(self.encoder, state, path, unused=[r"fc\.(weight|bias)"])


class SkipDecoder(nn.Module):
    """From the coarsest feature map up to disparities, joining the finer ones on the way.

    Each level: convolution, twice the size, the next finer feature map joined, convolution.

    Args:
        features: channels of the feature maps, fine to coarse.
        widths: channels of the levels, fine to coarse.
        scales: how many of the finest levels give a disparity.
        smooth: whether maps are enlarged bilinearly; else by nearest neighbours.
        enlarged: whether a disparity has twice the size of its level (Lite-Mono).
    """

    def __init__(
        self,
        features: Sequence[int],
        widths: Sequence[int],
        scales: int,
        smooth: bool = False,
        enlarged: bool = False,
    ) -> None:
        super().__init__()
        self.levels, self.smooth, self.enlarged = len(widths), smooth, enlarged
        below = [*widths[1:], features[-1]]
        skips = [0, *features[:-1]]
        convs: list[nn.Module] = []
        for level in reversed(range(self.levels)):
            convs.append(reflection_elu(below[level], widths[level]))
            convs.append(reflection_elu(widths[level] + skips[level], widths[level]))
        # One list, heads last, as in published files.
        self.decoder = nn.ModuleList([*convs, *(reflection_conv(width, 1) for width in widths[:scales])])

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps, fine to coarse -> logits of disparity (B, 1, h, w), fine to coarse."""
        x = features[-1]
        logits: list[Tensor] = []
        heads = self.decoder[2 * self.levels :]
        for step, level in enumerate(reversed(range(self.levels))):
            x = self._twice(self.decoder[2 * step](x))
            if level > 0:
                x = torch.cat([x, features[level - 1]], 1)
            x = self.decoder[2 * step + 1](x)
            if level < len(heads):
                head = heads[level](x)
                logits.insert(0, self._twice(head) if self.enlarged else head)
        return logits

    def _twice(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear") if self.smooth else twice(x)


def disparities(logits: Sequence[Tensor], min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH) -> dict[str, Any]:
    """What the family's networks say.

    Args:
        logits: (B, 1, H / 2^s, W / 2^s) of scale s = 0, 1, ..
        min_depth: of a sigmoid of 1.
        max_depth: of a sigmoid of 0.

    Returns:
        `disparity` (B, 1, H, W), 1 / max_depth .. 1 / min_depth: inverse depth up to a scale; `raw`, the sigmoid behind
        it; and for training `raw_scales`, the sigmoids of all scales.
    """
    scales = [logit.float().sigmoid() for logit in logits]
    return {"disparity": inverse_depth(scales[0], min_depth, max_depth), "raw": scales[0], "raw_scales": scales}


def family_image(batch: dict[str, Any], info: ModelInfo, smallest: int) -> Tensor:
    """The batch's pictures, if the network takes them, laid out with the channels last.

    Raises:
        SampleError: as `checked_image`, or a side is below `smallest`.
    """
    image = checked_image(batch, info)
    if min(image.shape[2:]) < smallest:
        raise SampleError(f"batch: 'image' is {tuple(image.shape)}, but {info.name} takes sides from {smallest} pixels")
    return image.contiguous(memory_format=torch.channels_last)


def channels_last(network: nn.Module) -> None:
    """Lay the weights out as `family_image` does pictures: tokens are then views of maps, and no layer turns any."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def normalised(images: Tensor) -> Tensor:
    """As Monodepth2, its pose network and Lite-Mono see pictures of 0..1."""
    return (images - 0.45) / 0.225


def reflection_conv(before: int, after: int) -> nn.Sequential:
    """Convolution 3 x 3 that sees the picture mirrored at its border."""
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect")))


def reflection_elu(before: int, after: int) -> nn.Sequential:
    """The same, then ELU."""
    return nn.Sequential(OrderedDict(conv=reflection_conv(before, after), nonlin=nn.ELU(inplace=True)))


def twice(x: Tensor) -> Tensor:
    """Twice the size, by nearest neighbours."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


@register_model(INFO)
def monodepth2(
    weights: str | Path | None = None,
    input_size: Sequence[int] | None = None,
    imagenet: str | Path | None = None,
    min_depth: float | None = None,
    max_depth: float | None = None,
) -> Monodepth2:
    """Monodepth2; `imagenet` is a ResNet-18 to start training from, in place of `weights`."""
    options = {"input_size": input_size, "min_depth": min_depth, "max_depth": max_depth}
    return start(Monodepth2, INFO, options, weights, imagenet, family_layout(CLASSIFIER))
