"""Pictures for people: depth in colours, and the panel that shows a prediction with its reasons.

Near is warm, unknown is grey, and every axis names its unit. The panel is laid out in inches, so that nothing
overlaps whatever the picture's shape and however much there is to say.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avsnet.canvas import Axes, Figure, Normalize, ScalarMappable, colormaps
from avsnet.io.authorship import software
from avsnet.io.whole_files import atomic_path
from avsnet.prediction import Prediction, summary
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import Arrival, EchoEvidence

COLOUR_MAP = "Spectral"
"""Red at its low end, hence for near."""

UNKNOWN = 128
"""The grey of pixels without depth."""

_DPI = 110
_WIDTH, _LEFT, _RIGHT = 12.0, 0.75, 0.4  # inches: the figure and its margins
_PICTURE = 4.75  # inches: width of one picture
_LINE = 0.22  # inches: height of a line of text
_AXIS = 0.65  # inches: an axis' numbers and its name
_TITLE = 0.35  # inches: what stands over a picture or over a profile
_PROFILE = 2.2  # inches: height of the range profile
_LABEL = 0.65  # inches: width of a distance written over the profile
_WRAP = 115  # characters in a line of the header
_DENSITY = 1.1  # inches: height of the curve of how probable each median depth is
_SHOWN = 0.002  # of the probability that may lie beyond either end of that curve
_DYNAMIC_RANGE = 55.0  # dB shown of a range profile


def colour_depth(depth: np.ndarray, valid: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Paint a depth map: near is warm, far is cold, unknown is grey.

    Args:
        depth: (H, W) any unit.
        valid: (H, W) bool.
        limits: the depths of the warmest and of the coldest colour; what lies beyond takes the end's colour.

    Returns:
        (H, W, 3) uint8 RGB.

    >>> colour_depth(np.array([[1.0, 0.0]]), np.array([[True, False]]), (1.0, 2.0)).tolist()
    [[[158, 1, 66], [128, 128, 128]]]
    """
    shares = Normalize(*limits, clip=True)(np.where(valid, depth, limits[0]))
    colours = colormaps[COLOUR_MAP](np.asarray(shares), bytes=True)[..., :3]
    return np.where(valid[..., None], colours, np.uint8(UNKNOWN))


def panel(image: np.ndarray, prediction: Prediction, evidence: EchoEvidence | None = None) -> Figure:
    """Show the picture, its depth, how sure its scale is and, where there was an echo, what was heard at which range.

    Args:
        image: (H, W, 3) uint8 RGB.
        prediction: of that image.
        evidence: as `predict_with_evidence` gives it.

    Returns:
        A figure that belongs to no window and no global state; `save_figure` writes it.
    """
    lines = _header(prediction)
    height, width = prediction.depth.shape
    # A very flat or very tall picture keeps a height that can be read, and is centred in it.
    picture = float(np.clip(_PICTURE * height / width, 1.2, 6.0))
    plots = _plots(prediction, evidence)
    top = _LINE * (len(lines) + 1) + _TITLE
    sheet = _Sheet(top + picture + _AXIS + sum(high for high, _ in plots))
    for number, (line, style) in enumerate(lines):
        y = 1.0 - _LINE * (number + 0.7) / sheet.height
        sheet.figure.text(_LEFT / _WIDTH, y, line, va="top", fontsize=10, parse_math=False, **style)
    right = _LEFT + _PICTURE + 0.75
    limits = depth_limits(prediction)
    _show(sheet.axes(_LEFT, top, _PICTURE, picture), image, "picture")
    painted = colour_depth(prediction.depth, prediction.valid, limits)
    _show(sheet.axes(right, top, _PICTURE, picture), painted, "depth (grey: unknown)")
    bar = sheet.figure.colorbar(
        ScalarMappable(Normalize(*limits), COLOUR_MAP),
        cax=sheet.axes(right + _PICTURE + 0.15, top, 0.15, picture),
        label=f"depth ({prediction.unit})",
    )
    bar.ax.invert_yaxis()  # near, the warm end, on top
    sheet.draw(plots, top + picture + _AXIS)
    return sheet.figure


