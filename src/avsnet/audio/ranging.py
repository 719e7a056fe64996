"""Ranging: time of flight of the first echoes, as a range profile in metres and a list of reflections.

A plane at distance r from the camera, square to a direction n, mirrors the speaker; with s and e the speaker's and an
ear's positions the path is L = sqrt(b^2 + (2 r - s.n - e.n)^2), b their distance across n. The direct sound, whose
path |s - e| is known from the rig, tells when the sweep was played: L = c (t - t_direct) + |s - e|.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import Echo, listen
from avsnet.audio.rig import Rig
from avsnet.errors import OptionError

RANGE_STEP = 0.005
"""Metres between the values of a range profile: a little finer than one sample (3.9 mm of range)."""

_BACKGROUND = 0.015  # seconds: the decay is judged against a moving average this long
_DEAD_TIME = 0.0012  # seconds after the direct sound that belong to it and to the rig's own body
_MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Reflection:
    """One echo: a surface square to the profile's direction would stand `range` metres away.

    `level` is in dB relative to the direct sound; `confidence` is the probability that noise alone (Rayleigh
    distributed round the local decay) would have made no such peak anywhere in the profile.
    """

    range: float
    delay: float
    level: float
    confidence: float


@dataclass(frozen=True)
class RangeProfile:
    """What an echo says about distances.

    Args:
        range: (R,) metres from the camera, every `RANGE_STEP`.
        delay: (R,) seconds after the direct sound at which a surface at that range is heard, mean over the ears.
        strength: (R,) amplitude relative to the direct sound, both ears' energies averaged.
        prominence: (R,) strength over its local average, as a natural logarithm: what stands out of the decay.
        reflections: nearest first.
        warnings: one line for each thing a user should know, the origin of the rig's geometry among them.
    """

    range: np.ndarray
    delay: np.ndarray
    strength: np.ndarray
    prominence: np.ndarray
    reflections: tuple[Reflection, ...]
    warnings: tuple[str, ...]

    @property
    def strongest(self) -> Reflection | None:
        """The most confident reflection; the louder one where two are alike."""
        return max(self.reflections, key=lambda r: (round(r.confidence, 3), r.level), default=None)


_PROFILES: WeakKeyDictionary[Echo, dict[tuple[float, ...], RangeProfile]] = WeakKeyDictionary()


def range_profile(
    waveform: np.ndarray,
    sample_rate: int,
    rig: Rig | None = None,
    *,
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
    max_range: float = 12.0,
) -> RangeProfile:
    """Turn an echo into distances.

    Args:
        waveform: (2, N), (1, N) or (N,) in -1..1, row 0 = left.
        sample_rate: hertz.
        rig: speaker and ears; None = the assumed rig, and the profile says so.
        direction: (3,) camera axes; where the surfaces are taken to stand. Straight ahead unless told otherwise.
        max_range: metres; the profile ends there or with the recording.

    Returns:
        The `RangeProfile`; without any echo its list of reflections is empty.

    Raises:
        AudioError: not a recording.
        EchoError: silent, no direct sound, too short.
        OptionError: no direction, or a range that is not a positive number of metres.
    """
    return profile_of(listen(waveform, sample_rate, rig), direction=direction, max_range=max_range)


def profile_of(
    echo: Echo, *, direction: tuple[float, float, float] = (0.0, 0.0, 1.0), max_range: float = 12.0
) -> RangeProfile:
    """As `range_profile`, of a recording that was listened to; found once, as networks, ear and ranging each ask."""
    known, what = _PROFILES.setdefault(echo, {}), (*direction, max_range)
    if what not in known:
        known[what] = _profile_of(echo, direction, max_range)
    return known[what]


def _profile_of(echo: Echo, direction: tuple[float, float, float], max_range: float) -> RangeProfile:
    if not RANGE_STEP < max_range <= 1000.0:
        raise OptionError(f"max_range {max_range:g} must lie between {RANGE_STEP:g} and 1000 metres")
    if not (np.isfinite(direction).all() and np.linalg.norm(direction) > 0.0):
        raise OptionError(f"direction {direction} points nowhere")
    normal = np.asarray(direction, dtype=float)
    normal = normal / np.linalg.norm(normal)
    ranges = np.arange(RANGE_STEP, max_range, RANGE_STEP)
    arrivals = echo.mirrored(np.broadcast_to(normal, (len(ranges), 3)), ranges)
    samples = np.arange(echo.energy.shape[1])
    inside = (arrivals <= samples[-1]).all(axis=1)
    ranges, arrivals = ranges[inside], arrivals[inside]
    heard = np.mean([np.interp(at, samples, row) for at, row in zip(arrivals.T, echo.energy, strict=True)], axis=0)
    delay = (arrivals.mean(axis=1) - echo.direct) / SAMPLE_RATE
    dead = delay < _DEAD_TIME
    heard[dead] = 0.0
    width = round(_BACKGROUND / 2 * echo.rig.speed_of_sound / RANGE_STEP)
    background = local_mean(heard, ~dead, width) + _side_lobes(echo, delay)
    prominence = np.where(dead, 0.0, 0.5 * np.log(np.maximum(heard / background, 1e-20)))
    reflections = _reflections(ranges, delay, heard, background)
    warnings = (about_rig(echo.rig), *echo.warnings)
    return RangeProfile(ranges, delay, np.sqrt(heard), prominence, reflections, warnings)


def about_rig(rig: Rig) -> str:
    """Where a rig's geometry comes from: every result that depends on it says so."""
    return f"rig {rig.origin}: speaker to ear {rig.direct_paths.mean():.2f} m"


