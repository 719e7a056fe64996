"""From any recording to an echo one can measure: two ears (or one) at 44.1 kHz, its direct sound, and what was odd."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, EchoError

_SILENCE = 1e-5  # peak, -100 dB re full scale
_FLAT = 0.9999  # of the channel's maximum; a tone above 100 Hz has no three samples in a row that high
_EAR_OVER_MEDIAN = 6.0  # of its envelope, for an ear that works; noise alone reaches about 4
_LIKE_THE_SWEEP = 0.2  # correlation at the direct sound; a real recording has 0.32, a clap or a click under 0.17
_TELLING_DELAY = 2.0  # samples between the ears before their order means anything
_MIN_AFTER_DIRECT = 0.010  # seconds: an echo from 1.7 m
_MIN_RATE, _MAX_RATE = 4_000, 384_000


@dataclass(frozen=True)
class Echo:
    """A recording that holds a direct sound.

    Args:
        waveform: (C, N) float64 at 44 100 Hz; C = 2, or 1 where only one microphone works.
        ears: which ear each row is, 0 = left, 1 = right.
        direct: sample index of the direct sound.
        template: (M,) what was played, at 44 100 Hz.
        warnings: one line for each thing a user should know.
    """

    waveform: np.ndarray
    ears: tuple[int, ...]
    direct: int
    template: np.ndarray
    warnings: tuple[str, ...] = ()


def listen(waveform: np.ndarray, sample_rate: int, rig: Rig | None = None) -> Echo:
    """Check a recording, resample it to 44.1 kHz and find its direct sound.

    One microphone (one row, or one silent row) works and is said; clipping and resampling are said; swapped ears are
    said where the rig's own asymmetry lets one hear them.

    Args:
        waveform: (2, N), (1, N) or (N,) in -1..1, row 0 = left.
        sample_rate: hertz.
        rig: what was played, and the speaker-to-ear paths that tell left from right; None = the assumed rig.

    Returns:
        The `Echo`.

    Raises:
        AudioError: not finite, wrong shape, a sample rate outside 4 to 384 kHz.
        EchoError: silent, no direct sound, or less than 10 ms after it.
    """
    waveform = np.atleast_2d(np.asarray(waveform, dtype=np.float64))
    if waveform.ndim != 2 or not 1 <= waveform.shape[0] <= 2 or waveform.shape[1] == 0:
        raise AudioError(f"an echo has shape (2, samples), left ear first; this one has {waveform.shape}")
    if not np.isfinite(waveform).all():
        raise AudioError("the recording holds NaN or infinite samples; record or export it again")
    if not _MIN_RATE <= sample_rate <= _MAX_RATE:
        raise AudioError(f"a sample rate of {sample_rate} Hz is outside {_MIN_RATE} to {_MAX_RATE} Hz")
    rig = rig or Rig()
    warnings = []
    peaks = np.abs(waveform).max(axis=1)
    if peaks.max() < _SILENCE:
        raise EchoError("the recording is silent (peak under -100 dB); check the microphones and their gain")
    ears = tuple(int(ear) for ear in np.flatnonzero(peaks >= _SILENCE))
    if len(ears) < 2:
        which = "left" if ears == (0,) and len(waveform) == 2 else "right"
        which = "one channel only" if len(waveform) == 1 else f"only the {which} ear is heard"
        warnings.append(f"{which}: ranging with one microphone, left and right cannot be told apart")
    waveform = waveform[list(ears)]
    if waveform.shape[1] < _MIN_AFTER_DIRECT * sample_rate:
        raise EchoError(f"too short: {waveform.shape[1] / sample_rate * 1000:.1f} ms of sound, at least 10 ms needed")
    clipped = _flat_tops(waveform)
    if clipped:
        warnings.append(f"clipped: {clipped} flat tops; record at a lower gain")
    if sample_rate != SAMPLE_RATE:
        waveform = soxr.resample(waveform.T, sample_rate, SAMPLE_RATE, quality="VHQ").T
        lost = "; nothing above its own Nyquist frequency is there" if sample_rate < SAMPLE_RATE else ""
        warnings.append(f"resampled from {sample_rate} Hz to {SAMPLE_RATE} Hz{lost}")
    template = rig.emitted
    direct = direct_sound(waveform, template=template)
    hears, likeness = _hears(waveform, template, direct)
    if likeness < _LIKE_THE_SWEEP:
        raise EchoError("no direct sound: the loudest sound is not the sweep that the rig names; check what was played")
    if not hears.all():
        warnings.append(f"the {'left' if hears[1] else 'right'} ear hears only noise: ranging with the other one alone")
        waveform, ears = waveform[hears], tuple(ear for ear, good in zip(ears, hears, strict=True) if good)
    if waveform.shape[1] - direct < _MIN_AFTER_DIRECT * SAMPLE_RATE:
        raise EchoError("too short: the recording ends within 10 ms of its direct sound")
    if len(ears) == 2:
        warnings += _swapped_ears(waveform, template, direct, rig)
    return Echo(waveform, ears, direct, template, tuple(warnings))


def _flat_tops(waveform: np.ndarray) -> int:
    """How many samples begin a flat top: three or more in a row at one channel's very maximum."""
    flat = np.abs(waveform) >= _FLAT * np.abs(waveform).max(axis=1, keepdims=True)
    return int((flat[:, :-2] & flat[:, 1:-1] & flat[:, 2:]).sum())


def _hears(waveform: np.ndarray, template: np.ndarray, direct: int) -> tuple[np.ndarray, float]:
    """(C,) whether each ear hears the direct sound; how like the template it is there, 0..1, at the better ear."""
    near = slice(max(0, direct - len(template)), direct + len(template))
    envelope = np.abs(matched_filter(waveform, template))
    peaks = envelope[:, near].max(axis=1)
    hears = peaks > _EAR_OVER_MEDIAN * np.median(envelope, axis=1)
    at = near.start + np.argmax(envelope[:, near], axis=1)
    segments = [np.linalg.norm(row[start : start + len(template)]) for row, start in zip(waveform, at, strict=True)]
    likeness = peaks * np.linalg.norm(template) / np.maximum(segments, 1e-30)
    return (hears if hears.any() else np.ones_like(hears)), float(likeness.max())


def _swapped_ears(waveform: np.ndarray, template: np.ndarray, direct: int, rig: Rig) -> list[str]:
    """A warning where the direct sound reaches the ears in the order opposite to the rig's."""
    expected = float(np.diff(rig.direct_paths)[0]) / rig.speed_of_sound * SAMPLE_RATE
    if abs(expected) < _TELLING_DELAY:
        return []
    span = int(abs(expected)) + 4
    window = slice(max(0, direct - span), direct + span + 1)
    left, right = np.argmax(np.abs(matched_filter(waveform, template))[:, window], axis=1)
    if abs((right - left) + expected) < abs((right - left) - expected):
        return ["the ears look swapped: the direct sound reaches first the ear that the rig puts farther away"]
    return []
