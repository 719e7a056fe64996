"""EfficientNet-Lite, the encoder of MiDaS v2.1 small and of the packaged networks, cut where its stride doubles.

Tan and Le, EfficientNet (2019), without squeeze and excitation, its swish a ReLU6, its stem and last stage of one size.
It is timm's network by the names of its weights and by its numbers; timm itself, and torchvision with it, take three
seconds to import, which is longer than all else that `predict` does for a picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Repeats, kernel, stride, expansion and channels of each: Table 1 of the paper."""

_STEM = 32  # channels, whatever the width


@dataclass(frozen=True)
class LiteSize:
    """Which of the family, and whose padding.

    Args:
        width: factor for the channels.
        depth: factor for the repeats, but of the first and last stage.
        same: whether strides pad as TensorFlow, in which the published weights were trained, does: less on the left.
    """

    width: float = 1.0
    depth: float = 1.0
    same: bool = True


class LiteEfficientNet(nn.Module):
    """The network without its classifier.

    Args:
        size: which of the family.

    Attributes:
        channels: of the maps at strides 4, 8, 16, 32.
    """

    def __init__(self, size: LiteSize) -> None:
        super().__init__()
        stages, widths, channels = [], [], _STEM
        for number, (repeats, kernel, stride, expansion, wide) in enumerate(_STAGES):
            if 0 < number < len(_STAGES) - 1:
                repeats = math.ceil(repeats * size.depth)
            inner, blocks = _rounded(wide * size.width), nn.Sequential()
            for place in range(repeats):
                blocks.append(_Block(channels, inner, kernel, 1 if place else stride, expansion, size.same))
                channels = inner
            stages.append(blocks)
            widths.append(channels)
        stem = _conv(3, _STEM, 3, 2, same=size.same)
        # Grouped and numbered as in the published files; the third entry was the activation, which is the norm's now.
        self.layer1 = nn.Sequential(stem, _NormReLU(_STEM, eps=_eps(size.same)), nn.Identity(), *stages[:2])
        self.layer2, self.layer3, self.layer4 = (nn.Sequential(*stages[i:j]) for i, j in ((2, 3), (3, 5), (5, 7)))
        self.channels = tuple(widths[stage] for stage in (1, 2, 4, 6))
        self._start()

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> maps at strides 4, 8, 16, 32."""
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            image = layer(image)
            maps.append(image)
        return maps

    def _start(self) -> None:
        """Fresh weights by the number of pixels that each output reaches, as the family is trained."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                outputs = math.prod(part.kernel_size) * part.out_channels / part.groups
                nn.init.normal_(part.weight, std=math.sqrt(2.0 / outputs))


class _Block(nn.Module):
    """Widen by a 1 x 1 convolution, filter each channel, narrow again, and add what came in where it fits."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, same: bool) -> None:
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        parts: list[tuple[str, nn.Conv2d]] = []
        if expansion > 1:
            parts.append(("conv_pw", _conv(inputs, wide, 1)))
        parts.append(("conv_dw", _conv(wide, wide, kernel, stride, groups=wide, same=same)))
        parts.append(("conv_pwl" if expansion > 1 else "conv_pw", _conv(wide, outputs, 1)))
        for number, (name, conv) in enumerate(parts, 1):
            norm = nn.BatchNorm2d if number == len(parts) else _NormReLU
            self.add_module(name, conv)
            self.add_module(f"bn{number}", norm(conv.out_channels, eps=_eps(same)))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for part in self.children():
            y = part(y)
        return x + y if self.adds else y


class _NormReLU(nn.BatchNorm2d):
    """Batch norm and the activation behind it."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(super().forward(x), inplace=True)


class _SameConv(nn.Conv2d):
    """Pads so that ceil(side / stride) pixels come out, the odd one on the right and below (TensorFlow)."""

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        rows, columns = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[2:])
        return super().forward(F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, same: bool = False) -> nn.Conv2d:
    """A convolution without bias, which is the norm's; at stride 1 both paddings are one."""
    if same and stride > 1:
        return _SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def _eps(same: bool) -> float:
    """What keeps norms from dividing by zero, in TensorFlow and in torch."""
    return 1e-3 if same else 1e-5


def _rounded(channels: float) -> int:
    """The multiple of eight nearest to a number of channels, unless it is more than 10 % below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8
