"""Data sets of simulated rooms in the layouts of BatVision V1 and V2, as anyone's readers know them.

A data set may be written by many processes and machines, be killed and be started again: each file appears whole or not
at all, what is there is not made again, and the bytes depend on the options alone. Source: layouts as published by the
data set's authors; one file more in each, `simulator.json`, tells what they do not hold.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.errors import OptionError, OutputError
from avsnet.io.arrays import read_array
from avsnet.io.texts import read_json
from avsnet.io.whole_files import atomic_path
from avsnet.rooms.geometry.walk import FRAMES
from avsnet.rooms.preset import find_domain, find_preset
from avsnet.rooms.simulator import VERSION, describe, sample
from avsnet.rooms.sound.rig import RecordingRig
from avsnet.rooms.workers import spread

LAYOUTS = ("v1", "v2")
SPLITS = ("train", "val", "test")
DEFAULT_LAYOUT = {"offices": "v1", "historic": "v2"}

_SHARES = (1911, 625, 584)
"""Rows of V2's splits; every data set is split in these shares."""

_V1_SAMPLES = 4410  # V1 recordings last about 0.1 s
_FRAME_STEP = timedelta(milliseconds=100)
_FIRST_DAY = datetime(2019, 8, 1, 10)
_ROOMS = 1_000_000  # seeds of one data set; below the first million lie the rooms of `Rooms`
_CHUNK = 10  # frames of one task
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}(\.\w+)?")


@dataclass(frozen=True)
class Plan:
    """What is to be written.

    Args:
        domain: `"offices"` or `"historic"`.
        locations: rooms.
        poses: frames of each room: V1 a smooth walk, V2 different places.
        seed: of the data set; different seeds share no room.
        layout: `"v1"` or `"v2"`.
        size: (h, w) of picture and depth, pixels.
        preset: name of the simulator's knobs.

    Raises:
        OptionError: an option is outside what it allows.
    """

    domain: str
    locations: int
    poses: int
    seed: int = 0
    layout: str = "v1"
    size: tuple[int, int] = (256, 256)
    preset: str = "rooms-1"

    def __post_init__(self) -> None:
        find_domain(self.domain, find_preset(self.preset))
        for name, value, most in (("locations", self.locations, _ROOMS), ("poses", self.poses, 50_000)):
            if not 1 <= value <= most:
                raise OptionError(f"{name} {value}: give 1 to {most}")
        if self.seed < 0:
            raise OptionError(f"seed {self.seed} is below 0")
        if self.layout not in LAYOUTS:
            raise OptionError(f"unknown layout {self.layout!r}: choose v1 or v2")
        if not all(16 <= side <= 8192 for side in self.size):
            raise OptionError(f"size {self.size[0]}x{self.size[1]}: both sides must be 16 to 8192 pixels")

    def room(self, location: int) -> int:
        """The simulator's seed of a location."""
        return (self.seed + 1) * _ROOMS + location

    def frame(self, pose: int) -> int:
        """The simulator's frame of a pose: the next one of a walk, or the first one of the next walk."""
        return pose if self.layout == "v1" else pose * FRAMES

    def name(self, location: int) -> str:
        """The folder of a location: a day of V1, a place of V2."""
        if self.layout == "v1":
            return (_FIRST_DAY + timedelta(days=location)).strftime("%Y.%m.%d")
        return f"{self.domain}_{self.room(location):07d}"

    def files(self, location: int, pose: int) -> dict[str, str]:
        """Kind -> path relative to the data set's root."""
        folder = self.name(location)
        if self.layout == "v1":
            walk, step = divmod(pose, FRAMES)
            time = _FIRST_DAY + walk * timedelta(seconds=60) + step * _FRAME_STEP
            stamp = time.strftime("%H%M%S.%f")
            audio = f"{folder}/audio/raw_long/{stamp}"
            kinds = {"left": f"{audio}_left.npy", "right": f"{audio}_right.npy"}
            return kinds | {"depth": f"{folder}/depth/{stamp}.npy", "camera": f"{folder}/camera/left/{stamp}.jpg"}
        suffixes = {"audio": "wav", "depth": "npy", "camera": "jpeg"}
        return {kind: f"{folder}/{kind}/{kind}_{pose}.{suffix}" for kind, suffix in suffixes.items()}

    def whole(self, root: Path, location: int, pose: int) -> bool:
        """Whether all files of a pose are there, each as long as its head says."""
        return all(_is_whole(root / file) for file in self.files(location, pose).values())

    def options(self) -> dict[str, Any]:
        """What shapes the bytes, for `simulator.json`."""
        chosen = asdict(self) | {"size": list(self.size)}
        return chosen | {"simulator": VERSION, "knobs": json.loads(json.dumps(asdict(find_preset(self.preset))))}


