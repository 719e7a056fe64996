"""Pictures in: any format to RGB, upright; a broken file is named here, so that no later code meets half a picture."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from avsnet.errors import ImageError, note, one_line
from avsnet.io.orientation import exif_orientation, swaps
from avsnet.io.plausibility import few_bits
from avsnet.io.whole_files import require_bytes

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of pictures, by which they are found in a folder."""


def read_image(path: str | Path, notes: list[str] | None = None) -> np.ndarray:
    """Read a picture of any format that Pillow knows, upright as its EXIF orientation says.

    Args:
        path: the file; of an animation the first frame is read.
        notes: takes what is odd about the picture; None warns of it.

    Returns:
        (H, W, 3) uint8 RGB. Grey is repeated, alpha dropped, 16-bit grey scaled by 255 / 65535.

    Raises:
        ImageError: the file is missing, empty, truncated, no picture, of zero size, or absurdly large.
    """
    path = Path(path)
    require_bytes(path, ImageError, "picture")
    found: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # By an open file: what Pillow maps into memory by name, it mixes up in TIFFs that lie on their side.
            with path.open("rb") as file, Image.open(file) as picture:
                pixels = rgb_array(picture, found)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path}: more pixels than any camera gives; shrink the picture first") from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"{path}: not a picture, or one of zero size; give a PNG or JPEG file") from None
    except Exception as error:  # on a broken file Pillow's readers raise nearly anything
        reason = one_line(error)
        raise ImageError(f"{path}: broken or truncated picture ({reason}); copy or export it again") from None
    for text in found:
        note(f"{path}: {text}", notes)
    return pixels


def picture_size(path: str | Path) -> tuple[int, int]:
    """The size of a picture that `read_image` would give, from the file's head alone.

    Args:
        path: the file.

    Returns:
        (H, W) pixels, upright.

    Raises:
        ImageError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as picture:
            # Pillow turns TIFFs by itself, their size as well.
            width, height = picture.size if picture.format != "TIFF" else (picture.tag_v2[256], picture.tag_v2[257])  # type: ignore[attr-defined]
            lies = swaps(exif_orientation(picture))
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
        picture = ImageOps.exif_transpose(picture)
        if picture.mode != "F" and not picture.mode.startswith("I"):
            pixels = np.array(picture.convert("RGB"), dtype=np.uint8)
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
