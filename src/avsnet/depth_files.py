"""Depth in and out: maps as NPY, NPZ and PNG, point clouds as PLY.

Conventions: whole numbers are millimetres with 0 = unknown; PLY is in metres, camera axes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from avsnet.errors import DepthError, OptionError, OutputError
from avsnet.io import atomic_path, one_line, require_bytes


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
    require_bytes(path, DepthError, "depth map")
    try:
        if path.suffix.lower() in (".npy", ".npz"):
            values, others = _map_of_arrays(path)
        else:
            values, others = _map_of_picture(path), {}
    except DepthError as error:
        raise DepthError(f"{path}: {error}") from None
    except Exception as error:  # on a broken file numpy's and Pillow's readers raise nearly anything
        reason = one_line(error)
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
        *(f"comment {one_line(comment)}" for comment in comments),
        f"element vertex {len(points)}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
        "end_header\n",
    ]
    with atomic_path(path) as temporary:
        temporary.write_bytes("\n".join(header).encode("ascii", "replace") + vertices.tobytes())
