"""The scale over a stream of pictures: carried from frame to frame, ever less certain, and followed where it changes.

Echoes of one place err alike, so they are averaged and not multiplied: a hundred echoes of a room say little more than
one, but the noise between them goes. An echo that contradicts what is carried founds a second answer beside it, and the
answer that explains the echoes better by the odds of Bayes' rule is kept: one wrong echo changes little, a cut to
another scene is followed within a few.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from avsnet.errors import EchoError
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.scene import Found, Scene
from avsnet.scale.sources import SOURCES, Choice, automatic

DRIFT = {True: 0.01, False: 0.02}
"""Deviation of log scale by which it may change in a frame without an echo, of metric models and of others, whose unit
each picture sets anew."""

_GAIN = 0.05  # weight of a new echo beside those before it, once there are twenty
_CUT = 0.05  # probability that a frame begins another scene
_TELLING = 0.1  # of the log odds that an echo must move before it counts as a contradiction
_STEP = 0.004  # of log scale
_ANYTHING = 4.6  # width in log scale of what a source without a prior might have said
_DOUBT = 0.02  # share of "it could be anything" in every answer, so that none excludes another
_LONGEST = 1.0  # deviation of log scale that a drift reaches at most


@dataclass(frozen=True)
class Carried:
    """What is known of the scale from the frames so far.

    Args:
        standing: the answer.
        origin: where it is from.
        weight: of the echoes in it; one that says all counts 1.
        since: frames without one since the last of them.
        rival: what contradicts it; None: nothing does.
        log_odds: of the rival against the standing answer.
    """

    standing: ScalePosterior
    origin: str
    weight: float = 1.0
    since: int = 0
    rival: ScalePosterior | None = None
    log_odds: float = float(np.log(_CUT))

    def posterior(self, drift: float) -> ScalePosterior:
        """Over the scale of the present frame, with the doubt that has grown since the last echo.

        Args:
            drift: deviation of log scale, per frame.
        """
        standing = _drifted(self.standing, drift, self.since)
        if self.rival is None:
            return standing
        grid = _grid(standing, self.rival)
        share = 1.0 / (1.0 + np.exp(-self.log_odds))
        return ScalePosterior(grid, (1.0 - share) * _density(standing, grid) + share * _density(self.rival, grid))


def with_echo(carried: Carried, heard: ScalePosterior, prior: ScalePosterior | None, drift: float) -> Carried:
    """What is known after one more echo.

    Args:
        carried: what was known before.
        heard: what this frame says by itself.
        prior: what it said before its echo; None: anything.
        drift: deviation of log scale, per frame.
    """
    standing = _drifted(carried.standing, drift, carried.since)
    grid = _grid(standing, heard, *([] if carried.rival is None else [carried.rival]))
    anything = np.full(len(grid), 1.0 / _ANYTHING)
    before = anything if prior is None else _density(prior, grid)
    now = _density(heard, grid)
    now = (1.0 - _DOUBT) * now + _DOUBT * before
    evidence = (now + 1e-9) / (before + 1e-9)  # of the echo, for each scale; 1 says nothing
    rival = None if carried.rival is None else _drifted(carried.rival, drift, carried.since)
    expected = float(np.log(_mean(standing, evidence, grid)))
    by_rival = 0.0 if rival is None else float(np.log(_mean(rival, evidence, grid)))
    log_odds = carried.log_odds + by_rival - expected
    fresh = ScalePosterior(grid, now)
    if log_odds > 0.0:
        latest = fresh if rival is None else _averaged(rival, fresh, 0.5, grid)
        return Carried(latest, carried.origin, weight=1.0 if rival is None else 2.0)
    if log_odds > np.log(_CUT) + _TELLING:
        latest = fresh if rival is None else _averaged(rival, fresh, 0.5, grid)
        return replace(carried, standing=standing, since=0, rival=latest, log_odds=log_odds)
    said = 1.0 - float(np.exp(-np.sum(now * np.log(np.maximum(evidence, 1e-9))) * _STEP))  # 0 where nothing was said
    gain = float(np.clip(said, 0.0, 1.0)) * max(_GAIN, 1.0 / (1.0 + carried.weight))
    return Carried(_averaged(standing, fresh, gain, grid), carried.origin, min(carried.weight + said, 1.0 / _GAIN))


class Stream:
    """The scale of one camera's pictures, one after the other; of a single picture, what its source says."""

    def __init__(self) -> None:
        self._carried: Carried | None = None

    @property
    def knows(self) -> bool:
        """Whether there is a scale to carry."""
        return self._carried is not None

    def find(self, choice: Choice, scene: Scene) -> Found:
        """Bring the next picture's map to metres.

        Args:
            choice: the source of scale. A known distance is that of the first picture, and then carried.
            scene: what is known of the picture.

        Raises:
            AvsnetError: as the source; what is wrong with an echo, only while there is nothing to carry.
        """
        if self._carried is None:
            found = _trusted(choice.source.find(scene, choice.argument))
            if _lasts(found, choice, scene):
                assert found.posterior is not None
                self._carried = Carried(found.posterior, found.origin)
            return found
        if scene.echo is None:
            return self._kept(scene, ())
        if choice.source is SOURCES["known"]:
            choice = automatic(scene.info, has_echo=True)
            if choice.source is SOURCES["none"]:  # its own metres say nothing of what was measured
                return self._kept(scene, ())
        try:
            found = _trusted(choice.source.find(scene, choice.argument))
        except EchoError as error:
            return self._kept(scene, (f"the echo was not used: {error}",))
        if not _lasts(found, choice, scene):
            return found if found.posterior is None else self._kept(scene, found.warnings)
        return self._followed(found, scene)

    def _followed(self, found: Found, scene: Scene) -> Found:
        assert self._carried is not None and found.posterior is not None
        drift = DRIFT[scene.kind == "metric_depth"]
        # What was measured stays the origin; echoes after it only follow a change.
        origin = self._carried.origin if self._carried.origin.startswith("known:") else found.origin
        carried = replace(self._carried, origin=origin)
        self._carried = carried = with_echo(carried, found.posterior, found.prior, drift)
        odd = () if carried.rival is None else ("this echo contradicts those before it: it counts if the next agree",)
        scaled = found.scaled.times(carried.standing.median / found.scaled.factor)
        posterior, warnings = carried.posterior(drift), (*found.warnings, *odd)
        return replace(found, scaled=scaled, origin=origin, posterior=posterior, warnings=warnings)

    def _kept(self, scene: Scene, warnings: tuple[str, ...]) -> Found:
        """The scale of the last echo, for a frame without."""
        assert self._carried is not None
        self._carried = replace(self._carried, since=self._carried.since + 1)
        posterior = self._carried.posterior(DRIFT[scene.kind == "metric_depth"])
        frames = f"{self._carried.since} frame{'s' if self._carried.since > 1 else ''} ago"
        unscaled = scene.unscaled()
        scaled = unscaled.times(self._carried.standing.median / unscaled.factor)
        kept = f"the scale is carried from the last frame that told it, {frames}"
        return Found(scaled, f"carried: {self._carried.origin}", posterior, warnings=(*warnings, kept))


