"""The whole paper by one call: evaluate every row that can be run, and write tables, figures and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avsnet.analysis import Aide, mean_aide
from avsnet.canvas import Figure
from avsnet.errors import OptionError
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import check_trials, evaluate, maps_in_metres
from avsnet.evaluation.scores import Row, Scores, merge
from avsnet.evaluation.trials import Trial
from avsnet.io.whole_files import atomic_path
from avsnet.reproduce.figures import Example, aide_figure, aide_of_lines, examples_figure
from avsnet.reproduce.formats import Table, to_csv, to_latex, to_markdown
from avsnet.reproduce.report import png_of, write_report
from avsnet.reproduce.summary import middle_image, summary_of
from avsnet.reproduce.table_rows import AUTO, AUTO_CONTROL, CONTROL, FINER, Cast, Line, plan
from avsnet.reproduce.tables import Gain, Results, gap_table, metric_table
from avsnet.scale.sources import SOURCES, sources_of_tables
from avsnet.statistics import Interval

_MOST_EXAMPLES = 4  # rows of Figure 2


@dataclass(frozen=True)
class Outcome:
    """What a reproduction found.

    Attributes:
        tables: Table 1 to 3 and what the echo gains.
        report: the page.
        not_run: rows that could not be run, each with its reason.
    """

    tables: tuple[Table, ...]
    report: Path
    not_run: tuple[str, ...]


def reproduce(
    cases: dict[str, Cases],
    cast: Cast,
    out: Path,
    *,
    title: str,
    about: Sequence[str] = (),
    shard: tuple[int, int] | None = None,
    merged: bool = False,
) -> Outcome | None:
    """Make the paper's tables and figures.

    Args:
        cases: "V1", "V2" and `plan.LEFT_OUT`, or some of them, to what they are tested on.
        cast: which system plays which part.
        out: folder; scores go to `out/v1` and `out/v2`, where a run that was ended is taken up again.
        title: of the report.
        about: paragraphs for its top.
        shard: (i, n): only evaluate this part, and write no tables.
        merged: evaluate nothing, but merge the shards that are there.

    Returns:
        What was found; None for a shard.

    Raises:
        OptionError: no data, or no row that can be run.
        AvsnetError: what `evaluate` raises.
    """
    lines = plan(cast, list(cases))
    if not any(line.trial for line in lines):
        raise OptionError(f"no row can be run: {lines[0].missing if lines else 'give --bv1, --bv2 or --rooms'}")
    cases = {data: instances for data, instances in cases.items() if _trials(lines, data)}
    scores: dict[str, Scores] = {}
    for data, instances in cases.items():
        trials = _trials(lines, data)
        check_trials(trials)
        folder = out / data.lower()
        scores[data] = merge(folder) if merged else evaluate(trials, instances, folder, shard=shard)
    if shard is not None:
        return None
    results = Results({data: found.rows for data, found in scores.items()})
    tables = _tables(lines, results)
    figures = _figures(lines, results, scores, cases, out)
    for table in tables:
        for suffix, text in (("md", to_markdown(table)), ("tex", to_latex(table)), ("csv", to_csv(table))):
            with atomic_path(out / f"{table.name}.{suffix}") as temporary:
                temporary.write_text(text, encoding="utf-8")
    pictures = [(name, png_of(figure), caption) for name, (figure, caption) in figures.items()]
    for name, png, _ in pictures:
        with atomic_path(out / f"{name}.png") as temporary:
            temporary.write_bytes(png)
        with atomic_path(out / f"{name}.svg") as temporary:
            figures[name][0].savefig(temporary, format="svg")
    report = out / "report.html"
    headers = {data: found.header for data, found in scores.items()}
    summary = summary_of(_gains(lines), results, cases, out)
    write_report(report, title, summary, [*about, *_findings(lines, results)], tables, pictures, headers)
    reasons = dict.fromkeys(f"{line.method}: {line.missing}" for line in lines if line.trial is None)
    return Outcome(tuple(tables), report, tuple(reasons))


def _trials(lines: Sequence[Line], data: str) -> list[Trial]:
    return list(dict.fromkeys(run.trial for line in lines if line.data == data for run in line.runs if run.trial))


def _tables(lines: Sequence[Line], results: Results) -> list[Table]:
    chosen = [[line for line in lines if line.table == number] for number in (1, 2, 3)]
    tables = []
    for name, title, note, rows in (
        (
            "table1",
            "Table 1. Stage one: pseudo-dense metric depth",
            "V = picture alone, AV = picture and echo.",
            chosen[0],
        ),
        (
            "table2",
            "Table 2. Stage two: any model, scaled",
            "w/o = its own numbers; Baseline and Proposed = scaled by the medians of AVS-Net V and AV; "
            + "".join(f"{name} = {SOURCES[name].about}; " for name in sources_of_tables())
            + f"{AUTO} = what predict does: the packaged ear beside AVS-Net AV and, of a metric model, its own metres; "
            + "finer = bent towards AVS-Net's map (shrunk_grid), AV's if not V's, then ear = at the scale that the ear "
            + "finds; oracle = by the truth, which no one has.",
            chosen[1],
        ),
        (
            "table3",
            "Table 3. Is the echo heard?",
            "Rows that the paper lacks. Another image's echo, or none, must cost what the echo gained.",
            chosen[2],
        ),
    ):
        if rows:
            tables.append(metric_table(name, title, note, rows, results))
    gains = _gains(lines)
    if gains:
        tables.append(gap_table(gains + _gains(lines, AUTO, AUTO_CONTROL), results))
    return tables


def _gains(lines: Sequence[Line], heard: str = "Proposed", control: str = CONTROL) -> list[Gain]:
    """The lines that tell what the echo gains: of Mp on each data set, then of every model.

    Args:
        lines: all.
        heard: the variant of a model that stands for AV; another than the paper's is of models alone, and named.
        control: the same with another image's echo.
    """
    gains: list[Gain] = []
    own = heard == "Proposed"
    for data in dict.fromkeys(line.data for line in lines if own):
        first = {
            line.variant: line for line in lines if line.table == 1 and line.data == data and line.method == "AVS-Net"
        }
        oracles = [line for line in lines if line.data == data and line.variant.endswith("(oracle)")]
        controls = [line for line in lines if line.table == 3 and line.data == data and line.variant == CONTROL]
        if {"V", "AV"} <= first.keys() and oracles and controls:
            gains.append(Gain(f"AVS-Net, V2 -> {data}", first["V"], first["AV"], oracles[0], controls[0]))
    for method in dict.fromkeys(line.method for line in lines if line.table == 2):
        rows = {line.variant: line for line in lines if line.table == 2 and line.method == method}
        if {"Baseline", heard, "oracle"} <= rows.keys():
            name = method if own else f"{method}, {heard} in place of AV"
            gains.append(Gain(name, rows["Baseline"], rows[heard], rows["oracle"], rows[control]))
    return [gain for gain in gains if gain.visual.trial and gain.full.trial and gain.oracle.trial]


def _findings(lines: Sequence[Line], results: Results) -> list[str]:
    """The claims of the paper next to what was found here, in sentences."""
    found = []
    for gain in _gains(lines):
        name = gain.name
        v, av = results.mean(gain.visual, "delta1"), results.mean(gain.full, "delta1")
        interval = results.paired(gain.full, gain.visual, "delta1")
        if v and av and interval:
            claim = "the paper: 0.745 -> 0.776" if name.endswith("V2 -> V2") else "the paper: 0.414 -> 0.537, +30 %"
            claim = claim if name.startswith("AVS-Net") else "the paper: about +20 %"
            found.append(
                f"{name}: δ < 1.25 goes from {v:.3f} (V) to {av:.3f} (AV), {(av - v) / v:+.0%}; {_sure(interval)}; "
                f"difference: {gain.verdict(results, 'delta1')} ({claim})."
            )
    return found


def _sure(interval: Interval) -> str:
    if not interval.known:
        return f"no interval can be had of {interval.groups} group{'s' * (interval.groups != 1)}"
    return f"95 % of the difference {interval.low:+.3f} to {interval.high:+.3f}, over {interval.groups} groups"


def _figures(
    lines: Sequence[Line], results: Results, scores: dict[str, Scores], cases: dict[str, Cases], out: Path
) -> dict[str, tuple[Figure, str]]:
    figures: dict[str, tuple[Figure, str]] = {}
    gains = _gains(lines)
    for data, instances in cases.items():
        here = [gain for gain in gains if gain.visual.data == data]
        curves: dict[str, Aide] = {}
        spread: dict[str, list[Aide]] = {}
        for gain in here:
            curve = aide_of_lines(scores[data].intervals, gain.visual, gain.full)
            each = [aide_of_lines(scores[data].intervals, run.visual, run.full) for run in gain.runs]
            known = [run for run in each if run is not None]
            if known and len(known) == len(each):
                spread[gain.over_runs.name] = known
                curves[gain.over_runs.name] = mean_aide(known)
            elif curve is not None:
                curves[gain.name] = curve
        if curves:
            caption = (
                f"Figure 3 on {data}: averaged improvement over depth intervals (AIDE), the mean over images of the "
                "difference of absolute errors without and with the echo; below, how many images reach that depth."
            ) + " Bands: from the least to the greatest of the training runs." * bool(spread)
            figures[f"figure3_{data.lower()}"] = aide_figure(curves, instances.cap, runs=spread), caption
        bent = _finer_curves([line for line in lines if line.data == data], scores[data].intervals)
        if bent:
            caption = (
                f"Figure 3 of the rule finer than one number, on {data}: error of maps at one factor minus error of "
                "maps bent towards AVS-Net AV's, both without the truth."
            )
            figure = aide_figure(bent, instances.cap, "by one factor", "by the finer rule")
            figures[f"figure3_{data.lower()}_finer"] = figure, caption
        example = _example(data, here, results, instances, out / data.lower())
        if example:
            figures[f"figure2_{data.lower()}"] = example
    return figures


def _finer_curves(lines: Sequence[Line], intervals: list[Row]) -> dict[str, Aide]:
    """The gain in each metre of true depth by bending a map, beside scaling it: a curve a model of Table 2."""
    curves = {}
    for method in dict.fromkeys(line.method for line in lines if line.table == 2):
        rows = {line.variant: line for line in lines if line.table == 2 and line.method == method}
        if {"Proposed", FINER} <= rows.keys():
            curve = aide_of_lines(intervals, rows["Proposed"], rows[FINER])
            if curve is not None:
                curves[method] = curve
    return curves


def _example(
    data: str, gains: Sequence[Gain], results: Results, cases: Cases, folder: Path
) -> tuple[Figure, str] | None:
    """Figure 2 of the image whose gain by the echo is the median one of all."""
    if not gains:
        return None
    chosen = middle_image(gains[0], results)
    if chosen is None:
        return None
    index = results.place(gains[0].visual, chosen)
    shown = gains[:_MOST_EXAMPLES]
    trials = [line.trial for gain in shown for line in (gain.visual, gain.full) if line.trial is not None]
    maps = maps_in_metres(trials, index, cases, folder)
    examples = [
        Example(gain.name, maps[gain.visual.trial], maps[gain.full.trial])
        for gain in shown
        if gain.visual.trial in maps and gain.full.trial in maps
    ]
    if not examples:
        return None
    case = cases[index]
    caption = (
        f"Figure 2 on {data}: {chosen}, the image whose gain by the echo is the median one. All depths share one "
        "scale, all errors another."
    )
    return examples_figure(case.picture, case.depth, case.valid, examples), caption
