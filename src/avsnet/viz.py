"""Pictures for people: depth in colours, and the panel that shows a prediction with its reasons.

Near is warm, unknown is grey, and every axis names its unit. The panel is laid out in inches, so that nothing
overlaps whatever the picture's shape and however much there is to say.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avsnet.canvas import Axes, Figure, Normalize, ScalarMappable, colormaps
from avsnet.io.authorship import software
from avsnet.io.whole_files import atomic_path
from avsnet.prediction import Prediction
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


def summary(prediction: Prediction) -> str:
    """The numbers of a prediction in one line: its median depth, and the scale with its source.

    Where a trained ear gave the scale, whose intervals are calibrated, the median depth has its own.
    """
    known = prediction.depth[prediction.valid]
    median = f"{np.median(known):.3g} {prediction.unit}" if known.size else "unknown"
    if known.size and prediction.posterior is not None and prediction.scale_source.startswith("ear"):
        low, high = (np.median(known) * side / prediction.scale for side in prediction.posterior.interval(0.9))
        median += f" (90 %: {low:.3g} to {high:.3g})"
    scale = "scale untouched"
    if prediction.scale_source != "none":
        shift = f", shift {prediction.shift:.4g}" if prediction.shift else ""
        scale = f"scale {prediction.scale:.4g}{shift} from {prediction.scale_source}"
    if prediction.confidence is not None:
        scale += f", confidence {prediction.confidence:.2f} (the probability of lying within 15 %)"
    return f"median depth {median}, {scale}, model {prediction.model}"


def panel(image: np.ndarray, prediction: Prediction, evidence: EchoEvidence | None = None) -> Figure:
    """Show the picture, its depth and, where there was an echo, what was heard at which range.

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
    labels = _place_labels(evidence) if evidence else []
    over_profile = _TITLE + _LINE * (1 + max((label.row for label in labels), default=0))
    profile = over_profile + _PROFILE + _AXIS if evidence else 0.0
    total = _LINE * (len(lines) + 1) + _TITLE + picture + _AXIS + profile
    figure = Figure(figsize=(_WIDTH, total), dpi=_DPI, facecolor="white")

    def axes_at(left: float, top: float, wide: float, high: float) -> Axes:
        """Axes from inches, counted from the upper left corner."""
        return figure.add_axes((left / _WIDTH, 1.0 - (top + high) / total, wide / _WIDTH, high / total))

    for number, (line, style) in enumerate(lines):
        y = 1.0 - _LINE * (number + 0.7) / total
        figure.text(_LEFT / _WIDTH, y, line, va="top", fontsize=10, parse_math=False, **style)
    top = _LINE * (len(lines) + 1) + _TITLE
    right = _LEFT + _PICTURE + 0.75
    limits = _limits(prediction)
    _show(axes_at(_LEFT, top, _PICTURE, picture), image, "picture")
    painted = colour_depth(prediction.depth, prediction.valid, limits)
    _show(axes_at(right, top, _PICTURE, picture), painted, "depth (grey: unknown)")
    bar = figure.colorbar(
        ScalarMappable(Normalize(*limits), COLOUR_MAP),
        cax=axes_at(right + _PICTURE + 0.15, top, 0.15, picture),
        label=f"depth ({prediction.unit})",
    )
    bar.ax.invert_yaxis()  # near, the warm end, on top
    if evidence:
        top += picture + _AXIS + over_profile
        _show_profile(axes_at(_LEFT, top, _WIDTH - _LEFT - _RIGHT, _PROFILE), evidence, labels)
    return figure


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


def _limits(prediction: Prediction) -> tuple[float, float]:
    """The depths between which the colours run: all but the 1 % nearest and farthest pixels."""
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
