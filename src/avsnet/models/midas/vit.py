"""Plain vision transformers as encoders of MiDaS: BEiT (v3.1), ViT (DPT-Large) and ResNet with ViT (DPT-Hybrid).

Ranftl et al., Vision Transformers for Dense Prediction (2021); Birkl et al., MiDaS v3.1 (2023). The backbones are
timm's, without the final norm and classifier, which are never run; here their tokens become maps. Names are those of
the published files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.models.midas.relative_position import RelativePosition

PATCH = 16  # pixels


class Readout(nn.Module):
    """Lets every patch know what the class token knows, by a linear layer over both ("project")."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(2 * width, width), nn.GELU())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, 1 + N, C), class token first -> (B, N, C)."""
        patches = tokens[:, 1:]
        return self.project(torch.cat([patches, tokens[:, :1].expand_as(patches)], dim=2))


class Reassemble(nn.Module):
    """Tokens to a map.

    Args:
        width: of the tokens.
        out: channels of the map.
        stride: pixels of the picture per pixel of the map: 4, 8, 16 or 32.
    """

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.add_module("0", Readout(width))  # numbered as published, where 1 and 2 bring the tokens into place
        self.add_module("3", nn.Conv2d(width, out, 1))
        if stride < PATCH:
            self.add_module("4", nn.ConvTranspose2d(out, out, PATCH // stride, PATCH // stride))
        elif stride > PATCH:
            self.add_module("4", nn.Conv2d(out, out, 3, stride // PATCH, padding=1))

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """(B, 1 + rows * columns, C) of a (rows, columns) grid -> (B, `out`, h, w)."""
        readout, *convolutions = self.children()
        x = readout(tokens).transpose(1, 2).unflatten(2, grid)
        for convolution in convolutions:
            x = convolution(x)
        return x


class BeitEncoder(nn.Module):
    """BEiT (Bao et al. 2021): knows places by the attention's bias only.

    Args:
        name: of timm's network.
        taps: the four blocks, counted from 0, whose tokens become maps.
        channels: of the maps at strides 4, 8, 16, 32.
        **options: further ones of timm's network.
    """

    model: Any

    def __init__(self, name: str, taps: Sequence[int], channels: Sequence[int], **options: Any) -> None:
        super().__init__()
        import timm

        # timm's tables know one size only: ours are passed to its blocks as a bias from outside.
        self.model = timm.create_model(name, num_classes=0, use_rel_pos_bias=False, **options)
        del self.model.norm, self.model.fc_norm
        blocks = self.model.blocks
        self.relative_position = RelativePosition(
            self.model.patch_embed.grid_size[0], blocks[0].attn.num_heads, len(blocks)
        )
        self.taps, self.channels = tuple(taps), tuple(channels)
        for level, out in enumerate(channels, start=1):
            self.add_module(f"act_postprocess{level}", Reassemble(self.model.embed_dim, out, 2 ** (level + 1)))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> maps at strides 4, 8, 16, 32."""
        grid = image.shape[2] // PATCH, image.shape[3] // PATCH
        patches = self.model.patch_embed.proj(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.model.cls_token.expand(image.shape[0], -1, -1), patches], dim=1)
        maps: list[Tensor] = []
        for number, (block, bias) in enumerate(zip(self.model.blocks, self.relative_position(grid), strict=True)):
            tokens = block(tokens, shared_rel_pos_bias=bias)
            if number in self.taps:
                maps.append(self.get_submodule(f"act_postprocess{len(maps) + 1}")(tokens, grid))
        return maps


class VitEncoder(nn.Module):
    """ViT (Dosovitskiy et al. 2020), on patches or on the maps of a ResNet: knows places by what its tokens begin with.

    Args:
        name: of timm's network.
        taps: the blocks, counted from 0, whose tokens become the coarser maps; as many of the finer ones as are left
            are those of the ResNet's first stages.
        channels: of the maps at strides 4, 8, 16, 32.
        **options: further ones of timm's network.
    """

    model: Any

    def __init__(self, name: str, taps: Sequence[int], channels: Sequence[int], **options: Any) -> None:
        super().__init__()
        import timm

        self.model = timm.create_model(name, num_classes=0, **options)
        del self.model.norm
        self.taps, self.channels = tuple(taps), tuple(channels)
        for level, out in list(enumerate(channels, start=1))[-len(taps) :]:
            self.add_module(f"act_postprocess{level}", Reassemble(self.model.embed_dim, out, 2 ** (level + 1)))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> maps at strides 4, 8, 16, 32."""
        maps: list[Tensor] = []
        embed, x = self.model.patch_embed, image
        if len(self.taps) < len(self.channels):
            x = embed.backbone.stem(x)
            for stage in embed.backbone.stages:
                x = stage(x)
                maps.append(x)
            del maps[len(self.channels) - len(self.taps) :]
        x = embed.proj(x)
        grid = x.shape[2], x.shape[3]
        tokens = torch.cat([self.model.cls_token.expand(x.shape[0], -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
        tokens = tokens + self._positions(grid)
        for number, block in enumerate(self.model.blocks):
            tokens = block(tokens)
            if number in self.taps:
                maps.append(self.get_submodule(f"act_postprocess{len(maps) + 1}")(tokens, grid))
        return maps

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """What is added to the tokens of a (rows, columns) grid, (1, 1 + rows * columns, C)."""
        positions: Tensor = self.model.pos_embed
        side = round((positions.shape[1] - 1) ** 0.5)
        map_ = positions[:, 1:].transpose(1, 2).unflatten(2, (side, side))
        map_ = F.interpolate(map_, grid, mode="bilinear", align_corners=False)
        return torch.cat([positions[:, :1], map_.flatten(2).transpose(1, 2)], dim=1)
