"""The focal length that a camera wrote into its picture: EXIF's 35 mm equivalent, from which the field of view follows.

Phones and cameras write what lens would see as much on 35 mm film, whose frame of 36 x 24 mm has a diagonal of 43.27 mm
(CIPA DCG-001: by the diagonal, whatever the aspect). It is as good as a few per cent: lenses are corrected, and the
number is rounded.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

FILM_DIAGONAL = math.hypot(36.0, 24.0)
"""Millimetres."""

_SHORTEST, _LONGEST = 10.0, 1500.0  # millimetres: rectilinear lenses that people hold, 130 to 1.7 degrees
_ASPECT = 0.02  # relative difference of two aspect ratios from which one picture was cropped


def equivalent_focal_length(picture: str | Path | Image.Image, notes: list[str]) -> float | None:
    """The focal length on 35 mm film of the camera that took a picture.

    Args:
        picture: a file, or a picture that was opened.
        notes: takes why an entry that is there was not believed.

    Returns:
        Millimetres; None where the file does not tell, or not for the picture as it is now.
    """
    try:
        if not isinstance(picture, Image.Image):
            with Image.open(picture) as opened:
                return equivalent_focal_length(opened, notes)
        entries = picture.getexif().get_ifd(ExifTags.IFD.Exif)
        focal = _number(entries.get(ExifTags.Base.FocalLengthIn35mmFilm))
        taken = [_number(entries.get(tag)) for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)]
        size = picture.size
    except Exception:  # on a broken file, or one that is no picture, Pillow raises nearly anything; its reader says so
        return None
    if not focal:  # 0 means unknown
        return None
    if not _SHORTEST <= focal <= _LONGEST:
        notes.append(f"EXIF's 35 mm equivalent of {focal:g} mm is none of a lens, and was not used")
        return None
    if all(taken) and abs(math.log(_aspect(taken) / _aspect(size))) > _ASPECT:
        notes.append("cropped since it was taken, so EXIF's focal length was not used")
        return None
    return focal


def focal_in_pixels(equivalent: float, size: tuple[int, int]) -> float:
    """From a focal length on 35 mm film to one in pixels.

    Args:
        equivalent: millimetres.
        size: (H, W) pixels.

    >>> round(focal_in_pixels(26.0, (3000, 4000)))
    3005
    """
    return equivalent / FILM_DIAGONAL * math.hypot(*size)


def _aspect(sides: Any) -> float:
    """Of the long to the short side: a picture may have been turned since."""
    return max(sides) / min(sides)


def _number(entry: Any) -> float:
    """An entry as a number; 0 for one that is missing or none."""
    value = float(entry or 0)
    return value if math.isfinite(value) and value > 0.0 else 0.0
