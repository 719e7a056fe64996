"""The checkpoint from which a run goes on: whether it is whole."""

from __future__ import annotations

from pathlib import Path

from avsnet.errors import TrainingError
from avsnet.weights import archive_damage


def check_checkpoint(path: Path) -> None:
    """Refuse a checkpoint that a full disk or a copy has cut short; one that is not there is none.

    Raises:
        TrainingError: the file is no whole checkpoint.
    """
    if not path.exists():
        return
    if not _is_archive(path) or archive_damage(path):
        raise TrainingError(
            f"{path}: is no whole checkpoint ({path.stat().st_size} bytes are there), so the run cannot go on; copy it "
            "again, or delete it to begin anew"
        )


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4"
