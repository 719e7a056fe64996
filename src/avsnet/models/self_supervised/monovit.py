"""MonoViT: Monodepth2's task with a vision transformer as encoder and a dense grid of skips as decoder.

Source: Zhao et al., "MonoViT: Self-Supervised Monocular Depth Estimation with a Vision Transformer", 3DV 2022; the
decoder is that of Lyu et al., "HR-Depth", AAAI 2021. Names that the published weights have are kept.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from avsnet.errors import ModelError
from avsnet.models.info import ModelInfo
from avsnet.models.registry import register_model
from avsnet.models.self_supervised.monodepth2 import DisparityNetwork, reflection_conv, reflection_elu, twice
from avsnet.models.self_supervised.mpvit import STEM, WIDTHS, MPViT
from avsnet.models.self_supervised.start import PROFILER, family_layout, sized, start
from avsnet.view_synthesis import MAX_DEPTH, MIN_DEPTH
from avsnet.weights import load_strictly, read_state_dict

INFO = ModelInfo(
    name="monovit",
    output="disparity",
    code_licence="Apache-2.0",
    weights_licence="MIT; trained from MPViT (GPL-3.0 or commercial)",
    source="Zhao et al., 3DV 2022",
    size=(192, 640),
    size_multiple=32,
    parameters=27_837_772,
    resample="lanczos",
    flip="blend",
    published="https://github.com/zxcqlf/MonoViT (640x192; 1024x320 and 1280x384, one file, give input_size)",
)

_ROWS = (STEM, 64, 128, 256, 512)  # channels of the grid's rows, fine to coarse, where they come from the encoder
_NODES = ("01", "11", "21", "31", "02", "12", "22", "03", "13", "04")  # row and column, in order
_GATED = ("31", "22", "13", "04")  # the last node of every row
_HEADS = ("04", "04", "13", "22")  # the node behind the disparity of each scale


class MonoViT(DisparityNetwork):
    """MPViT-small and the HR-Depth decoder, with disparity at four scales.

    Args:
        input_size: (height, width) in pixels, multiples of 32.
        drop_path: rate of the encoder's last layer in training.
        min_depth: of a sigmoid of 1, in the unknown unit of the output.
        max_depth: of a sigmoid of 0.

    Attributes:
        smallest: pixels; a shorter side has no two pixels at stride 32, which reflection needs.
    """

    smallest = 64

    def __init__(
        self,
        input_size: Sequence[int] = (192, 640),
        drop_path: float = 0.2,
        min_depth: float = MIN_DEPTH,
        max_depth: float = MAX_DEPTH,
    ) -> None:
        info = sized(INFO, input_size, self.smallest)
        super().__init__(info, MPViT(drop_path), GridDecoder(), min_depth, max_depth)

    def load_imagenet(self, path: str | Path) -> None:
        """Start from an MPViT-small that was trained on ImageNet.

        Raises:
            ModelError: not the weights of an MPViT-small.
        """
        state = _canonical(read_state_dict(path), self, path)
        load_strictly(self.encoder, state, path, unused=[r"cls_head\..*", PROFILER])


class GridDecoder(nn.Module):
    """A grid with a row for every size, fine to coarse: a node sees all before it in its row, and the row below.

    A node of row i has half as many channels as the features of row i + 1, which it enlarges by nearest neighbours.
    """

    def __init__(self) -> None:
        super().__init__()
        convs: dict[str, nn.Module] = {}
        for row, (before, after) in enumerate(zip((*WIDTHS[1:], WIDTHS[-1]), _ROWS[1:], strict=True), 1):
            convs[f"f{row}"] = Lateral(before, after)
        for node in _NODES:
            row, column = map(int, node)
            below, width = _below(node), _ROWS[row + 1] // 2
            seen = _ROWS[row] + column * width
            convs[f"X_{below}_Conv_0"] = reflection_elu(2 * width, width)
            if node in _GATED:
                convs[f"X_{node}_attention"] = GatedNode(seen, width)
                continue
            if column > 1:
                conv = nn.Conv2d(seen, 2 * width, 1, bias=False)
                convs[f"X_{node}_downsample"] = nn.Sequential(OrderedDict(conv=conv))
            convs[f"X_{below}_Conv_1"] = reflection_elu(seen if column == 1 else 2 * width, width)
        convs["X_04_Conv_0"], convs["X_04_Conv_1"] = reflection_elu(32, 16), reflection_elu(16, 16)
        for scale, width in enumerate((16, 32, 64, 128)):
            convs[f"dispconv{scale}"] = reflection_conv(width, 1)
        self.convs = nn.ModuleDict(convs)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Five feature maps, fine to coarse -> logits of disparity (B, 1, h, w), fine to coarse."""
        grid = {"00": features[0]}
        for row, feature in enumerate(features[1:], 1):
            grid[f"{row}0"] = self.convs[f"f{row}"](feature)
        for node in _NODES:
            row, column = map(int, node)
            below = _below(node)
            up = twice(self.convs[f"X_{below}_Conv_0"](grid[below]))
            seen = torch.cat([up, *(grid[f"{row}{before}"] for before in range(column))], 1)
            if node in _GATED:
                grid[node] = self.convs[f"X_{node}_attention"](seen)
                continue
            if column > 1:
                seen = self.convs[f"X_{node}_downsample"](seen)
            grid[node] = self.convs[f"X_{below}_Conv_1"](seen)
        finest = self.convs["X_04_Conv_1"](twice(self.convs["X_04_Conv_0"](grid["04"])))
        inputs = (finest, grid["04"], grid["13"], grid["22"])
        return [self.convs[f"dispconv{scale}"](x) for scale, x in enumerate(inputs)]


