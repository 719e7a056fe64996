"""Simulated rooms as a data set: made when asked for, or read back from a cache on disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.range_axis import BATVISION_AXIS, RangeAxis
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.reading import Camera, Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.triplets import Footage
from avsnet.errors import OptionError
from avsnet.metrics import valid_depth
from avsnet.rooms.cache import FULL, Store
from avsnet.rooms.geometry.walk import FRAMES
from avsnet.rooms.preset import find_domain, find_preset
from avsnet.rooms.workers import spread


class Rooms(Dataset[dict[str, Any]]):
    """Simulated rooms, as samples of the contract.

    Args:
        domain: `"offices"` or `"historic"`.
        rooms: their seeds; a number n stands for 0 to n - 1.
        frames: of each room; frames of one hundred each are one walk, so 0, 100, 200 are three places in it.
        size: (h, w) of picture and depth, pixels.
        aspect: as in `sample`: 16 / 9 shows what the readers make of BatVision's pictures at a square size.
        depth: `"sensor"`: with a sensor's noise and holes; `"true"`: of every pixel up to the cap; None: no depth.
        cap: metres; None: the domain's.
        over_cap: "drop" or "clip", as in the readers.
        axis: of recordings; the direct sound is found by the rig's geometry, not by ear as the readers must. Without a
            length it is the preset's. None: pictures only, no sound is made.
        spectrogram: settings that give `echo`.
        preset: name of the simulator's knobs.
        cache: folder to keep samples in; None: they are made each time.
        oversample: as in `avsnet.rooms.cache.Store`; 1: pictures are made at their size.

    Attributes:
        items: seed and frame of each sample; ids are `<domain>/<seed>/<frame>`.
        folder: the cache's folder for these settings, or None.

    Raises:
        OptionError: a setting is outside what it allows.
    """

    def __init__(
        self,
        domain: str,
        rooms: int | Iterable[int],
        *,
        frames: Sequence[int] = (0,),
        size: tuple[int, int] = (256, 256),
        aspect: float | None = None,
        depth: str | None = "sensor",
        cap: float | None = None,
        over_cap: str = "drop",
        axis: RangeAxis | None = BATVISION_AXIS,
        spectrogram: SpectrogramSettings | None = None,
        preset: str = "rooms-1",
        cache: str | Path | None = None,
        oversample: int = 1,
    ) -> None:
        seeds = range(rooms) if isinstance(rooms, int) else list(rooms)
        if not len(seeds) or not len(frames):
            raise OptionError("rooms, frames: found none, wanted one or more")
        if depth not in ("sensor", "true", None):
            raise OptionError(f"depth: found {depth!r}, wanted sensor, true or None")
        if spectrogram is not None and axis is None:
            raise OptionError("axis: None makes no sound, of which there is no spectrogram; give a range axis")
        if oversample < 1:
            raise OptionError(f"oversample {oversample}: give 1 or more")
        self.domain, self.preset, self.size, self.aspect, self.depth = domain, preset, size, aspect, depth
        knobs = find_preset(preset)
        self.cap = find_domain(domain, knobs).cap if cap is None else cap
        valid_depth(np.zeros(1), self.cap, over_cap)
        if axis is not None and axis.samples is None:
            axis = replace(axis, samples=knobs.samples)
        self.over_cap, self.axis, self.spectrogram = over_cap, axis, spectrogram
        self.items = [(int(seed), int(frame)) for seed in seeds for frame in frames]
        kept = None if cache is None else Path(cache)
        self.store = Store(domain, size, aspect, axis, preset, kept, oversample)
        self.folder = self.store.folder

    def __len__(self) -> int:
        return len(self.items)

    def group_of(self, identity: str) -> str:
        """What images share that are hard or easy together: the room."""
        return identity.rpartition("/")[0]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The sample at a place; next to the contract's keys it has `k`, `ambiguous` and `room_type`."""
        seed, frame = self.items[index]
        record = self.store.read(seed, frame)
        found: dict[str, Any] = {
            "image": torch.from_numpy(record["rgb"].transpose(2, 0, 1).astype(np.float32) / np.float32(255.0)),
            "intrinsics": torch.from_numpy(record["K"].astype(np.float32)),
            "id": f"{self.domain}/{seed:07d}/{frame:04d}",
            "k": float(record["k"]),
            "ambiguous": bool(record["ambiguous"]),
            "room_type": str(record["room_type"]),
        }
        if self.depth is not None:
            stored = record["depth_sensor" if self.depth == "sensor" else "depth"]
            depth, valid = valid_depth(stored.astype(np.float64) / 1000.0, self.cap, self.over_cap)
            found["depth"], found["valid"] = (
                torch.from_numpy(depth.astype(np.float32))[None],
                torch.from_numpy(valid)[None],
            )
        if self.axis is not None:
            waveform = torch.from_numpy(record["waveform"].astype(np.float32) * np.float32(record["peak"] / FULL))
            found["waveform"], found["sample_rate"] = waveform, SAMPLE_RATE
            if self.spectrogram is not None:
                found["echo"] = self.spectrogram(waveform)
        return found

    def fill(self, workers: int = 1, progress: bool = True) -> int:
        """Make every sample that the cache lacks.

        Args:
            workers: processes that make them.
            progress: whether to show a bar on standard error.

        Returns:
            How many were made.

        Raises:
            OptionError: there is no cache.
        """
        if self.folder is None:
            raise OptionError("fill: the data set has no cache; give one")
        if workers < 1:
            raise OptionError(f"workers {workers}: give 1 or more")
        missing = [item for item in self.items if not self.store.path(*item).exists()]
        bar = tqdm(total=len(missing), unit="sample", disable=not progress)
        for _ in spread(self.store.fill, missing, workers):
            bar.update()
        bar.close()
        return len(missing)


