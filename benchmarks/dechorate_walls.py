"""Ranging in measured room responses: how far off are the walls of a real room?

    python benchmarks/dechorate_walls.py ../shared --out results/dechorate_walls.csv

dEchorate (Di Carlo et al. 2021, CC BY 4.0): one loudspeaker and six pairs of microphones 1.3 to 2.9 m from it, in a
room of 5.7 x 6.0 x 2.4 m. Every response is convolved with the sweep and heard by `range_profile`, once for the
direction of each of the six walls; a wall is taken to stand where the prominence of all pairs, added up, is largest
beyond the rig. No wall is told apart from another wall's echo, or from an echo of two walls.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import soxr
from scipy.signal import fftconvolve

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.ranging import range_profile
from avsnet.audio.rig import Rig
from avsnet.io.whole_files import atomic_path
from shared_data import require

RESPONSES = "real/dechorate/dechorate_011111_src0_12rirs.npz"
FARTHEST, STEP = 7.0, 0.005  # metres from the loudspeaker
CLEAR = 0.05  # metres that a wall stands beyond the rig
LARGEST = 3.0  # prominence that one pair may add
LENGTH = 22_050  # samples
WALLS = {"x = 0": (0, -1), "x = 5.7": (0, 1), "y = 0": (1, -1), "y = 6.0": (1, 1), "z = 0": (2, -1), "z = 2.4": (2, 1)}


def recordings(measured: dict[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each pair of microphones their places (2, 3) in metres, and (2, N) what they record of the sweep."""
    responses = soxr.resample(measured["rirs"].T.astype(np.float64), int(measured["fs"]), SAMPLE_RATE).T
    heard = np.stack([fftconvolve(one, sweep())[:LENGTH] for one in responses])
    heard /= 1.1 * np.abs(heard).max()
    pairs = [[first, first + len(heard) // 2] for first in range(len(heard) // 2)]
    return [(measured["mics"][pair], heard[pair]) for pair in pairs]


def heard_distance(measured: dict[str, np.ndarray], direction: np.ndarray) -> float:
    """Metres from the loudspeaker at which the pairs together hear a wall that is square to a direction."""
    source, distances = measured["src"], np.arange(0.0, FARTHEST, STEP)
    total = np.zeros_like(distances)
    for places, waveform in recordings(measured):
        middle = places.mean(axis=0)
        left, right = (tuple(place) for place in places - middle)
        rig = Rig(tuple(source - middle), (left, right), float(measured["c"]), "known")
        profile = range_profile(waveform, SAMPLE_RATE, rig, direction=tuple(direction), max_range=FARTHEST + 1.0)
        from_source = profile.range + (middle - source) @ direction
        total += np.interp(distances, from_source, profile.prominence.clip(0.0, LARGEST), left=0.0, right=0.0)
    beyond = distances > max(0.0, float(((measured["mics"] - source) @ direction).max())) + CLEAR
    return float(distances[beyond][np.argmax(total[beyond])])


def main() -> None:
    """Print and write one row per wall."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of docs/shared_data.md, such as ../shared")
    parser.add_argument("--out", type=Path, help="CSV file")
    args = parser.parse_args()
    require(args.shared, (RESPONSES,))
    with np.load(args.shared / RESPONSES, allow_pickle=False) as entries:
        measured = {name: entries[name] for name in entries.files}
    rows = []
    for name, (axis, sign) in WALLS.items():
        true = measured["src"][axis] if sign < 0 else measured["room"][axis] - measured["src"][axis]
        heard = heard_distance(measured, sign * np.eye(3)[axis])
        rows.append(
            {"wall": name, "annotated": f"{true:.3f}", "heard": f"{heard:.3f}", "error": f"{heard - true:+.3f}"}
        )
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()))
    print(f"median |error| {np.median([abs(float(row['error'])) for row in rows]):.3f} m")
    if args.out is not None:
        with atomic_path(args.out) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
