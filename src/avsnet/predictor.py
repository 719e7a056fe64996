"""Pictures of one camera to depth in metres: everything that is the same for all of them is loaded once.

A model gives a map, and the scale is its own or from one of the sources of `avsnet.scale.sources`; what an echo told of
it is carried on to the pictures after it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from PIL import Image

from avsnet.audio.recording import Heard
from avsnet.audio.rig import Rig
from avsnet.errors import ImageError, ModelError, OptionError
from avsnet.geometry import camera_of
from avsnet.io.focal_length import equivalent_focal_length
from avsnet.io.orientation import UPRIGHT, exif_orientation
from avsnet.io.pictures import read_image, rgb_array
from avsnet.io.plausibility import nearly_black
from avsnet.io.recordings import Recording, read_wav
from avsnet.models import packaged
from avsnet.models.infer import at_picture_size, batch_of_one, infer, network_maps
from avsnet.models.info import ModelInfo
from avsnet.models.named import loaded
from avsnet.models.sound import sound_for
from avsnet.prediction import Prediction, prediction_of
from avsnet.scale.over_time import Stream
from avsnet.scale.scene import Scene
from avsnet.scale.sources import Choice, choose

if TYPE_CHECKING:
    from avsnet.models.contract import DepthModel
    from avsnet.scale.ranging import EchoEvidence


@dataclass(frozen=True, eq=False)
class Inputs:
    """One picture and its echo, ready for the network.

    Args:
        picture: (H, W, 3) uint8 RGB.
        batch: what the network takes, as a batch of one.
        choice: where the metres come from.
        camera: (3, 3) pixels of the picture.
        heard: the recording, if there is one.
        assumptions: what was taken for granted.
        warnings: what to know of what was read.
    """

    picture: np.ndarray
    batch: dict[str, Any]
    choice: Choice
    camera: np.ndarray
    heard: Heard | None
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...]


class Predictor:
    """A depth model, a source of scale, a camera and a rig, for one picture after another.

    Pictures without an echo keep the scale of the last one with, their interval ever wider; a changed scene is followed
    within a few echoes. Calls from several threads take turns. A stream has a predictor of its own; several may share
    one module, which is put into eval mode once.

    Args:
        depth_model: as for `avsnet.predict`.
        scale_from: likewise; a known distance is that of the first picture.
        method: likewise.
        intrinsics: likewise, of every picture.
        fov: likewise.
        rig: likewise.
        half: whether the depth model computes in half precision where that is safe; it must be on a GPU.

    Raises:
        ModelError: a model that is unknown or has no weights here.
        CalibrationError: the rig makes no sense.
        OptionError: an option outside what it allows, or no way to a scale.

    >>> predictor = Predictor("avsnet_lite0_av", fov=70.0)
    >>> predictor(np.zeros((48, 64, 3), np.uint8)).depth.shape
    (48, 64)
    """

    def __init__(
        self,
        depth_model: str | torch.nn.Module = packaged.AV,
        *,
        scale_from: str = "auto",
        method: str | None = None,
        intrinsics: str | Path | np.ndarray | None = None,
        fov: float | None = None,
        rig: str | Path | Rig | None = None,
        half: bool = False,
    ) -> None:
        self.model = _module(depth_model)
        self.model.eval()
        self.rig = rig if rig is None or isinstance(rig, Rig) else Rig.from_json(rig)
        self._scale_from, self._method, self._half = scale_from, method, half
        choose(scale_from, self.model.info, has_echo=True, method=method)  # what is wrong with them, at once
        self._camera = lru_cache(maxsize=4)(lambda size, *exif: camera_of(intrinsics, fov, size, *exif))
        self._camera_is_known = intrinsics is not None or fov is not None
        self._lock = threading.Lock()
        self._stream = Stream()
        self._last_echo: _LastEcho | None = None
        self._by_sight = False  # whether the scale that is carried is that of maps by sight alone

    def __call__(
        self,
        image: str | Path | Image.Image | np.ndarray,
        echo: str | Path | np.ndarray | None = None,
        sample_rate: int | None = None,
    ) -> Prediction:
        """Depth of the next picture in metres.

        Args:
            image: as for `avsnet.predict`.
            echo: likewise; None: the scale is carried from the last one.
            sample_rate: likewise.

        Raises:
            AvsnetError: as `avsnet.predict`; once a scale is known, an echo that gives none is a warning.
        """
        return self.with_evidence(image, echo, sample_rate)[0]

    def with_evidence(
        self,
        image: str | Path | Image.Image | np.ndarray,
        echo: str | Path | np.ndarray | None = None,
        sample_rate: int | None = None,
    ) -> tuple[Prediction, EchoEvidence | None]:
        """As a call, and with it what was heard: None unless the scale came from the echo itself."""
        with self._lock:
            knew = self._stream.knows
            inputs = self.read(image, echo, sample_rate, carried=knew)
            if self._by_sight:
                inputs = replace(inputs, batch=_without_sound(inputs.batch))
            values = self._map(inputs.batch)
            if "waveform" in inputs.batch:
                self._last_echo = _LastEcho(inputs, values)
            elif self._last_echo is not None:
                values = values * np.float32(self._last_echo.change(self.model.info, self._map))
                if not self._stream.knows:  # which says the same
                    kept = f"their scale is carried from the last echo, {self._last_echo.ago()}"
                    inputs = replace(inputs, warnings=(*inputs.warnings, kept))
            found = self.finish(inputs, values, self._stream)
            self._by_sight = self._stream.knows and (self._by_sight if knew else "waveform" not in inputs.batch)
            return found

    def read(
        self,
        image: str | Path | Image.Image | np.ndarray,
        echo: str | Path | np.ndarray | None = None,
        sample_rate: int | None = None,
        *,
        carried: bool = False,
    ) -> Inputs:
        """The first step of a call, before the network; it changes nothing, so that several threads may read.

        Args:
            image: as for a call.
            echo: likewise.
            sample_rate: likewise.
            carried: whether a scale is known from before.
        """
        notes: list[str] = []
        picture = _picture(image, notes)
        if (dark := nearly_black(picture)) is not None:
            notes.append(dark)
        heard = None if echo is None else heard_of(echo, sample_rate, self.rig)
        size = picture.shape[:2]
        has_echo = heard is not None or carried
        choice = choose(self._scale_from, self.model.info, has_echo=has_echo, method=self._method, size=size)
        camera, assumptions = self._camera(size, *self._exif(image, notes))
        sound, warnings = sound_for(self.model, heard)
        batch = batch_of_one(self.model.info, picture, camera=camera, **sound)
        seen = self.model.info.trained_on
        told = (*assumptions, f"model trained on {seen}") if seen else tuple(assumptions)
        return Inputs(picture, batch, choice, camera, heard, told, (*notes, *warnings))

    def _exif(self, image: str | Path | Image.Image | np.ndarray, notes: list[str]) -> tuple[int, float | None]:
        """How the picture is turned, and its focal length in millimetres of 35 mm film, if nothing better is known."""
        if not isinstance(image, str | os.PathLike | Image.Image):
            return UPRIGHT, None
        return exif_orientation(image), None if self._camera_is_known else equivalent_focal_length(image, notes)

    def finish(
        self, inputs: Inputs, values: np.ndarray, stream: Stream | None = None
    ) -> tuple[Prediction, EchoEvidence | None]:
        """The last step of a call, after the network.

        Args:
            inputs: as `read` gives them.
            values: (h, w) what the network said, as `avsnet.models.infer.network_map` gives it.
            stream: what earlier pictures told of the scale; None: this one stands alone.
        """
        return in_metres(
            at_picture_size(values, self.model.info, inputs.picture.shape[:2]),
            self.model.info,
            inputs.choice,
            camera=inputs.camera,
            picture=inputs.picture,
            heard=inputs.heard,
            method=self._method,
            weights_hash=getattr(self.model, "weights_hash", None),  # a module of the user may have none
            assumptions=inputs.assumptions,
            warnings=inputs.warnings,
            stream=stream,
        )

    def _map(self, batch: dict[str, Any]) -> np.ndarray:
        """(h, w) what the depth model says."""
        return network_maps(self.model, batch, half=self._half)[0, 0].numpy()

    def reset(self) -> None:
        """Forget what was heard: the next picture is the first of another scene."""
        with self._lock:
            self._stream, self._last_echo, self._by_sight = Stream(), None, False


@dataclass
class _LastEcho:
    """The last picture for which a network itself heard, so that its metres by sight alone keep that scale.

    Args:
        inputs: that picture and its echo.
        values: (h, w) what the network gave for it.
        changed: what its echo changed the scale by, once somebody needs it.
        frames: without an echo since then.
    """

    inputs: Inputs
    values: np.ndarray
    changed: float | None = None
    frames: int = 0

    def change(self, info: ModelInfo, network: Callable[[dict[str, Any]], np.ndarray]) -> float:
        """What the echo changed the scale by: medians at the picture's size, against those of sight alone."""
        if self.changed is None:
            by_sight = network(_without_sound(self.inputs.batch))
            size = self.inputs.picture.shape[:2]
            heard, sight = (np.median(at_picture_size(one, info, size)) for one in (self.values, by_sight))
            self.changed = float(heard / sight) if sight > 0.0 else 1.0
        return self.changed

    def ago(self) -> str:
        """How long since, counting the present frame."""
        self.frames += 1
        return f"{self.frames} frame{'s' if self.frames > 1 else ''} ago"


