"""`predict` from files to files: which recording belongs to which picture, and what is done with both."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.cli.predict_pipeline import Steps, batch_size, computing_threads, pipelined, writing_threads
from avsnet.cli.results import RESULTS, in_one_line, refuse_foreign, write_results
from avsnet.data.folder import without_depth
from avsnet.data.pairing import pair
from avsnet.errors import AudioError, AvsnetError, ImageError, OptionError
from avsnet.io.pictures import IMAGE_SUFFIXES
from avsnet.io.recordings import ECHO_SUFFIXES
from avsnet.predictor import Inputs, Predictor

if TYPE_CHECKING:
    import numpy as np


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


@dataclass(frozen=True)
class Wanted:
    """How pictures are to be predicted, and what is to be written.

    Args:
        predictor: with the depth model, the source of scale, camera and rig.
        out: folder for the results; made if missing.
        ply: whether to write a point cloud as well.
        panel: whether to draw a panel.
        compress: whether the files are to be small rather than written fast.
        overwrite: whether files that avsnet did not write may be replaced.
        half: whether to compute in half precision, on a GPU.
    """

    predictor: Predictor
    out: Path
    ply: bool = False
    panel: bool = True
    compress: bool = False
    overwrite: bool = False
    half: bool = False


def predicted(jobs: Sequence[Job], wanted: Wanted) -> Generator[tuple[Job, str | AvsnetError], None, None]:
    """Predict pictures and write the results of each: all of them or none.

    Args:
        jobs: the pictures and their recordings.
        wanted: how, and what to write.

    Yields:
        Each job, in order, with what was found, assumed and warned of in one line, or with the error that it met.
    """
    from avsnet.models.infer import network_map_each

    def read(job: Job) -> Inputs:
        return _read(job, wanted)

    def compute(ready: Sequence[Inputs]) -> Sequence[np.ndarray | AvsnetError]:
        return network_map_each(wanted.predictor.model, [inputs.batch for inputs in ready], half=wanted.half)

    def write(job: Job, inputs: Inputs, values: np.ndarray) -> str:
        return _write(job, inputs, values, wanted)

    batch, threads = batch_size(wanted.predictor.model), writing_threads()
    with warnings.catch_warnings(), computing_threads(wanted.predictor.model):
        # Threads that each silence Pillow for a moment end each other's silence.
        warnings.filterwarnings("ignore", module="PIL")
        yield from pipelined(jobs, Steps(read, compute, write), batch=batch, threads=threads)


def _read(job: Job, wanted: Wanted) -> Inputs:
    """The picture and its recording, ready for the network."""
    if job.obstacle:
        raise AudioError(job.obstacle)
    endings = {"_depth.ply": wanted.ply, "_panel.png": wanted.panel}
    paths = (wanted.out / (job.stem + ending) for ending in RESULTS if endings.get(ending, True))
    refuse_foreign(paths, wanted.overwrite)
    return wanted.predictor.read(job.image, job.echo)


def _write(job: Job, inputs: Inputs, values: np.ndarray, wanted: Wanted) -> str:
    """From what the network said to files, and to one line of what was found, assumed and warned of."""
    prediction, evidence = wanted.predictor.finish(inputs, values)
    write_results(
        wanted.out,
        job.stem,
        prediction,
        inputs.picture,
        evidence,
        wanted.ply,
        wanted.overwrite,
        with_panel=wanted.panel,
        compress=wanted.compress,
    )
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
