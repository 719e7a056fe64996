"""The scale of a depth map by ear, without training: which k makes its planes explain the echo best?

Every dominant plane of the map, moved to k times its distance, predicts when its first-order echo reaches each ear.
Where the recording stands out of its own decay at those moments, k gains evidence. Which surface an echo speaks of
thus follows from geometry alone. The evidence of one plane is a density ratio blurred along log k by what the map's
shape may err in that plane's distance; planes multiply; the posterior over k is the confidence.

All constants were fixed on closed-form furnished rooms (`benchmarks/echo_scale.py`), none on a real recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.ranging import RangeProfile, about_rig, local_mean, profile_of
from avsnet.audio.recording import Echo
from avsnet.errors import DepthError, EchoError
from avsnet.planes import Foot, Plane, find_planes
from avsnet.scale.posterior import STEP, ScalePosterior

_MEDIAN_RANGE = (0.15, 25.0)  # metres: medians of depth that are searched
_ROOM = (2.5, 0.8)  # prior of the median depth: its middle in metres, its deviation in log
_METRIC = 1.0  # prior of a metric model's scale error: deviation in log

# Three readings of the map: tolerance of its planes, error floor and shape error that go with it (all relative).
_READINGS = ((0.015, 0.004, 0.01), (0.04, 0.015, 0.08), (0.08, 0.02, 0.15))
_DRAWS = 5  # of the planes in each reading: a bent map falls into planes in more than one way
_UNEXPLAINED = 40.0  # log price of a reading that leaves every pixel off its planes

_DEAD_TIME = 0.0012  # seconds after the direct sound
_BACKGROUND = 0.023  # seconds
_SHORTEST = 0.01  # metres of path; a rig may have its speaker at an ear
_EARLY = 0.057  # seconds after the direct sound, 10 m of range, in which the loudest echo is sought
_LOUDEST = 0.99  # quantile of what is heard there
# evidence = 2 clip(prominence, -1, 3) + 2 clip(level, -2.5, 1) - 0.8: about the log density ratio of both, at true
# arrivals over anywhere, in the rooms
_PROMINENCE = (2.0, -1.0, 3.0)
_LEVEL = (2.0, -2.5, 1.0)
_OFFSET = -0.8
_ECHOES = {Foot.SEEN: 0.85, Foot.OUTSIDE: 0.5, Foot.HIDDEN: 0.1, Foot.OPEN: 0.1}  # chance that a plane is heard
_FULL_SHARE = 0.15  # of the picture; smaller planes are heard less
_WITNESS = 0.4  # power of each plane's evidence: one loud echo may speak for several planes, so they are no
# independent witnesses

_SHARPNESS = 2.0  # power of the posterior; brings its confidence near to how often it was right in the rooms
_FAR = 0.30  # distance in log k from which another scale is a different answer
_DOUBTFUL = 0.3  # confidence under which the user is told
_DRAWN = 12.0  # metres of the profile that is kept for a picture; farther where a plane was heard farther away
_ALIKE = 0.7  # the second scale's share of the first's probability from which neither is believed


@dataclass(frozen=True)
class Arrival:
    """A plane at the scale found: where it is and whether it was heard.

    Args:
        distance: metres from the camera, along the plane's normal.
        delays: seconds after the direct sound at which its echo is due, at each ear that works.
        evidence: log density ratio of the recording there; positive = heard.
    """

    distance: float
    delays: tuple[float, ...]
    evidence: float


@dataclass(frozen=True, eq=False)
class EchoEvidence:
    """The echo over range, and the surfaces that it speaks of.

    Args:
        echo: what was heard.
        arrivals: the map's planes at the scale found, and whether each was heard.
    """

    echo: Echo
    arrivals: tuple[Arrival, ...] = ()

    @cached_property
    def profile(self) -> RangeProfile:
        """The echo's strength over range, as far as it is drawn."""
        farthest = max((arrival.distance for arrival in self.arrivals if arrival.evidence > 0.0), default=0.0)
        return profile_of(self.echo, max_range=max(_DRAWN, 1.1 * farthest))


