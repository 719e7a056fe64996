"""From a file's own size to the size that is wanted, and what training varies: pictures are mixed, depth never is.

Depth is resized by nearest: its zeros mean "unknown", and mixing them with their neighbours makes up depths that are
smaller than anything measured (on the real BatVision recording in 5.8 % of the pixels).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags
from torch import Tensor

from avsnet.errors import OptionError, SampleError
from avsnet.geometry import resize_intrinsics
from avsnet.io.pictures import open_picture, read_image, rgb_array


def resize_nearest(values: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Resize a map without mixing: each pixel takes the value that lies under its centre.

    Of a memory-mapped file only the rows that are wanted are touched.

    Args:
        values: (H, W) of any type and unit.
        size: (h, w) in pixels; None keeps (H, W).

    Returns:
        (h, w) of the same type, in memory.

    Raises:
        OptionError: the size is not two positive whole numbers.

    >>> resize_nearest(np.array([[1, 2, 3, 4]]), (1, 2))
    array([[2, 4]])
    """
    check_size(size)
    if size is None or size == values.shape:
        return np.array(values)
    rows, columns = (_centres(old, new) for old, new in zip(values.shape, size, strict=True))
    # As a plain array: what NumPy adds to a mapped one costs more than the copy, and `take` is its fastest way.
    return np.asarray(values)[rows].take(columns, axis=1)


def resize_image(pixels: np.ndarray, size: tuple[int, int] | None) -> Tensor:
    """Resize a picture by the bilinear filter that widens when it shrinks, so that fine texture does not alias.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        size: (h, w) in pixels; None keeps (H, W).

    Returns:
        (3, h, w) float32, 0..1, not normalised. The filter's result is rounded to 1 / 255, as in a picture.

    Raises:
        OptionError: the size is not two positive whole numbers.
    """
    check_size(size)
    image = torch.from_numpy(pixels).permute(2, 0, 1)
    if size is not None and size != image.shape[1:]:
        # In uint8 because that is several times as fast as in float32, and no picture is finer.
        image = F.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    return image.contiguous().float().div_(255.0)


def load_image(path: str | Path, size: tuple[int, int] | None) -> Tensor:
    """Read and resize a picture; a JPEG is decoded at a half, a quarter or an eighth where that is still enough.

    The decoder then averages squares of pixels in place of the filter: on the real BatVision picture at 256 x 256 that
    changes values by 0.002 on average and by 0.04 at most, and takes a third of the time.

    Args:
        path: the file.
        size: (h, w) in pixels; None keeps the picture's own.

    Returns:
        (3, h, w) float32, 0..1, not normalised, upright as its EXIF orientation says.

    Raises:
        ImageError: the file is missing, truncated or no picture.
        OptionError: the size is not two positive whole numbers.
    """
    check_size(size)
    try:
        with open_picture(os.fspath(path)) as picture:
            upright = picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
            if size is not None and upright:
                # Of a picture on its side height and width change places, so that the decode might be too small.
                picture.draft("RGB", (size[1], size[0]))
            # `rgb_array` is right for every picture, and copies it once more.
            pixels = np.array(picture) if upright and picture.mode == "RGB" else rgb_array(picture)
    except Exception:  # whatever was wrong, `read_image` names it
        pixels = read_image(path)
    return resize_image(pixels, size)


