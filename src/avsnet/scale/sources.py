"""Where the metres come from: one table of sources, read by `predict`, `scale`, `evaluate`, `reproduce` and the demo.

A source is a function from a scene, what is known of one picture and its echo, to the map in metres with what speaks
for it. To add one: write the function, and its entry in `SOURCES`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from avsnet.errors import DepthError, EchoError, OptionError
from avsnet.models import packaged
from avsnet.models.info import ModelInfo
from avsnet.scale.known import known_distance, known_pixel, known_scale
from avsnet.scale.own import OwnScale
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import EchoEvidence, posterior_from_echo
from avsnet.scale.rules import METHODS, ScaledDepth, as_depth, scale_depth

if TYPE_CHECKING:
    from avsnet.audio.recording import Echo

_NETWORK_ERROR = 0.4  # of log k: the packaged AVS-Net on pictures of other places than it was trained on
_KNOWN_ERROR = 0.03  # of log k: how well a tape measures, and a map's shape holds at one pixel


@dataclass(frozen=True, eq=False)
class Scene:
    """What is known of one picture when its map is to be brought to metres.

    Args:
        values: (H, W) what the depth model gave; its numbers mean `kind`.
        kind: one of `OUTPUT_KINDS`.
        model: name of the depth model, for messages.
        camera: (3, 3) pixels of the map.
        echo: gives the echo, which is listened to once, or raises what is wrong with it; None: there is none.
        network: from the name or folder of an AVS-Net to its (H, W) pseudo-dense metric depth of this picture; None:
            there is no picture.
        method: one of `METHODS`, for sources that compare two maps; None: the median, or affine where the map's shift
            is open.
        own_scale: how far a metric model's own metres may be trusted.
    """

    values: np.ndarray
    kind: str
    model: str
    camera: np.ndarray
    echo: Callable[[], Echo] | None = None
    network: Callable[[str], np.ndarray] | None = None
    method: str | None = None
    own_scale: OwnScale = field(default_factory=OwnScale)

    @cached_property
    def depth(self) -> np.ndarray:
        """(H, W) depth in the model's unit, 0 = unknown.

        Raises:
            DepthError: no pixel is known.
            OptionError: a kind whose shift is open.
        """
        # The map was resized in its own kind: the mean of two disparities is not the disparity of the mean depth.
        depth = as_depth(self.values, self.kind)
        if not (depth > 0.0).any():
            raise DepthError(f"{self.model}: no pixel has a depth above 0")
        return depth


@dataclass(frozen=True, eq=False)
class Found:
    """A map brought to metres, and what speaks for it.

    Attributes:
        scaled: the map, with scale and shift.
        origin: where the metres come from, in words; `"none"` where nothing set the scale.
        posterior: over the scale, where the source infers one.
        evidence: what was heard, for a picture of it.
        warnings: what to know before trusting the metres.
        assumptions: what was taken for granted.
        refusal: why the scale, a best guess, must not be believed; None if it may.
    """

    scaled: ScaledDepth
    origin: str
    posterior: ScalePosterior | None = None
    evidence: EchoEvidence | None = None
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    refusal: str | None = None


def own(scene: Scene, _: str = "") -> Found:
    """The model's own numbers: metres of a metric model, else its own units, with a warning."""
    unscaled = f"not metres: {scene.model} gives {scene.kind}, and nothing set its scale"
    warnings = () if scene.kind == "metric_depth" else (unscaled,)
    return Found(ScaledDepth(scene.depth, 1.0, 0.0, "none"), "none", warnings=warnings)


def ranging(scene: Scene, _: str = "") -> Found:
    """One factor, from the time of flight of the first echoes.

    Raises:
        AudioError: no recording that one can listen to.
        EchoError: an echo that gives no scale.
        DepthError: no plane in the map to hear.
    """
    assert scene.echo is not None
    echo, depth = scene.echo(), scene.depth
    found = posterior_from_echo(depth, depth > 0.0, scene.camera, echo, metric=scene.kind == "metric_depth")
    about_rig, *warnings = found.warnings
    return Found(
        _times(depth, found.posterior.scale, "ranging"),
        "ranging",
        found.posterior,
        EchoEvidence.of(echo, found.arrivals),
        tuple(warnings),
        (about_rig,),
        found.refusal,
    )


