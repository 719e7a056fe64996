"""What a verb leaves in the user's folder: results that appear together or not at all, and never replace a stranger's.

Nothing that avsnet did not write is overwritten or deleted unless the user asks for it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.errors import OutputError
from avsnet.io.authorship import written_by_avsnet
from avsnet.io.whole_files import cannot_write
from avsnet.prediction import summary

if TYPE_CHECKING:
    import numpy as np

    from avsnet.prediction import Prediction
    from avsnet.scale.ranging import EchoEvidence

RESULTS = ("_depth.npz", "_depth.png", "_depth.ply", "_panel.png")
"""How the names of one picture's results can end."""

_DRAWING = threading.Lock()  # matplotlib draws for one thread at a time
_UNFINISHED = (".npz", ".png", ".ply")
_ABANDONED = 60.0  # seconds: a process number may be in use again, and other machines' processes are not seen
_STAGING = ".avsnet-"  # begins the names of folders in which results are made, before the number of the process


def remove_abandoned(folder: Path) -> None:
    """Remove the folders of results that processes of ours left when they were killed.

    A folder goes if its name is of our form, its process is no more, it has not been touched for a minute, and it holds
    nothing but names of results.
    """
    for left in folder.glob(f"{_STAGING}*"):
        named = re.fullmatch(rf"{re.escape(_STAGING)}(\d+)-\w+", left.name)
        if named is None or left.is_symlink() or not left.is_dir() or _lives(int(named[1])):
            continue
        with suppress(OSError):  # of another user, or another run is removing it
            inner = list(left.iterdir())
            old = time.time() - left.stat().st_mtime > _ABANDONED
            if old and all(path.is_file() and path.name.endswith((*RESULTS, *_UNFINISHED)) for path in inner):
                shutil.rmtree(left)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def refuse_foreign(paths: Iterable[Path], overwrite: bool = False) -> None:
    """Refuse to replace files that avsnet did not write.

    Args:
        paths: what is to be written.
        overwrite: whether the user asked for it.

    Raises:
        OutputError: names the first such file.
    """
    foreign = [path for path in paths if os.path.lexists(path) and not written_by_avsnet(path)]
    if foreign and not overwrite:
        raise OutputError(
            f"{foreign[0]}: is there already and was not written by avsnet; give another --out, or --overwrite it"
        )


def in_one_line(path: Path, prediction: Prediction) -> str:
    """What was found for this file, assumed and warned of."""
    remarks = [*prediction.assumptions, *(f"warning: {text}" for text in prediction.warnings)]
    return "; ".join([f"{path.name}: {summary(prediction)}", *remarks])


def check_writable(folder: Path) -> None:
    """Refuse an output folder that cannot be made or written to, before any work; nothing is left behind.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        standing = folder.absolute()
        while not standing.exists():
            standing = standing.parent
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None


def write_results(
    out: Path,
    stem: str,
    prediction: Prediction,
    image: np.ndarray | None = None,
    evidence: EchoEvidence | None = None,
    ply: bool = False,
    overwrite: bool = False,
    *,
    with_panel: bool = True,
    compress: bool = False,
) -> None:
    """Write `<stem>_depth.npz`, in metres also `.png`, `<stem>_panel.png`, and a point cloud: all of them or none.

    Args:
        out: folder for the results; made if missing.
        stem: how their names begin.
        prediction: what to write.
        image: (H, W, 3) uint8 RGB; without it there is no panel, and the cloud is grey.
        evidence: for the panel.
        ply: whether to write a point cloud as well.
        overwrite: whether files that avsnet did not write may be replaced.
        with_panel: whether to draw a panel, if there is an image.
        compress: whether the files are to be small rather than written fast.

    Raises:
        OutputError: the results cannot be written, or would replace a file that avsnet did not write.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{_STAGING}{os.getpid()}-", dir=out) as name:
            staging = Path(name)
            prediction.save(staging / f"{stem}_depth.npz", compress=compress)
            if prediction.unit == "m":  # a PNG counts millimetres, so it has no place for other units
                prediction.save(staging / f"{stem}_depth.png", compress=compress)
            if ply:
                prediction.save(staging / f"{stem}_depth.ply", image)
            if image is not None and with_panel:
                _write_panel(staging / f"{stem}_panel.png", image, prediction, evidence)
            written = {file.name for file in staging.iterdir()}
            refuse_foreign((out / name for name in written), overwrite)
            for name in written:
                os.replace(staging / name, out / name)
            # What an earlier run left under these names would not belong to these results.
            for stale in (out / (stem + ending) for ending in RESULTS if stem + ending not in written):
                if written_by_avsnet(stale):
                    stale.unlink()
    except OSError as error:
        raise cannot_write(out, error) from None


def _write_panel(path: Path, image: np.ndarray, prediction: Prediction, evidence: EchoEvidence | None) -> None:
    from avsnet.viz import panel, save_figure  # half a second of matplotlib

    with _DRAWING:
        save_figure(path, panel(image, prediction, evidence))
