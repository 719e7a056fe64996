"""How the ear learns: where the true scale is, and which echoes are not the map's own.

The network gives the log likelihood ratio l(m) of an echo over an unrelated one, and the map's own prior p(m). Two
losses make it that: the posterior p e^l must be right for true pairs, and the sum of p e^l must tell these from pairs
that do not belong together.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avsnet.scale.ear_network import LOG_MEDIANS, EarNetwork
from avsnet.train.config import TrainConfig
from avsnet.train.module import DepthTraining

_TARGET = 0.03  # deviation in log of the narrow normal distribution that stands for the truth
_UNRELATED = 1.0  # weight of telling which echoes belong to a map
_OTHERS = 3  # echoes of other pairs that each map is compared with
_SHARPNESSES = np.arange(0.5, 1.81, 0.05)
_LEVEL = 0.9


class EarTraining(DepthTraining):
    """Training of an `EarNetwork`; arguments as of `DepthTraining`."""

    def __init__(self, network: EarNetwork, config: TrainConfig, steps: int, steps_per_epoch: int) -> None:
        super().__init__(network, config, steps, steps_per_epoch)
        self.ear = network

    def batch_loss(self, batch: dict[str, Any]) -> Tensor:
        """Cross entropies of the prior, of the posterior, and of belonging together."""
        prior = self.ear.log_prior(batch["numbers"])
        heard, seen = self.ear.heard(batch["echo"], batch["rig"]), self.ear.seen(batch["map"])
        pairs = torch.cat([heard.roll(turn, 0) for turn in range(1 + _OTHERS)]), seen.repeat(1 + _OTHERS, 1, 1)
        own, *others = self.ear.log_likelihood(*pairs).chunk(1 + _OTHERS)
        wanted, known = narrow(batch["target"]), prior.detach()
        errors = -(wanted * (prior + (known + own).log_softmax(-1))).sum(-1)
        loss = (batch["weight"] * errors).mean()
        belong = F.softplus(-(known + own).logsumexp(-1)).mean()
        do_not = F.softplus((known + torch.stack(others)).logsumexp(-1)).mean()
        return loss + _UNRELATED * 0.5 * (belong + do_not)

    def save(self, folder: Path) -> None:
        """Write the weights, as `EarNetwork.load` takes them."""
        self.ear.save(folder)


def narrow(target: Tensor) -> Tensor:
    """(B, M) normal distribution round (B,) log of the true median depth, sum 1."""
    grid = torch.as_tensor(LOG_MEDIANS, dtype=target.dtype, device=target.device)
    return (-0.5 * ((grid - target[:, None]) / _TARGET) ** 2).softmax(-1)


def calibrate(network: EarNetwork, batches: Iterable[dict[str, Tensor]]) -> dict[str, float]:
    """Set the likelihood's sharpness so that 90 % intervals hold the truth in 90 % of unseen rooms.

    Args:
        network: in eval mode afterwards.
        batches: rows that it was not trained on.

    Returns:
        Of the posterior's median: median and mean of |log error|, share below 0.2, and of the map's prior alone the
        median; the share of 90 % intervals that hold the truth; the area under the curve of telling own from others'
        echoes.
    """
    prior, own, other, target = _answers(network.eval(), batches)
    covered = []
    for sharpness in _SHARPNESSES:
        network.sharpness.fill_(float(sharpness))
        covered.append(_coverage((prior + network.tempered(own)).softmax(-1), target))
    best = int(np.argmin(np.abs(np.array(covered) - _LEVEL)))
    network.sharpness.fill_(float(_SHARPNESSES[best]))
    error = (_middle((prior + network.tempered(own)).softmax(-1)) - target).abs()
    logits = [(prior + network.sharpness * one).logsumexp(-1) for one in (own, other)]
    return {
        "median": float(error.median()),
        "mean": float(error.mean()),
        "below_0.2": float((error < 0.2).float().mean()),
        "prior_median": float((_middle(prior.exp()) - target).abs().median()),
        "coverage": covered[best],
        "sharpness": float(network.sharpness),
        "auroc": float((logits[0][:, None] > logits[1][None]).float().mean()),
    }


@torch.no_grad()
def _answers(network: EarNetwork, batches: Iterable[dict[str, Tensor]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log priors, log likelihoods of own and of another pair's echo, and targets of all rows."""
    found = []
    for batch in batches:
        heard, seen = network.heard(batch["echo"], batch["rig"]), network.seen(batch["map"])
        own, other = network.log_likelihood(heard, seen), network.log_likelihood(heard.roll(7, 0), seen)
        found.append((network.log_prior(batch["numbers"]), own, other, batch["target"]))
    prior, own, other, target = (torch.cat(parts) for parts in zip(*found, strict=True))
    return prior, own, other, target


def _middle(probability: Tensor) -> Tensor:
    """(B,) medians of distributions."""
    place = (probability.cumsum(-1) < 0.5).sum(-1).clamp(max=len(LOG_MEDIANS) - 1)
    return torch.as_tensor(LOG_MEDIANS, dtype=probability.dtype)[place]


def _coverage(probability: Tensor, target: Tensor) -> float:
    """Share of targets within the middle 90 % of their distributions."""
    place = torch.searchsorted(torch.as_tensor(LOG_MEDIANS, dtype=target.dtype), target).clamp(max=len(LOG_MEDIANS) - 1)
    below = probability.cumsum(-1).gather(1, place[:, None])[:, 0] - 0.5 * probability.gather(1, place[:, None])[:, 0]
    return float(((below > 0.5 - _LEVEL / 2) & (below < 0.5 + _LEVEL / 2)).float().mean())
