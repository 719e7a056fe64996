"""Pictures in: any format to RGB, upright; a broken file is named here, so that no later code meets half a picture."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, ImageOps

from avsnet.errors import ImageError, LimitError, note, one_line
from avsnet.io.heif import read_heif_too
from avsnet.io.limits import PIXELS
from avsnet.io.orientation import UPRIGHT, exif_orientation, swaps
from avsnet.io.plausibility import few_bits
from avsnet.io.whole_files import require_bytes

IMAGE_SUFFIXES = (".bmp", ".heic", ".heif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of pictures, by which they are found in a folder."""


def read_image(path: str | Path, notes: list[str] | None = None) -> np.ndarray:
    """Read a picture of any format that Pillow knows, upright as its EXIF orientation says.

    Args:
        path: the file; of an animation the first frame is read.
        notes: takes what is odd about the picture; None warns of it.

    Returns:
        (H, W, 3) uint8 RGB. Grey is repeated, alpha dropped, 16-bit grey scaled by 255 / 65535.

    Raises:
        ImageError: the file is missing, empty, truncated, no picture, of zero size, or larger than `PIXELS` allows.
        MissingExtraError: a HEIC picture, and no library for it.
    """
    path = Path(path)
    require_bytes(path, ImageError, "picture")
    read_heif_too(path)
    found: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # By an open file: what Pillow maps into memory by name, it mixes up in TIFFs that lie on their side.
            with path.open("rb") as file, open_picture(file) as picture:
                pixels = rgb_array(picture, found)
    except (ImageError, LimitError) as error:
        raise ImageError(f"{path}: {error}") from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"{path}: not a picture, or one of zero size; give a PNG or JPEG file") from None
    except Exception as error:  # on a broken file Pillow's readers raise nearly anything
        reason = one_line(error)
        raise ImageError(f"{path}: broken or truncated picture ({reason}); copy or export it again") from None
    for text in found:
        note(f"{path}: {text}", notes)
    return pixels


@contextmanager
def open_picture(source: str | Path | BinaryIO) -> Iterator[ImageFile.ImageFile]:
    """Open a picture of any format, once its head promises no more pixels than are allowed.

    Args:
        source: a path or an open file.

    Yields:
        The picture, not yet decoded.

    Raises:
        LimitError: too many pixels.
        ImageError: a format that is a program (EPS), which another program would have to run.
        OSError, SyntaxError, ValueError: as Pillow fails on what is no picture.
    """
    most = PIXELS.most
    if most > (Image.MAX_IMAGE_PIXELS or most):  # Pillow's own bound, which warns; twice of it is an error
        Image.MAX_IMAGE_PIXELS = most
    try:
        picture = Image.open(source)
    except Image.DecompressionBombError:
        raise LimitError(f"more pixels than the {most} that may be read; {PIXELS.variable} sets that") from None
    with picture:
        PIXELS.check(picture.size[0] * picture.size[1])
        if picture.format == "EPS":
            raise ImageError("EPS is a program, not a picture; save it as PNG")
        yield picture


def picture_size(path: str | Path) -> tuple[int, int]:
    """The size of a picture that `read_image` would give, from the file's head alone.

    Args:
        path: the file.

    Returns:
        (H, W) pixels, upright.

    Raises:
        ImageError: the file is missing or no picture.
        MissingExtraError: as `read_image`.
    """
    read_heif_too(path)
    try:
        with open_picture(os.fspath(path)) as picture:
            # Pillow turns TIFFs by itself, their size as well.
            width, height = picture.size if picture.format != "TIFF" else (picture.tag_v2[256], picture.tag_v2[257])  # type: ignore[attr-defined]
            lies = swaps(exif_orientation(picture))
    except LimitError as error:
        raise ImageError(f"{path}: {error}") from None
    except Exception as error:
        raise ImageError(f"{path}: not a picture ({one_line(error)}); give a PNG or JPEG file") from None
    return (width, height) if lies else (height, width)


def rgb_array(picture: Image.Image, notes: list[str] | None = None) -> np.ndarray:
    """Turn an opened picture into RGB, upright as its EXIF orientation says.

    Args:
        picture: Pillow image of any mode.
        notes: takes what is odd about the picture; None warns of it.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: zero size, or floating-point pixels outside 0..1, whose white is unknown.
    """
    if 0 in picture.size:
        raise ImageError(f"picture of zero size {picture.size}; give one with at least one pixel")
    # Of colours with 16 bits a channel Pillow keeps the upper eight; only before loading the file's form tells of them.
    halved = any(";16" in str(tile) for tile in getattr(picture, "tile", ()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture.load()  # by which TIFFs turn themselves
        if exif_orientation(picture) != UPRIGHT:  # else it would be copied
            picture = ImageOps.exif_transpose(picture)
        if picture.mode != "F" and not picture.mode.startswith("I"):
            pixels = np.array(picture if picture.mode == "RGB" else picture.convert("RGB"), dtype=np.uint8)
            if halved and (text := few_bits(int(pixels.max()) * 256 + 255)) is not None:
                note(text, notes)
            return pixels
    # Pillow's own conversion of these modes clips instead of scaling: nearly every pixel would turn white.
    stored = np.asarray(picture)
    if picture.mode != "F" and (text := few_bits(int(stored.max()))) is not None:
        note(text, notes)
    grey = stored.astype(np.float64) / (1.0 if picture.mode == "F" else 65535.0)
    if picture.mode == "F" and not ((grey >= 0.0) & (grey <= 1.0)).all():
        raise ImageError("floating-point pixels outside 0..1; save the picture with 8 or 16 bits")
    return np.repeat((grey.clip(0.0, 1.0) * 255.0).round().astype(np.uint8)[..., None], 3, axis=-1)