class Gate(nn.Module):
    """Weighs the channels of a map by what their means say."""

    def __init__(self, width: int) -> None:
        super().__init__()
        squeeze, excite = nn.Linear(width, width // 16, bias=False), nn.Linear(width // 16, width, bias=False)
        self.fc = nn.Sequential(squeeze, nn.ReLU(), excite, nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class Lateral(nn.Module):
    """From the encoder into the grid; unlike the grid's own convolutions it pads with zeros."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.ca = Gate(before)
        self.conv_se = nn.Conv2d(before, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, h, w) -> (B, after, h, w)."""
        return self.conv_se(self.ca(x)).relu()


class GatedNode(Gate):
    """The last node of a row: gate, then mix."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before)
        self.conv_se = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, h, w) -> (B, after, h, w)."""
        return self.conv_se(super().forward(x)).relu()


def _below(node: str) -> str:
    """The node that is enlarged for this one: a row below, a column before."""
    return f"{int(node[0]) + 1}{int(node[1]) - 1}"


def _published_order() -> list[str]:
    """Names of the decoder's parts in the order in which published files number them a second time."""
    shrunk = [f"X_{row}{column}_Conv_0" for column in range(5) for row in range(5 - column)]
    gated = [f"X_{node}_attention" for node in _GATED]
    rest = []
    for node in _NODES:
        if node not in _GATED:
            rest += [f"X_{node}_downsample"] * (node[1] != "1") + [f"X_{_below(node)}_Conv_1"]
    heads = [f"dispconv{scale}" for scale in range(4)]
    return ["f4", "f3", "f2", "f1", *shrunk, "X_04_Conv_1", *gated, *rest, *heads]


_SHARED = re.compile(
    r"((?:encoder\.)?mhca_stages\.\d+\.mhca_blks\.\d+)\.MHCA_layers\.\d+\.(?:factoratt_crpe\.)?(cpe|crpe)\.(.+)"
)
_NUMBERED = re.compile(r"decoder\.decoder\.(\d+)\.(.+)")


def _canonical(state: dict[str, Tensor], network: nn.Module, path: str | Path) -> dict[str, Tensor]:
    """The entries without those that say a second time, under another name, what is there already.

    Raises:
        ModelError: one says something else.
    """
    order = _published_order()
    kept = {}
    for key, value in state.items():
        shared, numbered = _SHARED.fullmatch(key), _NUMBERED.fullmatch(key)
        name = key
        if shared:
            name = ".".join(shared.groups())
        elif numbered and int(numbered[1]) < len(order):
            name = f"decoder.convs.{order[int(numbered[1])]}.{numbered[2]}"
        if name == key:
            kept[key] = value
        elif name in state and not torch.equal(value, state[name]):
            raise ModelError(f"{path}: {key} is not {name}, of which it must be a copy; is it a published file?")
    return kept


@register_model(INFO)
def monovit(
    weights: str | Path | None = None,
    input_size: Sequence[int] | None = None,
    drop_path: float | None = None,
    imagenet: str | Path | None = None,
    min_depth: float | None = None,
    max_depth: float | None = None,
) -> MonoViT:
    """MonoViT; `imagenet` is an MPViT-small to start training from, in place of `weights`."""
    options = {"input_size": input_size, "drop_path": drop_path, "min_depth": min_depth, "max_depth": max_depth}
    layout = family_layout(r"decoder\.convs\.X_0[0-3]_Conv_0\..*", own_keys=_canonical)
    return start(MonoViT, INFO, options, weights, imagenet, layout)
