"""Does the echo of the simulated rooms carry their scale, and the picture not? Ridge regression on hand-made features.

    python benchmarks/rooms_echo_carries_scale.py --out results/rooms_echo_carries_scale.csv

One sample a room. Where everything in a room scales (it is `ambiguous`), log k is predicted from log band energies of
the echo (8 bands, 59 steps, 2 ears), from the picture (a thumbnail and histograms of edge directions) or from both;
in ten folds, which share no room. Further rows: the echo of the same rooms with a rig whose plate shades the floor, and
the delay of the strongest peak after the direct sound as the only feature (a camera that stands at a height that scales
hears k in the floor: these two rows show how much of the result is that). The log of the median measured depth is
predicted likewise, in ambiguous and in as many other rooms.

These features are tiny: the rows say that the information is there, not what a network reaches.
"""

from __future__ import annotations

import argparse
import csv
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.io.whole_files import atomic_path
from avsnet.rooms import sample
from avsnet.rooms.simulator import describe

SIZE = (128, 128)
BANDS = 200.0 * (18_000.0 / 200.0) ** (np.arange(9) / 8)
"""Hertz; edges of the eight bands."""

STEPS, STEP = 59, 256
FOLDS = 10
PENALTIES = 10.0 ** np.arange(-1, 7)
FIELDS = ("domain", "rooms", "target", "input", "r2", "log_error", "within_25_percent")


def echo_features(waveform: np.ndarray) -> np.ndarray:
    """(8 * 59 * 2,) log energies of bands and steps."""
    window = np.hanning(2 * STEP)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 2 * STEP, axis=1)[:, ::STEP][:, :STEPS]
    power = np.abs(np.fft.rfft(frames * window, axis=-1)) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(2 * STEP, 1 / SAMPLE_RATE), BANDS)
    bands = [power[..., low : max(high, low + 1)].mean(-1) for low, high in pairwise(edges)]
    return np.log(np.stack(bands) + 1e-9).ravel()


