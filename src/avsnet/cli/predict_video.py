"""`predict` for a video: one camera, its scale carried from frame to frame, an echo where one was recorded."""

from __future__ import annotations

import glob
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsnet.errors import AudioError, AvsnetError, ImageError, OptionError, one_line

if TYPE_CHECKING:
    from avsnet.audio.repeated_chirps import Chirp
    from avsnet.audio.rig import Rig
    from avsnet.io.videos import Frame
    from avsnet.prediction import Prediction
    from avsnet.predictor import Predictor

_NUMBER = re.compile(r"(\d+)$")


def is_video(path: str | Path) -> bool:
    """Whether a file is read as a video: by its ending; a GIF only if it moves."""
    from avsnet.io.videos import VIDEO_SUFFIXES, frame_count

    path = Path(path)
    if path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file():
        return False
    if path.suffix.lower() != ".gif":
        return True
    try:
        return (frame_count(path) or 0) > 1
    except ImageError:
        return False  # whoever reads it as a picture says what is wrong with it


def predict_video(
    video: Path,
    out: Path,
    predictor: Predictor,
    *,
    echo: Path | None,
    ply: bool = False,
    compress: bool = False,
    overwrite: bool = False,
) -> int:
    """Predict every frame and write `<video>_<number>_depth.npz`, numbered from 1.

    Args:
        video: the file.
        out: folder for the results.
        predictor: with the depth model, the source of scale, camera and rig.
        echo: one recording of repeated chirps that begins with the video; or a folder of recordings, numbered as the
            frames; None: none.
        ply: whether to write a point cloud of each frame as well.
        compress: whether the files are to be small rather than written fast.
        overwrite: whether files that avsnet did not write may be replaced.

    Returns:
        Exit code: 1 if some frames failed.

    Raises:
        AvsnetError: a broken video or recording, options that do not fit, results that cannot be written.
    """
    from tqdm import tqdm

    from avsnet.cli.results import refuse_foreign
    from avsnet.io.videos import frame_count, read_video

    if out.is_dir():
        refuse_foreign(sorted(out.glob(f"{glob.escape(video.stem)}_*_depth.*")), overwrite)
    count = frame_count(video)
    echoes = _Echoes.of(echo, predictor.rig)
    seen = _Seen()
    frames = tqdm(_with_end(read_video(video)), total=count, unit="frame", file=sys.stderr)
    for number, (frame, until) in enumerate(frames, 1):
        heard = echoes.of_frame(number, frame.time, until)
        stem = out / f"{video.stem}_{number:05d}"
        try:
            prediction = predictor(frame.image, *heard)
        except AvsnetError as error:
            seen.failed.append(f"frame {number}: {one_line(error)}")
            continue
        _write(stem, prediction, frame.image, ply, compress)
        seen.add(prediction, has_echo=bool(heard))
    print(f"{video.name}: {seen.in_one_line()}")
    for text in echoes.left_over():
        print(f"avsnet: warning: {text}", file=sys.stderr)
    if seen.failed:
        shown = seen.failed[:10]
        print(f"avsnet: {len(seen.failed)} frames failed, such as:", *shown, sep="\n  ", file=sys.stderr)
    return 1 if seen.failed else 0


def _with_end(frames: Iterator[Frame]) -> Iterator[tuple[Frame, float]]:
    """Each frame with the second at which the next one begins; the last is shown as long as the one before it."""
    before, shown = next(frames, None), np.inf
    for frame in frames:
        assert before is not None
        shown = frame.time - before.time
        yield before, frame.time
        before = frame
    if before is not None:
        yield before, before.time + shown


@dataclass
class _Echoes:
    """Which frame has which recording.

    Args:
        by_number: file, by the number of its frame from 1.
        chirps: of one long recording, in time.
        sample_rate: hertz, of the chirps.
        used: how many have found their frame.
    """

    by_number: Mapping[int, Path] = field(default_factory=dict)
    chirps: list[Chirp] = field(default_factory=list)
    sample_rate: int = 0
    used: int = 0

    @classmethod
    def of(cls, echo: Path | None, rig: Rig | None) -> _Echoes:
        """From a folder of numbered recordings, or one recording."""
        from avsnet.audio.repeated_chirps import repeated_chirps
        from avsnet.io.recordings import read_wav

        if echo is None:
            return cls()
        if echo.is_dir():
            return cls(_numbered(echo))
        recording = read_wav(echo)
        return cls(
            chirps=repeated_chirps(recording.waveform, recording.sample_rate, rig), sample_rate=recording.sample_rate
        )

    def of_frame(self, number: int, begin: float, end: float) -> tuple[Any, ...]:
        """What a predictor takes beside the picture: the first chirp while it was shown, with its rate; or nothing."""
        if number in self.by_number:
            self.used += 1
            return (self.by_number[number],)
        here = [chirp for chirp in self.chirps if begin <= chirp.time < end]
        self.used += len(here)
        return (here[0].waveform, self.sample_rate) if here else ()

    def left_over(self) -> list[str]:
        """A line where recordings have no frame."""
        left = len(self.by_number) + len(self.chirps) - self.used
        return [f"{left} of the echoes lie outside the video, by their number or time"] if left else []


def _numbered(folder: Path) -> dict[int, Path]:
    """Recordings by the number at the end of their names, which counts frames from 1; from 0 if there is a 0."""
    from avsnet.io.recordings import ECHO_SUFFIXES

    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in ECHO_SUFFIXES]
    numbers = {path: _NUMBER.search(path.stem) for path in files if not path.name.startswith(".")}
    found: dict[int, Path] = {}
    for path, number in numbers.items():
        if number is None or int(number[1]) in found:
            raise OptionError(f"{path}: name each recording by the number of its frame, such as echo_00012.wav")
        found[int(number[1])] = path
    if not found:
        raise AudioError(f"{folder}: no recording in this folder ({' '.join(ECHO_SUFFIXES)})")
    return {number + (0 in found): path for number, path in found.items()}


def _write(stem: Path, prediction: Prediction, image: np.ndarray, ply: bool, compress: bool) -> None:
    """The results of one frame."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    prediction.save(stem.with_name(f"{stem.name}_depth.npz"), compress=compress)
    if ply:
        prediction.save(stem.with_name(f"{stem.name}_depth.ply"), image)


@dataclass
class _Seen:
    """What was found in the frames so far."""

    medians: list[float] = field(default_factory=list)
    echoes: int = 0
    remarks: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    source: str = ""

    def add(self, prediction: Prediction, has_echo: bool) -> None:
        """Count a frame."""
        known = prediction.depth[prediction.valid]
        self.medians += [float(np.median(known))] if known.size else []
        self.echoes += has_echo
        self.source = prediction.scale_source
        texts = (*prediction.assumptions, *(f"warning: {text}" for text in prediction.warnings))
        self.remarks.update(re.sub(r"\d+ frames? ago", "some frames ago", text) for text in texts)

    def in_one_line(self) -> str:
        """Frames, echoes, median depths, and each remark with the number of frames that it is of."""
        frames = len(self.medians)
        depths = f"median depth {min(self.medians):.3g} to {max(self.medians):.3g}" if frames else "nothing known"
        said = [text if count == frames else f"{text} ({count} frames)" for text, count in self.remarks.items()]
        return "; ".join([f"{frames} frames, {self.echoes} with an echo, {depths}, scale from {self.source}", *said])
