"""Camera files as programs write them: the focal lengths and the principal point in them, and of which picture size.

Read are our own JSON, those of RealSense, Open3D, NeRF and ROS, YAML of ROS and OpenCV, 3 x 3, 3 x 4 and 4 x 4 numbers
as text or NumPy files, and the text files of ScanNet, KITTI and COLMAP. Lens distortion is not applied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avsnet.errors import CalibrationError, LimitError
from avsnet.io.arrays import read_arrays
from avsnet.io.texts import parse_json, parse_yaml, read_text

_ALIASES = {
    "fx": ("fx", "fl_x"),
    "fy": ("fy", "fl_y"),
    "cx": ("cx", "ppx"),
    "cy": ("cy", "ppy"),
    "width": ("width", "w", "image_width"),
    "height": ("height", "h", "image_height"),
}
_MATRICES = ("intrinsic_matrix", "camera_matrix", "K", "k", "intrinsics", "intrinsic")
_COLMAP_FOCALS = {"SIMPLE_PINHOLE": 1, "SIMPLE_RADIAL": 1, "RADIAL": 1, "PINHOLE": 2, "OPENCV": 2, "FULL_OPENCV": 2}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True, eq=False)
class CameraFile:
    """What a camera file says.

    Args:
        matrix: (3, 3) pixels.
        size: (H, W) of the pictures that it is for; None if the file does not tell.
    """

    matrix: np.ndarray
    size: tuple[float, float] | None = None


def read_camera(path: Path) -> CameraFile:
    """Read a camera file of any of the forms above.

    Args:
        path: the file.

    Raises:
        CalibrationError: another form, or an entry that is missing or no number; the message does not name the file.
        OSError, ValueError: the file cannot be read.
    """
    if path.suffix.lower() in (".npy", ".npz"):
        return _of_arrays(path)
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return _of_entries(parse_json(text))
    for read in (_scannet_info, _kitti, _colmap, _yaml):
        camera = read(text)
        if camera is not None:
            return camera
    return CameraFile(_matrix(_numbers(text)))


def _of_arrays(path: Path) -> CameraFile:
    """A matrix, or the entry `intrinsics` of a prediction, whose depth map tells the size."""
    held = read_arrays(path)
    if isinstance(held, np.ndarray):
        return CameraFile(_matrix(held))
    if "intrinsics" not in held:
        raise CalibrationError(f"holds {', '.join(held) or 'nothing'}; name the camera 'intrinsics'")
    size = held["depth"].shape[-2:] if "depth" in held and held["depth"].ndim >= 2 else None
    return CameraFile(_matrix(held["intrinsics"]), size)


def _of_entries(entries: Any) -> CameraFile:
    """The camera from named entries of JSON or YAML."""
    if not isinstance(entries, Mapping):
        raise CalibrationError("neither JSON entries nor 3 x 3 numbers; give one of them")
    views = entries.get("parameters")
    if isinstance(views, list) and views:  # a trajectory of Open3D: every view has the camera
        return _of_entries(views[0])
    inner = entries.get("intrinsic", entries.get("intrinsics"))
    if isinstance(inner, Mapping):
        return _of_entries(inner)
    found = {name: _entry(entries, others) for name, others in _ALIASES.items()}
    size = None
    if found["width"] is not None and found["height"] is not None:
        size = found["height"], found["width"]
    for name in _MATRICES:
        if name in entries:
            given = entries[name]
            return CameraFile(_matrix(given["data"] if isinstance(given, Mapping) and "data" in given else given), size)
    missing = [name for name in ("width", "height", "fx", "fy", "cx", "cy") if found[name] is None]
    if missing:
        raise CalibrationError(f"lacks {', '.join(missing)}; give width, height, fx, fy, cx, cy in pixels")
    fx, fy, cx, cy = (found[name] for name in ("fx", "fy", "cx", "cy"))
    return CameraFile(np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]], dtype=np.float64), size)


def _entry(entries: Mapping[str, Any], names: Sequence[str]) -> float | None:
    """The number under the first of the names that is there."""
    given = next((entries[name] for name in names if name in entries), None)
    if given is None and not any(name in entries for name in names):
        return None
    try:
        return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise CalibrationError(f"{names[0]}: {given!r} must be numbers, in pixels") from None


def _matrix(given: Any) -> np.ndarray:
    """(3, 3) from 3 x 3, 3 x 4 or 4 x 4 numbers, from nine in a row by row or column, or from fx fy cx cy."""
    try:
        numbers = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise CalibrationError("intrinsics must be 3 x 3 numbers, in pixels") from None
    flat = numbers.ravel()
    if 1 in numbers.shape or numbers.ndim == 1:
        if flat.size == 4:
            fx, fy, cx, cy = flat
            return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
        shape = {9: (3, 3), 12: (3, 4), 16: (4, 4)}.get(flat.size)
        if shape is not None:
            numbers = flat.reshape(shape)
            # A list by columns, as Open3D writes it, has the principal point in its last row.
            if shape == (3, 3) and not numbers[:2, 2].any() and numbers[2, :2].any():
                numbers = numbers.T
    if numbers.shape in ((3, 4), (4, 4)):  # behind the camera's own columns stands where it is, which is not asked
        numbers = numbers[:3, :3]
    return numbers


def _numbers(text: str) -> list[list[float]]:
    """Rows of numbers, between spaces or commas; the brackets of printed arrays and comments are passed over."""
    rows = []
    separators = r"[\[\],;]" if text.lstrip().startswith("[[") else r"[,;]"
    for line in re.sub(separators, " ", text).splitlines():
        words = line.partition("#")[0].split()
        if words:
            try:
                rows.append([float(word) for word in words])
            except ValueError:
                raise CalibrationError("neither JSON nor 3 x 3 numbers; give one of them") from None
    if not rows or len({len(row) for row in rows}) != 1:
        raise CalibrationError("neither JSON nor 3 x 3 numbers; give one of them")
    return rows


def _scannet_info(text: str) -> CameraFile | None:
    """The colour camera of ScanNet: `<scene>.txt` (fx_color = ..) or `_info.txt` (m_calibrationColorIntrinsic = ..)."""
    pairs = {name: value.strip() for name, value in re.findall(r"^[ \t]*(\w+)[ \t]*=[ \t]*(\S.*)$", text, re.MULTILINE)}
    if "m_calibrationColorIntrinsic" in pairs:
        matrix = _matrix(_numbers(pairs["m_calibrationColorIntrinsic"]))
        width, height = pairs.get("m_colorWidth"), pairs.get("m_colorHeight")
    elif {"fx_color", "fy_color", "mx_color", "my_color"} <= set(pairs):
        matrix = _matrix(_numbers(" ".join(pairs[f"{name}_color"] for name in ("fx", "fy", "mx", "my"))))
        width, height = pairs.get("colorWidth"), pairs.get("colorHeight")
    else:
        return None
    return CameraFile(matrix, None if width is None or height is None else (float(height), float(width)))


def _kitti(text: str) -> CameraFile | None:
    """The left colour camera of KITTI's calibration: P_rect_02 and its size S_rect_02, or P2."""
    lines = dict(re.findall(r"^(\w+):\s*(.+)$", text, re.MULTILINE))
    for name, size_name in (("P_rect_02", "S_rect_02"), ("K_02", "S_02"), ("P2", "")):
        numbers = lines.get(name, "").split()
        if 9 <= len(numbers) <= 12 and all(re.fullmatch(_NUMBER, number) for number in numbers):
            size = None
            if size_name in lines:
                width, height = (float(number) for number in lines[size_name].split())
                size = height, width
            return CameraFile(_matrix(_numbers(lines[name])), size)
    return None


