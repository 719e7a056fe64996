"""The frames of an RGB-D folder: which depth map and which camera go with each picture. Nothing is opened."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsnet.data.rgbd_conventions import (
    DEPTH_SUFFIXES,
    SETTINGS,
    Convention,
    camera_files,
    files_of,
    scenes_of,
    why_unknown,
)
from avsnet.data.split_files import table_rows
from avsnet.errors import CalibrationError, DataError
from avsnet.geometry import read_intrinsics, resize_intrinsics
from avsnet.io.orientation import exif_orientation
from avsnet.io.pictures import IMAGE_SUFFIXES

ASPECT = 0.01
"""Relative difference up to which two aspect ratios are one; as for intrinsics."""

_APART = 0.02  # seconds between a picture and its depth map, as in the TUM benchmark's own tool


@dataclass(frozen=True, slots=True)
class Frame:
    """The files of one picture.

    Attributes:
        id: "<scene>/<name>", or "<name>" where the root is the only scene.
        image: the picture.
        depth: its depth map.
        mask: of that, if there is one.
        cameras: files that may be its camera, the preferred first.
    """

    id: str
    image: Path
    depth: Path
    mask: Path | None
    cameras: tuple[Path, ...]


def find_frames(root: Path) -> tuple[Convention, list[Frame]]:
    """The convention of a folder, and its frames sorted by id; no picture is opened.

    Raises:
        DataError: no folder, or none of a known convention; no picture has a depth map.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; name the one that holds pictures and depth maps")
    found = scenes_of(root)
    if found is None:
        raise DataError(
            f"{root}: {why_unknown(root)}; say how it is in "
            f'{SETTINGS}, such as {{"pictures": "rgb/*", "depth": "depth/*", "depth_scale": 1000}}'
        )
    convention, scenes = found
    listed = _listed_pairs(root / "pairs.csv")
    frames = [frame for scene in scenes for frame in _frames(scene, root, convention, listed)]
    if not frames:
        raise DataError(f"{root}: no picture of {convention.pictures} has a depth map of {convention.depth}")
    return convention, sorted(frames, key=lambda frame: frame.id)


def _frames(
    scene: Path, root: Path, convention: Convention, listed: dict[tuple[str, str], str] | None
) -> Iterable[Frame]:
    """The frames of one scene."""
    pictures = files_of(scene, convention.pictures, IMAGE_SUFFIXES)
    maps = files_of(scene, convention.depth, DEPTH_SUFFIXES)
    masks = {} if convention.mask is None else files_of(scene, convention.mask, (".npy",))
    where = scene.relative_to(root).as_posix() if scene != root else ""
    if listed is not None:
        files = {path.name: name for name, path in maps.items()}
        pairs = {
            name: files[other]
            for name, path in pictures.items()
            if (other := listed.get((where, path.name), listed.get(("", path.name), ""))) in files
        }
    elif convention.by_time:
        pairs = nearest_in_time(list(pictures), list(maps))
    else:
        pairs = {name: name for name in pictures if name in maps}
    cameras = camera_files(scene, root)
    for name, other in pairs.items():
        if convention.mask is None or other in masks:
            identity = f"{where}/{name}" if where else name
            yield Frame(identity, pictures[name], maps[other], masks.get(other), cameras)


def nearest_in_time(pictures: Sequence[str], maps: Sequence[str]) -> dict[str, str]:
    """Pair names that are time stamps, the nearest first, each once and none more than 0.02 s apart.

    >>> nearest_in_time(["1.00", "1.03"], ["1.01", "1.50"])
    {'1.00': '1.01'}
    """
    times = sorted((float(name), name) for name in maps)
    near = []
    for name in pictures:
        time = float(name)
        first, last = (bisect_left(times, (time + apart, "")) for apart in (-_APART, _APART))
        near += [(abs(other - time), name, stamp) for other, stamp in times[first:last]]
    pairs: dict[str, str] = {}
    taken: set[str] = set()
    for _, name, stamp in sorted(near):
        if name not in pairs and stamp not in taken:
            pairs[name] = stamp
            taken.add(stamp)
    return pairs


def _listed_pairs(path: Path) -> dict[tuple[str, str], str] | None:
    """(sequence or "", picture's file) -> its depth map's file, from `pairs.csv`; None if there is none."""
    if not path.exists():
        return None
    rows = table_rows(path, ("rgb", "depth"))
    return {(row.get("sequence") or "", Path(row["rgb"]).name): Path(row["depth"]).name for row in rows}


def camera_of_frame(frame: Frame, convention: Convention, size: tuple[int, int]) -> np.ndarray | None:
    """The camera of a picture: of the first file that fits it, or where there is no file the convention's.

    Args:
        frame: the files.
        convention: of the folder.
        size: (H, W) of the picture, pixels.

    Returns:
        (3, 3) pixels of the picture, or None.

    Raises:
        CalibrationError: no file fits it.
    """
    first: CalibrationError | None = None
    for path in frame.cameras:
        try:
            return read_intrinsics(path, size[1], size[0], exif_orientation(frame.image))
        except CalibrationError as error:  # a folder may hold the cameras of colour and of depth
            first = first or error
    if first is not None:
        raise first
    if convention.camera is None or convention.camera_size is None:
        return None
    fx, fy, cx, cy = convention.camera
    width, height = convention.camera_size
    if abs(width * size[0] / (height * size[1]) - 1.0) > ASPECT:
        return None
    matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return resize_intrinsics(matrix, (height, width), size)
