"""The scale of a map by a trained ear: how probable is each scale, given the echo, the map, and what else is known?

The network says how much more likely this echo is at each scale than an unrelated one. As an echo may *be* unrelated
(of another room, drowned in noise), its likelihood never falls below that chance: an echo that says little changes
little. It multiplies with what the map alone tells, or with a metric model's own scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.ranging import about_rig, profile_of
from avsnet.audio.recording import Echo
from avsnet.errors import DepthError, EchoError
from avsnet.scale.ear_echo import STEP, bandwidth, echo_channels, rig_numbers
from avsnet.scale.ear_map import map_features
from avsnet.scale.posterior import ScalePosterior
from avsnet.weights import PACKAGED

if TYPE_CHECKING:  # torch takes a second to import
    from avsnet.scale.ear_network import EarNetwork

_EARLY = 0.05  # seconds after the direct sound in which a room is loud
_DECAY = 1.5  # energy of the early echo over that of the recording's last quarter; noise alone has 1
_FAINT = 1e-4  # energy of the early echo over the direct sound's, under which it may be that one's side lobes
_DEAD_TIME = 0.004  # seconds after the direct sound that belong to it, its side lobes included
# Beside metres that err as the map does: power of the likelihood, chance that the echo is the map's own. Set on the
# HoloLens frames and on frames of NYU Depth's training split that the packaged AVS-Net has not seen, with echoes by
# both renderers: more trust gains a hundredth on the former and makes good metres worse on the latter.
_BESIDE_A_WITNESS = (0.3, 0.4)
# Alone: power of the likelihood where the rig is only assumed, or the band narrower than in any recording of training:
# the ear is too sure of these. Set on validation rooms (`benchmarks/ear_rooms.py --first 80000`).
_LESS_SURE, _NARROW = 0.75, 9_000.0  # the latter in hertz
_FINER = 5  # cells of the posterior to one of the network's
_EDGE = 0.1  # of log scale, from the end of the grid
_DOUBTFUL = 0.5  # probability that the echo is the map's, under which the user is told; less where it begins lower
_SURE = 0.7  # probability that the echo is the map's, and confidence, over which the ear's own answer is told
_LOW = 0.3  # confidence under which the user is told


@dataclass(frozen=True, eq=False)
class EarScale:
    """The scale that an ear gives to a map.

    Args:
        posterior: over metres per unit of the map.
        prior: the same before anything was heard.
        belongs: probability that the echo was recorded where the map was taken.
        warnings: one line for each thing a user should know, the origin of the rig's geometry first.
    """

    posterior: ScalePosterior
    prior: ScalePosterior
    belongs: float
    warnings: tuple[str, ...]

    @property
    def scale(self) -> float:
        """The posterior's median, metres per unit: where a second peak is nearly as high it errs least on average."""
        return self.posterior.interval(0.0)[0]


def posterior_from_ear(
    depth: np.ndarray,
    valid: np.ndarray,
    intrinsics: np.ndarray,
    echo: Echo,
    *,
    own: ScalePosterior | None = None,
    network: EarNetwork | None = None,
) -> EarScale:
    """Find the factor that brings a depth map to metres.

    Args:
        depth: (H, W) along the optical axis in any unit.
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels of this map.
        echo: what `avsnet.audio.recording.listen` heard.
        own: what is known of the scale beforehand, such as a metric model's own; None: the map alone tells.
        network: None: the packaged one.

    Returns:
        The `EarScale`.

    Raises:
        DepthError: no valid pixel.
        EchoError: nothing after the direct sound stands out, and nothing decays.
        ModelError: the packaged weights are missing.
    """
    valid = valid & np.isfinite(depth) & (depth > 0.0)
    if not valid.any():
        raise DepthError("no valid pixel: the map is all unknown")
    # Next to a witness late sound may tell a little; alone it needs a reflection, or the direct sound was missed.
    if not (profile_of(echo).reflections or (own is not None and _decays(echo))):
        raise EchoError("; ".join(["no echo: nothing after the direct sound stands out of its decay", *echo.warnings]))
    ear = packaged_ear() if network is None else network
    log_scale, log_prior, likelihood = _heard(depth, valid, intrinsics, echo, ear)
    power = _LESS_SURE if _heard_with_less(echo) else 1.0
    alone = _weighed(ScalePosterior(log_scale, np.exp(log_prior)), likelihood, power, float(ear.matched))
    # A metric model's own scale stands in the place of what any map tells: both come from the same picture.
    found = alone if own is None else _weighed(_on_grid(own, log_scale), likelihood, *_BESIDE_A_WITNESS)
    doubtful = min(_DOUBTFUL, float(ear.matched) if own is None else _BESIDE_A_WITNESS[1])
    warnings = (about_rig(echo.rig), *echo.warnings, *_doubts(found, alone, doubtful))
    return replace(found, warnings=warnings)


def probability_of_shapes(heard: Sequence[EarScale], log_prior: np.ndarray) -> np.ndarray:
    """(H,) how probable each of several shapes of a map is, by what was heard with each.

    Args:
        heard: what `posterior_from_ear` finds for each shape, of one echo.
        log_prior: (H,) of each shape beforehand.
    """
    # How much more probable the echo is with a shape than if it were another place's, which is the same for all.
    weights = np.exp(log_prior) / np.maximum([1.0 - one.belongs for one in heard], 1e-12)
    return np.asarray(weights / weights.sum())


