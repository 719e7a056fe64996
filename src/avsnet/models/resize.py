"""From a picture to a network's input size, and from a network's output back to the picture's size.

Both ways are PIL's bilinear filter, which widens when it shrinks: every source pixel counts, so fine texture
does not alias.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from avsnet.errors import DepthError, ImageError


def to_model_input(image: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Resize a picture and make it a batch of one.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: (height, width) in pixels.

    Returns:
        (1, 3, height, width) float32, 0..1, not normalised.

    Raises:
        ImageError: the image is not (H, W, 3) uint8, or is empty.

    >>> to_model_input(np.full((4, 6, 3), 255, np.uint8), (2, 3)).shape
    torch.Size([1, 3, 2, 3])
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"image of shape {image.shape} and type {image.dtype}: give (H, W, 3) uint8 RGB")
    height, width = size
    resized = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    return torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255.0


def to_image_size(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a map of any unit. Its values are mixed, so it must be dense: no holes marked by 0 or NaN.

    Args:
        values: (h, w) float.
        size: (height, width) of the picture in pixels.

    Returns:
        (height, width) float32, same unit.

    Raises:
        DepthError: the map is not two-dimensional, or is empty.

    >>> to_image_size(np.array([[1.0, 3.0]]), (1, 4))
    array([[1. , 1.5, 2.5, 3. ]], dtype=float32)
    """
    if values.ndim != 2 or values.size == 0:
        raise DepthError(f"map of shape {values.shape}: give (h, w) with at least one pixel")
    height, width = size
    picture = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))  # float32 is PIL's mode F
    return np.array(picture.resize((width, height), Image.Resampling.BILINEAR))
