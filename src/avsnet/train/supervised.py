"""Training by known depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.errors import ModelError
from avsnet.losses import l1, log_l1, relative_l1, silog
from avsnet.train.config import TrainConfig
from avsnet.train.module import DepthTraining

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


LOSSES: dict[str, Loss] = {"silog": silog, "log_l1": log_l1, "l1": l1, "relative_l1": relative_l1}
"""Each loss by the name that a config gives it."""


class Supervised(DepthTraining):
    """A network that learns metres from known depth; arguments as of `DepthTraining`."""

    def __init__(self, network: nn.Module, config: TrainConfig, steps: int, steps_per_epoch: int) -> None:
        super().__init__(network, config, steps, steps_per_epoch)
        self.loss = LOSSES[config.loss]

    def batch_loss(self, batch: dict[str, Any]) -> Tensor:
        """The config's loss of the network's `metric_depth`, and that of `as_heard` by its weight."""
        out = self.network(batch)
        weights = {"metric_depth": 1.0} | ({"as_heard": self.config.heard_weight} if self.config.heard_weight else {})
        for name in weights:
            if name not in out:
                raise ModelError(f"{self.config.model.name} gives {', '.join(out)}; to be trained it must give {name}")
        with torch.autocast(self.device.type, enabled=False):
            return torch.stack([weight * self._loss(out[name], batch) for name, weight in weights.items()]).sum()

    def _loss(self, pred: Tensor, batch: dict[str, Any]) -> Tensor:
        pred = at_size(pred.float(), batch["depth"].shape[-2:])
        return self.loss(pred, batch["depth"], batch["valid"])


def at_size(pred: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """(B, 1, h, w) resized to (H, W) for the loss, bilinear with corners aligned as in ZoeDepth's training."""
    if pred.shape[-2:] == tuple(size):
        return pred
    return F.interpolate(pred, tuple(size), mode="bilinear", align_corners=True)
