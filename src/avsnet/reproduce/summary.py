"""What a visitor of the report understands in ten seconds: three numbers and one example."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avsnet.analysis import gap_closed
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import maps_in_metres
from avsnet.reproduce.figures import paint_depth
from avsnet.reproduce.report import Summary, Tile, png_of_pixels
from avsnet.reproduce.tables import Gain, Results

_WIDE = 480  # pixels of a tile at most


def summary_of(gains: Sequence[Gain], results: Results, cases: dict[str, Cases], out: Path) -> Summary | None:
    """The summary of a reproduction: of the zero-shot test where there is one, else of the first.

    Args:
        gains: what was compared.
        results: the scores.
        cases: data -> its instances.
        out: folder of the evaluation, whose maps are used.

    Returns:
        None where V or AV was not run.
    """
    found = [gain for gain in gains if results.mean(gain.full, "abs_rel") is not None]
    if not found:
        return None
    gain = next((one for one in found if one.visual.data == "V1"), found[0])
    v, av, best = (results.mean(line, "abs_rel") for line in (gain.visual, gain.full, gain.oracle))
    near_v, near_av = results.mean(gain.visual, "delta1"), results.mean(gain.full, "delta1")
    if v is None or av is None or near_v is None or near_av is None:
        return None
    nearer = f"{(near_av - near_v) / near_v:+.0%}" if near_v else "-"
    closed = "-" if best is None else f"{gap_closed(v, av, best):.0%}"
    numbers = (
        (f"{v:.2f} → {av:.2f}", f"relative error of depth, picture alone → picture and echo ({gain.name})"),
        (nearer, "pixels within 25 % of the truth (the paper: +30 %)"),
        (closed, "of the way to a perfect scale, which the picture alone leaves open"),
    )
    return Summary(_headline(gain.verdict(results, "abs_rel")), numbers, _tiles(gain, results, cases, out))


def middle_image(gain: Gain, results: Results) -> str | None:
    """The image whose gain by the echo is the median one of all: neither the best nor the worst."""
    v, av = results.values(gain.visual, "abs_rel"), results.values(gain.full, "abs_rel")
    gained = sorted((v[name] - av[name], name) for name in v.keys() & av.keys())
    return gained[len(gained) // 2][1] if gained else None


def _headline(verdict: str) -> str:
    if verdict == "lower":
        return "An echo tells how large the scene is: it makes depth from one picture more accurate."
    if verdict == "higher":
        return "Here the echo makes depth from one picture less accurate."
    return f"Here no effect of the echo on depth from one picture is sure ({verdict})."


def _tiles(gain: Gain, results: Results, cases: dict[str, Cases], out: Path) -> tuple[Tile, ...]:
    """Picture, truth, and both maps of the median image, on one scale of colours."""
    data, name = gain.visual.data, middle_image(gain, results)
    if name is None:
        return ()
    index = results.place(gain.visual, name)
    trials = [line.trial for line in (gain.visual, gain.full) if line.trial is not None]
    maps = maps_in_metres(trials, index, cases[data], out / data.lower())
    case = cases[data][index]
    if len(maps) < len(trials) or not case.valid.any():
        return ()
    near, far = (float(end) for end in np.percentile(case.depth[case.valid], (1.0, 99.0)))
    truth = paint_depth(case.depth, case.valid, near, far)
    tiles = [
        Tile("What the camera sees", _small(case.picture)),
        Tile(f"True depth: bright is {near:.1f} m, dark {far:.1f} m", _small(truth)),
    ]
    for told, trial in zip(("Picture alone", "Picture and echo"), trials, strict=True):
        error = float(np.mean(np.abs(maps[trial] - case.depth)[case.valid]))
        tiles.append(Tile(f"{told}: {error:.2f} m off", _small(paint_depth(maps[trial], maps[trial] > 0, near, far))))
    return tuple(tiles)


def _small(pixels: np.ndarray) -> bytes:
    step = -(-pixels.shape[1] // _WIDE)
    return png_of_pixels(pixels[::step, ::step])