def evidence_figure(prediction: Prediction, evidence: EchoEvidence | None = None) -> Figure | None:
    """The lower part of the panel: how sure the scale is, and what was heard.

    Args:
        prediction: of a picture.
        evidence: as `predict_with_evidence` gives it.

    Returns:
        As `panel`; None where there is nothing to show.
    """
    plots = _plots(prediction, evidence)
    if not plots:
        return None
    sheet = _Sheet(sum(high for high, _ in plots))
    sheet.draw(plots, 0.0)
    return sheet.figure


class _Sheet:
    """A figure that is laid out in inches, counted from its upper left corner.

    Args:
        height: inches.
    """

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")

    def axes(self, left: float, top: float, wide: float, high: float) -> Axes:
        """Axes at a place."""
        place = (left / _WIDTH, 1.0 - (top + high) / self.height, wide / _WIDTH, high / self.height)
        return self.figure.add_axes(place)

    def draw(self, plots: list[_Plot], top: float) -> None:
        """Draw plots one under the other."""
        for high, (above, inner, show) in plots:
            show(self.axes(_LEFT, top + above, _WIDTH - _LEFT - _RIGHT, inner))
            top += high


_Plot = tuple[float, tuple[float, float, Callable[[Axes], None]]]
"""Inches that a plot takes in all; above its axes; of its axes; and what draws into them."""


def _plots(prediction: Prediction, evidence: EchoEvidence | None) -> list[_Plot]:
    """What speaks for a prediction's scale: its density, and the range profile."""
    found: list[_Plot] = []
    if prediction.interval is not None:
        found.append((_LINE + _DENSITY + _AXIS, (_LINE, _DENSITY, lambda axes: _show_density(axes, prediction))))
    if evidence is not None:
        labels = _place_labels(evidence)
        above = _TITLE + _LINE * (1 + max((label.row for label in labels), default=0))
        found.append((above + _PROFILE + _AXIS, (above, _PROFILE, lambda axes: _show_profile(axes, evidence, labels))))
    return found


