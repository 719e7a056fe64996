"""The report: one HTML file that needs no other file, with every table, figure and choice."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

from avsnet.canvas import Figure
from avsnet.io.authorship import software
from avsnet.io.whole_files import atomic_path
from avsnet.reproduce.tables import Table, to_html

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #222; margin: 0 auto; padding: 1.5rem; max-width: 88rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.lead { font-size: 1.1rem; max-width: 48rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e4e4e4; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
thead th { border-bottom: 2px solid #444; }
tr.block td { text-align: left; font-style: italic; padding-top: .9rem; border-bottom: 1px solid #999; }
tr.missing td { color: #777; } tr.block td { white-space: normal; }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; color: #555; max-width: 60rem; margin-top: .5rem; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: .78rem; }
nav a { margin-right: 1rem; }
"""


def png_of(figure: Figure) -> bytes:
    """A figure as PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return file.getvalue()


def write_report(
    path: Path,
    title: str,
    lead: Sequence[str],
    tables: Sequence[Table],
    pictures: Sequence[tuple[str, bytes, str]],
    header: dict[str, dict[str, str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: `.html`.
        title: of the page.
        lead: paragraphs that say what was found.
        tables: in their order.
        pictures: name, PNG, caption; shown after the tables.
        header: data set -> the choices behind its numbers.

    Raises:
        OutputError: the file cannot be written.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f'<p class="lead">{html.escape(text)}</p>' for text in lead]
    links = [(table.name, table.title) for table in tables] + [
        (name, caption.split(":")[0]) for name, _, caption in pictures
    ]
    parts.append("<nav>" + "".join(f'<a href="#{name}">{html.escape(text)}</a>' for name, text in links) + "</nav>")
    parts += map(to_html, tables)
    for name, png, caption in pictures:
        data = base64.b64encode(png).decode()
        parts.append(
            f'<figure id="{name}"><img src="data:image/png;base64,{data}" alt="{html.escape(name)}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )
    parts.append("<h2>What these numbers depend on</h2>")
    for name, choices in header.items():
        lines = "\n".join(f"{key}: {value}" for key, value in choices.items())
        parts.append(f"<h3>{html.escape(name)}</h3><pre>{html.escape(lines)}</pre>")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{software()}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
