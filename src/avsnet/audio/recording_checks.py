"""What the world does to a recording, found in its samples alone: the same checks for ranging and for the networks.

Thresholds were set on the one real recording and on 60 simulated ones; each says what it has to lie between.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, reduce

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view

from avsnet.audio.chirp import SAMPLE_RATE, analytic, matched_filter
from avsnet.audio.direct_sound import FIRST_STRONG, first_strong

SILENCE = 1e-5
"""Peak under which a channel is silent, -100 dB re full scale."""

LIKE_THE_SWEEP = 0.2
"""Correlation with the sweep at a direct sound; a real recording has 0.32, a clap or a click under 0.17."""

_FLAT = 1e-4  # of a channel's range, within which its samples are at the same level
_CORNER = 0.01  # of its range: how steeply a clipped top begins or ends; hum and its quantised tops never do
_SAME = 0.9999  # correlation of the ears from which they are one microphone; two in a room stay under 0.75

_LONG = 1.0  # seconds from which a recording is cut
_BEFORE, _AFTER = 0.1, 0.6  # seconds kept round the direct sound: echoes from 100 m
_CONVINCING = 0.3  # likeness from which the first loud sound is taken at its word; a noisy clap may reach 0.25
_BLOCK = 0.01  # seconds
_CHUNK = 200  # blocks at a time, so that an hour needs no more memory than two seconds

_MAINS = (50.0, 60.0)  # hertz
_DRIFT = np.linspace(-0.5, 0.5, 11)  # hertz: how far the mains, or a recorder's clock, may be off
_HARMONICS = 4
_HUM = 0.1  # share of what is heard under 340 Hz; 0.05 at most without hum, 0.1 at an amplitude of 0.3 % of the peak
_HUM_NEEDS = 0.3  # seconds: in less, hum and the room's own low tones are alike
_FIRST, _SLOW = 8, 64  # samples in one where only what is slow counts, in two steps
_RUMBLE = 0.05  # of the peak; 0.6 % in the real recording, 4.5 % at most in simulated ones
_DECAYED = 0.1  # seconds after the direct sound from which a room is quiet

_AGAIN_AFTER = 0.02  # seconds from which the sweep counts as played again
_AGAIN = 0.8  # of the direct sound's amplitude; played again it is 0.99 to 1.12
_ALIKE_FOR = 0.015  # seconds
_ALIKE = 0.4  # correlation over them; a late echo and what follows it reach 0.14, another sweep no less than 0.64

_LEAD_OVER_DIRECT, _LEAD_OVER_TAIL = 0.2, 4.0  # RMS before the first match; 0.13 of the direct sound's at most, or
# as loud as the noise at the end, where the recording began in time
_ONSET = 20  # samples over which a real speaker's response rises to its peak
_RATES = (48_000 / 44_100, 44_100 / 48_000)  # what one is taken for the other
_STRETCHED, _CLEARLY = 1.3, 0.5  # likeness of the stretched sweep over that of the true one (1.2 at most where the rate
# is right, 1.5 where not), and what it must reach at least


def heard_part(waveform: np.ndarray, sample_rate: int, template: np.ndarray) -> slice:
    """Where the first sweep and its echoes lie in a long recording; all of one that is shorter than a second.

    The first loud moment is tried first; only where it is not the sweep is the whole searched with the matched filter.

    Args:
        waveform: (C, N).
        sample_rate: hertz.
        template: (M,) what was played, at 44 100 Hz.
    """
    if waveform.shape[1] <= _LONG * sample_rate:
        return slice(0, waveform.shape[1])
    if sample_rate != SAMPLE_RATE:
        template = soxr.resample(template, SAMPLE_RATE, sample_rate)
    template = template.astype(np.float32)
    part = _part_round(_first_block(waveform, sample_rate, 1, _loudness), sample_rate)
    piece = waveform[:, part].astype(np.float32)
    piece -= piece.mean(axis=1, keepdims=True)
    magnitude = np.abs(matched_filter(piece, template))
    start, _, found = first_strong(magnitude, sample_rate)
    if found and likeness(piece, magnitude, template, int(start)) >= _CONVINCING:
        return part

    def match(chunk: np.ndarray) -> np.ndarray:
        return np.abs(matched_filter(np.diff(chunk.astype(np.float32)), np.diff(template))).max(axis=0)

    return _part_round(_first_block(waveform, sample_rate, len(template), match), sample_rate)


def _part_round(at: int, sample_rate: int) -> slice:
    return slice(max(0, at - round(_BEFORE * sample_rate)), at + round(_AFTER * sample_rate))


def _loudness(chunk: np.ndarray) -> np.ndarray:
    """(N - 1,) steps from sample to sample: of what is slow, as an offset, hum and rumble, little is left."""
    return reduce(np.maximum, np.abs(np.diff(chunk)))  # ear by ear, which is faster than along the axis of two


def _first_block(
    waveform: np.ndarray, sample_rate: int, overlap: int, measure: Callable[[np.ndarray], np.ndarray]
) -> int:
    """The sample at which the first block begins in which a measure comes near its highest value anywhere."""
    block = round(_BLOCK * sample_rate)
    highest: list[float] = []
    for start in range(0, waveform.shape[1], _CHUNK * block):
        values = measure(waveform[:, start : start + _CHUNK * block + overlap])[: _CHUNK * block]
        if len(values):
            highest += np.maximum.reduceat(values, np.arange(0, len(values), block)).tolist()
    return block * int(np.argmax(np.array(highest) >= FIRST_STRONG * max(highest)))


def flat_tops(waveform: np.ndarray) -> int:
    """How many flat tops a recording has: three samples or more at one channel's very limit, with steep flanks."""
    count = 0
    for row in waveform:
        low, high = row.min(), row.max()
        step = np.abs(np.diff(row))
        for at_limit in (row >= high - _FLAT * (high - low), row <= low + _FLAT * (high - low)):
            three = at_limit[:-2] & at_limit[1:-1] & at_limit[2:]
            begins = np.flatnonzero(three & ~np.concatenate([[False], at_limit[:-3]]))
            steep = step[np.maximum(begins - 1, 0)] > _CORNER * (high - low)
            count += int(steep.sum())
    return count


