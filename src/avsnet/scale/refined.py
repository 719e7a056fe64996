"""Shape from two pictures of the scene, scale from sound: a map refined by an AVS-Net's, then heard.

An AVS-Net's pseudo-dense metric depth Mp is a whole map, coarse but of the right contrast; a relative model's is sharp.
One of the finer rules bends the latter towards Mp; how large the result is, the ear says, with all that has metres as
witnesses: Mp itself, and the model where its own numbers are metres.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from avsnet.errors import EchoError
from avsnet.scale.own import OwnScale
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import EchoEvidence
from avsnet.scale.reference import NETWORK_ERROR, network
from avsnet.scale.scene import Found, Scene

_CORRELATION = 0.5  # of the errors in log scale of two networks that see one picture, measured on HoloLens frames


def refined(scene: Scene, name: str, own: OwnScale) -> Found:
    """The map bent towards an AVS-Net's by the scene's method, at the scale that the ear finds.

    An echo that says nothing leaves the witnesses' scale, with a warning.

    Args:
        scene: whose `network` gives that map, and whose `echo` is heard.
        name: of the AVS-Net, or its folder.
        own: how far a metric model's own metres may be trusted.

    Raises:
        DepthError: no usable pixel.
        OptionError: there is no picture.
        AudioError: no recording that one can listen to.
        ModelError: the packaged weights are missing.
    """
    from avsnet.scale.ear import posterior_from_ear

    assert scene.echo is not None
    found = network(scene, name)
    bent = found.scaled.depth
    witness = _witness(scene, bent, own)
    unit = math.log(found.scaled.scale)  # from the bent map, which has Mp's metres, to the model's own unit
    try:
        echo = scene.echo()
        heard = posterior_from_ear(bent, bent > 0.0, scene.camera, echo, own=witness)
    except EchoError as error:
        unused = f"the echo was not used: {error}"
        alone = _larger(found, witness.interval(0.0)[0])
        return replace(alone, posterior=witness.shifted(unit), warnings=(*found.warnings, unused))
    about_rig, *warnings = heard.warnings
    return replace(
        _larger(found, heard.scale),
        origin=f"ear and {found.origin}",
        posterior=heard.posterior.shifted(unit),
        prior=heard.prior.shifted(unit),
        evidence=EchoEvidence(echo),
        warnings=(*found.warnings, *warnings),
        assumptions=(*found.assumptions, about_rig),
    )


def _witness(scene: Scene, bent: np.ndarray, own: OwnScale) -> ScalePosterior:
    """Over the factor of the bent map, which has Mp's metres: 1 by Mp, another by the model's own metres."""
    if scene.kind != "metric_depth":
        return ScalePosterior.normal(1.0, NETWORK_ERROR)
    both = (bent > 0.0) & (scene.depth > 0.0)
    # Errors that agree by half tell less than two alone would.
    wider = math.sqrt(1.0 + _CORRELATION)
    ratio = float(np.median(scene.depth[both]) / np.median(bent[both]))
    own_spread, spread = wider * own.spread, wider * NETWORK_ERROR
    middle = math.log(ratio * own.posterior(scene.camera, bent.shape[1]).median)
    # The product of two normal distributions, however far apart they lie: 0 is Mp's.
    share = spread**2 / (own_spread**2 + spread**2)
    return ScalePosterior.normal(math.exp(share * middle), own_spread * math.sqrt(share))


def _larger(found: Found, factor: float) -> Found:
    """All metres times a factor."""
    scaled = found.scaled
    return replace(found, scaled=replace(scaled, depth=scaled.depth * np.float32(factor), scale=scaled.scale * factor))