def write_dataset(
    plan: Plan, root: Path, *, workers: int = 1, shard: tuple[int, int] = (1, 1), progress: bool = True
) -> int:
    """Write a data set, or what it still lacks of a shard.

    Args:
        plan: what to write.
        root: its folder: new, empty, or begun by the same plan.
        workers: processes.
        shard: (i, n): only every n-th location, beginning with the i-th; i counts from 1 to n, or from 0 to n - 1.
        progress: whether to show a bar on standard error.

    Returns:
        How many samples were made; those that were there do not count.

    Raises:
        OptionError: workers or shard make no sense.
        OutputError: the folder holds something else, or cannot be written.
    """
    number, of = shard
    if workers < 1 or of < 1 or not 0 <= number <= of:
        raise OptionError(
            f"workers {workers}, shard {number}/{of}: give 1 or more workers, and a shard I/N with I <= N"
        )
    check_folder(plan, root)
    mine = [location for location in range(plan.locations) if location % of == number % of]
    for location in mine:
        _clean((root / plan.name(location)).rglob(".*"))
    if of == 1:  # else another shard may be writing the tables
        _clean(root.glob(".*"))
    _mark(plan, root, mine)
    tasks = []
    for location in mine:
        missing = [pose for pose in range(plan.poses) if not plan.whole(root, location, pose)]
        tasks += [(location, missing[first : first + _CHUNK]) for first in range(0, len(missing), _CHUNK)]
    made = 0
    with tqdm(total=len(mine) * plan.poses, unit="sample", disable=None if progress else True) as bar:
        bar.update(len(mine) * plan.poses - sum(len(poses) for _, poses in tasks))
        for count in spread(partial(_write_poses, plan, root), tasks, workers):
            bar.update(count)
            made += count
    _finish(plan, root, mine)
    return made


def check_folder(plan: Plan, root: Path) -> None:
    """Refuse a folder that something else than this plan has begun.

    Raises:
        OutputError: it is not empty and not this plan's.
    """
    if root.exists() and not root.is_dir():
        raise OutputError(f"{root}: is a file; give a folder")
    if not root.exists():
        return
    own = {plan.name(location) for location in range(plan.locations)}
    own |= {"simulator.json", "rig.json", *(f"{split}.csv" for split in SPLITS)} if plan.layout == "v1" else set()
    names = sorted(entry.name for entry in root.iterdir() if not _TEMPORARY.fullmatch(entry.name))
    foreign = [name for name in names if name not in own]
    if foreign:
        raise OutputError(f"{root}: holds {foreign[0]}, which is not of this data set; give an empty folder")
    for folder in (root,) if plan.layout == "v1" and names else (root / name for name in names):
        begun = folder / "simulator.json"
        try:
            found = dict(read_json(begun)["options"])
        except (OSError, ValueError, KeyError, TypeError):
            if not any(folder.iterdir()):
                continue
            raise OutputError(f"{folder}: holds something without a simulator.json; give an empty folder") from None
        if found != plan.options():
            names = sorted(name for name, value in plan.options().items() if found.get(name) != value)
            raise OutputError(f"{root}: was begun with other {', '.join(names)}; give them, or an empty folder")


def split_of(plan: Plan, location: int, pose: int) -> str:
    """The split of a sample.

    V2 as published: all splits share their rooms, at least from three poses a room. V1 by location, so that triplets
    stay within a split; with fewer than three locations, by the order of time.
    """
    if plan.layout == "v2" and plan.poses >= 3:
        # In an order of its own for each room, so that no place in it is always tested.
        order = np.random.default_rng([plan.room(location), plan.poses]).permutation(plan.poses)
        return _split(int(order[pose]), plan.poses)
    if plan.locations >= 3:
        return _split(location, plan.locations)
    return _split(location * plan.poses + pose, plan.locations * plan.poses)


def _split(row: int, rows: int) -> str:
    """Which split the row-th of some rows is in; from three rows up each split has one."""
    train, val, test = (round(rows * share / sum(_SHARES)) for share in _SHARES)
    if rows >= 3:
        val, test = max(val, 1), max(test, 1)
    train = max(1, rows - val - test)
    return SPLITS[0] if row < train else SPLITS[1] if row < train + val else SPLITS[2]


def recording_rig(plan: Plan, location: int) -> RecordingRig:
    """The one rig of a data set; in every second room it stands on something level."""
    domain = find_domain(plan.domain, find_preset(plan.preset))
    rng = np.random.default_rng([plan.seed, 1])
    body = np.stack([rng.uniform(1e-4, 9e-4, (2, 2)), rng.uniform(-0.3, 0.3, (2, 2))], axis=-1)
    rig = RecordingRig(
        geometry=Rig(origin="known"), start=domain.start, resonance=domain.resonance, gain=0.05, body=body
    )
    standing = np.random.default_rng([plan.room(location), 2])
    if standing.random() < find_preset(plan.preset).plate:
        width, length, gap = standing.uniform([0.25, 0.25, 0.03], [0.6, 0.6, 0.06])
        rig = replace(rig, plate=(width, length, rig.geometry.speaker[1] + gap))
    return rig


