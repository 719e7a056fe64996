"""What the ear takes from an echo: channels over the logarithm of range, where a room twice as large is a shift.

u = log(path / 2), the path being c (t - t_direct) + the speaker-to-ear path. Every channel is free of the recording's
level; the rig tells what it knows of itself apart, in four numbers.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter1d

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.ranging import local_mean
from avsnet.audio.recording import Echo

STEP = 0.015
"""Of all logarithmic grids of the ear."""

RANGES = np.arange(-107, 216) * STEP
"""(U,) log of the range in metres: 0.2 to 25 m."""

ECHO_CHANNELS = 7
RIG_NUMBERS = 4

_SMOOTHING = 0.0001  # seconds
_DEAD_TIME = 0.0012  # seconds after the direct sound
_BACKGROUND = 0.023  # seconds
_EARLY = 0.057  # seconds after the direct sound in which the loudest level is sought
_LOUDEST = 0.99  # quantile of what is heard there
_LEVELS, _PROMINENCES = (-8.0, 2.0), (-3.0, 4.0)  # logarithms of energy ratios that are told apart


def echo_channels(echo: Echo) -> np.ndarray:
    """An echo over log range.

    Level is energy times path squared, which spreading leaves alone, over the loudest such level of the early echo;
    prominence is energy over its local mean, whatever the decay. With one microphone both ears are that one.

    Args:
        echo: what `listen` heard.

    Returns:
        (7, U) float32: level (mean, maximum within a cell), prominence (mean, maximum), maximum of prominence and
        of level at the ear that hears less, and 1 where anything can be heard; all 0 elsewhere.
    """
    energy = uniform_filter1d(np.abs(echo.filtered) ** 2, round(_SMOOTHING * SAMPLE_RATE), axis=-1)
    after = (np.arange(energy.shape[1]) - echo.direct) / SAMPLE_RATE
    counted = after > _DEAD_TIME
    path = np.maximum(after, 0.0) * echo.rig.speed_of_sound + _direct_path(echo)
    width = round(_BACKGROUND * SAMPLE_RATE)
    background = np.stack([np.maximum(local_mean(row, counted, width), 1e-30) for row in energy])
    level = energy * path**2
    early = level[:, counted & (after < _EARLY)]
    level /= np.maximum(np.quantile(early, _LOUDEST, axis=1, keepdims=True), 1e-30)
    prominence = energy / background
    cells = _Cells(2.0 * np.exp(RANGES), echo.direct, _direct_path(echo), echo.rig.speed_of_sound)
    channels = np.stack(
        [
            _logarithm(cells.mean(level.mean(axis=0)), _LEVELS),
            _logarithm(cells.maximum(level.mean(axis=0)), _LEVELS),
            _logarithm(cells.mean(prominence.mean(axis=0)), _PROMINENCES),
            _logarithm(cells.maximum(prominence.mean(axis=0)), _PROMINENCES),
            _logarithm(cells.maximum(prominence.min(axis=0)), _PROMINENCES),
            _logarithm(cells.maximum(level.min(axis=0)), _LEVELS),
            np.ones(len(RANGES)),
        ]
    )
    heard = (cells.first > echo.direct + _DEAD_TIME * SAMPLE_RATE) & (cells.last < energy.shape[1] - 1)
    return (channels * heard).astype(np.float32)


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


class _Cells:
    """Cells of log range on a recording's samples.

    Args:
        paths: (U,) metres at the middle of each cell.
        direct: sample of the direct sound.
        direct_path: metres.
        speed_of_sound: metres per second.
    """

    def __init__(self, paths: np.ndarray, direct: int, direct_path: float, speed_of_sound: float) -> None:
        half = np.exp(STEP / 2)
        self.first, self.last = (
            direct + (paths * side - direct_path) / speed_of_sound * SAMPLE_RATE for side in (1.0 / half, half)
        )

    def mean(self, values: np.ndarray) -> np.ndarray:
        """(U,) mean of (N,) values, taken as linear between samples, within each cell."""
        below = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]))])
        samples = np.arange(len(values))
        first, last = (np.clip(side, 0.0, len(values) - 1.0) for side in (self.first, self.last))
        area = _integral(last, samples, values, below) - _integral(first, samples, values, below)
        return area / np.maximum(last - first, 1e-9)

    def maximum(self, values: np.ndarray) -> np.ndarray:
        """(U,) the largest of a cell's mean and of the samples in it."""
        first = np.clip(np.ceil(self.first), 0, len(values) - 1).astype(int)
        last = np.clip(np.floor(self.last), 0, len(values) - 1).astype(int)
        found = self.mean(values)
        some = last >= first
        bounds = np.stack([first[some], np.minimum(last[some] + 1, len(values) - 1)], axis=1).ravel()
        found[some] = np.maximum(found[some], np.maximum.reduceat(values, bounds)[::2])
        return found


def _integral(at: np.ndarray, samples: np.ndarray, values: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Integral of the line through the values from the first sample to fractional ones."""
    whole = np.floor(at).astype(int)
    part = at - whole
    return below[whole] + part * 0.5 * (values[whole] + np.interp(at, samples, values))


def _logarithm(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return np.clip(np.log(np.maximum(values, 1e-30)), *limits) / 2.0
