"""Pictures and recordings in, and any file out whole; depth has its own files, `depth_files`.

What is read is checked here once, so that no later code meets a half file; what is written appears whole or
not at all.
"""

from __future__ import annotations

import os
import secrets
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import ExifTags, Image, ImageOps

from avsnet.errors import AudioError, AvsnetError, ImageError, OutputError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Endings of pictures, by which they are found in a folder."""

ECHO_SUFFIXES = (".wav", ".flac")
"""Endings of recordings, the preferred first."""

LARGEST_PEAK = 1.5
"""A float recording may overshoot 1 a little (resampling does that); beyond this it is in other units."""

STREAMED = 0xFFFFFFFF
"""The length that a recorder writes when it cannot go back to fill it in."""


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture of any format that Pillow knows, upright as its EXIF orientation says.

    Args:
        path: the file; of an animation the first frame is read.

    Returns:
        (H, W, 3) uint8 RGB. Grey is repeated, alpha dropped, 16-bit grey scaled by 255 / 65535.

    Raises:
        ImageError: the file is missing, empty, truncated, no picture, of zero size, or absurdly large.
    """
    path = Path(path)
    require_bytes(path, ImageError, "picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                return rgb_array(picture)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path}: more pixels than any camera gives; shrink the picture first") from None
    except Image.UnidentifiedImageError:
        raise ImageError(f"{path}: not a picture, or one of zero size; give a PNG or JPEG file") from None
    except Exception as error:  # on a broken file Pillow's readers raise nearly anything
        reason = one_line(error)
        raise ImageError(f"{path}: broken or truncated picture ({reason}); copy or export it again") from None


def picture_size(path: str | Path) -> tuple[int, int]:
    """The size of a picture that `read_image` would give, from the file's head alone.

    Args:
        path: the file.

    Returns:
        (H, W) pixels, upright.

    Raises:
        ImageError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            lies = picture.getexif().get(ExifTags.Base.Orientation, 1) >= 5
    except Exception as error:
        raise ImageError(f"{path}: not a picture ({one_line(error)}); give a PNG or JPEG file") from None
    return (width, height) if lies else (height, width)


def rgb_array(picture: Image.Image) -> np.ndarray:
    """Turn an opened picture into RGB, upright as its EXIF orientation says.

    Args:
        picture: Pillow image of any mode.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: zero size, or floating-point pixels outside 0..1, whose white is unknown.
    """
    if 0 in picture.size:
        raise ImageError(f"picture of zero size {picture.size}; give one with at least one pixel")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = ImageOps.exif_transpose(picture)
        if picture.mode != "F" and not picture.mode.startswith("I"):
            return np.array(picture.convert("RGB"), dtype=np.uint8)
    # Pillow's own conversion of these modes clips instead of scaling: nearly every pixel would turn white.
    grey = np.asarray(picture).astype(np.float64) / (1.0 if picture.mode == "F" else 65535.0)
    if picture.mode == "F" and not ((grey >= 0.0) & (grey <= 1.0)).all():
        raise ImageError("floating-point pixels outside 0..1; save the picture with 8 or 16 bits")
    return np.repeat((grey.clip(0.0, 1.0) * 255.0).round().astype(np.uint8)[..., None], 3, axis=-1)


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording with its sample rate; it refuses what cannot be sound.

    Args:
        waveform: (C, N) float32 in -1..1 as recorded, C = 1 or 2, channel 0 = left.
        sample_rate: hertz.
        path: the file it came from, for messages.

    Raises:
        AudioError: not (1 or 2, N) floats, no samples, NaN or infinite, wrongly scaled, or no sample rate.
    """

    waveform: np.ndarray
    sample_rate: int
    path: str | None = None

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
        if not np.isfinite(waveform).all():
            channel, sample = np.argwhere(~np.isfinite(waveform))[0]
            value = waveform[channel, sample]
            raise AudioError(f"{name}: sample {sample} of channel {channel} is {value}; record or export it again")
        peak = float(np.abs(waveform).max())
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
        path: WAV (16, 24, 32 bits or float), FLAC, or whatever else libsndfile reads.

    Returns:
        The recording, (1, N) or (2, N).

    Raises:
        AudioError: the file is missing, empty, no sound, shorter than its header promises, has more than two
            channels, or holds samples that `Recording` refuses.
    """
    path = Path(path)
    require_bytes(path, AudioError, "recording")
    try:
        _refuse_truncated_wav(path)
        with soundfile.SoundFile(path) as file:
            waveform, sample_rate = file.read(dtype="float32", always_2d=True).T, file.samplerate
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = one_line(getattr(error, "error_string", error)).rstrip(".") or "damaged"
        raise AudioError(f"{path}: cannot be read as sound ({reason}); give a whole WAV file") from None
    return Recording(waveform, sample_rate, str(path))


def _refuse_truncated_wav(path: Path) -> None:
    """Compare the data chunk's promise with the file: libsndfile clips to what is there and says nothing."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RIFX", b"RF64") or head[8:] != b"WAVE":
            return
        order = ">" if head[:4] == b"RIFX" else "<"
        long = 0
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack(f"{order}4sI", header)
            if name == b"ds64":  # RF64 keeps here the lengths that do not fit into 32 bits
                long = struct.unpack("<QQ", file.read(16))[1]
                length -= 16
            if name != b"data":
                file.seek(length + length % 2, os.SEEK_CUR)
                continue
            held = size - file.tell()
            length = long if length == STREAMED and long else length
            if length != STREAMED and length > held:
                raise AudioError(
                    f"{path}: truncated: its header promises {length} bytes of sound, the file holds {held}; "
                    "copy or record it again"
                )
            return


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all: a temporary neighbour takes the name only when it is complete.

    Args:
        path: the file to write; parent folders are made.

    Yields:
        A path in the same folder with the same suffix, to write to.

    Raises:
        OutputError: the folder cannot be made or the file cannot be written.
    """
    path = Path(path)
    temporary = path.parent / f".{secrets.token_hex(8)}{path.suffix}"
    try:
        # Renaming onto a device such as /dev/null would replace the device.
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: is a folder or a device; name a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise OutputError(f"{path}: cannot be written ({reason}); choose another place") from None
    finally:
        # After a refused parent the unlink fails as well; the first error is the one to report.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def require_bytes(path: Path, error: type[AvsnetError], noun: str) -> None:
    """Refuse a path that is missing, a folder, or empty."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as reason:
        if isinstance(reason, FileNotFoundError):
            raise error(f"{path}: no such file; check the path of the {noun}") from None
        raise error(f"{path}: cannot be read ({one_line(reason)}); check the path of the {noun}") from None
    if path.is_dir():
        raise error(f"{path}: is a folder; name a {noun} in it")
    if size == 0:
        raise error(f"{path}: is empty (0 bytes); copy or export the {noun} again")


def one_line(message: object) -> str:
    """The message without line breaks: the command line prints one line per error."""
    return " ".join(str(message).split())
