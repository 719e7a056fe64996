"""The paper's tables from scores: ours next to the paper's, best marked as the paper does, with intervals.

In the paper the best of each block is bold and the best of a whole family underlined; so here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from avsnet.analysis import gap_closed
from avsnet.evaluation.comparisons import interval
from avsnet.evaluation.scores import Row
from avsnet.metrics import HIGHER_IS_BETTER, PAPER_METRICS
from avsnet.reproduce.formats import Cell, Table
from avsnet.reproduce.table_rows import Line
from avsnet.statistics import Interval, verdict

TITLES = {
    "abs_rel": "Abs Rel",
    "sq_rel": "Sq Rel (m)",
    "rmse": "RMSE (m)",
    "rmse_log": "RMSE log",
    "delta1": "δ < 1.25",
    "delta2": "δ < 1.25²",
    "delta3": "δ < 1.25³",
}
"""The paper's names of the metrics."""


class Results:
    """Scores, asked by line.

    Args:
        scores: data ("V1", "V2") -> rows of its evaluation.
    """

    def __init__(self, scores: dict[str, list[Row]]) -> None:
        self._rows: dict[tuple[str, str, str], dict[str, Row]] = {}
        for data, rows in scores.items():
            for row in rows:
                self._rows.setdefault((data, row["system"], row["scaling"]), {})[row["id"]] = row

    def values(self, line: Line, metric: str) -> dict[str, float]:
        """Id and score of every image of the line that has one."""
        return {name: float(row[metric]) for name, row in self._scored(line, metric).items()}

    def _scored(self, line: Line, metric: str) -> dict[str, Row]:
        if line.over_runs:
            runs = [self._scored(run, metric) for run in line.runs]
            return {
                name: row | {metric: repr(float(np.mean([float(run[name][metric]) for run in runs])))}
                for name, row in (runs[0] if runs else {}).items()
                if all(name in run for run in runs)
            }
        if line.trial is None:
            return {}
        rows = self._rows.get((line.data, line.trial.system.label, line.trial.scaling.label), {})
        return {name: row for name, row in rows.items() if line.subset in ("all", row["subset"]) and row[metric]}

    def place(self, line: Line, name: str) -> int:
        """The place in its data set of an image that the line has."""
        assert line.trial is not None
        return int(self._rows[line.data, line.trial.system.label, line.trial.scaling.label][name]["row"])

    def mean(self, line: Line, metric: str) -> float | None:
        """Mean over images; None where the line was not run."""
        values = list(self.values(line, metric).values())
        return float(np.mean(values)) if values else None

    def interval(self, line: Line, metric: str) -> Interval | None:
        """Bootstrap interval of that mean over groups of images."""
        rows = list(self._scored(line, metric).values())
        if not rows:
            return None
        return interval(np.array([float(row[metric]) for row in rows]), [row["group"] for row in rows])

    def paired(self, line: Line, other: Line, metric: str) -> Interval | None:
        """Bootstrap interval of the mean of `line` minus `other` over the images that both have."""
        ours, theirs = self._scored(line, metric), self._scored(other, metric)
        both = sorted(ours.keys() & theirs.keys())
        if not both:
            return None
        values = np.array([float(ours[name][metric]) - float(theirs[name][metric]) for name in both])
        return interval(values, [ours[name]["group"] for name in both])


