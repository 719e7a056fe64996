"""Depth map decomposition: metric depth from gradients and a normalised map (Jun et al., ECCV 2022).

One encoder feeds up to three decoders of one shape. G-Net is about depth gradients, N-Net about the map without its
scale, M-Net about metres; the features of each flow into the next, G to N to M. `mdr` adds the mean depth residual:
a transformer over M-Net's features finds the mean depth apart from the rest. `base` is the encoder and M-Net alone.

The authors evaluate at 384 x 512 whatever the picture's aspect, averaging both directions. Which variant a published
file is for does not stand in it: take the model by name. The training losses are not published.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from avsnet.errors import SampleError
from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.load import Layout, build
from avsnet.models.registry import register_model
from avsnet.models.resize import checked_image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, by channel."""

NEAREST, FARTHEST = 1e-3, 10.0
"""Metres, between which the authors clip every depth."""

_REPEATS = (3, 5, 5, 7, 7, 9, 3)  # blocks of the encoder's stages
_PYRAMID = (24, 40, 64, 176, 512, 2048)  # channels at 1/2, 1/4, 1/8, 1/16, 1/32, 1/32
_KEPT = (0, 1, 2, 4, 6)  # stages of the encoder whose output is the last of its size
# The original fixed its padding at build time for pictures of 456 pixels: (left and top, right and bottom).
_PADDINGS = {
    "conv_stem": (0, 1),
    "blocks.1.0.conv_dw": (0, 1),
    "blocks.2.0.conv_dw": (1, 2),
    "blocks.3.0.conv_dw": (1, 1),
    "blocks.5.0.conv_dw": (2, 2),
}
_STEPS = ((512, 512, 16), (176, 256, 16), (64, 128, 16), (40, 64, 8))  # skip's channels, own, attention's reduction
_PATCH = 32  # pixels of the picture along the side of one of the transformer's patches
_QUERIES, _POSITIONS, _WIDTH = 191, 500, 128


@dataclass(frozen=True)
class Variant:
    """What a network has beside the encoder and M-Net.

    Args:
        decomposed: whether there are G-Net and N-Net, and M-Net says 1 / (1 + metres) instead of metres.
        residual: whether there is the mean depth residual; it needs both.
        parameters: number of weights.
        file: name of the authors' file.
    """

    decomposed: bool
    residual: bool
    parameters: int
    file: str


VARIANTS = {
    "jun2022_mdr": Variant(True, True, 75_310_185, "51k_HRWSI.pth"),
    "jun2022_plain": Variant(True, False, 73_217_128, "the file with 795 and HRWSI in its name"),
    "jun2022_base": Variant(False, False, 43_299_469, "51k.pth"),
}
"""Names of the models."""


def info_of(name: str) -> ModelInfo:
    """What the model of this name, one of `VARIANTS`, is."""
    return ModelInfo(
        name=name,
        output="metric_depth",
        code_licence="Apache-2.0",
        weights_licence="MIT",
        source="Jun et al., Depth Map Decomposition for Monocular Depth Estimation, ECCV 2022",
        size=(384, 512),
        size_multiple=_PATCH,
        parameters=VARIANTS[name].parameters,
        resample="corners",
        upsample="corners",
        flip="mean",
        published=f"github.com/jyjunmcl/Depth-Map-Decomposition ({VARIANTS[name].file})",
    )


