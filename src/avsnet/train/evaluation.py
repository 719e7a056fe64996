"""How good a network is on a data set: its metrics, image by image, then their means."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.errors import ModelError
from avsnet.metrics import MetricMean


def evaluate(network: nn.Module, batches: Iterable[dict[str, Any]], *, cap: float = math.inf) -> MetricMean:
    """Judge a network that gives metres.

    Predictions are brought to the size of the target (bilinear, corners aligned) and clamped to 1 mm .. `cap`, as for
    every method.

    Args:
        network: gives `metric_depth`; its mode is left as it was.
        batches: of `avsnet.data.sample`, with `depth` and `valid`.
        cap: metres.

    Returns:
        The mean over the images; parts made by several processes can be merged.

    Raises:
        ModelError: the network gives no metres.
        DepthError: it gives NaN where the target is valid.
    """
    mean = MetricMean()
    training = [part for part in network.modules() if part.training]
    network.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                pred = predicted(network, batch)
                for one, target, valid in zip(pred.cpu(), batch["depth"].cpu(), batch["valid"].cpu(), strict=True):
                    mean.update(one, target, valid, maximum=cap)
    finally:
        for part in training:
            part.training = True
    return mean


def predicted(network: nn.Module, batch: dict[str, Any]) -> Tensor:
    """One pass over a batch, wherever the network is.

    Returns:
        (B, 1, H, W) metres at the size of the batch's `depth`.

    Raises:
        ModelError: the network gives no metres.
    """
    weight = next(network.parameters(), None)
    if weight is not None:
        batch = {key: value.to(weight.device) if isinstance(value, Tensor) else value for key, value in batch.items()}
    out = network(batch)
    if "metric_depth" not in out:
        raise ModelError(
            f"{type(network).__name__} gives {', '.join(out)}, no metric_depth; it cannot be judged in metres"
        )
    return at_size(out["metric_depth"].float(), batch["depth"].shape[-2:])


def at_size(pred: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """(B, 1, h, w) resized to (H, W), bilinear with corners aligned; as it is where it has that size."""
    if pred.shape[-2:] == tuple(size):
        return pred
    return F.interpolate(pred, tuple(size), mode="bilinear", align_corners=True)
