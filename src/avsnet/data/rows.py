"""One row of BatVision, read: what V1 and V2 share, so that both come with one range axis and one depth rule.

Source: the data set's own files and its authors' loaders; where those differ from the paper, the paper's protocol is
the default and the authors' rule an option.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avsnet.audio.alignment import direct_sound
from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.spectrogram import SpectrogramSettings, samples_for_range
from avsnet.data.transforms import check_size, load_image, resize_nearest
from avsnet.errors import AudioError, DataError, DepthError, EchoError, ImageError, OptionError, SampleError
from avsnet.io import LARGEST_PEAK, Recording, read_wav
from avsnet.metrics import valid_depth

DIRECT_AT = 299
"""Where `align` puts the direct sound by default: where V2 has it, so that V2 hardly moves and V1 comes to it."""

SAMPLES = samples_for_range(30.0)
"""How much of a recording is kept by default, in both parts: 7 782 samples, the authors' cut of V2 at 30 m."""

KEYS = ("image", "waveform", "depth")
"""What can be read of a row; `valid`, `sample_rate` and `echo` come along."""


@dataclass(frozen=True, slots=True)
class Row:
    """The files of one instance.

    Attributes:
        id: unique, stable, sortable.
        image: path of the picture.
        audio: one WAV of two channels, or one `.npy` per ear, left first.
        depth: path of the `.npy`.
    """

    id: str
    image: str
    audio: tuple[str, ...]
    depth: str


@dataclass(frozen=True)
class RowReader:
    """How rows become samples; call it with a `Row`.

    Attributes:
        cap: metres; deeper pixels do not count.
        over_cap: "drop": they are unknown (the paper); "clip": they count as the cap (the authors' code).
        size: (h, w) of picture and depth, pixels; None: as in the files.
        samples: every recording is cut or zero-padded to it, after alignment; None: as long as it is, which makes
            batches only where all are equally long.
        align: the sample to which the direct sound is shifted; None: as recorded (the original settings). With it
            a recording without a direct sound is an unreadable row: its echoes would lie at unknown ranges.
        spectrogram: settings that turn `waveform` into `echo`; None: no `echo`.
        keys: which of `KEYS` to read; files of the others are not opened.
        full_scale: what the samples of `.npy` recordings are divided by; None: signed integers by their type's own
            full scale, floats by 1.

    Raises:
        OptionError: a setting is outside what it allows.
    """

    cap: float
    over_cap: str = "drop"
    size: tuple[int, int] | None = None
    samples: int | None = SAMPLES
    align: int | None = DIRECT_AT
    spectrogram: SpectrogramSettings | None = None
    keys: tuple[str, ...] = KEYS
    full_scale: float | None = None

    def __post_init__(self) -> None:
        check_size(self.size)
        valid_depth(np.zeros(1), self.cap, self.over_cap)
        for name, value, least in (("samples", self.samples, 1), ("align", self.align, 0)):
            if value is not None and (type(value) is not int or value < least):
                raise OptionError(f"{name}: found {value!r}, wanted None or a whole number of samples, {least} or more")
        if self.samples is not None and self.align is not None and self.align >= self.samples:
            raise OptionError(f"align: the direct sound at sample {self.align} is cut off by samples = {self.samples}")
        if not set(self.keys) or not set(self.keys) <= set(KEYS):
            raise OptionError(f"keys: found {self.keys}, wanted some of {', '.join(KEYS)}")
        if self.full_scale is not None and not 0.0 < self.full_scale < float("inf"):
            raise OptionError(f"full_scale: found {self.full_scale}, wanted None or a positive number, such as 32768")
        wanted = self.spectrogram.samples if self.spectrogram else None
        if wanted is not None and self.samples is not None and wanted > self.samples:
            raise OptionError(
                f"samples: {self.samples} are fewer than the {wanted} that the spectrogram transforms; give the same"
            )

    def __call__(self, row: Row) -> dict[str, Any]:
        """Read a row.

        Returns:
            The sample of `avsnet.data.sample`, and beside it `notes`: what was odd and was mended, one line or "".

        Raises:
            DataError: a file is missing, broken or does not fit the others; names the row, the file and the reason.
        """
        sample: dict[str, Any] = {"id": row.id}
        notes = ""
        try:
            if "image" in self.keys:
                sample["image"] = load_image(row.image, self.size)
            if "waveform" in self.keys:
                recording, notes = load_ears(row.audio, self.full_scale)
                sample["waveform"] = torch.from_numpy(self._placed(recording.waveform))
                sample["sample_rate"] = recording.sample_rate
                if self.spectrogram is not None:
                    sample["echo"] = self.spectrogram(sample["waveform"])
            if "depth" in self.keys:
                sample["depth"], sample["valid"] = load_depth(row.depth, self.cap, self.over_cap, self.size)
        except (ImageError, AudioError, DepthError) as error:
            raise DataError(f"{row.id}: {error}") from None
        except (EchoError, SampleError) as error:  # these know no file
            raise DataError(f"{row.id}: {row.audio[0]}: {error}") from None
        if {"image", "depth"} <= sample.keys() and sample["image"].shape[1:] != sample["depth"].shape[1:]:
            picture, depth = (tuple(sample[key].shape[1:]) for key in ("image", "depth"))
            raise DataError(f"{row.id}: picture of {picture} and depth of {depth} pixels; give one size for both")
        return sample | {"notes": notes}

    def _placed(self, waveform: np.ndarray) -> np.ndarray:
        """(2, N) -> (2, samples): aligned, then cut or padded with zeros, so that a shift loses nothing too early."""
        shift = 0 if self.align is None else self.align - direct_sound(waveform)
        placed = np.zeros((2, self.samples or waveform.shape[1] + max(0, shift)), np.float32)
        start, stop = max(0, shift), min(placed.shape[1], waveform.shape[1] + shift)
        placed[:, start:stop] = waveform[:, start - shift : stop - shift]
        return placed


