"""What recordings suffer: one augmentation for every network that hears.

A made recording is clean but for white noise. A real one has an offset and hum of its electronics, rumble and hiss of
its room, clicks, too little level for its 16 bits, a narrow band, and starts when it likes. Each of these is drawn by
itself, so that most recordings suffer a few. Speech and lossy coding are left out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_HUM = (50.0, 60.0)  # hertz, of mains
_SNR = (10.0, 50.0)  # dB of the recording's RMS over the noise's
_BANDS = (11_000.0, 20_000.0)  # hertz where the band ends: recordings of 22 kHz sampling and up
_LOW = (-60.0, -20.0)  # dB of full scale, the peak of a recording that is too soft
_OFFSET = 0.004  # seconds that the start moves
_EACH = 0.3  # probability of each


def suffered(waveform: Tensor, sample_rate: int, generator: torch.Generator, chance: float = 1.0) -> Tensor:
    """Let a recording suffer.

    Args:
        waveform: (2, N) float, -1..1.
        sample_rate: hertz.
        generator: where the draws come from; the same draws do the same.
        chance: probability that anything happens at all.

    Returns:
        (2, N) float32, within -1..1.
    """
    if _uniform(generator) >= chance:
        return waveform
    rms = waveform.square().mean().sqrt().clamp_min(1e-6)
    seconds = torch.arange(waveform.shape[-1]) / sample_rate
    for spoil in (_offset, _band, _hiss, _rumble, _hum, _clicks, _constant):
        if _uniform(generator) < _EACH:
            waveform = spoil(waveform, seconds, rms, generator)
    peak = waveform.abs().max().clamp_min(1e-6)
    level = 10.0 ** (_uniform(generator, *_LOW) / 20.0) if _uniform(generator) < _EACH else 1.0
    waveform = (
        waveform * (level / peak) if level < 1.0 else waveform * _uniform(generator, 0.5, 1.0) / peak.clamp_min(1.0)
    )
    return (torch.round(waveform * 32767.0) / 32767.0).clamp(-1.0, 1.0).float()


def _uniform(generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _amplitude(rms: Tensor, generator: torch.Generator) -> Tensor:
    """The RMS of what is added."""
    return rms * 10.0 ** (-_uniform(generator, *_SNR) / 20.0)


def _offset(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """Start earlier or later, with silence where nothing was recorded."""
    rate = 1.0 / float(seconds[1]) if len(seconds) > 1 else 1.0
    shift = round(_uniform(generator, 0.0, _OFFSET) * rate)
    return torch.nn.functional.pad(waveform, (shift, 0))[..., : waveform.shape[-1]]


def _band(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """Nothing above a frequency, down to 30 dB over a fifth of it."""
    end = _uniform(generator, *_BANDS)
    spectrum = torch.fft.rfft(waveform)
    rate = 1.0 / float(seconds[1]) if len(seconds) > 1 else 1.0
    hertz = torch.linspace(0.0, rate / 2.0, spectrum.shape[-1])
    decibels = (150.0 * (end - hertz) / end).clamp(-90.0, 0.0)
    return torch.fft.irfft(spectrum * 10.0 ** (decibels / 20.0), n=waveform.shape[-1])


def _hiss(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """White noise, each ear's own."""
    return waveform + _amplitude(rms, generator) * torch.randn(waveform.shape, generator=generator)


def _rumble(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """Noise that falls with frequency, as of traffic and fans, the same in both ears."""
    spectrum = torch.fft.rfft(torch.randn(waveform.shape[-1], generator=generator))
    power = _uniform(generator, 0.5, 1.5)
    noise = torch.fft.irfft(spectrum / torch.arange(1, len(spectrum) + 1) ** power, n=waveform.shape[-1])
    return waveform + _amplitude(rms, generator) * noise / noise.square().mean().sqrt().clamp_min(1e-12)


def _hum(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """The mains and its harmonics."""
    mains = _HUM[int(_uniform(generator) < 0.5)]
    strengths = torch.rand(5, generator=generator) / torch.arange(1, 6)
    phases = 2.0 * math.pi * torch.rand(5, generator=generator)
    waves = torch.sin(2.0 * math.pi * mains * torch.arange(1, 6)[:, None] * seconds + phases[:, None])
    return waveform + _amplitude(rms, generator) * (strengths[:, None] * waves).sum(0)


def _clicks(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """One to five samples that stand out."""
    count = 1 + int(_uniform(generator, 0.0, 5.0))
    places = torch.randint(waveform.shape[-1], (count,), generator=generator)
    clicks = torch.zeros_like(waveform)
    clicks[:, places] = rms * torch.randn(count, generator=generator)
    return waveform + clicks


def _constant(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """An offset of the converter, of each ear."""
    return waveform + rms * torch.randn(2, 1, generator=generator)
