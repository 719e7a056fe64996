"""What every way to train shares: steps, the chance inside networks, rates, and what a run goes on from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor, nn

from avsnet.errors import OptionError, TrainingError
from avsnet.train.config import OptimiserConfig, TrainConfig
from avsnet.train.sampler import NETWORK, mixed_seed
from avsnet.train.schedule import schedule_of


class DepthTraining(LightningModule, ABC):
    """A network that learns depth; subclasses say from what, by `batch_loss`.

    Args:
        network: its `parameter_groups()`, if it has any, name the groups that have rates of their own.
        config: of the run.
        steps: in all, which the schedule of the rate needs beforehand.
        steps_per_epoch: likewise.
        beside: groups of parameters that are trained with it.

    Attributes:
        losses: of the parts since they were last taken away.
        scaling: how its depth is brought to metres where it is evaluated, see `avsnet.evaluation.protocol.validate`.
        keeps_last: whether the last weights are kept, not those that were best in validation.
    """

    scaling, keeps_last = "none", False

    def __init__(
        self,
        network: nn.Module,
        config: TrainConfig,
        steps: int,
        steps_per_epoch: int,
        beside: dict[str, list[nn.Parameter]] | None = None,
    ) -> None:
        super().__init__()
        # Convolutions read channels side by side: on a CPU a fifth faster, the same numbers.
        self.network = network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config, self.steps, self.steps_per_epoch = config, steps, steps_per_epoch
        self.losses: list[Tensor] = []
        freeze(network, config.model.frozen)
        named = getattr(network, "parameter_groups", lambda: {"all": list(network.parameters())})
        # The network's own come last, as the log tells the rate of the last group.
        self.groups = rate_groups((beside or {}) | named(), config.optimiser)
        self.fixed = encoder_norms(network, named()) if config.model.fixed_norms else []

    @abstractmethod
    def batch_loss(self, batch: dict[str, Any]) -> Tensor:
        """A scalar, float32, of one part of a step.

        Raises:
            ModelError: the network does not give what is learned by.
        """

    def save(self, folder: Path) -> None:
        """Write the weights, as `create_model` takes them."""
        self.network.save_pretrained(folder)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """One part of a step.

        Raises:
            TrainingError: the loss is NaN or infinite.
            ModelError: as `batch_loss`.
        """
        part = (batch_index % self.config.accumulate) * self.trainer.world_size + self.global_rank
        # What chance decides inside the network is a function of the step, too: nothing to save, nothing to restore.
        torch.manual_seed(mixed_seed(self.config.seed, NETWORK, self.global_step, part))
        for norm in self.fixed:
            norm.eval()  # in every step: validation and Lightning set modes, too
        loss = self.batch_loss(batch)
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
        schedule = schedule_of(optimiser, settings, self.steps, self.steps_per_epoch)
        if schedule is None:
            return optimiser
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def freeze(network: nn.Module, stems: Sequence[str]) -> None:
    """Let the parameters whose names begin so ask for no gradients.

    Raises:
        OptionError: no name begins so.
    """
    for stem in stems:
        found = [weight for name, weight in network.named_parameters() if name.startswith(stem)]
        if not found:
            raise OptionError(f"model.frozen: no parameter's name begins with {stem!r}")
        for weight in found:
            weight.requires_grad_(False)


def encoder_norms(network: nn.Module, groups: dict[str, list[nn.Parameter]]) -> list[nn.Module]:
    """The batch norms of a network's group "encoder".

    Raises:
        OptionError: there are none.
    """
    encoder = {id(weight) for weight in groups.get("encoder", [])}
    norms = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    found = [norm for norm in norms if any(id(weight) in encoder for weight in norm.parameters())]
    if not found:
        raise OptionError("model.fixed_norms: this network has no group 'encoder' with batch norms; leave it out")
    return found  # type: ignore[return-value]


def rate_groups(groups: dict[str, list[nn.Parameter]], settings: OptimiserConfig) -> list[dict[str, Any]]:
    """The parameters by the rate that they have; groups that are frozen stop asking for gradients.

    Args:
        groups: name to parameters.
        settings: the rate, and its divisor for each group.

    Returns:
        Groups for an optimiser, with `name`, `params` and `lr`.

    Raises:
        OptionError: a setting for a group that there is not, or nothing left to train.
    """
    for setting, named in (("divisors", settings.divisors), ("minima", settings.minima)):
        unknown = [name for name in named if name not in groups]
        if unknown:
            raise OptionError(f"optimiser.{setting}: there is no group {unknown[0]!r}, only {', '.join(groups)}")
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
