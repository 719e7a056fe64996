"""The pinhole camera: intrinsics, their rescaling, and pixels turned into points.

A pixel's centre lies at integer coordinates, so an image of width W spans -0.5 .. W - 0.5 and the middle of a
centred camera is (W - 1) / 2. Camera axes: x right, y down, z forward; metres.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from avsnet.errors import CalibrationError, DepthError, OptionError, one_line
from avsnet.io.cameras import CameraFile, read_camera
from avsnet.io.focal_length import focal_in_pixels
from avsnet.io.orientation import UPRIGHT, is_upright, swaps, turned_intrinsics

ASSUMED_FOV = 70.0
"""Degrees along the long side: what most phone and web cameras have; taken where no camera is known, and said so."""

_RADIANS = 3.2
"""Degrees up to which a field of view is none: pi and a little, so probably radians."""

_SHORTEST_FOCAL = 0.025
"""Of the image's width: 174 degrees. Intrinsics in picture widths lie below it from 40 pixels on."""


def camera_of(
    intrinsics: str | Path | np.ndarray | None,
    fov: float | None,
    size: tuple[int, int],
    orientation: int = UPRIGHT,
    equivalent: float | None = None,
) -> tuple[np.ndarray, list[str]]:
    """The camera of a picture or map.

    Args:
        intrinsics: (3, 3) pixels of this picture; or a file, which is turned as EXIF has turned the picture.
        fov: degrees, horizontal, in place of intrinsics; None of both takes the equivalent focal length, or assumes
            `ASSUMED_FOV` along the long side.
        size: (height, width) in pixels.
        orientation: of the picture's file, as EXIF has it.
        equivalent: millimetres on 35 mm film, as `avsnet.io.focal_length` finds it; None: not known.

    Returns:
        (3, 3) pixels of the picture, and what was assumed for it.

    Raises:
        CalibrationError: intrinsics or field of view make no sense.
        OptionError: both are given.
    """
    height, width = size
    if intrinsics is not None and fov is not None:
        raise OptionError("intrinsics hold the field of view; leave out fov")
    if isinstance(intrinsics, str | Path):
        turned = ["picture turned by its EXIF tag, its camera alike"] if orientation != UPRIGHT else []
        return read_intrinsics(intrinsics, width, height, orientation), turned
    if intrinsics is not None:
        return check_camera(intrinsics, size), []
    if fov is not None:
        return intrinsics_from_fov(width, height, fov), []
    if equivalent is not None:
        said = f"field of view from the picture's EXIF: 35 mm equivalent {equivalent:g} mm"
        return _centred(focal_in_pixels(equivalent, size), size), [said]
    long_side = "horizontal" if width >= height else "vertical"
    assumed = f"field of view assumed: {ASSUMED_FOV:g} degrees {long_side}"
    return _centred(intrinsics_from_fov(max(size), min(size), ASSUMED_FOV)[0, 0], size), [assumed]


def intrinsics_from_fov(width: int, height: int, fov_degrees: float) -> np.ndarray:
    """A centred camera with square pixels: fx = fy = (W / 2) / tan(fov / 2).

    Args:
        width: pixels.
        height: pixels.
        fov_degrees: horizontal field of view in degrees.

    Returns:
        (3, 3) float64 in pixels.

    Raises:
        CalibrationError: the field of view is not between 0 and 180 degrees or can only be radians, or the
            image has no pixels.

    >>> intrinsics_from_fov(640, 480, 90.0)[0].round(6).tolist()
    [320.0, 0.0, 319.5]
    """
    if not 0.0 < fov_degrees < 180.0:
        raise CalibrationError(f"field of view {fov_degrees} degrees; give one between 0 and 180, such as 70")
    if fov_degrees <= _RADIANS:
        raise CalibrationError(
            f"field of view {fov_degrees:g} degrees: probably radians; give degrees, {math.degrees(fov_degrees):.1f}"
        )
    _check_size((height, width))
    return _centred(0.5 * width / math.tan(0.5 * math.radians(fov_degrees)), (height, width))


def _centred(focal: float, size: tuple[int, int]) -> np.ndarray:
    """(3, 3) the camera with square pixels whose axis goes through the middle of an image of `size` (H, W)."""
    height, width = size
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


