"""Recordings in: as they were recorded, and nothing that cannot be sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsnet.errors import AudioError, one_line
from avsnet.io.containers import read_sound
from avsnet.io.limits import SECONDS
from avsnet.io.whole_files import require_bytes

ECHO_SUFFIXES = (".wav", ".flac")
"""Endings of recordings, the preferred first."""

LARGEST_PEAK = 1.5
"""A float recording may overshoot 1 a little (resampling does that); beyond this it is in other units."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording with its sample rate; it refuses what cannot be sound.

    Args:
        waveform: (C, N) float32 in -1..1 as recorded, C = 1 or 2, channel 0 = left.
        sample_rate: hertz.
        path: the file it came from, for messages.
        remark: what is odd about how it was read; it goes where the echo's other warnings go.

    Raises:
        AudioError: not (1 or 2, N) floats, no samples, NaN or infinite, wrongly scaled, or no sample rate.
    """

    waveform: np.ndarray
    sample_rate: int
    path: str | None = None
    remark: str | None = None

    def __post_init__(self) -> None:
        name = self.path or "echo"
        given = np.asarray(self.waveform)
        if given.ndim != 2:
            raise AudioError(f"{name}: shape {given.shape}; give (channels, samples), left channel first")
        if given.shape[1] == 0:
            raise AudioError(f"{name}: holds no samples; record it again")
        if given.shape[0] not in (1, 2):
            raise AudioError(f"{name}: {given.shape[0]} channels; give two, left and right, as (2, samples)")
        if given.dtype.kind != "f":
            raise AudioError(f"{name}: {given.dtype} samples; give floats in -1..1 (int16 divided by 32768)")
        if not 0 < self.sample_rate < 1e9 or self.sample_rate != int(self.sample_rate):
            raise AudioError(f"{name}: sample rate {self.sample_rate}; give whole hertz, such as 44100")
        with np.errstate(over="ignore"):
            waveform = np.ascontiguousarray(given, dtype=np.float32)
        peak = max(float(waveform.max()), -float(waveform.min()))  # NaN if a sample is
        if not np.isfinite(peak):
            channel, sample = np.argwhere(~np.isfinite(waveform))[0]
            value = waveform[channel, sample]
            raise AudioError(f"{name}: sample {sample} of channel {channel} is {value}; record or export it again")
        if peak > LARGEST_PEAK:
            raise AudioError(
                f"{name}: wrongly scaled: float samples must lie in -1..1, but the peak is {peak:g}; "
                "divide by full scale (32768 for 16-bit)"
            )
        object.__setattr__(self, "waveform", waveform)
        object.__setattr__(self, "sample_rate", int(self.sample_rate))


def read_wav(path: str | Path) -> Recording:
    """Read a recording as it is: neither resampled nor mixed nor trimmed.

    Args:
        path: WAV (16, 24, 32 bits or float), FLAC, or another of `avsnet.io.containers.FORMATS`. A WAV whose recorder
            never filled in the length, or wrote into a pipe, is read to its end.

    Returns:
        The recording, (1, N) or (2, N); of one that is longer than `avsnet.io.limits.SECONDS` the head.

    Raises:
        AudioError: the file is missing, empty, no sound, cut short, has more than two channels, or holds samples that
            `Recording` refuses.
    """
    path = Path(path)
    require_bytes(path, AudioError, "recording")
    try:
        waveform, sample_rate, seconds = read_sound(path)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = one_line(getattr(error, "error_string", error)).rstrip(".") or "damaged"
        raise AudioError(f"{path}: cannot be read as sound ({reason}); give a whole WAV file") from None
    told = f"a long recording, of which the first {seconds or 0.0:.0f} s were read; {SECONDS.variable} sets that"
    return Recording(waveform, sample_rate, str(path), None if seconds is None else told)
