"""One's own captures: a folder of pictures and the recordings of the same names.

Source: our own layout, stated in `docs/own_recordings.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch.utils.data import Dataset

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import align_direct
from avsnet.audio.rig import Rig
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.rows import DIRECT_AT, SAMPLES
from avsnet.data.transforms import check_size, resize_image, resize_nearest
from avsnet.depth_files import read_depth
from avsnet.errors import AudioError, DataError, DepthError, EchoError, OptionError
from avsnet.geometry import read_intrinsics, resize_intrinsics
from avsnet.io import ECHO_SUFFIXES, IMAGE_SUFFIXES, Recording, read_image, read_wav
from avsnet.metrics import valid_depth

_ASPECT = 0.01  # relative; as for intrinsics

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
    """

    id: str
    image: Path
    echo: Path
    depth: Path | None
    intrinsics: Path | None


class CaptureFolder(Dataset[dict[str, Any]]):
    """A folder of captures, as samples with image, waveform, sample_rate and id, and what else is there.

    Args:
        root: the folder.
        size: (h, w) to which picture, depth and camera are brought, pixels; None keeps each picture's own.
        cap: metres; deeper pixels are unknown.
        samples: every recording is cut or zero-padded to it, after alignment; None: as long as it is.
        align: the sample, at the recording's own rate, to which the direct sound of what the rig played is shifted;
            None: as recorded. The defaults of both are those of BatVision, so that all have one range axis.
        spectrogram: settings that turn `waveform` into `echo`; None: no `echo`.
        hears: whether recordings are read; where they are not, there need be none.

    Raises:
        OptionError: a size, a number of samples or a cap that is not positive, or a negative `align`.
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
        cap: float = float("inf"),
        samples: int | None = SAMPLES,
        align: int | None = DIRECT_AT,
        spectrogram: SpectrogramSettings | None = None,
        hears: bool = True,
    ) -> None:
        check_size(size)
        for name, value, least in (("samples", samples, 1), ("align", align, 0)):
            if value is not None and (type(value) is not int or value < least):
                raise OptionError(f"{name}: found {value!r}, wanted None or a whole number of samples, {least} or more")
        if not cap > 0.0:
            raise OptionError(f"cap: found {cap}, wanted metres above 0")
        self.root = Path(root)
        self.size, self.cap, self.samples, self.align, self.spectrogram = size, cap, samples, align, spectrogram
        self.hears = hears
        self.captures = find_captures(self.root)
        self.rig = Rig.from_json(self.root / "rig.json") if (self.root / "rig.json").exists() else Rig()

    def __len__(self) -> int:
        return len(self.captures)

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
            EchoError: it has no direct sound to align.
            DepthError: the depth cannot be read, or has another aspect ratio than the picture.
            CalibrationError: the camera cannot be read or belongs to another picture.
        """
        capture = self.captures[index]
        pixels = read_image(capture.image)
        own = pixels.shape[:2]
        size = self.size or own
        sample: dict[str, Any] = {"id": capture.id, "image": resize_image(pixels, size)}
        if self.hears:
            echo = read_wav(capture.echo)
            sample |= {"waveform": torch.from_numpy(self._placed(echo)), "sample_rate": echo.sample_rate}
            if self.spectrogram is not None:
                sample["echo"] = self.spectrogram(sample["waveform"])
        if capture.depth is not None:
            metres = read_depth(capture.depth)
            if abs(metres.shape[1] * own[0] / (metres.shape[0] * own[1]) - 1.0) > _ASPECT:
                raise DepthError(
                    f"{capture.depth}: {metres.shape} beside a picture of {own}; give the same aspect ratio"
                )
            depth, valid = valid_depth(resize_nearest(metres, size), self.cap)
            sample["depth"] = torch.from_numpy(depth.astype(np.float32))[None]
            sample["valid"] = torch.from_numpy(valid)[None]
        if capture.intrinsics is not None:
            matrix = resize_intrinsics(read_intrinsics(capture.intrinsics, own[1], own[0]), own, size)
            sample["intrinsics"] = torch.from_numpy(matrix.astype(np.float32))
        return sample

    def _placed(self, echo: Recording) -> np.ndarray:
        """(2, N) -> (2, samples) within -1..1: aligned, then cut or padded with zeros."""
        waveform = echo.waveform
        if waveform.shape[0] != 2:
            raise AudioError(
                f"{echo.path}: one channel; a sample holds two ears, left first: record with two microphones"
            )
        samples = self.samples or waveform.shape[1]
        # With room for whatever a shift to the right would otherwise push out.
        placed = np.zeros((2, max(samples, waveform.shape[1] + (self.align or 0))), np.float32)
        placed[:, : waveform.shape[1]] = waveform.clip(-1.0, 1.0)
        if self.align is not None:
            template = soxr.resample(self.rig.emitted, SAMPLE_RATE, echo.sample_rate)
            try:
                placed = align_direct(placed, self.align, echo.sample_rate, template)
            except EchoError as error:
                raise EchoError(f"{echo.path}: {error}") from None
        return placed[:, :samples].copy()


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
    pictures = [path for path in listed if path.suffix.lower() in IMAGE_SUFFIXES]
    stems = {path.stem for path in pictures}
    captures: dict[str, Capture] = {}
    for path in pictures:
        name = path.stem
        if name.endswith("_depth") and name.removesuffix("_depth") in stems:
            continue
        if name in captures:
            raise DataError(f"{path}: a second picture named {name}, beside {captures[name].image.name}; rename one")
        echo = next((files[name + end] for end in ECHO_SUFFIXES if name + end in files), folder / f"{name}.wav")
        depths = [files[f"{name}_depth{end}"] for end in DEPTH_SUFFIXES if f"{name}_depth{end}" in files]
        if len(depths) > 1:
            raise DataError(f"{depths[0]}: and {depths[1].name} are both the depth of {name}; keep one")
        cameras = (folder / f"{name}_intrinsics.json", folder / "intrinsics.json", fallback)
        captures[name] = Capture(
            prefix + name,
            path,
            echo,
            depths[0] if depths else None,
            next((camera for camera in cameras if camera.exists()), None),
        )
    return list(captures.values())