@dataclass(frozen=True, eq=False)
class EchoScale:
    """The scale that an echo gives to a map.

    Args:
        posterior: over metres per unit of the map.
        arrivals: the map's planes at the most probable scale.
        warnings: one line for each thing a user should know, the origin of the rig's geometry first.
    """

    posterior: ScalePosterior
    arrivals: tuple[Arrival, ...]
    warnings: tuple[str, ...]

    @cached_property
    def second(self) -> tuple[float, float]:
        """The best scale more than 35 % away, and its probability as a share of the first one's."""
        return self.posterior.second(_FAR)

    @property
    def ambiguous(self) -> bool:
        """Whether the second scale is nearly as probable: then neither is to be believed."""
        return self.second[1] > _ALIKE

    @property
    def refusal(self) -> str | None:
        """Why the scale must not be believed; None where it may."""
        if not self.ambiguous:
            return None
        first, second = self.posterior.scale, self.second[0]
        fix = "give the rig's geometry and the camera's field of view, or one known distance"
        return (
            f"ambiguous: the echo fits the picture at {first:.3g} and at {second:.3g} metres per unit alike; "
            + "; ".join([fix, *self.warnings[1:]])
        )


def posterior_from_echo(
    depth: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray, echo: Echo, *, metric: bool = False
) -> EchoScale:
    """Find the factor that brings a relative depth map to metres.

    Args:
        depth: (H, W) depth along the optical axis in any unit (disparity is inverted beforehand).
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels of this map.
        echo: what `avsnet.audio.recording.listen` heard; the warnings say where its rig's geometry comes from.
        metric: the map comes from a metric model, whose scale is wrong by a factor of three rather than thirty.

    Returns:
        The `EchoScale`; where two far scales explain the echo alike, its best guess, with a `refusal`.

    Raises:
        DepthError: no valid pixel, or no plane in the map.
        EchoError: nothing after the direct sound stands out.
    """
    if not profile_of(echo).reflections:
        raise EchoError("; ".join(["no echo: nothing after the direct sound stands out of its decay", *echo.warnings]))
    depth, valid = _known_depth(depth, valid)
    median = float(np.median(depth[valid]))
    log_scale = np.arange(np.log(_MEDIAN_RANGE[0] / median), np.log(_MEDIAN_RANGE[1] / median), STEP)
    prior = _log_prior(log_scale, median, metric)
    log_ratio = _log_ratio(echo)
    readings = [
        _read(find_planes(depth, valid, intrinsics, tolerance, draw), (floor, shape_error), log_ratio, echo, log_scale)
        for (tolerance, floor, shape_error), draw in product(_READINGS, range(_DRAWS))
    ]
    if not any(reading.planes for reading in readings):
        raise DepthError("no plane in the map: nothing in it can be expected to mirror sound")
    posterior = _posterior(log_scale, [prior + reading.score for reading in readings])
    best, scale = posterior.mode, posterior.scale
    likeliest = readings[int(np.argmax([reading.score[best] for reading in readings]))]
    warnings = (about_rig(echo.rig), *echo.warnings)
    if posterior.confidence < _DOUBTFUL:
        share = f"{posterior.confidence:.0%}"
        warnings += (f"low confidence: the echo says little; this scale is {share} probable within 15 %",)
    arrivals = tuple(
        _arrival(plane, ratio[best], echo, scale)
        for plane, ratio in zip(likeliest.planes, likeliest.ratios, strict=True)
    )
    return EchoScale(posterior, arrivals, warnings)


@dataclass(frozen=True)
class _Reading:
    """One way to see planes in the map, with what the echo says of each: (S,) density ratios, and (S,) all in all."""

    planes: list[Plane]
    ratios: list[np.ndarray]
    score: np.ndarray