def load_ears(paths: tuple[str, ...], full_scale: float | None = None) -> tuple[Recording, str]:
    """Read both ears at 44.1 kHz, scaled to -1..1.

    Args:
        paths: one stereo recording, or one 1-D `.npy` per ear, left first; the longer one is cut to the shorter.
        full_scale: as in `RowReader`.

    Returns:
        The recording, (2, N) within -1..1, and notes on what was mended: ears of unequal length, and floats that
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
    stored = _load_npy(path, DepthError, mmap_mode="r")
    if stored.ndim != 2:
        raise DepthError(f"{path}: shape {stored.shape}; a depth map is (height, width)")
    with np.errstate(over="ignore"):
        # Of float32 and of 16 bits the quotient is exact to float32's last digit; the rest is divided in float64.
        metres = (resize_nearest(stored, size) / np.float32(1000.0)).astype(np.float32, copy=False)
    depth, valid = valid_depth(metres, cap, over_cap)
    return torch.from_numpy(depth)[None], torch.from_numpy(valid)[None]


def without_repeats(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Keep the first row of each id: a recording that is listed twice would count twice.

    Returns:
        The rows in their order, and the ids of those left out.
    """
    kept: dict[str, Row] = {}
    repeated = []
    for row in rows:
        if row.id in kept:
            repeated.append(row.id)
        else:
            kept[row.id] = row
    return list(kept.values()), repeated


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


def _load_npy(path: str | Path, error: type[AudioError] | type[DepthError], **options: Any) -> np.ndarray:
    """An array of real numbers from a `.npy` file."""
    try:
        stored = np.load(path, allow_pickle=False, **options)
    except (OSError, ValueError, EOFError) as reason:
        text = getattr(reason, "strerror", None) or " ".join(str(reason).split()) or "damaged"
        raise error(f"{path}: cannot be read ({text}); give the whole .npy file") from None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind not in "iuf":
        found = getattr(stored, "dtype", "an archive")
        raise error(f"{path}: holds {found}; give a .npy file of numbers")
    return stored
