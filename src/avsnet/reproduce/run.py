"""The whole paper by one call: evaluate every row that can be run, and write tables, figures and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avsnet.analysis import Aide
from avsnet.canvas import Figure
from avsnet.errors import OptionError
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import check_trials, evaluate, maps_in_metres
from avsnet.evaluation.scores import Scores, merge
from avsnet.evaluation.trials import Trial
from avsnet.io.whole_files import atomic_path
from avsnet.reproduce.figures import Example, aide_figure, aide_of_lines, examples_figure
from avsnet.reproduce.report import png_of, write_report
from avsnet.reproduce.table_rows import Cast, Line, plan
from avsnet.reproduce.tables import Results, Table, gap_table, metric_table, to_csv, to_latex, to_markdown
from avsnet.scale.sources import SOURCES, sources_of_tables

_MOST_EXAMPLES = 6  # rows of Figure 2


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
    for name, (figure, _) in figures.items():
        for suffix in ("png", "svg"):
            with atomic_path(out / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, dpi=130)
    report = out / "report.html"
    pictures = [(name, png_of(figure), caption) for name, (figure, caption) in figures.items()]
    headers = {data: found.header for data, found in scores.items()}
    write_report(report, title, [*about, *_findings(lines, results)], tables, pictures, headers)
    reasons = dict.fromkeys(f"{line.method}: {line.missing}" for line in lines if line.trial is None)
    return Outcome(tuple(tables), report, tuple(reasons))


def _trials(lines: Sequence[Line], data: str) -> list[Trial]:
    return list(dict.fromkeys(line.trial for line in lines if line.trial is not None and line.data == data))


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
            + "oracle = by the truth, which no one has.",
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
    pairs = _pairs(lines)
    if pairs:
        tables.append(gap_table(pairs, results))
    return tables


def _pairs(lines: Sequence[Line]) -> list[tuple[str, Line, Line, Line]]:
    """Name and lines with the scale of V, of AV and of the truth: of Mp on each data set, then of every model."""
    pairs = []
    for data in dict.fromkeys(line.data for line in lines):
        first = {
            line.variant: line for line in lines if line.table == 1 and line.data == data and line.method == "AVS-Net"
        }
        oracles = [line for line in lines if line.data == data and line.variant.endswith("(oracle)")]
        if {"V", "AV"} <= first.keys() and oracles:
            pairs.append((f"AVS-Net, V2 -> {data}", first["V"], first["AV"], oracles[0]))
    for method in dict.fromkeys(line.method for line in lines if line.table == 2):
        rows = {line.variant: line for line in lines if line.table == 2 and line.method == method}
        if {"Baseline", "Proposed", "oracle"} <= rows.keys():
            pairs.append((method, rows["Baseline"], rows["Proposed"], rows["oracle"]))
    return [pair for pair in pairs if all(line.trial for line in pair[1:])]


def _findings(lines: Sequence[Line], results: Results) -> list[str]:
    """The claims of the paper next to what was found here, in sentences."""
    found = []
    for name, visual, audio_visual, _ in _pairs(lines):
        v, av = results.mean(visual, "delta1"), results.mean(audio_visual, "delta1")
        interval = results.paired(audio_visual, visual, "delta1")
        if v and av and interval:
            claim = "the paper: 0.745 -> 0.776" if name.endswith("V2 -> V2") else "the paper: 0.414 -> 0.537, +30 %"
            claim = claim if name.startswith("AVS-Net") else "the paper: about +20 %"
            found.append(
                f"{name}: δ < 1.25 goes from {v:.3f} (V) to {av:.3f} (AV), {(av - v) / v:+.0%}; 95 % of the difference "
                f"{interval.low:+.3f} to {interval.high:+.3f} ({claim})."
            )
    return found


def _figures(
    lines: Sequence[Line], results: Results, scores: dict[str, Scores], cases: dict[str, Cases], out: Path
) -> dict[str, tuple[Figure, str]]:
    figures: dict[str, tuple[Figure, str]] = {}
    pairs = _pairs(lines)
    for data, instances in cases.items():
        here = [pair for pair in pairs if pair[1].data == data]
        curves: dict[str, Aide] = {}
        for name, visual, audio_visual, _ in here:
            curve = aide_of_lines(scores[data].intervals, visual, audio_visual)
            if curve is not None:
                curves[name] = curve
        if curves:
            caption = (
                f"Figure 3 on {data}: averaged improvement over depth intervals (AIDE), the mean over images of the "
                "difference of absolute errors without and with the echo; below, how many images reach that depth."
            )
            figures[f"figure3_{data.lower()}"] = aide_figure(curves, instances.cap), caption
        example = _example(data, here, results, instances, out / data.lower())
        if example:
            figures[f"figure2_{data.lower()}"] = example
    return figures


def _example(
    data: str, pairs: Sequence[tuple[str, Line, Line, Line]], results: Results, cases: Cases, folder: Path
) -> tuple[Figure, str] | None:
    """Figure 2 of the image whose gain by the echo is the median one of all: neither the best nor the worst."""
    if not pairs:
        return None
    _, visual, audio_visual, _ = pairs[0]
    v, av = results.values(visual, "abs_rel"), results.values(audio_visual, "abs_rel")
    gains = sorted((v[name] - av[name], name) for name in v.keys() & av.keys())
    chosen = gains[len(gains) // 2][1]
    index = results.place(visual, chosen)
    shown = pairs[:_MOST_EXAMPLES]
    trials = [line.trial for pair in shown for line in pair[1:3] if line.trial is not None]
    maps = maps_in_metres(trials, index, cases, folder)
    examples = [
        Example(name, maps[one.trial], maps[two.trial])
        for name, one, two, _ in shown
        if one.trial in maps and two.trial in maps
    ]
    if not examples:
        return None
    case = cases[index]
    caption = (
        f"Figure 2 on {data}: {chosen}, the image whose gain by the echo is the median one. All depths share one "
        "scale, all errors another."
    )
    return examples_figure(case.picture, case.depth, case.valid, examples), caption
