"""Depth in and out: maps as NPY, NPZ and PNG; whole numbers are millimetres with 0 = unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from avsnet.errors import DepthError, LimitError, OptionError, OutputError, note, one_line
from avsnet.io.arrays import read_arrays
from avsnet.io.authorship import png_mark, written_by_avsnet
from avsnet.io.depth_pictures import read_depth_picture
from avsnet.io.limits import PIXELS
from avsnet.io.orientation import UPRIGHT, exif_orientation, is_upright, turned
from avsnet.io.pictures import picture_size
from avsnet.io.plausibility import full_scale_pixels, implausible_median, spike, stretched, unit_advice
from avsnet.io.whole_files import atomic_path, require_bytes

MILLIMETRES = 1000.0
"""Units per metre of whole numbers, unless something else is given."""

_ROWS = 32
_FAST, _SMALL = 0, 6  # zlib's levels for a PNG: as it is, like an NPZ, or a sixth of that


def read_map(
    path: str | Path,
    depth_scale: float | None = None,
    *,
    kind: str | None = None,
    notes: list[str] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a depth or disparity map; one of metric depth is brought to metres and checked for being depth in metres.

    Args:
        path: `.npy`; `.npz` with the array `depth` or a single one; a 16-bit grey or a floating-point picture of any
            format that Pillow knows, turned as its own EXIF tag says.
        depth_scale: units per metre, 1000 for millimetres, 5000 for TUM, 256 for KITTI; None takes whole numbers for
            millimetres and floats for metres. Floats are divided only if they are metric depth, and not where they
            make sense as metres as they stand and only so.
        kind: what the numbers mean, one of `avsnet.models.registry.OUTPUT_KINDS`; None if that is not known.
        notes: takes what is odd about the map; None warns of it.

    Returns:
        (H, W) float32: whole numbers divided by the scale, NaN for the largest number of their type; else as stored,
        so infinities and negative numbers stay; and the other entries of an `.npz`.

    Raises:
        DepthError: the file is missing, empty, truncated, no map, or has several channels or only 8 bits; or metric
            depth with a median that no picture has.
        OptionError: a depth scale that is not positive, or that is metres per unit.
    """
    path = Path(path)
    _check_depth_scale(depth_scale)
    require_bytes(path, DepthError, "depth map")
    try:
        if path.suffix.lower() in (".npy", ".npz"):
            stored, others = _map_of_arrays(path)
        else:
            stored, others = read_depth_picture(path), {}
        stored = _one_channel(stored)
    except (DepthError, LimitError) as error:
        raise DepthError(f"{path}: {error}") from None
    except Exception as error:  # on a broken file numpy's and Pillow's readers raise nearly anything
        reason = one_line(error)
        raise DepthError(f"{path}: broken or truncated depth map ({reason}); copy or export it again") from None
    metric, whole = kind == "metric_depth", stored.dtype.kind in "iu"
    values = stored.astype(np.float64)
    if whole:
        values[full_scale_pixels(stored, metric)] = np.nan
    if metric:
        if (text := stretched(stored)) is not None:
            note(f"{path}: {text}", notes)
        values = _metres(path, values, whole, depth_scale, notes)
    elif whole:
        values = values / (depth_scale or MILLIMETRES)
    with np.errstate(over="ignore"):
        return values.astype(np.float32), others


def read_depth(path: str | Path, depth_scale: float | None = None, *, notes: list[str] | None = None) -> np.ndarray:
    """Read metric depth from the formats of `read_map`.

    Args:
        path: the file.
        depth_scale: as for `read_map`.
        notes: as for `read_map`.

    Returns:
        (H, W) float32 metres, 0 = unknown: what is not finite or not positive, and values that stand for no depth.

    Raises:
        DepthError: as `read_map`, and where no pixel is known.
        OptionError: as `read_map`.
    """
    values, _ = read_map(path, depth_scale, kind="metric_depth", notes=notes)
    depth = np.where(np.isfinite(values) & (values > 0.0), values, np.float32(0.0))
    if not depth.any():
        raise DepthError(f"{path}: no pixel has a depth above 0; give another map")
    return depth


def map_like_picture(values: np.ndarray, map_file: str | Path, picture_file: str | Path) -> np.ndarray:
    """Turn a depth map as its picture is turned, unless it is upright already.

    A map is upright if its size says so, if a tag of its own has turned it, or if avsnet made it (from the upright
    picture).

    Args:
        values: (H, W) of the map, as its reader gives it.
        map_file: the map.
        picture_file: its picture.

    Returns:
        (H, W) of the upright picture's aspect ratio.
    """
    orientation = exif_orientation(picture_file)
    if is_upright(values.shape[:2], orientation, picture_size(picture_file) if orientation != UPRIGHT else (1, 1)):
        return values
    if exif_orientation(map_file) != UPRIGHT or written_by_avsnet(map_file):
        return values
    return turned(values, orientation)


