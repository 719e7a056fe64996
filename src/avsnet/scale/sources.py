"""Where the metres come from: one table of sources, read by `predict`, `scale`, `evaluate`, `reproduce` and the demo.

A source is a function from a scene, what is known of one picture and its echo, to the map in metres with what speaks
for it. To add one: write the function, and its entry in `SOURCES`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from avsnet.errors import DepthError, EchoError, OptionError
from avsnet.models import packaged
from avsnet.models.info import ModelInfo
from avsnet.scale.ear_shape import scale_and_contrast
from avsnet.scale.ear_shift import scale_and_shift
from avsnet.scale.factor import nearest_factor
from avsnet.scale.known import known_distance, known_pixel, known_scale
from avsnet.scale.own import own_scale_of
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import EchoEvidence, posterior_from_echo
from avsnet.scale.reference import NETWORK_ERROR, network
from avsnet.scale.refined import refined
from avsnet.scale.rules import METHODS, FinerRule, ScaledDepth
from avsnet.scale.scene import Found, Scene, times, unused

if TYPE_CHECKING:
    from avsnet.audio.recording import Echo

# The packaged AVS-Net's say beside a metric model's own metres, which err as it does (correlation 0.8 for FastDepth on
# the HoloLens frames): what errs least there; more makes worse what is measured well.
_SIGHT = 0.25
_KNOWN_ERROR = 0.03  # of log k: how well a tape measures, and a map's shape holds at one pixel


def own(scene: Scene, _: str = "") -> Found:
    """The model's own numbers: metres of a metric model, else its own units, with a warning."""
    unscaled = f"not metres: {scene.info.name} gives {scene.kind}, and nothing set its scale"
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
        times(depth, found.posterior.scale, "ranging"),
        "ranging",
        found.posterior,
        evidence=EchoEvidence(echo, found.arrivals),
        warnings=tuple(warnings),
        assumptions=(about_rig,),
        refusal=found.refusal,
    )


def ear(scene: Scene, _: str = "") -> Found:
    """One factor, from the echo and the map by the trained ear; a metric model's own scale has a say.

    Where the map's shift is open, the echo sets that, too, and with the method `log_affine` its contrast. An echo that
    says nothing leaves a metric model its own metres.

    Raises:
        AudioError: no recording that one can listen to.
        EchoError: an echo that gives no scale to a model without metres.
        DepthError: no pixel is known.
        ModelError: the packaged weights are missing.
    """
    if scene.method is not None:
        return scale_and_contrast(scene, own_scale_of(scene.info))
    return _product(scene, _own_metres(scene) if scene.kind == "metric_depth" else None)


def everything(scene: Scene, _: str = "") -> Found:
    """What `auto` finds: the product of all that is known.

    Of a metric model that is its own scale, and where the echo speaks the packaged AVS-Net's, unless it is an AVS-Net
    itself; of another that network's where there is a picture; and the ear's where there is an echo.

    With a finer method that bends any map towards the AVS-Net's before the ear hears it.

    Raises:
        AvsnetError: as the ear and the network.
    """
    if scene.method is not None:
        return refined(scene, packaged.AV, own_scale_of(scene.info))
    if scene.kind == "metric_depth":
        return _product(scene, _own_metres(scene), None if scene.info.gives_scale else _seen_beside)
    return _product(scene, None if scene.network is None else _by_sight(scene))


def _own_metres(scene: Scene) -> Found:
    """A metric model's own scale as a witness: corrected by what is known of it."""
    posterior = own_scale_of(scene.info).posterior(scene.camera, scene.depth.shape[1])
    return Found(times(scene.depth, posterior.scale, "own"), "the model's own metres", posterior)


def _seen_beside(scene: Scene, own_metres: Found) -> Found:
    """A metric model's own scale with the packaged AVS-Net's: both see one picture, so they err much alike."""
    assert own_metres.posterior is not None
    if scene.network is None:
        return own_metres
    try:
        seen = _nearest(scene)
        posterior = own_metres.posterior.pooled(seen, _SIGHT)
    except (DepthError, ValueError):  # no pixel that both know, or metres of wholly other sizes
        return own_metres
    origin = f"{own_metres.origin} with {packaged.AV}"
    return Found(times(scene.depth, posterior.median, "own"), origin, posterior)


def _nearest(scene: Scene) -> ScalePosterior:
    """The factor that brings the map nearest to the packaged AVS-Net's."""
    assert scene.network is not None
    return ScalePosterior.normal(nearest_factor(scene.depth, scene.network(packaged.AV)), NETWORK_ERROR)


def _by_sight(scene: Scene) -> Found:
    """The packaged AVS-Net as a witness: its contrast and median, where a fit of scale and shift has no answer."""
    assert scene.network is not None
    try:
        return network(scene, packaged.AV)
    except DepthError:
        if not scene.shift_is_open:
            raise
        scaled = scene.unscaled()
        space = " in inverse depth" if scaled.space == "inverse depth" else ""
        posterior = ScalePosterior.normal(scaled.factor, NETWORK_ERROR)
        return Found(scaled, f"{packaged.AV} by contrast{space}", posterior)


