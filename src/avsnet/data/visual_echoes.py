"""VisualEchoes: echoes simulated in 18 Replica scenes, with the pictures and depth of the same places.

Source: Gao et al., "VisualEchoes", ECCV 2020 (facebookresearch/VisualEchoes, CC-BY-4.0, next to the licences of
Replica, Habitat and SoundSpaces); split, range and the first 60 ms as in "Beyond Image to Depth", CVPR 2021. Layout:

    scene_observations_{128,140,256,280}.pkl   {scene: {(location, orientation): {"rgb": uint8, "depth": metres}}}
    echoes_navigable/<scene>/3ms_sweep/<orientation>/<location>.wav   44.1 kHz, two ears, 1 s
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.range_axis import AS_RECORDED, RangeAxis
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.array_pickle import read_array_pickle
from avsnet.data.check_report import Report
from avsnet.data.check_rows import Part, measure_sample
from avsnet.data.reading import KEYS, Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.transforms import check_size, resize_image, resize_nearest
from avsnet.errors import AudioError, DataError, EchoError, OptionError
from avsnet.io.recordings import read_wav
from avsnet.metrics import valid_depth

SPLITS = ("train", "test")
PUBLISHED_STATES = 6960
"""In both splits together: 1 740 locations in four orientations each."""

TEST_SCENES = ("apartment_2", "frl_apartment_5", "office_4")
"""The scenes that "Beyond Image to Depth" tests on; it trains on the other 15, and has no validation scene."""

IMAGE_SIZES = (128, 140, 256, 280)
"""Pixels; one file of pictures and depth for each."""

MAX_DEPTH = 14.104
"""Metres; the largest depth of Replica."""

FIRST_60_MS = RangeAxis(2_646, None)
"""The published range axis: nothing is aligned."""

State = tuple[str, int, int]
"""Where the agent stood: scene, location, orientation in degrees."""


class VisualEchoes(Dataset[dict[str, Any]]):
    """The states of one split, as samples with image, depth, valid, waveform, sample_rate and id.

    Pictures and depth stay in memory, 7 bytes a pixel: 0.8 GB for all 6 960 states at 128 pixels. While the file is
    read it takes about twice that.

    Args:
        root: folder with the pickle and `echoes_navigable`.
        split: "train" or "test".
        image_size: pixels, one of `IMAGE_SIZES`: which file to read.
        size: (h, w) to which pictures and depth are brought, pixels; None: as in the file.
        cap: metres; deeper pixels are unknown.
        axis: of recordings; at least the first 60 ms of each must be there.
        keys: which of image, waveform and depth to give.
        spectrogram: settings that turn `waveform` into `echo`; None: no `echo`.

    Raises:
        OptionError: an unknown split or image size.
        DataError: the pickle is missing, broken, hostile or of another form, or holds no state of the split.

    Attributes:
        states: the state behind each index, sorted.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        *,
        image_size: int = 128,
        size: tuple[int, int] | None = None,
        cap: float = MAX_DEPTH,
        axis: RangeAxis = FIRST_60_MS,
        keys: Sequence[str] = KEYS,
        spectrogram: SpectrogramSettings | None = None,
    ) -> None:
        check_size(size)
        if split not in SPLITS:
            raise OptionError(f"split: found {split!r}, wanted one of {', '.join(SPLITS)}")
        if image_size not in IMAGE_SIZES:
            raise OptionError(f"image_size: found {image_size!r}, wanted one of {', '.join(map(str, IMAGE_SIZES))}")
        self.root = Path(root)
        self.split, self.spectrogram = split, spectrogram
        self.size, self.cap, self.axis, self.keys = size, cap, axis, tuple(keys)
        path = _pickle(self.root, image_size)
        try:
            found = dict(_observations(read_array_pickle(path), split, image_size))
        except _FormError as error:
            raise DataError(f"{path}: {error}; wanted {{scene: {{(location, orientation): rgb and depth}}}}") from None
        if not found:
            raise DataError(f"{path}: no state of the {split} split; its scenes are not in this file")
        self.states: list[State] = sorted(found)
        # Two arrays, not thousands: workers then share their memory, as nobody counts references in it.
        self._images = np.empty((len(found), image_size, image_size, 3), np.uint8)
        self._depths = np.empty((len(found), image_size, image_size), np.float32)
        for index, state in enumerate(self.states):
            self._images[index], self._depths[index] = found.pop(state)

    def __len__(self) -> int:
        return len(self.states)

    def group_of(self, identity: str) -> str:
        """What images share that are hard or easy together: the scene."""
        return identity.partition("/")[0]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample of the contract.

        Args:
            index: of `states`.

        Returns:
            image (3, h, w), depth and valid (1, h, w), valid where 0 < depth <= cap, waveform (2, N), sample_rate
            44100, id "<scene>/<location>/<orientation>", echo where it was asked for.

        Raises:
            AudioError: the recording is missing or broken, of another rate, mono, or shorter than 60 ms.
            EchoError: it has no direct sound to align.
        """
        sample: dict[str, Any] = {"id": "/".join(map(str, self.states[index]))}
        if "image" in self.keys:
            sample["image"] = resize_image(self._images[index], self.size)
        if "waveform" in self.keys:
            sample |= {"waveform": torch.from_numpy(self._placed(index)), "sample_rate": SAMPLE_RATE}
            if self.spectrogram is not None:
                sample["echo"] = self.spectrogram(sample["waveform"])
        if "depth" in self.keys:
            depth, valid = valid_depth(resize_nearest(self._depths[index], self.size), self.cap)
            sample |= {"depth": torch.from_numpy(depth)[None], "valid": torch.from_numpy(valid)[None]}
        return sample

    def _placed(self, index: int) -> np.ndarray:
        """(2, N) on the range axis."""
        path = self.echo_path(index)
        waveform = _two_ears(path)
        if self.axis.align is None:
            return self.axis.place(waveform)
        try:
            return self.axis.place(waveform, direct_sound(waveform))
        except EchoError as error:
            raise EchoError(f"{path}: {error}") from None

    def echo_path(self, index: int) -> Path:
        """The recording of one state."""
        scene, location, orientation = self.states[index]
        return self.root / "echoes_navigable" / scene / "3ms_sweep" / str(orientation) / f"{location}.wav"


class _FormError(Exception):
    """What was found in a pickle of another form."""


def _observations(scenes: Any, split: str, size: int) -> Iterator[tuple[State, tuple[np.ndarray, np.ndarray]]]:
    """States of the split with their rgb (size, size, 3) uint8 and depth (size, size) metres."""
    if not isinstance(scenes, dict):
        raise _FormError(f"holds a {type(scenes).__name__}")
    for scene, states in scenes.items():
        # The name becomes a part of a path.
        if not isinstance(scene, str) or scene in ("", ".", "..") or "/" in scene or "\\" in scene:
            raise _FormError(f"{scene!r} is no name of a scene")
        if (scene in TEST_SCENES) != (split == "test"):
            continue
        if not isinstance(states, dict):
            raise _FormError(f"scene {scene} is a {type(states).__name__}")
        for state, views in states.items():
            if not (isinstance(state, tuple) and len(state) == 2 and all(re.fullmatch(r"\d+", str(p)) for p in state)):
                raise _FormError(f"scene {scene} has the key {state!r}")
            if not isinstance(views, dict) or not {"rgb", "depth"} <= views.keys():
                raise _FormError(f"scene {scene}, {state} lacks rgb or depth")
            rgb, depth = (views[name] for name in ("rgb", "depth"))
            _check_array(f"scene {scene}, {state}: rgb", rgb, "u", ((size, size, 3), (size, size, 4)))
            _check_array(f"scene {scene}, {state}: depth", depth, "f", ((size, size),))
            yield (scene, int(state[0]), int(state[1])), (rgb[..., :3], depth)


def _check_array(name: str, found: Any, kind: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    if not isinstance(found, np.ndarray):
        raise _FormError(f"{name} is a {type(found).__name__}, not an array")
    if found.dtype.kind != kind or (kind == "u" and found.dtype.itemsize != 1) or found.shape not in shapes:
        raise _FormError(f"{name} is {found.dtype} {found.shape}")


def _two_ears(path: Path) -> np.ndarray:
    """(2, N) within -1..1."""
    recording = read_wav(path)
    if recording.sample_rate != SAMPLE_RATE:
        raise AudioError(f"{path}: {recording.sample_rate} Hz; these echoes have {SAMPLE_RATE} Hz")
    least = FIRST_60_MS.samples or 0
    if recording.waveform.shape[0] != 2 or recording.waveform.shape[1] < least:
        channels, samples = recording.waveform.shape
        raise AudioError(f"{path}: {channels} x {samples} samples; wanted two ears and 60 ms = {least} samples")
    return recording.waveform.clip(-1.0, 1.0)


def _open(root: str, reading: Reading) -> VisualEchoes:
    """Of the files of pictures that are there, the smallest that need not be enlarged."""
    there = [size for size in IMAGE_SIZES if _pickle(Path(root), size).is_file()] or [IMAGE_SIZES[0]]
    enough = [size for size in there if reading.size is None or size >= max(reading.size)]
    return VisualEchoes(
        root,
        reading.split,
        image_size=enough[0] if enough else there[-1],
        size=reading.size,
        cap=MAX_DEPTH if reading.cap is None else reading.cap,
        axis=FIRST_60_MS if reading.axis.samples is None else reading.axis,
        keys=reading.keys,
    )


def _pickle(root: Path, size: int) -> Path:
    return root / f"scene_observations_{size}.pkl"


def _recognise(root: Path) -> bool:
    return any(root.glob("scene_observations_*.pkl"))


def _check(root: Path, report: Report, full_scale: float | None) -> list[Part]:
    """The smallest pictures that are there, and recordings in full."""
    sizes = [size for size in IMAGE_SIZES if _pickle(root, size).is_file()] or [IMAGE_SIZES[0]]
    report.remarks.append(f"pictures and depth of {sizes[0]} pixels were read")
    parts = []
    for split in SPLITS:
        try:
            data = VisualEchoes(root, split, image_size=sizes[0], axis=AS_RECORDED)
        except DataError as error:
            if str(error) not in report.broken:  # a broken file is broken for both splits
                report.broken.append(str(error))
            continue
        ids = ["/".join(map(str, state)) for state in data.states]
        parts.append(Part(split, ids, partial(measure_sample, data)))
    return parts


register_data_set(
    DataSetInfo(
        "visual_echoes",
        _open,
        recognise=_recognise,
        cap=MAX_DEPTH,
        splits=SPLITS,
        published={"all": PUBLISHED_STATES},
        check=_check,
    )
)
