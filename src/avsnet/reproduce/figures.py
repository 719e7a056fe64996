"""The paper's figures from scores and maps: examples (Figure 2) and the gain over depth (Figure 3)."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avsnet.analysis import Aide, aide_of_intervals
from avsnet.canvas import Axes, Figure, Normalize, ScalarMappable, colormaps
from avsnet.errors import DepthError
from avsnet.evaluation.scores import Row
from avsnet.reproduce.table_rows import Line
from avsnet.viz import UNKNOWN

DEPTH_MAP = "cividis_r"
"""Colours of depth: bright is near. Even in lightness, so that colour-blind readers and grey prints lose nothing."""

ERROR_MAP = "magma"
"""Colours of errors: black is none."""

CURVES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000", "#e69f00")
"""Colours that colour-blind readers can tell apart (Okabe and Ito 2008)."""

_MARKERS = "osD^vPX"

_FEWEST = 3  # images that a metre must have to be drawn
_LABEL = 18  # characters next to a row


@dataclass(frozen=True, eq=False)
class Example:
    """One row of Figure 2: a model's map with the visual-only and with the audio-visual scale.

    Attributes:
        name: of the model.
        visual: (H, W) metres.
        full: (H, W) metres.
    """

    name: str
    visual: np.ndarray
    full: np.ndarray


def examples_figure(picture: np.ndarray, target: np.ndarray, valid: np.ndarray, examples: Sequence[Example]) -> Figure:
    """Figure 2: per model picture, truth, both scaled maps and their errors, all depths on one scale, all errors too.

    Args:
        picture: (H, W, 3) uint8 RGB.
        target: (H, W) metres.
        valid: (H, W) bool.
        examples: one a row.
    """
    near, far = (float(end) for end in np.percentile(target[valid], (1.0, 99.0)))
    errors = [np.abs(depth - target) for one in examples for depth in (one.visual, one.full)]
    worst = max(float(np.percentile(np.concatenate([error[valid] for error in errors]), 95.0)), 1e-3)
    titles = ("picture", "truth", "visual scale", "audio-visual scale", "|visual - truth|", "|audio-visual - truth|")
    height, width = target.shape
    cell = 2.1
    row = cell * height / width
    total = 0.45 + len(examples) * (row + 0.12) + 0.75
    figure = Figure(figsize=(6 * (cell + 0.1) + 1.0, total), dpi=110, facecolor="white")

    def place(across: int, down: int) -> Axes:
        left, top = 0.9 + across * (cell + 0.1), 0.45 + down * (row + 0.12)
        box = (left / figure.get_figwidth(), 1 - (top + row) / total, cell / figure.get_figwidth(), row / total)
        axes = figure.add_axes(box)
        axes.set_xticks([])
        axes.set_yticks([])
        return axes

    for down, one in enumerate(examples):
        depths = [paint_depth(depth, depth > 0, near, far) for depth in (one.visual, one.full)]
        faults = [paint(np.abs(depth - target), valid, 0.0, worst, ERROR_MAP) for depth in (one.visual, one.full)]
        for across, pixels in enumerate((picture, paint_depth(target, valid, near, far), *depths, *faults)):
            axes = place(across, down)
            axes.imshow(pixels)
            if down == 0:
                axes.set_title(titles[across], fontsize=9)
            if across == 0:
                axes.set_ylabel(_broken(one.name), fontsize=8)
    metres = _round_metres(near, far)
    for start, limits, colours, label, ticks in (
        (1, (np.log(near), np.log(far)), DEPTH_MAP, "depth (m), logarithmic; grey: unknown", metres),
        (4, (0.0, worst), ERROR_MAP, "absolute error (m)", None),
    ):
        left = 0.9 + start * (cell + 0.1)
        wide = (3 if start == 1 else 2) * (cell + 0.1) - 0.3  # numbers at the ends of both bars keep apart
        box = (left / figure.get_figwidth(), 0.48 / total, wide / figure.get_figwidth(), 0.12 / total)
        bar = figure.colorbar(
            ScalarMappable(Normalize(*limits), colours), cax=figure.add_axes(box), orientation="horizontal"
        )
        if ticks:
            bar.set_ticks([float(np.log(tick)) for tick in ticks], labels=[f"{tick:g}" for tick in ticks])
        bar.set_label(label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return figure


def _broken(name: str) -> str:
    """A model's name in short lines, broken behind a colon or an underscore, where names have no spaces."""
    spaced = name.replace("_", "_ ").replace(":", ": ")
    return textwrap.fill(spaced, _LABEL).replace("_ ", "_").replace(": ", ":")


