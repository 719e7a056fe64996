"""Half-real data: pictures and depth of any data set that has both, with echoes made of that depth.

Every frame has a rig of its own, which its sample carries: whoever may know it (ranging, a network that takes it) does.
Recordings are a function of the seed, the frame's id and its depth, and are kept on disk, whole or absent.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.range_axis import AS_RECORDED, RangeAxis
from avsnet.data.reading import Reading
from avsnet.data.registry import DataSetInfo, OpenedData, open_data, register_data_set
from avsnet.errors import AvsnetError, DataError, OptionError
from avsnet.geometry import camera_of
from avsnet.io.arrays import read_array
from avsnet.io.whole_files import atomic_path
from avsnet.rooms.cache import FULL
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.rooms.simulator import VERSION
from avsnet.rooms.sound.plane_echo import echo_by_planes
from avsnet.rooms.sound.rig import RecordingRig
from avsnet.rooms.soundings import sounding_rig
from avsnet.rooms.workers import spread

DURATION = 0.25
"""Seconds of a recording: 40 m there and back."""

_BELOW = 0.1  # metres that a rig may reach below its camera: of the floor nothing is known

RENDERERS = ("rooms", "planes")
"""What makes echoes: the acoustics of the simulated rooms, which networks are trained on; or pyroomacoustics on the
planes of the depth, which none is."""


@dataclass(frozen=True, eq=False)
class View:
    """What an echo is made of.

    Attributes:
        id: of the frame.
        depth: (H, W) float32 metres at the frame's own size, 0 = unknown.
        intrinsics: (3, 3) pixels of it.
    """

    id: str
    depth: np.ndarray
    intrinsics: np.ndarray


class HalfReal(Dataset[dict[str, Any]]):
    """Samples of another data set with `waveform`, `sample_rate` and `rig` (an `avsnet.audio.rig.Rig`) beside the rest.

    Args:
        data: gives samples with depth, as they are wanted.
        measured: the same samples in the same order, with depth at its own size: what echoes are made of. A sample
            without intrinsics counts as seen with 70 degrees.
        cap: metres up to which depth of `data` counts.
        seed: of rigs, materials, what no camera sees, and noise.
        rigs: recordings of each frame, each by another rig and a sample of its own: the first `len(data)` samples are
            those of one rig, as are the next. A run of E epochs with one rig a frame has the length of one of E / rigs.
            The first is of the kind that networks are evaluated with, the others of all kinds (`sounding_rig`).
        axis: of recordings; the direct sound is found by the rig's geometry.
        cache: folder to keep recordings in; None: they are made each time.
        hears: whether samples have recordings.
        renderer: one of `RENDERERS`.

    Raises:
        OptionError: a seed below 0, less than one rig, or an unknown renderer.
    """

    def __init__(
        self,
        data: Dataset[dict[str, Any]],
        measured: Dataset[dict[str, Any]],
        cap: float,
        *,
        seed: int = 0,
        rigs: int = 1,
        axis: RangeAxis = AS_RECORDED,
        cache: str | Path | None = None,
        hears: bool = True,
        renderer: str = "rooms",
    ) -> None:
        if renderer not in RENDERERS:
            raise OptionError(f"renderer {renderer!r} is none of {', '.join(RENDERERS)}")
        if seed < 0:
            raise OptionError(f"seed {seed} is below 0")
        if rigs < 1:
            raise OptionError(f"rigs {rigs}: give 1 or more")
        self.data, self.measured, self.cap, self.axis, self.hears = data, measured, cap, axis, hears
        self.seed, self.rigs, self.renderer = seed, rigs, renderer
        self.cache = None if cache is None else Path(cache) / "half_real"
        self.frames = len(data)  # type: ignore[arg-type]
        self._names: dict[tuple[int, int], tuple[str, str]] = {}  # id and file of recordings that were asked for

    def __len__(self) -> int:
        return self.frames * self.rigs

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample.

        Raises:
            AvsnetError: as the data set's own, and where no echo can be made of the depth.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        row, turn = index % self.frames, index // self.frames
        sample = dict(self.data[row])
        if turn:
            sample["id"] = f"{sample['id']}/rig{turn}"
        if not self.hears:
            return sample
        rig = self.rig(index, sample["id"])
        waveform = self.axis.place(self.recording(index), rig.direct_sample)
        return sample | {
            "waveform": torch.from_numpy(waveform),
            "sample_rate": SAMPLE_RATE,
            "rig": rig.geometry,
        }

    def group_of(self, identity: str) -> str:
        """As the data set's own: what images share that are hard or easy together."""
        return str(self.data.group_of(_frame_of(identity)))  # type: ignore[attr-defined]

    def room_type_of(self, identity: str) -> str:
        """As the data set's own, where it tells: the kind of room."""
        told = getattr(self.data, "room_type_of", None)
        return "" if told is None else str(told(_frame_of(identity)))

    def view(self, index: int) -> View:
        """What the echo of a sample is made of.

        Raises:
            DataError: its depth cannot be read or none of it is known.
        """
        row = index % self.frames
        try:
            sample = self.measured[row]
            if "depth" not in sample or not sample["valid"].any():
                raise DataError(f"{sample['id']}: no pixel has a known depth, of which an echo could be made")
        except DataError:
            raise
        except AvsnetError as error:
            raise DataError(f"frame {row}: {error}") from None
        depth = sample["depth"][0].numpy()
        known = sample["intrinsics"].double().numpy() if "intrinsics" in sample else None
        camera, _ = camera_of(known, None, depth.shape)
        turn = index // self.frames
        return View(f"{sample['id']}/rig{turn}" if turn else sample["id"], depth, camera)

    def rig(self, index: int, name: str | None = None) -> RecordingRig:
        """The rig of a sample; its id, where it is known already, saves reading it."""
        number = _number(self.seed, "rig", self.view(index).id if name is None else name)
        return rig_for(number) if index < self.frames else sounding_rig(number, below=_BELOW)

    def recording(self, index: int, recorder: int | None = None) -> np.ndarray:
        """The echo of a sample's depth, as recorded.

        Args:
            index: whose depth is heard.
            recorder: whose rig records it; None: its own.

        Returns:
            (2, N) float32 at 44 100 Hz.

        Raises:
            DataError: there is no depth to make it of.
        """
        recorder = index if recorder is None else recorder
        view: View | None = None
        if (index, recorder) not in self._names:
            view = self.view(index)
            rig_id = view.id if recorder == index else self.view(recorder).id
            self._names[index, recorder] = rig_id, self._digest(view, rig_id, recorder >= self.frames)
        rig_id, digest = self._names[index, recorder]
        path = None if self.cache is None else self.cache / digest[:2] / f"{digest}.npy"
        if path is not None:
            try:
                kept = read_array(path)
                if kept.shape == () and kept.dtype.names == ("waveform", "peak"):
                    return _sound(kept)
            except (FileNotFoundError, ValueError):
                pass
        record = self._made(view or self.view(index), self.rig(recorder, rig_id))
        if path is not None:
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, record)
        return _sound(record)

    def fill(self, workers: int = 1, progress: bool = True) -> None:
        """Make every recording that the cache lacks.

        Args:
            workers: processes that make them.
            progress: whether to show a bar on standard error.

        Raises:
            OptionError: there is no cache.
        """
        if self.cache is None:
            raise OptionError("fill: the data set has no cache; give one")
        for _ in tqdm(
            spread(self._fill, range(len(self)), workers), total=len(self), unit="echo", disable=not progress
        ):
            pass

    def _fill(self, index: int) -> None:
        """For worker processes, which send nothing back; a frame without depth is found where it is used."""
        with suppress(DataError):
            self.recording(index)

    def _made(self, view: View, rig: RecordingRig) -> np.ndarray:
        """A recording as it is kept: waveform (int16, `FULL` standing for `peak`) and peak."""
        seed = self.room_seed(view)
        if self.renderer == "planes":
            waveform = echo_by_planes(view.depth, view.intrinsics, rig, seed=seed, duration=DURATION)
        else:
            waveform = echo_of_depth(view.depth, view.intrinsics, rig, seed=seed, duration=DURATION).waveform
        record = np.zeros((), [("waveform", "<i2", waveform.shape), ("peak", "<f4")])
        peak = max(float(np.abs(waveform).max()), 1e-12)
        record["waveform"], record["peak"] = np.round(waveform * (FULL / peak)), peak
        return record

    def room_seed(self, view: View) -> int:
        """Of materials, unseen surroundings and noise of an echo, whoever records it."""
        return _number(self.seed, "room", view.id)

    def _digest(self, view: View, rig_id: str, any_kind: bool) -> str:
        """Of everything that shapes a recording."""
        told = f"half_real-1|rooms-{VERSION}|{DURATION}|{_number(self.seed, 'rig', rig_id)}|{self.room_seed(view)}"
        told += "" if self.renderer == "rooms" else f"|{self.renderer}-1"
        told += "|sounding-1" if any_kind else ""
        digest = hashlib.sha256(f"{told}|{view.depth.shape}".encode())
        digest.update(np.ascontiguousarray(view.depth).tobytes())
        digest.update(np.ascontiguousarray(view.intrinsics).tobytes())
        return digest.hexdigest()[:32]


