"""`predict` from files to files: which recording belongs to which picture, and results that appear together.

Source of the pairing: BatVision's names, in which `camera_47.jpeg` was taken while `audio_47.wav` was recorded.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.errors import AudioError, ImageError, OptionError, OutputError
from avsnet.io import ECHO_SUFFIXES, IMAGE_SUFFIXES, read_image
from avsnet.predict import predict_and_hear
from avsnet.scale.metres import Hearing
from avsnet.viz import panel, save_figure, summary

if TYPE_CHECKING:
    import numpy as np
    import torch

    from avsnet.audio.rig import Rig
    from avsnet.prediction import Prediction

RESULTS = ("_depth.npz", "_depth.png", "_depth.ply", "_panel.png")
"""How the names of one picture's results can end."""


@dataclass(frozen=True)
class Job:
    """One picture to predict from files.

    Args:
        image: its file.
        stem: its results are `<stem>_depth.npz` and so on.
        echo: its recording; None if it has none.
        obstacle: why no recording could be chosen for it, though one is wanted.
    """

    image: Path
    stem: str
    echo: Path | None = None
    obstacle: str | None = None


def jobs(image: Path, echo: Path | None) -> list[Job]:
    """What there is to do: one job for a picture, one for each picture of a folder, sorted by name.

    In a folder, hidden files and what is no picture by its suffix are passed over. A picture's recording has its
    stem, or ends in the same number as no other picture and no other recording.

    Args:
        image: a picture, or a folder of pictures.
        echo: the recording, or the folder of the recordings; None for none.

    Raises:
        ImageError: a folder without a picture.
        OptionError: one recording for a folder of pictures.
    """
    if not os.path.isdir(image):
        return [Job(image, image.stem, echo)]
    images = _listed(image, IMAGE_SUFFIXES)
    if not images:
        raise ImageError(f"{image}: no picture in this folder ({' '.join(IMAGE_SUFFIXES)})")
    stems = _result_stems(images)
    if echo is None:
        return [Job(path, stem) for path, stem in zip(images, stems, strict=True)]
    if not os.path.isdir(echo):
        raise OptionError(f"{echo}: is no folder; for a folder of pictures give the folder of their recordings")
    echoes = _listed(echo, ECHO_SUFFIXES)
    found = []
    for path, stem in zip(images, stems, strict=True):
        same = [other for other in echoes if other.stem == path.stem]
        number = _number(path)
        if not same and number is not None and [_number(other) for other in images].count(number) == 1:
            same = [other for other in echoes if _number(other) == number]
        reason = f"{echo}: {len(same) or 'no'} recordings of the same stem or the same number at its end; wanted one"
        found.append(Job(path, stem, same[0]) if len(same) == 1 else Job(path, stem, obstacle=reason))
    return found


def run(
    job: Job,
    model: torch.nn.Module,
    out: Path,
    *,
    scale_from: str = "auto",
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: Rig | None = None,
    ply: bool = False,
) -> str:
    """Predict one picture and write its results: all of them or none.

    Args:
        job: the picture and its recording.
        model: the depth model.
        out: folder for the results; made if missing.
        scale_from: as in `predict`.
        fov: as in `predict`, degrees.
        intrinsics: as in `predict`, a file.
        rig: as in `predict`.
        ply: whether to write a point cloud as well.

    Returns:
        What was found, assumed and warned of, in one line.

    Raises:
        AvsnetError: as `predict`.
        AudioError: the job lacks its recording.
        OutputError: the results cannot be written.
    """
    if job.obstacle:
        raise AudioError(job.obstacle)
    image = read_image(job.image)
    prediction, hearing = predict_and_hear(
        image, job.echo, depth_model=model, scale_from=scale_from, intrinsics=intrinsics, rig=rig, fov=fov
    )
    write_results(out, job.stem, prediction, image, hearing, ply)
    return in_one_line(job.image, prediction)


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
    hearing: Hearing | None = None,
    ply: bool = False,
) -> None:
    """Write `<stem>_depth.npz`, in metres also `.png`, `<stem>_panel.png`, and a point cloud: all of them or none.

    Args:
        out: folder for the results; made if missing.
        stem: how their names begin.
        prediction: what to write.
        image: (H, W, 3) uint8 RGB; without it there is no panel, and the cloud is grey.
        hearing: for the panel.
        ply: whether to write a point cloud as well.

    Raises:
        OutputError: the results cannot be written.
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
                save_figure(staging / f"{stem}_panel.png", panel(image, prediction, hearing))
            written = {file.name for file in staging.iterdir()}
            for name in written:
                os.replace(staging / name, out / name)
            # What an earlier run left under these names would not belong to these results.
            for ending in RESULTS:
                if stem + ending not in written:
                    (out / (stem + ending)).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror}); choose another folder") from None


def _listed(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The folder's files of these suffixes, sorted by name, without hidden ones."""
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise ImageError(f"{folder}: cannot be listed ({error.strerror})") from None
    return [f for f in files if f.suffix.lower() in suffixes and not f.name.startswith(".") and not f.is_dir()]


def _result_stems(images: list[Path]) -> list[str]:
    """The pictures' stems; where two are alike, as of a.jpg and a.png, whole names."""
    count = Counter(path.stem for path in images)
    stems = [path.stem if count[path.stem] == 1 else path.name for path in images]
    return stems if len(set(stems)) == len(stems) else [path.name for path in images]


def _number(path: Path) -> int | None:
    """The number at the end of a file's stem."""
    digits = re.search(r"\d+$", path.stem)
    return int(digits[0]) if digits else None