def _round_metres(near: float, far: float) -> list[float]:
    """The round numbers of metres from near to far, for the ticks of a logarithmic bar."""
    found = [float(f"{digit}e{power}") for power in range(-1, 3) for digit in (1, 1.5, 2, 3, 5, 7)]
    return [metres for metres in found if near <= metres <= far]


def aide_figure(
    curves: dict[str, Aide],
    cap: float,
    without: str = "without echo",
    using: str = "with echo",
    runs: Mapping[str, Sequence[Aide]] | None = None,
) -> Figure:
    """Figure 3: the gain by the echo in each metre of true depth, one curve a model, and how many images have it.

    Args:
        curves: name -> AIDE; the first is drawn thick.
        cap: metres; the right end.
        without: how the first error comes about, and
        using: the one that is taken off.
        runs: name -> the curves of its training runs, whose least and greatest bound a band.
    """
    figure = Figure(figsize=(8.0, 5.0), dpi=110, facecolor="white", layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    last = int(np.ceil(cap))  # a depth of exactly the cap is in a metre of its own, which is not drawn
    for place, (name, curve) in enumerate(curves.items()):
        shown = np.where(curve.images >= _FEWEST, curve.mean, np.nan)[:last]
        look = {"color": CURVES[place % len(CURVES)], "marker": _MARKERS[place % len(_MARKERS)], "markersize": 4}
        above.plot(np.arange(len(shown)) + 0.5, shown, linewidth=1 + (place == 0), label=name, **look)
        each = [np.where(curve.images >= _FEWEST, run.mean, np.nan)[:last] for run in (runs or {}).get(name, ())]
        if each:
            ends = np.min(each, axis=0), np.max(each, axis=0)
            above.fill_between(np.arange(len(shown)) + 0.5, *ends, color=look["color"], alpha=0.2, linewidth=0)
    above.axhline(0.0, color="0.6", linewidth=0.8)
    above.set_ylabel(f"AIDE (m): error {without}\nminus error {using}")
    above.legend(fontsize=8, frameon=False)
    above.set_title(f"Positive: less error {using}", fontsize=10)
    if curves:
        images = next(iter(curves.values())).images[:last]
        below.bar(np.arange(len(images)) + 0.5, images, width=0.9, color="0.7")
    below.set_ylabel("images")
    below.set_xlabel("true depth (m), intervals of one metre")
    below.set_xlim(0.0, cap)
    return figure


def aide_of_lines(intervals: list[Row], visual: Line, audio_visual: Line) -> Aide | None:
    """AIDE of two lines from the intervals that their evaluation wrote; None where one was not run."""
    tables = [_by_image(intervals, line) for line in (visual, audio_visual)]
    both = sorted(tables[0].keys() & tables[1].keys())
    if not both:
        return None
    length = 1 + max(metre for table in tables for name in both for metre in table[name])
    rows = [[_row(table[name], length) for name in both] for table in tables]
    try:
        return aide_of_intervals(*rows)
    except DepthError:
        return None


def _by_image(intervals: list[Row], line: Line) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    if line.trial is None:
        return found
    key = (line.trial.system.label, line.trial.scaling.label)
    for row in intervals:
        if (row["system"], row["scaling"]) == key:
            found.setdefault(row["id"], {})[int(row["metre"])] = float(row["mae"])
    return found


def _row(errors: dict[int, float], length: int) -> np.ndarray:
    row = np.full(length, np.nan)
    for metre, error in errors.items():
        row[metre] = error
    return row


def paint_depth(depth: np.ndarray, valid: np.ndarray, near: float, far: float) -> np.ndarray:
    """(H, W, 3) uint8 of metres, by their logarithm: what is near keeps its shades where something is far away."""
    return paint(np.log(np.where(valid, depth, near)), valid, float(np.log(near)), float(np.log(far)))


def paint(values: np.ndarray, valid: np.ndarray, low: float, high: float, colours: str = DEPTH_MAP) -> np.ndarray:
    """(H, W, 3) uint8 of a map between two values; what is not valid is grey."""
    shares = Normalize(low, max(high, low + 1e-6), clip=True)(np.where(valid, values, low))
    painted = colormaps[colours](np.asarray(shares), bytes=True)[..., :3]
    return np.asarray(np.where(valid[..., None], painted, np.uint8(UNKNOWN)), dtype=np.uint8)
