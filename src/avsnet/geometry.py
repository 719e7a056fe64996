"""The pinhole camera: intrinsics, their rescaling, and pixels turned into points.

A pixel's centre lies at integer coordinates, so an image of width W spans -0.5 .. W - 0.5 and the middle of a
centred camera is (W - 1) / 2. Camera axes: x right, y down, z forward; metres.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np

from avsnet.errors import CalibrationError, DepthError


def intrinsics_from_fov(width: int, height: int, fov_degrees: float) -> np.ndarray:
    """A centred camera with square pixels: fx = fy = (W / 2) / tan(fov / 2).

    Args:
        width: pixels.
        height: pixels.
        fov_degrees: horizontal field of view in degrees.

    Returns:
        (3, 3) float64 in pixels.

    Raises:
        CalibrationError: the field of view is not between 0 and 180 degrees, or the image has no pixels.

    >>> intrinsics_from_fov(640, 480, 90.0)[0].round(6).tolist()
    [320.0, 0.0, 319.5]
    """
    if not 0.0 < fov_degrees < 180.0:
        raise CalibrationError(f"field of view {fov_degrees} degrees; give one between 0 and 180, such as 70")
    _check_size((height, width))
    focal = 0.5 * width / math.tan(0.5 * math.radians(fov_degrees))
    return np.array([[focal, 0.0, (width - 1) / 2], [0.0, focal, (height - 1) / 2], [0.0, 0.0, 1.0]])


def horizontal_fov(intrinsics: np.ndarray, width: int) -> float:
    """The angle between the rays of the image's left and right edge.

    Args:
        intrinsics: (3, 3) pixels.
        width: pixels.

    Returns:
        Degrees.

    Raises:
        CalibrationError: the intrinsics make no sense.
    """
    matrix = check_intrinsics(intrinsics)
    focal, centre = matrix[0, 0], matrix[0, 2]
    return math.degrees(math.atan((centre + 0.5) / focal) + math.atan((width - 0.5 - centre) / focal))


def resize_intrinsics(intrinsics: np.ndarray, from_size: tuple[int, int], to_size: tuple[int, int]) -> np.ndarray:
    """The intrinsics after the image was resized: fx' = s fx, cx' = (cx + 0.5) s - 0.5, and so for y.

    Args:
        intrinsics: (3, 3) pixels of an image of `from_size`.
        from_size: (H, W) pixels.
        to_size: (H, W) pixels; x and y scale separately.

    Returns:
        (3, 3) float64, pixels of an image of `to_size`.

    Raises:
        CalibrationError: the intrinsics make no sense or a size has no pixels.
    """
    matrix = check_intrinsics(intrinsics)
    _check_size(from_size)
    _check_size(to_size)
    y, x = to_size[0] / from_size[0], to_size[1] / from_size[1]
    return np.array([[x, 0.0, 0.5 * x - 0.5], [0.0, y, 0.5 * y - 0.5], [0.0, 0.0, 1.0]]) @ matrix


def read_intrinsics(path: str | Path, width: int, height: int) -> np.ndarray:
    """Read the camera of an image of the given size.

    Args:
        path: JSON {"width", "height", "fx", "fy", "cx", "cy"} in pixels, rescaled to the image; or a text
            file of 3 x 3 numbers, which names no size and is taken as it stands.
        width: pixels of the image that the camera is wanted for.
        height: pixels of that image.

    Returns:
        (3, 3) float64, pixels of the image.

    Raises:
        CalibrationError: the file is missing, broken or lacks an entry, its aspect ratio differs from the
            image's by more than 1 %, or a text file's principal point is far from the image's middle.
    """
    _check_size((height, width))
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        entries = json.loads(text) if text.lstrip().startswith("{") else None
    except (OSError, ValueError) as error:
        raise CalibrationError(f"{path}: cannot be read as intrinsics ({error})") from None
    try:
        if entries is not None:
            return _from_entries(entries, width, height)
        return _from_text(text, width, height)
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from None


def _from_entries(entries: dict[str, object], width: int, height: int) -> np.ndarray:
    """The camera from JSON entries, rescaled to (height, width)."""
    names = ("width", "height", "fx", "fy", "cx", "cy")
    missing = [name for name in names if name not in entries]
    if missing:
        raise CalibrationError(f"lacks {', '.join(missing)}; give {', '.join(names)} in pixels")
    try:
        own_width, own_height, fx, fy, cx, cy = (float(entries[name]) for name in names)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise CalibrationError(f"{', '.join(names)} must be numbers, in pixels") from None
    if not (0 < own_width < math.inf and 0 < own_height < math.inf):
        raise CalibrationError(f"width {own_width:g} and height {own_height:g}; give the calibrated image's size")
    if abs(own_width * height / (own_height * width) - 1.0) > 0.01:
        raise CalibrationError(
            f"calibrated at {own_width:g} x {own_height:g}, but the image is {width} x {height}: another "
            "aspect ratio; give the image uncropped or calibrate at its size"
        )
    matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return resize_intrinsics(matrix, (own_height, own_width), (height, width))  # type: ignore[arg-type]


def _from_text(text: str, width: int, height: int) -> np.ndarray:
    """The camera from nine numbers in pixels of an image of (height, width)."""
    try:
        # An empty text is refused here, as numpy would only warn of it.
        matrix = np.loadtxt(io.StringIO(text.replace(",", " ") if text.strip() else "empty"), ndmin=2)
    except ValueError:
        raise CalibrationError("neither JSON nor 3 x 3 numbers; give one of them") from None
    matrix = check_intrinsics(matrix)
    x, y = (matrix[0, 2] + 0.5) / width, (matrix[1, 2] + 0.5) / height
    # The middle third: the matrix of an image twice or half as large lands near 1 or 1/4.
    if not (1 / 3 < x < 2 / 3 and 1 / 3 < y < 2 / 3):
        raise CalibrationError(
            f"principal point ({matrix[0, 2]:g}, {matrix[1, 2]:g}) is far from the middle of a {width} x "
            f"{height} image: probably of another size; give JSON with width and height"
        )
    return matrix


def check_intrinsics(matrix: np.ndarray) -> np.ndarray:
    """Refuse a matrix that is no pinhole camera.

    Args:
        matrix: (3, 3) pixels.

    Returns:
        The same as float64.

    Raises:
        CalibrationError: the shape is not (3, 3), an entry is not finite, a focal length is not positive, or
            the matrix is not upper triangular with last row 0 0 1.
    """
    try:
        matrix = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise CalibrationError("intrinsics must be 3 x 3 numbers, in pixels") from None
    if matrix.shape != (3, 3):
        raise CalibrationError(f"intrinsics of shape {matrix.shape}; give [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
    if not np.isfinite(matrix).all():
        raise CalibrationError("intrinsics hold a number that is not finite; calibrate again")
    if matrix[0, 0] <= 0.0 or matrix[1, 1] <= 0.0:
        raise CalibrationError(f"focal lengths {matrix[0, 0]:g}, {matrix[1, 1]:g}; both must be above 0 pixels")
    if matrix[1, 0] != 0.0 or not np.array_equal(matrix[2], [0.0, 0.0, 1.0]):
        raise CalibrationError("intrinsics are not [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]; are they transposed?")
    return matrix


def pixel_rays(intrinsics: np.ndarray, height: int, width: int) -> np.ndarray:
    """The viewing ray of every pixel centre: K^-1 (u, v, 1).

    Args:
        intrinsics: (3, 3) pixels.
        height: pixels.
        width: pixels.

    Returns:
        (H, W, 3) float64, camera axes, z = 1.

    Raises:
        CalibrationError: the intrinsics make no sense or the image has no pixels.
    """
    matrix = check_intrinsics(intrinsics)
    _check_size((height, width))
    rays = np.ones((height, width, 3))
    y = (np.arange(height)[:, None] - matrix[1, 2]) / matrix[1, 1]
    rays[..., 0] = (np.arange(width) - matrix[0, 2] - matrix[0, 1] * y) / matrix[0, 0]
    rays[..., 1] = y
    return rays


def unproject(depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """The point seen by every pixel: its ray times its depth along the optical axis.

    Args:
        depth: (H, W) metres along the optical axis; what is not finite stays so.
        intrinsics: (3, 3) pixels of this depth map's size.

    Returns:
        (H, W, 3) float64 metres, camera axes.

    Raises:
        DepthError: depth is not (H, W).
        CalibrationError: the intrinsics make no sense.
    """
    depth = np.asarray(depth)
    if depth.ndim != 2:
        raise DepthError(f"depth of shape {depth.shape}; give (height, width)")
    return pixel_rays(intrinsics, *depth.shape) * depth[..., None]


def _check_size(size: tuple[int, int]) -> None:
    """Refuse a (H, W) without pixels."""
    if min(size) <= 0:
        raise CalibrationError(f"image size {size[1]} x {size[0]}; give at least one pixel each way")
