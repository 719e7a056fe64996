"""Point clouds out: binary PLY, and GLB, which browsers and phones show.

A GLB is glTF 2.0 in one file: a JSON chunk that describes, a binary chunk that holds the numbers. Source: Khronos glTF
2.0 specification, sections 3.6, 3.7 and 4.4.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avsnet.errors import DepthError, one_line
from avsnet.io.authorship import software
from avsnet.io.whole_files import atomic_path

_FLOAT, _BYTE, _ARRAY_BUFFER, _POINTS = 5126, 5121, 34962, 0  # numbers of the specification


def write_ply(
    path: str | Path,
    points: np.ndarray,
    colours: np.ndarray,
    unit: str = "m",
    *,
    comments: Sequence[str] = (),
    axes: str = "camera axes: x right, y down, z forward",
    confidence: float | None = None,
) -> None:
    """Write a coloured point cloud as binary little-endian PLY.

    Args:
        path: the file to write.
        points: (N, 3).
        colours: (N, 3) uint8 RGB.
        unit: of the points.
        comments: lines for the header.
        axes: in words, for the header.
        confidence: 0 to 1, of every point; None: no such property.

    Raises:
        DepthError: the shapes differ or the colours are not uint8.
        OutputError: the file cannot be written.
    """
    points, colours = checked_cloud(points, colours)
    fields = [("position", "<f4", 3), ("colour", "u1", 3), *([("confidence", "<f4")] if confidence is not None else [])]
    vertices = np.empty(len(points), dtype=fields)
    vertices["position"], vertices["colour"] = points, colours
    if confidence is not None:
        vertices["confidence"] = confidence
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {one_line(comment)}" for comment in (f"unit: {unit}; {axes}", *comments)),
        f"element vertex {len(points)}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {colour}" for colour in ("red", "green", "blue")),
        *(["property float confidence"] if confidence is not None else []),
        "end_header\n",
    ]
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write("\n".join(header).encode("ascii", "replace"))
        vertices.tofile(file)


def write_glb(path: str | Path, points: np.ndarray, colours: np.ndarray, *, comments: Sequence[str] = ()) -> None:
    """Write a coloured point cloud as GLB.

    Args:
        path: the file to write.
        points: (N, 3) metres, x right, y up, z towards the viewer, as the format demands.
        colours: (N, 3) uint8 RGB.
        comments: lines kept as `extras` of the file.

    Raises:
        DepthError: no point, shapes that differ, or colours that are not uint8.
        OutputError: the file cannot be written.
    """
    points, colours = checked_cloud(points, colours)
    if not len(points):
        raise DepthError("a cloud without points cannot be written as GLB; use PLY")
    positions = np.ascontiguousarray(points, "<f4")
    rgba = np.full((len(points), 4), 255, np.uint8)  # four bytes a colour: the format aligns to four
    rgba[:, :3] = colours
    described = _described(positions, rgba.nbytes, comments)
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    size = positions.nbytes + rgba.nbytes
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + size))
        file.write(struct.pack("<I4s", len(text), b"JSON") + text)
        file.write(struct.pack("<I4s", size, b"BIN\0"))
        positions.tofile(file)
        rgba.tofile(file)


def _described(positions: np.ndarray, colour_bytes: int, comments: Sequence[str]) -> dict[str, object]:
    """The JSON chunk: one node, one mesh, one primitive of points."""
    count, start = len(positions), positions.nbytes
    place = {"bufferView": 0, "componentType": _FLOAT, "count": count, "type": "VEC3"}
    place |= {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    colour = {"bufferView": 1, "componentType": _BYTE, "normalized": True, "count": count, "type": "VEC4"}
    views = [
        {"buffer": 0, "byteOffset": 0, "byteLength": start, "target": _ARRAY_BUFFER},
        {"buffer": 0, "byteOffset": start, "byteLength": colour_bytes, "target": _ARRAY_BUFFER},
    ]
    primitive = {"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": _POINTS}
    return {
        "asset": {"version": "2.0", "generator": software(), "extras": {"comments": [*map(one_line, comments)]}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": [place, colour],
        "bufferViews": views,
        "buffers": [{"byteLength": start + colour_bytes}],
    }


def checked_cloud(points: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) points and as many colours.

    Raises:
        DepthError: they are not.
    """
    points, colours = np.asarray(points), np.asarray(colours)
    if points.ndim != 2 or points.shape[1] != 3 or colours.shape != points.shape or colours.dtype != np.uint8:
        raise DepthError(
            f"points {points.shape} must be (N, 3), and colours {colours.shape} {colours.dtype} (N, 3) uint8"
        )
    return points, colours
