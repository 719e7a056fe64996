"""NeWCRFs: metric depth by fully connected CRFs inside the windows of a feature pyramid (Yuan et al., CVPR 2022).

A Swin backbone gives features at four scales, a pooling head a first estimate at the coarsest. From coarse to fine,
a window's pixels then compare their features pairwise and let the estimate flow between them (`crf3` to `crf0`).

The network is tied to the camera that it was trained with (NYU's: 518.9 pixels of focal length at 480 x 640; resizing
changes that length). There is no published recipe for other cameras. Here a picture keeps its aspect and comes as near
to 480 x 640 as multiples of 32 allow; `input_size=(480, 640)` squeezes it to that size instead.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from avsnet.errors import OptionError
from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.load import Layout, build
from avsnet.models.registry import register_model
from avsnet.models.resize import checked_image

WINDOW = 7
"""Side of a window in tokens, in the backbone and in the CRFs."""

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, by channel."""

_SHIFT = WINDOW // 2
_APART = -100.0  # added to the score of two tokens that only the cyclic shift made neighbours
_HEAD_CHANNELS = 32
_POOLED_SIDES = (1, 2, 3, 6)


@dataclass(frozen=True)
class Variant:
    """The sizes of a network.

    Args:
        channels: of the backbone's first stage; each next stage has twice as many.
        depths: blocks of each stage.
        heads: attention heads of each stage.
        parameters: number of weights.
        published: where the authors' weights can be had; "" where there are none.
        crf_channels: of the four CRFs, from fine to coarse; each has twice those of the one before.
    """

    channels: int
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    parameters: int
    published: str = ""
    crf_channels: tuple[int, int, int, int] = (128, 256, 512, 1024)


VARIANTS = {
    "newcrfs_tiny07": Variant(96, (2, 2, 6, 2), (3, 6, 12, 24), 88_455_283),
    "newcrfs_large07": Variant(
        192,
        (2, 2, 18, 2),
        (6, 12, 24, 48),
        270_444_877,
        "github.com/aliyun/NeWCRFs (model_nyu.ckpt; model_kittieigen.ckpt with max_depth=80, input_size=(352, 1216))",
    ),
}
"""Names of the models; the last two digits are the side of the backbone's windows."""


def info_of(name: str) -> ModelInfo:
    """What the model of this name, one of `VARIANTS`, is."""
    published = VARIANTS[name].published
    return ModelInfo(
        name=name,
        output="metric_depth",
        code_licence="Apache-2.0",
        weights_licence="MIT" if published else "none published",
        source="Yuan et al., Neural Window Fully-connected CRFs for Monocular Depth Estimation, CVPR 2022",
        size=(480, 640),
        size_multiple=32,
        parameters=VARIANTS[name].parameters,
        fit="minimal",
        flip="blend",
        published=published,
    )


class NewCrfs(DepthModel, PyTorchModelHubMixin):
    """Backbone, pooling head, four CRFs and a sigmoid.

    Args:
        variant: one of `VARIANTS`.
        max_depth: metres, the most that the network can say: 10 for the NYU weights, 80 for the KITTI weights.
        input_size: (height, width) in pixels, multiples of 32, to which `infer` brings every picture; None: near 480 x
            640, the aspect kept.

    Attributes:
        info: its `ModelInfo`.

    Raises:
        OptionError: a max_depth or an input_size that is none.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(self, variant: str, max_depth: float = 10.0, input_size: Sequence[int] | None = None) -> None:
        super().__init__()
        if not isinstance(max_depth, int | float) or not 0.0 < max_depth < math.inf:
            raise OptionError(f"max_depth {max_depth!r}: give metres above 0, such as 10 (NYU) or 80 (KITTI)")
        self.max_depth = float(max_depth)
        self.info = info_of(variant)
        if input_size is not None:
            self.info = replace(self.info, size=_checked_size(input_size), fit="exact")
        sizes = VARIANTS[variant]
        features = [sizes.channels * 2**stage for stage in range(4)]
        self.backbone = _swin(sizes)
        self.decoder = PyramidPooling(features[3], sizes.crf_channels[3] // 2)
        self.crf0, self.crf1, self.crf2, self.crf3 = (
            WindowCrf(channels_x, channels // 2, channels)
            for channels_x, channels in zip(features, sizes.crf_channels, strict=True)
        )
        self.disp_head1 = nn.Sequential(OrderedDict(conv1=nn.Conv2d(sizes.crf_channels[0], 1, 3, padding=1)))
        self.register_buffer("_mean", torch.tensor(MEAN).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(STD).reshape(-1, 1, 1), persistent=False)

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One pass; nothing is resized.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised; H and W are multiples of 32.

        Returns:
            {"metric_depth": (B, 1, H, W), metres}.

        Raises:
            SampleError: no image, or one of another shape, size or type, or with NaN in it.
        """
        image = checked_image(batch, self.info)
        features = self.backbone((image - self._mean) / self._std).feature_maps
        estimate = self.decoder(features[3])
        estimate = self.crf3(features[3], estimate)
        for crf, feature in ((self.crf2, features[2]), (self.crf1, features[1]), (self.crf0, features[0])):
            estimate = crf(feature, F.pixel_shuffle(estimate, 2))
        share = torch.sigmoid(self.disp_head1(estimate))
        return {"metric_depth": self.max_depth * F.interpolate(share, scale_factor=4, mode="bilinear")}


