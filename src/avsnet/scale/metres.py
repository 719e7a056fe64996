"""From a depth map's own unit to metres: by an AVS-Net, by an echo, by a known distance, or by the model itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from avsnet.audio.ranging import RangeProfile, range_profile
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, DepthError, EchoError, OptionError
from avsnet.io import Recording
from avsnet.prediction import Prediction
from avsnet.scale.ranging import Arrival, EchoScale, scale_from_echo
from avsnet.scale.rules import scale_depth

_PROFILE_RANGE = 12.0  # metres; farther where a plane was heard farther away
_FARTHEST_KNOWN = 10_000.0  # metres
_KNOWN_REACH = 2  # pixels round a known one: a square of 5 x 5


@dataclass(frozen=True)
class Hearing:
    """What was heard while the scale was found, for a picture of it.

    Args:
        profile: the echo's strength over range.
        arrivals: the map's planes at the scale found, and whether each was heard.
    """

    profile: RangeProfile
    arrivals: tuple[Arrival, ...]


def to_metres(
    depth: np.ndarray,
    source: str,
    recording: Recording | None,
    camera: np.ndarray,
    rig: Rig | None,
    *,
    assumptions: list[str],
    kind: str,
    model: str,
    weights_hash: str | None = None,
    warnings: Sequence[str] = (),
) -> tuple[Prediction, Hearing | None]:
    """Scale a depth map by one factor and say where it is from.

    Args:
        depth: (H, W) in the model's unit, 0 = unknown.
        source: where the metres come from, as `scale_source` decides it.
        recording: the echo; None for none, or where the depth model has used it.
        camera: (3, 3) pixels of the map.
        rig: where speaker and ears sit; None assumes the default rig.
        assumptions: what was assumed so far.
        kind: what the model's numbers meant; the scale of a metric one is searched near 1.
        model: its name.
        weights_hash: of its weights.
        warnings: of what was done so far.

    Returns:
        The prediction, and what was heard: None unless the scale came from ranging.

    Raises:
        AudioError: a recording that the rules cannot listen to.
        EchoError: a recording that gives no scale.
        DepthError: no plane to hear.
        OptionError: a known pixel whose depth the model does not know.
    """
    scale, confidence, hearing = 1.0, None, None
    warnings = list(warnings)
    if source == "ranging" and recording is not None:
        found, hearing = _range(depth, camera, recording, rig, kind == "metric_depth")
        scale, confidence = found.scale, found.confidence
        about_rig, *more = found.warnings
        warnings += more
        assumptions = [*assumptions, about_rig]
    elif source.startswith("known:"):
        scale = _known_scale(depth, source)
    elif kind != "metric_depth":
        warnings += [f"not metres: {model} gives {kind}, and nothing set its scale"]
    if recording is not None and source != "ranging":
        warnings.append(f"the echo was not used: the scale is from {source}")
    prediction = Prediction(
        depth=depth * scale,
        kind=kind,
        scale=scale,
        shift=0.0,
        valid=depth > 0.0,
        intrinsics=camera,
        model=model,
        weights_hash=weights_hash,
        scale_source=source,
        version=avsnet_version(),
        warnings=tuple(warnings),
        confidence=confidence,
        assumptions=tuple(assumptions),
    )
    return prediction, hearing


def by_network(
    values: np.ndarray,
    reference: np.ndarray,
    source: str,
    camera: np.ndarray,
    *,
    assumptions: list[str],
    kind: str,
    model: str,
    weights_hash: str | None = None,
    warnings: Sequence[str] = (),
) -> Prediction:
    """Scale a model's map by the pseudo-dense metric depth of an AVS-Net (the paper's stage two).

    The rule is the paper's, M = R median(Mp) / median(R); a map whose shift is open takes the least-squares fit of
    scale and shift over all pixels.

    Args:
        values: (H, W) what the model gave; its numbers mean `kind`.
        reference: (H, W) metres, Mp.
        source: the AVS-Net's name or folder.
        camera: (3, 3) pixels of the map.
        assumptions: what was assumed so far.
        kind: what the model's numbers meant.
        model: its name.
        weights_hash: of its weights.
        warnings: of what was done so far.

    Raises:
        DepthError: no usable pixel, or a map that no positive scale brings to the reference.
    """
    method = "affine" if kind.startswith("affine") else "median"
    try:
        scaled = scale_depth(values, reference, kind=kind, method=method)
    except DepthError as error:
        raise DepthError(f"{model}: {error}") from None
    where = " by affine in inverse depth" if scaled.space == "inverse depth" else " by affine" if scaled.shift else ""
    return Prediction(
        depth=scaled.depth,
        kind=kind,
        scale=scaled.scale,
        shift=scaled.shift,
        valid=scaled.depth > 0.0,
        intrinsics=camera,
        model=model,
        weights_hash=weights_hash,
        scale_source=source + where,
        version=avsnet_version(),
        warnings=tuple(warnings),
        assumptions=tuple(assumptions),
    )


def _range(
    depth: np.ndarray, intrinsics: np.ndarray, recording: Recording, rig: Rig | None, metric: bool
) -> tuple[EchoScale, Hearing]:
    """The scale by ear; its errors name the recording."""
    waveform, sample_rate = recording.waveform, recording.sample_rate
    try:
        found = scale_from_echo(depth, depth > 0.0, intrinsics, waveform, sample_rate, rig, metric=metric)
    except (AudioError, EchoError) as error:
        raise type(error)(f"{recording.path or 'echo'}: {error}") from None
    farthest = max((arrival.distance for arrival in found.arrivals if arrival.evidence > 0.0), default=0.0)
    profile = range_profile(waveform, sample_rate, rig, max_range=max(_PROFILE_RANGE, 1.1 * farthest))
    return found, Hearing(profile, found.arrivals)


def known_distance(source: str) -> tuple[float, float, float]:
    """Read `"known:x,y,metres"`.

    Returns:
        x, y in pixels, and the depth there in metres.

    Raises:
        OptionError: anything else, or a distance out of bounds.
    """
    try:
        x, y, metres = (float(number) for number in source.removeprefix("known:").split(","))
    except ValueError:
        raise OptionError(f"scale_from {source!r}: wanted known:x,y,metres, such as known:320,240,2.5") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise OptionError(f"scale_from {source!r}: x and y must be pixels of the picture")
    if not 0.0 < metres < _FARTHEST_KNOWN:
        raise OptionError(f"scale_from {source!r}: the distance must lie between 0 and {_FARTHEST_KNOWN:g} metres")
    return x, y, metres


def known_pixel(source: str, size: tuple[int, int]) -> tuple[int, int, float]:
    """The pixel of `"known:x,y,metres"` in a map of `size` (height, width).

    Returns:
        Row, column, and the depth there in metres.

    Raises:
        OptionError: another text, or a pixel outside the map.
    """
    x, y, metres = known_distance(source)
    row, column = round(y), round(x)
    if not (0 <= row < size[0] and 0 <= column < size[1]):
        raise OptionError(
            f"scale_from {source!r}: pixel {x:g}, {y:g} is outside the picture of {size[1]} x {size[0]} pixels"
        )
    return row, column, metres


def _known_scale(depth: np.ndarray, source: str) -> float:
    """Metres per unit of the map, from the median round the known pixel."""
    row, column, metres = known_pixel(source, depth.shape)
    if depth[row, column] <= 0.0:
        raise OptionError(f"scale_from {source!r}: the model does not know the depth of that pixel; choose another")
    top, left = max(0, row - _KNOWN_REACH), max(0, column - _KNOWN_REACH)
    square = depth[top : row + _KNOWN_REACH + 1, left : column + _KNOWN_REACH + 1]
    return metres / float(np.median(square[square > 0.0]))


def avsnet_version() -> str:
    """The version of this package."""
    return version("avsnet")
