"""What the ear learns from: true depth with a recording, of simulated rooms and of real depth with a made echo.

Making one takes a tenth of a second, so they are kept on disk: one file a room or picture, whole or absent.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.errors import DataError
from avsnet.io.whole_files import atomic_path
from avsnet.rooms.echo_of_depth import echo_of_depth
from avsnet.rooms.simulator import VERSION
from avsnet.rooms.soundings import Sounding, room_sounding, sounding_rig

PLACES = 2
"""Pairs of each room or picture."""

_VERSION = 2  # of the pairs, beside the simulator's
_SAMPLES = 6600  # of a recording: 25 m there and back
_FULL = 32_767
_NYU_CAMERA = np.array([[259.43, 0.0, 154.54], [0.0, 259.73, 120.62], [0.0, 0.0, 1.0]])
_THINNED = 2  # every so many-th pixel of real depth is kept
_CROP = (0.4, 0.9)  # share of a real picture's sides that its second pair shows
_SHRUNK = (0.35, 1.0)  # factor of a real scene's size in its second pair: desks seen from near are rare
_FARTHEST = (1.5, 6.0)  # times the nearest depth, past which half of the second pairs know nothing


@dataclass(frozen=True)
class Origin:
    """A room or picture.

    Args:
        kind: a domain of the simulated rooms, or `"nyu"`.
        number: the room's seed or the picture's number.
        root: of NYU Depth's labelled pictures.
    """

    kind: Literal["offices", "historic", "nyu"]
    number: int
    root: str = ""


@dataclass(frozen=True, eq=False)
class Pair:
    """True depth with its echo.

    Args:
        sounding: both, and the camera.
        box: (left, upper, right, lower) pixels of the real picture that it shows; None: there is no picture.
    """

    sounding: Sounding
    box: tuple[int, int, int, int] | None = None


def nyu_training(root: str | Path) -> list[int]:
    """Numbers of the pictures in NYU's training split.

    Raises:
        DataError: the list of the split is missing.
    """
    path = Path(root) / "split.csv"
    if not path.is_file():
        raise DataError(f"{path}: not found; give the folder of NYU Depth's labelled pictures")
    with path.open(newline="") as file:
        return [int(next(iter(row.values()))) for row in csv.DictReader(file) if row["split"] == "train"]


def pairs_of(origin: Origin, cache: str | Path) -> list[Pair]:
    """The pairs of a room or picture, made and kept if they were not there."""
    path = Path(cache) / f"pairs-{VERSION}.{_VERSION}" / origin.kind / f"{origin.number:07d}.npz"
    if path.exists():
        return _read(path)
    made = _nyu_pairs(origin) if origin.kind == "nyu" else _room_pairs(origin)
    with atomic_path(path) as temporary:
        _write(temporary, made)
    return made


def _room_pairs(origin: Origin) -> list[Pair]:
    return [Pair(room_sounding(origin.kind, origin.number, place, samples=_SAMPLES)) for place in range(PLACES)]


def _nyu_pairs(origin: Origin) -> list[Pair]:
    """The picture as it is; and a part of it, as if the scene were smaller and its far side not measured."""
    levels = np.asarray(Image.open(Path(origin.root) / "depth" / f"{origin.number:04d}.png"))
    depth = np.where((levels == 0) | (levels >= 254), 0.0, (levels + 0.5) / 25.5).astype(np.float32)
    height, width = depth.shape
    rng = np.random.default_rng([origin.number, 1])
    share = rng.uniform(*_CROP)
    left, upper = (int(rng.uniform(0.0, 1.0 - share) * side) for side in (width, height))
    box = (left, upper, left + int(share * width), upper + int(share * height))
    part = depth[box[1] : box[3], box[0] : box[2]] * np.float32(np.exp(rng.uniform(*np.log(_SHRUNK))))
    if rng.random() < 0.5 and (part > 0.0).any():
        part[part > np.quantile(part[part > 0.0], 0.05) * rng.uniform(*_FARTHEST)] = 0.0
    cropped = _NYU_CAMERA - np.array([[0.0, 0.0, left], [0.0, 0.0, upper], [0.0, 0.0, 0.0]])
    views = [(depth, _NYU_CAMERA, (0, 0, width, height)), (part, cropped, box)]
    return [_heard(origin, number, *view) for number, view in enumerate(views)]


def _heard(
    origin: Origin, number: int, depth: np.ndarray, intrinsics: np.ndarray, box: tuple[int, int, int, int]
) -> Pair:
    seed = np.random.SeedSequence([origin.number, number, 2])
    rig = sounding_rig(seed)
    echo = echo_of_depth(depth, intrinsics, rig, seed=[origin.number, number], duration=_SAMPLES / SAMPLE_RATE)
    thinned = np.diag([1 / _THINNED, 1 / _THINNED, 1.0]) @ intrinsics
    return Pair(Sounding(depth[::_THINNED, ::_THINNED], thinned, echo.waveform, rig.geometry), box)


def _write(path: Path, pairs: Sequence[Pair]) -> None:
    entries: dict[str, Any] = {}
    for number, pair in enumerate(pairs):
        sound = pair.sounding
        peak = max(float(np.abs(sound.waveform).max()), 1e-12)
        entries[f"depth{number}"] = np.round(sound.depth * 1000.0).clip(0, 65_535).astype(np.uint16)
        entries[f"waveform{number}"] = np.round(sound.waveform * (_FULL / peak)).astype(np.int16)
        entries[f"intrinsics{number}"], entries[f"peak{number}"] = sound.intrinsics, np.float32(peak)
        entries[f"rig{number}"] = np.array([sound.rig.speaker, *sound.rig.ears])
        entries[f"box{number}"] = np.array(pair.box or (), dtype=np.int32)
    with path.open("wb") as file:
        np.savez(file, **entries)


def _read(path: Path) -> list[Pair]:
    with np.load(path, allow_pickle=False) as entries:
        return [_pair(entries, number) for number in range(PLACES)]


def _pair(entries: dict[str, np.ndarray], number: int) -> Pair:
    speaker, left, right = entries[f"rig{number}"].tolist()
    waveform = entries[f"waveform{number}"].astype(np.float32) * (entries[f"peak{number}"] / np.float32(_FULL))
    depth = entries[f"depth{number}"].astype(np.float32) / np.float32(1000.0)
    box = tuple(int(side) for side in entries[f"box{number}"])
    rig = Rig(tuple(speaker), (tuple(left), tuple(right)), origin="known")
    return Pair(Sounding(depth, entries[f"intrinsics{number}"], waveform, rig), box or None)  # type: ignore[arg-type]
