"""The scale from one known distance: `known:x,y,metres`, the depth along the optical axis at one pixel."""

from __future__ import annotations

import math

import numpy as np

from avsnet.errors import OptionError

_FARTHEST = 10_000.0  # metres
_REACH = 2  # pixels round the known one: a square of 5 x 5


def known_distance(argument: str) -> tuple[float, float, float]:
    """Read `"x,y,metres"`.

    Returns:
        x, y in pixels, and the depth there in metres.

    Raises:
        OptionError: anything else, or a distance out of bounds.
    """
    name = f"scale_from 'known:{argument}'"
    try:
        x, y, metres = (float(number) for number in argument.split(","))
    except ValueError:
        raise OptionError(f"{name}: wanted known:x,y,metres, such as known:320,240,2.5") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise OptionError(f"{name}: x and y must be pixels of the picture")
    if not 0.0 < metres < _FARTHEST:
        raise OptionError(f"{name}: the distance must lie between 0 and {_FARTHEST:g} metres")
    return x, y, metres


def known_pixel(argument: str, size: tuple[int, int]) -> tuple[int, int, float]:
    """The pixel of `"x,y,metres"` in a map of `size` (height, width).

    Returns:
        Row, column, and the depth there in metres.

    Raises:
        OptionError: another text, or a pixel outside the map.
    """
    x, y, metres = known_distance(argument)
    row, column = round(y), round(x)
    if not (0 <= row < size[0] and 0 <= column < size[1]):
        raise OptionError(
            f"scale_from 'known:{argument}': pixel {x:g}, {y:g} is outside the picture of {size[1]} x {size[0]} pixels"
        )
    return row, column, metres


def known_scale(depth: np.ndarray, argument: str) -> float:
    """Metres per unit of the map, from the median round the known pixel.

    Args:
        depth: (H, W) any unit, 0 = unknown.
        argument: `"x,y,metres"`.

    Raises:
        OptionError: as `known_pixel`, or the map does not know that pixel.
    """
    row, column, metres = known_pixel(argument, depth.shape)
    if depth[row, column] <= 0.0:
        raise OptionError(
            f"scale_from 'known:{argument}': the model does not know the depth of that pixel; choose another"
        )
    top, left = max(0, row - _REACH), max(0, column - _REACH)
    square = depth[top : row + _REACH + 1, left : column + _REACH + 1]
    return metres / float(np.median(square[square > 0.0]))
