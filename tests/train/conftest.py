"""A toy world in the layout of BatVision V2: walls straight ahead, whose echo says how far away they are."""

import csv

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE, sweep


def write_toy_world(root, train=12, val=4, location="Hall", seed=0):
    rng = np.random.default_rng(seed)
    chirp = sweep()
    for folder in ("audio", "depth", "camera"):
        (root / location / folder).mkdir(parents=True)
    number = 0
    for split, count in (("train", train), ("val", val)):
        rows = []
        for _ in range(count):
            number += 1
            metres = rng.uniform(1.0, 8.0)
            ears = 1e-3 * rng.standard_normal((4000, 2))
            for delay, level in ((0.0, 0.5), (2.0 * metres / 343.0, 0.3)):
                start = 299 + round(delay * SAMPLE_RATE)
                ears[start : start + len(chirp)] += level * chirp[:, None]
            names = {"audio": f"audio_{number}.wav", "depth": f"depth_{number}.npy", "camera": f"camera_{number}.png"}
            soundfile.write(root / location / "audio" / names["audio"], ears.clip(-1, 1), SAMPLE_RATE, subtype="PCM_16")
            depth = np.full((40, 48), metres * 1000.0)
            depth[: rng.integers(1, 10)] = 0.0
            np.save(root / location / "depth" / names["depth"], depth.astype(np.uint16))
            Image.fromarray(rng.integers(0, 256, (40, 48, 3), np.uint8)).save(
                root / location / "camera" / names["camera"]
            )
            rows.append(
                {
                    f"{kind} {what}": f"{location}/{kind}" if what == "path" else names[kind]
                    for kind in names
                    for what in ("path", "file name")
                }
            )
        with (root / location / f"{split}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="session")
def toy_world(tmp_path_factory):
    """Root of a toy BatVision V2: 12 rows to train on, 4 to validate."""
    root = tmp_path_factory.mktemp("toy_world")
    write_toy_world(root)
    return root
