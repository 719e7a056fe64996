"""The checkpoint from which a run goes on: whether it is whole."""

from __future__ import annotations

import zipfile
from pathlib import Path

from avsnet.errors import TrainingError


def check_checkpoint(path: Path) -> None:
    """Refuse a checkpoint that a full disk or a copy has cut short; one that is not there is none.

    Raises:
        TrainingError: the file is no whole checkpoint.
    """
    if not path.exists():
        return
    try:
        with zipfile.ZipFile(path) as archive:
            spoilt = archive.testzip()
    except (OSError, zipfile.BadZipFile):
        spoilt = path.name
    if spoilt is not None:
        raise TrainingError(
            f"{path}: is no whole checkpoint ({path.stat().st_size} bytes are there), so the run cannot go on; copy it "
            "again, or delete it to begin anew"
        )
