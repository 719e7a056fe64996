"""One capture: what is played, recorded, examined and written into a folder of captures."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from avsnet.audio.calibration import calibrate
from avsnet.audio.capture import Averaged, Examined, average, examine, latency, template_at
from avsnet.audio.chirp import SAMPLE_RATE, chirp_train
from avsnet.audio.recording_checks import flat_tops
from avsnet.audio.rig import Rig
from avsnet.audio.sound_card import Exchange, SoundCard
from avsnet.cli.results import check_writable, refuse_foreign
from avsnet.errors import AudioError, EchoError, MissingExtraError, OptionError
from avsnet.io.authorship import software
from avsnet.io.pictures import IMAGE_SUFFIXES, read_image
from avsnet.io.recordings import read_wav
from avsnet.io.whole_files import atomic_path

LEAD = 0.3
"""Seconds of silence before the first chirp."""

_LONGEST = 0.05  # seconds of a chirp of one's own


@dataclass(frozen=True)
class Wish:
    """What the user asked for, as the flags of `avsnet record`."""

    out: str
    picture: str | None = None
    camera: int | None = None
    play: str | None = None
    rig: str | None = None
    calibrate: float | None = None
    repeat: int = 1
    pause: float = 0.5
    level: float = 0.5
    channels: int = 2
    rate: int = 48_000
    overwrite: bool = False

    def check(self) -> None:
        """Find every mistake that can be found before a sound is made.

        Raises:
            OptionError: two pictures, numbers outside what makes sense.
            ImageError: no such picture.
            OutputError: the folder cannot be written, or holds a `rig.json` that would be replaced.
        """
        if self.picture is not None and self.camera is not None:
            raise OptionError("the picture comes from one place: give --picture or --camera")
        if self.channels not in (1, 2):
            raise OptionError(f"--channels is {self.channels}, but must be 1 or 2")
        if not 8_000 <= self.rate <= 192_000:
            raise OptionError(f"--rate is {self.rate}, but must be 8000 to 192000")
        if self.picture is not None:
            read_image(self.picture)
            if Path(self.picture).suffix.lower() not in IMAGE_SUFFIXES:
                raise OptionError(f"{self.picture}: a capture's picture ends in {' '.join(IMAGE_SUFFIXES)}; convert it")
        folder = Path(self.out)
        check_writable(folder)
        if self._writes_rig:
            refuse_foreign([folder / "rig.json"], self.overwrite)

    @property
    def _writes_rig(self) -> bool:
        return self.calibrate is not None or self.play is not None


def take(wish: Wish, card: SoundCard) -> tuple[list[str], bool]:
    """Play, record, examine, write.

    Args:
        wish: what is asked for, checked.
        card: what plays and records.

    Returns:
        Lines for the user; and whether a chirp was heard and written.

    Raises:
        AudioError: the card gives no sound, or what is played is none.
        CalibrationError: a rig, or the wall of a calibration, that makes no sense.
        MissingExtraError: a camera without OpenCV.
    """
    rig = _rig(wish)
    template = template_at(rig, wish.rate)
    signal = chirp_train(template, wish.rate, wish.repeat, wish.pause, LEAD, wish.level)
    picture = None if wish.camera is None else _photograph(wish.camera)
    exchange = card.exchange(signal, wish.rate, wish.channels)
    try:
        heard = average(
            exchange.waveform, wish.rate, template, wish.repeat, len(template) + round(wish.pause * wish.rate)
        )
    except EchoError:
        found = examine(exchange.waveform, wish.rate, rig)
        return [*found.facts, *_advice(found), "nothing was written"], False
    found = examine(heard.waveform, wish.rate, rig)
    lines = [*found.facts, *_of_card(exchange, heard, wish), *_advice(found)]
    if found.echo is None:
        return [*lines, "nothing was written"], False
    if wish.calibrate is not None:
        rig = calibrate(heard.waveform, wish.rate, wish.calibrate, rig)
    folder = Path(wish.out)
    stem = _next_stem(folder)
    written = _write(folder / f"{stem}.wav", heard.waveform, wish.rate)
    lines += [f"{written}: recorded", *_pictured(wish, picture, folder / stem)]
    return [*lines, *_rigged(wish, rig, folder / "rig.json")], True


def _rig(wish: Wish) -> Rig:
    rig = Rig() if wish.rig is None else Rig.from_json(wish.rig)
    if wish.play is None:
        return rig
    chirp = read_wav(wish.play)
    if chirp.waveform.shape[1] > _LONGEST * chirp.sample_rate:
        raise AudioError(f"{wish.play}: longer than {_LONGEST * 1000:.0f} ms; cut it to the chirp alone")
    mono = chirp.waveform.mean(axis=0).astype(np.float64)
    return replace(rig, template=soxr.resample(mono, chirp.sample_rate, SAMPLE_RATE))


def _advice(found: Examined) -> list[str]:
    return [f"change: {text}" for text in found.advice] or ["nothing to change"]


def _of_card(exchange: Exchange, heard: Averaged, wish: Wish) -> list[str]:
    """What the sound card did: its delay, what it lost, how many chirps agree."""
    delay = latency(heard.direct, round(LEAD * wish.rate), exchange.handed_over, wish.rate)
    lines = [f"latency: {delay * 1000:.0f} ms from the program to the microphone; it does not matter"]
    if exchange.gaps:
        lines.append(f"change: the sound card lost {exchange.gaps} pieces; close other programs and record again")
    if wish.repeat > 1:
        # An average has no flat tops; what it was made of may have.
        if flat_tops(exchange.waveform):
            lines.append("change: clipped; turn the microphones down")
        lines.append(f"repeats: {heard.used} of {wish.repeat} chirps agree and were averaged")
    return lines


def _next_stem(folder: Path) -> str:
    """The next free number of four digits."""
    taken = [int(path.stem) for path in folder.glob("*") if path.stem.isdigit()] if folder.is_dir() else []
    return f"{max(taken, default=0) + 1:04d}"


def _write(path: Path, waveform: np.ndarray, rate: int) -> Path:
    with atomic_path(path) as temporary:
        settings: dict[str, Any] = {"subtype": "PCM_24", "format": "WAV"}
        with soundfile.SoundFile(temporary, "w", rate, len(waveform), **settings) as file:
            file.software = software()
            file.write(waveform.T)
    return path


def _pictured(wish: Wish, photograph: np.ndarray | None, stem: Path) -> list[str]:
    """Put the picture next to the recording."""
    if photograph is not None:
        from PIL import Image

        target = stem.with_suffix(".png")
        with atomic_path(target) as temporary:
            Image.fromarray(photograph).save(temporary, format="PNG")
        return [f"{target}: photographed"]
    if wish.picture is None:
        return [
            f"no picture: put the one of this moment there as {stem.name}.jpg, then: avsnet predict {stem.name}.jpg"
        ]
    target = stem.with_suffix(Path(wish.picture).suffix.lower())
    with atomic_path(target) as temporary:
        shutil.copyfile(wish.picture, temporary)
    return [f"{target}: copied from {wish.picture}"]


def _rigged(wish: Wish, rig: Rig, path: Path) -> list[str]:
    """Write the rig where one was found, and where the folder has none of what was played."""
    if wish.calibrate is not None:
        rig.to_json(path)
        distance = float(np.linalg.norm(np.array(rig.speaker) - np.mean(rig.ears, axis=0)))
        return [f"{path}: calibrated, the speaker is {distance:.3f} m from the middle of the ears"]
    if wish.play is not None or (wish.rig is not None and not path.exists()):
        rig.to_json(path)
        return [f"{path}: says where speaker and ears sit and what was played"]
    return []


def _photograph(number: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a camera of this computer."""
    try:
        import cv2
    except ImportError:
        raise MissingExtraError(
            "--camera needs OpenCV (pip install opencv-python-headless); or give a --picture taken with any camera"
        ) from None
    camera = cv2.VideoCapture(number)
    try:
        for _ in range(5):  # the first pictures of most cameras are dark
            good, picture = camera.read()
    finally:
        camera.release()
    if not good:
        raise OptionError(f"--camera {number}: gives no picture; is it plugged in and free?")
    return np.ascontiguousarray(picture[..., ::-1])
