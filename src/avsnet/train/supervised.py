"""Training by known depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from avsnet.errors import ModelError
from avsnet.train.config import TrainConfig
from avsnet.train.evaluation import at_size
from avsnet.train.module import DepthTraining

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def l1(pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """mean|p - g| over valid pixels, metres: the loss of the BatVision U-Net, up to its factor 1 / cap.

    Args:
        pred: (B, 1, H, W) metres.
        target: (B, 1, H, W) metres.
        valid: (B, 1, H, W) bool.

    Returns:
        A scalar; 0 where no pixel is valid.
    """
    return _valid_mean((pred - target).abs(), valid)


def log_l1(pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean ln(1 + |p - g|) over valid pixels, p and g in metres: the loss of BITD; as `l1` otherwise."""
    return _valid_mean((pred - target).abs().log1p(), valid)


def _valid_mean(values: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, values, 0.0).sum() / valid.sum().clamp(min=1)


def _silog() -> Loss:
    from avsnet.losses import silog

    return silog


LOSSES: dict[str, Callable[[], Loss]] = {"silog": _silog, "log_l1": lambda: log_l1, "l1": lambda: l1}
"""Each loss by the name that a config gives it."""


class Supervised(DepthTraining):
    """A network that learns metres from known depth; arguments as of `DepthTraining`."""

    def __init__(self, network: nn.Module, config: TrainConfig, steps: int, steps_per_epoch: int) -> None:
        super().__init__(network, config, steps, steps_per_epoch)
        self.loss = LOSSES[config.loss]()

    def batch_loss(self, batch: dict[str, Any]) -> Tensor:
        """The config's loss of the network's `metric_depth`."""
        out = self.network(batch)
        if "metric_depth" not in out:
            raise ModelError(
                f"{self.config.model.name} gives {', '.join(out)}; to be trained it must give metric_depth"
            )
        with torch.autocast(self.device.type, enabled=False):
            pred = at_size(out["metric_depth"].float(), batch["depth"].shape[-2:])
            return self.loss(pred, batch["depth"], batch["valid"])
