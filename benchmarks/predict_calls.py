"""How many files, and how many of the costly calls, one warm prediction by ranging takes.

    python benchmarks/predict_calls.py

A picture, the true shape in an unknown unit and the echo of a furnished room in closed form go through
`avsnet.predict(picture, echo, depth_model=.., scale_from="ranging")`; `sys.setprofile` counts. With --model another
depth model than the toy is taken, such as avsnet_lite0_av or onnx:PATH.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import avsnet
from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.models.registry import ModelInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))  # the oracle of the tests
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

COUNTED = ("listen", "matched_filter", "first_strong", "find_planes")
PACKAGE = str(Path(avsnet.__file__).parent)


class Toy(torch.nn.Module):
    """Gives one map, whatever the picture: what a third-party model says of this room."""

    info = ModelInfo("toy", "relative_depth", "none", "none", "a benchmark")

    def __init__(self, depth: np.ndarray) -> None:
        super().__init__()
        self.depth = torch.from_numpy(depth.astype(np.float32))[None, None]

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """The map."""
        return {"relative_depth": self.depth}


def counted(call: Any) -> tuple[Counter[str], Counter[str]]:
    """Calls by file of the package, and by name of the functions in `COUNTED`."""
    files: Counter[str] = Counter()
    names: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            files[code.co_filename.removeprefix(PACKAGE + "/")] += 1
            if code.co_name in COUNTED:
                names[code.co_name] += 1

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return files, names


def main() -> None:
    """Print the counts and the time of one warm prediction."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="for `depth_model`; the toy where none is given")
    options = parser.parse_args()
    room = furnished_room("offices", 20_008)
    picture, depth, intrinsics = render(room, 96, 128)
    waveform = echo(room, Rig(), seed=20_008)

    def predict() -> None:
        avsnet.predict(
            picture,
            waveform,
            depth_model=options.model or model,
            scale_from="ranging",
            sample_rate=SAMPLE_RATE,
            intrinsics=intrinsics,
        )

    model = Toy(depth / 2.5)
    predict()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        predict()
        seconds.append(time.perf_counter() - start)
    files, names = counted(predict)
    print(f"{len(files)} files: {', '.join(sorted(files))}")
    print(", ".join(f"{name} {names[name]}" for name in COUNTED))
    print(f"{1000 * min(seconds):.0f} ms, the best of {len(seconds)}")


if __name__ == "__main__":
    main()