def _is_whole(path: Path) -> bool:
    """Whether a file is there to its end; a full disk and a crash of the machine leave files that are not."""
    try:
        if path.suffix == ".npy":
            return read_array(path, mapped=True).size > 0
        with path.open("rb") as file:
            head = file.read(8)
            file.seek(-2, os.SEEK_END)
            tail, length = file.read(), file.tell()
    except (OSError, ValueError):
        return False
    if path.suffix == ".wav":
        return head[:4] == b"RIFF" and int.from_bytes(head[4:], "little") + 8 == length
    return head[:2] == b"\xff\xd8" and tail == b"\xff\xd9"


def _write_poses(plan: Plan, root: Path, task: tuple[int, list[int]]) -> int:
    location, poses = task
    rig = recording_rig(plan, location)
    for pose in poses:
        made = sample(
            plan.domain,
            plan.room(location),
            plan.frame(pose),
            size=plan.size,
            rig=rig,
            preset=plan.preset,
            samples=_V1_SAMPLES if plan.layout == "v1" else None,
        )
        files = {kind: root / file for kind, file in plan.files(location, pose).items()}
        with atomic_path(files["camera"]) as path:
            Image.fromarray(made["rgb"]).save(path, format="JPEG", quality=90)
        depth = made["depth_sensor"] if plan.layout == "v2" else _v1_depth(plan, made)
        with atomic_path(files["depth"]) as path:
            np.save(path, depth)
        if plan.layout == "v2":
            with atomic_path(files["audio"]) as path:
                soundfile.write(path, made["audio"].T, SAMPLE_RATE, subtype="PCM_32")
            continue
        for ear, kind in enumerate(("left", "right")):
            with atomic_path(files[kind]) as path:
                np.save(path, made["audio"][ear])
    return len(poses)


def _v1_depth(plan: Plan, made: dict[str, Any]) -> np.ndarray:
    """(H, W) float32 millimetres as a stereo camera writes them: infinite too far or too near, NaN where it failed."""
    domain = find_domain(plan.domain, find_preset(plan.preset))
    depth = made["depth_sensor"].astype(np.float32)
    missing = depth == 0.0
    far = (made["depth"] > domain.cap) | (made["depth"] == 0.0)
    depth[missing] = np.nan
    depth[missing & far] = np.inf
    depth[missing & ~far & (made["depth"] < domain.depth.nearest)] = -np.inf
    return depth


def _mark(plan: Plan, root: Path, mine: list[int]) -> None:
    """Tell in the folders whose they are, before there is anything in them."""
    for folder in (root,) if plan.layout == "v1" else (root / plan.name(location) for location in mine):
        if not (folder / "simulator.json").is_file():
            _write_json(folder / "simulator.json", {"options": plan.options()})


def _finish(plan: Plan, root: Path, mine: list[int]) -> None:
    """Write tables and records where all samples are there: in V2 of each room, in V1 when no shard is missing."""
    if plan.layout == "v2":
        for location in mine:
            _write_tables(plan, root, root / plan.name(location), [location])
        return
    everything = ((location, pose) for location in range(plan.locations) for pose in range(plan.poses))
    if all(plan.whole(root, *one) for one in everything):
        _write_tables(plan, root, root, list(range(plan.locations)))


def _write_tables(plan: Plan, root: Path, folder: Path, locations: list[int]) -> None:
    tables: dict[str, list[dict[str, object]]] = {split: [] for split in SPLITS}
    samples = []
    camera: list[list[float]] = []
    for location in locations:
        for pose in range(plan.poses):
            known = describe(plan.domain, plan.room(location), plan.frame(pose), size=plan.size, preset=plan.preset)
            camera = known["K"].tolist()
            files = plan.files(location, pose)
            split = split_of(plan, location, pose)
            facts = {"k": known["k"], "ambiguous": known["ambiguous"], "room_type": known["room_type"]}
            tables[split].append(_row(plan, files) | {name.replace("_", " "): fact for name, fact in facts.items()})
            place = {"location": plan.name(location), "seed": plan.room(location), "frame": plan.frame(pose)}
            samples.append(place | facts | {"split": split, "pose": known["pose"].tolist(), "files": files})
    recording_rig(plan, locations[0]).geometry.to_json(folder / "rig.json")
    columns = [*_row(plan, plan.files(locations[0], 0)), "k", "ambiguous", "room type"]
    for split, rows in tables.items():
        with atomic_path(folder / f"{split}.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    units = "K pixels, pose camera to world in metres, files relative to the data set's root"
    _write_json(folder / "simulator.json", {"options": plan.options(), "units": units, "K": camera, "samples": samples})


def _row(plan: Plan, files: dict[str, str]) -> dict[str, object]:
    if plan.layout == "v1":
        names = {"audio path left": "left", "audio path right": "right", "depth path": "depth"}
        names |= {"camera path left": "camera"}
        return {column: files[kind] for column, kind in names.items()}
    row: dict[str, object] = {}
    for kind in ("audio", "depth", "camera"):
        row[f"{kind} path"], _, row[f"{kind} file name"] = files[kind].rpartition("/")
    return row


def _write_json(path: Path, entries: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def _clean(entries: Iterable[Path]) -> None:
    """Remove what a killed run left half written."""
    for entry in list(entries):
        if _TEMPORARY.fullmatch(entry.name):
            with suppress(OSError):
                entry.unlink()