class PyramidPooling(nn.Module):
    """A first estimate from the coarsest features and their means over 1, 4, 9 and 36 regions of the picture."""

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.psp_modules = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(side),
                nn.Sequential(
                    OrderedDict(
                        conv=nn.Conv2d(channels, channels_out, 1, bias=False),
                        gn=nn.GroupNorm(channels_out // 2, channels_out),
                        relu=nn.ReLU(),
                    )
                ),
            )
            for side in _POOLED_SIDES
        )
        joined = channels + len(_POOLED_SIDES) * channels_out
        self.bottleneck = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(joined, channels_out, 3, padding=1, bias=False),
                bn=nn.BatchNorm2d(channels_out),
                relu=nn.ReLU(),
            )
        )

    def forward(self, feature: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, channels_out, h, w)."""
        size = feature.shape[2:]
        pooled = [F.interpolate(branch(feature), size, mode="bilinear") for branch in self.psp_modules]
        return self.bottleneck(torch.cat([feature, *pooled], 1))


class WindowCrf(nn.Module):
    """Two blocks on the features; the estimate is what flows between a window's tokens, the same in both blocks."""

    def __init__(self, channels_x: int, channels_v: int, channels: int) -> None:
        super().__init__()
        same = channels_x == channels
        self.proj_x = nn.Identity() if same else nn.Conv2d(channels_x, channels, 3, padding=1)
        self.proj_v = nn.Conv2d(channels_v, channels, 3, padding=1)
        blocks = nn.ModuleList([CrfBlock(channels, 0), CrfBlock(channels, _SHIFT)])
        self.crf_layer = nn.ModuleDict({"blocks": blocks})
        self.norm_crf = nn.LayerNorm(channels)

    def forward(self, feature: Tensor, estimate: Tensor) -> Tensor:
        """(B, channels_x, h, w) and (B, channels_v, h, w) -> (B, channels, h, w)."""
        projected = self.proj_x(feature), self.proj_v(estimate)
        x, v = (values.permute(0, 2, 3, 1).contiguous() for values in projected)
        for block in self.crf_layer["blocks"].children():
            x = block(x, v)
        return self.norm_crf(x).permute(0, 3, 1, 2)


class CrfBlock(nn.Module):
    """Pairwise attention whose values are the estimate itself, then an MLP; x, the unary part, is the residual."""

    def __init__(self, channels: int, shift: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn = PairwiseAttention(channels, shift)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            OrderedDict(fc1=nn.Linear(channels, 4 * channels), act=nn.GELU(), fc2=nn.Linear(4 * channels, channels))
        )

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """(B, h, w, channels), twice -> (B, h, w, channels)."""
        x = x + self.attn(self.norm1(x), v)
        return x + self.mlp(self.norm2(x))


class PairwiseAttention(nn.Module):
    """Weights from the features of a window's pairs of tokens, applied to the estimate without projecting it.

    The windows of a shifted block lie 3 tokens further right and down; what the cyclic shift wraps around is kept
    apart. Padding takes part as tokens of zeros, which the bias of the projection then fills.
    """

    def __init__(self, channels: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.heads = channels // _HEAD_CHANNELS
        self.qk = nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, self.heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self._index: Tensor
        self.register_buffer("_index", _relative_positions(), persistent=False)

    def forward(self, x: Tensor, v: Tensor) -> Tensor:
        """(B, h, w, channels), twice -> (B, h, w, channels)."""
        height, width = x.shape[1:3]
        padding = (0, 0, 0, -width % WINDOW, 0, -height % WINDOW)
        x, v = F.pad(x, padding), F.pad(v, padding)
        size = x.shape
        if self.shift:
            x, v = (values.roll((-self.shift, -self.shift), (1, 2)) for values in (x, v))
        q, k = self.qk(_windows(x)).chunk(2, -1)
        q, k, v = (values.unflatten(-1, (self.heads, -1)).transpose(1, 2) for values in (q, k, _windows(v)))
        bias = self.relative_position_bias_table[self._index].permute(2, 0, 1)
        if self.shift:
            apart = _APART * _wrapped(size[1], size[2]).to(bias)
            bias = (bias + apart[:, None]).repeat(len(x), 1, 1, 1)
        moved = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(len(q), -1, -1, -1))
        result = _unwindows(self.proj(moved.transpose(1, 2).flatten(2)), size)
        if self.shift:
            result = result.roll((self.shift, self.shift), (1, 2))
        return result[:, :height, :width]


