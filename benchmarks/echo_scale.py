"""How well the scale is found by ear, over furnished rooms whose echoes are computed in closed form, or simulated.

Every constant of `avsnet.scale.ranging` was fixed on seeds 10000 to 10119 of both domains; the table in `results/` is
made on seeds it never saw:

    python benchmarks/echo_scale.py --rooms 120 --first-seed 20000 --out results/echo_scale_rooms.csv

    python benchmarks/echo_scale.py --scenes simulator

takes rooms of `avsnet.rooms.sample` in their place, on which nothing was fixed.

A row is one room under one condition. `error` is log(k / true k), true k = median depth / median of the map given.
`prior` is the error of the same rule with its ears shut: every picture's median depth is taken as 2.5 m.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import listen
from avsnet.audio.rig import Rig
from avsnet.errors import AvsnetError
from avsnet.geometry import intrinsics_from_fov
from avsnet.io.whole_files import atomic_path
from avsnet.rooms import sample
from avsnet.scale.ranging import posterior_from_echo

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))  # the oracle of the tests
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

HEIGHT, WIDTH = 96, 128
ASSUMED_FOV = 70.0

# condition: smooth shape error, power of depth, and whether field of view and rig are known
CONDITIONS = {
    "true shape": (0.00, 1.00, True),
    "5 % shape error": (0.05, 1.00, True),
    "10 % shape error": (0.10, 1.00, True),
    "20 % shape error": (0.20, 1.00, True),
    "10 %, depth^0.85": (0.10, 0.85, True),
    "true shape, assumed field of view and rig": (0.00, 1.00, False),
    "10 %, assumed field of view and rig": (0.10, 1.00, False),
}
Scene = tuple[np.ndarray, np.ndarray, Callable[[Rig], np.ndarray]]
"""Depth in metres, intrinsics, and what a rig there records."""

FIELDS = ("domain", "seed", "condition", "error", "prior", "confidence", "second", "refused")


def distorted(depth: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Depth times exp of a smooth random field: 6 x 6 normal values of this deviation, cubic in between."""
    field = zoom(rng.normal(size=(6, 6)), np.array(depth.shape) / 6, order=3, mode="nearest", grid_mode=True)
    return depth * np.exp(deviation * field)


def some_rig(rng: np.random.Generator) -> Rig:
    """A rig nobody measured: ears 0.12 to 0.35 m apart, speaker 0.05 to 0.4 m from their middle."""
    half, reach, tilt = rng.uniform(0.06, 0.175), rng.uniform(0.05, 0.4), rng.uniform(-1.0, 1.0)
    speaker = (0.0, 0.05 + reach * np.cos(tilt), reach * np.sin(tilt))
    return replace(Rig(), speaker=speaker, ears=((-half, 0.05, 0.0), (half, 0.05, 0.0)), origin="known")


def closed_form(domain: str, seed: int) -> Scene:
    """A room of `furnished_room`."""
    room = furnished_room(domain, seed)
    _, depth, intrinsics = render(room, HEIGHT, WIDTH)
    return depth, intrinsics, lambda rig: echo(room, rig, seed=seed)


def simulated(domain: str, seed: int) -> Scene:
    """A room of `sample`; its true depth, as in the other rooms."""
    found = sample(domain, seed, size=(HEIGHT, WIDTH), samples=0)

    def heard_with(rig: Rig) -> np.ndarray:
        recording = replace(found["rig"], geometry=rig, plate=None)
        return sample(domain, seed, size=(HEIGHT, WIDTH), samples=round(0.3 * SAMPLE_RATE), rig=recording)["audio"]

    return found["depth"], found["K"], heard_with


SCENES: dict[str, Callable[[str, int], Scene]] = {"closed_form": closed_form, "simulator": simulated}


def rows_of(task: tuple[str, int], scenes: str = "closed_form") -> list[dict[str, object]]:
    """Every condition of one room."""
    domain, seed = task
    depth, intrinsics, heard_with = SCENES[scenes](domain, seed)
    rng = np.random.default_rng([seed, 99])
    unmeasured = some_rig(rng)
    waveforms = {True: heard_with(Rig()), False: heard_with(unmeasured)}
    rows = []
    for condition, (deviation, power, known) in CONDITIONS.items():
        relative = distorted(depth.astype(np.float64), deviation, np.random.default_rng(seed)) ** power
        relative *= np.exp(np.random.default_rng([seed, 1]).normal())  # unknown units
        waveform = waveforms[known]
        camera = intrinsics if known else intrinsics_from_fov(WIDTH, HEIGHT, ASSUMED_FOV)
        truth = np.log(np.median(depth[depth > 0]) / np.median(relative[depth > 0]))
        row: dict[str, object] = {"domain": domain, "seed": seed, "condition": condition}
        try:
            found = posterior_from_echo(relative, relative > 0, camera, listen(waveform, SAMPLE_RATE))
            row["error"] = round(float(np.log(found.posterior.scale) - truth), 4)
            row["confidence"] = round(found.posterior.confidence, 3)
            row["second"] = round(found.second[1], 3)
            row["refused"] = int(found.ambiguous)
        except AvsnetError:
            row |= {"error": "", "confidence": 0.0, "second": "", "refused": 1}
        row["prior"] = round(float(np.log(2.5 / np.median(relative[depth > 0])) - truth), 4)
        rows.append(row)
    return rows


def summarise(rows: list[dict[str, object]]) -> None:
    """Print medians of |error| over all rooms, and over those that the rule answers."""
    print(
        f"{'condition':52s} {'rooms':>5s} {'median':>7s} {'< 0.2':>6s} {'refused':>8s} {'answered':>9s} {'prior':>6s}"
    )
    for condition in CONDITIONS:
        for domain in ("offices", "historic", "both"):
            chosen = [r for r in rows if r["condition"] == condition and domain in (r["domain"], "both")]
            errors = np.array([abs(float(r["error"])) if r["error"] != "" else np.inf for r in chosen])
            refused = np.array([bool(int(r["refused"])) for r in chosen])
            prior = np.median([abs(float(r["prior"])) for r in chosen])
            answered = np.median(errors[~refused]) if (~refused).any() else np.nan
            print(
                f"{condition + ', ' + domain:52s} {len(chosen):5d} {np.median(errors):7.3f} "
                f"{np.mean(errors < 0.2):6.2f} {refused.mean():8.2f} {answered:9.3f} {prior:6.2f}"
            )


def main() -> None:
    """Make the rooms, write one CSV row per room and condition, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=120, help="per domain")
    parser.add_argument("--first-seed", type=int, default=20_000)
    parser.add_argument("--scenes", choices=list(SCENES), default="closed_form")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="CSV")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.rooms)
    tasks = [(domain, seed) for domain in ("offices", "historic") for seed in seeds]
    with ProcessPoolExecutor(options.workers) as pool:
        rows = [
            row
            for some in tqdm(pool.map(partial(rows_of, scenes=options.scenes), tasks, chunksize=4), total=len(tasks))
            for row in some
        ]
    if options.out:
        with atomic_path(options.out) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    print(f"numpy {np.__version__}, Python {platform.python_version()}, seeds {seeds.start} to {seeds.stop - 1}")
    summarise(rows)


if __name__ == "__main__":
    main()
