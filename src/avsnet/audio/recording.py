"""From any recording to an echo one can measure: two ears (or one) at 44.1 kHz, its direct sound, and what was odd.

A recording is listened to once; whoever needs its echo (ranging, a network, a picture of it) gets the same `Echo`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import soxr
from scipy.ndimage import uniform_filter1d

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter
from avsnet.audio.direct_sound import NO_DIRECT_SOUND, first_strong
from avsnet.audio.recording_checks import (
    LIKE_THE_SWEEP,
    SILENCE,
    began_late,
    flat_tops,
    heard_part,
    hearing_ears,
    likeness,
    next_sweep,
    one_microphone,
    other_rate,
    rumble,
    swapped_ears,
    without_hum,
)
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, EchoError

if TYPE_CHECKING:
    from avsnet.io.recordings import Recording

_EAR_OVER_MEDIAN = 6.0  # of its envelope, for an ear that works; noise alone reaches about 4
_TELLING_DELAY = 2.0  # samples between the ears before their order means anything
_MIN_AFTER_DIRECT = 0.010  # seconds: an echo from 1.7 m
_SMOOTHING = 0.0001  # seconds: about the width of the compressed sweep behind a real speaker
_NETWORKS_HEAR = 0.18  # seconds: 30 m
_MIN_RATE, _MAX_RATE = 4_000, 384_000


@dataclass(frozen=True, eq=False)
class Echo:
    """A recording that holds a direct sound, listened to once.

    Args:
        waveform: (C, N) float64 at 44 100 Hz; C = 2, or 1 where only one microphone works.
        ears: which ear each row is, 0 = left, 1 = right.
        direct: sample index of the direct sound.
        rig: what was played, and where from and to.
        magnitude: (C, N) of the waveform through the matched filter of what was played.
        warnings: one line for each thing a user should know.
        doubts: those of the warnings after which the metres of a network would be wrong without looking so.
    """

    waveform: np.ndarray
    ears: tuple[int, ...]
    direct: int
    rig: Rig
    magnitude: np.ndarray
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @cached_property
    def power(self) -> np.ndarray:
        """(C, N) energy of the matched filter per ear, smoothed over 0.1 ms."""
        return smoothed_power(self.magnitude)

    @cached_property
    def energy(self) -> np.ndarray:
        """(C, N) the same, 1 where the ear's own direct sound arrives."""
        energy = self.power
        direct = np.rint(self.arrivals(self.rig.direct_paths[list(self.ears)])).astype(int)
        loudest = [row[max(0, at - 2) : at + 3].max(initial=1e-30) for row, at in zip(energy, direct, strict=True)]
        return energy / np.array(loudest)[:, None]

    @cached_property
    def side_lobes(self) -> np.ndarray:
        """(M,) energy that a sound leaves so many samples after itself at most, through the sweep's abrupt ends."""
        template = self.rig.emitted
        envelope = np.abs(matched_filter(np.pad(template, (0, len(template))), template))
        return np.maximum.accumulate(envelope[::-1])[::-1] ** 2

    def arrivals(self, paths: np.ndarray) -> np.ndarray:
        """When sound that travelled `paths` arrives; the nearer ear's direct sound sets the clock.

        Args:
            paths: (..., C) metres, one column per row of `waveform`.

        Returns:
            (..., C) fractional samples.
        """
        heard = self.rig.direct_paths[list(self.ears)].min()
        return self.direct + (paths - heard) / self.rig.speed_of_sound * SAMPLE_RATE

    def mirrored(self, normals: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """When the first-order echoes of planes arrive.

        Args:
            normals: (P, 3) unit normals, camera axes.
            distances: (P,) metres from the camera to each plane.

        Returns:
            (P, C) fractional samples, one column per row of `waveform`.
        """
        return self.arrivals(self.rig.mirrored_paths(normals, distances)[:, list(self.ears)])


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording that is listened to once, when somebody first needs its echo.

    Args:
        recording: what was recorded.
        rig: what was played; None = the assumed rig.
    """

    recording: Recording
    rig: Rig | None = None

    @property
    def label(self) -> str:
        """What messages call the recording."""
        return self.recording.path or "echo"

    @cached_property
    def found(self) -> Echo | EchoError:
        """The echo, or the error that says why there is none.

        Raises:
            AudioError: as `listen`; it names the recording.
        """
        try:
            echo = listen(self.recording.waveform, self.recording.sample_rate, self.rig)
        except EchoError as error:
            return error if self.recording.remark is None else EchoError(f"{error}; {self.recording.remark}")
        except AudioError as error:
            raise AudioError(f"{self.label}: {error}") from None
        return (
            echo if self.recording.remark is None else replace(echo, warnings=(*echo.warnings, self.recording.remark))
        )

    def echo(self) -> Echo:
        """The echo, for whoever cannot do without.

        Raises:
            AudioError: as `listen`.
            EchoError: there is none; both name the recording.
        """
        if isinstance(self.found, EchoError):
            raise EchoError(f"{self.label}: {self.found}")
        return self.found


def smoothed_power(magnitude: np.ndarray) -> np.ndarray:
    """(C, N) energy of what a matched filter gave, of its (C, N) magnitude, smoothed over 0.1 ms."""
    return np.asarray(uniform_filter1d(magnitude**2, round(_SMOOTHING * SAMPLE_RATE), axis=-1))


def listen(waveform: np.ndarray, sample_rate: int, rig: Rig | None = None) -> Echo:
    """Check a recording, bring it to 44.1 kHz without offset and hum, and find its direct sound.

    Of a long recording only the first sweep and what follows it is kept; of several sweeps, what comes before the
    second. One microphone works. Everything that is odd is said: `recording_checks` finds it.

    Args:
        waveform: (2, N), (1, N) or (N,) in -1..1, row 0 = left.
        sample_rate: hertz.
        rig: what was played, and the speaker-to-ear paths that tell left from right; None = the assumed rig.

    Returns:
        The `Echo`.

    Raises:
        AudioError: not finite, wrong shape, a sample rate outside 4 to 384 kHz.
        EchoError: silent, no direct sound (or a recording that begins after it), or less than 10 ms after it.
    """
    rig = rig or Rig()
    waveform = _as_sound(waveform, sample_rate)
    waveform = waveform[:, heard_part(waveform, sample_rate, rig.emitted)].astype(np.float64)
    waveform -= waveform.mean(axis=1, keepdims=True)  # an offset is no sound, and hides what is
    waveform, ears, warnings = _living_ears(waveform)
    if waveform.shape[1] < _MIN_AFTER_DIRECT * sample_rate:
        raise EchoError(f"too short: {waveform.shape[1] / sample_rate * 1000:.1f} ms of sound, at least 10 ms needed")
    clipped = flat_tops(waveform)
    doubts = [f"clipped: {clipped} flat tops; record at a lower gain"] if clipped else []
    if sample_rate < SAMPLE_RATE:
        missing = f"nothing above {sample_rate // 2} Hz is in it"
        doubts.append(f"resampled from {sample_rate} Hz to {SAMPLE_RATE} Hz; {missing}")
    elif sample_rate > SAMPLE_RATE:
        warnings.append(f"resampled from {sample_rate} Hz to {SAMPLE_RATE} Hz")
    if sample_rate != SAMPLE_RATE:
        waveform = soxr.resample(waveform.T, sample_rate, SAMPLE_RATE, quality="VHQ").T
    waveform, hum = without_hum(waveform)
    warnings += [hum] if hum else []
    magnitude = np.abs(matched_filter(waveform, rig.emitted))
    direct = _direct_sound(waveform, magnitude, rig.emitted)
    taken_at = other_rate(waveform, direct, rig.emitted, sample_rate)
    if taken_at is not None:
        doubts.append(f"the sweep is heard as if recorded at {taken_at} Hz, not {sample_rate}; is the rate right?")
    hears = hearing_ears(magnitude, direct, len(rig.emitted), _EAR_OVER_MEDIAN)
    if not hears.all():
        warnings.append(f"the {'left' if hears[1] else 'right'} ear hears only noise: ranging with the other one alone")
        waveform, magnitude = waveform[hears], magnitude[hears]
        ears = tuple(ear for ear, good in zip(ears, hears, strict=True) if good)
    again = next_sweep(waveform, magnitude, direct)
    if again is not None:
        # A network that hears 30 m would take the silence after a shorter piece for a room without echoes.
        (doubts if again - direct < _NETWORKS_HEAR * SAMPLE_RATE else warnings).append(_once_more(again - direct, rig))
        end = again - len(rig.emitted)
        waveform, magnitude = waveform[:, :end], magnitude[:, :end]
    if waveform.shape[1] - direct < _MIN_AFTER_DIRECT * SAMPLE_RATE:
        raise EchoError("too short: the recording ends within 10 ms of its direct sound")
    low_noise = rumble(waveform, direct)
    warnings += [low_noise] if low_noise else []
    expected = float(np.diff(rig.direct_paths)[0]) / rig.speed_of_sound * SAMPLE_RATE
    if len(ears) == 2 and abs(expected) >= _TELLING_DELAY and swapped_ears(magnitude, direct, expected):
        warnings.append("the ears look swapped: the direct sound reaches first the ear that the rig puts farther away")
    return Echo(waveform, ears, direct, rig, magnitude, (*doubts, *warnings), tuple(doubts))


def _as_sound(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """(C, N), or the error that says why it is no recording."""
    waveform = np.atleast_2d(np.asarray(waveform))
    if waveform.ndim != 2 or not 1 <= waveform.shape[0] <= 2 or waveform.shape[1] == 0:
        raise AudioError(f"an echo has shape (2, samples), left ear first; this one has {waveform.shape}")
    if not np.isfinite(waveform).all():
        raise AudioError("the recording holds NaN or infinite samples; record or export it again")
    if not _MIN_RATE <= sample_rate <= _MAX_RATE:
        raise AudioError(f"a sample rate of {sample_rate} Hz is outside {_MIN_RATE} to {_MAX_RATE} Hz")
    return waveform


def _living_ears(waveform: np.ndarray) -> tuple[np.ndarray, tuple[int, ...], list[str]]:
    """The channels that hold a sound of their own, which ears they are, and what to say of the others."""
    peaks = np.abs(waveform).max(axis=1)
    if peaks.max() < SILENCE:
        raise EchoError("the recording is silent (peak under -100 dB); check the microphones and their gain")
    ears = tuple(int(ear) for ear in np.flatnonzero(peaks >= SILENCE))
    alone = "ranging with one microphone, left and right cannot be told apart"
    if len(waveform) == 1:
        return waveform, ears, [f"one channel only: {alone}"]
    if len(ears) == 1:
        return waveform[list(ears)], ears, [f"only the {'right' if ears[0] else 'left'} ear is heard: {alone}"]
    if one_microphone(waveform):
        louder = int(np.argmax(peaks))
        return waveform[[louder]], (louder,), [f"both channels hold the sound of the same microphone: {alone}"]
    return waveform, ears, []


def _direct_sound(waveform: np.ndarray, magnitude: np.ndarray, template: np.ndarray) -> int:
    """The sample at which the direct sound starts, or the error that says why there is none."""
    start, _, found = first_strong(magnitude)
    direct = int(start)
    if not found:
        low_noise = rumble(waveform, 0)
        raise EchoError("; ".join([NO_DIRECT_SOUND, low_noise] if low_noise else [NO_DIRECT_SOUND]))
    if likeness(waveform, magnitude, template, direct) < LIKE_THE_SWEEP:
        raise EchoError("no direct sound: the loudest sound is not the sweep that the rig names; check what was played")
    if began_late(waveform, direct):
        raise EchoError("no direct sound: the recording begins after it, amid its echoes; record first, then play")
    return direct


def _once_more(delay: int, rig: Rig) -> str:
    """What to say where the sweep is heard again so many samples later."""
    reach = (delay - len(rig.emitted)) / SAMPLE_RATE * rig.speed_of_sound / 2.0
    until = f"what is heard before it is used, which reaches surfaces up to {reach:.1f} m away"
    return f"several sweeps: the next one starts {1000.0 * delay / SAMPLE_RATE:.0f} ms after the first; {until}"
