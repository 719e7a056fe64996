"""The report: one HTML file that needs no other file, with every table, figure and choice."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from avsnet.canvas import Figure
from avsnet.io.authorship import software
from avsnet.io.whole_files import atomic_path
from avsnet.reproduce.formats import Table, to_html

_DPI = 100  # of figures

_STYLE = """
:root { color-scheme: light; --ink: #1d2433; --soft: #5a6272; --line: #d9dde5; --blue: #0072b2; --orange: #b35900; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); margin: 0 auto; padding: 1rem; max-width: 88rem; }
h1 { line-height: 1.15; margin: .5rem 0; } h2 { margin-top: 2.5rem; line-height: 1.25; }
p, li { overflow-wrap: anywhere; max-width: 52rem; }
.headline { font-size: 1.35rem; line-height: 1.35; margin: .5rem 0 1rem; }
.numbers, .tiles { display: grid; gap: .8rem; margin: 1rem 0; }
.numbers { grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.numbers div { border: 1px solid var(--line); border-left: .35rem solid var(--blue); padding: .6rem 1rem; }
.numbers b { display: block; font-size: 2.1rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); }
.tiles figure { margin: 0; } .tiles img { width: 100%; image-rendering: pixelated; }
.columns { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); }
.columns figure { margin: 0 0 .8rem; } .columns img { width: 100%; }
.columns figcaption { min-height: 3.1em; }
.bars { display: flex; flex-wrap: wrap; gap: .3rem 2rem; font-size: .9rem; margin: .8rem 0; }
.bars img { width: 9rem; height: .8rem; vertical-align: middle; }
.small { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; width: 100%; margin: 1rem 0; }
th, td { padding: .3rem .45rem; text-align: right; border-bottom: 1px solid var(--line); }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
tr.block td { text-align: left; font-style: italic; padding-top: .9rem; border-bottom: 1px solid #8a93a5; }
td b { color: var(--blue); }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; height: auto; display: block; }
figcaption { font-size: .9rem; color: var(--soft); max-width: 60rem; margin-top: .4rem; }
details { margin: .6rem 0; } summary { cursor: pointer; color: var(--orange); }
pre { background: #f4f6f9; padding: .8rem; font-size: .78rem; white-space: pre-wrap; overflow-wrap: anywhere; }
nav a { margin-right: 1rem; display: inline-block; color: var(--blue); }
@media (max-width: 64rem) {
  table, tbody, tr, td { display: block; width: 100%; } thead { display: none; }
  tr { border: 1px solid var(--line); margin: .6rem 0; padding: .4rem .7rem; } tr.block { border: 0; padding: 0; }
  td, th:nth-child(-n+2), td:nth-child(-n+2) { text-align: right; border: 0; padding: .1rem 0; }
  td { overflow: hidden; overflow-wrap: anywhere; }
  td::before { content: attr(data-label); float: left; color: var(--soft); padding-right: 1rem; }
  tr:not(.block) td:first-child { text-align: left; font-weight: 600; }
  tr:not(.block) td:first-child::before, tr.block td::before { content: none; }
}
@media (max-width: 40rem) {
  .columns { grid-template-columns: 1fr; }
  .columns > div { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; }
}
"""


@dataclass(frozen=True)
class Tile:
    """One small picture of the summary.

    Attributes:
        caption: what it shows.
        png: the picture.
    """

    caption: str
    png: bytes


@dataclass(frozen=True)
class Summary:
    """What stands at the top.

    Attributes:
        headline: one sentence.
        numbers: each with what it is.
        tiles: one example.
    """

    headline: str
    numbers: tuple[tuple[str, str], ...]
    tiles: tuple[Tile, ...] = ()


@dataclass(frozen=True)
class ScaleBar:
    """The colours of a scale, between its ends.

    Attributes:
        low: what the first colour means.
        png: the colours.
        high: what the last colour means.
    """

    low: str
    png: bytes
    high: str


@dataclass(frozen=True)
class Gallery:
    """Pictures that belong together, laid out as the page's width allows.

    Attributes:
        name: of its place in the page.
        title: one line.
        text: what a reader must know, in sentences.
        columns: tiles that stay together: under each other on a wide page, next to each other on a narrow one.
        bars: what their colours mean.
    """

    name: str
    title: str
    text: str
    columns: tuple[tuple[Tile, ...], ...]
    bars: tuple[ScaleBar, ...] = ()


def png_of_pixels(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", optimize=True)
    return file.getvalue()


def png_of(figure: Figure) -> bytes:
    """A figure as PNG of 256 colours, dithered so that maps of depth show no bands."""
    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    with Image.open(drawn) as opened:
        picture = opened.convert("RGB")
    palette = Image.new("P", (1, 1))  # of white, which must stay white, and 255 others
    palette.putpalette([255] * 3 + (picture.quantize(255, method=Image.Quantize.MAXCOVERAGE).getpalette() or [])[:765])
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(file, format="PNG", optimize=True)
    return file.getvalue()


def write_report(
    path: Path,
    title: str,
    summary: Summary | None,
    lead: Sequence[str],
    tables: Sequence[Table],
    pictures: Sequence[tuple[str, bytes, str]],
    header: dict[str, dict[str, str]],
    galleries: Sequence[Gallery] = (),
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: `.html`.
        title: of the page.
        summary: what a visitor sees first; None: there is nothing to compare.
        lead: sentences that say what was found; the first is about the data.
        tables: in their order.
        pictures: name, PNG, caption; shown after the tables.
        header: data set -> the choices behind its numbers.
        galleries: shown after the pictures.

    Raises:
        OutputError: the file cannot be written.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [] if summary is None else [_summary(summary)]
    parts += [f"<p>{html.escape(text)}</p>" for text in lead[:1]]
    parts += ["<ul>", *(f"<li>{html.escape(text)}</li>" for text in lead[1:]), "</ul>"] if lead[1:] else []
    links = [(table.name, table.title) for table in tables] + [
        (name, caption.split(":")[0]) for name, _, caption in pictures
    ]
    links += [(gallery.name, gallery.title.split(":")[0]) for gallery in galleries]
    parts.append("<nav>" + "".join(f'<a href="#{name}">{html.escape(text)}</a>' for name, text in links) + "</nav>")
    parts += map(to_html, tables)
    for name, png, caption in pictures:
        parts.append(f'<div id="{name}">{_figure(png, caption)}</div>')
    parts += map(_gallery, galleries)
    parts.append("<h2>What these numbers depend on</h2>")
    for name, choices in header.items():
        lines = "\n".join(f"{key}: {value}" for key, value in choices.items())
        parts.append(f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(lines)}</pre></details>")
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{software()}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _summary(summary: Summary) -> str:
    numbers = "".join(f"<div><b>{html.escape(value)}</b>{html.escape(told)}</div>" for value, told in summary.numbers)
    tiles = "".join(_figure(tile.png, tile.caption) for tile in summary.tiles)
    note = "One example, the image whose gain by the echo is the median one of all." if tiles else ""
    return (
        f'<p class="headline">{html.escape(summary.headline)}</p><div class="numbers">{numbers}</div>'
        f'<div class="tiles">{tiles}</div><p class="small">{note}</p>'
    )


def _gallery(gallery: Gallery) -> str:
    bars = "".join(
        f'<span>{html.escape(bar.low)} <img src="{_data(bar.png)}" alt="to"> {html.escape(bar.high)}</span>'
        for bar in gallery.bars
    )
    columns = "".join(
        f"<div>{''.join(_figure(tile.png, tile.caption) for tile in column)}</div>" for column in gallery.columns
    )
    return (
        f'<h2 id="{gallery.name}">{html.escape(gallery.title)}</h2><p>{html.escape(gallery.text)}</p>'
        f'<div class="bars">{bars}</div><div class="columns">{columns}</div>'
    )


def _figure(png: bytes, caption: str) -> str:
    told = html.escape(caption)
    return f'<figure><img src="{_data(png)}" alt="{told}"><figcaption>{told}</figcaption></figure>'


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
