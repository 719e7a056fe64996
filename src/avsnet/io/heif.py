"""HEIC pictures, which phones take: read through an optional library, or refused with the two ways out."""

from __future__ import annotations

from pathlib import Path

from avsnet.errors import MissingExtraError

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Of ISO 23008-12, in the first box of a file."""


def is_heif(path: str | Path) -> bool:
    """Whether a file begins as a HEIC picture does; one that cannot be read does not."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[4:8] == b"ftyp" and head[8:12] in _BRANDS


def read_heif_too(path: str | Path) -> None:
    """Let Pillow read a file, if it is a HEIC picture.

    Raises:
        MissingExtraError: it is one, and pillow-heif is not installed.
    """
    if not is_heif(path):
        return
    try:
        import pillow_heif
    except ImportError:
        raise MissingExtraError(
            f"{path}: a HEIC picture needs pillow-heif; pip install 'avsnet[media]', or save it as JPEG (iPhone: "
            "Settings, Camera, Formats, Most Compatible)"
        ) from None
    pillow_heif.register_heif_opener()
