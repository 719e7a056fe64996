"""What size a network takes; from a picture to that size, and from the network's output back to the picture's size.

By default both ways are PIL's bilinear filter, which widens when it shrinks: every source pixel counts, so fine
texture does not alias. A published network keeps the filter that it was published with.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from avsnet.errors import DepthError, ImageError, SampleError
from avsnet.models.info import ModelInfo

_PIL = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
_PLAIN = {"corners": ("bilinear", True), "linear": ("bilinear", False), "cubic": ("bicubic", False)}
_EDGE = {"corners": "corners"}  # at the border of unknown pixels: other filters also count pixels negatively
_ROUNDING = 1e-5  # of a sum of weights that is 1


def input_size(info: ModelInfo, height: int, width: int) -> tuple[int, int]:
    """The size at which a network sees a picture by default.

    Args:
        info: of the network. With a `size` it is that, or that turned to the picture's side; where the aspect is kept,
            the picture is scaled by the factor that `fit` names, and then to the nearest multiples; without a `size`,
            the nearest multiples to the picture's own.
        height: of the picture, pixels.
        width: of the picture, pixels.

    Returns:
        (height, width) in pixels.

    >>> info = ModelInfo("net", "disparity", "MIT", "MIT", "a paper", (518, 518), size_multiple=14, fit="minimal")
    >>> input_size(info, 480, 640)
    (518, 686)
    >>> info = ModelInfo("net", "disparity", "MIT", "MIT", "a paper", (96, 128), size_multiple=32, fit="turned")
    >>> input_size(info, 640, 480)
    (128, 96)
    """
    if info.size is not None and info.fit in ("exact", "turned"):
        across = (height - width) * (info.size[0] - info.size[1]) < 0
        return info.size[::-1] if across and info.fit == "turned" else info.size
    multiple = info.size_multiple or 1
    if info.size is None:
        return _fitted(height, 0, multiple, "minimal"), _fitted(width, 0, multiple, "minimal")
    factors = info.size[0] / height, info.size[1] / width
    # On a tie the height is fitted, as by MiDaS and by the image processors of transformers.
    scale = {
        "minimal": min(factors, key=lambda factor: abs(1.0 - factor)),
        "upper": min(factors),
        "lower": max(factors),
    }
    fitted = (
        _fitted(scale[info.fit] * side, bound, multiple, info.fit)
        for side, bound in zip((height, width), info.size, strict=True)
    )
    rows, columns = fitted
    return rows, columns


def _fitted(side: float, bound: int, multiple: int, fit: str) -> int:
    """The multiple nearest to a side, unless it breaks the bound (MiDaS)."""
    fitted = round(side / multiple) * multiple
    if fit == "upper" and fitted > bound:
        fitted = math.floor(side / multiple) * multiple
    if fit == "lower" and fitted < bound:
        fitted = math.ceil(side / multiple) * multiple
    return max(multiple, fitted)


def checked_image(batch: dict[str, Any], info: ModelInfo) -> torch.Tensor:
    """The batch's pictures, if they are what the network takes.

    Args:
        batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised, of a size that is legal by `info`.
        info: of the network.

    Returns:
        That tensor.

    Raises:
        SampleError: no image, or one of another shape, size or type, or with NaN in it.
    """
    image = batch.get("image")
    if not isinstance(image, torch.Tensor) or not image.is_floating_point() or image.ndim != 4:
        raise SampleError("batch: 'image' must be a float tensor of shape (B, 3, H, W), values 0..1")
    if torch.compiler.is_compiling():  # a graph cannot raise, and would keep the sizes it was compared with
        return image
    sides, multiple = tuple(image.shape[2:]), info.size_multiple
    legal = sides == info.size or (multiple is not None and min(sides) > 0 and not any(n % multiple for n in sides))
    if image.shape[1] != 3 or not legal:
        wanted = "(B, 3, H, W)" if info.size is None else f"(B, 3, {info.size[0]}, {info.size[1]})"
        wanted += "" if multiple is None else f", or H and W that are multiples of {multiple}"
        raise SampleError(
            f"batch: 'image' is {tuple(image.shape)}, but {info.name} takes {wanted}; "
            "resize it first (avsnet.models.resize.to_model_input)"
        )
    if not torch.isfinite(image).all():
        raise SampleError("batch: 'image' has NaN or infinite values")
    return image


def to_model_input(image: np.ndarray, size: tuple[int, int], resample: str = "bilinear") -> torch.Tensor:
    """Resize a picture and make it a batch of one.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: (height, width) in pixels.
        resample: one of `RESAMPLINGS`.

    Returns:
        (1, 3, height, width) float32, 0..1, not normalised.

    Raises:
        ImageError: the image is not (H, W, 3) uint8, or is empty.

    >>> to_model_input(np.full((4, 6, 3), 255, np.uint8), (2, 3)).shape
    torch.Size([1, 3, 2, 3])
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"image of shape {image.shape} and type {image.dtype}: give (H, W, 3) uint8 RGB")
    if resample not in _PLAIN and size != image.shape[:2]:
        image = np.array(Image.fromarray(image).resize(size[::-1], _PIL[resample]))
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255.0
    return resize_plain(tensor, size, resample).clamp(0.0, 1.0) if resample in _PLAIN else tensor


