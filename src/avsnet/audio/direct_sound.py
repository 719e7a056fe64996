"""Where a recording begins to speak: the arrival of the direct sound.

BatVision V1 and V2 start 975 and 299 samples before it: 2.6 m of apparent range between the two.
"""

from __future__ import annotations

import numpy as np

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.errors import EchoError

FIRST_STRONG = 0.4  # of the highest peak; the sweep's own side lobes stay under 0.25
RISE = 0.0005  # seconds from the first strong value to its peak
PEAK_OVER_MEDIAN = 8.0  # noise alone reaches about 4, a real recording over 100


def direct_sound(waveform: np.ndarray, sample_rate: int = SAMPLE_RATE, template: np.ndarray | None = None) -> int:
    """The sample at which the direct sound starts: the first strong peak of the matched filter.

    Args:
        waveform: (C, N) or (N,); the ears' energies are added.
        sample_rate: hertz.
        template: (M,) what was played, at the same rate; None = the 3 ms sweep.

    Returns:
        Sample index.

    Raises:
        EchoError: no peak stands 8 times above the median of the envelope.
    """
    if template is None:
        template = sweep(sample_rate)
    # Recordings are float32; in their own precision the filter takes half the time.
    template = template.astype(np.result_type(waveform, np.float32), copy=False)
    envelope = np.abs(matched_filter(np.atleast_2d(waveform), template))
    envelope = np.sqrt(np.mean(envelope**2, axis=0))
    peak = envelope.max()
    if not peak > PEAK_OVER_MEDIAN * np.median(envelope):
        raise EchoError(
            "no direct sound: nothing in the recording matches the sweep; "
            "check that the chirp was played and recorded, and that it is the sweep the rig names"
        )
    first = int(np.argmax(envelope >= FIRST_STRONG * peak))
    return first + int(np.argmax(envelope[first : first + max(1, round(RISE * sample_rate))]))


def align_direct(
    waveform: np.ndarray, to: int = 0, sample_rate: int = SAMPLE_RATE, template: np.ndarray | None = None
) -> np.ndarray:
    """Shift a recording so that its direct sound starts at sample `to`; both ears move together.

    Args:
        waveform: (C, N).
        to: sample index wanted.
        sample_rate: hertz.
        template: (M,) what was played; None = the 3 ms sweep.

    Returns:
        (C, N), zeros where the shift left nothing.

    Raises:
        EchoError: no direct sound.
    """
    shift = to - direct_sound(waveform, sample_rate, template)
    aligned = np.zeros_like(waveform)
    samples = waveform.shape[-1]
    source = slice(max(0, -shift), min(samples, samples - shift))
    aligned[..., source.start + shift : source.stop + shift] = waveform[..., source]
    return aligned
