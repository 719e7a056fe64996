"""Scale and contrast of a map together, by the trained ear: bending a map moves what it predicts over log range.

    log depth = log(k m) + g log(R / m),    m the map's median

A grid of g is a batch of bent maps. Each has a likelihood over log k, which multiplies with what is known of k and a
prior on g round 1: an echo that says nothing, or belongs to another picture, leaves both priors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avsnet.audio.recording import Echo
from avsnet.errors import DepthError, EchoError
from avsnet.scale.ear import EarScale, posterior_from_ear, probability_of_shapes, whichever_shape
from avsnet.scale.finer import bend
from avsnet.scale.own import OwnScale
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import EchoEvidence
from avsnet.scale.rules import ScaledDepth
from avsnet.scale.scene import Found, Scene, unused

if TYPE_CHECKING:  # torch takes a second to import
    from avsnet.scale.ear_network import EarNetwork

CONTRASTS = np.exp(np.linspace(np.log(0.4), np.log(1.8), 9))
"""(G,) powers of depth that are heard."""

SPREAD = 0.3
"""Deviation of the log of the contrast, of models and places that nobody has measured; its mean is 0."""


@dataclass(frozen=True, eq=False)
class Shape:
    """What is heard of a map's scale and contrast.

    Attributes:
        scale: the posterior over log k, whatever the contrast, with its warnings.
        contrast: g, the exponential of the posterior's mean of log g.
        probability: (G,) of each of `CONTRASTS`.
    """

    scale: EarScale
    contrast: float
    probability: np.ndarray


def shape_from_ear(
    depth: np.ndarray,
    valid: np.ndarray,
    intrinsics: np.ndarray,
    echo: Echo,
    *,
    own: ScalePosterior | None = None,
    bias: float = 0.0,
    spread: float = SPREAD,
    network: EarNetwork | None = None,
) -> Shape:
    """Find the scale and contrast that bring a map to metres.

    Args:
        depth: (H, W) along the optical axis in any unit.
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels of this map.
        echo: what `avsnet.audio.recording.listen` heard.
        own: what is known of the scale beforehand; None: the map alone tells.
        bias: mean of the log of the contrast beforehand.
        spread: deviation of it.
        network: None: the packaged one.

    Raises:
        DepthError: no valid pixel.
        EchoError: nothing to hear.
        ModelError: the packaged weights are missing.
    """
    valid = valid & np.isfinite(depth) & (depth > 0.0)
    if not valid.any():
        raise DepthError("no valid pixel: the map is all unknown")
    middle = float(np.median(depth[valid]))
    there = np.where(valid, depth, middle)
    heard = [
        posterior_from_ear(bend(there, 1.0, contrast, middle), valid, intrinsics, echo, own=own, network=network)
        for contrast in CONTRASTS
    ]
    probability = probability_of_shapes(heard, -0.5 * ((np.log(CONTRASTS) - bias) / spread) ** 2)
    scale = whichever_shape(heard, probability, int(np.argmax(probability)))
    return Shape(scale, float(np.exp(probability @ np.log(CONTRASTS))), probability)


def scale_and_contrast(scene: Scene, own: OwnScale) -> Found:
    """The map in metres by scale and contrast, both heard; a metric model's own scale has a say.

    An echo that says nothing leaves a metric model its own metres.

    Args:
        scene: whose `echo` is heard.
        own: how far a metric model's own metres may be trusted.

    Raises:
        AudioError: no recording that one can listen to.
        EchoError: an echo that gives no scale to a model without metres.
        DepthError: no pixel is known.
        ModelError: the packaged weights are missing.
    """
    assert scene.echo is not None
    depth, metric = scene.depth, scene.kind == "metric_depth"
    witness = own.posterior(scene.camera, depth.shape[1]) if metric else None
    try:
        echo = scene.echo()
        found = shape_from_ear(depth, depth > 0.0, scene.camera, echo, own=witness)
    except EchoError as error:
        if witness is None:
            raise
        scaled = ScaledDepth(depth * np.float32(witness.scale), witness.scale, 0.0, "own")
        return Found(scaled, "the model's own metres", posterior=witness, warnings=unused(scene, error))
    about_rig, *warnings = found.scale.warnings
    origin = "ear and the model's own metres" if metric else "ear"
    return Found(
        _bent(depth, found.scale.scale, found.contrast),
        f"{origin} by log_affine with contrast {found.contrast:.2f}",
        posterior=found.scale.posterior,
        prior=found.scale.prior,
        evidence=EchoEvidence(echo),
        warnings=tuple(warnings),
        assumptions=(about_rig,),
    )


def _bent(depth: np.ndarray, scale: float, contrast: float) -> ScaledDepth:
    """A map, 0 where unknown, by a scale and a contrast round its median."""
    there = depth > 0.0
    metres = bend(np.where(there, depth, np.nan), scale, contrast, float(np.median(depth[there])))
    found = np.where(there, metres, 0.0).astype(np.float32)
    return ScaledDepth(found, scale, 0.0, "log_affine", "log depth", contrast=contrast)
