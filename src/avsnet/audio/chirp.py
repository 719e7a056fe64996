"""The chirp and its matched filter: a 3 ms linear sweep from 20 Hz to 20 kHz.

Source: the BatVision chirp (linear: measured on a real recording); matched filtering is correlation with the
emitted signal, which compresses the sweep into a pulse about 1 / bandwidth = 50 microseconds (1.7 cm of path) wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy.fft

from avsnet.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE = 44_100
"""Hertz; the rate of every BatVision recording."""

Array = TypeVar("Array", np.ndarray, "Tensor")
"""A NumPy array or a torch tensor, on any device: the same lines compute both."""


def sweep(
    sample_rate: int = SAMPLE_RATE, duration: float = 0.003, low: float = 20.0, high: float = 20_000.0
) -> np.ndarray:
    """The linear sweep cos(2 pi (low t + (high - low) t^2 / (2 duration))).

    Cosine phase, as SciPy's: with it the direct sound of the real BatVision recording starts at the published sample.

    Args:
        sample_rate: hertz.
        duration: seconds.
        low: start frequency in hertz.
        high: end frequency in hertz; cut at the Nyquist frequency by whoever records it.

    Returns:
        (round(duration * sample_rate),) float64, peak about 1.

    >>> sweep().shape
    (132,)
    """
    time = np.arange(round(duration * sample_rate)) / sample_rate
    return np.cos(2.0 * np.pi * (low * time + 0.5 * (high - low) / duration * time * time))


def chirp_train(
    played: np.ndarray, sample_rate: int, count: int = 1, pause: float = 0.5, lead: float = 0.3, level: float = 0.5
) -> np.ndarray:
    """A chirp as it is played: silence, then the chirp so many times, each followed by a pause.

    Args:
        played: (M,) one chirp, peak about 1.
        sample_rate: hertz.
        count: how many.
        pause: seconds from the end of one to the start of the next, and after the last.
        lead: seconds of silence before the first: many speakers sleep, and wake up late.
        level: of its peak, full scale being 1.

    Returns:
        (N,) float32.

    Raises:
        OptionError: a number outside what makes sense.

    >>> len(chirp_train(sweep(), 44_100, count=2, pause=0.5, lead=0.3))  # 0.3 + 2 * (0.003 + 0.5) seconds
    57594
    """
    limits = {"count": (count, 1, 1000), "pause": (pause, 0.05, 60.0), "level": (level, 0.001, 1.0)}
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise OptionError(f"{name}: found {value:g}, wanted {low:g} to {high:g}")
    one = np.concatenate([level * played / np.abs(played).max(), np.zeros(round(pause * sample_rate))])
    return np.concatenate([np.zeros(round(lead * sample_rate)), np.tile(one, count)]).astype(np.float32)


def matched_filter(waveform: Array, template: Array) -> Array:
    """Correlate with the emitted signal and return the analytic result: its magnitude is the envelope.

    Args:
        waveform: (..., N) any unit.
        template: (M,) what was played, at the same sample rate; an array of the same library.

    Returns:
        (..., N) complex; a copy of the template that starts at sample n gives its peak at index n. An echo of
        amplitude a gives a peak of magnitude about a, because the result is divided by the template's energy.
    """
    samples = waveform.shape[-1]
    length = scipy.fft.next_fast_len(samples + len(template))
    fft = _transforms(waveform)
    spectrum = fft.rfft(waveform, length) * fft.rfft(template, length).conj() / (template**2).sum()
    # Keeping only the positive frequencies, doubled, is the Hilbert transform's analytic signal.
    spectrum[..., 1 : (length + 1) // 2] *= 2.0
    return fft.ifft(spectrum, length)[..., :samples]


def analytic(signal: np.ndarray) -> np.ndarray:
    """(N,) complex, whose real part is the (N,) signal and whose magnitude its envelope (Hilbert transform)."""
    spectrum = scipy.fft.fft(signal)
    spectrum[1 : (len(signal) + 1) // 2] *= 2.0
    spectrum[len(signal) // 2 + 1 :] = 0.0
    return scipy.fft.ifft(spectrum)


def _transforms(array: Any) -> Any:
    """The Fourier transforms of the array's own library."""
    if isinstance(array, np.ndarray):
        return scipy.fft
    import torch.fft

    return torch.fft