def ear(scene: Scene, _: str = "") -> Found:
    """One factor, from the echo and the map by the trained ear; a metric model's own scale has a say.

    An echo that says nothing leaves a metric model its own metres.

    Raises:
        AudioError: no recording that one can listen to.
        EchoError: an echo that gives no scale to a model without metres.
        DepthError: no pixel is known.
        ModelError: the packaged weights are missing.
    """
    if scene.kind != "metric_depth":
        return _by_ear(scene, None, "ear")
    own = scene.own_scale.posterior(scene.camera, scene.depth.shape[1])
    try:
        return _by_ear(scene, own, "ear and the model's own metres")
    except EchoError as error:
        unused = f"the echo was not used: {error}"
        return Found(_times(scene.depth, own.scale, "own"), "the model's own metres", own, warnings=(unused,))


def ear_and_network(scene: Scene, _: str = "") -> Found:
    """What `auto` finds with an echo: by the ear, and for a model without metres by the packaged AVS-Net's median, too.

    Raises:
        AvsnetError: as both.
    """
    if scene.kind == "metric_depth" or scene.network is None:
        return ear(scene)
    found = network(scene, packaged.AV)
    try:
        witness = ScalePosterior.normal(found.scaled.scale, _NETWORK_ERROR)
        return _by_ear(scene, witness, f"ear and {packaged.AV}")
    except EchoError:
        return found  # the network has told what is wrong with the echo


def _by_ear(scene: Scene, beforehand: ScalePosterior | None, origin: str) -> Found:
    from avsnet.scale.ear import posterior_from_ear

    assert scene.echo is not None
    echo, depth = scene.echo(), scene.depth
    found = posterior_from_ear(depth, depth > 0.0, scene.camera, echo, own=beforehand)
    about_rig, *warnings = found.warnings
    scaled, evidence = _times(depth, found.scale, "ear"), EchoEvidence.of(echo, ())
    return Found(scaled, origin, found.posterior, evidence, tuple(warnings), (about_rig,))


def known(scene: Scene, argument: str) -> Found:
    """One factor, from the known depth of one pixel.

    Args:
        scene: of which the echo is not needed.
        argument: `"x,y,metres"`.

    Raises:
        OptionError: another text, or a pixel that the map does not know.
    """
    scale = known_scale(scene.depth, argument)
    posterior = ScalePosterior.normal(scale, _KNOWN_ERROR)
    return Found(_times(scene.depth, scale, "known"), f"known:{argument}", posterior)


def network(scene: Scene, name: str) -> Found:
    """Scale, and where the method finds one shift, from an AVS-Net's pseudo-dense metric depth: the paper's stage two.

    Args:
        scene: whose `network` gives that map.
        name: of the AVS-Net, or its folder.

    Raises:
        DepthError: no usable pixel, or a map that no positive scale brings to the reference.
        OptionError: there is no picture.
    """
    if scene.network is None:
        raise OptionError(f"scale_from {name}: an AVS-Net sees, so give the picture, of the map's size")
    found = reference(scene, scene.network(name), name)
    return replace(found, origin=name) if found.scaled.method == "median" else found


def reference(scene: Scene, metres: np.ndarray, origin: str) -> Found:
    """Scale, and where the method finds one shift, from a metric map.

    Args:
        scene: the map; its `method` is the rule.
        metres: (H, W) the metric map, 0 = unknown.
        origin: where that is from, in words.

    Raises:
        DepthError: no pixel known in both, or a map that no positive scale brings to the reference.
        OptionError: a method that finds no shift, for a kind whose shift is open.
    """
    method = scene.method or default_method(scene.kind)
    try:
        scaled = scale_depth(scene.values, metres, kind=scene.kind, method=method)
    except DepthError as error:
        raise DepthError(f"{scene.model}: {error}") from None
    space = " in inverse depth" if scaled.space == "inverse depth" else ""
    warnings = () if scaled.fallback is None else (scaled.fallback,)
    return Found(scaled, f"{origin} by {scaled.method}{space}", warnings=warnings)


def default_method(kind: str) -> str:
    """The rule of the paper, and for maps whose shift is open, the fit that finds it."""
    return "affine" if kind.startswith("affine") else "median"


def _times(depth: np.ndarray, scale: float, method: str) -> ScaledDepth:
    return ScaledDepth(depth * np.float32(scale), scale, 0.0, method)


def _check_known(argument: str, size: tuple[int, int] | None) -> None:
    known_distance(argument) if size is None else known_pixel(argument, size)


