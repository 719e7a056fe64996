"""One's own captures: a folder of pictures and the recordings of the same names.

Source: our own layout, stated in `docs/own_recordings.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch.utils.data import Dataset

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.range_axis import AS_RECORDED, BATVISION_AXIS, RangeAxis
from avsnet.audio.rig import Rig
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.check_report import Report
from avsnet.data.check_rows import Part, measure_sample
from avsnet.data.pairing import pair
from avsnet.data.reading import KEYS, Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.transforms import check_size, resize_image, resize_nearest
from avsnet.errors import AudioError, AvsnetError, DataError, DepthError, EchoError, OptionError
from avsnet.geometry import read_intrinsics, resize_intrinsics
from avsnet.io.depth_maps import map_like_picture, read_depth
from avsnet.io.orientation import exif_orientation
from avsnet.io.pictures import IMAGE_SUFFIXES, read_image
from avsnet.io.recordings import ECHO_SUFFIXES, Recording, read_wav
from avsnet.metrics import valid_depth

_ASPECT = 0.01  # relative; as for intrinsics

CAP = 10.0
"""Metres up to which depth counts: what most depth cameras reach."""

DEPTH_SUFFIXES = (".npy", ".npz", ".png", ".tif", ".tiff")


@dataclass(frozen=True)
class Capture:
    """The files of one capture.

    Attributes:
        id: "<name>", or "<scene>/<name>" in a sub-folder.
        image: the picture.
        echo: the recording, whether it is there or not.
        depth: metric depth of the picture, if there is any.
        intrinsics: the camera, if it is known.
        obstacle: why no recording could be chosen; "" where one was, or would be by its name.
    """

    id: str
    image: Path
    echo: Path
    depth: Path | None
    intrinsics: Path | None
    obstacle: str = ""


class CaptureFolder(Dataset[dict[str, Any]]):
    """A folder of captures, as samples with image, waveform, sample_rate and id, and what else is there.

    Args:
        root: the folder.
        size: (h, w) to which picture, depth and camera are brought, pixels; None keeps each picture's own.
        cap: metres; deeper pixels are unknown.
        axis: of recordings, in samples of their own rate; the direct sound is that of what the rig played.
        spectrogram: settings that turn `waveform` into `echo`; None: no `echo`.
        keys: which of image, waveform and depth to read; the picture always is, and files of the others need not be
            there where they are not wanted.

    Raises:
        OptionError: a size or a cap that is not positive.
        DataError: no captures, one name twice, or a `rig.json` in a scene.
        CalibrationError: a broken `rig.json`.

    Attributes:
        captures: the files behind each index, sorted by id.
        rig: of `rig.json`, or the assumed rig, whose `origin` says so.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        size: tuple[int, int] | None = None,
        cap: float = CAP,
        axis: RangeAxis = BATVISION_AXIS,
        spectrogram: SpectrogramSettings | None = None,
        keys: Sequence[str] = KEYS,
    ) -> None:
        check_size(size)
        if not cap > 0.0:
            raise OptionError(f"cap: found {cap}, wanted metres above 0")
        self.root = Path(root)
        self.size, self.cap, self.axis, self.spectrogram, self.keys = size, cap, axis, spectrogram, tuple(keys)
        self.captures = find_captures(self.root)
        self.rig = Rig.from_json(self.root / "rig.json") if (self.root / "rig.json").exists() else Rig()

    def __len__(self) -> int:
        return len(self.captures)

    def group_of(self, identity: str) -> str:
        """What images share that are hard or easy together: the sub-folder; captures without one are of one place."""
        return identity.rpartition("/")[0] or "."

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample of the contract.

        Args:
            index: of `captures`.

        Returns:
            image (3, h, w), id; waveform (2, N), sample_rate as recorded, where recordings are read; depth and valid
            (1, h, w) where there is a depth file; intrinsics (3, 3) where there is a camera; echo where it was asked
            for.

        Raises:
            ImageError: the picture cannot be read.
            AudioError: the recording is missing or broken, or has one channel.
            DataError: several recordings may be its own.
            EchoError: it has no direct sound to align.
            DepthError: the depth cannot be read, or has another aspect ratio than the picture.
            CalibrationError: the camera cannot be read or belongs to another picture.
        """
        capture = self.captures[index]
        pixels = read_image(capture.image)
        own = pixels.shape[:2]
        size = self.size or own
        sample: dict[str, Any] = {"id": capture.id, "image": resize_image(pixels, size)}
        if "waveform" in self.keys:
            if capture.obstacle:
                raise DataError(capture.obstacle)
            echo = read_wav(capture.echo)
            sample |= {"waveform": torch.from_numpy(self._placed(echo)), "sample_rate": echo.sample_rate}
            if self.spectrogram is not None:
                sample["echo"] = self.spectrogram(sample["waveform"])
        if capture.depth is not None and "depth" in self.keys:
            metres = map_like_picture(read_depth(capture.depth), capture.depth, capture.image)
            if abs(metres.shape[1] * own[0] / (metres.shape[0] * own[1]) - 1.0) > _ASPECT:
                raise DepthError(f"{capture.depth}: {metres.shape} with a picture of {own}; give the same aspect ratio")
            depth, valid = valid_depth(resize_nearest(metres, size), self.cap)
            sample["depth"] = torch.from_numpy(depth.astype(np.float32))[None]
            sample["valid"] = torch.from_numpy(valid)[None]
        if capture.intrinsics is not None:
            matrix = read_intrinsics(capture.intrinsics, own[1], own[0], exif_orientation(capture.image))
            matrix = resize_intrinsics(matrix, own, size)
            sample["intrinsics"] = torch.from_numpy(matrix.astype(np.float32))
        return sample

    def _placed(self, echo: Recording) -> np.ndarray:
        """(2, N) -> (2, samples) within -1..1: aligned, then cut or padded with zeros."""
        waveform = echo.waveform
        if waveform.shape[0] != 2:
            raise AudioError(
                f"{echo.path}: one channel; a sample holds two ears, left first: record with two microphones"
            )
        waveform = waveform.clip(-1.0, 1.0)
        if self.axis.align is None:
            return self.axis.place(waveform)
        template = soxr.resample(self.rig.emitted, SAMPLE_RATE, echo.sample_rate)
        try:
            return self.axis.place(waveform, direct_sound(waveform, echo.sample_rate, template))
        except EchoError as error:
            raise EchoError(f"{echo.path}: {error}") from None


def find_captures(root: Path) -> list[Capture]:
    """The captures of a folder and of its direct sub-folders, sorted by id; nothing is opened.

    Args:
        root: the folder.

    Raises:
        DataError: no folder, no picture in it, two pictures of one name, or a `rig.json` in a scene.
    """
    try:
        entries = [entry for entry in sorted(root.iterdir()) if not entry.name.startswith(".")]
        scenes = [entry for entry in entries if entry.is_dir()]
        found = _captures(root, "", root / "intrinsics.json")
        for scene in scenes:
            if (scene / "rig.json").exists():
                raise DataError(f"{scene / 'rig.json'}: one rig serves a whole folder; move it up to {root}")
            found += _captures(scene, f"{scene.name}/", root / "intrinsics.json")
    except OSError as error:
        raise DataError(f"{error.filename or root}: cannot be listed ({error.strerror}); name a folder") from None
    if not found:
        raise DataError(f"{root}: no picture in this folder or one level below ({' '.join(IMAGE_SUFFIXES)})")
    return sorted(found, key=lambda capture: capture.id)


def _captures(folder: Path, prefix: str, fallback: Path) -> list[Capture]:
    listed = [path for path in sorted(folder.iterdir()) if path.name[0] != "." and not path.is_dir()]
    files = {path.stem + path.suffix.lower(): path for path in listed}
    pictures = _pictures(listed)
    pairs = pair(pictures, [path for path in listed if path.suffix.lower() in ECHO_SUFFIXES])
    captures = []
    for path, found in zip(pictures, pairs, strict=True):
        name = path.stem
        depths = [files[f"{name}_depth{end}"] for end in DEPTH_SUFFIXES if f"{name}_depth{end}" in files]
        if len(depths) > 1:
            raise DataError(f"{depths[0]}: and {depths[1].name} are both the depth of {name}; keep one")
        cameras = (folder / f"{name}_intrinsics.json", folder / "intrinsics.json", fallback)
        captures.append(
            Capture(
                prefix + name,
                path,
                found.recording or folder / f"{name}.wav",
                depths[0] if depths else None,
                next((camera for camera in cameras if camera.exists()), None),
                f"{path}: {found.obstacle}" if found.candidates else "",
            )
        )
    return captures


def _pictures(listed: Sequence[Path]) -> list[Path]:
    """The pictures among files, without maps of depth; two of one name are a mistake."""
    pictures: dict[str, Path] = {}
    for path in without_depth([path for path in listed if path.suffix.lower() in IMAGE_SUFFIXES]):
        if path.stem in pictures:
            other = pictures[path.stem].name
            raise DataError(f"{path}: a second picture named {path.stem}, next to {other}; rename one")
        pictures[path.stem] = path
    return list(pictures.values())


def without_depth(pictures: Sequence[Path]) -> list[Path]:
    """Those that are not the depth map, or the panel of a prediction, of another one: `a_depth.png` next to `a.jpg`."""
    names = {path.with_name(path.stem) for path in pictures}
    endings = ("_depth", "_panel")
    belongs = {name.with_name(name.name + ending) for name in names for ending in endings}
    return [path for path in pictures if path.with_name(path.stem) not in belongs]


def _open(root: str, reading: Reading) -> CaptureFolder:
    cap = CAP if reading.cap is None else reading.cap
    return CaptureFolder(root, size=reading.size, cap=cap, axis=reading.axis, keys=reading.keys)


def _recognise(root: Path) -> bool:
    try:
        return bool(find_captures(root))
    except DataError:
        # One name twice, say: captures all the same.
        return any(root.glob("*.wav")) or any(root.glob("*/*.wav"))


def _check(root: Path, report: Report, full_scale: float | None) -> list[Part]:
    """Without a cap: depth in another unit shows by medians that no room has."""
    try:
        data = CaptureFolder(root, axis=AS_RECORDED, cap=float("inf"))
    except AvsnetError as error:
        report.broken.append(str(error))
        return []
    report.remarks.append(f"rig {data.rig.origin}")
    ids = [capture.id for capture in data.captures]
    return [Part("all", ids, partial(measure_sample, data, template=data.rig.emitted))]


register_data_set(DataSetInfo("folder", _open, recognise=_recognise, generic=True, cap=CAP, check=_check))