def picture_features(rgb: np.ndarray) -> np.ndarray:
    """A 16 x 16 thumbnail, and in each of 8 x 8 cells a histogram of 8 edge directions."""
    thumbnail = np.asarray(Image.fromarray(rgb).resize((16, 16), Image.Resampling.BOX)) / 255.0
    down, right = np.gradient(rgb.mean(axis=2) / 255.0)
    strength, direction = np.hypot(down, right), (np.arctan2(down, right) % np.pi) / np.pi * 8
    histogram = np.zeros((8, 8, 8))
    rows, columns = np.indices(strength.shape)
    side = strength.shape[0] // 8
    np.add.at(histogram, (rows // side, columns // side, direction.astype(int) % 8), strength)
    return np.concatenate([thumbnail.ravel(), np.sqrt(histogram).ravel()])


def strongest_peak(found: dict) -> float:
    """Log of the seconds from the direct sound to the strongest peak at least 1 ms later."""
    envelope = np.sqrt(np.mean(np.abs(matched_filter(found["audio"], sweep())) ** 2, axis=0))
    geometry = found["rig"].geometry
    direct = found["rig"].start + geometry.direct_paths.min() / geometry.speed_of_sound
    first = round((direct + 0.001) * SAMPLE_RATE)
    return float(np.log((first + np.argmax(envelope[first:])) / SAMPLE_RATE - direct))


def features(task: tuple[str, int, bool]) -> dict[str, np.ndarray] | None:
    """All features and targets of one room; None of one in which not everything scales, where none is wanted."""
    domain, seed, cued = task
    if not (cued or describe(domain, seed)["ambiguous"]):
        return None
    found = sample(domain, seed, size=SIZE)
    rows = {
        "echo": echo_features(found["audio"]),
        "picture": picture_features(found["rgb"]),
        "strongest peak only": np.array([strongest_peak(found)]),
        "ambiguous": np.array(found["ambiguous"]),
        "k": np.log(found["k"]),
    }
    measured = found["depth_sensor"][found["depth_sensor"] > 0] / 1000.0
    rows["depth"] = np.log(np.median(measured)) if len(measured) else np.array(np.nan)
    if found["ambiguous"]:
        rig = found["rig"]
        lowest = max(place[1] for place in (rig.geometry.speaker, *rig.geometry.ears))
        shaded = sample(domain, seed, size=(8, 8), rig=replace(rig, plate=(0.6, 0.6, lowest + 0.04)))
        rows["echo, floor shaded"] = echo_features(shaded["audio"])
    return rows


def ridge(inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Predictions of rooms that the fit has not seen; the penalty is chosen on the rooms that it has."""
    predicted = np.empty_like(target)
    fold = np.arange(len(target)) % FOLDS
    for number in range(FOLDS):
        seen = fold != number
        middle, spread = inputs[seen].mean(0), inputs[seen].std(0) + 1e-9
        known, unknown = (inputs[seen] - middle) / spread, (inputs[~seen] - middle) / spread
        offset = target[seen].mean()
        values, vectors = np.linalg.eigh(known @ known.T)
        turned = vectors.T @ (target[seen] - offset)
        scores = []
        for penalty in PENALTIES * inputs.shape[1]:
            shrunk = values / (values + penalty)
            left = (target[seen] - offset - vectors @ (shrunk * turned)) / (1.0 - (vectors**2) @ shrunk)
            scores.append(np.mean(left**2))  # leave-one-out, in closed form
        penalty = PENALTIES[int(np.argmin(scores))] * inputs.shape[1]
        predicted[~seen] = offset + unknown @ (known.T @ (vectors @ (turned / (values + penalty))))
    return predicted


def rows_of(domain: str, target: str, name: str, inputs: np.ndarray, wanted: np.ndarray) -> dict[str, object]:
    """One row of the table."""
    error = ridge(inputs, wanted) - wanted
    return {
        "domain": domain,
        "rooms": len(wanted),
        "target": target,
        "input": name,
        "r2": round(float(1.0 - np.mean(error**2) / np.var(wanted)), 3),
        "log_error": round(float(np.mean(np.abs(error))), 3),
        "within_25_percent": round(float(np.mean(np.abs(error) < np.log(1.25))), 3),
    }


def main() -> None:
    """Make the rooms, fit, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ambiguous", type=int, default=400, help="rooms per domain in which everything scales")
    parser.add_argument("--first-seed", type=int, default=500_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="CSV")
    options = parser.parse_args()
    table = []
    for domain in ("offices", "historic"):
        rooms: list[dict[str, np.ndarray]] = []
        with ProcessPoolExecutor(options.workers) as pool, tqdm(total=options.ambiguous, desc=domain) as bar:
            seed = options.first_seed
            while bar.n < options.ambiguous:
                cued = len(rooms) - bar.n < options.ambiguous
                tasks = [(domain, seed + number, cued) for number in range(40)]
                made = [room for room in pool.map(features, tasks) if room is not None]
                rooms, seed = rooms + made, seed + 40
                bar.update(sum(bool(room["ambiguous"]) for room in made))
        free = [room for room in rooms if room["ambiguous"]]
        k = np.array([room["k"] for room in free])
        for name in ("echo", "picture", "both", "echo, floor shaded", "strongest peak only"):
            parts = ("echo", "picture") if name == "both" else (name,)
            inputs = np.stack([np.concatenate([room[part] for part in parts]) for room in free])
            table.append(rows_of(domain, "log k", name, inputs, k))
        for mode, chosen in (("ambiguous", free), ("cued", [room for room in rooms if not room["ambiguous"]])):
            chosen = [room for room in chosen if np.isfinite(room["depth"])]
            depth = np.array([room["depth"] for room in chosen])
            for name in ("echo", "picture", "both"):
                parts = ("echo", "picture") if name == "both" else (name,)
                inputs = np.stack([np.concatenate([room[part] for part in parts]) for room in chosen])
                table.append(rows_of(domain, f"log median depth, {mode}", name, inputs, depth))
        for row in table[-11:]:
            print("  ".join(f"{row[field]!s:<{28 if field == 'target' else 20}}" for field in FIELDS), flush=True)
    if options.out:
        with atomic_path(options.out) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
