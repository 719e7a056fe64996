"""How a map is evaluated: the one way, of training's validation, `evaluate`, `reproduce` and the demo.

Protocol (the paper's section on evaluation, and our readings of it): a prediction is brought to the size of the truth
in its own unit, by the filter that its network is published with; disparity is turned into depth; one rule scales the
whole map; values are clamped to [1 mm, cap]; pixels with 0 < truth <= cap count; metrics per image, then their mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from avsnet.analysis import interval_errors
from avsnet.errors import ModelError
from avsnet.metrics import MetricMean, depth_metrics
from avsnet.metrics_shape import shape_metrics
from avsnet.models.contract import DepthModel
from avsnet.models.infer import at_picture_size, network_maps
from avsnet.scale.finer import grid
from avsnet.scale.rules import METHODS, FinerRule, Rule, ScaledDepth, as_depth, scale_by

MINIMUM = 1e-3
"""Metres to which smaller predictions are raised, the same for every method."""

_BOUNDS = ("median", "weighted_median", "affine", "log_affine", "histogram")
ORACLES: dict[str, Rule | FinerRule] = {
    **{f"oracle_{name}": METHODS[name] for name in _BOUNDS},
    "oracle_grid_2x2": FinerRule(partial(grid, cells=2, ridge=0.0)),
    "oracle_grid_4x4": FinerRule(partial(grid, cells=4, ridge=0.0)),
}
"""Scalings that look at the truth, and the rule that they apply to it: upper bounds, never an option of `predict`."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The known depth of one image.

    Args:
        depth: (H, W) metres, 0 = unknown.
        valid: (H, W) bool, pixels that may count.
        cap: metres; deeper pixels do not count, and predictions are lowered to it.
    """

    depth: np.ndarray
    valid: np.ndarray
    cap: float = math.inf

    @cached_property
    def counted(self) -> np.ndarray:
        """(H, W) bool, the pixels that count."""
        return self.valid & (self.depth > 0.0) & (self.depth <= self.cap)

    @cached_property
    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) places of the pixels that count in the flattened map, and (P,) their depth in metres."""
        places = np.flatnonzero(self.counted)
        return places, self.depth.ravel()[places]

    def errors(self, depth: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """How wrong a map is.

        Args:
            depth: (H, W) metres; 0, unknown, counts as the least that is measured.

        Returns:
            All of `avsnet.metrics.METRICS`; and the mean absolute error in each metre of true depth, NaN where none is.

        Raises:
            DepthError: no pixel counts, or the map is not finite where one does.
        """
        # The pixels that count are picked out once an image, not once a metric.
        places, target = self.pixels
        found = np.clip(depth.ravel()[places], MINIMUM, self.cap)
        every = np.ones(len(places), dtype=bool)
        metrics = depth_metrics(found, target, every, minimum=MINIMUM, maximum=self.cap)
        return metrics, interval_errors(found, target, every)

    def shape_errors(self, depth: np.ndarray, intrinsics: np.ndarray | None) -> dict[str, float]:
        """What `errors` hides, all of `avsnet.metrics_shape.SHAPE_METRICS`.

        Args:
            depth: (H, W) metres, as for `errors`.
            intrinsics: (3, 3) pixels, or None.
        """
        return shape_metrics(np.clip(depth, MINIMUM, self.cap), self.depth, self.counted, intrinsics)

    def oracle(self, values: np.ndarray, kind: str, scaling: str) -> ScaledDepth:
        """Scale a map by the truth itself.

        Args:
            values: (H, W) whose numbers mean `kind`.
            kind: one of `OUTPUT_KINDS`.
            scaling: one of `ORACLES`.

        Raises:
            DepthError: no pixel counts, or the rule finds no scale.
        """
        name = scaling.removeprefix("oracle_")
        return scale_by(ORACLES[scaling], name, values, self.depth, kind=kind, valid=self.counted)


def validate(
    model: DepthModel, batches: Iterable[dict[str, Any]], *, cap: float = math.inf, scaling: str = "none"
) -> MetricMean:
    """Evaluate a model on batches, whose pictures have a size that it takes as it is.

    Args:
        model: carries its `ModelInfo` as `info`; its mode is left as it was.
        batches: of `avsnet.data.sample`, with `depth` and `valid`.
        cap: metres.
        scaling: "none", or one of `ORACLES`.

    Returns:
        The mean over the images; parts made by several processes can be merged.

    Raises:
        ModelError: the model fails, or gives no metres although nothing scales it.
        DepthError: it gives NaN where the truth is known.
    """
    mean = MetricMean()
    for batch in batches:
        truths = truths_of(batch, cap)
        for depth, truth in zip(metres_of(model, batch, truths, scaling), truths, strict=True):
            mean.add(truth.errors(depth)[0] if truth.counted.any() else None)
    return mean


def truths_of(batch: dict[str, Any], cap: float = math.inf) -> list[Truth]:
    """The known depth of each image of a batch with `depth` and `valid`, (B, 1, H, W) both."""
    depth, valid = batch["depth"].cpu().numpy(), batch["valid"].cpu().numpy()
    return [Truth(one[0], counts[0], cap) for one, counts in zip(depth, valid, strict=True)]


def metres_of(model: DepthModel, batch: dict[str, Any], truths: list[Truth], scaling: str = "none") -> list[np.ndarray]:
    """What a model says of a batch, in metres at the size of the truth.

    Args:
        model: as in `validate`.
        batch: as in `validate`.
        truths: one an image.
        scaling: as in `validate`.

    Returns:
        (H, W) float32 metres for each image; without a pixel that counts, depth in the map's own unit.

    Raises:
        ModelError: as in `validate`.
    """
    info = model.info
    if scaling == "none" and info.output != "metric_depth":
        raise ModelError(f"{info.name} gives {info.output}, no metric_depth; it cannot be evaluated in metres")
    maps = []
    for values, truth in zip(network_maps(model, batch).numpy(), truths, strict=True):
        whole = at_picture_size(values[0], info, truth.depth.shape, pad=False)
        if scaling == "none" or not truth.counted.any():
            maps.append(as_depth(whole, info.output))
        else:
            maps.append(truth.oracle(whole, info.output, scaling).depth)
    return maps