@dataclass(frozen=True)
class Source:
    """One way to metres.

    Attributes:
        find: from a scene, and what is written after the source's name and a colon, to the map in metres.
        form: how it is written.
        about: what it is, in a few words.
        needs_echo: whether it hears the echo.
        compares: whether it compares two maps, hence takes a method, and can find an open shift.
        check: refuses an argument before any work, given the picture's (height, width) where that is known.
    """

    find: Callable[[Scene, str], Found]
    form: str
    about: str
    needs_echo: bool = False
    compares: bool = False
    check: Callable[[str, tuple[int, int] | None], None] | None = None


SOURCES: dict[str, Source] = {
    "none": Source(own, "none", "the model's own numbers"),
    "ranging": Source(ranging, "ranging", "by time of flight alone", needs_echo=True),
    "ear": Source(ear, "ear", "by a trained ear, which compares the echo with the map", needs_echo=True),
    "known": Source(known, "known:x,y,metres", "by one known distance", check=_check_known),
}
"""Each source by name; beside them, an AVS-Net's name or folder stands for `NETWORK`."""

_HEARD = Source(ear_and_network, "auto", "by a trained ear and what else gives metres", needs_echo=True)

NETWORK = Source(network, "an AVS-Net by name or folder", "by its pseudo-dense metric depth", compares=True)


def every_form() -> str:
    """How the metres' source can be written, for people."""
    return ", ".join(["auto", *(source.form for source in SOURCES.values()), NETWORK.form])


def sources_of_tables() -> list[str]:
    """The sources that hear and need nothing else: `evaluate` takes them as they are, and tables have a row of each."""
    return [name for name, source in SOURCES.items() if source.needs_echo and source.form == name]


@dataclass(frozen=True)
class Choice:
    """A source with its argument.

    Attributes:
        source: which.
        argument: what is written after its name; of a network, its name or folder.
    """

    source: Source
    argument: str

    @property
    def network(self) -> str | None:
        """The AVS-Net that it takes; None for another source."""
        return self.argument if self.source is NETWORK else None


def choose(
    text: str,
    info: ModelInfo,
    *,
    has_echo: bool,
    method: str | None = None,
    size: tuple[int, int] | None = None,
) -> Choice:
    """Decide where the metres come from, and refuse what cannot work before any of it is done.

    Args:
        text: as `every_form` has it.
        info: of the depth model.
        has_echo: whether there is a recording.
        method: one of `METHODS`, if the user asks for one.
        size: (height, width) of the picture in pixels, where it is known.

    Raises:
        OptionError: an unknown source or method, or one that does not fit the model, the echo or the picture.
    """
    if method is not None and method not in METHODS:
        raise OptionError(f"method {method!r} is none of {', '.join(METHODS)}")
    choice = automatic(info, has_echo, method) if text == "auto" else _parsed(text)
    source = choice.source
    if info.output.startswith("affine") and not source.compares:
        raise OptionError(
            f"{info.name} gives {info.output}: beside the scale it leaves a shift open, which {text} does not set; "
            "take an AVS-Net as scale_from, a model of depth or disparity, or see avsnet scale --reference"
        )
    if method is not None and not source.compares:
        raise OptionError(f"method {method}: is a rule for two maps, but scale_from {text} sets one factor by itself")
    if source.needs_echo and not has_echo:
        raise OptionError(f"scale_from {text} needs an echo; give the recording")
    if source.check is not None:
        source.check(choice.argument, size)
    return choice


def automatic(info: ModelInfo, has_echo: bool, method: str | None = None) -> Choice:
    """What `auto` stands for.

    An AVS-Net, and whatever has heard the echo itself, keeps its metres, and without an echo any metric model. With one
    the ear gives them, with the model's own metres or else the packaged AVS-Net's; the packaged pair alone does where
    there is no echo, a shift is open, or a method is asked for.
    """
    if info.gives_scale or (info.output == "metric_depth" and (info.hears or not has_echo)):
        return _parsed("none")
    if has_echo and method is None and not info.output.startswith("affine"):
        return Choice(_HEARD, "")
    return Choice(NETWORK, packaged.AV if has_echo else packaged.V)


def _parsed(text: str) -> Choice:
    """A source by how it is written, as `every_form` has it."""
    name, _, argument = text.partition(":")
    if name in SOURCES and not (argument and SOURCES[name].form == name):
        return Choice(SOURCES[name], argument)
    if is_network(text):
        return Choice(NETWORK, text)
    raise OptionError(f"scale_from {text!r} is none of {every_form()}")


def is_network(text: str) -> bool:
    """Whether a text names a network whose metres can scale others: a registered AVS-Net, or a folder."""
    from avsnet.models.registry import list_models, model_info

    return os.path.isdir(text) or (text in list_models() and model_info(text).gives_scale)
