"""What a verb leaves in the user's folder: results that appear together or not at all, and never replace a stranger's.

Nothing that avsnet did not write is overwritten or deleted unless the user asks for it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.errors import OutputError
from avsnet.io.authorship import written_by_avsnet
from avsnet.viz import panel, save_figure, summary

if TYPE_CHECKING:
    import numpy as np

    from avsnet.prediction import Prediction
    from avsnet.scale.ranging import EchoEvidence

RESULTS = ("_depth.npz", "_depth.png", "_depth.ply", "_panel.png")
"""How the names of one picture's results can end."""


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

    Raises:
        OutputError: the results cannot be written, or would replace a file that avsnet did not write.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".avsnet-", dir=out) as name:
            staging = Path(name)
            prediction.save(staging / f"{stem}_depth.npz")
            if prediction.unit == "m":  # a PNG counts millimetres, so it has no place for other units
                prediction.save(staging / f"{stem}_depth.png")
            if ply:
                prediction.save(staging / f"{stem}_depth.ply", image)
            if image is not None:
                save_figure(staging / f"{stem}_panel.png", panel(image, prediction, evidence))
            written = {file.name for file in staging.iterdir()}
            refuse_foreign((out / name for name in written), overwrite)
            for name in written:
                os.replace(staging / name, out / name)
            # What an earlier run left under these names would not belong to these results.
            for stale in (out / (stem + ending) for ending in RESULTS if stem + ending not in written):
                if written_by_avsnet(stale):
                    stale.unlink()
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another folder") from None
