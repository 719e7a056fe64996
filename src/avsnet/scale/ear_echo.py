"""What the ear takes from an echo: channels over the logarithm of range, where a room twice as large is a shift.

u = log(path / 2), the path being c (t - t_direct) + the speaker-to-ear path; or, for surfaces square to one of a few
directions, u = log(range), the path following from where speaker and ears sit. Every channel is free of the recording's
level; the rig tells what it knows of itself apart, in four numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import fft, ifft, next_fast_len
from scipy.ndimage import uniform_filter1d

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.direct_sound import FIRST_STRONG
from avsnet.audio.ranging import local_mean
from avsnet.audio.recording import Echo, smoothed_power
from avsnet.audio.rig import Rig

STEP = 0.015
"""Of all logarithmic grids of the ear."""

RANGES = np.arange(-107, 216) * STEP
"""(U,) log of the range in metres: 0.2 to 25 m."""

_EDGES = np.append(RANGES - STEP / 2, RANGES[-1] + STEP / 2)

DIRECTIONS = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])
"""(5, 3) camera axes: right, left, down, up, ahead. A surface square to one is heard at its own range on this axis."""

ECHO_CHANNELS = 17
RIG_NUMBERS = 4

_DEAD_TIME = 0.0012  # seconds after the direct sound
_BACKGROUND = 0.023  # seconds
_EARLY = 0.057  # seconds after the direct sound in which the loudest level is sought
_LOUDEST = 0.99  # quantile of what is heard there
_LEVELS, _PROMINENCES = (-8.0, 2.0), (-3.0, 4.0)  # logarithms of energy ratios that are told apart

# A direct sound that a housing holds back, or a speaker that looks away, may be softer than the floor's echo. With the
# sweep's colour taken out its side lobes stay under a seventh of the peak, and the first sound above them counts.
_BAND = (0.05, 0.95)  # shares of the sweep's energy below the band's ends
_RECORDED = 1e-5  # of the strongest power, under which a frequency was not recorded
_SMOOTHED = 500.0  # hertz
_DAMPING = 0.02  # of the sweep's strongest frequency
_FIRST, _WIDE = 0.15, 16_000.0  # of the loudest, where the band is so many hertz wide; more where it is narrower
_QUIET, _OVER_QUIET = 0.25, 6.0  # quantile of what comes before `Echo.direct`, and that many times it: noise does not
_RISE, _PULSE = 8, 2.0  # samples from the first strong value to its peak, at least; in periods of the bandwidth


def echo_channels(echo: Echo) -> np.ndarray:
    """An echo over log range.

    Level is energy times path squared, which spreading leaves alone, over the loudest such level of the early echo;
    prominence is energy over its local mean, whatever the decay. With one microphone both ears are that one.

    Args:
        echo: what `listen` heard.

    Returns:
        (17, U) float32: level (mean, maximum within a cell), prominence (mean, maximum), maximum of prominence and
        of level at the ear that hears less; level and prominence where a surface square to each of `DIRECTIONS` would
        be heard by each ear; and 1 where anything can be heard; all 0 elsewhere.
    """
    direct = onset(echo)
    ranges = _Cells(2.0 * np.exp(_EDGES)[None], echo, direct)
    mirrors = [
        _Cells(np.stack([_mirrored(echo.rig, one, ear) for one in DIRECTIONS]), echo, direct) for ear in echo.ears
    ]
    level, prominence = _level_and_prominence(echo, direct, max(one.samples for one in (ranges, *mirrors)))
    levels, prominences = ([_Track(row) for row in rows] for rows in (level, prominence))
    both_level, both_prominence = _Track(level.mean(axis=0)), _Track(prominence.mean(axis=0))
    channels = [
        _logarithm(ranges.mean(both_level), _LEVELS),
        _logarithm(ranges.maximum(both_level), _LEVELS),
        _logarithm(ranges.mean(both_prominence), _PROMINENCES),
        _logarithm(ranges.maximum(both_prominence), _PROMINENCES),
        _logarithm(ranges.maximum(_Track(prominence.min(axis=0))), _PROMINENCES),
        _logarithm(ranges.maximum(_Track(level.min(axis=0))), _LEVELS),
    ]
    channels = [channel * ranges.audible for channel in channels]
    there = np.all([one.audible for one in mirrors], axis=0)
    facing = []  # (directions, U) each
    for tracks, limits in ((levels, _LEVELS), (prominences, _PROMINENCES)):
        ears = [_logarithm(one.maximum(track), limits) for one, track in zip(mirrors, tracks, strict=True)]
        facing.append(np.mean(ears, axis=0) * there)
    pairs = np.stack(facing, axis=1).reshape(-1, there.shape[1])
    return np.concatenate([*channels, pairs, ranges.audible]).astype(np.float32)


def _level_and_prominence(echo: Echo, direct: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """(C, N) energy times path squared, over the loudest such level of the early echo; energy over its local mean.

    At least the first `samples` of these: what comes later is heard from beyond the farthest range.
    """
    energy = echo.power if echo.rig.template is None else smoothed_power(np.abs(_compressed(echo)))
    width = round(_BACKGROUND * SAMPLE_RATE)
    energy = energy[:, : max(samples, direct + round(_EARLY * SAMPLE_RATE) + 1) + width]
    after = (np.arange(energy.shape[1]) - direct) / SAMPLE_RATE
    counted = after > _DEAD_TIME
    path = np.maximum(after, 0.0) * echo.rig.speed_of_sound + _direct_path(echo)
    background = np.stack([np.maximum(local_mean(row, counted, width), 1e-30) for row in energy])
    level = energy * path**2
    early = level[:, counted & (after < _EARLY)]
    level /= np.maximum(np.quantile(early, _LOUDEST, axis=1, keepdims=True), 1e-30)
    # Before the direct sound nothing is counted: a background of 0 there would swamp the sums over cells.
    return level, np.where(counted, energy / background, 0.0)


def _compressed(echo: Echo) -> np.ndarray:
    """(C, N) complex: the matched filter's answer to another sweep, as it were if the default one had been played."""
    default, played = sweep(), echo.rig.emitted
    samples = echo.waveform.shape[1]
    length = next_fast_len(samples + len(played) + len(default))
    heard, power = fft(echo.waveform, length), np.abs(fft(played, length)) ** 2
    wanted = np.abs(fft(default, length)) ** 2 / (power + _DAMPING * power.max())
    wanted[(length + 1) // 2 :] = 0.0  # negative frequencies: the answer is analytic
    return ifft(heard * fft(played, length).conj() * wanted)[:, :samples]


def onset(echo: Echo) -> int:
    """The sample of the direct sound, also where it is far softer than the first echoes: never after `echo.direct`."""
    found = _Answers.of(echo)
    band = np.zeros(found.spectra.shape[1])
    bins = found.high - found.low
    band[found.low : found.high] = np.sin(np.pi * np.arange(bins) / bins) ** 2
    loudness = np.sqrt((np.abs(ifft(found.spectra * band)[:, : found.samples]) ** 2).mean(axis=0))
    before = loudness[: max(1, echo.direct)]
    share = float(np.clip(_FIRST * _WIDE / found.bandwidth, _FIRST, FIRST_STRONG))
    enough = max(share * loudness.max(), _OVER_QUIET * float(np.quantile(before, _QUIET)))
    first = int((loudness >= enough).argmax()) if (loudness >= enough).any() else echo.direct
    rise = max(_RISE, round(_PULSE * SAMPLE_RATE / found.bandwidth))
    return min(first + int(loudness[first : first + rise].argmax()), echo.direct)


def bandwidth(echo: Echo) -> float:
    """Hertz of the sweep's band that the recording holds: fine timing needs width."""
    return _Answers.of(echo).bandwidth


@dataclass(frozen=True, eq=False)
class _Answers:
    """The recording about the direct sound with the sweep's colour taken out, and the band that it holds.

    Args:
        spectra: (C, F) complex.
        samples: in time.
        low, high: first bin of the band, and the one after its last.
        hertz: of a bin.
    """

    spectra: np.ndarray
    samples: int
    low: int
    high: int
    hertz: float

    @classmethod
    def of(cls, echo: Echo) -> _Answers:
        near = echo.waveform[:, : echo.direct + round(_EARLY * SAMPLE_RATE)]
        length = next_fast_len(near.shape[1] + 2 * len(echo.rig.emitted))
        hertz = SAMPLE_RATE / length
        played = fft(echo.rig.emitted, length)
        power = np.abs(played) ** 2
        spectra = fft(near, length) * played.conj() / (power + _DAMPING * power.max())
        low, high = np.searchsorted(np.cumsum(power[: length // 2]), np.array(_BAND) * power[: length // 2].sum())
        recorded = uniform_filter1d((np.abs(spectra[:, low:high]) ** 2).sum(axis=0), max(1, round(_SMOOTHED / hertz)))
        high = low + max(2, int(np.flatnonzero(recorded >= _RECORDED * recorded.max())[-1]))
        return cls(spectra, near.shape[1], int(low), int(high), hertz)

    @property
    def bandwidth(self) -> float:
        return (self.high - self.low) * self.hertz


def rig_numbers(echo: Echo) -> np.ndarray:
    """(4,) float32: whether the rig is known, log of its direct path, its ears' distance, whether it has two.

    What is assumed counts as unknown.
    """
    known, two = echo.rig.origin != "assumed", len(echo.ears) == 2
    path = np.log(_direct_path(echo) / 0.2)
    spacing = float(np.linalg.norm(np.subtract(*echo.rig.ears)))
    return np.array([known, known * path, known and two and spacing / 0.2, two], dtype=np.float32)


def _direct_path(echo: Echo) -> float:
    """Metres from the speaker to the nearer ear that works: the clock is set by it."""
    return max(float(echo.rig.direct_paths[list(echo.ears)].min()), 0.01)


def _mirrored(rig: Rig, direction: np.ndarray, ear: int) -> np.ndarray:
    """(U + 1,) metres from the speaker by a surface square to a direction to one ear, at the edges of all ranges."""
    speaker, place = np.array(rig.speaker), np.array(rig.ears[ear])
    nearer = float((speaker + place) @ direction)
    across = np.linalg.norm((speaker - place) - ((speaker - place) @ direction) * direction)
    return np.hypot(across, np.maximum(2.0 * np.exp(_EDGES) - nearer, 0.0))


class _Track:
    """(N,) values over time, with their integral up to each sample."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.below = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]))])


class _Cells:
    """Rows of cells of log range on a recording's samples.

    Args:
        paths: (D, U + 1) metres at the edges of each row's cells.
        echo: the recording.
        direct: sample of the direct sound.

    Attributes:
        samples: how many of the recording's the cells lie on.
    """

    def __init__(self, paths: np.ndarray, echo: Echo, direct: int) -> None:
        samples = echo.waveform.shape[1]
        edges = direct + (paths - _direct_path(echo)) / echo.rig.speed_of_sound * SAMPLE_RATE
        self.audible = (edges[:, :-1] > direct + _DEAD_TIME * SAMPLE_RATE) & (edges[:, 1:] < samples - 1)
        edges = np.clip(edges, 0.0, samples - 1.0)
        self._width = np.maximum(np.diff(edges), 1e-9)
        self._whole = np.minimum(edges.astype(int), samples - 2)
        self._part = edges - self._whole
        self.samples = int(self._whole.max()) + 2
        first, last = np.ceil(edges[:, :-1]).astype(int), np.floor(edges[:, 1:]).astype(int)
        self._some = last >= first  # that hold a sample
        self._bounds = np.stack([first, np.minimum(last + 1, samples - 1)], axis=-1)[self._some].ravel()

    def mean(self, track: _Track) -> np.ndarray:
        """(D, U) mean of (N,) values, taken as linear between samples, within each cell."""
        values = track.values
        value, slope = values[self._whole], values[self._whole + 1] - values[self._whole]
        return np.diff(track.below[self._whole] + self._part * (value + 0.5 * self._part * slope)) / self._width

    def maximum(self, track: _Track) -> np.ndarray:
        """(D, U) the largest of a cell's mean and of the samples in it."""
        found = self.mean(track)
        largest = np.maximum.reduceat(track.values, self._bounds)[::2]
        found[self._some] = np.maximum(found[self._some], largest)
        return found


def _logarithm(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return np.clip(np.log(np.maximum(values, 1e-30)), *limits) / 2.0
