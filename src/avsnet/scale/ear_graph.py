"""The ear's network as one graph of real numbers, for export.

Its features come from `avsnet.scale.ear_echo` and `avsnet.scale.ear_map`, which need NumPy and SciPy alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from avsnet.scale.ear_echo import ECHO_CHANNELS, RANGES, RIG_NUMBERS
from avsnet.scale.ear_map import DISTANCES, MAP_CHANNELS, MAP_NUMBERS
from avsnet.scale.ear_network import LENGTH, LOG_MEDIANS, EarNetwork, offset

INPUTS = {
    "echo": (ECHO_CHANNELS, RANGES.size),
    "rig": (RIG_NUMBERS,),
    "map": (MAP_CHANNELS, DISTANCES.size),
    "numbers": (MAP_NUMBERS,),
}
"""What the graph takes, each behind a batch axis: `echo_channels`, `rig_numbers` and both of `map_features`."""


class EarGraph(nn.Module):
    """Likelihood and prior of each median depth.

    Args:
        ear: in eval mode.
    """

    echo_waves: Tensor
    map_waves: Tensor
    back: Tensor

    def __init__(self, ear: EarNetwork) -> None:
        super().__init__()
        self.ear = ear
        # Transforms as products with cosines and sines: runtimes are slow at those of lengths that are no power of two.
        for name, count in (("echo_waves", RANGES.size), ("map_waves", DISTANCES.size)):
            self.register_buffer(name, torch.from_numpy(_waves(np.arange(count))).float())
        shifts = _waves(np.arange(LOG_MEDIANS.size) + offset()).transpose(0, 2, 1)
        once = np.full(LENGTH // 2 + 1, 2.0 / LENGTH)
        once[[0, -1]] = 1.0 / LENGTH  # these two frequencies have no twin
        self.register_buffer("back", torch.from_numpy(shifts * once[:, None]).float())

    def forward(self, echo: Tensor, rig: Tensor, map: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """As `INPUTS` -> (B, M) tempered log likelihood ratio, (B, M) log prior, both over `LOG_MEDIANS`."""
        heard, seen = self.ear.heard(echo, rig), self.ear.seen(map)
        heard_real, heard_imaginary = (heard @ waves for waves in self.echo_waves)
        seen_real, seen_imaginary = (seen @ waves for waves in self.map_waves)
        real = heard_real * seen_real + heard_imaginary * seen_imaginary
        imaginary = heard_imaginary * seen_real - heard_real * seen_imaginary
        curves = real @ self.back[0] + imaginary @ self.back[1]
        return self.ear.tempered(self.ear.head(curves)[:, 0]), self.ear.log_prior(numbers)


def _waves(places: np.ndarray) -> np.ndarray:
    """(2, N, LENGTH / 2 + 1) cosines, and sines with the sign of the forward transform."""
    phase = 2.0 * np.pi * np.outer(places, np.arange(LENGTH // 2 + 1)) / LENGTH
    return np.stack([np.cos(phase), -np.sin(phase)])
