"""The decoder of MiDaS: four encoder maps, fused from coarse to fine by residual units (RefineNet, Lin et al. 2017).

Module names are those of the published files, under `scratch.`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class ResidualUnit(nn.Module):
    """x + conv(relu(conv(relu(x)))).

    Args:
        width: channels.
        rectified: whether relu(x) is added in place of x, as where the published network's ReLU works in place.
    """

    def __init__(self, width: int, rectified: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        positive = F.relu(x)
        return self.conv2(F.relu(self.conv1(positive))) + (positive if self.rectified else x)


class FusionBlock(nn.Module):
    """Adds a skip to the coarser map, refines it and brings it to the next size and width.

    Args:
        width: channels that come in.
        out: channels that go out; None: as they come in, without a convolution.
        rectified: as `ResidualUnit`.
    """

    def __init__(self, width: int, out: int | None, rectified: bool = False) -> None:
        super().__init__()
        self.out_conv = nn.Identity() if out is None else nn.Conv2d(width, out, 1)
        self.resConfUnit1 = ResidualUnit(width, rectified)
        self.resConfUnit2 = ResidualUnit(width, rectified)

    def forward(self, x: Tensor, skip: Tensor | None, size: Sequence[int]) -> Tensor:
        """(B, C, h, w) and perhaps a skip of that shape -> (B, `out`, *size)."""
        if skip is not None:
            x = x + self.resConfUnit1(skip)
        x = F.interpolate(self.resConfUnit2(x), tuple(size), mode="bilinear", align_corners=True)
        return self.out_conv(x)


class MidasDecoder(nn.Module):
    """Four encoder maps to inverse depth at the picture's size.

    Args:
        encoder: channels of the encoder's maps at strides 4, 8, 16, 32.
        widths: channels at which maps of those strides are fused.
        head: channels of the head's two 3x3 convolutions.
        project: whether a fusion block ends in a 1x1 convolution (to the next finer one's width).
        head_corners: whether the head's upsampling aligns the corners.
        rectified: as `ResidualUnit`.

    Attributes:
        out_conv: channels of the head before its last convolution.
        bottleneck: channels of the coarsest map that is fused.
        blocks: channels of the fusion blocks' outputs, strides 16, 8, 4, 2.
    """

    refinenet1: FusionBlock
    refinenet2: FusionBlock
    refinenet3: FusionBlock
    refinenet4: FusionBlock

    def __init__(
        self,
        encoder: Sequence[int],
        widths: Sequence[int],
        head: tuple[int, int],
        *,
        project: bool = True,
        head_corners: bool = True,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        outs = (widths[0], *widths[:3])
        for level, (channels, width, out) in enumerate(zip(encoder, widths, outs, strict=True), start=1):
            self.add_module(f"layer{level}_rn", nn.Conv2d(channels, width, 3, padding=1, bias=False))
            self.add_module(f"refinenet{level}", FusionBlock(width, out if project else None, rectified))
        # Published, yet never run, as the coarsest block has no skip: frozen, or distributed training waits for it.
        self.refinenet4.resConfUnit1.requires_grad_(False)
        self.output_conv = nn.Sequential(
            nn.Conv2d(outs[0], head[0], 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=head_corners),
            nn.Conv2d(head[0], head[1], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(head[1], 1, 1),
            nn.ReLU(),
        )
        # A fresh network begins above 0: the last ReLU, shut everywhere, would let nothing be learnt.
        nn.init.constant_(self.output_conv[4].bias, 0.5)  # type: ignore[arg-type]
        self.out_conv, self.bottleneck = head[1], widths[3]
        self.blocks = (outs[3], outs[2], outs[1], outs[0])

    def forward(
        self, maps: Sequence[Tensor], change: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
        """Fuse the encoder's maps, finest first.

        Args:
            maps: at strides 4, 8, 16, 32.
            change: what is done to the bottleneck before anything is made of it, such as letting an echo change it.

        Returns:
            The four fields of `avsnet.models.midas.network.MidasFeatures`.
        """
        skips = [self.get_submodule(f"layer{level}_rn")(one) for level, one in enumerate(maps, start=1)]
        if change is not None:
            skips[3] = change(skips[3])
        height, width = skips[0].shape[2:]
        sizes = [(2 * height, 2 * width), *(skip.shape[2:] for skip in skips[:3])]
        r4 = self.refinenet4(skips[3], None, sizes[3])
        r3 = self.refinenet3(r4, skips[2], sizes[2])
        r2 = self.refinenet2(r3, skips[1], sizes[1])
        r1 = self.refinenet1(r2, skips[0], sizes[0])
        out_conv = self.output_conv[:4](r1)
        return out_conv, skips[3], (r4, r3, r2, r1), self.output_conv[4:](out_conv)
