"""The paper's tables from scores: ours next to the paper's, best marked as the paper does, with intervals.

In the paper the best of each block is bold and the best of a whole family underlined; so here.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from avsnet.analysis import Interval, bootstrap, gap_closed
from avsnet.evaluation.scores import Row
from avsnet.metrics import HIGHER_IS_BETTER, PAPER_METRICS
from avsnet.reproduce.table_rows import Line

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


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        bold: best of its block.
        underlined: best of its family.
    """

    text: str
    bold: bool = False
    underlined: bool = False


@dataclass(frozen=True)
class Table:
    """A table that every format is made from.

    Attributes:
        name: for files, such as "table1".
        title: one line.
        note: what a reader must know, in sentences.
        columns: headings.
        rows: cells; a row of a single cell spans the table, as a sub-heading.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


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
        if line.trial is None:
            return {}
        rows = self._rows.get((line.data, line.trial.system.label, line.trial.scaling.label), {})
        chosen = (row for row in rows.values() if line.group in ("all", row["group"]))
        return {row["id"]: float(row[metric]) for row in chosen if row[metric]}

    def place(self, line: Line, name: str) -> int:
        """The place in its data set of an image that the line has."""
        assert line.trial is not None
        return int(self._rows[line.data, line.trial.system.label, line.trial.scaling.label][name]["row"])

    def mean(self, line: Line, metric: str) -> float | None:
        """Mean over images; None where the line was not run."""
        values = list(self.values(line, metric).values())
        return float(np.mean(values)) if values else None

    def interval(self, line: Line, metric: str) -> Interval | None:
        """Bootstrap interval of that mean."""
        values = list(self.values(line, metric).values())
        return bootstrap(np.array(values)) if values else None

    def paired(self, line: Line, other: Line, metric: str) -> Interval | None:
        """Bootstrap interval of the mean of `line` minus `other` over the images that both have."""
        ours, theirs = self.values(line, metric), self.values(other, metric)
        both = sorted(ours.keys() & theirs.keys())
        return bootstrap(np.array([ours[name] - theirs[name] for name in both])) if both else None


def metric_table(name: str, title: str, note: str, lines: Sequence[Line], results: Results) -> Table:
    """Lines as a table of the seven metrics: "ours / paper's", and the 95 % interval of the first and the fifth."""
    has_paper = any(line.paper for line in lines)
    columns = ("method", "input or scaling", "images", *(TITLES[metric] for metric in PAPER_METRICS))
    columns += ("95 % of Abs Rel", "95 % of δ < 1.25")
    rows: list[tuple[Cell, ...]] = []
    reasons: dict[str, str] = {}  # of rows that were not run, each once
    block = family = None
    for line in lines:
        if line.family and line.family != family:
            rows.append((Cell(line.family),))
        if not line.family and line.block != block:
            rows.append((Cell(line.block),))
        block, family = line.block, line.family
        cells = [Cell(line.method), Cell(line.variant)]
        if not results.values(line, "abs_rel"):
            printed = [_pair(None, line, metric, has_paper) for metric in PAPER_METRICS]
            rows.append((*cells, Cell("-"), *map(Cell, printed), Cell("-"), Cell("-")))
            reason = f"{line.method}, {line.variant}: {line.missing or 'no image has a score'}"
            reasons.setdefault(line.missing or reason, reason)
            continue
        cells.append(Cell(str(len(results.values(line, "abs_rel")))))
        for metric in PAPER_METRICS:
            text = _pair(results.mean(line, metric), line, metric, has_paper)
            block_best = _is_best(line, metric, results, (one for one in lines if one.block == line.block))
            family_best = bool(line.family) and _is_best(
                line, metric, results, (one for one in lines if one.family == line.family)
            )
            cells.append(Cell(text, block_best, family_best))
        cells += [Cell(_range(results.interval(line, metric))) for metric in ("abs_rel", "delta1")]
        rows.append(tuple(cells))
    rows += [(Cell(reason),) for reason in reasons.values()]
    legend = " Ours / the paper's." if has_paper else ""
    return Table(name, title, note + legend, columns, tuple(rows))


def gap_table(pairs: Sequence[tuple[str, Line, Line, Line]], results: Results) -> Table:
    """How much the echo gains, paired over images, and which share of the way to the oracle that is.

    Args:
        pairs: name, and its lines with the visual-only, the audio-visual and the oracle's scale.
        results: the scores.
    """
    columns = ("model", "metric", "V", "AV", "oracle", "AV - V", "95 %, paired", "relative", "share of the gap closed")
    rows: list[tuple[Cell, ...]] = []
    for name, visual, audio_visual, oracle in pairs:
        for metric in ("abs_rel", "delta1"):
            scores = [results.mean(line, metric) for line in (visual, audio_visual, oracle)]
            v, av, best = scores
            if v is None or av is None:
                continue
            closed = "-" if best is None else f"{gap_closed(v, av, best):.0%}"
            rows.append(
                (
                    Cell(name),
                    Cell(TITLES[metric]),
                    *(Cell("-" if score is None else f"{score:.3f}") for score in scores),
                    Cell(f"{av - v:+.3f}"),
                    Cell(_range(results.paired(audio_visual, visual, metric))),
                    Cell(f"{(av - v) / v:+.0%}" if v else "-"),
                    Cell(closed),
                )
            )
    note = "The interval is a paired bootstrap over images: where it does not hold 0, the echo's effect is no chance."
    return Table("gap", "What the echo gains", note, columns, tuple(rows))


def to_markdown(table: Table) -> str:
    """GitHub's form; a sub-heading, or why rows were not run, is a row of its own."""
    lines = [f"### {table.title}", "", table.note, "", "| " + " | ".join(table.columns) + " |"]
    lines.append("|" + "---|" * len(table.columns))
    for row in table.rows:
        if len(row) == 1:
            lines.append(f"| *{row[0].text}* |" + " |" * (len(table.columns) - 1))
        else:
            lines.append("| " + " | ".join(_marked(cell, "**{}**", "<u>{}</u>") for cell in row) + " |")
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A `tabular` with booktabs rules."""
    width = len(table.columns)
    lines = [f"% {table.title}", f"\\begin{{tabular}}{{ll{'r' * (width - 2)}}}", "\\toprule"]
    lines += [" & ".join(map(_tex, table.columns)) + " \\\\", "\\midrule"]
    for row in table.rows:
        if len(row) == 1:
            lines.append(f"\\multicolumn{{{width}}}{{l}}{{\\emph{{{_tex(row[0].text)}}}}} \\\\")
            continue
        cells = [Cell(_tex(cell.text), cell.bold, cell.underlined) for cell in row]
        lines.append(" & ".join(_marked(cell, "\\textbf{{{}}}", "\\underline{{{}}}") for cell in cells) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def to_csv(table: Table) -> str:
    """Plain text without marks; each row begins with the sub-heading it stands under, and reasons are left out."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("block", *table.columns))
    block = ""
    for row in table.rows:
        if len(row) == 1:
            block = row[0].text
        else:
            writer.writerow((block, *(cell.text for cell in row)))
    return file.getvalue()


