"""Files in and out: pictures, recordings, depth PNG and NPZ, point clouds.

What is read is checked here once, so that no later code meets a half file; what is written appears whole or
not at all. File conventions: depth PNG in 16-bit millimetres with 0 = unknown; PLY in metres, camera axes.
"""

from __future__ import annotations

import os
import secrets
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image, ImageOps

from avsnet.errors import AudioError, AvsnetError, DepthError, ImageError, OptionError, OutputError

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
    _require_bytes(path, ImageError, "picture")
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
        reason = _one_line(error)
        raise ImageError(f"{path}: broken or truncated picture ({reason}); copy or export it again") from None


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


def read_map(path: str | Path, depth_scale: float = 1000.0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a depth or disparity map, whatever its numbers mean.

    Args:
        path: `.npy`; `.npz` with the array `depth` or a single one; a 16-bit grey or a floating-point picture of any
            format that Pillow knows.
        depth_scale: what whole numbers are divided by, units per metre: 1000 for millimetres, 5000 for TUM, 256 for
            KITTI. Floating-point numbers are taken as they are.

    Returns:
        (H, W) float32 as stored, so NaN, infinities and negative numbers stay; and the other entries of an `.npz`.

    Raises:
        DepthError: the file is missing, empty, truncated, no map, or has several channels or only 8 bits.
        OptionError: a depth scale that is not positive.
    """
    path = Path(path)
    if not 0.0 < depth_scale < float("inf"):
        raise OptionError(f"depth_scale {depth_scale:g}: give the units per metre, such as 1000 for millimetres")
    _require_bytes(path, DepthError, "depth map")
    try:
        if path.suffix.lower() in (".npy", ".npz"):
            values, others = _map_of_arrays(path)
        else:
            values, others = _map_of_picture(path), {}
    except DepthError as error:
        raise DepthError(f"{path}: {error}") from None
    except Exception as error:  # on a broken file numpy's and Pillow's readers raise nearly anything
        reason = _one_line(error)
        raise DepthError(f"{path}: broken or truncated depth map ({reason}); copy or export it again") from None
    shape = values.shape
    if values.ndim == 3 and 1 in (shape[0], shape[2]):
        values = values[0] if shape[0] == 1 else values[..., 0]
    if values.ndim != 2 or values.size == 0:
        raise DepthError(f"{path}: shape {shape}; a depth map is (height, width), with one number per pixel")
    if values.dtype.kind not in "iuf":
        raise DepthError(f"{path}: holds {values.dtype}; a depth map is numbers, float metres or whole millimetres")
    if values.dtype.kind in "iu":
        if values.dtype.itemsize == 1:
            raise DepthError(f"{path}: 8 bits are a picture of depth for people; give the map itself, 16-bit or float")
        values = values / depth_scale
    with np.errstate(over="ignore"):
        return values.astype(np.float32), others


def read_depth(path: str | Path, depth_scale: float = 1000.0) -> np.ndarray:
    """Read metric depth from the formats of `read_map`.

    Args:
        path: the file.
        depth_scale: as for `read_map`.

    Returns:
        (H, W) float32 metres, 0 = unknown: what is not finite or not positive.

    Raises:
        DepthError: as `read_map`, and where no pixel is known.
        OptionError: a depth scale that is not positive.
    """
    values, _ = read_map(path, depth_scale)
    depth = np.where(np.isfinite(values) & (values > 0.0), values, np.float32(0.0))
    if not depth.any():
        raise DepthError(f"{path}: no pixel has a depth above 0; give another map")
    return depth


def _map_of_arrays(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The map of an `.npy` or `.npz` and its other entries; nothing is unpickled."""
    with path.open("rb") as file:  # numpy leaves a broken file open
        held = np.load(file, allow_pickle=False)
        if isinstance(held, np.ndarray):
            return held, {}
        names = list(held.files)
        name = "depth" if "depth" in names else names[0] if len(names) == 1 else None
        if name is None:
            raise DepthError(f"holds the arrays {', '.join(names) or 'none'}; name the map 'depth'")
        return held[name], {other: held[other] for other in names if other != name}


def _map_of_picture(path: Path) -> np.ndarray:
    """The numbers of a picture with 16 bits or floating-point pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(path)
        except Image.UnidentifiedImageError:
            raise DepthError("no depth map; give .npy, .npz, a 16-bit PNG or a float TIFF") from None
        with picture:
            if picture.mode != "F" and not picture.mode.startswith("I"):
                raise DepthError(
                    f"a picture with 8 bits per channel ({picture.mode}); give the depth itself, 16-bit grey or float"
                )
            return np.asarray(picture)


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
    _require_bytes(path, AudioError, "recording")
    try:
        _refuse_truncated_wav(path)
        with soundfile.SoundFile(path) as file:
            waveform, sample_rate = file.read(dtype="float32", always_2d=True).T, file.samplerate
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        reason = _one_line(getattr(error, "error_string", error)).rstrip(".") or "damaged"
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
        reason = error.strerror or _one_line(error)
        raise OutputError(f"{path}: cannot be written ({reason}); choose another place") from None
    finally:
        # After a refused parent the unlink fails as well; the first error is the one to report.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_depth_png(path: str | Path, depth: np.ndarray, valid: np.ndarray) -> None:
    """Write depth as a 16-bit PNG in millimetres, 0 = unknown.

    What 16 bits cannot hold is written as unknown, not clipped: depth above 65.535 m becomes 0, as does a
    pixel that is not valid, not finite or not positive.

    Args:
        path: the file to write.
        depth: (H, W) metres along the optical axis.
        valid: (H, W) bool.

    Raises:
        DepthError: the shapes differ.
        OutputError: the file cannot be written.
    """
    if np.ndim(depth) != 2 or np.shape(depth) != np.shape(valid):
        raise DepthError(f"depth {np.shape(depth)} and valid {np.shape(valid)} must both be (height, width)")
    metres = np.where(np.asarray(valid, dtype=bool) & np.isfinite(depth), depth, 0.0)
    millimetres = (metres.astype(np.float64) * 1000.0).round()
    millimetres[(millimetres < 0.0) | (millimetres > 65535.0)] = 0.0
    with atomic_path(path) as temporary:
        Image.fromarray(millimetres.astype(np.uint16)).save(temporary, format="PNG")


def write_depth_npz(path: str | Path, /, **entries: object) -> None:
    """Write named arrays, numbers and texts, compressed, to be read back with `allow_pickle=False`.

    Args:
        path: the file to write.
        **entries: anything that becomes a plain array.

    Raises:
        OutputError: an entry would need pickle, or the file cannot be written.
    """
    arrays = {name: np.asarray(value) for name, value in entries.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise OutputError(f"{path}: entry {name!r} is not a plain array; give numbers or text")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def write_ply(
    path: str | Path, points: np.ndarray, colours: np.ndarray, unit: str = "m", *, comments: Sequence[str] = ()
) -> None:
    """Write a coloured point cloud as binary little-endian PLY (x right, y down, z forward).

    Args:
        path: the file to write.
        points: (N, 3) camera axes.
        colours: (N, 3) uint8 RGB.
        unit: of the points.
        comments: lines for the header.

    Raises:
        DepthError: the shapes differ or the colours are not uint8.
        OutputError: the file cannot be written.
    """
    points, colours = np.asarray(points), np.asarray(colours)
    if points.ndim != 2 or points.shape[1] != 3 or colours.shape != points.shape or colours.dtype != np.uint8:
        raise DepthError(
            f"points {points.shape} must be (N, 3), and colours {colours.shape} {colours.dtype} (N, 3) uint8"
        )
    vertices = np.empty(len(points), dtype=[("position", "<f4", 3), ("colour", "u1", 3)])
    vertices["position"], vertices["colour"] = points, colours
    comments = [f"unit: {unit}; camera axes: x right, y down, z forward", *comments]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {_one_line(comment)}" for comment in comments),
        f"element vertex {len(points)}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
        "end_header\n",
    ]
    with atomic_path(path) as temporary:
        temporary.write_bytes("\n".join(header).encode("ascii", "replace") + vertices.tobytes())


def _require_bytes(path: Path, error: type[AvsnetError], noun: str) -> None:
    """Refuse a path that is missing, a folder, or empty."""
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as reason:
        if isinstance(reason, FileNotFoundError):
            raise error(f"{path}: no such file; check the path of the {noun}") from None
        raise error(f"{path}: cannot be read ({_one_line(reason)}); check the path of the {noun}") from None
    if path.is_dir():
        raise error(f"{path}: is a folder; name a {noun} in it")
    if size == 0:
        raise error(f"{path}: is empty (0 bytes); copy or export the {noun} again")


def _one_line(message: object) -> str:
    """The message without line breaks: the command line prints one line per error."""
    return " ".join(str(message).split())
