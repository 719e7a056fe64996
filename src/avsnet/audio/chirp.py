"""The chirp and its matched filter: a 3 ms linear sweep from 20 Hz to 20 kHz.

Source: the BatVision chirp (linear: measured on a real recording); matched filtering is correlation with the
emitted signal, which compresses the sweep into a pulse about 1 / bandwidth = 50 microseconds (1.7 cm of path) wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy.fft
from scipy.signal import chirp

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
    return chirp(time, f0=low, t1=duration, f1=high, method="linear")


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


def _transforms(array: Any) -> Any:
    """The Fourier transforms of the array's own library."""
    if isinstance(array, np.ndarray):
        return scipy.fft
    import torch.fft

    return torch.fft
