"""What a network hears: its spectrogram, made from the recording by the settings it carries."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from avsnet.audio.stft import SpectrogramSettings
from avsnet.errors import SampleError


def heard(batch: dict[str, Any], settings: SpectrogramSettings, sample_rate: int, shape: tuple[int, int]) -> Tensor:
    """The spectrograms of a batch.

    Args:
        batch: `echo` (B, 2, F, T), or `waveform` (B, 2, N) with `sample_rate`.
        settings: turn `waveform` into `echo`.
        sample_rate: hertz that the network knows; at another one, columns would mean other ranges.
        shape: (F, T) that the network takes.

    Returns:
        (B, 2, F, T) magnitudes.

    Raises:
        SampleError: neither is there, the rate is another, or the shape does not fit.
    """
    echo = batch.get("echo")
    if echo is None:
        waveform, rate = batch.get("waveform"), batch.get("sample_rate")
        if not isinstance(waveform, Tensor):
            raise SampleError("batch: a network that hears needs 'waveform' (B, 2, N) or 'echo' (B, 2, F, T)")
        # Without a rate the recording is taken at its word, as a spectrogram would be.
        wrong = rate is not None and bool(
            (rate != sample_rate).any() if isinstance(rate, Tensor) else rate != sample_rate
        )
        if wrong:
            raise SampleError(f"batch: 'sample_rate' {rate}, but this network knows {sample_rate} Hz; resample first")
        echo = settings(waveform)
    if not isinstance(echo, Tensor) or echo.ndim != 4 or tuple(echo.shape[1:]) != (2, *shape):
        found = tuple(echo.shape) if isinstance(echo, Tensor) else type(echo).__name__
        raise SampleError(f"batch: 'echo' is {found}, but this network takes (B, 2, {shape[0]}, {shape[1]})")
    return echo


def spectrogram_shape(settings: SpectrogramSettings) -> tuple[int, int]:
    """(F, T) of what the settings give; they must fix the number of samples or the size.

    >>> spectrogram_shape(SpectrogramSettings(samples=2646))
    (257, 166)
    """
    if settings.size is not None:
        return settings.size
    if settings.samples is None:
        raise SampleError("spectrogram: give `samples` or `size`, for the network is tied to one shape")
    return settings.n_fft // 2 + 1, 1 + settings.samples // settings.hop_length


def initialise(network: nn.Module) -> None:
    """The initialisation of pix2pix, BITD and the BatVision U-Net: weights N(0, 0.02), gains of norms N(1, 0.02)."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1.0, 0.02)
            nn.init.zeros_(part.bias)
