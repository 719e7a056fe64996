"""What judging costs beside the networks, on pictures of 720 x 1280 as the paper's protocol has them.

    python benchmarks/evaluate_overhead.py --images 12

For each system: seconds an image in the network, seconds an image for everything else (reading, resizing, scaling,
metrics, writing), and the second as a share of the first; the target is 25 %. Weights are fresh: time does not depend
on their values. The data is a folder in BatVision's V2 layout, made from one simulated room.
"""

from __future__ import annotations

import argparse
import csv
import platform
import tempfile
import warnings
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image

from avsnet.data.registry import open_data
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import Clock, evaluate
from avsnet.evaluation.trials import Scaling, System, Trial
from avsnet.models import create_model
from avsnet.rooms import sample

SYSTEMS = ("avsnet_tiny_av", "monodepth2", "avsnet_midas_small_av", "monovit", "zoedepth_n")


def write_data(root: Path, images: int) -> None:
    """A V2 tree of one room seen many times: what is measured does not depend on what is seen."""
    made = sample("historic", 900_000, size=(180, 320))
    image = Image.fromarray(made["rgb"]).resize((1280, 720))
    depth = np.repeat(np.repeat(made["depth_sensor"], 4, 0), 4, 1)
    rows = []
    for kind in ("audio", "camera", "depth"):
        (root / "room" / kind).mkdir(parents=True)
    for number in range(images):
        names = {"audio": f"audio_{number}.wav", "depth": f"depth_{number}.npy", "camera": f"camera_{number}.jpeg"}
        soundfile.write(root / "room" / "audio" / names["audio"], made["audio"].T, 44_100, subtype="PCM_32")
        np.save(root / "room" / "depth" / names["depth"], depth)
        image.save(root / "room" / "camera" / names["camera"], quality=90)
        rows.append([text for kind, name in names.items() for text in (f"room/{kind}", name)])
    with (root / "room" / "test.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"{kind} {what}" for kind in ("audio", "depth", "camera") for what in ("path", "file name")])
        writer.writerows(rows)


def main() -> None:
    """Measure every system and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    options = parser.parse_args()
    System.build = lambda self: create_model(self.name)  # type: ignore[method-assign]  # fresh weights
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.processor() or platform.machine()}")
    print(f"{'system':24s} {'network (s)':>11s} {'else (s)':>9s} {'share':>6s}")
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder, "data"), options.images)
        opened = open_data(Path(folder, "data"))
        for name in options.systems.split(","):
            clock = Clock()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                create_model(name)  # imports are no overhead of an evaluation
                trials = [Trial(System(name), Scaling())]
                evaluate(trials, Cases(opened.data, opened.name, opened.cap), Path(folder, name), clock=clock)
            forward = clock.forward / clock.images
            other = (clock.total - clock.setup - clock.forward) / clock.images
            print(f"{name:24s} {forward:11.3f} {other:9.3f} {other / forward:6.0%}")


if __name__ == "__main__":
    main()