def one_microphone(waveform: np.ndarray) -> bool:
    """Whether both channels hold the sound of one microphone, at whatever gain."""
    if len(waveform) < 2:
        return False
    power = np.einsum("cn,dn->cd", waveform, waveform)  # `@` would wake every core for so little
    return bool(abs(power[0, 1]) > _SAME * np.sqrt(power[0, 0] * power[1, 1]))


def without_hum(waveform: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Take the hum of the mains away: sinusoids of 50 or 60 Hz and their harmonics, fitted by least squares.

    A high-pass would take the lowest band of the echo too, which the networks live on.

    Args:
        waveform: (C, N) at 44 100 Hz, without its mean.

    Returns:
        The recording, untouched where it does not hum; and what to say where it does.
    """
    if waveform.shape[1] < _HUM_NEEDS * SAMPLE_RATE:
        return waveform, None
    slow, time = _slowed(waveform)
    enough = _HUM * (slow**2).sum()
    mains = max(_MAINS, key=lambda frequency: _fitted(slow, frequency, time)[1])
    if _fitted(slow, mains, time)[1] < enough:
        return waveform, None
    frequency = max(mains + _DRIFT, key=lambda frequency: _fitted(slow, frequency, time)[1])
    weights, _ = _fitted(slow, frequency, time)
    level = np.hypot(weights[0], weights[1]).max() / np.abs(waveform).max()
    clean = waveform - (_sinusoids(frequency, np.arange(waveform.shape[1]) / SAMPLE_RATE) @ weights).T
    return clean, f"hum of {frequency:.0f} Hz, {level:.1%} of the peak, was taken away; keep the cables from the mains"


def _slowed(waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N / 64, C) what a recording holds under 340 Hz, and the (N / 64,) seconds of these samples."""
    whole = waveform[:, : waveform.shape[1] // _FIRST * _FIRST]
    means = whole.reshape(len(whole), -1, _FIRST).mean(axis=2)  # eight times cheaper than the filter on all samples
    slow = _decimated(means, _SLOW // _FIRST).T
    return slow, (np.arange(len(slow)) * _SLOW + (_FIRST - 1) / 2) / SAMPLE_RATE


def _decimated(values: np.ndarray, factor: int) -> np.ndarray:
    """(C, N / factor) every so many of (C, N) values, after a low-pass filter: a sinc in Kaiser's window."""
    taps = _low_pass(factor)
    reach = len(taps) // 2
    padded = np.pad(values, ((0, 0), (reach, reach)))
    return sliding_window_view(padded, len(taps), axis=1)[:, ::factor] @ taps


@lru_cache
def _low_pass(factor: int) -> np.ndarray:
    """(20 factor + 1,) of sum 1."""
    reach = 10 * factor
    taps = np.sinc(np.arange(-reach, reach + 1) / factor) * np.kaiser(2 * reach + 1, 5.0)
    return np.asarray(taps / taps.sum())


def _sinusoids(frequency: float, time: np.ndarray) -> np.ndarray:
    """(N, 2 * harmonics) cosine and sine of each."""
    phase = 2.0 * np.pi * frequency * time[:, None] * np.arange(1, _HARMONICS + 1)
    return np.stack([np.cos(phase), np.sin(phase)], axis=2).reshape(len(time), -1)


def _fitted(slow: np.ndarray, frequency: float, time: np.ndarray) -> tuple[np.ndarray, float]:
    """(2 * harmonics, C) weights of the sinusoids, and how much energy they explain."""
    basis = _sinusoids(frequency, time)
    weights = np.linalg.solve(basis.T @ basis, basis.T @ slow)
    return weights, float((weights * (basis.T @ slow)).sum())


def rumble(waveform: np.ndarray, direct: int) -> str | None:
    """What to say where low noise (wind, handling, traffic) goes on after the room has decayed."""
    tail = waveform[:, direct + round(_DECAYED * SAMPLE_RATE) :]
    if tail.shape[1] < _DECAYED * SAMPLE_RATE:
        tail = waveform
    level = float(np.sqrt((_slowed(tail)[0] ** 2).mean(axis=0).max()) / np.abs(waveform).max())
    if level < _RUMBLE:
        return None
    return f"rumble: {level:.1%} of the peak is noise under 340 Hz; shield the microphones from wind"


def hearing_ears(magnitude: np.ndarray, direct: int, reach: int, over_median: float) -> np.ndarray:
    """(C,) whether each ear hears the direct sound at all; all of them where none does clearly."""
    peaks = magnitude[:, max(0, direct - reach) : direct + reach].max(axis=1)
    hears = peaks > over_median * np.median(magnitude, axis=1)
    return hears if hears.any() else np.ones_like(hears)


def likeness(waveform: np.ndarray, magnitude: np.ndarray, template: np.ndarray, direct: int) -> float:
    """How like the template the direct sound is, 0..1, at the better ear."""
    near = slice(max(0, direct - len(template)), direct + len(template))
    envelope = magnitude[:, near]
    at = near.start + np.argmax(envelope, axis=1)
    segments = [np.linalg.norm(row[start : start + len(template)]) for row, start in zip(waveform, at, strict=True)]
    return float((envelope.max(axis=1) * np.linalg.norm(template) / np.maximum(segments, 1e-30)).max())


def swapped_ears(magnitude: np.ndarray, direct: int, expected: float) -> bool:
    """Whether the direct sound reaches the ears in the other order than `expected`, samples from left to right."""
    span = int(abs(expected)) + 4
    left, right = np.argmax(magnitude[:, max(0, direct - span) : direct + span + 1], axis=1)
    return bool(abs((right - left) + expected) < abs((right - left) - expected))


def began_late(waveform: np.ndarray, direct: int) -> bool:
    """Whether what looks like the direct sound is an echo: the recording begins in the midst of a decay."""
    lead = waveform[:, : max(0, direct - _ONSET)]
    if lead.shape[1] < 3:  # too little to tell
        return False
    loud = np.sqrt((lead**2).mean())
    first = np.sqrt((waveform[:, direct : direct + 132] ** 2).mean())
    tail = np.sqrt((waveform[:, -(waveform.shape[1] // 5) :] ** 2).mean())
    return bool(loud > _LEAD_OVER_DIRECT * first and loud > _LEAD_OVER_TAIL * tail)


def next_sweep(waveform: np.ndarray, magnitude: np.ndarray, direct: int) -> int | None:
    """The sample at which the sweep is played again: as loud as before, and with the same echoes behind it."""
    envelope = np.sqrt((magnitude**2).mean(axis=0))
    span = round(_ALIKE_FOR * SAMPLE_RATE)
    first = waveform[:, direct : direct + span]
    strong = envelope >= _AGAIN * envelope[direct]
    strong[: direct + round(_AGAIN_AFTER * SAMPLE_RATE)] = False
    for at in np.flatnonzero(strong & (envelope >= np.roll(envelope, 1)) & (envelope >= np.roll(envelope, -1))):
        again = waveform[:, at : at + span]
        same = first[:, : again.shape[1]]
        energy = np.sqrt((same**2).sum() * (again**2).sum())
        if abs((same * again).sum()) > _ALIKE * energy:
            return int(at)
    return None


def other_rate(waveform: np.ndarray, direct: int, template: np.ndarray, sample_rate: int) -> int | None:
    """The rate at which a recording seems to be taken, in hertz, where its header names another."""
    played = template.tobytes()
    stated = _best_match(waveform, direct, _stretched(played, 1.0))
    for factor in _RATES:
        if _best_match(waveform, direct, _stretched(played, factor)) > max(_CLEARLY, _STRETCHED * stated):
            return round(sample_rate * factor)
    return None


@lru_cache(maxsize=8)
def _stretched(played: bytes, factor: float) -> np.ndarray:
    """(factor * M,) complex, the float64 template in these bytes as a faster clock records it, of unit energy."""
    template = np.frombuffer(played)
    if factor != 1.0:
        template = soxr.resample(template, SAMPLE_RATE, SAMPLE_RATE * factor)
    return analytic(template) / np.linalg.norm(template)


def _best_match(waveform: np.ndarray, direct: int, analytic: np.ndarray) -> float:
    """Correlation with a template near the direct sound, 0..1, whatever its phase, at the better ear."""
    segment = waveform[:, max(0, direct - 40) : direct + 40 + len(analytic)]
    if segment.shape[1] < len(analytic):
        return 0.0
    energy = np.cumsum(np.pad(segment**2, ((0, 0), (1, 0))), axis=1)
    norms = np.sqrt(np.maximum(energy[:, len(analytic) :] - energy[:, : -len(analytic)], 1e-30))
    matches = np.array([np.abs(np.correlate(row, analytic, "valid")) for row in segment])
    return float((matches / norms).max())
