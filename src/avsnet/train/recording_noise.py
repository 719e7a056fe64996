"""What recordings suffer: one augmentation for every network that hears.

A made recording is clean but for white noise. A real one has an offset and hum of its electronics, rumble, hiss and
voices of its room, clicks, too little level for its 16 bits, a narrow band, a lossy coding, and starts when it likes.
Each of these is drawn by itself, so that most recordings suffer a few.
"""

from __future__ import annotations

import io
import math

import soundfile
import torch
from torch import Tensor

_HUM = (50.0, 60.0)  # hertz, of mains
_SNR = (10.0, 50.0)  # dB of the recording's RMS over the noise's
_BANDS = (11_000.0, 20_000.0)  # hertz where the band ends: recordings of 22 kHz sampling and up
_LOW = (-60.0, -20.0)  # dB of full scale, the peak of a recording that is too soft
_OFFSET = 0.004  # seconds that the start moves
_PITCHES = (80.0, 250.0)  # hertz, of a voice
_MOUTH = ((300.0, 900.0), (900.0, 2500.0), (2500.0, 3500.0))  # hertz, where its resonances lie
_CONSONANTS = 0.3  # their RMS over the vowels'
_SYLLABLES = (3.0, 7.0)  # a second
_BETWEEN_EARS = 0.0007  # seconds, at most, that a voice comes later to one ear
_LOSSY = (0.2, 0.9)  # of soundfile's compression levels, 0 best, 1 smallest: MP3 of about 230 to 80 kbit/s
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # hertz; Vorbis takes any
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
    for spoil in (_offset, _band, _hiss, _rumble, _hum, _speech, _clicks, _constant):
        if _uniform(generator) < _EACH:
            waveform = spoil(waveform, seconds, rms, generator)
    peak = waveform.abs().max().clamp_min(1e-6)
    level = 10.0 ** (_uniform(generator, *_LOW) / 20.0) if _uniform(generator) < _EACH else 1.0
    waveform = (
        waveform * (level / peak) if level < 1.0 else waveform * _uniform(generator, 0.5, 1.0) / peak.clamp_min(1.0)
    )
    waveform = _sixteen_bits(waveform)
    if _uniform(generator) < _EACH:
        waveform = _sixteen_bits(_coded(waveform, sample_rate, generator))
    return waveform


def _sixteen_bits(waveform: Tensor) -> Tensor:
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


def _speech(waveform: Tensor, seconds: Tensor, rms: Tensor, generator: torch.Generator) -> Tensor:
    """Somebody talks."""
    return waveform + _amplitude(rms, generator) * speech(seconds, generator)


def speech(seconds: Tensor, generator: torch.Generator) -> Tensor:
    """A voice: the buzz of vowels by the resonances of a mouth, the hiss of consonants between them, in syllables.

    Args:
        seconds: (N,) of each sample.
        generator: where the voice, what it says and where it stands come from.

    Returns:
        (2, N) at the ears, of an RMS of 1.
    """
    rate = 1.0 / float(seconds[1]) if len(seconds) > 1 else 1.0
    glide = _uniform(generator, -0.3, 0.3)
    pitch = _uniform(generator, *_PITCHES)
    buzz = (pitch * (seconds + 0.5 * glide * seconds.square()) + _uniform(generator)).frac() - 0.5
    syllables = torch.sin(2.0 * math.pi * (_uniform(generator, *_SYLLABLES) * seconds + _uniform(generator)))
    hertz = torch.linspace(0.0, rate / 2.0, len(seconds) // 2 + 1)
    mouth = sum(1.0 / (1.0 + ((hertz - _uniform(generator, *band)) / 100.0).square()) for band in _MOUTH)
    vowels = torch.fft.irfft(torch.fft.rfft(buzz) * mouth, n=len(seconds))
    breath = torch.fft.rfft(torch.randn(len(seconds), generator=generator))
    consonants = torch.fft.irfft(breath * (hertz / 4000.0).clamp(max=1.0).square(), n=len(seconds))
    consonants = _CONSONANTS * consonants * (vowels.std(correction=0) / consonants.std(correction=0).clamp_min(1e-12))
    voice = (0.5 + 0.5 * syllables) * vowels + (0.5 - 0.5 * syllables) * consonants
    late, softer = round(_uniform(generator, 0.0, _BETWEEN_EARS) * rate), _uniform(generator, 0.5, 1.0)
    ears = torch.stack([voice, softer * torch.nn.functional.pad(voice, (late, 0))[: len(voice)]])
    ears = ears.flip(0) if _uniform(generator) < 0.5 else ears
    return ears / ears.square().mean().sqrt().clamp_min(1e-12)


def _coded(waveform: Tensor, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Through MP3 or Vorbis and back."""
    return lossy(waveform, sample_rate, _uniform(generator, *_LOSSY), mp3=_uniform(generator) < 0.5)


def lossy(waveform: Tensor, sample_rate: int, level: float, *, mp3: bool) -> Tensor:
    """A recording through a lossy coding and back.

    Args:
        waveform: (2, N) float, -1..1.
        sample_rate: hertz.
        level: of compression, 0 best to 1 smallest, as soundfile has it.
        mp3: MP3, where it has the rate, rather than Vorbis.

    Returns:
        (2, N) float32.
    """
    mp3 = mp3 and sample_rate in _MP3_RATES
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III"} if mp3 else {"format": "OGG", "subtype": "VORBIS"}
    file = io.BytesIO()
    soundfile.write(file, waveform.T.numpy(), sample_rate, compression_level=level, **kind)
    file.seek(0)
    found = torch.from_numpy(soundfile.read(file, dtype="float32", always_2d=True)[0].T)
    # What a decoder leaves out at the end is silence.
    return torch.nn.functional.pad(found, (0, max(0, waveform.shape[-1] - found.shape[-1])))[:, : waveform.shape[-1]]


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