def save_figure(path: str | Path, figure: Figure) -> None:
    """Write a figure as PNG with the mark of `avsnet.io.authorship`, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": software()})


@dataclass(frozen=True)
class _Label:
    """An arrival over the range profile: where it is drawn for each ear, and in which row its distance is written."""

    arrival: Arrival
    ranges: tuple[float, ...]
    row: int


def _place_labels(evidence: EchoEvidence) -> list[_Label]:
    """Each arrival that the profile reaches; distances that would touch are written in different rows."""
    profile = evidence.profile
    # Below the rig's own size the delay falls with range; from its minimum on it can be looked up.
    start = int(np.argmin(profile.delay))
    width = _LABEL / (_WIDTH - _LEFT - _RIGHT) * _reach(evidence)
    ends: list[float] = []  # of the last label in each row
    labels = []
    for arrival in sorted(evidence.arrivals, key=lambda arrival: arrival.delays):
        if min(arrival.delays) < profile.delay[start] or max(arrival.delays) > profile.delay[-1]:
            continue
        ranges = np.interp(arrival.delays, profile.delay[start:], profile.range[start:])
        x, row = float(ranges.mean()), 0
        if arrival.evidence > 0.0:
            row = next((number for number, end in enumerate(ends) if end <= x - width / 2), len(ends))
            ends[row : row + 1] = [x + width / 2]
        labels.append(_Label(arrival, tuple(ranges.tolist()), row))
    return labels


def _reach(evidence: EchoEvidence) -> float:
    """Metres up to which the profile is drawn: the farthest plane heard and some more, but not under 4 m."""
    heard = [arrival.distance for arrival in evidence.arrivals if arrival.evidence > 0.0]
    return min(float(evidence.profile.range[-1]), max(4.0, 1.3 * max(heard, default=3.0)))


def _show_density(axes: Axes, prediction: Prediction) -> None:
    """How probable each median depth is, before and after the echo, with the interval and what was taken."""
    posterior, interval = prediction.posterior, prediction.interval
    assert posterior is not None and interval is not None
    median = float(np.median(prediction.depth[prediction.valid]))
    metres = median / prediction.factor
    low, high = (metres * side for side in posterior.interval(1.0 - 2.0 * _SHOWN))
    if prediction.prior is not None:
        wider = [metres * side for side in prediction.prior.interval(0.9)]
        low, high = min(low, wider[0]), max(high, wider[1])
    at = np.linspace(low, high, 400)
    after = _per_metre(posterior, metres, at)
    top = float(after.max())
    axes.axvspan(*interval, color="tab:blue", alpha=0.15, linewidth=0, label="90 % probable")
    axes.axvline(median, color="tab:red", linewidth=1.2, label=f"used: {median:.3g} m")
    if prediction.prior is not None:
        before = _per_metre(prediction.prior, metres, at)
        top = max(top, float(before.max()))
        axes.plot(at, before, color="0.5", linestyle="--", linewidth=1.0, label="without the echo")
    axes.plot(at, after, color="tab:blue", linewidth=1.2, label="with all that is known")
    axes.set_xlim(low, high)
    axes.set_ylim(0.0, 1.1 * top)
    axes.set_yticks([])
    axes.set_xlabel("median depth of the picture (m)")
    axes.set_ylabel("probability")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False, fontsize=9, borderaxespad=0.0)


def _per_metre(posterior: ScalePosterior, metres: float, at: np.ndarray) -> np.ndarray:
    """Density at median depths `at`, `metres` being that of a scale of 1."""
    values = np.interp(np.log(at / metres), posterior.log_scale, posterior.probability, left=0.0, right=0.0)
    return values / posterior.step / at


def _show_profile(axes: Axes, evidence: EchoEvidence, labels: list[_Label]) -> None:
    profile = evidence.profile
    heard = profile.strength > 0.0  # what belongs to the direct sound is 0
    level = 20.0 * np.log10(np.where(heard, profile.strength, np.nan))
    shown = level[heard & (profile.range <= _reach(evidence))]
    peak = float(shown.max()) if shown.size else 0.0
    bottom = max(peak - _DYNAMIC_RANGE, float(shown.min()) if shown.size else -1.0) - 2.0
    axes.set_xlim(0.0, _reach(evidence))
    axes.set_ylim(bottom, peak + 3.0)
    axes.axvspan(0.0, float(profile.range[heard].min(initial=profile.range[-1])), color="0.9", label="direct sound")
    for label in labels:
        if label.arrival.evidence <= 0.0:
            for x in label.ranges:
                axes.axvline(x, color="0.6", linestyle=":", linewidth=1.0, label="plane not heard")
            continue
        for x in label.ranges:
            axes.axvline(x, color="tab:red", linewidth=1.2, label="plane heard, when due at each ear; its distance")
        above = 0.04 + _LINE / _PROFILE * label.row
        text = f"{label.arrival.distance:.2f} m"
        over = axes.get_xaxis_transform()  # metres across, shares of the axes' height up
        middle = float(np.mean(label.ranges))
        axes.text(
            middle,
            1.0 + above,
            text,
            transform=over,
            ha="center",
            va="bottom",
            fontsize=9,
            color="tab:red",
        )
    axes.plot(profile.range, level, color="tab:blue", linewidth=0.9, label="echo")
    axes.set_xlabel("range (m), as of a surface straight ahead")
    axes.set_ylabel("strength (dB re direct sound)")
    unique = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    rows = max((label.row for label in labels), default=0)
    axes.legend(
        unique.values(),
        unique.keys(),
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0 + _LINE / _PROFILE * (rows + 1)),
        ncols=4,
        frameon=False,
        fontsize=9,
        borderaxespad=0.0,
    )


def _show(axes: Axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(pixels)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("x (pixels)")
    axes.set_ylabel("y (pixels)")


def depth_limits(prediction: Prediction) -> tuple[float, float]:
    """The depths between which the colours run, in their unit: all but the 1 % nearest and farthest pixels."""
    known = prediction.depth[prediction.valid]
    near, far = np.percentile(known, (1.0, 99.0)) if known.size else (0.0, 1.0)
    margin = max(0.0, 0.02 * abs(near) - (far - near))  # a flat map still has a colour bar
    return float(near - margin / 2), float(far + margin / 2)


def _header(prediction: Prediction) -> list[tuple[str, dict[str, Any]]]:
    """The lines over the panel: what was found, what was assumed, what to beware of."""
    said: list[tuple[str, dict[str, Any]]] = [(summary(prediction), {"fontweight": "bold"})]
    said += [(text, {}) for text in prediction.assumptions]
    said += [(f"warning: {text}", {"color": "darkred"}) for text in prediction.warnings]
    # A file's name may hold bytes that are no text.
    plain = [(text.encode("utf-8", "replace").decode(), style) for text, style in said]
    return [(line, style) for text, style in plain for line in textwrap.wrap(text, _WRAP, subsequent_indent="    ")]
