"""How folders of pictures and depth maps are written: where both lie, what a stored number means, what camera saw them.

A convention is data. To add one: its entry in `CONVENTIONS`; for one folder alone, a file `rgbd.json` in it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from avsnet.errors import AvsnetError, DataError, DepthError
from avsnet.io.arrays import read_array
from avsnet.io.depth_maps import read_depth, read_map
from avsnet.io.pictures import IMAGE_SUFFIXES, open_picture, picture_size
from avsnet.io.recordings import ECHO_SUFFIXES
from avsnet.io.texts import read_json

DEPTH_SUFFIXES = (".png", ".npy", ".npz", ".tif", ".tiff", ".pgm")

CAMERA_FILES = (
    "K.txt",
    *(f"{stem}.{end}" for stem in ("intrinsics", "intrinsic", "camera", "camera_intrinsic") for end in ("json", "txt")),
    *(f"{folder}{stem}_color.txt" for folder in ("intrinsic/", "") for stem in ("intrinsic", "intrinsics")),
    *(f"{folder}{stem}_depth.txt" for folder in ("intrinsic/", "") for stem in ("intrinsic", "intrinsics")),
)
"""Camera files that are looked for in a scene and then in the root, the preferred first."""

SETTINGS = "rgbd.json"
"""File in the root that says how a folder of one's own is written."""

_DEEPEST = 3  # folders between the root and a scene
_LONGEST_NAME = 255  # characters of a file's name


@dataclass(frozen=True)
class Convention:
    """How a folder is written. In a pattern, `*` is what a picture and its depth map have in common in their names.

    Args:
        pictures: pattern of pictures in a scene, without the ending, such as `rgb/*`.
        depth: of depth maps.
        mask: of arrays that are above 0 where depth is known; None: there are none.
        depth_scale: units per metre; None: whole numbers are millimetres, floats metres.
        depth_offset: added to a stored number before it is divided, as numbers were rounded down.
        unknown: stored numbers that stand for no depth, next to 0.
        by_time: names are time stamps in seconds; each picture has the depth map that is nearest in time.
        camera: fx, fy, cx, cy where there is no camera file, and
        camera_size: (width, height) for which it holds, pixels.
        names: what names of pictures must look like for a folder to be recognised; None: anything.
        eight_bits: whether depth maps have 8 bits.
        neighbours: so many pictures next to each other by name may show one scene; None: all of a folder may.
    """

    pictures: str
    depth: str
    mask: str | None = None
    depth_scale: float | None = None
    depth_offset: float = 0.0
    unknown: tuple[int, ...] = ()
    by_time: bool = False
    camera: tuple[float, float, float, float] | None = None
    camera_size: tuple[int, int] | None = None
    names: str | None = None
    eight_bits: bool = False
    neighbours: int | None = None

    def read(self, depth: Path, mask: Path | None = None) -> np.ndarray:
        """Read a depth map.

        Returns:
            (H, W) float32 metres, 0 = unknown.

        Raises:
            DepthError: the map or its mask is broken, or no depth.
        """
        counted = self.eight_bits or self.unknown or self.depth_offset
        metres = self._counted(depth) if counted else read_depth(depth, self.depth_scale)
        if mask is None:
            return metres
        try:
            known = read_array(mask) > 0
        except (OSError, ValueError) as error:
            raise DepthError(f"{mask}: cannot be read as a mask of depth ({error}); copy it again") from None
        if known.shape[:2] != metres.shape:
            raise DepthError(f"{mask}: {known.shape} for depth of {metres.shape}; give the mask of this map")
        return np.where(known.reshape(metres.shape), metres, np.float32(0.0))

    def _counted(self, path: Path) -> np.ndarray:
        """Metres by the convention's own arithmetic."""
        assert self.depth_scale is not None
        stored = _eight_bits(path) if self.eight_bits else np.nan_to_num(read_map(path, 1.0)[0], posinf=0.0)
        metres = (stored + self.depth_offset) / self.depth_scale
        return np.where((stored <= 0) | np.isin(stored, self.unknown), 0.0, metres).astype(np.float32)


def _eight_bits(path: Path) -> np.ndarray:
    """(H, W) uint8 numbers, which `avsnet.io.depth_maps` takes for a picture for people."""
    try:
        with open_picture(path) as picture:
            stored = np.asarray(picture)
    except Exception as error:  # on a broken file Pillow's readers raise nearly anything
        raise DepthError(f"{path}: broken depth map ({error}); copy it again") from None
    if stored.dtype != np.uint8 or stored.ndim != 2:
        raise DepthError(f"{path}: {stored.dtype} of shape {stored.shape}, wanted 8-bit grey like the first map")
    return stored