def _without_sound(batch: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in batch.items() if key not in ("waveform", "sample_rate")}


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
    stream: Stream | None = None,
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
        stream: what earlier pictures told of the scale; None: there were none.

    Returns:
        The prediction, and what was heard: None unless the scale came from the echo itself.

    Raises:
        AvsnetError: as `avsnet.predict`.
    """
    said, used = list(warnings), choice.source.needs_echo or info.hears

    @lru_cache(maxsize=1)
    def by_network(name: str) -> np.ndarray:
        nonlocal used
        assert picture is not None
        network = loaded(name)
        used = used or network.info.hears
        sound, more = sound_for(network, heard)
        said.extend(more)
        return infer(network, picture, camera=camera, **sound)

    echo, network = (None if heard is None else heard.echo), (None if picture is None else by_network)
    scene = Scene(values, info, camera, echo, network, method)
    stream = Stream() if stream is None else stream
    carried = stream.knows
    found = stream.find(choice, scene)
    if not carried:
        said += _about_the_echo(heard is not None, used, choice.network, found.origin)
    prediction = prediction_of(found, scene, weights_hash=weights_hash, assumptions=assumptions, warnings=said)
    return prediction, found.evidence


def _about_the_echo(has_echo: bool, used: bool, network: str | None, origin: str) -> list[str]:
    """A warning where there was no echo to use, or where an echo was not used."""
    if used:
        return []
    if network is None:
        where = "the numbers are the model's own" if origin == "none" else f"the scale is from {origin}"
        return [f"the echo was not used: {where}"] if has_echo else []
    return [
        f"the echo was not used: {network} only sees"
        if has_echo
        else f"no echo: the scale is from {network}, which only sees"
    ]


def _module(depth_model: str | torch.nn.Module) -> DepthModel:
    model = loaded(depth_model) if isinstance(depth_model, str) else depth_model
    if not isinstance(getattr(model, "info", None), ModelInfo):
        raise ModelError(
            f"depth_model {type(model).__name__} does not say what its numbers mean; give a name, or a module "
            "with a ModelInfo as its `info`"
        )
    return cast("DepthModel", model)


def _picture(image: str | Path | Image.Image | np.ndarray, notes: list[str]) -> np.ndarray:
    """(H, W, 3) uint8 RGB.

    Raises:
        ImageError: an array of another shape or type, or what is no picture.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(image, notes)
    picture = rgb_array(image, notes) if isinstance(image, Image.Image) else np.asarray(image)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0:
        raise ImageError(f"image of shape {picture.shape} and type {picture.dtype}: give (H, W, 3) uint8 RGB")
    return picture


def heard_of(echo: str | Path | np.ndarray, sample_rate: int | None, rig: Rig | None) -> Heard:
    """A recording from a file or an array, to be listened to once, when somebody first needs it."""
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
