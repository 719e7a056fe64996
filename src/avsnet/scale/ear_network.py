"""The ear's network: in log range scale is a shift, so an echo and a map are compared at every shift.

    echo -> channels over u -> f (C, U);  map -> channels over v -> g (C, V)
    curve_c(log m) = sum over v of f_c(v + log m) g_c(v)                     m: the map's median depth in metres
    curves -> l(log m), log likelihood ratio of this echo to an unrelated one;  the map's statistics -> prior p(log m)

Only the prior and the audible band tell one shift from another. The nearest published kin matches the time histogram of
one photon detector with a monocular map's on a log axis (Nishimura et al., ECCV 2020).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from avsnet.errors import ModelError, one_line
from avsnet.scale.ear_echo import ECHO_CHANNELS, RANGES, RIG_NUMBERS, STEP
from avsnet.scale.ear_map import DISTANCES, MAP_CHANNELS, MAP_NUMBERS

LOG_MEDIANS = np.arange(-107, 201) * STEP
"""(M,) log of the map's median depth in metres: 0.2 to 20 m."""

_WIDTH, _CURVES = 28, 16
LENGTH = 720
"""Of the Fourier transforms, at least U + V."""


class EarNetwork(nn.Module):
    """Likelihood of an echo for each median depth that a map may have, and the map's own prior of it."""

    def __init__(self) -> None:
        super().__init__()
        self.echo_first = nn.Conv1d(ECHO_CHANNELS, _WIDTH, 9, padding=4)
        self.rig = nn.Linear(RIG_NUMBERS, _WIDTH)
        self.echo_rest = _convolutions(_WIDTH, _WIDTH, _CURVES)
        # Without biases, what the map does not show is 0, and shifts are exact.
        self.map = nn.Sequential(
            nn.Conv1d(MAP_CHANNELS, _WIDTH, 9, padding=4, bias=False),
            nn.GELU(),
            _convolutions(_WIDTH, _WIDTH, _CURVES, bias=False),
        )
        last = _convolutions(_WIDTH, _WIDTH, 1, 9)
        nn.init.zeros_(last[-1].weight)  # type: ignore[arg-type]
        self.head = nn.Sequential(nn.Conv1d(_CURVES + 1, _WIDTH, 9, padding=4), nn.GELU(), last)
        self.prior = nn.Sequential(nn.Linear(MAP_NUMBERS, 32), nn.GELU(), nn.Linear(32, 6))
        self.sharpness = nn.Parameter(torch.ones(()), requires_grad=False)  # of l, calibrated after training
        self.matched = nn.Parameter(torch.tensor(0.9), requires_grad=False)  # chance that an echo is the map's own

    def heard(self, channels: Tensor, rig: Tensor) -> Tensor:
        """(B, C + 1, U) features of (B, 17, U) echo channels and (B, 4) what the rig knows; the last is audibility."""
        audible = channels[:, -1:]
        first = self.echo_first(channels) + self.rig(rig)[..., None]
        return torch.cat([self.echo_rest(nn.functional.gelu(first)) * audible, audible], dim=1)

    def seen(self, channels: Tensor) -> Tensor:
        """(B, C + 1, V) features of (B, 14, V) map channels; the last is where the map's pixels are."""
        there = channels[:, :1] ** 2 * STEP  # the density, whose sum is 1
        return torch.cat([self.map(channels) / DISTANCES.size**0.5, there], dim=1)

    def log_likelihood(self, heard: Tensor, seen: Tensor) -> Tensor:
        """(B, M) log of the echo's likelihood over that of an unrelated echo."""
        heard, seen = heard.float(), seen.float()  # transforms need it where training is in mixed precision
        spectrum = torch.fft.rfft(heard, LENGTH) * torch.fft.rfft(seen, LENGTH).conj()
        curves = torch.fft.irfft(spectrum, LENGTH)
        shifts = (torch.arange(LOG_MEDIANS.size, device=curves.device) + offset()) % LENGTH
        return self.head(curves[..., shifts])[:, 0].float()

    def tempered(self, likelihood: Tensor) -> Tensor:
        """(B, M) log likelihood ratio of an echo that may be unrelated: never far below the chance of that.

        Args:
            likelihood: (B, M) as `log_likelihood` gives it.
        """
        return torch.logaddexp(self.matched.log() + self.sharpness * likelihood, torch.log1p(-self.matched))

    def log_prior(self, numbers: Tensor) -> Tensor:
        """(B, M) log probability before anything is heard: two normal distributions, from (B, 12) map statistics."""
        grid = torch.as_tensor(LOG_MEDIANS, dtype=numbers.dtype, device=numbers.device)
        found = self.prior(numbers)[..., None]
        middle, width, weight = found[:, :2] + 0.7, nn.functional.softplus(found[:, 2:4]) + 0.15, found[:, 4:6]
        density = -0.5 * ((grid - middle) / width) ** 2 - width.log() + weight.log_softmax(dim=1)
        return density.logsumexp(dim=1).log_softmax(dim=-1)

    def save(self, folder: str | Path) -> None:
        """Write weights and what shapes them."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, _weights(folder))
        (Path(folder) / "config.json").write_text(json.dumps({"model": "ear", "version": 1}) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> EarNetwork:
        """The network of a folder, in eval mode.

        Raises:
            ModelError: there are no weights, or they are of another network.
        """
        network = cls()
        try:
            network.load_state_dict(load_file(_weights(folder)))
        except Exception as error:  # safetensors and torch raise nearly anything on a damaged file
            raise ModelError(f"{folder}: no weights of the ear ({one_line(error)[:200]})") from None
        return network.eval()


def offset() -> int:
    """The first shift, in cells: by it what lies at one median depth in the map meets what lies there in the echo."""
    return round((LOG_MEDIANS[0] + DISTANCES[0] - RANGES[0]) / STEP)


def _weights(folder: str | Path) -> Path:
    return Path(folder) / "model.safetensors"


def _convolutions(first: int, middle: int, last: int, size: int = 5, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(first, middle, 9, padding=8, dilation=2, bias=bias),
        nn.GELU(),
        nn.Conv1d(middle, last, size, padding=size // 2, bias=bias),
    )