def _windows(x: Tensor) -> Tensor:
    """(B, H, W, C), multiples of a window -> (B * windows, tokens of a window, C)."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // WINDOW, WINDOW, width // WINDOW, WINDOW, channels)
    return x.transpose(2, 3).reshape(-1, WINDOW * WINDOW, channels)


def _unwindows(windows: Tensor, size: Iterable[int]) -> Tensor:
    """The way back to (B, H, W, C)."""
    batch, height, width, channels = size
    x = windows.reshape(batch, height // WINDOW, width // WINDOW, WINDOW, WINDOW, channels)
    return x.transpose(2, 3).reshape(batch, height, width, channels)


@lru_cache(maxsize=8)
def _wrapped(height: int, width: int) -> Tensor:
    """(windows, tokens, tokens) bool: which pairs of a window are neighbours by the cyclic shift alone."""
    rows, columns = (
        (torch.arange(side) >= side - WINDOW).long() + (torch.arange(side) >= side - _SHIFT) for side in (height, width)
    )
    region = _windows((3 * rows[:, None] + columns).reshape(1, height, width, 1))[..., 0]
    return region[:, :, None] != region[:, None]


def _relative_positions() -> Tensor:
    """(tokens, tokens) row of the bias table for each pair of a window's tokens."""
    row, column = (
        place.flatten() for place in torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
    )
    across = 2 * WINDOW - 1
    return (row[:, None] - row + WINDOW - 1) * across + column[:, None] - column + WINDOW - 1


def _swin(sizes: Variant) -> nn.Module:
    from transformers import SwinBackbone, SwinConfig

    options: dict[str, Any] = {
        "embed_dim": sizes.channels,
        "depths": sizes.depths,
        "num_heads": sizes.heads,
        "window_size": WINDOW,
        "drop_path_rate": 0.3,
        "out_features": [f"stage{stage}" for stage in range(1, 5)],
    }
    backbone: Any = SwinBackbone(SwinConfig(**options))
    backbone.swin.layernorm = nn.Identity()  # a last norm that no stage's output passes
    return backbone


def _checked_size(size: Sequence[int]) -> tuple[int, int]:
    sides = tuple(size)
    if len(sides) != 2 or any(type(side) is not int or side < 1 or side % 32 for side in sides):
        raise OptionError(f"input_size {size}: give (height, width) in whole pixels, multiples of 32")
    return sides


# Published name -> the name that transformers gives to the same part; all else is named as published.
_BACKBONE_NAMES = {
    "backbone.patch_embed.proj.": "backbone.swin.embeddings.patch_embeddings.projection.",
    "backbone.patch_embed.norm.": "backbone.swin.embeddings.norm.",
    **{f"backbone.norm{stage}.": f"backbone.hidden_states_norms.stage{stage + 1}." for stage in range(4)},
    "backbone.layers.": "backbone.swin.encoder.layers.",
    ".norm1.": ".layernorm_before.",
    ".norm2.": ".layernorm_after.",
    ".attn.relative_position_bias_table": ".attention.relative_position_bias.relative_position_bias_table",
    ".attn.proj.": ".attention.o_proj.",
    ".attn.qkv.": ".attention.qkv.",
}


def own_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict with the keys of `NewCrfs`; keys that are so already stay.

    The backbone's joint projection of queries, keys and values becomes three.
    """
    own: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith("backbone."):
            for published, library in _BACKBONE_NAMES.items():
                key = key.replace(published, library)
        if ".attention.qkv." in key and value.ndim:
            names = (key.replace(".qkv.", f".{letter}_proj.") for letter in "qkv")
            own.update(zip(names, value.tensor_split(3), strict=True))
        else:
            own[key] = value
    return own


LAYOUT = Layout(lambda state, network, path: own_keys(state), (r".*\.relative_position_index",))
"""Of the authors' file, with index tables that the network computes for itself."""


def newcrfs(
    name: str,
    weights: str | Path | None = None,
    max_depth: float | None = None,
    input_size: Sequence[int] | None = None,
) -> NewCrfs:
    """The model of this name; what a published file leaves open, `max_depth`, is 10 metres unless it is given."""
    options = {"variant": name, "max_depth": max_depth, "input_size": input_size}
    return build(NewCrfs, info_of(name), options, weights, LAYOUT)


for _name in VARIANTS:
    register_model(info_of(_name))(partial(newcrfs, _name))
