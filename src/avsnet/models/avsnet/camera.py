"""One camera for all pictures: what is learned are metres and ranges divided by the picture's zoom.

A lens of twice the focal length shows a thing at twice the distance at the same size, so a picture alone tells depth
over focal length, not depth. Divided by the zoom, metres of every camera mean the same to the network; the world of an
echo shrinks with them, and its delays too. Source: the canonical camera of Metric3D (Yin et al., ICCV 2023).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from avsnet.errors import SampleError
from avsnet.geometry import ASSUMED_FOV, intrinsics_from_fov


def zoom_of(intrinsics: Tensor | None, image: Tensor) -> Tensor:
    """Focal length over side, each the geometric mean of both axes, which no resizing changes; 1 is 60 degrees at 4:3.

    Args:
        intrinsics: (B, 3, 3) pixels of these pictures; None: square pixels and `ASSUMED_FOV` horizontally.
        image: (B, 3, H, W).

    Returns:
        (B,) float32.

    Raises:
        SampleError: intrinsics of another shape, or a focal length that is none.
    """
    count, _, height, width = image.shape
    if intrinsics is None:
        assumed = torch.from_numpy(intrinsics_from_fov(width, height, ASSUMED_FOV)).to(image)
        intrinsics = assumed.expand(count, 3, 3)
    if not isinstance(intrinsics, Tensor) or tuple(intrinsics.shape) != (count, 3, 3):
        found = tuple(intrinsics.shape) if isinstance(intrinsics, Tensor) else type(intrinsics).__name__
        raise SampleError(f"batch: 'intrinsics' is {found}, wanted ({count}, 3, 3) in pixels of these pictures")
    focal = intrinsics[:, 0, 0] * intrinsics[:, 1, 1]
    if not (torch.isfinite(focal) & (focal > 0.0)).all():
        raise SampleError("batch: 'intrinsics' has a focal length that is not above 0; give pixels")
    return (focal.float() / (height * width)).sqrt()


def in_canonical_metres(echo: Tensor, zoom: Tensor, origin: float) -> Tensor:
    """A spectrogram whose ranges are those of the canonical camera: r / zoom stands where r stood.

    Args:
        echo: (B, 2, F, T) magnitudes.
        zoom: (B,) of the pictures.
        origin: column of range 0.

    Returns:
        The same shape; columns past the end are of silence.
    """
    columns = torch.arange(echo.shape[3], device=echo.device, dtype=torch.float32)
    source = origin + (columns - origin) * zoom[:, None]
    left = source.floor()
    share = (source - left).to(echo.dtype)[:, None, None]
    padded = F.pad(echo, (1, 1))  # silence before and after
    last = padded.shape[3] - 1
    first, second = ((left + step).clamp(0, last).long()[:, None, None].expand_as(echo) for step in (1, 2))
    return torch.lerp(padded.gather(3, first), padded.gather(3, second), share.expand_as(echo))
