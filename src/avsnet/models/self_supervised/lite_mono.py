"""Lite-Mono: Monodepth2's task with a fifth of its weights, by dilated convolutions and attention over channels.

Source: Zhang, Nex, Vosselman, Kerle, "Lite-Mono: A Lightweight CNN and Transformer Architecture for Self-Supervised
Monocular Depth Estimation", CVPR 2023. Four variants, which differ in widths and depths.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from timm.layers import DropPath
from timm.models.xcit import XCA, PositionalEncodingFourier
from torch import Tensor, nn

from avsnet.errors import ModelError, OptionError
from avsnet.models.info import ModelInfo
from avsnet.models.registry import register_model
from avsnet.models.self_supervised.monodepth2 import DisparityNetwork, SkipDecoder, normalised
from avsnet.models.self_supervised.start import PROFILER, family_layout, sized, start
from avsnet.view_synthesis import MAX_DEPTH, MIN_DEPTH
from avsnet.weights import load_strictly, read_state_dict

Dilations = Sequence[Sequence[int]]

HIGH_RESOLUTION = (320, 1024)
"""The one size for which published weights were trained with other dilations."""

_HEADS, _EXPANSION = 8, 6
_PART = 1024  # tokens
_LAST_STAGE = re.compile(r"(?:encoder\.)?stages\.2\.(\d+)\.")


@dataclass(frozen=True)
class Variant:
    """What tells the variants apart.

    Args:
        widths: channels of the three stages.
        dilations: of the dilated blocks of each stage, for training at any size but `HIGH_RESOLUTION`.
        high: the same, for that size.
        parameters: number of weights.
    """

    widths: tuple[int, int, int]
    dilations: Dilations
    high: Dilations
    parameters: int


_WIDE = ((1, 2, 3), (1, 2, 3), (1, 2, 3, 1, 2, 3, 2, 4, 6))
_WIDE_HIGH = ((1, 2, 5), (1, 2, 5), (1, 2, 5, 1, 2, 5, 2, 4, 10))
_NARROW = ((1, 2, 3), (1, 2, 3), (1, 2, 3, 2, 4, 6))
_NARROW_HIGH = ((1, 2, 5), (1, 2, 5), (1, 2, 5, 2, 4, 10))

VARIANTS = {
    "lite_mono": Variant((48, 80, 128), _WIDE, _WIDE_HIGH, 3_071_675),
    "lite_mono_small": Variant((48, 80, 128), _NARROW, _NARROW_HIGH, 2_474_555),
    "lite_mono_tiny": Variant((32, 64, 128), _NARROW, _NARROW_HIGH, 2_145_547),
    "lite_mono_8m": Variant((64, 128, 224), _WIDE, _WIDE, 8_770_667),
}


def _info(name: str) -> ModelInfo:
    return ModelInfo(
        name=name,
        output="disparity",
        code_licence="Apache-2.0",
        weights_licence="MIT",
        source="Zhang et al., CVPR 2023",
        size=(192, 640),
        size_multiple=32,
        parameters=VARIANTS[name].parameters,
        resample="lanczos",
        flip="blend",
        published="https://github.com/noahzn/Lite-Mono (640x192, 1024x320)",
    )


class LiteMono(DisparityNetwork):
    """Three stages of dilated convolutions and one attention block each, and a bilinear decoder with three scales.

    Args:
        variant: one of `VARIANTS`.
        input_size: (height, width) in pixels, multiples of 32.
        dilations: of the dilated blocks of each stage; None: those that published weights of `input_size` were trained
            with. They carry no weights, so a network runs with any, but answers well only with its own.
        drop_path: rate of the last block in training.
        min_depth: of a sigmoid of 1, in the unknown unit of the output.
        max_depth: of a sigmoid of 0.

    Attributes:
        dilations: as they are.
        smallest: pixels, of a side.
    """

    smallest = 32

    def __init__(
        self,
        variant: str = "lite_mono",
        input_size: Sequence[int] = (192, 640),
        dilations: Dilations | None = None,
        drop_path: float = 0.2,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
    ) -> None:
        if variant not in VARIANTS:
            raise OptionError(f"variant {variant!r} is none of {', '.join(VARIANTS)}")
        info, widths = sized(_info(variant), input_size, self.smallest), VARIANTS[variant].widths
        if dilations is None:
            dilations = VARIANTS[variant].high if info.size == HIGH_RESOLUTION else VARIANTS[variant].dilations
        dilations = _checked(dilations, variant)
        encoder = LiteMonoEncoder(widths, dilations, drop_path)
        decoder = SkipDecoder(widths, [width // 2 for width in widths], scales=3, smooth=True, enlarged=True)
        for part in decoder.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]
        super().__init__(info, encoder, decoder, min_depth, max_depth)
        self.dilations = dilations

    def load_imagenet(self, path: str | Path) -> None:
        """Start from a Lite-Mono encoder that was trained on ImageNet.

        Raises:
            ModelError: not the weights of this variant.
        """
        variant = self.info.name
        unused = [r"(head|norm).*", *_unused_norms(variant), PROFILER]
        load_strictly(self.encoder, _of_variant(read_state_dict(path), self, path), path, unused=unused)


class LiteMonoEncoder(nn.Module):
    """Feature maps at strides 4, 8 and 16.

    Args:
        widths: channels of the stages.
        dilations: of the dilated blocks of each stage.
        drop_path: rate of the last block; it grows linearly from 0.
    """

    def __init__(self, widths: Sequence[int], dilations: Dilations, drop_path: float = 0.0) -> None:
        super().__init__()
        rates = iter(torch.linspace(0.0, drop_path, sum(len(rates) + 1 for rates in dilations)).tolist())
        first, second, third = widths
        stem = nn.Sequential(_bn_gelu(3, first, 2), _bn_gelu(first, first, 1), _bn_gelu(first, first, 1))
        # Each way down sees the stage before it, what went into that stage, and the shrunken picture.
        down = [nn.Sequential(_conv(2 * width + 3, after, 2)) for width, after in ((first, second), (second, third))]
        self.downsample_layers = nn.ModuleList([stem, *down])
        self.stem2 = nn.Sequential(_conv(first + 3, first, 2))
        self.stages = nn.ModuleList()
        for stage, (width, blocks) in enumerate(zip(widths, dilations, strict=True)):
            dilated = [DilatedBlock(width, dilation, next(rates)) for dilation in blocks]
            self.stages.append(nn.Sequential(*dilated, AttentionBlock(width, next(rates), positions=stage == 0)))
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight, mode="fan_out")
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W), 0..1 -> three maps, fine to coarse."""
        image = normalised(image)
        picture = _half(image)
        before = self.stem2(torch.cat([self.downsample_layers[0](image), picture], 1))
        features = [self.stages[0](before)]
        for down, stage in zip(self.downsample_layers[1:], self.stages[1:], strict=True):
            picture = _half(picture)
            before = down(torch.cat([before, features[-1], picture], 1))
            features.append(stage(before))
        return features


