"""The echo encoder: a binaural spectrogram to one vector, or to tokens along its time axis, which is range.

Source: the front of the echo network of Parida et al. (2021), "Beyond Image to Depth". Theirs is tied to one size of
spectrogram; here its maps are averaged to 7 x 64 cells (frequency x time) first, so that any size will do and a cell of
time is 0.5 m of a 30 m axis. ResNet-18 is the other front.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.errors import OptionError

FRONTS = ("parida", "resnet18")
"""Convolutions in front of the pooling."""

CELLS = {"parida": (7, 64), "resnet18": (1, 16)}
"""Cells of frequency and time that the maps of a front are averaged to."""


class EchoEncoder(nn.Module):
    """What the two ears heard, as one normalised vector or one a cell of time.

    Args:
        width: E, channels of the vector or of each token.
        front: one of `FRONTS`.
        tokens: whether to keep the time axis.

    Raises:
        OptionError: an unknown front.
    """

    def __init__(self, width: int, front: str = "parida", tokens: bool = False) -> None:
        super().__init__()
        if front not in FRONTS:
            raise OptionError(f"echo_front: found {front!r}, wanted one of {', '.join(FRONTS)}")
        self.cells, self.tokens = CELLS[front], tokens
        self.front, channels = (_parida(), 8) if front == "parida" else (_resnet18(), 512)
        frequencies, times = self.cells
        self.embed = nn.Linear(channels * frequencies * (1 if tokens else times), width)
        self.norm = nn.LayerNorm(width)

    def forward(self, echo: Tensor) -> Tensor:
        """Encode spectrograms.

        Args:
            echo: (B, 2, F, T) magnitudes, at least 56 x 56 for the Parida front.

        Returns:
            (B, E), or (B, T', E) with a token for each of `self.cells[1]` equal parts of the time axis.
        """
        cells = F.adaptive_avg_pool2d(self.front(echo), self.cells)
        flat = cells.flatten(1, 2).transpose(1, 2) if self.tokens else cells.flatten(1)
        return self.norm(F.relu(self.embed(flat)))


def _parida() -> nn.Sequential:
    """Valid convolutions, as published: 2 -> 32 k8 s4, 32 -> 64 k4 s2, 64 -> 8 k3 s1."""
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, stride in ((2, 32, 8, 4), (32, 64, 4, 2), (64, 8, 3, 1)):
        # The bias is the normalisation's.
        layers += [nn.Conv2d(inputs, outputs, kernel, stride, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def _resnet18() -> nn.Module:
    import timm

    # With its last gains at zero, as timm has them, the blocks would get no gradient at first.
    return timm.create_model("resnet18", in_chans=2, num_classes=0, global_pool="", zero_init_last=False)
