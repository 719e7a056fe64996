"""How rates change in the course of a run: with every step, or from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from avsnet.train.config import OptimiserConfig


def schedule_of(
    optimiser: Optimizer, settings: OptimiserConfig, steps: int, steps_per_epoch: int
) -> LRScheduler | None:
    """The schedule of an optimiser's groups, to be stepped with every step.

    Args:
        optimiser: its groups have a `name` and, as `lr`, their largest rate.
        settings: of the run.
        steps: in all.
        steps_per_epoch: rates that change from epoch to epoch change after so many.

    Returns:
        It, or None where rates are constant.
    """
    groups = optimiser.param_groups
    if settings.schedule == "constant":
        return None
    if settings.schedule == "onecycle":
        return OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in groups],
            total_steps=steps,
            pct_start=settings.pct_start,
            div_factor=settings.div_factor,
            final_div_factor=settings.final_div_factor,
        )
    return LambdaLR(optimiser, [_of_step(settings, group, steps_per_epoch) for group in groups])


def _of_step(settings: OptimiserConfig, group: dict[str, Any], steps_per_epoch: int) -> Callable[[int], float]:
    """Step -> share of the group's largest rate."""
    largest, least = group["lr"], settings.minima.get(group["name"], 0.0)
    return lambda step: epoch_rate(settings, step // steps_per_epoch, largest, least) / largest


def epoch_rate(settings: OptimiserConfig, epoch: int, largest: float, least: float = 0.0) -> float:
    """The rate in an epoch, the first of which is 0, by step, exponential or cosine.

    The cosine is Lite-Mono's, with restarts: it is one epoch ahead, as theirs is.

    >>> cosine = OptimiserConfig(schedule="cosine", period=31, gamma=0.9)
    >>> [f"{epoch_rate(cosine, epoch, 1e-4, 5e-6):.3e}" for epoch in (0, 29, 30)]
    ['9.976e-05', '5.244e-06', '9.000e-05']
    """
    if settings.schedule == "step":
        return largest * settings.gamma ** (epoch // settings.period)
    if settings.schedule == "exponential":
        return largest * settings.gamma**epoch
    restarts, place = divmod(epoch + 1, settings.period)
    share = (1.0 + math.cos(math.pi * place / settings.period)) / 2.0
    return least + (largest * settings.gamma**restarts - least) * share
