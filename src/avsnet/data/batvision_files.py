"""The files of BatVision, V1 and V2: one recording of two ears, one depth map in millimetres.

Source: the data set's own files and its authors' loaders; where those differ from the paper, the paper's protocol is
the default and the authors' rule an option.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.data.transforms import resize_nearest
from avsnet.errors import AudioError, DepthError, LimitError
from avsnet.io.arrays import read_array
from avsnet.io.recordings import LARGEST_PEAK, Recording, read_wav
from avsnet.metrics import valid_depth


def load_ears(paths: tuple[str, ...], full_scale: float | None = None) -> tuple[Recording, str]:
    """Read both ears at 44.1 kHz, scaled to -1..1.

    Args:
        paths: one stereo recording, or one 1-D `.npy` per ear, left first; the longer one is cut to the shorter.
        full_scale: as in `RowReader`.

    Returns:
        The recording, (2, N) within -1..1, and notes on what was corrected: ears of unequal length, and floats that
        overshoot 1 by up to half, which are clipped.

    Raises:
        AudioError: a file is missing or broken, is not two ears, has another sample rate, or is in unknown units.
    """
    notes = []
    if len(paths) == 1:
        recording = read_wav(paths[0])
        if recording.waveform.shape[0] != 2 or recording.sample_rate != SAMPLE_RATE:
            channels = recording.waveform.shape[0]
            raise AudioError(
                f"{paths[0]}: {channels} channels at {recording.sample_rate} Hz; BatVision has 2 at {SAMPLE_RATE} Hz"
            )
    else:
        ears = [_read_ear(path, full_scale) for path in paths]
        lengths = [len(ear) for ear in ears]
        if len(set(lengths)) > 1:
            notes.append("ears of unequal length, cut to the shorter")
        recording = Recording(np.stack([ear[: min(lengths)] for ear in ears]), SAMPLE_RATE, paths[0])
    if np.abs(recording.waveform).max() > 1.0:
        notes.append("float audio beyond 1, clipped")
        recording = Recording(recording.waveform.clip(-1.0, 1.0), SAMPLE_RATE, paths[0])
    return recording, "; ".join(notes)


def load_depth(
    path: str | Path, cap: float, over_cap: str = "drop", size: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Read a depth map in millimetres, resize it by nearest and keep what counts.

    Args:
        path: `.npy`, (H, W), millimetres; 0, negative, NaN and infinite are unknown.
        cap: metres.
        over_cap: as in `metrics.valid_depth`.
        size: (h, w) in pixels; None: (H, W).

    Returns:
        depth (1, h, w) float32 metres, 0 = unknown; valid (1, h, w) bool.

    Raises:
        DepthError: the file is missing, truncated, or no map of numbers.
    """
    stored = _load_npy(path, DepthError, mapped=True)
    if stored.ndim != 2 or stored.size == 0:
        raise DepthError(f"{path}: shape {stored.shape}; a depth map is (height, width)")
    with np.errstate(over="ignore"):
        # Of float32 and of 16 bits the quotient is exact to float32's last digit; the rest is divided in float64.
        metres = (resize_nearest(stored, size) / np.float32(1000.0)).astype(np.float32, copy=False)
    depth, valid = valid_depth(metres, cap, over_cap)
    return torch.from_numpy(depth)[None], torch.from_numpy(valid)[None]


def _read_ear(path: str, full_scale: float | None) -> np.ndarray:
    """(N,) float64 of one ear, not yet clipped."""
    stored = _load_npy(path, AudioError)
    if stored.ndim != 1:
        raise AudioError(f"{path}: shape {stored.shape}; the recording of one ear is (samples,)")
    if full_scale is None:
        # What 64-bit or unsigned integers mean no file says: NumPy makes int64 of any list of numbers.
        if stored.dtype.kind == "u" or stored.dtype == np.int64:
            raise AudioError(f"{path}: {stored.dtype} samples of unknown scale; give full_scale, such as 32768")
        full_scale = 1.0 if stored.dtype.kind == "f" else -float(np.iinfo(stored.dtype).min)
    ear = stored.astype(np.float64) / full_scale
    peak = np.abs(ear).max(initial=0.0)
    if LARGEST_PEAK < peak < np.inf:
        raise AudioError(f"{path}: samples reach {peak:g} where 1 is full; give full_scale, such as 32768")
    return ear


def _load_npy(path: str | Path, error: type[AudioError] | type[DepthError], mapped: bool = False) -> np.ndarray:
    """An array of real numbers from a `.npy` file."""
    try:
        stored = read_array(path, mapped=mapped)
    except LimitError as reason:
        raise error(f"{path}: {reason}") from None
    except (OSError, ValueError) as reason:
        text = getattr(reason, "strerror", None) or " ".join(str(reason).split()) or "damaged"
        raise error(f"{path}: cannot be read ({text}); give the whole .npy file") from None
    if stored.dtype.kind not in "iuf":
        raise error(f"{path}: holds {stored.dtype}; give a .npy file of numbers")
    return stored
