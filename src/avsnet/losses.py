"""What networks are trained with: how wrong a map is, as one number with a gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_INSIDE_LOG = 1e-7
_SMALLEST = 1e-8  # under the root, whose slope at 0 is infinite


def silog(
    pred: Tensor, target: Tensor, valid: Tensor | None = None, *, weight: float = 0.15, scale: float = 10.0
) -> Tensor:
    """Scale-invariant logarithmic loss: scale * sqrt(var(g) + weight * mean(g)^2), g = ln pred - ln target.

    Source: ZoeDepth's constants; the variance is the unbiased one. A weight of 1 asks for the scale as strictly as for
    the shape, a weight of 0 not at all.

    Args:
        pred: (B, 1, h, w) metres, positive; brought to the target's size, bilinear with aligned corners.
        target: (B, 1, H, W) metres; 0 = unknown.
        valid: (B, 1, H, W) bool, the pixels that count; None: those of known depth.
        weight: of the squared mean.
        scale: of the whole.

    Returns:
        A scalar, float32 also under autocast. Of fewer than two valid pixels it is 0, with a gradient of 0.
    """
    valid = target > 0.0 if valid is None else valid & (target > 0.0)
    with torch.autocast(pred.device.type, enabled=False):
        pred, target = pred.float(), target.float()
        if pred.shape[2:] != target.shape[2:]:
            pred = F.interpolate(pred, target.shape[2:], mode="bilinear", align_corners=True)
        error = torch.log(pred + _INSIDE_LOG) - torch.log(torch.where(valid, target, 1.0) + _INSIDE_LOG)
        error = error[valid]
        if error.numel() < 2:
            return 0.0 * pred.sum()
        return scale * torch.sqrt((error.var() + weight * error.mean() ** 2).clamp_min(_SMALLEST))