def metric_table(name: str, title: str, note: str, lines: Sequence[Line], results: Results) -> Table:
    """Lines as a table of the seven metrics: "ours / paper's", and the 95 % interval of the first and the fifth.

    Rows that were not run stand apart, with the reason of each.
    """
    has_paper = any(line.paper for line in lines)
    columns = ("method", "input or scaling", "images", *(TITLES[metric] for metric in PAPER_METRICS))
    columns += ("95 % of Abs Rel", "95 % of δ < 1.25")
    has_seeds = any(line.seeds for line in lines)
    columns += ("Abs Rel over seeds", "δ < 1.25 over seeds") if has_seeds else ()
    rows: list[tuple[Cell, ...]] = []
    not_run: list[tuple[Cell, ...]] = []
    reasons: dict[str, str] = {}  # each once
    heading = None
    for line in lines:
        cells = [Cell(line.method), Cell(line.variant)]
        if not results.values(line, "abs_rel"):
            printed = [_pair(None, line, metric, has_paper) for metric in PAPER_METRICS]
            cells = [*cells, Cell("-"), *map(Cell, printed)]
            not_run.append((*cells, *[Cell("-")] * (len(columns) - len(cells))))
            reason = f"{line.method}, {line.variant}: {line.missing or 'no image has a score'}"
            reasons.setdefault(line.missing or reason, reason)
            continue
        if (line.family or line.block) != heading:
            heading = line.family or line.block
            rows.append((Cell(heading),))
        cells.append(Cell(str(len(results.values(line, "abs_rel")))))
        for metric in PAPER_METRICS:
            text = _pair(results.mean(line, metric), line, metric, has_paper)
            block_best = _is_best(line, metric, results, (one for one in lines if one.block == line.block))
            family_best = bool(line.family) and _is_best(
                line, metric, results, (one for one in lines if one.family == line.family)
            )
            cells.append(Cell(text, block_best, family_best))
        cells += [Cell(_range(results.interval(line, metric))) for metric in ("abs_rel", "delta1")]
        cells += [Cell(_spread(line, results, metric)) for metric in ("abs_rel", "delta1")] if has_seeds else []
        rows.append(tuple(cells))
    legend = " Ours / the paper's." if has_paper else ""
    return Table(name, title, note + legend, columns, tuple(rows), tuple(not_run), tuple(reasons.values()))


@dataclass(frozen=True)
class Gain:
    """The lines that tell what the echo gains a model.

    Attributes:
        name: of the model.
        visual: with the visual-only network's scale.
        full: with the audio-visual one's.
        oracle: with that of the truth.
        control: as `full`, with another image's echo; None where there is no such line.
    """

    name: str
    visual: Line
    full: Line
    oracle: Line
    control: Line | None = None

    @property
    def runs(self) -> list[Gain]:
        """The same by itself for each training run of V and the AV that goes with it; none where there is one run."""
        if not self.visual.seeds or len(self.visual.seeds) != len(self.full.seeds):
            return []
        oracles = self.oracle.runs if self.oracle.seeds else [self.oracle] * len(self.visual.runs)
        trios = zip(self.visual.runs, self.full.runs, oracles, strict=True)
        return [Gain(self.name, visual, full, oracle) for visual, full, oracle in trios]

    @property
    def over_runs(self) -> Gain:
        """The same with the means over the training runs of every room."""
        name = f"{self.name}, mean of {len(self.runs)} training runs"
        lines = (self.visual, self.full, self.oracle, self.control)
        return Gain(name, *(line and replace(line, over_runs=True) for line in lines))  # type: ignore[arg-type]

    def verdict(self, results: Results, metric: str) -> str:
        """Whether the echo made a difference; "-" where there are no scores."""
        difference, base = results.paired(self.full, self.visual, metric), results.mean(self.visual, metric)
        if difference is None or base is None:
            return "-"
        against = None if self.control is None else results.paired(self.full, self.control, metric)
        return verdict(difference, base, against)