def flip(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Mirror a sample left to right: what is seen, what is heard, and the camera.

    True where the rig is its own mirror image: the ears as far to the left as to the right of the camera, the
    speaker between them.

    Args:
        sample: a sample or a batch of `avsnet.data.sample`; of image, depth, valid, waveform, echo, intrinsics and a
            triplet's earlier and later those that are there are mirrored, every other key is passed on.

    Returns:
        A new dict: pictures and maps mirrored, ears swapped, cx' = W - 1 - cx.

    Raises:
        SampleError: intrinsics without image, depth or valid, which say how wide the picture is.
    """
    flipped = dict(sample)
    for key in ("image", "earlier", "later", "depth", "valid"):
        if key in sample:
            flipped[key] = sample[key].flip(-1)
    for key, ears in (("waveform", -2), ("echo", -3)):
        if key in sample:
            flipped[key] = sample[key].flip(ears)
    if "intrinsics" in sample:
        width = next((sample[key].shape[-1] for key in ("image", "depth", "valid") if key in sample), None)
        if width is None:
            raise SampleError("intrinsics: found without image, depth or valid, wanted one, for its width")
        intrinsics = sample["intrinsics"].clone()
        intrinsics[..., 0, 1] *= -1.0  # a skew leans the other way
        intrinsics[..., 0, 2] = width - 1 - intrinsics[..., 0, 2]
        flipped["intrinsics"] = intrinsics
    return flipped


def zoomed(
    sample: Mapping[str, Any], size: tuple[int, int], share: float, place: tuple[float, float]
) -> dict[str, Any]:
    """Cut a part out of what is seen and bring it to a size, as a longer lens shows it; what is heard stays.

    Args:
        sample: of `avsnet.data.sample`; image, depth, valid and intrinsics are cut, every other key is passed on.
        size: (h, w) of the result, pixels.
        share: of height and width that is left, above 0, 1 at most.
        place: where it lies, down and across, from (0, 0), the upper left corner, to (1, 1), the lower right one.

    Returns:
        A new dict; depth is that of the nearest pixel, the picture is filtered.
    """
    cut = dict(sample)
    height, width = sample["depth"].shape[-2:]
    rows, columns = (max(1, round(share * side)) for side in (height, width))
    top, left = round(place[0] * (height - rows)), round(place[1] * (width - columns))
    for key in ("image", "depth", "valid"):
        if key in sample:
            cut[key] = sample[key][..., top : top + rows, left : left + columns]
    if "image" in cut:
        cut["image"] = F.interpolate(cut["image"][None], size, mode="bilinear", antialias=True)[0].clamp(0.0, 1.0)
    for key in ("depth", "valid"):
        if key in cut:
            down, across = (
                torch.from_numpy(_centres(old, new)) for old, new in zip((rows, columns), size, strict=True)
            )
            cut[key] = cut[key][..., down[:, None], across]
    if "intrinsics" in cut:
        moved = cut["intrinsics"].clone()
        moved[..., 0, 2] -= left
        moved[..., 1, 2] -= top
        resized = resize_intrinsics(moved.double().numpy(), (rows, columns), size)
        cut["intrinsics"] = torch.from_numpy(resized).float()
    return cut


def jitter(image: Tensor, generator: torch.Generator, brightness: float = 0.25) -> Tensor:
    """Vary a picture's colours: gamma, then brightness, then a gain per channel.

    Source: the augmentation that ZoeDepth is trained with; it is applied to half of the pictures there, the choice is
    the caller's.

    Args:
        image: (3, H, W), or (B, 3, H, W) with a draw for each picture; float, 0..1.
        generator: where the draws come from.
        brightness: half the spread of the brightness; 0.25 is the one for NYU's rooms, 0.1 for outdoors. Gamma and
            the gains lie within 0.9..1.1.

    Returns:
        The same shape, clipped to 0..1.
    """
    spread = torch.tensor([0.1, brightness, 0.1, 0.1, 0.1], device=generator.device)
    drawn = torch.rand(*image.shape[:-3], 5, generator=generator, device=generator.device)
    factors = (1.0 + (2.0 * drawn - 1.0) * spread).to(image)[..., None, None]
    gamma, bright, gains = factors[..., :1, :, :], factors[..., 1:2, :, :], factors[..., 2:, :, :]
    return (image**gamma * bright * gains).clamp(0.0, 1.0)


def check_size(size: tuple[int, int] | None) -> None:
    """Refuse what is neither None nor (height, width).

    Raises:
        OptionError: the size is not two positive whole numbers.
    """
    if size is None:
        return
    if not isinstance(size, tuple) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise OptionError(f"size: found {size!r}, wanted None or (height, width), two positive whole numbers of pixels")


def _centres(old: int, new: int) -> np.ndarray:
    """(new,) the old pixel under each new pixel's centre: floor((i + 1/2) old / new), in whole numbers."""
    return (2 * np.arange(new) + 1) * old // (2 * new)
