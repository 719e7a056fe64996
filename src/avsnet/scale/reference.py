"""Metres from a metric map: of an AVS-Net, the paper's stage two, or anyone's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from avsnet.errors import DepthError, OptionError
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.rules import scale_depth
from avsnet.scale.scene import Found, Scene

# Of log k: the packaged AVS-Net's nearest factor, on pictures of another place than it was trained on (94 HoloLens
# frames: 0.25 for FastDepth's maps, 0.34 for PyDNet's; 0.15 and 0.25 on frames of NYU Depth that it has not seen).
NETWORK_ERROR = 0.35


def network(scene: Scene, name: str) -> Found:
    """Scale, and where the method finds one shift, from an AVS-Net's pseudo-dense metric depth: the paper's stage two.

    How far those metres err was measured of the packaged networks, on pictures of other places than they learned from.

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
    origin = name if found.scaled.method == "median" else found.origin
    return replace(found, origin=origin, posterior=ScalePosterior.normal(found.scaled.factor, NETWORK_ERROR))


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
        raise DepthError(f"{scene.info.name}: {error}") from None
    space = f" with contrast {scaled.contrast:.2f}" if scaled.space == "log depth" else ""
    space = " in inverse depth" if scaled.space == "inverse depth" else space
    warnings = () if scaled.fallback is None else (scaled.fallback,)
    return Found(scaled, f"{origin} by {scaled.method}{space}", warnings=warnings)


def default_method(kind: str) -> str:
    """The rule of the paper, and for maps whose shift is open, the fit that finds it."""
    return "affine" if kind.startswith("affine") else "median"
