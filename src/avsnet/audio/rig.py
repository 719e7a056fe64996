"""The rig: where the speaker and the two ears sit, how fast sound travels, and what was played.

Source: `rig.json` of the project's contracts; speaker and ears in camera axes (x right, y down, z forward).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.errors import AudioError, CalibrationError
from avsnet.io.recordings import read_wav
from avsnet.io.texts import read_json
from avsnet.io.whole_files import atomic_path

SPEED_OF_SOUND = 343.0
"""Metres per second, dry air at 20 degrees Celsius."""

ORIGINS = ("assumed", "known", "calibrated")
"""Where a rig's geometry can come from."""

_SHORTEST, _LONGEST = 0.0005, 0.05  # seconds of what is played
_TEMPLATE_FLOOR = 0.01  # of its peak, under which a recorded template counts as silence


@dataclass(frozen=True)
class Rig:
    """Speaker, ears and speed of sound.

    Args:
        speaker: (3,) metres, camera axes (x right, y down, z forward).
        ears: (2, 3) metres, left ear first.
        speed_of_sound: metres per second.
        origin: where the geometry comes from: `"assumed"` (the default rig), `"known"` (given by the user)
            or `"calibrated"` (measured). Every result repeats it.
        template: (M,) what the speaker played, at 44 100 Hz; None = the 3 ms sweep.

    Raises:
        CalibrationError: positions that are not finite metres, or an impossible speed of sound.
    """

    speaker: tuple[float, float, float] = (0.0, 0.10, 0.05)
    ears: tuple[tuple[float, float, float], tuple[float, float, float]] = (
        (-0.1175, 0.05, -0.04),
        (0.1175, 0.05, -0.04),
    )
    speed_of_sound: float = SPEED_OF_SOUND
    origin: str = field(default="assumed", compare=False)
    template: np.ndarray | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        places = [self.speaker, *self.ears]
        if len(places) != 3 or any(len(place) != 3 for place in places) or not np.isfinite(places).all():
            raise CalibrationError("rig: speaker and both ears need three finite coordinates in metres each")
        positions = np.array(places)
        if np.abs(positions).max() > 3.0:
            raise CalibrationError(
                f"rig: a coordinate of {np.abs(positions).max():g} m is no rig; give metres, not millimetres"
            )
        if not 300.0 <= self.speed_of_sound <= 400.0:
            raise CalibrationError(f"rig: speed of sound {self.speed_of_sound:g} m/s is outside 300 to 400")

    @property
    def emitted(self) -> np.ndarray:
        """(M,) what the speaker played, at 44 100 Hz."""
        return sweep() if self.template is None else self.template

    @property
    def direct_paths(self) -> np.ndarray:
        """(2,) metres from the speaker to each ear: the one-way path of the direct sound."""
        return np.linalg.norm(np.array(self.ears) - np.array(self.speaker), axis=1)

    def with_speaker_distance(self, distance: float) -> Rig:
        """The same rig with the speaker moved along its line to the ears' centre.

        Args:
            distance: metres from the speaker to the point midway between the ears.

        Raises:
            CalibrationError: the speaker sits at that point.
        """
        centre = np.mean(self.ears, axis=0)
        towards = np.array(self.speaker) - centre
        if np.linalg.norm(towards) < 1e-6:
            raise CalibrationError("the speaker sits between the ears: there is no line to move it along")
        speaker = centre + towards / np.linalg.norm(towards) * distance
        return replace(self, speaker=tuple(speaker.tolist()))

    def mirrored_paths(self, normals: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """First-order path lengths speaker -> plane -> ear (image source: the speaker mirrored in the plane).

        Args:
            normals: (P, 3) unit normals, camera axes.
            distances: (P,) metres from the camera to each plane, points x of it having normal . x = distance.

        Returns:
            (P, 2) metres, one column per ear.
        """
        speaker = np.array(self.speaker)
        images = speaker + 2.0 * (distances - normals @ speaker)[:, None] * normals
        return np.linalg.norm(images[:, None, :] - np.array(self.ears)[None], axis=-1)

    @classmethod
    def from_json(cls, path: str | Path) -> Rig:
        """Read `rig.json`.

        It holds `"speaker": [x, y, z]` and `"ears": [[x, y, z], [x, y, z]]` in metres, and may hold
        `"speed_of_sound"` in m/s, `"origin"` (`"known"` unless it says `"calibrated"`), and either
        `"sweep": {"low": 20, "high": 20000, "duration": 0.003}` in hertz and seconds or `"template": "played.wav"`,
        a recording of what was played, beside the file.

        Raises:
            CalibrationError: the file is missing, is not JSON, or lacks or misstates an entry.
        """
        path = Path(path)
        try:
            entries = read_json(path)
        except (OSError, ValueError) as error:
            raise CalibrationError(f"{path}: cannot be read as JSON ({error})") from None
        if not isinstance(entries, dict) or not {"speaker", "ears"} <= entries.keys():
            raise CalibrationError(f'{path}: a rig needs "speaker": [x, y, z] and "ears": [[..], [..]], metres')
        unknown = entries.keys() - {"speaker", "ears", "speed_of_sound", "origin", "sweep", "template"}
        if unknown:
            raise CalibrationError(f"{path}: unknown entry {sorted(unknown)[0]!r}")
        try:
            return cls(
                speaker=_place(entries["speaker"]),
                ears=tuple(_place(ear) for ear in _listed(entries["ears"])),  # type: ignore[arg-type]
                speed_of_sound=float(entries.get("speed_of_sound", SPEED_OF_SOUND)),
                origin=_origin(entries.get("origin", "known")),
                template=_template(entries, path.parent),
            )
        except (TypeError, ValueError, OverflowError, AudioError, CalibrationError) as error:
            raise CalibrationError(f"{path}: {error}") from None

    def to_json(self, path: str | Path) -> None:
        """Write the rig as `rig.json`; a template of its own goes beside it as a WAV of the same stem.

        Raises:
            OutputError: the file cannot be written.
        """
        path = Path(path)
        entries: dict[str, Any] = {
            "speaker": self.speaker,
            "ears": self.ears,
            "speed_of_sound": self.speed_of_sound,
            "origin": self.origin,
        }
        if self.template is not None:
            entries["template"] = path.with_suffix(".wav").name
            with atomic_path(path.with_suffix(".wav")) as temporary:
                soundfile.write(temporary, self.template, SAMPLE_RATE, subtype="FLOAT")
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(entries, indent=1) + "\n")


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise CalibrationError(f"{value!r} must be a list")
    return value


