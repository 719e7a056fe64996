"""Depth maps that are stored as pictures: the numbers themselves, as the file means them.

Pillow reads most of them; what it does not read of TIFF (floats of 16 and 64 bits, large integers) is read here, and
what it does for the eye (grey maps stretched to 16 bits) is undone.
"""

from __future__ import annotations

import math
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from avsnet.errors import DepthError
from avsnet.io.limits import PIXELS
from avsnet.io.orientation import exif_orientation, turned
from avsnet.io.pictures import open_picture

_OTHERS = {b"v/1\x01": "OpenEXR", b"#?RA": "Radiance HDR", b"\x89HDF": "HDF5", b"PF\n": "PFM in colours"}
_TIFF_HEADS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_TYPES = {1: "u", 2: "i", 3: "f"}
_DEFLATE = (8, 32_946)
_PGM_FULL = 65_535


def read_depth_picture(path: Path) -> np.ndarray:
    """Read the numbers of a picture with 16 bits or floating-point pixels, turned as its EXIF tag says.

    Args:
        path: of any format that Pillow knows, or a plain TIFF of any number type.

    Returns:
        (H, W) of the file's numbers.

    Raises:
        DepthError: no picture of depth; the message does not name the file.
    """
    # By an open file: what Pillow maps into memory by name, it mixes up in TIFFs that lie on their side.
    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        try:
            with open_picture(file) as picture:
                return _numbers(picture, path)
        except Image.UnidentifiedImageError:
            return _without_pillow(path)


def _numbers(picture: ImageFile.ImageFile, path: Path) -> np.ndarray:
    """The numbers of an opened picture, which is that of a path."""
    if picture.mode != "F" and not picture.mode.startswith("I"):
        raise DepthError(
            f"a picture with 8 bits or colours ({picture.mode}); give the depth itself, 16-bit grey or float"
        )
    # Pillow turns TIFFs by itself when it loads them.
    orientation = 1 if picture.format == "TIFF" else exif_orientation(picture)
    tiles: Any = getattr(picture, "tile", ())
    tile: Any = tiles[0] if tiles else (None,)
    if tile[0] == "libtiff" and picture.mode != "I;16" and picture.tag_v2.prefix == b"MM":  # type: ignore[attr-defined]
        # libtiff has put the bytes of these into this machine's order, and Pillow swaps them once more.
        return _plain_tiff(path, ">")
    pixels = np.asarray(picture)
    if picture.format == "PPM" and str(tile[0]).startswith("ppm"):
        largest = int(tile[3][1])  # the header's; Pillow has stretched the numbers from it to 16 bits
        pixels = np.rint(pixels * (largest / _PGM_FULL)).astype(np.uint16)
        pixels[pixels == largest] = _PGM_FULL  # as elsewhere, the largest number of the format is no depth
    return turned(pixels, orientation)


def _without_pillow(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        head = file.read(4)
    if head in _TIFF_HEADS:
        return _plain_tiff(path, _TIFF_HEADS[head])
    kind = next((name for start, name in _OTHERS.items() if head.startswith(start)), None)
    what = "no depth map" if kind is None else f"{kind}, which is not read here"
    raise DepthError(f"{what}; give .npy, .npz, a 16-bit PNG or a float TIFF of 32 bits")


def _plain_tiff(path: Path, order: str) -> np.ndarray:
    """The first picture of a TIFF: one channel in strips, uncompressed or deflated. Source: TIFF 6.0."""
    with path.open("rb") as file:
        tags = ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        (bits, *more), (number, *_) = tags.get(258, (1,)), tags.get(339, (1,))
        compression, predictor = tags.get(259, 1), tags.get(317, 1)
        told = f"a TIFF with {bits}-bit {'floats' if number == 3 else 'numbers'}"
        if more or tags.get(277, 1) != 1:
            raise DepthError(f"{told} in several channels; a depth map has one number per pixel")
        if 273 not in tags or predictor != 1 or compression not in (1, *_DEFLATE) or number not in _TIFF_TYPES:
            raise DepthError(
                f"{told} in tiles or with compression {compression} and predictor {predictor}, which is not read; save "
                "it uncompressed, or as .npy"
            )
        height, width = tags[257], tags[256]
        PIXELS.check(height * width)
        dtype = np.dtype(f"{order}{_TIFF_TYPES[number]}{bits // 8}")
        wanted = math.prod((height, width, dtype.itemsize))
        data = b""
        for offset, length in zip(tags[273], tags[279], strict=True):
            file.seek(offset)
            packed = file.read(min(length, wanted))
            # A strip may unpack to far more than the picture needs.
            data += packed if compression == 1 else zlib.decompressobj().decompress(packed, wanted - len(data))
            if len(data) >= wanted:
                break
    if len(data) < wanted:
        raise DepthError(f"{told}: {len(data)} bytes of {height} x {width} numbers; truncated, export it again")
    pixels = np.frombuffer(data, dtype, height * width).reshape(height, width)
    return turned(pixels.astype(dtype.newbyteorder("=")), tags.get(274, 1))