def _product(scene: Scene, witness: Found | None, joined: Callable[[Scene, Found], Found] | None = None) -> Found:
    """What the ear and a witness say together; the witness alone where the echo says nothing.

    Args:
        scene: with an echo.
        witness: what gives metres without it.
        joined: by another witness, where there is an echo to hear.
    """
    assert scene.echo is not None
    try:
        echo = scene.echo()
    except EchoError as error:
        if witness is None:
            raise
        return replace(witness, warnings=(*witness.warnings, *unused(scene, error)))
    try:
        return _by_ear(scene, joined(scene, witness) if joined and witness else witness, echo)
    except EchoError as error:
        if witness is None:
            raise
        return replace(witness, warnings=(*witness.warnings, f"the ear did not use the echo: {error}"))


def _by_ear(scene: Scene, witness: Found | None, echo: Echo) -> Found:
    """The ear beside a witness, or alone; where the shift is open, on every shape that this allows."""
    from avsnet.scale.ear import posterior_from_ear

    name = "" if witness is None else f" and {witness.origin}"
    if scene.shift_is_open:
        metres = None if witness is None or scene.network is None else scene.network(packaged.AV)
        scaled, found = scale_and_shift(
            scene.values, scene.kind, scene.camera, echo, metres=metres, spread=NETWORK_ERROR
        )
        name = "" if metres is None else f" and {packaged.AV}"
        name += " in inverse depth" if scaled.space == "inverse depth" else ""
    else:
        found = posterior_from_ear(scene.depth, scene.depth > 0.0, scene.camera, echo, own=_beforehand(scene, witness))
        scaled = times(scene.depth, found.scale, "ear")
    about_rig, *warnings = found.warnings
    return Found(
        scaled,
        f"ear{name}",
        found.posterior,
        found.prior,
        EchoEvidence(echo),
        tuple(warnings),
        (about_rig,),
    )


def _beforehand(scene: Scene, witness: Found | None) -> ScalePosterior | None:
    """What a witness says of the scale; of an AVS-Net's map, which has its own shape, the nearest factor says more."""
    if witness is None or scene.kind == "metric_depth" or scene.network is None:
        return None if witness is None else witness.posterior
    return _nearest(scene)


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
    return Found(times(scene.depth, scale, "known"), f"known:{argument}", posterior)


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
        compares: whether it compares two maps, hence takes a method.
        finds_shift: whether it can set an open shift.
        methods: of `METHODS`, those that it takes without being one that only compares.
        check: refuses an argument before any work, given the picture's (height, width) where that is known.
    """

    find: Callable[[Scene, str], Found]
    form: str
    about: str
    needs_echo: bool = False
    compares: bool = False
    finds_shift: bool = False
    methods: tuple[str, ...] = ()
    check: Callable[[str, tuple[int, int] | None], None] | None = None


SOURCES: dict[str, Source] = {
    "none": Source(own, "none", "the model's own numbers"),
    "ranging": Source(ranging, "ranging", "by time of flight alone", needs_echo=True),
    "ear": Source(
        ear,
        "ear",
        "by a trained ear, which compares the echo with the map",
        needs_echo=True,
        finds_shift=True,
        methods=("log_affine",),
    ),
    "known": Source(known, "known:x,y,metres", "by one known distance", check=_check_known),
}
"""Each source by name; beside them, an AVS-Net's name or folder stands for `NETWORK`."""

_FINER = tuple(name for name, rule in METHODS.items() if isinstance(rule, FinerRule))

HEARD = Source(
    everything,
    "auto",
    "by a trained ear and what else gives metres",
    needs_echo=True,
    finds_shift=True,
    methods=_FINER,
)
"""What `auto` stands for where there is an echo."""

NETWORK = Source(
    network, "an AVS-Net by name or folder", "by its pseudo-dense metric depth", compares=True, finds_shift=True
)


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
    if info.output.startswith("affine") and not source.finds_shift:
        raise OptionError(
            f"{info.name} gives {info.output}: beside the scale it leaves a shift open, which {text} does not set; "
            "take ear or an AVS-Net as scale_from, a model of depth or disparity, or see avsnet scale --reference"
        )
    if method is not None and not source.compares and method not in source.methods:
        other = f"; {', '.join(source.methods)} it takes" if source.methods else ""
        if text == "auto":
            raise OptionError(
                f"method {method}: compares two maps, and auto leaves {info.name} its own metres; as scale_from take "
                "another AVS-Net, or with an echo and log_affine ear"
            )
        raise OptionError(
            f"method {method}: is a rule for two maps, but scale_from {text} sets one factor by itself{other}"
        )
    if source.needs_echo and not has_echo:
        raise OptionError(f"scale_from {text} needs an echo; give the recording")
    if source.check is not None:
        source.check(choice.argument, size)
    return choice


def automatic(info: ModelInfo, has_echo: bool, method: str | None = None) -> Choice:
    """What `auto` stands for.

    An AVS-Net, and whatever has heard the echo itself, keeps its metres, unless it is a witness as below; without an
    echo so does any metric model. With one the ear gives them, with the model's own metres or else the packaged
    AVS-Net's; the packaged pair alone does where there is no echo, or a method of one factor is asked for; a finer one
    bends the map towards that network's, and the ear scales the result.

    The metres of a network that has heard the echo, too, are a witness beside the ear where it was measured how far
    they err, as of the packaged one; of others nobody knows whether the ear would make them better.
    """
    witness = info.hears and info.scale_spread is not None and has_echo and method is None
    keeps = info.gives_scale or info.hears or not has_echo
    if info.output == "metric_depth" and keeps and not witness:
        return _parsed("none")
    if has_echo and (method is None or (method in _FINER and not info.output.startswith("affine"))):
        return Choice(HEARD, "")
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
