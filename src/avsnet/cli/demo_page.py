"""The demo: unseen simulated rooms, depth by eye and by eye and ear, and a foreign map brought to metres, on one page.

Nothing is downloaded. The networks are the packaged pair; the rooms are of seeds that no training uses. The foreign map
stands for any relative depth model: the room's true shape, smoothly bent by 10 %, in an unknown unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image
from scipy.ndimage import zoom

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.errors import EchoError
from avsnet.io.whole_files import atomic_path
from avsnet.metrics import METRICS, PAPER_METRICS, depth_metrics
from avsnet.models.info import ModelInfo
from avsnet.models.packaged import ROOMS_AV as AV
from avsnet.models.packaged import ROOMS_V as V
from avsnet.predict import predict
from avsnet.reproduce.figures import Example, examples_figure
from avsnet.reproduce.report import png_of, write_report
from avsnet.reproduce.tables import TITLES, Cell, Table
from avsnet.reproduce.twin import FIRST_SEED, SIZE
from avsnet.rooms import sample

FIRST_ROOM = FIRST_SEED + 50_000
"""Seed of the demo's first room."""

_BEND = 0.1  # deviation of the foreign map's shape, in log depth
_UNITS = (0.1, 10.0)  # between which its unit is drawn, metres

_BY_EYE, _BY_EAR = "AVS-Net V, the picture alone", "AVS-Net AV, picture and echo"

ROWS = {
    _BY_EYE: (V, None),
    _BY_EAR: (AV, None),
    "foreign map, its own units": ("foreign", "none"),
    "foreign map, scaled by V": ("foreign", V),
    "foreign map, scaled by AV": ("foreign", AV),
    "foreign map, scaled by ranging": ("foreign", "ranging"),
}
"""What the table compares: a depth model, and where its metres come from."""


class _ForeignMap(torch.nn.Module):
    """Stands where anyone's relative model would: a bent shape in an unknown unit."""

    info = ModelInfo("foreign_map", "relative_depth", "Apache-2.0", "none", "avsnet.cli.demo_page")

    def __init__(self, depth: np.ndarray, seed: int) -> None:
        super().__init__()
        random = np.random.default_rng([seed, 3])
        bend = zoom(random.normal(size=(6, 6)), np.array(depth.shape) / 6, order=3, mode="nearest", grid_mode=True)
        unit = np.exp(random.uniform(*np.log(_UNITS)))
        self.values = torch.from_numpy((depth * np.exp(_BEND * bend) / unit).astype(np.float32))[None, None]

    def forward(self, batch: dict) -> dict[str, torch.Tensor]:
        """(1, 1, H, W) the map, whatever the picture."""
        return {"relative_depth": self.values}


@dataclass(frozen=True, eq=False)
class _Room:
    """What was made of one room."""

    name: str
    picture: np.ndarray
    target: np.ndarray
    valid: np.ndarray
    maps: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]


