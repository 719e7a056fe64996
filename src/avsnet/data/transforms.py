"""From a file's own size to the size that is wanted: pictures are mixed, depth never is.

Depth is resized by nearest: its zeros mean "unknown", and mixing them with their neighbours makes up depths that are
smaller than anything measured (on the real BatVision recording in 5.8 % of the pixels).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image
from torch import Tensor

from avsnet.errors import OptionError
from avsnet.io import read_image, rgb_array


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
    return np.asarray(values[rows][:, columns])


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
    return image.to(torch.float32, memory_format=torch.contiguous_format).div_(255.0)


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
        with Image.open(path) as picture:
            upright = picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
            if size is not None and upright:
                # Of a picture on its side height and width change places, so that the decode might be too small.
                picture.draft("RGB", (size[1], size[0]))
            # `rgb_array` is right for every picture, and copies it once more.
            pixels = np.array(picture) if upright and picture.mode == "RGB" else rgb_array(picture)
    except Exception:  # whatever was wrong, `read_image` names it
        pixels = read_image(path)
    return resize_image(pixels, size)


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
