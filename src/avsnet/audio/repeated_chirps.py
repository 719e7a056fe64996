"""One long recording of a chirp that is played again and again, cut into one recording a chirp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter
from avsnet.audio.direct_sound import FIRST_STRONG, NO_DIRECT_SOUND, PEAK_OVER_MEDIAN, RISE
from avsnet.audio.recording_checks import LIKE_THE_SWEEP, likeness
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, EchoError

_APART = 0.05  # seconds between two chirps at least: the echoes of one reach 8 m in the meantime
_BEFORE = 0.005  # seconds kept before a direct sound, so that it is seen to begin
_LONGEST = 0.5  # seconds kept after it: 85 m
_AS_LIKE = 0.6  # of the usual likeness to the sweep, which a chirp must have; a clap's is as high by chance as 0.25
_BLOCK = 10.0  # seconds worked on at a time, so that an hour needs no more memory than a minute


@dataclass(frozen=True, eq=False)
class Chirp:
    """One chirp and its echoes.

    Args:
        time: seconds from the recording's start to the direct sound.
        waveform: (C, N) as recorded.
    """

    time: float
    waveform: np.ndarray


def repeated_chirps(waveform: np.ndarray, sample_rate: int, rig: Rig | None = None) -> list[Chirp]:
    """Cut a recording before each direct sound.

    A direct sound is loud in the matched filter, the first loud one for 50 ms, and like what was played; claps and
    steps are none. Each piece ends where the next chirp begins.

    Args:
        waveform: (C, N) in -1..1.
        sample_rate: hertz.
        rig: what was played; None = the assumed rig.

    Returns:
        The chirps, in time.

    Raises:
        AudioError: not (C, N).
        EchoError: there is none.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 2 or waveform.shape[1] == 0:
        raise AudioError(f"a recording has shape (channels, samples); this one has {waveform.shape}")
    template = (rig or Rig()).emitted
    if sample_rate != SAMPLE_RATE:
        template = soxr.resample(template, SAMPLE_RATE, sample_rate)
    template = template.astype(np.float32)
    loud = _starts(_envelope(waveform, sample_rate, template), sample_rate)
    alike = np.array([_like(waveform[:, max(0, at - len(template)) : at + 3 * len(template)], template) for at in loud])
    least = max(LIKE_THE_SWEEP, _AS_LIKE * float(np.median(alike))) if loud else 1.0
    starts = [at for at, like in zip(loud, alike, strict=True) if like >= least]
    if not starts:
        raise EchoError(NO_DIRECT_SOUND)
    before, longest = round(_BEFORE * sample_rate), round(_LONGEST * sample_rate)
    ends = [*(start - before for start in starts[1:]), waveform.shape[1]]
    return [
        Chirp(start / sample_rate, waveform[:, max(0, start - before) : min(end, start + longest)])
        for start, end in zip(starts, ends, strict=True)
    ]


def _envelope(waveform: np.ndarray, sample_rate: int, template: np.ndarray) -> np.ndarray:
    """(N,) amplitude of the matched filter, of the ears together, block by block."""
    size, overlap = round(_BLOCK * sample_rate), len(template)
    blocks = (waveform[:, first : first + size + overlap] for first in range(0, waveform.shape[1], size))
    filtered = (matched_filter(block - block.mean(axis=1, keepdims=True), template)[:, :size] for block in blocks)
    return np.concatenate([np.sqrt((np.abs(one) ** 2).mean(axis=0)) for one in filtered])


def _starts(envelope: np.ndarray, sample_rate: int) -> list[int]:
    """Samples of the loud peaks with nothing as loud shortly before them.

    What is loud is measured by the chirps, most of which are alike: by the median of what is loudest within 50 ms.
    """
    apart, rise = round(_APART * sample_rate), max(1, round(RISE * sample_rate))
    whole = len(envelope) // apart * apart
    loudest = envelope[:whole].reshape(-1, apart).max(axis=1) if whole else envelope.max(keepdims=True)
    events = loudest[loudest > PEAK_OVER_MEDIAN * np.median(envelope)]
    if not events.size:
        return []
    level = FIRST_STRONG * float(np.median(events[events >= FIRST_STRONG * np.quantile(events, 0.9)]))
    starts: list[int] = []
    for sample in np.flatnonzero(envelope >= level):
        if not starts or sample - starts[-1] > apart:
            starts.append(int(sample) + int(np.argmax(envelope[sample : sample + rise])))
    return starts


def _like(piece: np.ndarray, template: np.ndarray) -> float:
    """How like the template the loudest match of a piece is, 0..1."""
    piece = piece - piece.mean(axis=1, keepdims=True)
    magnitude = np.abs(matched_filter(piece, template))
    return likeness(piece, magnitude, template, int(np.argmax(magnitude.max(axis=0))))
