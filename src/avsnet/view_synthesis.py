"""A picture as another camera would have taken it: depth to points, points into the other view, its colours fetched.

Source: Godard et al., ICCV 2019, after Zhou et al., CVPR 2017. On tensors, with gradients, wherever those are; pixels
and camera axes as in `avsnet.geometry`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from avsnet.errors import OptionError

MIN_DEPTH, MAX_DEPTH = 0.1, 100.0
"""Depths of a sigmoid of 1 and of 0, in the unknown unit of the family's output."""


def inverse_depth(sigmoid: Tensor, min_depth: float = MIN_DEPTH, max_depth: float = MAX_DEPTH) -> Tensor:
    """What a sigmoid of the Monodepth2 family stands for: 1 / max + (1 / min - 1 / max) * sigmoid.

    Args:
        sigmoid: any shape, 0..1.
        min_depth: of a sigmoid of 1.
        max_depth: of a sigmoid of 0.

    Raises:
        OptionError: not 0 < min_depth < max_depth.
    """
    numbers = all(isinstance(end, int | float) for end in (min_depth, max_depth))
    if not (numbers and 0.0 < min_depth < max_depth < float("inf")):
        raise OptionError(f"min_depth {min_depth!r}, max_depth {max_depth!r}: wanted 0 < min_depth < max_depth")
    lowest, highest = 1.0 / max_depth, 1.0 / min_depth
    return lowest + (highest - lowest) * sigmoid


def backproject(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """The point behind every pixel: depth * K^-1 (x, y, 1).

    Args:
        depth: (B, 1, H, W) along the optical axis, any unit.
        intrinsics: (B, 3, 3) pixels.

    Returns:
        (B, 3, H, W), camera axes, the unit of depth.
    """
    height, width = depth.shape[2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=depth.dtype, device=depth.device),
        torch.arange(width, dtype=depth.dtype, device=depth.device),
        indexing="ij",
    )
    pixels = torch.stack([x, y, torch.ones_like(x)]).flatten(1)
    inverse = torch.linalg.inv_ex(intrinsics)[0]  # unlike inv it does not wait for the device
    return depth * (inverse @ pixels).reshape(-1, 3, height, width)


def project(points: Tensor, motion: Tensor, intrinsics: Tensor) -> Tensor:
    """Where points lie in the picture of a camera that has moved; those behind it are not told apart.

    Args:
        points: (B, 3, H, W) camera axes of the first camera.
        motion: (B, 4, 4) from its points to those of the second.
        intrinsics: (B, 3, 3) pixels, of both.

    Returns:
        (B, H, W, 2) x and y, from -1 in the first pixel's centre to 1 in the last's.
    """
    height, width = points.shape[2:]
    moved = motion[:, :3, :3] @ points.flatten(2) + motion[:, :3, 3:]
    x, y, z = (intrinsics @ moved).unbind(1)
    z = z + 1e-7
    grid = torch.stack([x / z * (2.0 / (width - 1)), y / z * (2.0 / (height - 1))], -1) - 1.0
    return grid.reshape(-1, height, width, 2)


def warp(source: Tensor, grid: Tensor, align_corners: bool = True) -> Tensor:
    """The source picture at places of it, bilinear; outside, what is nearest at its border.

    Args:
        source: (B, 3, H, W).
        grid: (B, h, w, 2) as from `project`.
        align_corners: whether -1 and 1 are read as centres of pixels, as `project` means them; False, as their outer
            edges, is what Monodepth2's published code does under a present PyTorch, for comparison only.

    Returns:
        (B, 3, h, w).
    """
    return F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=align_corners)