def _check_depth_scale(depth_scale: float | None) -> None:
    if depth_scale is None:
        return
    if not 0.0 < depth_scale < float("inf"):
        raise OptionError(f"depth_scale {depth_scale:g}: give the units per metre, such as 1000 for millimetres")
    if depth_scale < 1.0:
        raise OptionError(
            f"depth_scale {depth_scale:g}: metres per unit, as cameras tell it; give the units per metre, "
            f"{1.0 / depth_scale:g}"
        )


def _one_channel(stored: np.ndarray) -> np.ndarray:
    """(H, W) numbers of a map; axes of length 1 before or behind them hold no information."""
    values = stored
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 2 or values.size == 0:
        raise DepthError(f"shape {stored.shape}; a depth map is (height, width), with one number per pixel")
    PIXELS.check(values.size)
    if values.dtype.kind not in "iuf":
        raise DepthError(f"holds {values.dtype}; a depth map is numbers, float metres or whole millimetres")
    if values.dtype.kind in "iu" and values.dtype.itemsize == 1:
        raise DepthError("8 bits are a picture of depth for people; give the map itself, 16-bit or float")
    return values


def _metres(
    path: Path, stored: np.ndarray, whole: bool, depth_scale: float | None, notes: list[str] | None
) -> np.ndarray:
    """(H, W) stored numbers of metric depth in metres, NaN where they stand for no depth."""
    scale = depth_scale or (MILLIMETRES if whole else 1.0)
    unknown, text = spike(stored / scale)
    if text is not None:
        note(f"{path}: {text}", notes)
    stored = np.where(unknown, np.nan, stored)
    problem = implausible_median(stored / scale)
    if problem is None:
        return stored / scale
    median = float(np.median(stored[np.isfinite(stored) & (stored > 0.0)]))
    if not whole and implausible_median(stored) is None:
        return stored
    how = f" with depth_scale {scale:g}" if scale != 1.0 else ""
    raise DepthError(f"{path}: {problem}{how}: {unit_advice(median)}")


def _map_of_arrays(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The map of an `.npy` or `.npz` and its other entries; nothing is unpickled."""
    held = read_arrays(path)
    if isinstance(held, np.ndarray):
        return held, {}
    name = "depth" if "depth" in held else next(iter(held)) if len(held) == 1 else None
    if name is None:
        raise DepthError(f"holds the arrays {', '.join(held) or 'none'}; name the map 'depth'")
    return held.pop(name), held


def write_depth_png(path: str | Path, depth: np.ndarray, valid: np.ndarray, compress: bool = False) -> None:
    """Write depth as a 16-bit PNG in millimetres, 0 = unknown, with the mark of `avsnet.io.authorship`.

    What 16 bits cannot hold is written as unknown, not clipped: depth above 65.535 m becomes 0, as does a
    pixel that is not valid, not finite or not positive.

    Args:
        path: the file to write.
        depth: (H, W) metres along the optical axis.
        valid: (H, W) bool.
        compress: whether to take seven times as long for a file of about a sixth.

    Raises:
        DepthError: the shapes differ.
        OutputError: the file cannot be written.
    """
    if np.ndim(depth) != 2 or np.shape(depth) != np.shape(valid):
        raise DepthError(f"depth {np.shape(depth)} and valid {np.shape(valid)} must both be (height, width)")
    depth, valid = np.asarray(depth), np.asarray(valid, dtype=bool)
    stored = np.empty(depth.shape, dtype=np.uint16)
    for top in range(0, len(stored), _ROWS):  # few rows at a time stay in the processor's cache
        rows = slice(top, top + _ROWS)
        millimetres = np.rint(np.multiply(depth[rows], MILLIMETRES, dtype=np.float64))
        held = (millimetres >= 0.0) & (millimetres <= 65535.0) & valid[rows]  # NaN is neither
        stored[rows] = np.where(held, millimetres, 0.0)
    level = _SMALL if compress else _FAST
    with atomic_path(path) as temporary:
        Image.fromarray(stored).save(temporary, format="PNG", pnginfo=png_mark(), compress_level=level)


def write_depth_npz(path: str | Path, /, compress: bool = False, **entries: object) -> None:
    """Write named arrays, numbers and texts, to be read back with `allow_pickle=False`.

    Args:
        path: the file to write.
        compress: whether to take a hundred times as long for a file of about two thirds.
        **entries: anything that becomes a plain array.

    Raises:
        OutputError: an entry would need pickle, or the file cannot be written.
    """
    arrays = {name: np.asarray(value) for name, value in entries.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise OutputError(f"{path}: entry {name!r} is not a plain array; give numbers or text")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)  # type: ignore[arg-type]