def _known_depth(depth: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The map as float64 with zeros where it is unknown, and (H, W) bool where it is known."""
    valid = valid & (depth > 0) & np.isfinite(depth)
    if not valid.any():
        raise DepthError("no valid pixel: the map is empty")
    return np.where(valid, depth, 0.0).astype(np.float64), valid


def _log_prior(log_scale: np.ndarray, median: float, metric: bool) -> np.ndarray:
    """(S,) of rooms' sizes, and of a metric model's own scale."""
    prior = -0.5 * ((log_scale + np.log(median / _ROOM[0])) / _ROOM[1]) ** 2
    return prior - 0.5 * (log_scale / _METRIC) ** 2 if metric else prior


def _read(
    found: tuple[list[Plane], float],
    errors: tuple[float, float],
    log_ratio: np.ndarray,
    echo: Echo,
    log_scale: np.ndarray,
) -> _Reading:
    """What the echo says of some planes and the share of pixels off them; `errors` are their floor and shape error."""
    planes, unexplained = found
    floor, shape_error = errors
    ratios = [_evidence(plane, log_ratio, echo, log_scale) for plane in planes]
    score = np.full(len(log_scale), -_UNEXPLAINED * unexplained)
    for plane, ratio in zip(planes, ratios, strict=True):
        blur = np.hypot(floor, shape_error * plane.spread) / STEP
        heard = _ECHOES[plane.foot] * min(1.0, np.sqrt(plane.share / _FULL_SHARE))
        score += _WITNESS * np.log1p(heard * (gaussian_filter1d(ratio, blur, mode="nearest") - 1.0))
    return _Reading(planes, ratios, score)


def _posterior(log_scale: np.ndarray, scores: list[np.ndarray]) -> ScalePosterior:
    """The readings together, sharpened."""
    log_posterior = _SHARPNESS * np.logaddexp.reduce(scores)
    return ScalePosterior(log_scale, np.exp(log_posterior - log_posterior.max()))


def _log_ratio(echo: Echo) -> np.ndarray:
    """(C, N) how much more likely each sample is at a mirror's echo than elsewhere, as a log density ratio.

    Two things tell an echo: its prominence, the energy over its local mean, whatever the decay; and its level, the
    energy times the path squared, which spreading leaves alone, over the loudest such level of the early echo.
    """
    energy, rig = echo.energy, echo.rig
    after = (np.arange(energy.shape[1]) - echo.direct) / SAMPLE_RATE
    counted = after > _DEAD_TIME
    peaks = np.maximum(maximum_filter1d(energy, 5, axis=1), 1e-12)
    width = round(_BACKGROUND * SAMPLE_RATE)
    prominence = np.log(peaks / np.stack([np.maximum(local_mean(row, counted, width), 1e-12) for row in peaks]))
    path = np.maximum(np.maximum(after, 0.0) * rig.speed_of_sound + rig.direct_paths.min(), _SHORTEST)
    level = np.log(peaks * path**2)
    level -= np.quantile(level[:, counted & (after < _EARLY)], _LOUDEST)
    return _PROMINENCE[0] * np.clip(prominence, *_PROMINENCE[1:]) + _LEVEL[0] * np.clip(level, *_LEVEL[1:]) + _OFFSET


def _evidence(plane: Plane, log_ratio: np.ndarray, echo: Echo, log_scale: np.ndarray) -> np.ndarray:
    """(S,) density ratio of what is heard at the plane's moment, for every scale; 1 where nothing can be heard."""
    arrivals = _arrivals(plane, np.exp(log_scale) * plane.distance, echo)
    samples = np.arange(log_ratio.shape[1])
    heard = np.mean([np.interp(arrivals[:, row], samples, values) for row, values in enumerate(log_ratio)], axis=0)
    outside = (arrivals < echo.direct + _DEAD_TIME * SAMPLE_RATE) | (arrivals > samples[-1])
    return np.where(outside.any(axis=1), 1.0, np.exp(heard))


def _arrivals(plane: Plane, distances: np.ndarray, echo: Echo) -> np.ndarray:
    """(S, C) fractional samples at which a plane is heard at each ear, for each distance that it may have."""
    return echo.mirrored(np.broadcast_to(plane.normal, (len(distances), 3)), distances)


def _arrival(plane: Plane, ratio: float, echo: Echo, scale: float) -> Arrival:
    distance = scale * plane.distance
    delays = (_arrivals(plane, np.array([distance]), echo)[0] - echo.direct) / SAMPLE_RATE
    return Arrival(distance, tuple(delays.tolist()), float(np.log(ratio)))
