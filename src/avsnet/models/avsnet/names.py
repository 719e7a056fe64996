"""What AVS-Nets there are: on each MiDaS network one that hears, `..._av`, and one that only sees, `..._v`.

The pairs of the tables in "AVS-Net: Audio-Visual Scale Net for Self-supervised Monocular Metric Depth Estimation".
"""

from __future__ import annotations

from avsnet.errors import ModelError
from avsnet.models.info import ModelInfo
from avsnet.models.midas import efficientnet, resnext, v3  # noqa: F401  registers the encoders
from avsnet.models.registry import registered

ENCODERS = {info.name: info for info in registered("midas_")}
"""The MiDaS networks that an AVS-Net can see with, by name."""

SIZES = {"midas_tiny": (128, 192), "midas_lite0": (96, 128)}
"""Default input sizes (height, width) that are not those of the encoder."""

PARAMETERS = {"midas_tiny": (32_513, 537_872), "midas_lite0": (32_513, 537_872), "midas_small": (707_777, 5_550_544)}
"""Weights of the metric bins, and of what hears (bilinear fusion), beside those of the MiDaS network."""

_PARAMETERS = (478_145, 35_499_984)  # beside all others, whose bottlenecks are alike


def encoder_info(encoder: str) -> ModelInfo:
    """What the MiDaS network of this name is.

    Raises:
        ModelError: it is none of `ENCODERS`.
    """
    if encoder not in ENCODERS:
        raise ModelError(f"encoder {encoder!r} is none of {', '.join(ENCODERS)}")
    return ENCODERS[encoder]


def avsnet_info(base: ModelInfo, hears: bool) -> ModelInfo:
    """What the AVS-Net on a MiDaS network is."""
    older = base.name.startswith(("midas_small", "midas_v21"))
    short = base.name if older else base.name.removeprefix("midas_")
    bins, hearing = PARAMETERS.get(base.name, _PARAMETERS)
    return ModelInfo(
        f"avsnet_{short}_{'av' if hears else 'v'}",
        output="metric_depth",
        code_licence="Apache-2.0",
        weights_licence="Apache-2.0",
        source="AVS-Net, stage one, arXiv 2412.01637",
        size=SIZES.get(base.name, base.size),
        size_multiple=base.size_multiple,
        parameters=None if base.parameters is None else base.parameters + bins + hears * hearing,
        fit=base.fit,
        hears=hears,
        gives_scale=True,
        takes_intrinsics=base.name == "midas_lite0",
    )