class _Filmed(Dataset[dict[str, Any]]):
    """Rooms as frames: with the camera that the user gives, or their own."""

    def __init__(self, rooms: Rooms, camera: Camera) -> None:
        self.rooms, self.camera = rooms, camera

    def __len__(self) -> int:
        return len(self.rooms)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.rooms[index]
        matrix = self.camera(sample["intrinsics"].double().numpy(), self.rooms.size)
        return sample | {"intrinsics": torch.from_numpy(matrix.astype(np.float32))}


def parse_rooms(name: str, where: str) -> tuple[str, range]:
    """The domain and the seeds of a source NAME:DOMAIN:FIRST-LAST.

    Raises:
        OptionError: another form, or no room.
    """
    found = re.fullmatch(r"(\w+):(\d+)-(\d+)", where)
    if found is None:
        raise OptionError(f"source '{name}:{where}': wanted {name}:DOMAIN:FIRST-LAST, such as {name}:historic:0-1999")
    seeds = range(int(found[2]), int(found[3]) + 1)
    if not seeds:
        raise OptionError(f"source '{name}:{where}': holds no room; give the smaller seed first")
    return found[1], seeds


def _options(reading: Reading) -> dict[str, Any]:
    size = {} if reading.size is None else {"size": reading.size}
    return size | {"cap": reading.cap, "cache": reading.cache, "oversample": reading.oversample}


def _open(where: str, reading: Reading) -> Rooms:
    domain, seeds = parse_rooms("rooms", where)
    axis = reading.axis if "waveform" in reading.keys else None  # making sound is what takes time
    depth = "sensor" if "depth" in reading.keys else None
    return Rooms(domain, seeds, axis=axis, depth=depth, **_options(reading))


def _footage(where: str, reading: Reading, interval: int, camera: Camera) -> Footage:
    """Every so many frames of each walk: neighbouring triplets share pictures."""
    domain, seeds = parse_rooms("rooms", where)
    rooms = Rooms(domain, seeds, frames=range(0, FRAMES, interval), depth=None, axis=None, **_options(reading))
    return Footage(_Filmed(rooms, camera), [seed for seed, _ in rooms.items], 1)


register_data_set(DataSetInfo("rooms", _open, where="DOMAIN:FIRST-LAST", footage=_footage))
