"""One picture, and one echo where there is one, to depth in metres: the main job as one function."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.errors import DepthError, ModelError, OptionError

# `import avsnet` runs this file, and must stay cheap: numpy, torch and what needs them are imported by a call.
if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

    from avsnet.audio.rig import Rig
    from avsnet.io import Recording
    from avsnet.metres import Hearing
    from avsnet.models.registry import ModelInfo
    from avsnet.prediction import Prediction

ASSUMED_FOV = 70.0
"""Degrees, horizontal: what most phone and web cameras have; taken where no camera is given, and said so."""

SCALE_SOURCES = ("auto", "none", "ranging", "known:x,y,metres")
"""Where the metres can come from."""


def predict(
    image: str | Path | Image.Image | np.ndarray,
    echo: str | Path | np.ndarray | None = None,
    *,
    depth_model: str | torch.nn.Module,
    scale_from: str = "auto",
    sample_rate: int | None = None,
    intrinsics: str | Path | np.ndarray | None = None,
    rig: str | Path | Rig | None = None,
    fov: float | None = None,
) -> Prediction:
    """Depth of a picture in metres: the shape from any depth model, the scale from an echo or a known distance.

    Args:
        image: a file, a PIL picture, or (H, W, 3) uint8 RGB.
        echo: a WAV file, or (2, N) floats in -1..1, left ear first, with their `sample_rate`; (1, N) works too.
        depth_model: a name for `create_model`, loaded with its default weights once per process; or a module
            that keeps the contract of `avsnet.models` and carries its `ModelInfo` as `info`.
        scale_from: `"ranging"`: the time of flight of the echo. `"known:x,y,metres"`: the depth along the
            optical axis at pixel x, y of this picture. `"none"`: the model's own metres, or its own units with
            a warning. `"auto"`: ranging if there is an echo, else none if the model is metric.
        sample_rate: hertz of an echo given as an array; a file brings its own.
        intrinsics: (3, 3) pixels of this picture, or a file for `avsnet.geometry.read_intrinsics`.
        rig: where speaker and ears sit, or its `rig.json`; None assumes the default rig and says so.
        fov: degrees, horizontal, in place of `intrinsics`; None of both assumes 70 and says so.

    Returns:
        The `Prediction`, at the picture's own size.

    Raises:
        ImageError: no picture, or a broken one.
        AudioError: no recording, or a broken one.
        EchoError: a recording that gives no scale: silent, no direct sound, too short, ambiguous.
        ModelError: a model that is unknown or fails.
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
    depth_model: str | torch.nn.Module,
    scale_from: str = "auto",
    sample_rate: int | None = None,
    intrinsics: str | Path | np.ndarray | None = None,
    rig: str | Path | Rig | None = None,
    fov: float | None = None,
) -> tuple[Prediction, Hearing | None]:
    """As `predict`, and beside it what was heard: None unless the scale came from ranging."""
    from avsnet.audio.rig import Rig
    from avsnet.metres import known_pixel, to_metres

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

    return to_metres(
        _depth(model, picture),
        source,
        recording,
        camera,
        rig,
        assumptions=assumptions,
        kind=info.output,
        model=info.name,
        weights_hash=getattr(model, "weights_hash", None),
    )


def scale_source(scale_from: str, info: ModelInfo, hears: bool) -> str:
    """Decide where the metres come from.

    Args:
        scale_from: one of `SCALE_SOURCES`.
        info: of the depth model.
        hears: whether there is an echo.

    Returns:
        `"none"`, `"ranging"` or `"known:x,y,metres"`.

    Raises:
        OptionError: an unknown source, ranging without an echo, a model that one factor cannot bring to metres,
            or nothing at all that would set a scale.
    """
    if info.output.startswith("affine"):
        raise OptionError(
            f"{info.name} gives {info.output}: beside the scale it leaves a shift open, which neither an echo nor "
            "one known distance sets; choose a model of depth or disparity, or see avsnet scale --reference"
        )
    if scale_from == "auto" and hears:
        return "ranging"
    if scale_from == "auto" and info.output == "metric_depth":
        return "none"
    if scale_from == "auto":
        raise OptionError(
            f"{info.name} gives {info.output}, which has no unit: give an echo, or the distance of one pixel as "
            "scale_from known:x,y,metres; scale_from none keeps the model's own units"
        )
    if scale_from == "ranging" and not hears:
        raise OptionError("scale_from ranging needs an echo; give the recording")
    if scale_from.startswith("known:"):
        from avsnet.metres import known_distance

        known_distance(scale_from)
    elif scale_from not in SCALE_SOURCES[1:3]:
        raise OptionError(f"scale_from {scale_from!r} is none of {', '.join(SCALE_SOURCES)}")
    return scale_from


@lru_cache(maxsize=4)
def _loaded(name: str) -> torch.nn.Module:
    """The model of this name with its default weights; the same module on every call."""
    from avsnet.models.registry import create_model

    return create_model(name, weights="default")


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


def _depth(model: torch.nn.Module, picture: np.ndarray) -> np.ndarray:
    """(H, W) depth at the picture's size, in the model's unit, 0 = unknown."""
    from avsnet.models.infer import infer
    from avsnet.scaling import as_depth

    info: ModelInfo = model.info  # type: ignore[assignment]
    # Resized in its own kind: the mean of two disparities is not the disparity of the mean depth.
    depth = as_depth(infer(model, picture), info.output)
    if not (depth > 0.0).any():
        raise DepthError(f"{info.name}: gave no positive depth for this picture")
    return depth
