"""The scale of a depth map by ear, without training: which k makes its planes explain the echo best?

Every dominant plane of the map, moved to k times its distance, predicts when its first-order echo reaches each ear.
Where the recording stands out of its own decay at those moments, k gains evidence. Which surface an echo speaks of
thus follows from geometry alone. The evidence of one plane is a density ratio blurred along log k by what the map's
shape may err in that plane's distance; planes multiply; the posterior over k is the confidence.

All constants were fixed on closed-form furnished rooms (`benchmarks/echo_scale.py`), none on a real recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.ranging import arrival_samples, echo_energy, local_mean, range_profile
from avsnet.audio.recording import Echo, listen
from avsnet.audio.rig import Rig
from avsnet.errors import DepthError, EchoError
from avsnet.planes import Foot, Plane, find_planes

_STEP = 0.002  # of log k
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
_SMOOTH = 0.02  # of log k, over which the posterior is averaged before its peak is taken
_PEAK = 0.15  # half width in log k of what counts as one scale
_FAR = 0.30  # distance in log k from which another scale is a different answer
_DOUBTFUL = 0.3  # confidence under which the user is told
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


@dataclass(frozen=True)
class EchoScale:
    """The scale that an echo gives to a map.

    Args:
        scale: metres per unit of the map, the posterior's highest peak.
        confidence: probability that the scale lies within 15 % of it.
        log_scale: (S,) grid of log k.
        posterior: (S,) probability on that grid, sum 1.
        arrivals: the map's planes at that scale.
        warnings: one line for each thing a user should know.
    """

    scale: float
    confidence: float
    log_scale: np.ndarray
    posterior: np.ndarray
    arrivals: tuple[Arrival, ...]
    warnings: tuple[str, ...]

    @property
    def ambiguous(self) -> bool:
        """Whether a scale more than 35 % away is nearly as probable: then neither is to be believed."""
        return second_scale(self)[1] > _ALIKE


def scale_from_echo(
    depth: np.ndarray,
    valid: np.ndarray,
    intrinsics: np.ndarray,
    waveform: np.ndarray,
    sample_rate: int,
    rig: Rig | None = None,
    *,
    metric: bool = False,
) -> EchoScale:
    """Find the factor that brings a relative depth map to metres.

    Args:
        depth: (H, W) depth along the optical axis in any unit (disparity is inverted beforehand).
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels of this map.
        waveform: (2, N), (1, N) or (N,) in -1..1, row 0 = left.
        sample_rate: hertz.
        rig: speaker and ears; None = the assumed rig, and the warnings say so.
        metric: the map comes from a metric model, whose scale is wrong by a factor of three rather than thirty.

    Returns:
        The `EchoScale`.

    Raises:
        DepthError: no valid pixel, or no plane in the map.
        EchoError: silent, no direct sound, no echo, too short; or two far scales explain the echo alike.
    """
    result = posterior_from_echo(depth, valid, intrinsics, waveform, sample_rate, rig, metric=metric)
    if result.ambiguous:
        second = second_scale(result)[0]
        raise EchoError(
            f"ambiguous: the echo fits the picture at {result.scale:.3g} and at {second:.3g} metres per unit alike; "
            + "; ".join(
                ["give the rig's geometry and the camera's field of view, or one known distance", *result.warnings[1:]]
            )
        )
    return result


def posterior_from_echo(
    depth: np.ndarray,
    valid: np.ndarray,
    intrinsics: np.ndarray,
    waveform: np.ndarray,
    sample_rate: int,
    rig: Rig | None = None,
    *,
    metric: bool = False,
) -> EchoScale:
    """As `scale_from_echo`, but an ambiguous echo gives its best scale instead of an error."""
    rig = rig or Rig()
    echo = listen(waveform, sample_rate, rig)
    if not range_profile(waveform, sample_rate, rig).reflections:
        raise EchoError("; ".join(["no echo: nothing after the direct sound stands out of its decay", *echo.warnings]))
    valid = valid & (depth > 0) & np.isfinite(depth)
    if not valid.any():
        raise DepthError("no valid pixel: the map is empty")
    depth = np.where(valid, depth, 0.0).astype(np.float64)
    median = float(np.median(depth[valid]))
    log_scale = np.arange(np.log(_MEDIAN_RANGE[0] / median), np.log(_MEDIAN_RANGE[1] / median), _STEP)
    prior = -0.5 * ((log_scale + np.log(median / _ROOM[0])) / _ROOM[1]) ** 2
    if metric:
        prior -= 0.5 * (log_scale / _METRIC) ** 2
    log_ratio = _log_ratio(echo, rig)
    readings, scores = [], []
    for (tolerance, floor, shape_error), draw in product(_READINGS, range(_DRAWS)):
        planes, unexplained = find_planes(depth, valid, intrinsics, tolerance, draw)
        evidence = [_evidence(plane, log_ratio, echo, rig, log_scale) for plane in planes]
        score = prior - _UNEXPLAINED * unexplained
        for plane, ratio in zip(planes, evidence, strict=True):
            blur = np.hypot(floor, shape_error * plane.spread) / _STEP
            heard = _ECHOES[plane.foot] * min(1.0, np.sqrt(plane.share / _FULL_SHARE))
            score = score + _WITNESS * np.log1p(heard * (gaussian_filter1d(ratio, blur, mode="nearest") - 1.0))
        readings.append((planes, evidence))
        scores.append(score)
    if not any(planes for planes, _ in readings):
        raise DepthError("no plane in the map: nothing in it can be expected to mirror sound")
    log_posterior = _SHARPNESS * np.logaddexp.reduce(scores)
    posterior = np.exp(log_posterior - log_posterior.max())
    posterior /= posterior.sum()
    best = int(np.argmax(gaussian_filter1d(posterior, _SMOOTH / _STEP, mode="constant")))
    planes, evidence = readings[int(np.argmax([score[best] for score in scores]))]
    confidence = float(posterior[np.abs(log_scale - log_scale[best]) < _PEAK].sum())
    warnings = (f"rig {rig.origin}: speaker to ear {rig.direct_paths.mean():.2f} m", *echo.warnings)
    if confidence < _DOUBTFUL:
        warnings += (f"low confidence: the echo says little; this scale is {confidence:.0%} probable within 15 %",)
    arrivals = tuple(
        _arrival(plane, ratio[best], echo, rig, float(np.exp(log_scale[best])))
        for plane, ratio in zip(planes, evidence, strict=True)
    )
    return EchoScale(
        float(np.exp(log_scale[best])),
        confidence,
        log_scale,
        posterior,
        arrivals,
        warnings,
    )


def _log_ratio(echo: Echo, rig: Rig) -> np.ndarray:
    """(C, N) how much more likely each sample is at a mirror's echo than elsewhere, as a log density ratio.

    Two things tell an echo: its prominence, the energy over its local mean, whatever the decay; and its level, the
    energy times the path squared, which spreading leaves alone, over the loudest such level of the early echo.
    """
    energy = echo_energy(echo, rig)
    after = (np.arange(energy.shape[1]) - echo.direct) / SAMPLE_RATE
    counted = after > _DEAD_TIME
    peaks = np.maximum(maximum_filter1d(energy, 5, axis=1), 1e-12)
    width = round(_BACKGROUND * SAMPLE_RATE)
    prominence = np.log(peaks / np.stack([np.maximum(local_mean(row, counted, width), 1e-12) for row in peaks]))
    path = np.maximum(np.maximum(after, 0.0) * rig.speed_of_sound + rig.direct_paths.min(), _SHORTEST)
    level = np.log(peaks * path**2)
    level -= np.quantile(level[:, counted & (after < _EARLY)], _LOUDEST)
    return _PROMINENCE[0] * np.clip(prominence, *_PROMINENCE[1:]) + _LEVEL[0] * np.clip(level, *_LEVEL[1:]) + _OFFSET


def _evidence(plane: Plane, log_ratio: np.ndarray, echo: Echo, rig: Rig, log_scale: np.ndarray) -> np.ndarray:
    """(S,) density ratio of what is heard at the plane's moment, for every scale; 1 where nothing can be heard."""
    distances = np.exp(log_scale) * plane.distance
    paths = rig.mirrored_paths(np.broadcast_to(plane.normal, (len(distances), 3)), distances)
    arrivals = arrival_samples(echo, rig, paths[:, list(echo.ears)])
    samples = np.arange(log_ratio.shape[1])
    heard = np.mean([np.interp(arrivals[:, row], samples, values) for row, values in enumerate(log_ratio)], axis=0)
    outside = (arrivals < echo.direct + _DEAD_TIME * SAMPLE_RATE) | (arrivals > samples[-1])
    return np.where(outside.any(axis=1), 1.0, np.exp(heard))


def _arrival(plane: Plane, ratio: float, echo: Echo, rig: Rig, scale: float) -> Arrival:
    distance = scale * plane.distance
    paths = rig.mirrored_paths(plane.normal[None], np.array([distance]))[:, list(echo.ears)]
    delays = (arrival_samples(echo, rig, paths)[0] - echo.direct) / SAMPLE_RATE
    return Arrival(distance, tuple(delays.tolist()), float(np.log(ratio)))


def second_scale(found: EchoScale) -> tuple[float, float]:
    """The best scale that is a different answer.

    Returns:
        That scale, metres per unit of the map; its probability as a share of the first scale's.
    """
    far = np.where(np.abs(found.log_scale - np.log(found.scale)) > _FAR, found.posterior, 0.0)
    mass = np.convolve(far, np.ones(2 * int(_PEAK / _STEP) + 1), mode="same")
    middle = int(np.argmax(mass))
    near_it = np.abs(found.log_scale - found.log_scale[middle]) < _PEAK
    best = int(np.argmax(np.where(near_it, gaussian_filter1d(far, _SMOOTH / _STEP), 0.0)))
    return float(np.exp(found.log_scale[best])), float(mass[middle]) / max(found.confidence, 1e-12)
