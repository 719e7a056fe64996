"""Training by known depth: the loss, the optimiser and what chance decides inside the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn

from avsnet.errors import ModelError, OptionError, TrainingError
from avsnet.train.config import OptimiserConfig, TrainConfig
from avsnet.train.evaluation import at_size
from avsnet.train.sampler import NETWORK, mixed_seed

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


class Supervised(LightningModule):
    """A network that learns metres from known depth.

    Args:
        network: gives `metric_depth`; its `parameter_groups()`, if it has any, name the groups that have rates of
            their own.
        config: of the run.
        steps: in all, which the schedule of the rate needs beforehand.

    Attributes:
        losses: of the parts since they were last taken away.
    """

    def __init__(self, network: nn.Module, config: TrainConfig, steps: int) -> None:
        super().__init__()
        # Convolutions read channels side by side: on a CPU a fifth faster, the same numbers.
        self.network = network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config, self.steps = config, steps
        self.loss = LOSSES[config.loss]()
        self.losses: list[Tensor] = []
        self.groups = rate_groups(network, config.optimiser)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """One part of a step.

        Raises:
            TrainingError: the loss is NaN or infinite.
            ModelError: the network gives no metres.
        """
        part = (batch_index % self.config.accumulate) * self.trainer.world_size + self.global_rank
        # What chance decides inside the network is a function of the step, too: nothing to save, nothing to restore.
        torch.manual_seed(mixed_seed(self.config.seed, NETWORK, self.global_step, part))
        out = self.network(batch)
        if "metric_depth" not in out:
            raise ModelError(
                f"{self.config.model.name} gives {', '.join(out)}; to be trained it must give metric_depth"
            )
        with torch.autocast(self.device.type, enabled=False):
            loss = self.loss(
                at_size(out["metric_depth"].float(), batch["depth"].shape[-2:]), batch["depth"], batch["valid"]
            )
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of step {self.global_step} is {loss.item()} on the samples {', '.join(batch['id'])}; "
                "look at them, or lower optimiser.lr"
            )
        self.losses.append(loss.detach())
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the losses that no line of the log tells yet, as the mean of all processes."""
        kept = self.trainer.strategy.reduce(torch.stack(self.losses), reduce_op="mean") if self.losses else []
        checkpoint["losses"] = [float(loss) for loss in kept]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with them."""
        self.losses = [torch.tensor(loss, device=self.device) for loss in checkpoint["losses"]]

    def configure_optimizers(self) -> Any:
        """AdamW or Adam over the groups, and the schedule of their rates, stepped with every step."""
        settings = self.config.optimiser
        kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
        optimiser = kinds[settings.name](self.groups, lr=settings.lr, weight_decay=settings.weight_decay)
        if settings.schedule == "constant":
            return optimiser
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in self.groups],
            total_steps=self.steps,
            pct_start=settings.pct_start,
            div_factor=settings.div_factor,
            final_div_factor=settings.final_div_factor,
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate_groups(network: nn.Module, settings: OptimiserConfig) -> list[dict[str, Any]]:
    """The parameters by the rate that they have; groups that are frozen stop asking for gradients.

    Args:
        network: with or without `parameter_groups() -> {name: parameters}`.
        settings: the rate, and its divisor for each group.

    Returns:
        Groups for an optimiser, with `name`, `params` and `lr`.

    Raises:
        OptionError: a divisor for a group that the network does not have, or nothing left to train.
    """
    named = getattr(network, "parameter_groups", None)
    groups: dict[str, list[nn.Parameter]] = named() if named else {"all": list(network.parameters())}
    unknown = [name for name in settings.divisors if name not in groups]
    if unknown:
        raise OptionError(f"optimiser.divisors: the network has no group {unknown[0]!r}, only {', '.join(groups)}")
    chosen = []
    for name, parameters in groups.items():
        divisor = settings.divisors.get(name, 1.0)
        if divisor <= 0.0:
            for parameter in parameters:
                parameter.requires_grad_(False)
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if trained:
            chosen.append({"name": name, "params": trained, "lr": settings.lr / divisor})
    if not chosen:
        raise OptionError("optimiser.divisors: all groups are frozen, nothing is left to train")
    return chosen
