"""What the demo measures: unseen simulated rooms, and their depth by eye, by eye and ear, and of a third-party map.

The networks are the packaged pair; the rooms are of seeds that no training uses. The third-party map stands for any
relative depth model: the room's true shape, smoothly bent by 10 %, in an unknown unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image
from scipy.ndimage import zoom

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.errors import EchoError
from avsnet.io.authorship import png_mark, software
from avsnet.io.whole_files import atomic_path
from avsnet.metrics import depth_metrics
from avsnet.models.info import ModelInfo
from avsnet.models.packaged import AV, V
from avsnet.predict import predict
from avsnet.reproduce.twin import FIRST_SEED, SIZE
from avsnet.rooms import sample

FIRST_ROOM = FIRST_SEED + 50_000
"""Seed of the demo's first room."""

_BEND = 0.1  # deviation of the third-party map's shape, in log depth
_UNITS = (0.1, 10.0)  # between which its unit is drawn, metres

BY_EYE, BY_EAR = "AVS-Net V, the picture alone", "AVS-Net AV, picture and echo"
SCALED_BY_EYE, SCALED_BY_EAR = "third-party map, scaled by V", "third-party map, scaled by AV"
RANGED = "third-party map, scaled by ranging"

ROWS = {
    BY_EYE: (V, None),
    BY_EAR: (AV, None),
    "third-party map, its own units": ("third-party", "none"),
    SCALED_BY_EYE: ("third-party", V),
    SCALED_BY_EAR: ("third-party", AV),
    RANGED: ("third-party", "ranging"),
}
"""What the table compares: a depth model, and where its metres come from."""


class _ThirdPartyMap(torch.nn.Module):
    """Stands where anyone's relative model would: a bent shape in an unknown unit."""

    info = ModelInfo("third_party_map", "relative_depth", "Apache-2.0", "none", "avsnet.cli.demo_rooms")

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
class Room:
    """What was made of one room.

    Args:
        number: of its files.
        building: `"historic"` or `"offices"`.
        kind: such as `"hall"`.
        size: of everything in it, 1 = as usual; None where doors and furniture have their usual size.
        picture: (H, W, 3) uint8 RGB.
        target: (H, W) metres.
        valid: (H, W) bool, pixels that count.
        maps: row -> (H, W) metres; rows that refused the echo are missing.
        scores: row -> metric -> value.
    """

    number: int
    building: str
    kind: str
    size: float | None
    picture: np.ndarray
    target: np.ndarray
    valid: np.ndarray
    maps: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]


def room_files(out: Path, number: int) -> tuple[Path, Path, Path]:
    """A room's picture, echo and depth by AV."""
    return out / f"room_{number}.png", out / f"room_{number}.wav", out / f"room_{number}_depth.png"


def make_room(out: Path, number: int, building: str, seed: int) -> Room:
    """Make one room, write its picture, echo and depth by AV, predict by every row and score.

    Args:
        out: folder for its `room_files`.
        number: of its files.
        building: `"historic"` or `"offices"`.
        seed: of the room.

    Raises:
        ModelError: the packaged weights are missing.
        OutputError: the folder cannot be written.
    """
    written = room_files(out, number)
    made = sample(building, seed, size=SIZE)
    picture, target = made["rgb"], made["depth"]
    valid = (target > 0.0) & (made["depth_sensor"] > 0)
    third_party = _ThirdPartyMap(np.where(target > 0.0, target, np.median(target[valid])), seed)
    maps, scores = {}, {}
    for row, (model, source) in ROWS.items():
        try:
            prediction = predict(
                picture,
                None if model == V else made["audio"],
                depth_model=third_party if model == "third-party" else model,
                scale_from=source or "auto",
                sample_rate=SAMPLE_RATE,
                intrinsics=made["K"],
                rig=made["rig"].geometry,
            )
        except EchoError:  # ranging may refuse a room
            continue
        maps[row] = prediction.depth
        scores[row] = depth_metrics(np.maximum(prediction.depth, 1e-3), target, valid)
        if row == BY_EAR:
            prediction.save(written[2])
    with atomic_path(written[0]) as temporary:
        Image.fromarray(picture).save(temporary, format="png", pnginfo=png_mark())
    with (
        atomic_path(written[1]) as temporary,
        soundfile.SoundFile(temporary, "w", SAMPLE_RATE, 2, "PCM_24", format="WAV") as file,
    ):
        file.software = software()
        file.write(made["audio"].T)
    size = made["k"] if made["ambiguous"] else None
    return Room(number, building, made["room_type"], size, picture, target, valid, maps, scores)
