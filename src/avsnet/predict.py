"""One picture, and one echo where there is one, to depth in metres: the main job as one function.

An AVS-Net gives metres itself. Any other model gives the shape, and the scale is from one of the sources of
`avsnet.scale.sources`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from avsnet.errors import EchoError, ModelError, OptionError
from avsnet.models import packaged

# `import avsnet` runs this file, and must stay cheap: numpy, torch and what needs them are imported by a call.
if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

    from avsnet.audio.recording import Heard
    from avsnet.audio.rig import Rig
    from avsnet.models.contract import DepthModel
    from avsnet.models.info import ModelInfo
    from avsnet.prediction import Prediction
    from avsnet.scale.ranging import EchoEvidence
    from avsnet.scale.sources import Choice


def predict(
    image: str | Path | Image.Image | np.ndarray,
    echo: str | Path | np.ndarray | None = None,
    *,
    depth_model: str | torch.nn.Module = packaged.AV,
    scale_from: str = "auto",
    method: str | None = None,
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
            whose shift is open the least-squares fit of both. `"ranging"`: the time of flight of the echo. `"ear"`: a
            trained network that compares the echo with the map; a metric model's own metres are its prior.
            `"known:x,y,metres"`: the depth along the optical axis at pixel x, y of this picture. `"none"`: the model's
            own metres, or its own units with a warning. `"auto"`: none for an AVS-Net itself, and without an echo for
            any metric model; with an echo the ear, with the model's own metres or else the packaged AVS-Net's; without
            one the visual one, with a warning.
        method: one of `avsnet.scale.rules.METHODS`, where an AVS-Net gives the metres; None: the rules above.
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
    return predict_with_evidence(
        image,
        echo,
        depth_model=depth_model,
        scale_from=scale_from,
        method=method,
        sample_rate=sample_rate,
        intrinsics=intrinsics,
        rig=rig,
        fov=fov,
    )[0]


def predict_with_evidence(
    image: str | Path | Image.Image | np.ndarray,
    echo: str | Path | np.ndarray | None = None,
    *,
    depth_model: str | torch.nn.Module = packaged.AV,
    scale_from: str = "auto",
    method: str | None = None,
    sample_rate: int | None = None,
    intrinsics: str | Path | np.ndarray | None = None,
    rig: str | Path | Rig | None = None,
    fov: float | None = None,
) -> tuple[Prediction, EchoEvidence | None]:
    """As `predict`, and with it what was heard: None unless the scale came from the echo itself."""
    from PIL import Image

    from avsnet.audio.rig import Rig
    from avsnet.geometry import camera_of
    from avsnet.io.orientation import UPRIGHT, exif_orientation
    from avsnet.models.infer import infer
    from avsnet.models.sound import sound_for
    from avsnet.scale.sources import choose

    notes: list[str] = []
    picture = _picture(image, notes)
    model = _module(depth_model)
    if rig is not None and not isinstance(rig, Rig):
        rig = Rig.from_json(rig)
    heard = None if echo is None else heard_of(echo, sample_rate, rig)
    size = picture.shape[:2]
    choice = choose(scale_from, model.info, has_echo=heard is not None, method=method, size=size)
    orientation = exif_orientation(image) if isinstance(image, str | os.PathLike | Image.Image) else UPRIGHT
    camera, assumptions = camera_of(intrinsics, fov, size, orientation)
    sound, warnings = sound_for(model, heard)
    values = infer(model, picture, camera=camera, **sound)
    return in_metres(
        values,
        model.info,
        choice,
        camera=camera,
        picture=picture,
        heard=heard,
        method=method,
        weights_hash=getattr(model, "weights_hash", None),  # a module of the user may have none
        assumptions=assumptions,
        warnings=[*notes, *warnings],
    )


def in_metres(
    values: np.ndarray,
    info: ModelInfo,
    choice: Choice,
    *,
    camera: np.ndarray,
    picture: np.ndarray | None = None,
    heard: Heard | None = None,
    method: str | None = None,
    weights_hash: str | None = None,
    assumptions: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> tuple[Prediction, EchoEvidence | None]:
    """Bring a map, whoever made it, to metres by a source of scale.

    Args:
        values: (H, W) the map; its numbers mean `info.output`.
        info: of the model that made it.
        choice: the source.
        camera: (3, 3) pixels of the map.
        picture: (H, W, 3) uint8 RGB; None: there is none, and no AVS-Net can be the source.
        heard: the recording, if there is one.
        method: one of `METHODS`, or None for the default of the source.
        weights_hash: of the model.
        assumptions: what was taken for granted so far.
        warnings: what to know of what was done so far.

    Returns:
        The prediction, and what was heard: None unless the scale came from the echo itself.

    Raises:
        AvsnetError: as `predict`.
    """
    from avsnet.models.infer import infer
    from avsnet.models.sound import sound_for
    from avsnet.prediction import prediction_of
    from avsnet.scale.own import own_scale_of
    from avsnet.scale.sources import Scene

    said, used = list(warnings), choice.source.needs_echo or info.hears

    def by_network(name: str) -> np.ndarray:
        nonlocal used
        assert picture is not None
        network = loaded(name)
        used = used or network.info.hears
        sound, more = sound_for(network, heard)
        said.extend(more)
        return infer(network, picture, camera=camera, **sound)

    echo, network = (None if heard is None else heard.echo), (None if picture is None else by_network)
    scene = Scene(values, info.output, info.name, camera, echo, network, method, own_scale_of(info))
    found = choice.source.find(scene, choice.argument)
    if found.refusal is not None:
        raise EchoError(found.refusal)
    said += _about_the_echo(heard is not None, used, choice.network, found.origin)
    prediction = prediction_of(found, scene, weights_hash=weights_hash, assumptions=assumptions, warnings=said)
    return prediction, found.evidence


def _about_the_echo(has_echo: bool, used: bool, network: str | None, origin: str) -> list[str]:
    """A warning where there was no echo to use, or where an echo was not used."""
    if used:
        return []
    if network is None:
        return [f"the echo was not used: the scale is from {origin}"] if has_echo else []
    return [
        f"the echo was not used: {network} only sees"
        if has_echo
        else f"no echo: the scale is from {network}, which only sees"
    ]


def load_model(name: str, **options: Any) -> DepthModel:
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


loaded = lru_cache(maxsize=4)(load_model)
"""One module for all calls."""


def _module(depth_model: str | torch.nn.Module) -> DepthModel:
    from avsnet.models.info import ModelInfo

    model = loaded(depth_model) if isinstance(depth_model, str) else depth_model
    if not isinstance(getattr(model, "info", None), ModelInfo):
        raise ModelError(
            f"depth_model {type(model).__name__} does not say what its numbers mean; give a name, or a module "
            "with a ModelInfo as its `info`"
        )
    return cast("DepthModel", model)


def _picture(image: str | Path | Image.Image | np.ndarray, notes: list[str]) -> np.ndarray:
    """(H, W, 3) uint8 RGB; an array is checked where it is resized."""
    import numpy as np
    from PIL import Image

    from avsnet.errors import ImageError
    from avsnet.io.pictures import read_image, rgb_array

    if isinstance(image, str | os.PathLike):
        return read_image(image, notes)
    picture = rgb_array(image, notes) if isinstance(image, Image.Image) else np.asarray(image)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ImageError(f"image of shape {picture.shape} and type {picture.dtype}: give (H, W, 3) uint8 RGB")
    return picture


def heard_of(echo: str | Path | np.ndarray, sample_rate: int | None, rig: Rig | None) -> Heard:
    """A recording from a file or an array, to be listened to once, when somebody first needs it."""
    from avsnet.audio.recording import Heard
    from avsnet.io.recordings import Recording, read_wav

    if isinstance(echo, str | os.PathLike):
        recording = read_wav(echo)
        if sample_rate not in (None, recording.sample_rate):
            raise OptionError(
                f"{echo}: was recorded at {recording.sample_rate} Hz; leave out sample_rate {sample_rate}"
            )
        return Heard(recording, rig)
    if sample_rate is None:
        raise OptionError("an echo given as an array needs its sample_rate in hertz, such as 44100")
    return Heard(Recording(echo, sample_rate), rig)
