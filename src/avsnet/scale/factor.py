"""The one factor that brings a map nearest to another in mean relative error: what the ear aims at."""

from __future__ import annotations

import numpy as np

from avsnet.errors import DepthError
from avsnet.scale.rules import scale_weighted_median


def nearest_factor(depth: np.ndarray, reference: np.ndarray) -> float:
    """The factor k of least mean |k depth - reference| / reference.

    Far things, which a ratio of medians leaves out of sight, count by how wrong they are.

    Args:
        depth: (H, W) any unit, 0 = unknown.
        reference: (H, W) metres, 0 = unknown.

    Raises:
        DepthError: no pixel is known in both.
    """
    both = (depth > 0.0) & (reference > 0.0)
    if not both.any():
        raise DepthError("no pixel is known in the map and in what it is compared with")
    return scale_weighted_median(depth[both].astype(np.float64), reference[both].astype(np.float64))[0]
