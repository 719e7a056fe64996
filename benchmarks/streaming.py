"""A stream's scale: does it stand still where the camera does, and how soon does it follow a cut?

    python benchmarks/streaming.py --out results/streaming.csv

Simulated rooms at a median depth of 1.3 m, a hundred echoes of each with fresh noise; then the same map with echoes of
a room twice as large, each by the ear alone. Columns: deviation of log scale over the hundred frames, in the stream and
of each frame by itself; echoes until the scale lies within 10 % of what one such echo says by itself (empty: not within
ten), and how probable the ear finds it that that one belongs.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from tqdm import tqdm

from avsnet import rooms
from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import listen
from avsnet.audio.rig import Rig
from avsnet.errors import AvsnetError
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.scale.ear import EarScale, posterior_from_ear
from avsnet.scale.over_time import Carried, with_echo

MEDIAN = 1.3
NOISE = 0.002  # of the recording's peak
DRIFT = 0.02


def heard(depth: np.ndarray, camera: np.ndarray, waveform: np.ndarray, rig: Rig, seed: int) -> EarScale:
    """What the ear says of one echo with fresh noise."""
    noise = NOISE * np.abs(waveform).max() * np.random.default_rng(seed).standard_normal(waveform.shape)
    return posterior_from_ear(depth, depth > 0.0, camera, listen(waveform + noise, SAMPLE_RATE, rig))


def row_of(domain: str, seed: int, frames: int) -> dict[str, object]:
    """One room: still, then cut."""
    made = rooms.sample(domain, seed, 7, size=(72, 128), samples=0)
    depth, rig = MEDIAN / float(np.median(made["depth"])) * made["depth"], rig_for(seed)
    near, far = (echo_of_depth(times * depth, made["K"], rig, seed=seed).waveform for times in (1.0, 2.0))
    first = heard(depth, made["K"], near, rig.geometry, 0)
    carried, alone = Carried(first.posterior, "ear"), [first.scale]
    stream = [first.scale]
    for number in range(1, frames):
        one = heard(depth, made["K"], near, rig.geometry, number)
        carried = with_echo(carried, one.posterior, one.prior, DRIFT)
        alone.append(one.scale)
        stream.append(carried.standing.median)
    after: int | None = None
    for number in range(10):
        one = heard(depth, made["K"], far, rig.geometry, number)
        carried = with_echo(carried, one.posterior, one.prior, DRIFT)
        if after is None and abs(np.log(carried.standing.median / one.scale)) < 0.1:
            after = number + 1
    return {
        "domain": domain,
        "seed": seed,
        "stream": round(float(np.std(np.log(stream))), 4),
        "alone": round(float(np.std(np.log(alone))), 4),
        "echoes_to_follow": "" if after is None else after,
        "belongs": round(one.belongs, 3),
    }


def main() -> None:
    """Write a row for each room."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/streaming.csv"))
    parser.add_argument("--rooms", type=int, default=10, help="of each domain")
    parser.add_argument("--frames", type=int, default=100)
    options = parser.parse_args()
    rows = []
    cases = [(domain, seed) for domain in ("offices", "historic") for seed in range(60_000, 60_000 + options.rooms)]
    for domain, seed in tqdm(cases, disable=None):
        try:
            rows.append(row_of(domain, seed, options.frames))
        except AvsnetError as error:
            print(f"{domain} {seed}: {error}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    stream, alone = (np.array([row[key] for row in rows], dtype=float) for key in ("stream", "alone"))
    followed = [row["echoes_to_follow"] for row in rows]
    print(f"{len(rows)} rooms; deviation in the stream: median {np.median(stream):.4f}, largest {stream.max():.4f}; ")
    print(f"of each frame by itself: median {np.median(alone):.4f}, largest {alone.max():.4f}")
    print(f"cuts followed within three echoes: {sum(after != '' and after <= 3 for after in followed)}")


if __name__ == "__main__":
    main()
