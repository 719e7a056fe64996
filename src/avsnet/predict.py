"""One picture, and one echo where there is one, to depth in metres: the main job as one function.

An AVS-Net gives metres itself. Any other model gives the shape, and an AVS-Net, the time of flight of the echo or one
known distance gives the scale.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsnet.errors import DepthError, ModelError, OptionError

# `import avsnet` runs this file, and must stay cheap: numpy, torch and what needs them are imported by a call.
if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

    from avsnet.audio.rig import Rig
    from avsnet.io import Recording
    from avsnet.models.registry import ModelInfo
    from avsnet.prediction import Prediction
    from avsnet.scale.metres import Hearing

ASSUMED_FOV = 70.0
"""Degrees, horizontal: what most phone and web cameras have; taken where no camera is given, and said so."""

DEFAULT_MODEL = "avsnet_tiny_av"
"""The network that comes with the package; its visual twin ends in _v."""

SCALE_SOURCES = ("auto", "none", "ranging", "known:x,y,metres", "an AVS-Net by name or folder")
"""Where the metres can come from."""

_AVSNET = re.compile(r"avsnet_\w+_(av|v)")


def predict(
    image: str | Path | Image.Image | np.ndarray,
    echo: str | Path | np.ndarray | None = None,
    *,
    depth_model: str | torch.nn.Module = DEFAULT_MODEL,
    scale_from: str = "auto",
    sample_rate: int | None = None,
    intrinsics: str | Path | np.ndarray | None = None,
    rig: str | Path | Rig | None = None,
    fov: float | None = None,
) -> Prediction:
    """Depth of a picture in metres: the shape from any depth model, the scale from an AVS-Net, an echo or a distance.

    An echo that a network cannot use (silent, too short, clipped, of one ear) leads to a warning in the prediction,
    and to metres by sight alone where the network was trained for that.

    Args:
        image: a file, a PIL picture, or (H, W, 3) uint8 RGB.
        echo: a WAV file, or (2, N) floats in -1..1, left ear first, with their `sample_rate`; (1, N) works too.
        depth_model: a name for `create_model`, with its default weights, or NAME=PATH with those of a file or folder,
            loaded once per process; the folder of a saved AVS-Net; or a module that keeps the contract of
            `avsnet.models` and carries its `ModelInfo` as `info`.
        scale_from: the name or folder of an AVS-Net: the paper's rule, M = R median(Mp) / median(R), and for a model
            whose shift is open the least-squares fit of both. `"ranging"`: the time of flight of the echo.
            `"known:x,y,metres"`: the depth along the optical axis at pixel x, y of this picture. `"none"`: the model's
            own metres, or its own units with a warning. `"auto"`: none for an AVS-Net itself, else the packaged
            AVS-Net; without an echo the visual one, with a warning.
        sample_rate: hertz of an echo given as an array; a file brings its own.
        intrinsics: (3, 3) pixels of this picture, or a file for `avsnet.geometry.read_intrinsics`.
        rig: where speaker and ears sit, or its `rig.json`; None assumes the default rig and says so.
        fov: degrees, horizontal, in place of `intrinsics`; None of both assumes 70 and says so.

    Returns:
        The `Prediction`, at the picture's own size.

    Raises:
        ImageError: no picture, or a broken one.
        AudioError: no recording, or a broken one.
        EchoError: a recording that gives no scale: silent, no direct sound, too short, ambiguous; with ranging, or a
            network that cannot do without.
        ModelError: a model that is unknown, has no weights here, or fails.
        DepthError: the model's map has no usable pixel, or no plane to hear.
        CalibrationError: intrinsics, field of view or rig make no sense.
        OptionError: an option outside what it allows, or no way to a scale.
    """
    return predict_and_hear(
        image,
        echo,
        depth_model=depth_model,
        scale_from=scale_from,
        sample_rate=sample_rate,
        intrinsics=intrinsics,
        rig=rig,
        fov=fov,
    )[0]


def predict_and_hear(
    image: str | Path | Image.Image | np.ndarray,
    echo: str | Path | np.ndarray | None = None,
    *,
    depth_model: str | torch.nn.Module = DEFAULT_MODEL,
    scale_from: str = "auto",
    sample_rate: int | None = None,
    intrinsics: str | Path | np.ndarray | None = None,
    rig: str | Path | Rig | None = None,
    fov: float | None = None,
) -> tuple[Prediction, Hearing | None]:
    """As `predict`, and beside it what was heard: None unless the scale came from ranging."""
    from avsnet.audio.rig import Rig
    from avsnet.models.infer import infer
    from avsnet.models.listening import hears, sound_for
    from avsnet.scale.metres import by_network, known_pixel, to_metres

    picture = _picture(image)
    recording = None if echo is None else _recording(echo, sample_rate)
    model = _module(depth_model)
    info: ModelInfo = model.info  # type: ignore[assignment]
    source = scale_source(scale_from, info, recording is not None)
    camera, assumptions = camera_of(intrinsics, fov, picture.shape[:2])
    if rig is not None and not isinstance(rig, Rig):
        rig = Rig.from_json(rig)
    if source.startswith("known:"):
        known_pixel(source, picture.shape[:2])  # what is outside the picture is refused before the work
    provenance: Any = {
        "kind": info.output,
        "model": info.name,
        "weights_hash": getattr(model, "weights_hash", None),
        "assumptions": assumptions,
    }
    sound, warnings = sound_for(model, recording, rig)
    values = infer(model, picture, **sound)
    if not is_avsnet(source):
        depth = _as_depth(values, info)
        unused = None if hears(model) else recording  # what the depth model heard is no longer idle
        heard_for_scale = recording if source == "ranging" else unused
        return to_metres(depth, source, heard_for_scale, camera, rig, warnings=warnings, **provenance)
    network = _loaded(source)
    sound, more = sound_for(network, recording, rig)
    if not hears(network):
        reason = "no echo: the scale is from" if recording is None else "the echo was not used:"
        more = [f"{reason} {source}{', which' if recording is None else ''} only sees"]
    reference = infer(network, picture, **sound)
    return by_network(values, reference, source, camera, warnings=[*warnings, *more], **provenance), None


def scale_source(scale_from: str, info: ModelInfo, hears: bool) -> str:
    """Decide where the metres come from.

    Args:
        scale_from: one of `SCALE_SOURCES`.
        info: of the depth model.
        hears: whether there is an echo.

    Returns:
        `"none"`, `"ranging"`, `"known:x,y,metres"`, or the name or folder of an AVS-Net, which is then loaded.

    Raises:
        OptionError: an unknown source, ranging without an echo, or a model that one factor cannot bring to metres.
        ModelError: an AVS-Net without weights on this machine, or a folder that holds none.
    """
    if scale_from == "auto":
        own = info.name.startswith("avsnet_")
        scale_from = "none" if own else DEFAULT_MODEL if hears else f"{DEFAULT_MODEL.removesuffix('_av')}_v"
    if is_avsnet(scale_from):
        _loaded(scale_from)
        return scale_from
    if info.output.startswith("affine"):
        raise OptionError(
            f"{info.name} gives {info.output}: beside the scale it leaves a shift open, which neither an echo nor "
            "one known distance sets; take an AVS-Net as scale_from, a model of depth or disparity, or see "
            "avsnet scale --reference"
        )
    if scale_from == "ranging" and not hears:
        raise OptionError("scale_from ranging needs an echo; give the recording")
    if scale_from.startswith("known:"):
        from avsnet.scale.metres import known_distance

        known_distance(scale_from)
    elif scale_from not in SCALE_SOURCES[1:3]:
        raise OptionError(f"scale_from {scale_from!r} is none of {', '.join(SCALE_SOURCES)}")
    return scale_from


def is_avsnet(source: str) -> bool:
    """Whether a source of the scale is an AVS-Net: its registered name, or a folder."""
    return _AVSNET.fullmatch(source) is not None or os.path.isdir(source)


def load_model(name: str, **options: Any) -> torch.nn.Module:
    """A depth model by one text.

    Args:
        name: for `create_model`, with its default weights; NAME=PATH with those of a file or folder; or the folder of a
            saved AVS-Net.
        **options: of the model.

    Raises:
        ModelError: an unknown name, or weights that are missing or broken.
        OptionError: an option that the model does not have.
    """
    from avsnet.models.avsnet.weights import load_folder
    from avsnet.models.registry import PREFIXES, create_model

    if os.path.isdir(name):
        return load_folder(name, **options)
    prefixed = name.partition(":")[0] in PREFIXES
    name, _, weights = (name, "", "") if prefixed else name.partition("=")
    return create_model(name, weights=weights or "default", **options)


_loaded = lru_cache(maxsize=4)(load_model)
"""One module for all calls."""


def _module(depth_model: str | torch.nn.Module) -> torch.nn.Module:
    from avsnet.models.registry import ModelInfo

    model = _loaded(depth_model) if isinstance(depth_model, str) else depth_model
    if not isinstance(getattr(model, "info", None), ModelInfo):
        raise ModelError(
            f"depth_model {type(model).__name__} does not say what its numbers mean; give a name, or a module "
            "with a ModelInfo as its `info`"
        )
    return model


def _picture(image: str | Path | Image.Image | np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB; an array is checked where it is resized."""
    import numpy as np
    from PIL import Image

    from avsnet.errors import ImageError
    from avsnet.io import read_image, rgb_array

    if isinstance(image, str | os.PathLike):
        return read_image(image)
    picture = rgb_array(image) if isinstance(image, Image.Image) else np.asarray(image)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ImageError(f"image of shape {picture.shape} and type {picture.dtype}: give (H, W, 3) uint8 RGB")
    return picture