def _place(value: Any) -> tuple[float, float, float]:
    if len(_listed(value)) != 3:
        raise CalibrationError(f"{value!r} must be three coordinates in metres")
    x, y, z = (float(coordinate) for coordinate in value)
    return x, y, z


def _origin(value: Any) -> str:
    if value not in ORIGINS:
        raise CalibrationError(f"origin {value!r} is none of {', '.join(ORIGINS)}")
    return str(value)


def _template(entries: dict[str, Any], folder: Path) -> np.ndarray | None:
    """What `rig.json` says was played, (M,) at 44 100 Hz; None if it says nothing."""
    if "template" in entries and "sweep" in entries:
        raise CalibrationError("give sweep or template, not both")
    if "template" in entries:
        played = read_wav(folder / str(entries["template"]))
        sound = soxr.resample(played.waveform[0].astype(np.float64), played.sample_rate, SAMPLE_RATE)
        loud = np.flatnonzero(np.abs(sound) > _TEMPLATE_FLOOR * np.abs(sound).max())
        sound = sound[loud[0] : loud[-1] + 1] if len(loud) else sound[:0]  # silence round it would shift every echo
        _check_duration(len(sound) / SAMPLE_RATE)
        return sound
    if "sweep" in entries:
        if not isinstance(entries["sweep"], dict):
            raise CalibrationError('sweep must be {"low": .., "high": .., "duration": ..}, hertz and seconds')
        given = {"low": 20.0, "high": 20_000.0, "duration": 0.003}
        given |= {key: float(value) for key, value in entries["sweep"].items()}
        _check_duration(given["duration"])
        if not 0.0 <= given["low"] < given["high"] <= SAMPLE_RATE / 2:
            raise CalibrationError(f"a sweep rises from 0 Hz or more to {SAMPLE_RATE // 2} Hz at most")
        return sweep(SAMPLE_RATE, **given)
    return None


def _check_duration(seconds: float) -> None:
    if not _SHORTEST <= seconds <= _LONGEST:
        raise CalibrationError(
            f"what was played lasts {seconds * 1000:.3g} ms; it must be {_SHORTEST * 1000:g} to {_LONGEST * 1000:g} ms"
        )
