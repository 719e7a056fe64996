"""One table in four formats: Markdown, LaTeX, CSV and HTML."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import dataclass


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
        not_run: rows without numbers of ours.
        reasons: why, and what to fetch, each once.
    """

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    not_run: tuple[tuple[Cell, ...], ...] = ()
    reasons: tuple[str, ...] = ()


def to_markdown(table: Table) -> str:
    """GitHub's form; a sub-heading is a row of its own, and rows that were not run are folded away below."""
    lines = [f"### {table.title}", "", table.note, "", "| " + " | ".join(table.columns) + " |"]
    lines.append("|" + "---|" * len(table.columns))
    for row in table.rows:
        if len(row) == 1:
            lines.append(f"| *{row[0].text}* |" + " |" * (len(table.columns) - 1))
        else:
            lines.append("| " + " | ".join(_marked(cell, "**{}**", "<u>{}</u>") for cell in row) + " |")
    if table.not_run:
        lines += ["", "<details>", f"<summary>{_left_out(table)}</summary>", ""]
        lines += [*(f"- {reason}" for reason in table.reasons), "", "</details>"]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A `tabular` with booktabs rules; rows that were not run are comments."""
    width = len(table.columns)
    lines = [f"% {table.title}", f"\\begin{{tabular}}{{ll{'r' * (width - 2)}}}", "\\toprule"]
    lines += [" & ".join(map(_tex, table.columns)) + " \\\\", "\\midrule"]
    for row in table.rows:
        if len(row) == 1:
            lines.append(f"\\multicolumn{{{width}}}{{l}}{{\\emph{{{_tex(row[0].text)}}}}} \\\\")
            continue
        cells = [Cell(_tex(cell.text), cell.bold, cell.underlined) for cell in row]
        lines.append(" & ".join(_marked(cell, "\\textbf{{{}}}", "\\underline{{{}}}") for cell in cells) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    lines += [f"% {_left_out(table)}:"] * bool(table.not_run) + [f"% {reason}" for reason in table.reasons]
    return "\n".join([*lines, ""])


def to_csv(table: Table) -> str:
    """Plain text without marks; each row begins with the sub-heading it stands under, those not run come last."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("block", *table.columns))
    block = ""
    for row in table.rows:
        if len(row) == 1:
            block = row[0].text
        else:
            writer.writerow((block, *(cell.text for cell in row)))
    for row in table.not_run:
        writer.writerow(("not run", *(cell.text for cell in row)))
    return file.getvalue()


def to_html(table: Table) -> str:
    """A section; on a narrow page each row becomes a card whose numbers carry their own headings."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
    body = []
    for row in table.rows:
        if len(row) == 1:
            body.append(f'<tr class="block"><td colspan="{len(table.columns)}">{html.escape(row[0].text)}</td></tr>')
            continue
        cells = [Cell(html.escape(cell.text), cell.bold, cell.underlined) for cell in row]
        texts = [
            f'<td data-label="{html.escape(column)}">{_marked(cell, "<b>{}</b>", "<u>{}</u>")}</td>'
            for column, cell in zip(table.columns, cells, strict=True)
        ]
        body.append(f"<tr>{''.join(texts)}</tr>")
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in table.reasons)
    folded = f"<details><summary>{_left_out(table)}</summary><ul>{reasons}</ul></details>\n" if table.not_run else ""
    return (
        f'<h2 id="{table.name}">{html.escape(table.title)}</h2>\n<p>{html.escape(table.note)}</p>\n'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>{''.join(body)}</tbody></table>\n{folded}"
    )


def _left_out(table: Table) -> str:
    count = len(table.not_run)
    return f"{count} row{'s were' if count != 1 else ' was'} not run: what to fetch for them"


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
