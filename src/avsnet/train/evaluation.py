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
from avsnet.scale.rules import as_depth, scale_depth


def evaluate(
    network: nn.Module, batches: Iterable[dict[str, Any]], *, cap: float = math.inf, scaling: str = "none"
) -> MetricMean:
    """Judge a network by known depth.

    Predictions are brought to the size of the target in their own unit (bilinear, corners aligned), to metres, and
    clamped to 1 mm .. `cap`, as for every method.

    Args:
        network: as in `predicted`; its mode is left as it was.
        batches: of `avsnet.data.sample`, with `depth` and `valid`.
        cap: metres.
        scaling: as in `predicted`.

    Returns:
        The mean over the images; parts made by several processes can be merged.

    Raises:
        ModelError: the network does not give what is to be judged.
        DepthError: it gives NaN where the target is valid.
    """
    mean = MetricMean()
    training = [part for part in network.modules() if part.training]
    network.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                pred = predicted(network, batch, scaling)
                for one, target, valid in zip(pred, batch["depth"].cpu(), batch["valid"].cpu(), strict=True):
                    mean.update(one, target, valid, maximum=cap)
    finally:
        for part in training:
            part.training = True
    return mean


def predicted(network: nn.Module, batch: dict[str, Any], scaling: str = "none") -> Tensor:
    """One pass over a batch, wherever the network is.

    Args:
        network: gives `metric_depth`, or `disparity` where that is scaled.
        batch: with `depth` and `valid`.
        scaling: "none", or "oracle_median": each map's median is made the true one, over valid pixels.

    Returns:
        (B, 1, H, W) metres at the size of the batch's `depth`, on the CPU.

    Raises:
        ModelError: the network does not give that.
    """
    weight = next(network.parameters(), None)
    seen = batch
    if weight is not None:
        seen = {key: value.to(weight.device) if isinstance(value, Tensor) else value for key, value in batch.items()}
    out, kind = network(seen), "metric_depth" if scaling == "none" else "disparity"
    if kind not in out:
        raise ModelError(
            f"{type(network).__name__} gives {', '.join(out)}, no {kind}; it cannot be judged in metres"
            + (f" after {scaling}" if kind == "disparity" else "")
        )
    values = at_size(out[kind].float(), batch["depth"].shape[-2:]).cpu()
    if scaling == "none":
        return values
    return torch.stack(
        [_median_scaled(*maps) for maps in zip(values, batch["depth"].cpu(), batch["valid"].cpu(), strict=True)]
    )


def _median_scaled(disparity: Tensor, depth: Tensor, valid: Tensor) -> Tensor:
    """(1, H, W) metres; without a valid pixel, which no metric looks at, depth in its own unit."""
    relative, known, counts = (one[0].numpy() for one in (disparity, depth, valid))
    if not counts.any():
        return torch.from_numpy(as_depth(relative, "disparity"))[None]
    return torch.from_numpy(scale_depth(relative, known, kind="disparity", valid=counts).depth)[None]


def at_size(pred: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """(B, 1, h, w) resized to (H, W), bilinear with corners aligned; as it is where it has that size."""
    if pred.shape[-2:] == tuple(size):
        return pred
    return F.interpolate(pred, tuple(size), mode="bilinear", align_corners=True)