class DilatedBlock(nn.Module):
    """Consecutive Dilated Convolutions, one of them: depthwise and dilated, then a perceptron at every pixel.

    Args:
        width: channels.
        dilation: pixels between the taps.
        drop_path: rate in training.
    """

    def __init__(self, width: int, dilation: int, drop_path: float) -> None:
        super().__init__()
        self.ddwconv = _conv(width, width, 1, groups=width, dilation=dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.pwconv1 = nn.Linear(width, _EXPANSION * width)
        self.pwconv2 = nn.Linear(_EXPANSION * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        tokens = self.bn1(self.ddwconv(x)).flatten(2).transpose(1, 2)
        tokens = self.gamma * _perceptron(tokens, self.pwconv1, self.pwconv2)
        return x + self.drop_path(tokens.transpose(1, 2).reshape(x.shape))


class AttentionBlock(nn.Module):
    """Local-Global Features Interaction: attention between channels, then a perceptron at every pixel.

    The second residual comes from the block's input, not from what attention gave.

    Args:
        width: channels.
        drop_path: rate in training.
        positions: whether a code of the position is added first.
    """

    def __init__(self, width: int, drop_path: float, positions: bool) -> None:
        super().__init__()
        self.pos_embd = PositionalEncodingFourier(32, width) if positions else None
        self.norm_xca = nn.LayerNorm(width, eps=1e-6)
        self.gamma_xca = nn.Parameter(torch.full((width,), 1e-6))
        self.xca = XCA(width, _HEADS, qkv_bias=True)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, _EXPANSION * width)
        self.pwconv2 = nn.Linear(_EXPANSION * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 1e-6))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        y = x if self.pos_embd is None else x + self.pos_embd(1, *x.shape[2:])
        tokens = y.flatten(2).transpose(1, 2)
        tokens = tokens + self.gamma_xca * self.xca(self.norm_xca(tokens))
        tokens = self.gamma * _perceptron(self.norm(tokens), self.pwconv1, self.pwconv2)
        return x + self.drop_path(tokens.transpose(1, 2).reshape(x.shape))


