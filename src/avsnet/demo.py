"""The demo: one furnished room made from a seed, its picture and its echo, and the scale found by ear.

Nothing is downloaded and nothing was trained: the relative map is the room's *true map in unknown units*, so what
the demo shows is the ear's part alone, with shape, camera and rig known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.errors import EchoError
from avsnet.io import atomic_path
from avsnet.metrics import depth_metrics
from avsnet.models.registry import ModelInfo
from avsnet.predict import predict_and_hear
from avsnet.rooms.echo import echo
from avsnet.rooms.furnished import furnished_room
from avsnet.rooms.render import render
from avsnet.viz import panel, save_figure

HEIGHT, WIDTH = 480, 640
"""Pixels of the room's picture."""

_UNITS = (0.1, 10.0)  # between which the unknown unit is drawn, in metres


class _TrueMap(torch.nn.Module):
    """Stands where a relative depth model would: gives the room's true depth, in a unit that it does not tell."""

    info = ModelInfo(
        name="true_map",
        output="relative_depth",
        code_licence="Apache-2.0",
        weights_licence="none",
        source="avsnet.rooms",
    )

    def __init__(self, depth: np.ndarray) -> None:
        super().__init__()
        self.depth = torch.from_numpy(depth)[None, None]

    def forward(self, batch: dict) -> dict[str, torch.Tensor]:
        """(1, 1, H, W) the map, whatever the picture."""
        return {"relative_depth": self.depth}


def demo(out: Path, domain: str = "offices", seed: int = 0) -> str:
    """Make a room, find the scale of its map by ear, write pictures, depth and echo.

    Args:
        out: folder for `room.png`, `echo.wav`, `room_depth.png`, `room_depth.npz` and `room_panel.png`.
        domain: `"offices"` or `"historic"`.
        seed: draws the room, the unknown unit and the noise.

    Returns:
        What was done and how well it went, in lines.

    Raises:
        OptionError: an unknown domain.
        EchoError: the room's echo gives no sure scale; nothing is written.
        OutputError: the folder cannot be written.
    """
    room = furnished_room(domain, seed)
    image, truth, intrinsics = render(room, HEIGHT, WIDTH)
    rig = Rig(origin="known")
    waveform = echo(room, rig, seed=seed)
    metres = float(np.exp(np.random.default_rng([seed, 3]).uniform(*np.log(_UNITS))))  # in one unit of the map
    relative = truth / np.float32(metres)
    try:
        prediction, hearing = predict_and_hear(
            image,
            waveform,
            depth_model=_TrueMap(relative),
            scale_from="ranging",
            sample_rate=SAMPLE_RATE,
            intrinsics=intrinsics,
            rig=rig,
        )
    except EchoError:
        raise EchoError(f"the echo of room {seed} ({domain}) gives no sure scale; try another --seed") from None
    with atomic_path(out / "room.png") as temporary:
        Image.fromarray(image).save(temporary)
    with atomic_path(out / "echo.wav") as temporary:
        soundfile.write(temporary, waveform.T, SAMPLE_RATE, subtype="PCM_24")
    prediction.save(out / "room_depth.npz")
    prediction.save(out / "room_depth.png")
    save_figure(out / "room_panel.png", panel(image, prediction, hearing))

    valid = truth > 0.0
    before, after = (depth_metrics(pred, truth, valid)["abs_rel"] for pred in (relative, prediction.depth))
    return "\n".join(
        [
            f"A simulated room ({domain}, seed {seed}): {' x '.join(f'{side:.1f}' for side in room.size)} m, "
            f"median depth in view {np.median(truth[valid]):.2f} m.",
            "The relative map is the true map in unknown units: no depth model is at work here, only the ear.",
            f"Before, its units taken for metres: abs_rel {before:.3f}, scale off by a factor of {_off(1 / metres)}.",
            f"After, scaled by one echo:          abs_rel {after:.3f}, scale off by a factor of "
            f"{_off(prediction.scale / metres)} (confidence {prediction.confidence:.2f}).",
            f"Look at {out / 'room_panel.png'}; beside it are room.png, echo.wav, room_depth.png (millimetres) "
            "and room_depth.npz.",
        ]
    )


def _off(ratio: float) -> str:
    """How many times too large or too small, as a factor of at least 1."""
    return f"{max(ratio, 1 / ratio):.3f}"