def _recording(echo: str | Path | np.ndarray, sample_rate: int | None) -> Recording:
    from avsnet.io import Recording, read_wav

    if isinstance(echo, str | os.PathLike):
        recording = read_wav(echo)
        if sample_rate not in (None, recording.sample_rate):
            raise OptionError(
                f"{echo}: was recorded at {recording.sample_rate} Hz; leave out sample_rate {sample_rate}"
            )
        return recording
    if sample_rate is None:
        raise OptionError("an echo given as an array needs its sample_rate in hertz, such as 44100")
    return Recording(echo, sample_rate)


def camera_of(
    intrinsics: str | Path | np.ndarray | None, fov: float | None, size: tuple[int, int]
) -> tuple[np.ndarray, list[str]]:
    """The camera of a picture or map of `size` (height, width) in pixels.

    Returns:
        (3, 3) pixels of the picture, and what was assumed for it.

    Raises:
        CalibrationError: intrinsics or field of view make no sense.
        OptionError: both are given.
    """
    from avsnet.geometry import check_intrinsics, intrinsics_from_fov, read_intrinsics

    height, width = size
    if intrinsics is not None and fov is not None:
        raise OptionError("intrinsics hold the field of view; leave out fov")
    if isinstance(intrinsics, str | os.PathLike):
        return read_intrinsics(intrinsics, width, height), []
    if intrinsics is not None:
        return check_intrinsics(intrinsics), []
    if fov is not None:
        return intrinsics_from_fov(width, height, fov), []
    assumed = f"field of view assumed: {ASSUMED_FOV:g} degrees horizontal"
    return intrinsics_from_fov(width, height, ASSUMED_FOV), [assumed]


def _as_depth(values: np.ndarray, info: ModelInfo) -> np.ndarray:
    """(H, W) of the model's kind, at the picture's size -> depth in the model's unit, 0 = unknown."""
    from avsnet.scale.rules import as_depth

    # Resized in its own kind: the mean of two disparities is not the disparity of the mean depth.
    depth = as_depth(values, info.output)
    if not (depth > 0.0).any():
        raise DepthError(f"{info.name}: gave no positive depth for this picture")
    return depth