CONVENTIONS: dict[str, Convention] = {
    "nyu_labelled": Convention(
        "images/*",
        "depth/*",
        depth_scale=25.5,
        depth_offset=0.5,
        unknown=(254, 255),
        camera=(259.43, 259.73, 154.54, 120.62),
        camera_size=(304, 228),
        eight_bits=True,
        neighbours=10,
    ),
    "diode": Convention("*", "*_depth", "*_depth_mask", camera=(886.81, 886.81, 511.5, 383.5), camera_size=(1024, 768)),
    "tum": Convention(
        "rgb/*",
        "depth/*",
        depth_scale=5000.0,
        by_time=True,
        camera=(525.0, 525.0, 319.5, 239.5),
        camera_size=(640, 480),
        names=r"\d+\.\d+",
    ),
    "images": Convention("images/*", "depth/*"),
    "color": Convention("color/*", "depth/*"),
}
"""Each known convention by name. Sources: NYU Depth V2 at 304 x 228 with 8 bits; DIODE's development kit; the page of
the TUM RGB-D benchmark; and millimetres next to a camera file, as ScanNet's and RealSense's exporters, Open3D's
recorder and many others write them."""


def files_of(scene: Path, pattern: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """The files of a pattern in a scene: what `*` stands for in each name, to its path, sorted."""
    folder, _, form = pattern.rpartition("/")
    before, _, after = form.partition("*")
    found: dict[str, Path] = {}
    if not (scene / folder).is_dir():
        return found
    for path in sorted((scene / folder).iterdir()):
        stem = path.stem
        fits = stem.startswith(before) and stem.endswith(after) and len(stem) > len(before) + len(after)
        if fits and path.suffix.lower() in suffixes and not path.name.startswith("."):
            found.setdefault(stem[len(before) : len(stem) - len(after)], path)
    return found


def camera_files(scene: Path, root: Path) -> tuple[Path, ...]:
    """The camera files of a scene: its own, else the root's."""
    for folder in (scene, root):
        found = tuple(folder / name for name in CAMERA_FILES if (folder / name).is_file())
        if found:
            return found
    return ()


def scenes_of(root: Path) -> tuple[Convention, list[Path]] | None:
    """The convention of a folder and its scenes: the root itself, or folders below it; None if no convention fits.

    Raises:
        DataError: a broken `rgbd.json`.
    """
    if (root / SETTINGS).exists():
        convention = read_settings(root / SETTINGS)
        return convention, [scene for scene in _folders(root, convention) if _has_pairs(scene, convention)]
    for convention in CONVENTIONS.values():
        scenes = [scene for scene in _folders(root, convention) if _fits(scene, convention)]
        if scenes:
            return convention, scenes
    return None


def is_unmistakable(root: Path) -> bool:
    """Whether a folder says what it is: by `rgbd.json`, by names and types of one data set, by its camera file.

    Without one it does where it holds no recordings: pictures and depth next to these may be captures.
    """
    if (root / SETTINGS).exists():
        return True
    found = scenes_of(root)
    if found is not None and (found[0].camera is not None or camera_files(found[1][0], root)):
        return True
    return (found is not None or _looks_usual(root)) and not _has_recordings(root)


def why_unknown(root: Path) -> str:
    """Why no convention fits a folder, for people."""
    if not _looks_usual(root):
        return "written by no convention that we know (rgb/, color/ or images/ next to depth/, or DIODE's)"
    if any(_has_pairs(root, convention) and _has_eight_bits(root, convention) for convention in CONVENTIONS.values()):
        return "depth/ has 8 bits and is not NYU's labelled set, so that its unit is not known"
    if (root / "rgb").is_dir():
        return "rgb/ next to depth/ without the time stamps of TUM: a unit of depth may be 1/1000 or 1/5000 m"
    return "no picture and depth map next to each other could be read"


def read_settings(path: Path) -> Convention:
    """Read `rgbd.json`: `pictures` and `depth`, and of the other fields of `Convention` those that are wanted.

    Raises:
        DataError: no JSON, an entry that is missing or unknown, or of another type.
    """
    try:
        entries: Any = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from None
    known = {field.name for field in fields(Convention)} - {"names", "eight_bits"}
    if not isinstance(entries, dict) or not {"pictures", "depth"} <= entries.keys():
        raise DataError(f'{path}: needs "pictures" and "depth", such as "rgb/*" and "depth/*"')
    for name in sorted(entries.keys() - known):
        raise DataError(f"{path}: unknown entry {name!r}; known are {', '.join(sorted(known))}")
    for name in ("pictures", "depth", "mask"):
        if name in entries and (not isinstance(entries[name], str) or entries[name].count("*") != 1):
            raise DataError(f'{path}: {name}: {entries[name]!r} is no pattern with one *, such as "{name}/*"')
        if max(map(len, str(entries.get(name, "")).split("/"))) > _LONGEST_NAME:
            raise DataError(f"{path}: {name}: a name of more than {_LONGEST_NAME} characters, which no file has")
    lists = {"unknown": None, "camera": 4, "camera_size": 2}
    for name, length in lists.items():
        if name in entries:
            entries[name] = _numbers(path, name, entries[name], length)
    if ("camera" in entries) != ("camera_size" in entries):
        raise DataError(f"{path}: give camera (fx, fy, cx, cy) and camera_size (width, height) together, in pixels")
    if "neighbours" in entries and not (type(entries["neighbours"]) is int and entries["neighbours"] > 0):
        raise DataError(f"{path}: neighbours: {entries['neighbours']!r} is no whole number of pictures from 1 on")
    for name, least in (("depth_scale", 0.0), ("depth_offset", None)):
        if name in entries and not (
            isinstance(entries[name], int | float) and (least is None or entries[name] > least)
        ):
            raise DataError(f"{path}: {name}: {entries[name]!r} is no number of units")
    convention = Convention(**entries)
    scenes = _folders(path.parent, convention)
    convention = replace(convention, eight_bits=bool(scenes) and _has_eight_bits(scenes[0], convention))
    if convention.depth_scale is None and (convention.eight_bits or convention.unknown or convention.depth_offset):
        raise DataError(f"{path}: unknown, depth_offset and maps of 8 bits need depth_scale, in units per metre")
    return convention


def _looks_usual(root: Path) -> bool:
    """Whether pictures and depth lie in folders that are usual, however they are written."""
    return (root / "depth").is_dir() and any((root / name).is_dir() for name in ("rgb", "color", "images"))


def _has_recordings(root: Path) -> bool:
    """Whether a recording lies in a folder or right below it."""
    folders = [root, *(path for path in root.iterdir() if path.is_dir())]
    return any(path.suffix.lower() in ECHO_SUFFIXES for folder in folders for path in folder.iterdir())


def _numbers(path: Path, name: str, given: Any, length: int | None) -> tuple[Any, ...]:
    numbers = given if isinstance(given, list) else []
    if not numbers or not all(isinstance(one, int | float) for one in numbers) or length not in (None, len(numbers)):
        raise DataError(f"{path}: {name}: {given!r} must be a list of {length or 'some'} numbers")
    return tuple(numbers)


def _folders(root: Path, convention: Convention, depth: int = _DEEPEST) -> list[Path]:
    """The root if it holds pairs, else those of the folders below that do, sorted."""
    if _has_pairs(root, convention):
        return [root]
    if depth == 0 or not root.is_dir():
        return []
    with os.scandir(root) as entries:  # knows folders without asking for each of many files
        below = sorted(Path(entry) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return [scene for path in below for scene in _folders(path, convention, depth - 1)]


def _has_pairs(scene: Path, convention: Convention) -> bool:
    """Whether there are depth maps of the convention, and all else that it wants, by what the folder holds alone."""
    parts = [*([convention.mask] if convention.mask else []), convention.depth, convention.pictures]
    if not all((scene / part.rpartition("/")[0]).is_dir() for part in parts):
        return False
    return all(files_of(scene, part, _suffixes(part, convention)) for part in parts)


def _suffixes(part: str, convention: Convention) -> tuple[str, ...]:
    if part == convention.pictures:
        return IMAGE_SUFFIXES
    return (".npy",) if part == convention.mask else DEPTH_SUFFIXES


def _fits(scene: Path, convention: Convention) -> bool:
    """Whether names and types of a scene's files are those of the convention."""
    if convention.names is not None:
        first = next(iter(files_of(scene, convention.pictures, IMAGE_SUFFIXES)))
        if not re.fullmatch(convention.names, first):
            return False
    if not _has_eight_bits(scene, convention):
        return not convention.eight_bits
    # Of 8 bits may be any map for people: NYU's have its size, or its list of parts beside them.
    depth = next(iter(files_of(scene, convention.depth, DEPTH_SUFFIXES).values()))
    of_its_size = convention.camera_size is not None and picture_size(depth) == convention.camera_size[::-1]
    return convention.eight_bits and (of_its_size or (scene / "split.csv").exists())


def _has_eight_bits(scene: Path, convention: Convention) -> bool:
    depth = next(iter(files_of(scene, convention.depth, DEPTH_SUFFIXES).values()))
    if depth.suffix.lower() in (".npy", ".npz"):
        return False
    try:
        with open_picture(depth) as picture:
            return picture.mode == "L"
    except (OSError, AvsnetError):
        return False