def _colmap(text: str) -> CameraFile | None:
    """The camera of COLMAP's `cameras.txt`: ID MODEL WIDTH HEIGHT PARAMETERS, where 0 is the corner of a pixel."""
    rows = [line.split() for line in text.splitlines() if re.match(r"\s*\d+\s+[A-Z_]+\s+\d+\s+\d+\s", line)]
    if not rows:
        return None
    if len({tuple(row[1:]) for row in rows}) > 1:
        raise CalibrationError(f"holds {len(rows)} different cameras; keep the line of this picture's")
    model, width, height, *parameters = rows[0][1:]
    if model not in _COLMAP_FOCALS:
        raise CalibrationError(f"COLMAP's camera model {model} is no pinhole; undistort the pictures first")
    count = _COLMAP_FOCALS[model]
    fx, fy = float(parameters[0]), float(parameters[count - 1])
    cx, cy = (float(number) - 0.5 for number in parameters[count : count + 2])
    matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return CameraFile(matrix, (float(height), float(width)))


def _yaml(text: str) -> CameraFile | None:
    """ROS's camera_info and OpenCV's calibration: the first document, if it has named entries."""
    if not re.search(r"^[ \t]*\w+:\s", text + "\n", re.MULTILINE):
        return None
    plain = re.sub(r"^%YAML.*$|!!opencv-matrix", "", text, flags=re.MULTILINE)
    try:
        entries = parse_yaml(plain)
    except LimitError:
        raise
    except ValueError:
        raise CalibrationError("neither JSON, YAML nor 3 x 3 numbers; give one of them") from None
    return _of_entries(entries) if isinstance(entries, Mapping) else None
