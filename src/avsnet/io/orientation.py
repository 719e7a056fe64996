"""A picture that its EXIF tag turns upright, and what belongs to it: its depth map and its camera turn alike.

A phone or an RGB-D app stores pictures as the sensor saw them, and writes down how to turn them; camera and depth map
are those of the sensor. So a map or camera is turned with its picture, unless its size says that it is upright already.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from avsnet.errors import CalibrationError

UPRIGHT = 1
"""The orientation of EXIF that turns nothing; 2 to 4 flip or turn by 180 degrees, 5 to 8 swap width and height."""

_ASPECT = 0.01  # relative difference up to which two aspect ratios are one


def exif_orientation(picture: str | Path | Image.Image) -> int:
    """How the picture is turned upright, 1 to 8 as EXIF counts; 1 where nothing tells.

    Args:
        picture: a file, or a picture that was opened and not yet turned.
    """
    try:
        if not isinstance(picture, Image.Image):
            with Image.open(picture) as opened:
                return exif_orientation(opened)
        found = picture.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception:  # on a broken file, or one that is no picture, Pillow raises nearly anything; its reader says so
        return UPRIGHT
    return found if found in range(1, 9) else UPRIGHT


def swaps(orientation: int) -> bool:
    """Whether turning upright swaps width and height."""
    return orientation >= 5


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels upright.

    Args:
        pixels: (H, W, ...) as stored.
        orientation: 1 to 8 as EXIF counts.

    Returns:
        (H, W, ...) or (W, H, ...), upright.
    """
    if swaps(orientation):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def turned_intrinsics(matrix: np.ndarray, orientation: int, size: tuple[int, int]) -> np.ndarray:
    """The camera of a picture after it was turned upright.

    Args:
        matrix: (3, 3) pixels of the stored picture.
        orientation: 1 to 8 as EXIF counts.
        size: (H, W) pixels of the upright picture.

    Returns:
        (3, 3) pixels of the upright picture. A mirrored picture has the camera of the mirrored scene.

    Raises:
        CalibrationError: a skew that would have to change sides, which this form cannot hold.
    """
    matrix = np.array(matrix, dtype=np.float64)
    if swaps(orientation):
        if matrix[0, 1] != 0.0:
            raise CalibrationError(
                f"skew {matrix[0, 1]:g} cannot be turned by 90 degrees with the picture; save the picture upright"
            )
        matrix = matrix[[1, 0, 2]][:, [1, 0, 2]]
    if orientation in (3, 4, 7, 8):
        matrix[1, 2] = size[0] - 1 - matrix[1, 2]
        matrix[0, 1] *= -1.0
    if orientation in (2, 3, 6, 7):
        matrix[0, 2] = size[1] - 1 - matrix[0, 2]
        matrix[0, 1] *= -1.0
    return matrix


def is_upright(own: tuple[float, float], orientation: int, size: tuple[int, int]) -> bool:
    """Whether something of its own size (H, W) fits the upright picture and not the stored one.

    Where turning keeps the aspect ratio nothing can tell, and it counts as stored.

    Args:
        own: (H, W) of a map or of the picture that a camera was calibrated with.
        orientation: 1 to 8 as EXIF counts.
        size: (H, W) pixels of the upright picture.
    """
    if orientation == UPRIGHT:
        return True
    aspect, upright = own[1] / own[0], size[1] / size[0]
    fits, fits_stored = (abs(aspect / ratio - 1.0) <= _ASPECT for ratio in (upright, 1.0 / upright))
    return swaps(orientation) and fits and not fits_stored
