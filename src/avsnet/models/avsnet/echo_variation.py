"""Training echoes as other rooms and rigs would have made them: another level, colour, decay and noise.

No simulator knows how a real room's late sound decays, how its walls and a rig's ears colour it, or how loud it is
beside the direct sound. What learns from one simulator's values of these fails with another's; when echoes arrive is
what all rooms share, and that stays as it is.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_LEVEL = 0.4  # spread of the logarithm of the echoes' amplitude over the direct sound's
_COLOUR, _BANDS = 0.3, 5  # and of that of so many bands of frequency
_DECAY = 0.5  # and of that after `_FAR`, growing evenly
_FAR = 10.0 * 2.0 / 343.0  # seconds: 10 m there and back
_FLOOR = (-9.7, -5.7)  # logarithm of the amplitude of noise over the direct sound's, in every second echo
_DIRECT = (0.7e-3, 3.6e-3)  # seconds after the first sound; in between the direct sound fades out


def varied(echo: Tensor, gain: float, origin: float, column: float) -> Tensor:
    """Vary spectrograms, each by its own draws of torch's generator.

    Args:
        echo: (B, 2, F, T) magnitudes as ln(1 + gain * magnitude), the direct sound's amplitude being 1.
        gain: of them.
        origin: column of the direct sound.
        column: seconds from one column to the next.

    Returns:
        The same shape.
    """
    count, _, height, width = echo.shape
    draw: dict[str, Any] = {"device": echo.device, "dtype": echo.dtype}
    after = column * (torch.arange(width, **draw) - origin)
    level = _LEVEL * torch.randn(count, 1, 1, 1, **draw)
    bands = _COLOUR * torch.randn(count, 1, _BANDS, **draw)
    colour = F.interpolate(bands, height, mode="linear", align_corners=True)[..., None]
    decay = _DECAY * torch.randn(count, 1, 1, 1, **draw) * after.clamp_min(0.0) / _FAR
    magnitude = torch.expm1(echo) / gain
    other = magnitude * torch.exp(level + colour + decay)
    floor = torch.exp(_FLOOR[0] + (_FLOOR[1] - _FLOOR[0]) * torch.rand(count, 1, 1, 1, **draw))
    noisy = torch.rand(count, 1, 1, 1, **draw) < 0.5
    other = other + noisy * floor * torch.randn(count, 1, height, width, **draw).abs()
    echoes = ((after - _DIRECT[0]) / (_DIRECT[1] - _DIRECT[0])).clamp(0.0, 1.0)
    return torch.log1p(gain * torch.lerp(magnitude, other, echoes))