def _reflections(
    ranges: np.ndarray, delay: np.ndarray, heard: np.ndarray, background: np.ndarray
) -> tuple[Reflection, ...]:
    """The peaks of the energy heard that stand out of the background, nearest first."""
    cells = max(1, int(delay[-1] * 20_000))  # independent values: bandwidth times duration
    peaks = _peaks(heard, round(0.03 / RANGE_STEP))
    chance = (-np.expm1(-heard[peaks] / background[peaks])) ** cells
    return tuple(
        Reflection(float(ranges[at]), float(delay[at]), float(10 * np.log10(heard[at])), float(confidence))
        for at, confidence in zip(peaks, chance, strict=True)
        if confidence >= _MIN_CONFIDENCE
    )


def _peaks(values: np.ndarray, apart: int) -> np.ndarray:
    """Where values are higher than on both sides, of those less than `apart` from each other the highest."""
    steps = np.diff(values)
    changes = np.flatnonzero(steps)
    top = (steps[changes[:-1]] > 0.0) & (steps[changes[1:]] < 0.0)
    peaks = (changes[:-1][top] + 1 + changes[1:][top]) // 2  # the middle of a plateau
    left, kept = np.zeros(len(values), dtype=int), np.zeros(len(values), dtype=bool)
    left[peaks[np.argsort(values[peaks])]] = np.arange(1, len(peaks) + 1)  # ranks, of which no two are alike
    while left.any():  # some rounds, of noise: all that are the highest round them stay, and those next to them go
        highest = (left > 0) & (left == maximum_filter1d(left, 2 * apart - 1, mode="constant"))
        kept |= highest
        left[maximum_filter1d(highest, 2 * apart - 1, mode="constant")] = 0
    return np.flatnonzero(kept)


def _side_lobes(echo: Echo, delay: np.ndarray) -> np.ndarray:
    """Energy that the direct sound itself leaves `delay` seconds later."""
    return np.interp(delay * SAMPLE_RATE, np.arange(len(echo.side_lobes)), echo.side_lobes, right=0.0) + 1e-20


def local_mean(values: np.ndarray, counted: np.ndarray, width: int) -> np.ndarray:
    """Moving average over `width` values that leaves out the ones not counted."""
    total = uniform_filter1d(np.where(counted, values, 0.0), width, mode="constant")
    share = uniform_filter1d(counted.astype(float), width, mode="constant")
    return total / np.maximum(share, 1e-12)
