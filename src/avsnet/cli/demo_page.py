"""The demo's page: depth with and without the echo, in numbers and in pictures. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from avsnet.cli.demo_rooms import (
    BY_EAR,
    BY_EYE,
    FIRST_ROOM,
    RANGED,
    ROWS,
    SCALED_BY_EAR,
    SCALED_BY_EYE,
    Room,
    make_room,
)
from avsnet.reproduce.figures import ERROR_MAP, paint
from avsnet.reproduce.formats import Cell, Table
from avsnet.reproduce.report import Gallery, ScaleBar, Summary, Tile, png_of_pixels, write_report
from avsnet.reproduce.tables import TITLES
from avsnet.reproduce.twin import SIZE

_BUILDINGS = {"historic": "an old building", "offices": "an office building"}

_SHOWN = {
    BY_EYE: "AVS-Net, picture alone",
    BY_EAR: "AVS-Net, picture and echo",
    SCALED_BY_EYE: "Third-party map, metres by picture",
    SCALED_BY_EAR: "Third-party map, metres by picture and echo",
}
"""The rows that are drawn, and their captions."""

_METRICS = ("abs_rel", "rmse", "delta1")

_BAR = np.linspace(0.0, 1.0, 256)[None].repeat(12, axis=0)

Block = tuple[str, Sequence[Room], Sequence[str]]
"""A part of the table: its heading, the rooms that its means are over, and its rows."""


def demo(out: Path, rooms: int = 6, seed: int = 0) -> str:
    """Make rooms, predict, score, and write the page.

    Args:
        out: folder for `report.html`, and `room_<n>.png`, `room_<n>.wav`, `room_<n>_depth.png` (millimetres, AV).
        rooms: how many, of old buildings (historic) and offices in turn.
        seed: draws the rooms, the third-party maps and the noise.

    Returns:
        The table and where to look, in lines.

    Raises:
        ModelError: the packaged weights are missing.
        OutputError: the folder cannot be written.
    """
    first = FIRST_ROOM + seed * 1000
    made = [make_room(out, number, tuple(_BUILDINGS)[number % 2], first + number) for number in range(rooms)]
    blocks = _blocks(made)
    choices = {
        "rooms": f"preset rooms-1, seeds from {first}, {SIZE[0]} x {SIZE[1]} pixels; historic: old building",
        "truth": "simulated depth of every pixel within the depth camera's reach",
        "avsnet": version("avsnet"),
        "torch": torch.__version__,
        "command": f"avsnet demo --rooms {rooms} --seed {seed}",
    }
    write_report(
        out / "report.html",
        "Metres by listening",
        _summary(made),
        _lead(rooms),
        [_table(blocks)],
        [],
        {"This run": choices},
        galleries=[_gallery(room) for room in made],
    )
    return "\n".join([*_lines(blocks), f"Look at {out / 'report.html'}; next to it are pictures, echoes and depth."])


def _lead(rooms: int) -> list[str]:
    """What a stranger must know before the numbers."""
    return [
        f"Made of {_rooms(rooms)} that no training has seen. Rooms are simulated: this shows that the method works, "
        "not how well it works at your place.",
        "AVS-Net V sees the picture alone. AVS-Net AV also hears the echo of one chirp with two microphones, and a "
        "small network that hears alone, the ear, corrects its metres, as avsnet predict does by default. A picture "
        "shows the shape of a room, but hardly its size; sound travels at a known speed, so its echo carries the size.",
        "The third-party map stands for any depth model that knows no metres: the room's true shape, bent by 10 %, in "
        "unknown units. The paper's rule brings it to metres: its median is made that of V's depth, or of AV's own, "
        "before the ear.",
        "Ranging takes the metres from the echo's time of flight, without any training. It refuses an echo that fits "
        "several sizes equally well; so it is compared on the rooms that it answers, and there with all others.",
    ]


def _rooms(count: int) -> str:
    return f"{count} simulated room{'s' if count != 1 else ''}"


def _blocks(made: Sequence[Room]) -> list[Block]:
    """Rows are compared on the same rooms only: all of them, and those that ranging answers where these are fewer."""
    ranged = [room for room in made if RANGED in room.scores]
    if len(ranged) == len(made):
        return [(f"all rooms: {len(made)}", made, tuple(ROWS))]
    blocks: list[Block] = [(f"all rooms: {len(made)}", made, [row for row in ROWS if row != RANGED])]
    if ranged:
        blocks.append((f"only the rooms that ranging answers: {len(ranged)} of {len(made)}", ranged, tuple(ROWS)))
    return blocks


def _mean(rooms: Sequence[Room], row: str, metric: str) -> float:
    return float(np.mean([room.scores[row][metric] for room in rooms]))


def _summary(made: Sequence[Room]) -> Summary:
    """Three numbers, whichever way they go."""
    shown = {BY_EYE: "AVS-Net, picture alone", BY_EAR: "AVS-Net, picture and echo"}
    shown[SCALED_BY_EAR] = "third-party map, metres from AVS-Net's picture and echo"
    numbers = tuple((f"{100 * _mean(made, row, 'abs_rel'):.0f} %", text) for row, text in shown.items())
    return Summary(f"Mean error as a share of the true depth, over {_rooms(len(made))}", numbers)


def _table(blocks: Sequence[Block]) -> Table:
    """The means as the page shows them."""
    rows: list[tuple[Cell, ...]] = []
    for heading, rooms, names in blocks:
        rows.append((Cell(heading),))
        for row in names:
            numbers = (Cell(f"{_mean(rooms, row, metric):.3f}") for metric in _METRICS)
            rows.append((Cell(row), Cell(str(len(rooms))), *numbers))
    note = (
        "Means over rooms. Abs Rel: the error as a share of the true depth (0.25: a quarter); RMSE: the typical error "
        "in metres, where large ones weigh most; δ < 1.25: the share of pixels right within a factor 1.25."
    )
    if not any(RANGED in names for _, _, names in blocks):
        note += " Ranging refused the echo of every room."
    columns = ("depth from", "rooms", *(TITLES[metric] for metric in _METRICS))
    return Table("table", "What the echo is worth", note, columns, tuple(rows))


def _lines(blocks: Sequence[Block]) -> list[str]:
    """The means as the terminal shows them."""
    width = max(map(len, ROWS))
    lines = [f"{'':{width}}  rooms  abs_rel  delta1"]
    for heading, rooms, names in blocks:
        lines.append(f"{heading}")
        for row in names:
            abs_rel, delta1 = (_mean(rooms, row, metric) for metric in ("abs_rel", "delta1"))
            lines.append(f"{row:{width}}  {len(rooms):5d}  {abs_rel:7.3f}  {delta1:6.3f}")
    return lines


def _gallery(room: Room) -> Gallery:
    """A room's pictures: all depths on one scale, all errors on another."""
    target, valid = room.target, room.valid
    near, far = (float(value) for value in np.percentile(target[valid], (1.0, 99.0)))
    errors = {row: np.abs(room.maps[row] - target) for row in _SHOWN}
    worst = max(float(np.percentile(np.concatenate([error[valid] for error in errors.values()]), 95.0)), 1e-3)
    columns = [_stack(("The picture", room.picture), ("True depth", paint(target, valid, near, far)))]
    for row, caption in _SHOWN.items():
        depth = room.maps[row]
        told = f"Its error: {100 * room.scores[row]['abs_rel']:.0f} % of the depth on average"
        columns.append(
            _stack(
                (caption, paint(depth, depth > 0.0, near, far)),
                (told, paint(errors[row], valid, 0.0, worst, ERROR_MAP)),
            )
        )
    everywhere = np.ones(_BAR.shape, dtype=bool)
    bars = (
        ScaleBar(f"depth {near:.1f} m", png_of_pixels(paint(_BAR, everywhere, 0.0, 1.0)), f"{far:.1f} m"),
        ScaleBar("error 0 m", png_of_pixels(paint(_BAR, everywhere, 0.0, 1.0, ERROR_MAP)), f"{worst:.2f} m or more"),
    )
    title = f"Room {room.number}: {room.kind} of {_BUILDINGS[room.building]}"
    return Gallery(f"room_{room.number}", title, f"{_size(room)} Grey: unknown.", tuple(columns), bars)


def _size(room: Room) -> str:
    """How large the room is, and who can know it."""
    if room.size is None:
        return "Doors and furniture have their usual size, so the picture, too, tells how large the room is."
    return (
        f"Everything in this room, doors and furniture too, is {room.size:.2f} times its usual size. Its picture would "
        "be the same at any size: only the echo can tell."
    )


def _stack(*tiles: tuple[str, np.ndarray]) -> tuple[Tile, ...]:
    return tuple(Tile(caption, png_of_pixels(pixels)) for caption, pixels in tiles)
