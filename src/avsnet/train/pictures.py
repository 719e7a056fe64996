"""Samples drawn for people: the picture, the truth and the prediction, with one colour bar in metres."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avsnet.canvas import Figure, Normalize, ScalarMappable
from avsnet.viz import COLOUR_MAP, colour_depth, save_figure

_CELL, _MARGIN, _GAP, _TOP, _BAR = 2.4, 0.15, 0.08, 0.3, 0.9  # inches


def save_pictures(samples: Sequence[dict[str, Any]], maps: Sequence[np.ndarray], path: Path) -> None:
    """Draw samples, one a row, all by the same range of depth.

    Args:
        samples: batches of one, with depth and valid, and image where there is one.
        maps: (H, W) predicted metres, one a sample.
        path: of the PNG.
    """
    known = np.concatenate([sample["depth"][sample["valid"]].numpy() for sample in samples])
    limits = (0.0, float(np.quantile(known, 0.99)) if known.size else 1.0)
    columns = (["picture"] if "image" in samples[0] else []) + ["truth (grey: unknown)", "prediction"]
    height = _CELL * maps[0].shape[0] / maps[0].shape[1]
    wide = 2 * _MARGIN + len(columns) * (_CELL + _GAP) + _BAR
    high = _TOP + _MARGIN + len(samples) * (height + _GAP)
    figure = Figure(figsize=(wide, high), dpi=100, facecolor="white")
    for row, (sample, predicted) in enumerate(zip(samples, maps, strict=True)):
        depth, valid = sample["depth"][0, 0].numpy(), sample["valid"][0, 0].numpy()
        panels = [colour_depth(depth, valid, limits), colour_depth(predicted, np.isfinite(predicted), limits)]
        if "image" in sample:
            panels.insert(0, (sample["image"][0].permute(1, 2, 0).numpy() * 255.0).round().astype(np.uint8))
        for column, panel in enumerate(panels):
            left, bottom = _MARGIN + column * (_CELL + _GAP), high - _TOP - height - row * (height + _GAP)
            axes = figure.add_axes((left / wide, bottom / high, _CELL / wide, height / high))
            axes.imshow(panel, interpolation="nearest")
            axes.set_axis_off()
            if row == 0:
                axes.set_title(columns[column], fontsize=9)
    tall = min(len(samples), 2) * height
    left = _MARGIN + len(columns) * (_CELL + _GAP) + 0.05
    bar = figure.colorbar(
        ScalarMappable(Normalize(*limits), COLOUR_MAP),
        cax=figure.add_axes((left / wide, (high - _TOP - tall) / high, 0.12 / wide, tall / high)),
        label="depth (m)",
    )
    bar.ax.invert_yaxis()  # near, the warm end, on top
    path.parent.mkdir(parents=True, exist_ok=True)
    save_figure(path, figure)
