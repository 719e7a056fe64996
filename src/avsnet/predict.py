"""One picture, and one echo where there is one, to depth in metres: the main job as one function.

It is the one-picture use of `avsnet.Predictor`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.models import packaged
from avsnet.models.named import load_model, loaded

# `import avsnet` runs this file, and must stay cheap: numpy, torch and what needs them are imported by a call.
if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

    from avsnet.audio.rig import Rig
    from avsnet.prediction import Prediction
    from avsnet.scale.ranging import EchoEvidence

__all__ = ["load_model", "loaded", "predict", "predict_with_evidence"]


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
            loaded once until they change; the folder of a saved AVS-Net; or a module that keeps the contract of
            `avsnet.models` and carries its `ModelInfo` as `info`.
        scale_from: the name or folder of an AVS-Net: the paper's rule, M = R median(Mp) / median(R), and for a model
            whose shift is open the least-squares fit of both. `"ranging"`: the time of flight of the echo. `"ear"`: a
            trained network that compares the echo with the map; a metric model's own metres are its prior.
            `"known:x,y,metres"`: the depth along the optical axis at pixel x, y of this picture. `"none"`: the model's
            own metres, or its own units with a warning. `"auto"`: with an echo the ear, with a metric model's own
            metres and the packaged AVS-Net's, which is also the default model; without one a metric model's own
            metres, and for others the visual network's, with a warning. An AVS-Net of which nobody knows how far its
            metres err (`ModelInfo.scale_spread`), such as one of your own, keeps them, and one that only sees.
        method: one of `avsnet.scale.rules.METHODS`, where an AVS-Net gives the metres; None: the rules above.
        sample_rate: hertz of an echo given as an array; a file brings its own.
        intrinsics: (3, 3) pixels of this picture, or a file for `avsnet.geometry.read_intrinsics`.
        rig: where speaker and ears sit, or its `rig.json`; None assumes the default rig and says so.
        fov: degrees, horizontal, in place of `intrinsics`; None of both takes the focal length of the picture's EXIF,
            or assumes 70 degrees along its long side, and says so.

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
    from avsnet.predictor import Predictor

    with _mode_kept(depth_model):
        predictor = Predictor(
            depth_model, scale_from=scale_from, method=method, intrinsics=intrinsics, fov=fov, rig=rig
        )
        return predictor.with_evidence(image, echo, sample_rate)


@contextmanager
def _mode_kept(depth_model: str | torch.nn.Module) -> Iterator[None]:
    """A module that is amid its training goes on with it afterwards."""
    training = [part for part in getattr(depth_model, "modules", list)() if part.training]
    try:
        yield
    finally:
        for part in training:
            part.training = True
