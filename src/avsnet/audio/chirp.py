"""The chirp and its matched filter: a 3 ms linear sweep from 20 Hz to 20 kHz.

Source: the BatVision chirp (linear: measured on a real recording); matched filtering is correlation with the
emitted signal, which compresses the sweep into a pulse about 1 / bandwidth = 50 microseconds (1.7 cm of path) wide.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import fft, ifft, next_fast_len
from scipy.signal import chirp

SAMPLE_RATE = 44_100
"""Hertz; the rate of every BatVision recording."""


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


def matched_filter(waveform: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Correlate with the emitted signal and return the analytic result: its magnitude is the envelope.

    Args:
        waveform: (..., N) any unit.
        template: (M,) what was played, at the same sample rate.

    Returns:
        (..., N) complex128; a copy of the template that starts at sample n gives its peak at index n. An echo of
        amplitude a gives a peak of magnitude about a, because the result is divided by the template's energy.
    """
    samples = waveform.shape[-1]
    length = next_fast_len(samples + len(template))
    spectrum = fft(waveform, length) * np.conj(fft(template, length)) / np.sum(template**2)
    # Keeping only the positive frequencies, doubled, is the Hilbert transform's analytic signal.
    half = (length + 1) // 2
    spectrum[..., 1:half] *= 2.0
    spectrum[..., length // 2 + 1 :] = 0.0
    return ifft(spectrum)[..., :samples]