def _perceptron(tokens: Tensor, widen: nn.Module, narrow: nn.Module) -> Tensor:
    """(B, N, C) -> the same shape; what a processor infers, it infers in parts that its cache can hold."""
    if tokens.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return narrow(F.gelu(widen(tokens)))
    return torch.cat([narrow(F.gelu(widen(part))) for part in tokens.split(_PART, 1)], 1)


def _conv(before: int, after: int, stride: int, groups: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(before, after, 3, stride, padding=dilation, dilation=dilation, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(conv=conv))


def _bn_gelu(before: int, after: int, stride: int) -> nn.Sequential:
    layers = _conv(before, after, stride)
    layers.add_module("bn_gelu", nn.Sequential(OrderedDict(bn=nn.BatchNorm2d(after), act=nn.GELU())))
    return layers


def _half(image: Tensor) -> Tensor:
    """Half the size; at the border the padding counts."""
    return F.avg_pool2d(image, 3, stride=2, padding=1)


def _checked(dilations: Dilations, variant: str) -> list[list[int]]:
    """The table, if it has one dilation for every dilated block."""
    lengths = [len(stage) for stage in VARIANTS[variant].dilations]
    stages = dilations if isinstance(dilations, Sequence) else []
    table = [list(stage) if isinstance(stage, Sequence) else [] for stage in stages]
    whole = all(type(n) is int and n > 0 for stage in table for n in stage)
    if [len(stage) for stage in table] != lengths or not whole:
        raise OptionError(f"dilations {dilations}: {variant} takes 3 lists of {lengths} whole numbers from 1")
    return table


def _unused_norms(variant: str) -> list[str]:
    """Patterns of the norms that published dilated blocks carry without using them."""
    counts = [len(stage) for stage in VARIANTS[variant].dilations]
    return [rf"(encoder\.)?stages\.{stage}\.[0-{n - 1}]\.norm\..*" for stage, n in enumerate(counts)]


def _of_variant(state: dict[str, Tensor], network: LiteMono, path: str | Path) -> dict[str, Tensor]:
    """The entries as they are, unless they look like those of another variant."""
    name = network.info.name
    widths = [len(value) for key, value in state.items() if key.endswith("stem2.0.conv.weight")]
    blocks = {found[1] for key in state if (found := _LAST_STAGE.match(key))}
    for other, variant in VARIANTS.items():
        if other != name and widths == [variant.widths[0]] and len(blocks) == len(variant.dilations[2]) + 1:
            raise ModelError(f"{path}: looks like {other}, not {name}; create it by that name")
    return state


def _create(
    variant: str,
    weights: str | Path | None = None,
    input_size: Sequence[int] | None = None,
    dilations: Dilations | None = None,
    drop_path: float | None = None,
    imagenet: str | Path | None = None,
    min_depth: float | None = None,
    max_depth: float | None = None,
) -> LiteMono:
    """One variant; `imagenet` is its encoder to start training from, in place of `weights`."""
    options = {"variant": variant, "input_size": input_size, "dilations": dilations, "drop_path": drop_path}
    options |= {"min_depth": min_depth, "max_depth": max_depth}
    layout = family_layout(*_unused_norms(variant), own_keys=_of_variant)
    return start(LiteMono, _info(variant), options, weights, imagenet, layout)


for _name in VARIANTS:
    register_model(_info(_name))(partial(_create, _name))
