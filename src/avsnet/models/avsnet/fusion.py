"""Cross-modal fusion: what was heard changes the visual bottleneck, position by position.

Source: the bilinear block of Parida et al. (2021) in its exact contracted form. The echo's vector is the same at every
position, so it is contracted with the weights first: it becomes a linear map over the visual channels, and no tensor is
tiled. `tokens` is the other reading of the paper: each position attends to the echo's time axis, that is to ranges.

With the output "residual" a gate that starts at zero stands before what the echo adds: a network that hears starts as
exactly the one that only sees, and an echo that is missing or broken leaves the picture's own way open.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.errors import OptionError
from avsnet.models.metric_bins.layers import PixelMLP
from avsnet.models.sinusoids import sinusoids

OUTPUTS = ("residual", "replace", "concat")
"""What becomes of the fused map z beside the visual x: x + gate * mix(norm(z)); z alone; a mix of both."""

_MOST_CHANNELS = 256  # of a full bilinear map; where there are more, x is projected
_PROJECTED = 128
_RANK = 256
_HEADS = 4


def bilinear(visual: Tensor, echo: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """out_o(p) = sum_cd visual_c(p) weight_ocd echo_d + bias_o, the echo contracted first.

    Args:
        visual: (B, C, h, w).
        echo: (B, D).
        weight: (O, C, D), as of `torch.nn.Bilinear`.
        bias: (O,).

    Returns:
        (B, O, h, w).
    """
    generated = torch.einsum("ocd,bd->boc", weight, echo)
    return (generated @ visual.flatten(2)).unflatten(2, visual.shape[2:]) + bias.reshape(-1, 1, 1)


class Bilinear(nn.Module):
    """Parida et al.'s block; of more than 256 channels only a projection to 128 is fused."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        inner = channels if channels <= _MOST_CHANNELS else _PROJECTED
        self.project = nn.Identity() if inner == channels else nn.Conv2d(channels, inner, 1)
        self.expand = nn.Identity() if inner == channels else nn.Conv2d(inner, channels, 1)
        like = nn.Bilinear(inner, width, inner)  # for its initialisation
        self.weight, self.bias = like.weight, like.bias

    def forward(self, x: Tensor, echo: Tensor) -> Tensor:
        """(B, C, h, w) and (B, E) -> (B, C, h, w)."""
        return self.expand(bilinear(self.project(x), echo, self.weight, self.bias))


class LowRank(nn.Module):
    """P((U x) * (V e)): a bilinear map of rank 256."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.visual = nn.Conv2d(channels, _RANK, 1)
        self.echo = nn.Linear(width, _RANK)
        self.expand = nn.Conv2d(_RANK, channels, 1)

    def forward(self, x: Tensor, echo: Tensor) -> Tensor:
        """(B, C, h, w) and (B, E) -> (B, C, h, w)."""
        return self.expand(self.visual(x) * self.echo(echo)[..., None, None])


class Film(nn.Module):
    """(1 + g(e)) * x + s(e): the echo scales and shifts each channel."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(width, 2 * channels)

    def forward(self, x: Tensor, echo: Tensor) -> Tensor:
        """(B, C, h, w) and (B, E) -> (B, C, h, w)."""
        gain, shift = self.modulate(echo)[..., None, None].chunk(2, dim=1)
        return (1.0 + gain) * x + shift


class Tokens(nn.Module):
    """Cross-attention: every position asks, every range answers."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, width, 1)
        # A bias of the keys would leave the softmax as it is, and one of the values is that of `expand`.
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.expand = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor, echo: Tensor) -> Tensor:
        """(B, C, h, w) and (B, T, E) -> (B, C, h, w)."""
        code = sinusoids(torch.arange(echo.shape[1], device=echo.device, dtype=echo.dtype), echo.shape[2])
        key, value = self.key_value(echo + code).chunk(2, dim=2)
        query = self.query(x).flatten(2).transpose(1, 2)
        query, key, value = (t.unflatten(2, (_HEADS, -1)).transpose(1, 2) for t in (query, key, value))
        heard = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return self.expand(heard.transpose(1, 2).unflatten(2, x.shape[2:]))


FUSIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "bilinear": Bilinear,
    "tokens": Tokens,
    "lowrank": LowRank,
    "film": Film,
}
"""Each way to fuse by name: (visual channels, echo width) -> module. "none" is a network without this file's parts."""


class Fusion(nn.Module):
    """The visual bottleneck, changed by an echo.

    Args:
        kind: a name in `FUSIONS`.
        channels: C of the visual map.
        width: E of the echo; for "tokens" a multiple of 8.
        output: one of `OUTPUTS`.

    Raises:
        OptionError: an unknown kind or output.
    """

    def __init__(self, kind: str, channels: int, width: int, output: str = "residual") -> None:
        super().__init__()
        if kind not in FUSIONS:
            raise OptionError(f"fusion: found {kind!r}, wanted one of {', '.join(FUSIONS)}, none")
        if output not in OUTPUTS:
            raise OptionError(f"fusion_output: found {output!r}, wanted one of {', '.join(OUTPUTS)}")
        self.output = output
        self.block = FUSIONS[kind](channels, width)
        if output == "residual":
            self.norm = nn.GroupNorm(1, channels)
            self.mix = nn.Conv2d(channels, channels, 1)
            self.gate = nn.Parameter(torch.zeros(channels, 1, 1))
        elif output == "concat":
            self.mix = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, echo: Tensor) -> Tensor:
        """Fuse.

        Args:
            x: (B, C, h, w) visual.
            echo: (B, E), or (B, T, E) for "tokens", normalised.

        Returns:
            (B, C, h, w).
        """
        # The visual map has no scale of its own; without one, the product with the echo would run away.
        z = self.block(x * torch.rsqrt(x.square().mean(dim=(1, 2, 3), keepdim=True) + 1e-6), echo)
        if self.output == "residual":
            return x + self.gate * self.mix(self.norm(z))
        return z if self.output == "replace" else self.mix(torch.cat([x, z], dim=1))


class ScaleFusion(Fusion):
    """One factor for all metres of a picture; arguments as of `Fusion`.

    ln factor = trust (heard - seen), where seen is the mean of ln depth by sight, and what was heard (ln metres) and
    how far it is trusted (0 to `most_trust`) are read out of the fused bottleneck. The gate of a residual fusion is
    open from the start: what is seen keeps a way of its own here.
    """

    def __init__(self, kind: str, channels: int, width: int, output: str = "residual", most_trust: float = 1.0) -> None:
        super().__init__(kind, channels, width, output)
        self.most_trust = most_trust
        self.read_out = PixelMLP(channels, channels, 2)
        last: nn.Conv2d = self.read_out._net[2]  # type: ignore[assignment]
        with (
            torch.no_grad()
        ):  # a bottleneck has numbers of any size; a fresh network hears e metres, and half trusts it
            last.weight.mul_(0.05)
            last.bias.copy_(torch.tensor([1.0, 0.0]))  # type: ignore[union-attr]
        if output == "residual":
            nn.init.ones_(self.gate)

    def apart(self, x: Tensor, echo: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """How far what is heard lies from what is seen, ln, and how far it is trusted, (B,) each.

        Args:
            x: (B, C, h, w) visual.
            echo: as of `Fusion`.
            seen: (B,) mean of ln depth by sight, metres.
        """
        heard, trust = self.read_out(self(x, echo)).mean(dim=(2, 3)).unbind(dim=1)
        return heard - seen, self.most_trust * torch.sigmoid(trust)
