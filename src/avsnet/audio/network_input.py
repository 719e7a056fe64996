"""From a batch of recordings to the spectrograms a network hears, so that one column means one range in all of them.

Source: the original BatVision settings, and before them what they lack: the direct sound is found by the matched filter
and put at one sample, because BatVision V1 and V2 start 975 and 299 samples before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import direct_sounds, shifted
from avsnet.audio.recording_checks import SILENCE
from avsnet.audio.stft import SpectrogramSettings, samples_for_range
from avsnet.errors import OptionError, SampleError

AMPLITUDES = ("none", "rms", "direct")
"""What a recording's amplitude is brought to, both ears together: as it is; an RMS of 0.1; a direct sound of 1."""

RESIZES = ("none", "rgb")
"""Whether a spectrogram keeps its own size or gets that of the picture, as in the paper."""

RMS = 0.1
MIN_AFTER_DIRECT = 0.010  # seconds: an echo from 1.7 m
_MIN_RATE, _MAX_RATE = 4_000, 384_000


@dataclass(frozen=True)
class AudioSettings:
    """How a network hears; it carries these settings with its weights.

    Args:
        sample_rate: hertz; recordings at another rate are resampled to it.
        samples: N that are kept; their number fixes the range of the last column.
        align_to: sample at which the direct sound is put before the cut; None leaves recordings as they start.
        amplitude: one of `AMPLITUDES`.
        n_fft: as of `avsnet.audio.stft.spectrogram`; likewise the following.
        win_length: samples.
        hop_length: samples.
        compression: "none" or "log1p".
        resize: one of `RESIZES`.
        gain: times which the recording is taken after that, before its spectrogram: log1p compresses what is above
            1 / gain, such as the direct sound, and leaves what is below, such as far echoes, as it is.
        centre: whether each ear's mean is taken away first: a microphone's offset is no sound.

    Raises:
        OptionError: a setting is outside what it allows.
    """

    sample_rate: int = SAMPLE_RATE
    samples: int = samples_for_range(30.0)
    align_to: int | None = 64
    amplitude: str = "direct"
    n_fft: int = 512
    win_length: int = 64
    hop_length: int = 16
    compression: str = "log1p"
    resize: str = "none"
    centre: bool = True
    gain: float = 1.0

    def __post_init__(self) -> None:
        for name, known in (("amplitude", AMPLITUDES), ("resize", RESIZES)):
            if getattr(self, name) not in known:
                raise OptionError(f"{name}: found {getattr(self, name)!r}, wanted one of {', '.join(known)}")
        if not _MIN_RATE <= self.sample_rate <= _MAX_RATE:
            raise OptionError(f"sample_rate: found {self.sample_rate}, wanted {_MIN_RATE} to {_MAX_RATE} hertz")
        if self.align_to is not None and not 0 <= self.align_to < self.samples:
            raise OptionError(f"align_to: found {self.align_to}, wanted None or a sample below {self.samples}")
        if not 0.0 < self.gain < float("inf"):
            raise OptionError(f"gain: found {self.gain}, wanted a positive number")
        self.spectrogram()

    def spectrogram(self, size: tuple[int, int] | None = None) -> SpectrogramSettings:
        """The settings of the transform for pictures of `size` (height, width)."""
        return SpectrogramSettings(
            self.n_fft,
            self.win_length,
            self.hop_length,
            samples=self.samples,
            size=size if self.resize == "rgb" else None,
            compression=self.compression,
        )


def hear(
    waveform: Tensor, sample_rate: int | Tensor, settings: AudioSettings, size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Take away the offset, align, normalise, cut and transform a batch of recordings.

    Args:
        waveform: (B, 2, N) float, -1..1, channel 0 = left.
        sample_rate: hertz, one for all or (B,).
        settings: how.
        size: (height, width) of the pictures, for `resize` "rgb".

    Returns:
        (B, 2, F, T) float32 magnitudes; and (B,) bool, which rows hold an echo: not silent, finite, and, where the
        settings need a direct sound, with one and at least 10 ms after it. The other rows are of silence.

    Raises:
        SampleError: the waveform is no (B, 2, N) of floats, or a sample rate is outside 4 to 384 kHz.
    """
    if not isinstance(waveform, Tensor) or not waveform.is_floating_point() or waveform.ndim != 3:
        raise SampleError("batch: 'waveform' must be a float tensor of shape (B, 2, N), values -1..1")
    if waveform.shape[1] != 2 or not waveform.numel():
        raise SampleError(f"batch: 'waveform' is {tuple(waveform.shape)}, wanted (B, 2, N): left and right ear")
    waveform = waveform.float()
    if settings.centre:
        waveform = waveform - waveform.mean(dim=-1, keepdim=True)
    waveform = resampled(waveform, sample_rate, settings.sample_rate)
    heard = torch.isfinite(waveform).all(dim=-1).all(dim=-1) & (waveform.abs().amax(dim=(1, 2)) >= SILENCE)
    waveform = torch.where(heard[:, None, None], waveform, 0.0)
    if settings.align_to is not None or settings.amplitude == "direct":
        direct, strength, found = direct_sounds(waveform, settings.sample_rate)
        heard &= found & (waveform.shape[-1] - direct >= MIN_AFTER_DIRECT * settings.sample_rate)
        if settings.align_to is not None:
            waveform = shifted(waveform, direct - settings.align_to, settings.samples)
        if settings.amplitude == "direct":
            waveform = waveform / torch.where(heard, strength, 1.0)[:, None, None]
    waveform = F.pad(waveform, (0, settings.samples - waveform.shape[-1]))  # a negative padding cuts
    if settings.amplitude == "rms":
        rms = waveform.square().mean(dim=(1, 2), keepdim=True).sqrt()
        waveform = RMS * waveform / rms.clamp_min(SILENCE)
    return settings.spectrogram(size)(settings.gain * torch.where(heard[:, None, None], waveform, 0.0)), heard


def resampled(waveform: Tensor, sample_rate: int | Tensor, wanted: int) -> Tensor:
    """Rows at `wanted` hertz; shorter ones are padded with zeros."""
    rates = [int(rate) for rate in torch.as_tensor(sample_rate).reshape(-1).tolist()]
    rates = rates * len(waveform) if len(rates) == 1 else rates
    if len(rates) != len(waveform) or not all(_MIN_RATE <= rate <= _MAX_RATE for rate in rates):
        allowed = f"one number or {len(waveform)}, {_MIN_RATE} to {_MAX_RATE} hertz"
        raise SampleError(f"batch: 'sample_rate' is {sample_rate}, wanted {allowed}")
    if all(rate == wanted for rate in rates):
        return waveform
    import soxr

    rows = [
        row if rate == wanted else torch.from_numpy(soxr.resample(row.T.cpu().numpy(), rate, wanted).T).to(row)
        for row, rate in zip(waveform.detach(), rates, strict=True)
    ]
    longest = max(row.shape[1] for row in rows)
    return torch.stack([F.pad(row, (0, longest - row.shape[1])) for row in rows])
