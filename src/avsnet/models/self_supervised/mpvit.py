"""MPViT-small as MonoViT has it: several transformer paths of different reach beside one convolutional branch.

Source: Lee, Kim, Willette, Hwang, "MPViT: Multi-Path Vision Transformer for Dense Prediction", CVPR 2022; with the
strides of Zhao et al., 3DV 2022. Names that the published weights have are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

PATHS = (2, 3, 3, 3)
LAYERS = (1, 3, 6, 3)
WIDTHS = (64, 128, 216, 288)
STEM = 64

_HEADS = 8
_KERNELS = {3: 2, 5: 3, 7: 3}  # size of the relative position's window -> heads that see it


class MPViT(nn.Module):
    """Five feature maps, the stem's and one of every stage, at strides 2 to 32.

    Args:
        drop_path: rate of the last layer in training; it grows linearly from 0.
    """

    def __init__(self, drop_path: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv_bn(3, STEM // 2, 3, 2), _conv_bn(STEM // 2, STEM, 3, 1))
        befores = (STEM, *WIDTHS[1:])
        afters = (*WIDTHS[1:], WIDTHS[-1])
        rates = torch.linspace(0.0, drop_path, sum(LAYERS)).tolist()
        self.patch_embed_stages = nn.ModuleList()
        self.mhca_stages = nn.ModuleList()
        for before, width, after, paths, layers in zip(befores, WIDTHS, afters, PATHS, LAYERS, strict=True):
            self.patch_embed_stages.append(PatchEmbedding(before, width, paths))
            self.mhca_stages.append(MultiPathStage(width, after, paths, rates[:layers]))
            rates = rates[layers:]

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W), 0..1, not normalised -> 64, 128, 216, 288 and 288 channels."""
        features = [self.stem(image)]
        for embedding, stage in zip(self.patch_embed_stages, self.mhca_stages, strict=True):
            features.append(stage(embedding(features[-1])))
        return features


class PatchEmbedding(nn.Module):
    """Half the size, then further convolutions in series, each of which feeds one path: ever larger patches.

    Args:
        before: channels.
        width: channels of the paths.
        paths: how many.
    """

    def __init__(self, before: int, width: int, paths: int) -> None:
        super().__init__()
        self.patch_embeds = nn.ModuleList()
        for path in range(paths):
            inside = before if path == 0 else width
            layers = OrderedDict(
                dwconv=nn.Conv2d(inside, inside, 3, 2 if path == 0 else 1, 1, groups=inside, bias=False),
                pwconv=nn.Conv2d(inside, width, 1, bias=False),
                bn=nn.BatchNorm2d(width),
                act=nn.Hardswish(),
            )
            self.patch_embeds.append(nn.Sequential(OrderedDict(patch_conv=nn.Sequential(layers))))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, before, h, w) -> `paths` maps (B, width, h / 2, w / 2)."""
        maps = []
        for embed in self.patch_embeds:
            x = embed(x)
            maps.append(x)
        return maps


class MultiPathStage(nn.Module):
    """A convolutional branch and transformer paths side by side, then mixed.

    Args:
        width: channels of every branch.
        after: channels of the mixture.
        paths: transformer paths.
        rates: of drop-path, one a layer.
    """

    def __init__(self, width: int, after: int, paths: int, rates: Sequence[float]) -> None:
        super().__init__()
        self.InvRes = LocalBranch(width)
        self.mhca_blks = nn.ModuleList(Path(width, rates) for _ in range(paths))
        self.aggregate = _conv_bn(width * (paths + 1), after, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """`paths` maps of one size -> (B, after, h, w)."""
        branches = [self.InvRes(maps[0]), *(path(x) for path, x in zip(self.mhca_blks, maps, strict=True))]
        return self.aggregate(torch.cat(branches, 1))


class LocalBranch(nn.Module):
    """What a residual block of depthwise convolutions sees."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _conv_bn(width, width, 1)
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.conv2 = _conv_bn(width, width, 1, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        return x + self.conv2(F.hardswish(self.norm(self.dwconv(self.conv1(x)))))


class Path(nn.Module):
    """Transformer layers that share their position codes.

    Args:
        width: channels.
        rates: of drop-path, one a layer.
    """

    def __init__(self, width: int, rates: Sequence[float]) -> None:
        super().__init__()
        self.cpe = nn.Sequential(OrderedDict(proj=nn.Conv2d(width, width, 3, padding=1, groups=width)))
        self.crpe = RelativePosition(width // _HEADS)
        self.MHCA_layers = nn.ModuleList(Layer(width, rate) for rate in rates)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        for layer in self.MHCA_layers:
            x = layer(x + self.cpe(x), self.crpe)
        return x


class Layer(nn.Module):
    """Attention and a perceptron, each after its norm and beside its residual."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.factoratt_crpe = FactorisedAttention(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, positions: nn.Module) -> Tensor:
        """(B, C, h, w) -> the same shape; `positions` is the path's `RelativePosition`."""
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.drop_path(self.factoratt_crpe(self.norm1(tokens), positions, x.shape[2:]))
        tokens = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return tokens.transpose(1, 2).reshape(x.shape)


class FactorisedAttention(nn.Module):
    """Attention whose cost grows with the number of tokens, not with its square: values are first summed by keys."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, positions: nn.Module, size: Sequence[int]) -> Tensor:
        """(B, N, C) tokens of a map of this size, row by row -> the same shape."""
        batch, count, width = tokens.shape
        q, k, v = self.qkv(tokens).chunk(3, -1)
        heads = [x.reshape(batch, count, _HEADS, -1).transpose(1, 2) for x in (q, k.softmax(1), v)]
        summed = heads[1].transpose(2, 3) @ heads[2]
        found = (heads[0] @ (summed * (width // _HEADS) ** -0.5)).transpose(1, 2).reshape(tokens.shape)
        near = positions(v.transpose(1, 2).reshape(batch, width, *size))
        return self.proj(found + q * near.flatten(2).transpose(1, 2))


class RelativePosition(nn.Module):
    """What values near a token say: depthwise convolutions, with larger windows for later heads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = [heads * width for heads in _KERNELS.values()]
        self.conv_list = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
            for channels, kernel in zip(self.channels, _KERNELS, strict=True)
        )

    def forward(self, values: Tensor) -> Tensor:
        """(B, C, h, w), heads one behind the other in the channels -> the same shape."""
        parts = values.split(self.channels, 1)
        return torch.cat([conv(part) for conv, part in zip(self.conv_list, parts, strict=True)], 1)


def _conv_bn(before: int, after: int, kernel: int, stride: int = 1, active: bool = True) -> nn.Sequential:
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv, bn=nn.BatchNorm2d(after))
    if active:
        layers["act"] = nn.Hardswish()
    return nn.Sequential(layers)
