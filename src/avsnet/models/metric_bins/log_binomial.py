"""How the bins of a pixel are mixed: by a log-binomial distribution over them, which has one peak.

Source: ZoeDepth (Bhat et al. 2023).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.models.metric_bins.layers import up
from avsnet.models.metric_bins.settings import BinSettings

CONSTANTS = (r"(.*\.)?log_binomial_transform\.(k_idx|K_minus_1)",)
"""Entries of published files that are no weights, as regular expressions of whole keys."""

_SHARE_FLOOR = 1e-4  # of p and t in the pair that each is from
_LOG_FLOOR = 1e-4  # of a probability before its logarithm
_STIRLING = 1e-7


class ConditionalLogBinomial(nn.Module):
    """For every pixel a log-binomial distribution over the bins, by its features and its bin embedding."""

    log_choose: Tensor
    successes: Tensor

    def __init__(self, features: int, settings: BinSettings) -> None:
        super().__init__()
        inputs = features + settings.takes_disparity
        self.temperature, self.published = settings.temperature, settings.published
        self.mlp = nn.Sequential(
            nn.Conv2d(inputs + settings.embedding, settings.binomial_width, 1),
            nn.GELU(),
            nn.Conv2d(settings.binomial_width, 4, 1),
            nn.Softplus(),
        )
        k = torch.arange(settings.n_bins, dtype=torch.float32).reshape(1, -1, 1, 1)
        self.register_buffer("successes", k, persistent=False)
        self.register_buffer("log_choose", _log_choose(settings.n_bins - 1, k), persistent=False)

    def forward(self, last: Tensor, embedding: Tensor) -> Tensor:
        """Probabilities of the bins.

        Args:
            last: (B, C, H, W) finest features.
            embedding: (B, E, h, w) of the finest level.

        Returns:
            (B, K, H, W) float32, also under autocast: half precision would lose Stirling's small terms.
        """
        if self.published:
            shares = self.mlp(torch.cat([last, up(embedding, last)], dim=1))
        else:
            # A 1 x 1 convolution and an interpolation commute: the embedding is convolved at its own, coarser size.
            first: nn.Conv2d = self.mlp[0]  # type: ignore[assignment]
            weight = first.weight.split((last.shape[1], embedding.shape[1]), dim=1)
            hidden = F.conv2d(last, weight[0], first.bias) + up(F.conv2d(embedding, weight[1]), last)
            shares = self.mlp[1:](hidden)
        p1, p2, t1, t2 = (shares.float() + _SHARE_FLOOR).split(1, dim=1)
        with torch.autocast(last.device.type, enabled=False):
            p, t = p1 / (p1 + p2), t1 / (t1 + t2)
            low, high = self.temperature
            t = (high - low) * t + low
            log_p, log_q = (share.clamp(_LOG_FLOOR, 1.0).log() for share in (p, 1.0 - p))
            if self.published:
                trials = self.log_choose.shape[1] - 1
                y = self.log_choose + self.successes * log_p + (trials - self.successes) * log_q
                return torch.softmax(y / t, dim=1)
            # Without the term that is the same for all bins, and with the fewest passes over K numbers a pixel.
            y = torch.addcmul(self.successes * ((log_p - log_q) / t), self.log_choose, 1.0 / t)
            return torch.softmax(y, dim=1)


def _log_choose(n: int, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient by Stirling's formula, in the type of `k`."""
    top, k = torch.tensor(n, dtype=k.dtype) + _STIRLING, k + _STIRLING
    return top * top.log() - k * k.log() - (top - k) * (top - k + _STIRLING).log()
