"""Ranging: time of flight of the first echoes, as a range profile in metres and a list of reflections.

A plane at distance r from the camera, square to a direction n, mirrors the speaker; with s and e the speaker's and an
ear's positions the path is L = sqrt(b^2 + (2 r - s.n - e.n)^2), b their distance across n. The direct sound, whose
path |s - e| is known from the rig, tells when the sweep was played: L = c (t - t_direct) + |s - e|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter
from avsnet.audio.recording import Echo, listen
from avsnet.audio.rig import Rig
from avsnet.errors import OptionError

RANGE_STEP = 0.005
"""Metres between the values of a range profile: a little finer than one sample (3.9 mm of range)."""

_BACKGROUND = 0.015  # seconds: the decay is judged against a moving average this long
_SMOOTHING = 0.0001  # seconds: about the width of the compressed sweep behind a real speaker
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


def echo_energy(echo: Echo, rig: Rig) -> np.ndarray:
    """(C, N) energy of the matched filter per ear, smoothed over 0.1 ms, 1 where its own direct sound arrives."""
    envelope = np.abs(matched_filter(echo.waveform, echo.template))
    energy = uniform_filter1d(envelope**2, round(_SMOOTHING * SAMPLE_RATE), axis=-1)
    direct = np.rint(arrival_samples(echo, rig, rig.direct_paths[list(echo.ears)])).astype(int)
    loudest = [row[max(0, at - 2) : at + 3].max(initial=1e-30) for row, at in zip(energy, direct, strict=True)]
    return energy / np.array(loudest)[:, None]


def arrival_samples(echo: Echo, rig: Rig, paths: np.ndarray) -> np.ndarray:
    """When sound that travelled `paths` arrives.

    Args:
        echo: its direct sound sets the clock.
        rig: whose nearer ear heard that direct sound.
        paths: (..., C) metres, one column per row of `echo.waveform`.

    Returns:
        (..., C) fractional samples.
    """
    heard = rig.direct_paths[list(echo.ears)].min()
    return echo.direct + (paths - heard) / rig.speed_of_sound * SAMPLE_RATE


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
    if not RANGE_STEP < max_range <= 1000.0:
        raise OptionError(f"max_range {max_range:g} must lie between {RANGE_STEP:g} and 1000 metres")
    if not (np.isfinite(direction).all() and np.linalg.norm(direction) > 0.0):
        raise OptionError(f"direction {direction} points nowhere")
    rig = rig or Rig()
    echo = listen(waveform, sample_rate, rig)
    energy = echo_energy(echo, rig)
    normal = np.asarray(direction, dtype=float)
    normal = normal / np.linalg.norm(normal)
    ranges = np.arange(RANGE_STEP, max_range, RANGE_STEP)
    paths = rig.mirrored_paths(np.broadcast_to(normal, (len(ranges), 3)), ranges)[:, list(echo.ears)]
    arrivals = arrival_samples(echo, rig, paths)
    inside = (arrivals <= energy.shape[1] - 1).all(axis=1)
    ranges, arrivals = ranges[inside], arrivals[inside]
    heard = np.mean(
        [np.interp(arrivals[:, row], np.arange(energy.shape[1]), energy[row]) for row in range(len(energy))],
        axis=0,
    )
    delay = arrivals.mean(axis=1) - echo.direct
    dead = delay < _DEAD_TIME * SAMPLE_RATE
    heard[dead] = 0.0
    metres = _BACKGROUND / 2 * rig.speed_of_sound
    background = local_mean(heard, ~dead, round(metres / RANGE_STEP)) + _side_lobes(echo.template, delay)
    prominence = np.where(dead, 0.0, 0.5 * np.log(np.maximum(heard / background, 1e-20)))
    cells = max(1, int(delay[-1] / SAMPLE_RATE * 20_000))  # independent values: bandwidth times duration
    reflections = []
    for index in find_peaks(heard, distance=round(0.03 / RANGE_STEP))[0]:
        confidence = float((-np.expm1(-heard[index] / background[index])) ** cells)
        if confidence >= _MIN_CONFIDENCE:
            level = float(10 * np.log10(heard[index]))
            reflections.append(Reflection(float(ranges[index]), float(delay[index] / SAMPLE_RATE), level, confidence))
    said = (f"rig {rig.origin}: speaker to ear {rig.direct_paths.mean():.2f} m", *echo.warnings)
    return RangeProfile(ranges, delay / SAMPLE_RATE, np.sqrt(heard), prominence, tuple(reflections), said)


def _side_lobes(template: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """Energy that the direct sound itself leaves `delay` samples later, through the sweep's abrupt ends."""
    envelope = np.abs(matched_filter(np.pad(template, (0, len(template))), template))
    skirt = np.maximum.accumulate(envelope[::-1])[::-1] ** 2
    return np.interp(delay, np.arange(len(skirt)), skirt, right=0.0) + 1e-20


def local_mean(values: np.ndarray, counted: np.ndarray, width: int) -> np.ndarray:
    """Moving average over `width` values that leaves out the ones not counted."""
    total = uniform_filter1d(np.where(counted, values, 0.0), width, mode="constant")
    share = uniform_filter1d(counted.astype(float), width, mode="constant")
    return total / np.maximum(share, 1e-12)