def unknown_pixels(values: np.ndarray, kind: str) -> np.ndarray:
    """Where a model's map says that it does not know: bool, of the same shape.

    Args:
        values: as the model gives them.
        kind: one of `OUTPUT_KINDS`. A depth, or a disparity up to a scale, is above 0; where a shift is open, every
            number may be one.
    """
    holes = ~np.isfinite(values)
    return holes if kind.startswith("affine") else holes | ~(values > 0.0)


def to_image_size(
    values: np.ndarray, size: tuple[int, int], resample: str = "bilinear", unknown: np.ndarray | None = None
) -> np.ndarray:
    """Resize a map of any unit. Its known values are mixed, among each other alone.

    Args:
        values: (h, w) float.
        size: (height, width) of the picture in pixels.
        resample: one of `RESAMPLINGS`. A pixel that this filter would mix with an unknown one is the bilinear mean of
            its known ones, if they have at least half of the weight.
        unknown: (h, w) bool, of pixels that count nowhere; None: there are none.

    Returns:
        (height, width) float32, same unit; NaN where nothing is known.

    Raises:
        DepthError: the map is not two-dimensional, or is empty.

    >>> to_image_size(np.array([[1.0, 3.0]]), (1, 4))
    array([[1. , 1.5, 2.5, 3. ]], dtype=float32)
    >>> to_image_size(np.array([[0.0, 3.0]]), (1, 4), unknown=np.array([[True, False]]))
    array([[nan, nan,  3.,  3.]], dtype=float32)
    """
    if values.ndim != 2 or values.size == 0:
        raise DepthError(f"map of shape {values.shape}: give (h, w) with at least one pixel")
    values = np.ascontiguousarray(values, dtype=np.float32)
    if unknown is None or not unknown.any():
        return _resized(values, size, resample)
    known = (~unknown).astype(np.float32)
    filled = np.where(unknown, np.float32(0.0), values)
    edge = _EDGE.get(resample, "bilinear")
    weight, total = _resized(known, size, edge), _resized(filled, size, edge)
    mixed = total / np.where(weight > 0.5 - _ROUNDING, weight, np.float32(np.nan))
    share = _resized(known, size, resample)  # above 1 where an unknown pixel would count negatively
    whole = np.maximum(np.abs(1.0 - share), 1.0 - weight) < _ROUNDING
    return np.where(whole, _resized(filled, size, resample), mixed).astype(np.float32)


def _resized(values: np.ndarray, size: tuple[int, int], resample: str) -> np.ndarray:
    if resample in _PLAIN:
        return resize_plain(torch.from_numpy(values)[None, None], size, resample)[0, 0].numpy()
    return np.array(Image.fromarray(values).resize(size[::-1], _PIL[resample]))  # float32 is PIL's mode F


def resize_plain(values: torch.Tensor, size: tuple[int, int], resample: str) -> torch.Tensor:
    """Resize (B, C, H, W) without widening the filter: "corners", "linear" or "cubic" of `RESAMPLINGS`."""
    if tuple(values.shape[2:]) == tuple(size):
        return values
    mode, corners = _PLAIN[resample]
    return F.interpolate(values, size, mode=mode, align_corners=corners)
