"""`predict` from files to files: which recording belongs to which picture, and results that appear together."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.cli.results import RESULTS, in_one_line, refuse_foreign, write_results
from avsnet.data.folder import without_depth
from avsnet.data.pairing import pair
from avsnet.errors import AudioError, ImageError, OptionError
from avsnet.io.pictures import IMAGE_SUFFIXES, read_image
from avsnet.io.recordings import ECHO_SUFFIXES
from avsnet.predict import predict_with_evidence

if TYPE_CHECKING:
    import torch

    from avsnet.audio.rig import Rig


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

    In a folder, hidden files, what is no picture by its suffix, and the depth map of a picture are passed over.
    Recordings are found by the names of the files, see `avsnet.data.pairing`.

    Args:
        image: a picture, or a folder of pictures.
        echo: the recording, or the folder of the recordings; None for none.

    Raises:
        ImageError: a folder without a picture.
        OptionError: one recording for a folder of pictures.
    """
    if not os.path.isdir(image):
        return [Job(image, image.stem, echo)]
    images = without_depth(_listed(image, IMAGE_SUFFIXES))
    if not images:
        raise ImageError(f"{image}: no picture in this folder ({' '.join(IMAGE_SUFFIXES)})")
    stems = _result_stems(images)
    if echo is None:
        return [Job(path, stem) for path, stem in zip(images, stems, strict=True)]
    if not os.path.isdir(echo):
        raise OptionError(f"{echo}: is no folder; for a folder of pictures give the folder of their recordings")
    echoes = _listed(echo, ECHO_SUFFIXES)
    pairs = zip(images, stems, pair(images, echoes), strict=True)
    return [
        Job(path, stem, found.recording, f"{echo}: {found.obstacle}" if found.obstacle else None)
        for path, stem, found in pairs
    ]


def run(
    job: Job,
    model: torch.nn.Module,
    out: Path,
    *,
    scale_from: str = "auto",
    method: str | None = None,
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: Rig | None = None,
    ply: bool = False,
    overwrite: bool = False,
) -> str:
    """Predict one picture and write its results: all of them or none.

    Args:
        job: the picture and its recording.
        model: the depth model.
        out: folder for the results; made if missing.
        scale_from: as in `predict`.
        method: as in `predict`.
        fov: as in `predict`, degrees.
        intrinsics: as in `predict`, a file.
        rig: as in `predict`.
        ply: whether to write a point cloud as well.
        overwrite: whether files that avsnet did not write may be replaced.

    Returns:
        What was found, assumed and warned of, in one line.

    Raises:
        AvsnetError: as `predict`.
        AudioError: the job lacks its recording.
        OutputError: the results cannot be written.
    """
    if job.obstacle:
        raise AudioError(job.obstacle)
    refuse_foreign((out / (job.stem + ending) for ending in RESULTS if ply or ending != "_depth.ply"), overwrite)
    image = read_image(job.image, [])  # what is odd about it stands in the prediction
    prediction, evidence = predict_with_evidence(
        job.image,
        job.echo,
        depth_model=model,
        scale_from=scale_from,
        method=method,
        intrinsics=intrinsics,
        rig=rig,
        fov=fov,
    )
    write_results(out, job.stem, prediction, image, evidence, ply, overwrite)
    return in_one_line(job.image, prediction)


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
