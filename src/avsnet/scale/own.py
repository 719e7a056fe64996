"""A metric model's own scale, as one witness among others: how its metres err where it was not trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.models.info import ModelInfo
from avsnet.scale.posterior import ScalePosterior

SPREAD = 0.35
"""Of the log of the true scale, for a model that nobody has measured."""


@dataclass(frozen=True)
class OwnScale:
    """What is known of a metric model's metres.

    Args:
        focal: fx over the picture's width at training; a picture of another camera shows things larger or smaller, so
            metres are off by its fx / width over this. None: not known, and not corrected.
        bias: mean of the log of true over own metres, after that correction.
        spread: deviation of that log.
    """

    focal: float | None = None
    bias: float = 0.0
    spread: float = SPREAD

    def posterior(self, intrinsics: np.ndarray, width: int) -> ScalePosterior:
        """Over the factor that brings the model's metres to true ones.

        Args:
            intrinsics: (3, 3) pixels of the map.
            width: of the map, pixels.
        """
        focal = 1.0 if self.focal is None else float(intrinsics[0, 0]) / width / self.focal
        return ScalePosterior.normal(focal * float(np.exp(self.bias)), self.spread)


def own_scale_of(info: ModelInfo) -> OwnScale:
    """What a model's info says of its own scale."""
    return OwnScale(info.focal, info.scale_bias, SPREAD if info.scale_spread is None else info.scale_spread)