def demo(out: Path, rooms: int = 6, seed: int = 0) -> str:
    """Make rooms, predict, score, and write the page.

    Args:
        out: folder for `report.html`, and `room_<n>.png`, `room_<n>.wav`, `room_<n>_depth.png` (millimetres, AV).
        rooms: how many, historic ones and offices in turn.
        seed: draws the rooms, the foreign maps and the noise.

    Returns:
        The table and where to look, in lines.

    Raises:
        ModelError: the packaged weights are missing.
        OutputError: the folder cannot be written.
    """
    made = [
        _room(out, number, ("historic", "offices")[number % 2], FIRST_ROOM + seed * 1000 + number)
        for number in range(rooms)
    ]
    means = {
        row: {name: float(np.mean([room.scores[row][name] for room in made if row in room.scores])) for name in METRICS}
        for row in ROWS
        if any(row in room.scores for room in made)
    }
    counts = {row: sum(row in room.scores for room in made) for row in ROWS}
    table = _table(means, counts)
    pictures = []
    for room in made:
        examples = [
            Example("AVS-Net", room.maps[_BY_EYE], room.maps[_BY_EAR]),
            Example("foreign map", room.maps["foreign map, scaled by V"], room.maps["foreign map, scaled by AV"]),
        ]
        figure = examples_figure(room.picture, room.target, room.valid, examples)
        pictures.append((room.name.replace(" ", "_"), png_of(figure), f"{room.name}: without and with the echo."))
    lead = [
        f"{rooms} simulated rooms that no training has seen. AVS-Net V sees the picture; AV also hears the echo of one "
        "chirp with two ears. The picture of a room fixes the shape of depth, the echo its scale.",
        "The foreign map stands for any relative depth model: the room's true shape, bent by 10 %, in unknown units. "
        "It is brought to metres by the paper's rule, M = R * median(Mp) / median(R), with Mp from V or from AV.",
        "Rooms are simulated: this shows that the method works, not how well it works at your place.",
    ]
    choices = {
        "rooms": f"preset rooms-1, seeds from {FIRST_ROOM + seed * 1000}, {SIZE[0]} x {SIZE[1]} pixels",
        "truth": "simulated depth of every pixel within the depth camera's reach",
        "avsnet": version("avsnet"),
        "torch": torch.__version__,
        "command": f"avsnet demo --rooms {rooms} --seed {seed}",
    }
    write_report(out / "report.html", "Metres by listening", lead, [table], pictures, {"This run": choices})
    width = max(map(len, ROWS))
    lines = [f"{'':{width}}  rooms  abs_rel  delta1"]
    lines += [
        f"{row:{width}}  {counts[row]:5d}  {scores['abs_rel']:7.3f}  {scores['delta1']:6.3f}"
        for row, scores in means.items()
    ]
    return "\n".join([*lines, f"Look at {out / 'report.html'}; next to it are the pictures, echoes and depth maps."])


def _room(out: Path, number: int, domain: str, seed: int) -> _Room:
    """Make one room, write its files, predict by every row and score."""
    made = sample(domain, seed, size=SIZE)
    picture, target = made["rgb"], made["depth"]
    valid = (target > 0.0) & (made["depth_sensor"] > 0)
    foreign = _ForeignMap(np.where(target > 0.0, target, np.median(target[valid])), seed)
    maps, scores = {}, {}
    for row, (model, source) in ROWS.items():
        try:
            prediction = predict(
                picture,
                None if model == V else made["audio"],
                depth_model=foreign if model == "foreign" else model,
                scale_from=source or "auto",
                sample_rate=SAMPLE_RATE,
                intrinsics=made["K"],
                rig=made["rig"].geometry,
            )
        except EchoError:  # ranging may refuse a room
            continue
        maps[row] = prediction.depth
        scores[row] = depth_metrics(np.maximum(prediction.depth, 1e-3), target, valid)
        if row == _BY_EAR:
            prediction.save(out / f"room_{number}_depth.png")
    with atomic_path(out / f"room_{number}.png") as temporary:
        Image.fromarray(picture).save(temporary, format="png")
    with atomic_path(out / f"room_{number}.wav") as temporary:
        soundfile.write(temporary, made["audio"].T, SAMPLE_RATE, subtype="PCM_24", format="WAV")
    title = f"room {number} ({domain}, {made['room_type']}, k = {made['k']:.2f})"
    return _Room(title, picture, target, valid, maps, scores)


def _table(means: dict[str, dict[str, float]], counts: dict[str, int]) -> Table:
    """The means as the page shows them."""
    rows = []
    for row, scores in means.items():
        numbers = (Cell(f"{scores[name]:.3f}") for name in PAPER_METRICS)
        rows.append((Cell(row), Cell(str(counts[row])), *numbers))
    note = "Means over rooms; ranging leaves out rooms whose echo it refuses."
    columns = ("depth", "rooms", *(TITLES[name] for name in PAPER_METRICS))
    return Table("table", "What the echo is worth", note, columns, tuple(rows))