def open_half_real(source: str, reading: Reading, *, seed: int = 0, renderer: str = "rooms") -> OpenedData:
    """Open a data set that has depth, with echoes made of it in place of its own.

    Args:
        source: `NAME:WHERE` or a folder, as for `open_data`.
        reading: how samples are wanted; its `cap` counts for depth to learn from, not for echoes, which are made of all
            that counts by the data set's own cap.
        seed: as for `HalfReal`.
        renderer: as for `HalfReal`.

    Raises:
        OptionError: no such source, split or renderer, or one without depth.
        DataError: the data set is not as published.
    """
    silent = tuple(key for key in reading.keys if key != "waveform")
    opened = open_data(source, replace(reading, keys=silent))
    measured = open_data(source, replace(reading, size=None, cap=None, keys=("depth",)))
    data = HalfReal(
        opened.data,
        measured.data,
        opened.cap,
        seed=seed,
        rigs=reading.rigs,
        axis=reading.axis,
        cache=reading.cache,
        hears="waveform" in reading.keys,
        renderer=renderer,
    )
    return OpenedData(f"half_real:{opened.name}", data, opened.cap, opened.info)


def _frame_of(identity: str) -> str:
    """The id of the frame behind that of one of its recordings."""
    return re.sub(r"/rig\d+$", "", identity)


def _number(*parts: object) -> int:
    """A seed from words, alike on every machine."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:8], "big")


def _sound(record: np.ndarray) -> np.ndarray:
    return record["waveform"].astype(np.float32) * np.float32(record["peak"] / FULL)


def _open(where: str, reading: Reading) -> HalfReal:
    return open_half_real(where, reading).data  # type: ignore[return-value]


register_data_set(DataSetInfo("half_real", _open, where="SOURCE"))
