"""What networks are trained with: how wrong a map is, as one number with a gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from avsnet.view_synthesis import MAX_DEPTH, MIN_DEPTH, backproject, inverse_depth, project, warp

_LUMINANCE, _CONTRAST = 0.01**2, 0.03**2  # SSIM's constants for colours of 0..1
_TIES = 1e-5
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


def relative_l1(pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """mean|p - g| / g over valid pixels: abs_rel itself, for parts that only set the scale; as `l1` otherwise."""
    return _valid_mean((pred - target).abs() / torch.where(valid, target, 1.0), valid)


def _valid_mean(values: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, values, 0.0).sum() / valid.sum().clamp(min=1)


def ssim_error(a: Tensor, b: Tensor) -> Tensor:
    """(1 - SSIM) / 2 at every pixel, clamped to 0..1, with means over 3 x 3 boxes.

    Source: Wang et al. 2004 as Monodepth2 has it: variances as E[x^2] - E[x]^2, pictures mirrored at their border.

    Args:
        a: (B, C, H, W) 0..1.
        b: likewise.

    Returns:
        (B, C, H, W).
    """
    a, b = (F.pad(x, (1, 1, 1, 1), mode="reflect") for x in (a, b))
    mean_a, mean_b = _box(a), _box(b)
    variance_a, variance_b = _box(a * a) - mean_a**2, _box(b * b) - mean_b**2
    covariance = _box(a * b) - mean_a * mean_b
    above = (2.0 * mean_a * mean_b + _LUMINANCE) * (2.0 * covariance + _CONTRAST)
    below = (mean_a**2 + mean_b**2 + _LUMINANCE) * (variance_a + variance_b + _CONTRAST)
    return ((1.0 - above / below) / 2.0).clamp(0.0, 1.0)


def _box(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1)


def photometric_error(a: Tensor, b: Tensor) -> Tensor:
    """0.85 of `ssim_error` and 0.15 of the absolute difference, each the mean over channels: (B, 1, H, W)."""
    return 0.85 * ssim_error(a, b).mean(1, keepdim=True) + 0.15 * (a - b).abs().mean(1, keepdim=True)


def minimum_error(warped: Tensor, unmoved: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The least of a pixel's errors, and whether a warped source has it: the others teach nothing (auto-mask).

    A pixel that a source as it is explains better than any warped one stands still before the camera, or has no
    texture.

    Args:
        warped: (B, S, H, W) errors of the S sources seen from the target.
        unmoved: (B, S, H, W) errors of the sources as they are.
        noise: (B, S, H, W) standard normal; a hundred-thousandth of it breaks ties.

    Returns:
        (B, 1, H, W) errors, and bool of the same shape.
    """
    still = (unmoved + _TIES * noise).amin(1, keepdim=True)
    moved = warped.amin(1, keepdim=True)
    return torch.minimum(still, moved), moved < still


def smoothness(disparity: Tensor, image: Tensor) -> Tensor:
    """How rough a disparity is where its picture is not: mean |dx d| exp(-|dx I|), and the same of y.

    Args:
        disparity: (B, 1, h, w); its mean is divided out.
        image: (B, 3, h, w).

    Returns:
        A scalar.
    """
    disparity = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)
    rough = [
        (disparity.diff(dim=axis).abs() * torch.exp(-image.diff(dim=axis).abs().mean(1, keepdim=True))).mean()
        for axis in (2, 3)
    ]
    return rough[0] + rough[1]


def photometric(
    scales: Sequence[Tensor],
    target: Tensor,
    sources: Sequence[Tensor],
    motions: Sequence[Tensor],
    intrinsics: Tensor,
    *,
    depth_range: tuple[float, float] = (MIN_DEPTH, MAX_DEPTH),
    weight: float = 1e-3,
    align_corners: bool = True,
    auto_mask: bool = True,
    noise: Tensor | None = None,
    pyramid: Sequence[Tensor] | None = None,
) -> Tensor:
    """How badly depth and motion explain a picture by its neighbours in time; no depth is known.

    The sources are seen from the target by the depth of every scale, enlarged to the full size; the least error of
    every pixel counts (`minimum_error`), and roughness by `weight` / 2^s at scale s.

    Source: Godard et al., ICCV 2019.

    Args:
        scales: sigmoids (B, 1, H / 2^s, W / 2^s) of s = 0, 1, .., as `raw_scales` of the networks.
        target: (B, 3, H, W) 0..1, colours unvaried.
        sources: S pictures like it.
        motions: of each source (B, 4, 4), from points before the target's camera to points before the source's.
        intrinsics: (B, 3, 3) pixels of the target's size.
        depth_range: depth of a sigmoid of 1 and of 0.
        weight: of roughness.
        align_corners: as in `warp`.
        auto_mask: whether the sources as they are compete, too (`minimum_error`).
        noise: (scales, B, S, H, W) standard normal, see `minimum_error`; None: drawn.
        pyramid: the target at the size of each scale; None: means of its pixels.

    Returns:
        A scalar, float32 also under autocast.
    """
    with torch.autocast(target.device.type, enabled=False):
        scales, target = [scale.float() for scale in scales], target.float()
        size, count = target.shape[2:], len(scales)
        enlarged = [F.interpolate(scale, size, mode="bilinear", align_corners=False) for scale in scales]
        # All scales in one go, one behind the other in the batch.
        depth = 1.0 / inverse_depth(torch.cat(enlarged), *depth_range)
        cameras = intrinsics.float().repeat(count, 1, 1)
        points, seen = backproject(depth, cameras), target.repeat(count, 1, 1, 1)
        warped, unmoved = [], []
        for source, motion in zip(sources, motions, strict=True):
            source = source.float()
            grid = project(points, motion.float().repeat(count, 1, 1), cameras)
            warped.append(photometric_error(warp(source.repeat(count, 1, 1, 1), grid, align_corners), seen))
            unmoved.append(photometric_error(source, target).repeat(count, 1, 1, 1))
        errors = torch.cat(warped, 1)
        if auto_mask:
            drawn = torch.randn_like(errors) if noise is None else noise.flatten(0, 1)
            least, _ = minimum_error(errors, torch.cat(unmoved, 1), drawn)
        else:
            least = errors.amin(1)
        if pyramid is None:
            pyramid = [F.adaptive_avg_pool2d(target, scale.shape[2:]) for scale in scales]  # type: ignore[arg-type]
        rough = [smoothness(scale, image) / 2**s for s, (scale, image) in enumerate(zip(scales, pyramid, strict=True))]
        return least.mean() + weight * torch.stack(rough).mean()
