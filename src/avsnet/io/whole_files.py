"""Files that are whole: refused where they are not, and written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from avsnet.errors import AvsnetError, OutputError, one_line

WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)
"""What libraries raise on a full disk: soundfile and torch a RuntimeError, safetensors an error of its own."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all: a temporary neighbour takes the name only when it is complete.

    Args:
        path: the file to write; parent folders are made.

    Yields:
        A path in the same folder with the same suffix, to write to.

    Raises:
        OutputError: the folder cannot be made or the file cannot be written.
    """
    path = Path(path)
    temporary = path.parent / f".{secrets.token_hex(8)}{path.suffix}"
    try:
        # Renaming onto a device such as /dev/null would replace the device.
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: is a folder or a device; name a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    except WRITE_ERRORS as error:
        raise cannot_write(path, error) from None
    finally:
        # After a refused parent the unlink fails as well; the first error is the one to report.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the system put a file, or all files of a folder, on the disk, so that a name never stands for less."""
    for part in path.rglob("*") if path.is_dir() else [path]:
        if part.is_file():
            with part.open("rb") as file:
                os.fsync(file.fileno())


def cannot_write(path: str | Path, error: Exception) -> OutputError:
    """The error for a place that cannot be written, whatever library failed on it."""
    reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or one_line(error)
    return OutputError(f"{path}: cannot be written ({reason}); make room, or choose another place")


def require_bytes(path: Path, error: type[AvsnetError], noun: str) -> None:
    """Refuse a path that is missing, a folder, or empty."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as reason:
        if isinstance(reason, FileNotFoundError):
            raise error(f"{path}: no such file; check the path of the {noun}") from None
        raise error(f"{path}: cannot be read ({one_line(reason)}); check the path of the {noun}") from None
    if path.is_dir():
        raise error(f"{path}: is a folder; name a {noun} in it")
    if size == 0:
        raise error(f"{path}: is empty (0 bytes); copy or export the {noun} again")