class Jun2022(DepthModel, PyTorchModelHubMixin):
    """EfficientNet-B5, one or three decoders, and perhaps the mean depth residual.

    Args:
        variant: one of `VARIANTS`.

    Attributes:
        info: its `ModelInfo`.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.info = info_of(variant)
        parts = VARIANTS[variant]
        self.inverse = parts.decomposed
        self.encoder = Encoder()
        self.gradient = Decoder(2) if parts.decomposed else None
        self.normalised = Decoder(1) if parts.decomposed else None
        self.metric = Decoder(1)
        self.residual = MeanDepthResidual(_STEPS[-1][1]) if parts.residual else None
        self.register_buffer("_mean", torch.tensor(MEAN).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(STD).reshape(-1, 1, 1), persistent=False)

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One pass; nothing is resized.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised; H and W are multiples of 32. The mean depth
                residual needs 192 to 500 patches of 32 x 32 pixels.

        Returns:
            {"metric_depth": (B, 1, H / 2, W / 2), metres; "raw": likewise, the network's own y}. Metres are 1 / y - 1
            where the network is decomposed and y where it is not, clipped to 1 mm and 10 m.

        Raises:
            SampleError: no image, or one of another shape, size or type, or with NaN in it.
        """
        image = checked_image(batch, self.info)
        height, width = image.shape[2:]
        if self.residual and not _QUERIES < (patches := height // _PATCH * (width // _PATCH)) <= _POSITIONS:
            raise SampleError(
                f"batch: 'image' of {width} x {height} pixels has {patches} patches of {_PATCH} x {_PATCH}, but "
                f"{self.info.name} takes {_QUERIES + 1} to {_POSITIONS}; resize it first (512 x 384 is its own size)"
            )
        pyramid = self.encoder((image - self._mean) / self._std)
        flow = None
        if self.gradient is not None and self.normalised is not None:
            flow = self.normalised(pyramid, self.gradient(pyramid, None))
        features = self.metric(pyramid, flow)[-1]
        if self.residual is None:
            raw = self.metric.read(features)
        else:
            maps, mean = self.residual(features)
            raw = self.metric.read(maps) + mean[:, :, None, None]
        return {"metric_depth": metres(raw, self.inverse), "raw": raw}


def metres(raw: Tensor, inverse: bool) -> Tensor:
    """Depth from what the network says, any shape, clipped as by the authors.

    Args:
        raw: y.
        inverse: whether y is 1 / (1 + depth). No depth has y <= 0, which the authors make the nearest.
    """
    return (1.0 / raw - 1.0 if inverse else raw).clamp(NEAREST, FARTHEST)


class Encoder(nn.Module):
    """EfficientNet-B5 of timm with the padding of the original, which no library has at other sizes than 456."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.network: Any = timm.create_model("tf_efficientnet_b5", num_classes=0)
        for name, (before, after) in _PADDINGS.items():
            self.network.set_submodule(name, PaddedConv2d(self.network.get_submodule(name), before, after))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W), normalised -> six maps, at 1/2, 1/4, 1/8, 1/16, 1/32 and 1/32 of the size."""
        x = self.network.bn1(self.network.conv_stem(image))
        pyramid = []
        for stage, blocks in enumerate(self.network.blocks):
            x = blocks(x)
            if stage in _KEPT:
                pyramid.append(x)
        return [*pyramid, self.network.bn2(self.network.conv_head(x))]


class PaddedConv2d(nn.Conv2d):
    """A convolution like another, with the same zeros before and after in both directions, whatever the size."""

    def __init__(self, other: Any, before: int, after: int) -> None:
        super().__init__(
            other.in_channels, other.out_channels, other.kernel_size, other.stride, groups=other.groups, bias=False
        )
        self.zeros = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h', w')."""
        return super().forward(F.pad(x, self.zeros))


class Decoder(nn.Module):
    """From the encoder's pyramid to 64 channels at a quarter of the size, and from those to a map at half the size."""

    def __init__(self, channels_out: int) -> None:
        super().__init__()
        below = 1024
        self.top_attention = ChannelAttention(_PYRAMID[-1], 16)
        self.top = nn.Conv2d(_PYRAMID[-1], below, 1)
        self.skip_attention, self.up = nn.ModuleList(), nn.ModuleList()
        for skip, channels, reduction in _STEPS:
            self.skip_attention.append(ChannelAttention(skip, reduction))
            self.up.append(Up(below + skip, channels))
            below = channels
        self.last = nn.Sequential(
            OrderedDict(
                grow=nn.UpsamplingBilinear2d(scale_factor=2),
                convA=nn.Conv2d(below, 32, 3, padding=1),
                reluA=nn.ReLU(),
                convB=nn.Conv2d(32, 32, 3, padding=1),
                reluB=nn.ReLU(),
            )
        )
        self.head = nn.Conv2d(32, channels_out, 3, padding=1)

    def forward(self, pyramid: Sequence[Tensor], flow: Sequence[Tensor] | None) -> list[Tensor]:
        """The features of all five steps, the last (B, 64, H / 4, W / 4), for `read` and for the next decoder.

        Args:
            pyramid: of the encoder.
            flow: the features of the decoder before this one, which are added step by step.
        """
        features = [self.top(self.top_attention(pyramid[-1]))]
        skips = reversed(pyramid[1:-1])
        for step, (attention, up, skip) in enumerate(zip(self.skip_attention, self.up, skips, strict=True)):
            below = features[-1] if flow is None else features[-1] + flow[step]
            features.append(up(below, attention(skip)))
        return features

    def read(self, features: Tensor) -> Tensor:
        """(B, 64, H / 4, W / 4) -> (B, channels_out, H / 2, W / 2)."""
        return self.head(self.last(features))


