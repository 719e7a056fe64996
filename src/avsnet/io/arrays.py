"""NumPy's files from anyone: their headers are read and checked before a byte of an array is made room for."""

from __future__ import annotations

import math
import os
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from avsnet.errors import LimitError, one_line
from avsnet.io.limits import BYTES

_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
_LONGEST_DIRECTORY = 2**20  # bytes of a zip's table of contents: ten thousand arrays
_END = struct.Struct("<4s4H2LH")  # the last record of a zip


def read_arrays(path: str | Path) -> np.ndarray | dict[str, np.ndarray]:
    """The array of an `.npy`, or all arrays of an `.npz` by name; nothing is unpickled.

    Args:
        path: the file; which of both it is its first bytes tell.

    Raises:
        LimitError: more bytes than `BYTES` allows; the message does not name the file, nor do the others.
        OSError: the file cannot be read.
        ValueError: it is damaged, or holds Python objects.
    """
    try:
        with open(path, "rb") as file:
            if file.read(2) == b"PK":
                return _of_archive(file)
            file.seek(0)
            _check_room(file, os.fstat(file.fileno()).st_size)
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, LimitError):
        raise
    except Exception as error:  # on a damaged header numpy and zipfile raise nearly anything
        raise ValueError(one_line(error) or type(error).__name__) from None


def read_array(path: str | Path, *, mapped: bool = False) -> np.ndarray:
    """The array of an `.npy`.

    Args:
        path: the file.
        mapped: whether it stays on the disk until it is used.

    Raises:
        LimitError, OSError, ValueError: as `read_arrays`, and where the file is an archive.
    """
    if mapped:
        return _mapped(path)
    found = read_arrays(path)
    if not isinstance(found, np.ndarray):
        raise ValueError("an archive of arrays, not one array")
    return found


def _mapped(path: str | Path) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            _check_room(file, os.fstat(file.fileno()).st_size)
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, LimitError):
        raise
    except Exception as error:  # as above
        raise ValueError(one_line(error) or type(error).__name__) from None


def _of_archive(file: BinaryIO) -> dict[str, np.ndarray]:
    """All arrays of a zip, once their headers together promise no more than is allowed."""
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        promised = 0
        for member in members:
            if member.compress_type not in _PACKED:
                raise ValueError(f"{member.filename} is packed in a way that NumPy does not use")
            with archive.open(member) as stream:
                promised += _check_room(stream, member.file_size)
            BYTES.check(promised)
        arrays = {}
        for member in members:
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(stream, allow_pickle=False)
        return arrays


def _check_room(file: Any, size: int) -> int:
    """Read the header of an array and refuse one that promises what is not there; its bytes.

    Args:
        file: at the beginning of the header.
        size: bytes of header and array.
    """
    major, _ = np.lib.format.read_magic(file)
    if major not in (1, 2):
        raise ValueError(f"an array of NumPy's format {major}, which plain numbers do not need")
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file)
    if kind.hasobject:
        raise ValueError("Object arrays cannot be loaded: they can run code")
    if any(side < 0 for side in shape) or len(shape) > 32:
        raise ValueError(f"an array of the impossible shape {shape}")
    promised = math.prod(shape) * kind.itemsize
    BYTES.check(promised)
    if promised > size - file.tell():
        raise ValueError(f"truncated: its header promises {promised} bytes, {max(0, size - file.tell())} are there")
    return promised


def _check_directory(file: BinaryIO) -> None:
    """Refuse a zip with an absurdly long table of contents, of which each entry would become an object."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - 2**16 - _END.size))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + _END.size:
        raise ValueError("truncated: the archive has no end")
    length = _END.unpack_from(tail, at)[5]
    if length > _LONGEST_DIRECTORY:
        raise ValueError(f"an archive with {length} bytes of table of contents is none of arrays")
