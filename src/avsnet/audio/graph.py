"""What a network hears of a recording, as one graph of real numbers that an exporter can follow.

`avsnet.audio.network_input.hear` looks into its data and computes with complex numbers; here the same is done without
either: the matched filter by Fourier transforms of one length, the spectrogram as a convolution with cosines and sines.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.audio.chirp import sweep
from avsnet.audio.direct_sound import FIRST_STRONG, PEAK_OVER_MEDIAN, RISE
from avsnet.audio.network_input import MIN_AFTER_DIRECT, RMS, AudioSettings
from avsnet.audio.recording_checks import SILENCE
from avsnet.errors import OptionError

LEAD = 0.1
"""Seconds that a window of `window_samples` leaves for what comes before the direct sound."""


def window_samples(settings: AudioSettings) -> int:
    """N of the recording that a graph takes: what the network hears, and a tenth of a second before it."""
    return settings.samples + round(LEAD * settings.sample_rate)


class HearingGraph(nn.Module):
    """`hear` for recordings of one length, at the rate of the settings.

    Args:
        settings: how the network hears; it must not resize the spectrogram to the picture.

    Attributes:
        samples: N that it takes.

    Raises:
        OptionError: settings that a graph cannot follow.
    """

    conjugate: Tensor
    waves: Tensor

    def __init__(self, settings: AudioSettings) -> None:
        super().__init__()
        if settings.resize != "none":
            raise OptionError("a spectrogram of the picture's size cannot be exported; train with resize: none")
        self.settings, self.samples = settings, window_samples(settings)
        played = sweep(settings.sample_rate)
        # A power of two is what runtimes transform fast; behind the sweep's length nothing wraps round.
        self.length = 2 ** math.ceil(math.log2(self.samples + len(played)))
        # Twice the positive frequencies alone: the analytic signal, whose magnitude is the envelope.
        gain = np.full(self.length // 2 + 1, 2.0)
        gain[[0, -1]] = 1.0, 0.0
        conjugate = np.fft.rfft(played, self.length).conj() / (played**2).sum() * gain
        self.register_buffer("conjugate", torch.from_numpy(np.stack([conjugate.real, conjugate.imag])).float())
        self.register_buffer("waves", torch.from_numpy(_waves(settings)).float())

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Take away the offset, align, normalise, cut and transform.

        Args:
            waveform: (B, 2, `samples`) float32.

        Returns:
            (B, 2, F, T) magnitudes, and (B,) bool, which rows hold an echo; as `hear`.
        """
        settings = self.settings
        if settings.centre:
            waveform = waveform - waveform.mean(dim=2, keepdim=True)
        heard = waveform.abs().amax(dim=(1, 2)) >= SILENCE
        if settings.align_to is not None or settings.amplitude == "direct":
            direct, strength, found = self._direct_sounds(waveform)
            heard = heard & found & (self.samples - direct >= MIN_AFTER_DIRECT * settings.sample_rate)
            if settings.align_to is not None:
                waveform = self._moved(waveform, direct - settings.align_to)
            if settings.amplitude == "direct":
                waveform = waveform / torch.where(heard, strength, 1.0)[:, None, None]
        waveform = waveform[..., : settings.samples]
        if settings.amplitude == "rms":
            rms = waveform.square().mean(dim=(1, 2), keepdim=True).sqrt()
            waveform = RMS * waveform / rms.clamp_min(SILENCE)
        return self._spectrogram(self.settings.gain * waveform * heard[:, None, None]), heard

    def _direct_sounds(self, waveform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As `avsnet.audio.direct_sound.direct_sounds`: (B,) sample, (B,) amplitude, (B,) whether it stands out."""
        envelope = self._envelope(waveform)
        peak = envelope.amax(dim=1)
        ranked = envelope.sort(dim=1).values
        middle = 0.5 * (ranked[:, (self.samples - 1) // 2] + ranked[:, self.samples // 2])
        first = (envelope >= FIRST_STRONG * peak[:, None]).float().argmax(dim=1)
        rise = torch.arange(max(1, round(RISE * self.settings.sample_rate)), device=waveform.device)
        near = envelope.gather(1, (first[:, None] + rise).clamp(0, self.samples - 1))
        return first + near.argmax(dim=1), near.amax(dim=1), peak > PEAK_OVER_MEDIAN * middle

    def _moved(self, waveform: Tensor, start: Tensor) -> Tensor:
        """As `avsnet.audio.direct_sound.shifted`, whose broadcasting would build the batch into the graph."""
        index = torch.arange(self.settings.samples, device=waveform.device) + start[:, None]
        inside = (index >= 0) & (index < self.samples)
        index = index.clamp(0, self.samples - 1)[:, None].expand(-1, 2, -1)
        return waveform.gather(2, index) * inside[:, None]

    def _envelope(self, waveform: Tensor) -> Tensor:
        """(B, N) of the matched filter; the ears' energies are averaged."""
        spectrum = torch.view_as_real(torch.fft.rfft(F.pad(waveform, (0, self.length - self.samples))))
        (real, imaginary), (gain_real, gain_imaginary) = spectrum.unbind(-1), self.conjugate
        product = torch.stack(
            [real * gain_real - imaginary * gain_imaginary, real * gain_imaginary + imaginary * gain_real], dim=-1
        )
        both_sides = F.pad(product, (0, 0, 0, self.length // 2 - 1))
        filtered = torch.view_as_real(torch.fft.ifft(torch.view_as_complex(both_sides)))[..., : self.samples, :]
        return filtered.square().sum(dim=-1).mean(dim=1).sqrt()

    def _spectrogram(self, waveform: Tensor) -> Tensor:
        """(B, 2, samples) -> (B, 2, F, T), as `avsnet.audio.stft.spectrogram`."""
        padded = F.pad(waveform, (self.settings.n_fft // 2,) * 2, mode="reflect")
        # Ears become rows: one convolution with all cosines and sines serves both.
        rows = padded.reshape(-1, 1, padded.shape[-1])
        cosines, sines = F.conv1d(rows, self.waves, stride=self.settings.hop_length).chunk(2, dim=1)
        magnitude = (cosines.square() + sines.square()).sqrt().unflatten(0, (-1, 2))
        return magnitude.log1p() if self.settings.compression == "log1p" else magnitude


def _waves(settings: AudioSettings) -> np.ndarray:
    """(2 F, 1, n_fft) windowed cosines, then sines, of the transform's frequencies."""
    count, width = settings.n_fft, settings.win_length
    window = np.zeros(count)
    start = (count - width) // 2
    window[start : start + width] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(width) / width)
    phase = 2.0 * np.pi * np.outer(np.arange(count // 2 + 1), np.arange(count)) / count
    return (np.concatenate([np.cos(phase), -np.sin(phase)]) * window)[:, None]
