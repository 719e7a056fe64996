"""One axis of time, and so of range, for recordings of different origin.

BatVision V1 and V2 start 975 and 299 samples before the direct sound, which is 2.6 m of apparent range; with one axis
a sample, and a column of a spectrogram, means the same range in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.audio.direct_sound import shifted
from avsnet.errors import OptionError

_THIRTY_METRES = 7_782  # `samples_for_range(30.0)`, the authors' cut of V2; written out, as that needs torch
_DIRECT_IN_V2 = 299  # V2 hardly moves, and V1 comes to it


@dataclass(frozen=True)
class RangeAxis:
    """Where the direct sound stands in a recording, and how long the recording is.

    Args:
        samples: every recording is cut or zero-padded to it, after alignment; None: as long as it is, which makes
            batches only where all are equally long.
        align: the sample to which the direct sound is shifted; None: as recorded. With it a recording without a direct
            sound is an unreadable row: its echoes would lie at unknown ranges.

    Raises:
        OptionError: a number that is no sample, or a direct sound that would be cut off.
    """

    samples: int | None = _THIRTY_METRES
    align: int | None = _DIRECT_IN_V2

    def __post_init__(self) -> None:
        for name, value, least in (("samples", self.samples, 1), ("align", self.align, 0)):
            if value is not None and (type(value) is not int or value < least):
                raise OptionError(f"{name}: found {value!r}, wanted None or a whole number of samples, {least} or more")
        if self.samples is not None and self.align is not None and self.align >= self.samples:
            raise OptionError(f"align: the direct sound at sample {self.align} is cut off by samples = {self.samples}")

    def place(self, waveform: np.ndarray, direct: int | None = None) -> np.ndarray:
        """Align, then cut or pad with zeros, so that a shift loses nothing too early.

        Args:
            waveform: (C, N).
            direct: sample of its direct sound; not looked at where nothing is aligned.

        Returns:
            (C, samples) float32; where `samples` is None, N and what a shift to the right adds.
        """
        start = 0
        if self.align is not None:
            assert direct is not None
            start = direct - self.align
        samples = self.samples or waveform.shape[1] + max(0, -start)
        return shifted(waveform, np.array(start), samples).astype(np.float32, copy=False)


BATVISION_AXIS = RangeAxis()
"""The default of all readers: the direct sound at sample 299 and 30 m there and back."""

AS_RECORDED = RangeAxis(None, None)
"""Recordings as their files hold them: the original settings."""