def whichever_shape(heard: Sequence[EarScale], probability: np.ndarray, chosen: int) -> EarScale:
    """The scale of one of several shapes of a map, in doubt about the shape.

    All grids are the same over the median depth, which is what each shape is moved to.

    Args:
        heard: of each shape.
        probability: (H,) of each.
        chosen: the shape whose map is scaled, and whose warnings count.
    """
    grid = heard[chosen].posterior.log_scale
    posterior, prior = (
        ScalePosterior(grid, np.tensordot(probability, np.stack(curves), 1))
        for curves in zip(*((one.posterior.probability, one.prior.probability) for one in heard), strict=True)
    )
    return replace(heard[chosen], posterior=posterior, prior=prior)


@lru_cache(maxsize=1)
def packaged_ear() -> EarNetwork:
    """The network that comes with the package, loaded once per process.

    Raises:
        ModelError: its weights are missing.
    """
    from avsnet.scale.ear_network import EarNetwork

    return EarNetwork.load(PACKAGED / "ear")


def _decays(echo: Echo) -> bool:
    """Whether the sound after the direct one is more than its side lobes and dies away, as a room's does."""
    after = (echo.magnitude[:, echo.direct :] ** 2).mean(axis=0)
    early = after[round(_DEAD_TIME * SAMPLE_RATE) : round(_EARLY * SAMPLE_RATE)].mean()
    return bool(early > max(_DECAY * after[-max(1, len(after) // 4) :].mean(), _FAINT * after[:10].max()))


def _weighed(prior: ScalePosterior, likelihood: np.ndarray, power: float, matched: float) -> EarScale:
    """A prior and what was heard: never less likely than an echo that is not the map's own.

    Args:
        prior: on the ear's grid.
        likelihood: (S,) log likelihood ratio of the echo to an unrelated one.
        power: of it.
        matched: chance that the echo is the map's own.
    """
    weighed = prior.probability * np.exp(np.logaddexp(np.log(matched) + power * likelihood, np.log1p(-matched)))
    return EarScale(ScalePosterior(prior.log_scale, weighed), prior, 1.0 - (1.0 - matched) / float(weighed.sum()), ())


def _heard(
    depth: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray, echo: Echo, network: EarNetwork
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S,) log scales, with the map's log prior of each and the echo's log likelihood ratio."""
    import torch

    from avsnet.scale.ear_network import LOG_MEDIANS

    channels, numbers = map_features(depth, valid, intrinsics)
    with torch.inference_mode():
        inputs = (torch.from_numpy(one)[None] for one in (echo_channels(echo), rig_numbers(echo), channels, numbers))
        sound, rig, seen, statistics = inputs
        likelihood = network.log_likelihood(network.heard(sound, rig), network.seen(seen))
        likelihood = network.sharpness * likelihood
        prior = network.log_prior(statistics)
    fine = np.arange(_FINER * (len(LOG_MEDIANS) - 1) + 1) / _FINER
    curves = (np.interp(fine, np.arange(len(LOG_MEDIANS)), one[0].double().numpy()) for one in (prior, likelihood))
    known = depth if valid.all() else depth[valid]
    return (LOG_MEDIANS[0] + STEP * fine - np.log(np.median(known)), *curves)


def _heard_with_less(echo: Echo) -> bool:
    """Whether the echo tells less exactly than those that the likelihood's sharpness was set by."""
    return echo.rig.origin == "assumed" or bandwidth(echo) < _NARROW


def _on_grid(own: ScalePosterior, log_scale: np.ndarray) -> ScalePosterior:
    """What is known beforehand, on the ear's grid; where it lies off that, its shape at the nearest end."""
    middle = float(np.log(own.interval(0.0)[0]))
    moved = own.shifted(float(np.clip(middle, log_scale[0], log_scale[-1])) - middle)
    return ScalePosterior(log_scale, np.interp(log_scale, moved.log_scale, moved.probability, left=0.0, right=0.0))


def _doubts(found: EarScale, alone: EarScale, doubtful: float) -> list[str]:
    """What to know before trusting the scale, the ear's own answer included where other metres outweigh it."""
    told, posterior = [], found.posterior
    if found.belongs < doubtful:
        told.append(
            f"the echo may not belong to this picture ({found.belongs:.0%} probable that it does): the scale is mostly "
            "what was known without it"
        )
    low, high = alone.posterior.interval()
    if found is not alone and min(alone.belongs, alone.posterior.confidence) > _SURE and not low < found.scale < high:
        told.append(
            f"the echo alone would make these metres {alone.scale / found.scale:.2g} times as large (90 %: "
            f"{low / found.scale:.2g} to {high / found.scale:.2g}): either it is another place's, or the metres known "
            "without it are off; a distance measured by hand tells (known:x,y,metres as scale_from)"
        )
    if posterior.confidence < _LOW:
        told.append(f"low confidence: this scale is {posterior.confidence:.0%} probable within 15 %")
    middle = posterior.interval(0.0)[0]
    if np.abs(posterior.log_scale[[0, -1]] - np.log(middle)).min() < _EDGE:
        told.append(
            f"{middle:.3g} metres per unit lies at the end of what the ear can tell: a median depth from 0.2 to 20 m"
        )
    return told
