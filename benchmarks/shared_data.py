"""The real data that some benchmarks read: no part of the repository, so that a fresh clone lacks it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path


def require(shared: Path, wanted: Sequence[str]) -> None:
    """End with one line and exit code 2 where the folder lacks what a benchmark reads.

    Args:
        shared: the folder that was named.
        wanted: files and folders in it.
    """
    missing = [name for name in wanted if not (shared / name).exists()]
    if missing:
        print(
            f"{shared}: lacks {', '.join(missing)}; the folder holds real data that is not part of this repository: "
            "docs/shared_data.md says what belongs where",
            file=sys.stderr,
        )
        raise SystemExit(2)