def gap_table(gains: Sequence[Gain], results: Results) -> Table:
    """How much the echo gains, paired over images, and which share of the way to the oracle that is."""
    columns: tuple[str, ...] = ("model", "metric", "V", "AV", "oracle", "AV - V", "95 %, paired", "relative")
    columns += ("of the gap", "difference")
    has_runs = any(gain.runs for gain in gains)
    columns += ("AV - V over seeds", "of the gap over seeds") if has_runs else ()
    rows: list[tuple[Cell, ...]] = []
    for gain in gains:
        for shown in (gain, *([gain.over_runs] if gain.runs else [])):
            for metric in ("abs_rel", "delta1"):
                found = _gap_row(shown, metric, results)
                if found:
                    spread = _gain_spread(gain.runs if shown is not gain else [], metric, results) if has_runs else []
                    rows.append(tuple(map(Cell, [*found, *spread])))
    note = (
        "Intervals are a paired bootstrap (BCa) over whole rooms, buildings or scenes. A difference is none under 1 %, "
        "where its interval holds 0, or where another image's echo does as well. Of the gap: the share of the way from "
        "V to the oracle." + (" Over seeds: the least and the greatest of the training runs." if has_runs else "")
    )
    return Table("gap", "What the echo gains", note, columns, tuple(rows))


def _gap_row(gain: Gain, metric: str, results: Results) -> list[str]:
    """What `gap_table` tells of one gain by one metric; nothing where V or AV has no scores."""
    v, av, best = _means(gain, metric, results)
    if v is None or av is None:
        return []
    return [
        gain.name,
        TITLES[metric],
        *("-" if score is None else f"{score:.3f}" for score in (v, av, best)),
        f"{av - v:+.3f}",
        _range(results.paired(gain.full, gain.visual, metric)),
        f"{(av - v) / v:+.0%}" if v else "-",
        "-" if best is None else f"{gap_closed(v, av, best):.0%}",
        gain.verdict(results, metric),
    ]


def _means(gain: Gain, metric: str, results: Results) -> list[float | None]:
    """The means of V, AV and the oracle over the images that all of them that were run have."""
    scores = [results.values(line, metric) for line in (gain.visual, gain.full, gain.oracle)]
    shared = set.intersection(*(set(one) for one in scores if one)) if any(scores) else set()
    return [float(np.mean([one[name] for name in sorted(shared)])) if one and shared else None for one in scores]


def _gain_spread(runs: Sequence[Gain], metric: str, results: Results) -> list[str]:
    """The least and the greatest gain of training runs, and the least and the greatest share of the gap."""
    gained, closed = [], []
    for run in runs:
        v, av, best = _means(run, metric, results)
        if v is not None and av is not None and best is not None:
            gained.append(av - v)
            closed.append(gap_closed(v, av, best))
    if not gained:
        return ["-", "-"]
    return [f"{min(gained):+.3f}…{max(gained):+.3f}", f"{min(closed):.0%}…{max(closed):.0%}"]


def _pair(ours: float | None, line: Line, metric: str, has_paper: bool) -> str:
    printed = line.paper[PAPER_METRICS.index(metric)] if line.paper else None
    mine = "-" if ours is None else f"{ours:.3f}"
    return f"{mine} / {'-' if printed is None else f'{printed:.3f}'}" if has_paper else mine


def _is_best(line: Line, metric: str, results: Results, others: Iterable[Line]) -> bool:
    """Whether no line of these is better; what looks at the truth does not compete."""
    if line.variant == "oracle" or "(oracle)" in line.variant:
        return False
    rivals = [one for one in others if one.variant != "oracle" and "(oracle)" not in one.variant]
    scores = [score for one in rivals if (score := results.mean(one, metric)) is not None]
    best = max(scores) if HIGHER_IS_BETTER[metric] else min(scores)
    return len(scores) > 1 and results.mean(line, metric) == best


def _range(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    if not interval.known:
        return f"none: {interval.groups} group{'s' * (interval.groups != 1)}"
    return f"{interval.low:.3f}…{interval.high:.3f}"


def _spread(line: Line, results: Results, metric: str) -> str:
    """The mean of the training runs' means, the least and the greatest, and how many there are."""
    means = [results.mean(one, metric) for one in line.runs]
    known = [mean for mean in means if mean is not None]
    return f"{np.mean(known):.3f} ({min(known):.3f}…{max(known):.3f} of {len(known)})" if len(known) > 1 else "-"