def read_intrinsics(path: str | Path, width: int, height: int, orientation: int = UPRIGHT) -> np.ndarray:
    """Read the camera of an image of the given size.

    Args:
        path: JSON {"width", "height", "fx", "fy", "cx", "cy"} in pixels, or another form of `avsnet.io.cameras`. One
            that tells its picture's size is rescaled to the image; one that does not is taken as it stands.
        width: pixels of the upright image that the camera is wanted for.
        height: pixels of that image.
        orientation: by which EXIF turned that image upright, 1 to 8: the camera is turned with it, unless its size or
            its principal point says that it is of the upright image.

    Returns:
        (3, 3) float64, pixels of the image.

    Raises:
        CalibrationError: the file is missing, broken or lacks an entry, its aspect ratio differs from the image's by
            more than 1 %, or its camera is none of such an image, as `check_camera` finds.
    """
    _check_size((height, width))
    try:
        camera = read_camera(Path(path))
        size = (height, width)
        if is_upright(camera.size or _likely_size(camera.matrix, size), orientation, size):
            return _fitted(camera, size)
        stored = size[::-1] if swaps(orientation) else size
        return turned_intrinsics(_fitted(camera, stored), orientation, size)
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from None
    except Exception as error:  # a file of any program, of which any entry may be missing or of another kind
        reason = one_line(error) or type(error).__name__
        raise CalibrationError(f"{path}: cannot be read as intrinsics ({reason})") from None


def _likely_size(matrix: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
    """The (H, W) of `size` or of the same picture lying on its side in whose middle the principal point rather is."""
    matrix = check_intrinsics(matrix)
    off = [abs(matrix[0, 2] + 0.5 - w / 2) / w + abs(matrix[1, 2] + 0.5 - h / 2) / h for h, w in (size, size[::-1])]
    return size if off[0] < off[1] else size[::-1]


def _fitted(camera: CameraFile, size: tuple[int, int]) -> np.ndarray:
    """The camera in pixels of an image of `size` (H, W)."""
    if camera.size is None:
        return check_camera(camera.matrix, size)
    (height, width), (own_height, own_width) = size, camera.size
    if not (0 < own_width < math.inf and 0 < own_height < math.inf):
        raise CalibrationError(f"width {own_width:g} and height {own_height:g}; give the calibrated image's size")
    if abs(own_width * height / (own_height * width) - 1.0) > 0.01:
        raise CalibrationError(
            f"calibrated at {own_width:g} x {own_height:g}, but the image is {width} x {height}: another "
            "aspect ratio; give the image uncropped or calibrate at its size"
        )
    matrix = check_intrinsics(camera.matrix)
    if not (-0.5 <= matrix[0, 2] < own_width and -0.5 <= matrix[1, 2] < own_height):
        raise CalibrationError(
            f"principal point ({matrix[0, 2]:g}, {matrix[1, 2]:g}) is outside its own {own_width:g} x {own_height:g} "
            "image; give both in pixels of one size"
        )
    _check_focal(matrix, (own_height, own_width))
    return resize_intrinsics(matrix, (own_height, own_width), size)  # type: ignore[arg-type]


def check_camera(matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Refuse a camera that cannot be one of an image of this size, in its pixels.

    Args:
        matrix: (3, 3) pixels.
        size: (H, W) pixels.

    Returns:
        The same as float64.

    Raises:
        CalibrationError: `check_intrinsics` refuses it, its principal point is far from the image's middle, or its
            focal length makes no field of view: probably in picture widths, or of an image of another size.
    """
    matrix = check_intrinsics(matrix)
    _check_size(size)
    _check_focal(matrix, size)
    x, y = (matrix[0, 2] + 0.5) / size[1], (matrix[1, 2] + 0.5) / size[0]
    # The middle third: the matrix of an image twice or half as large lands near 1 or 1/4.
    if not (1 / 3 < x < 2 / 3 and 1 / 3 < y < 2 / 3):
        raise CalibrationError(
            f"principal point ({matrix[0, 2]:g}, {matrix[1, 2]:g}) is far from the middle of a {size[1]} x "
            f"{size[0]} image: probably of another size; give JSON with width and height"
        )
    return matrix


def _check_focal(matrix: np.ndarray, size: tuple[float, float]) -> None:
    """Refuse a focal length that is no number of pixels of an image of `size` (H, W)."""
    for focal, pixels in ((matrix[0, 0], size[1]), (matrix[1, 1], size[0])):
        if focal < _SHORTEST_FOCAL * pixels:
            raise CalibrationError(
                f"focal length {focal:g} pixels sees more than 174 degrees of an image of {size[1]:g} x {size[0]:g}: "
                "probably in picture widths; give intrinsics in pixels"
            )


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