class ChannelAttention(nn.Module):
    """Weighs each channel by what the means of all channels say."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same."""
        return x * self.conv_du(x.mean((2, 3), keepdim=True))


class Up(nn.Module):
    """Brings a map to its skip's size, joins the two and convolves twice."""

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, channels_out, 3, padding=1),
            nn.BatchNorm2d(channels_out),
            nn.LeakyReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1),
            nn.BatchNorm2d(channels_out),
            nn.LeakyReLU(),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C, h, w) and (B, C', h', w') -> (B, channels_out, h', w')."""
        x = F.interpolate(x, skip.shape[2:], mode="bilinear", align_corners=True)
        return self.net(torch.cat([x, skip], 1))


class MeanDepthResidual(nn.Module):
    """The mean of the map, from the first patch; and maps of how alike each pixel is to each of the next 191."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, _WIDTH, 8, stride=8)
        self.positions = nn.Parameter(torch.rand(_POSITIONS, _WIDTH))
        layer = nn.TransformerEncoderLayer(_WIDTH, 4, 1024, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.regressor = nn.Sequential(
            nn.Linear(_WIDTH, 256), nn.LeakyReLU(), nn.Linear(256, 256), nn.LeakyReLU(), nn.Linear(256, 1)
        )
        self.pixels = nn.Conv2d(channels, _WIDTH, 3, padding=1)
        self.mix = nn.Conv2d(_QUERIES, channels, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) -> (B, C, h, w) without their mean, and that mean, (B, 1)."""
        tokens = self.patches(features).flatten(2).transpose(1, 2)
        tokens = self.transformer(tokens + self.positions[: tokens.shape[1]])
        alike = torch.einsum("bqc,bchw->bqhw", tokens[:, 1 : _QUERIES + 1], self.pixels(features))
        return self.mix(alike), self.regressor(tokens[:, 0])


def own_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict with the keys of `Jun2022`; keys that are so already stay."""
    names = _published_names()
    own = {}
    for key, value in state.items():
        part = key
        while part and part not in names:
            part = part.rpartition(".")[0]
        own[names.get(part, "") + key[len(part) :]] = value
    return own


def _published_names() -> dict[str, str]:
    """The published name of each part of the network -> ours."""
    names = {
        "encoder._conv_stem": "encoder.network.conv_stem",
        "encoder._bn0": "encoder.network.bn1",
        "encoder._conv_head": "encoder.network.conv_head",
        "encoder._bn1": "encoder.network.bn2",
        "conv_grad": "gradient.head",
        "conv_norm": "normalised.head",
        "conv_metric": "metric.head",
        "VIT.patch_transformer.embedding_convPxP": "residual.patches",
        "VIT.patch_transformer.positional_encodings": "residual.positions",
        "VIT.patch_transformer.transformer_encoder": "residual.transformer",
        "VIT.regressor": "residual.regressor",
        "VIT.conv3x3": "residual.pixels",
        "conv_ViT": "residual.mix",
    }
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    later |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    squeeze = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
    blocks = ((stage, place) for stage, repeats in enumerate(_REPEATS) for place in range(repeats))
    for number, (stage, place) in enumerate(blocks):
        for part, own in (squeeze | (later if stage else first)).items():
            names[f"encoder._blocks.{number}.{part}"] = f"encoder.network.blocks.{stage}.{place}.{own}"
    for letter, decoder in (("g", "gradient"), ("n", "normalised"), ("m", "metric")):
        names[f"conv_{letter}_CA"] = f"{decoder}.top_attention"
        names[f"conv_{letter}32"] = f"{decoder}.top"
        for step in range(len(_STEPS)):
            names[f"conv_enc_CA_{step + 1}_{letter}"] = f"{decoder}.skip_attention.{step}"
            names[f"up{step + 1}_{letter}._net"] = f"{decoder}.up.{step}.net"
        names[f"up5_{letter}"] = f"{decoder}.last"
    return names


LAYOUT = Layout(lambda state, network, path: own_keys(state), (r"encoder\._fc\.(weight|bias)",))
"""Of the authors' file, with the encoder's classifier for ImageNet, which has no part in depth."""


def jun2022(name: str, weights: str | Path | None = None) -> Jun2022:
    """The model of this name."""
    return build(Jun2022, info_of(name), {"variant": name}, weights, LAYOUT)


for _name in VARIANTS:
    register_model(info_of(_name))(partial(jun2022, _name))
