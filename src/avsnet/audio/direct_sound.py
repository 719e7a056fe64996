"""Where a recording begins to speak: the arrival of the direct sound, and the recording moved so that it lies there.

BatVision V1 and V2 start 975 and 299 samples before it: 2.6 m of apparent range between the two. The same lines find it
in one NumPy recording and in a batch of torch tensors on any device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from avsnet.audio.chirp import SAMPLE_RATE, Array, matched_filter, sweep
from avsnet.errors import EchoError

FIRST_STRONG = 0.4  # of the highest peak; the sweep's own side lobes stay under 0.25
RISE = 0.0005  # seconds from the first strong value to its peak
PEAK_OVER_MEDIAN = 8.0  # noise alone reaches about 4, a real recording over 100

NO_DIRECT_SOUND = (
    "no direct sound: nothing in the recording matches the sweep; "
    "check that the chirp was played and recorded, and that it is the sweep the rig names"
)
"""What a recording without one is refused with."""


def direct_sounds(
    waveform: Array, sample_rate: int = SAMPLE_RATE, template: np.ndarray | None = None
) -> tuple[Array, Array, Array]:
    """Where the direct sound of each recording starts: the first strong peak of the matched filter.

    Args:
        waveform: (..., C, N) floats, NumPy or torch; the ears' energies are added.
        sample_rate: hertz, one for all.
        template: (M,) what was played, at the same rate; None = the 3 ms sweep.

    Returns:
        (...) sample at which it starts; (...) its amplitude; (...) bool, whether it stands 8 times above the median.
    """
    played = sweep(sample_rate) if template is None else template
    # Recordings are float32; in their own precision the filter takes half the time.
    return first_strong(abs(matched_filter(waveform, _as(waveform, played))), sample_rate)


def first_strong(magnitude: Array, sample_rate: int = SAMPLE_RATE) -> tuple[Array, Array, Array]:
    """As `direct_sounds`, from the (..., C, N) magnitude of what the matched filter gave already."""
    library: Any = _library(magnitude)
    envelope = (magnitude * magnitude).mean(-2) ** 0.5
    peak = library.amax(envelope, axis=-1)
    found = peak > PEAK_OVER_MEDIAN * _median(envelope)
    # Torch finds no first one among bools, but among numbers.
    first = (1.0 * (envelope >= FIRST_STRONG * peak[..., None])).argmax(-1)
    index = first[..., None] + _positions(max(1, round(RISE * sample_rate)), envelope)
    rise = _taken(envelope, index.clip(0, envelope.shape[-1] - 1))
    return first + rise.argmax(-1), library.amax(rise, axis=-1), found


def shifted(waveform: Array, start: Array, samples: int) -> Array:
    """Each recording from one of its samples on; its ears move together.

    Args:
        waveform: (..., C, N).
        start: (...) sample that comes first; negative for silence before.
        samples: how many are kept.

    Returns:
        (..., C, samples), zeros where the shift left nothing.
    """
    library: Any = _library(waveform)
    index = _positions(samples, waveform) + start[..., None]
    inside = (index >= 0) & (index < waveform.shape[-1])
    index = index.clip(0, waveform.shape[-1] - 1)
    return library.where(inside[..., None, :], _taken(waveform, index[..., None, :]), 0.0)


def direct_sound(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE, template: np.ndarray | None = None) -> int:
    """The sample at which the direct sound of one recording starts.

    Args:
        waveform: (C, N) or (N,); the ears' energies are added.
        sample_rate: hertz.
        template: (M,) what was played, at the same rate; None = the 3 ms sweep.

    Returns:
        Sample index.

    Raises:
        EchoError: no peak stands 8 times above the median of the envelope.
    """
    start, _, found = direct_sounds(np.atleast_2d(waveform), sample_rate, template)
    if not found:
        raise EchoError(NO_DIRECT_SOUND)
    return int(start)


def align_direct(
    waveform: np.ndarray,
    to: int = 0,
    sample_rate: int = SAMPLE_RATE,
    template: np.ndarray | None = None,
    samples: int | None = None,
) -> np.ndarray:
    """Shift a recording so that its direct sound starts at sample `to`; both ears move together.

    Args:
        waveform: (C, N).
        to: sample index wanted.
        sample_rate: hertz.
        template: (M,) what was played; None = the 3 ms sweep.
        samples: how many are kept; None = N.

    Returns:
        (C, samples), zeros where the shift left nothing.

    Raises:
        EchoError: no direct sound.
    """
    start = np.array(direct_sound(waveform, sample_rate, template) - to)
    return shifted(waveform, start, waveform.shape[-1] if samples is None else samples)


def _library(array: Any) -> Any:
    """NumPy or torch, whose names for the same functions are the same here."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def _positions(count: int, like: Any) -> Any:
    """(count,) 0, 1, 2, .. where `like` is."""
    return np.arange(count) if isinstance(like, np.ndarray) else _library(like).arange(count, device=like.device)


def _median(values: Any) -> Any:
    """Along the last axis; of two in the middle torch takes the lower, five times as fast as it finds their mean."""
    return np.median(values, axis=-1) if isinstance(values, np.ndarray) else values.median(-1).values


def _taken(values: Any, index: Any) -> Any:
    """Values along the last axis at an index of as many axes, which broadcast."""
    if isinstance(values, np.ndarray):
        return np.take_along_axis(values, index, -1)
    return _library(values).take_along_dim(values, index, -1)


def _as(waveform: Any, template: np.ndarray) -> Any:
    """The template in the library, precision and place of the waveform."""
    if isinstance(waveform, np.ndarray):
        return template.astype(np.result_type(waveform, np.float32), copy=False)
    return _library(waveform).from_numpy(template).to(waveform)