def to_html(table: Table) -> str:
    """A `<table>` in a box that scrolls where the page is narrow."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
    body = []
    for row in table.rows:
        if len(row) == 1:
            body.append(f'<tr class="block"><td colspan="{len(table.columns)}">{html.escape(row[0].text)}</td></tr>')
            continue
        cells = [Cell(html.escape(cell.text), cell.bold, cell.underlined) for cell in row]
        texts = [f"<td>{_marked(cell, '<b>{}</b>', '<u>{}</u>')}</td>" for cell in cells]
        missing = ' class="missing"' if row[2].text == "-" else ""
        body.append(f"<tr{missing}>{''.join(texts)}</tr>")
    return (
        f'<h2 id="{table.name}">{html.escape(table.title)}</h2>\n<p>{html.escape(table.note)}</p>\n'
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{"".join(body)}</tbody></table></div>\n'
    )


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
    return "-" if interval is None else f"{interval.low:.3f}…{interval.high:.3f}"


def _marked(cell: Cell, bold: str, underlined: str) -> str:
    text = bold.format(cell.text) if cell.bold else cell.text
    return underlined.format(text) if cell.underlined else text


def _tex(text: str) -> str:
    for character in "&%_#":
        text = text.replace(character, "\\" + character)
    return (
        text.replace("δ", "$\\delta$")
        .replace("²", "$^2$")
        .replace("³", "$^3$")
        .replace("<", "$<$")
        .replace("->", "$\\to$")
    )