def _trusted(found: Found) -> Found:
    if found.refusal is not None:
        raise EchoError(found.refusal)
    return found


def _lasts(found: Found, choice: Choice, scene: Scene) -> bool:
    """Whether the next frames may have their scale from this one: from what was heard or is known, not from sight."""
    heard = found.evidence is not None or (choice.network is not None and scene.echo is not None)
    return found.posterior is not None and (heard or choice.source is SOURCES["known"])


def _grid(*posteriors: ScalePosterior) -> np.ndarray:
    """Even log scales, over all that any allows."""
    low, high = (edge(one.log_scale[place] for one in posteriors) for edge, place in ((min, 0), (max, -1)))
    return np.arange(np.floor(low / _STEP), np.ceil(high / _STEP) + 1) * _STEP


def _density(posterior: ScalePosterior, grid: np.ndarray) -> np.ndarray:
    """Of log scale, of sum 1 / step."""
    values = np.interp(grid, posterior.log_scale, posterior.probability, left=0.0, right=0.0)
    return values / (values.sum() * _STEP)


def _mean(posterior: ScalePosterior, values: np.ndarray, grid: np.ndarray) -> float:
    return float((_density(posterior, grid) * values).sum() * _STEP)


def _drifted(posterior: ScalePosterior, drift: float, frames: int) -> ScalePosterior:
    deviation = min(drift * frames**0.5, _LONGEST)
    if deviation == 0.0:
        return posterior
    room = int(np.ceil(4.0 * deviation / _STEP))
    low, high = (round(posterior.log_scale[place] / _STEP) for place in (0, -1))
    grid = np.arange(low - room, high + room + 1) * _STEP
    return ScalePosterior(grid, gaussian_filter1d(_density(posterior, grid), deviation / _STEP, mode="constant"))


def _averaged(one: ScalePosterior, other: ScalePosterior, gain: float, grid: np.ndarray) -> ScalePosterior:
    """The weighted mean of their logarithms: `one` at a gain of 0; what `other` excludes is only doubted."""
    floor = _DOUBT / _ANYTHING
    first, second = (_density(each, grid) for each in (one, other))
    return ScalePosterior(grid, first * ((second + floor) / (first + floor)) ** gain)
