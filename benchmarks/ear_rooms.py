"""The ear in simulated rooms that it was not trained on: how far is the scale off, for true and for bent maps?

    python benchmarks/ear_rooms.py --out results/ear_rooms.csv

Rooms of `rooms-1` from seed 90000 on, two places each, with the rigs, cameras and recordings that `avsnet simulate`
makes. Ways: the best constant median depth (looks at the truth), the map alone, the ear, with the rig assumed, with one
microphone, in noise 10 dB under the echo, with another room's echo; and ranging.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import Echo, listen
from avsnet.audio.rig import Rig
from avsnet.errors import AvsnetError
from avsnet.rooms.simulator import sample
from avsnet.scale.ear import EarScale, posterior_from_ear
from avsnet.scale.ear_network import EarNetwork
from avsnet.scale.ranging import posterior_from_echo
from avsnet.train.ear_distortion import DepthMap, distorted

FIRST = 90_000
SIZE = (72, 128)
PLACES = (0, 100)
SAMPLES = 7_000


@dataclass(frozen=True, eq=False)
class Place:
    """What is true, and what was recorded."""

    name: str
    depth: np.ndarray
    camera: np.ndarray
    waveform: np.ndarray
    rig: Rig


def places(domain: str, rooms: int) -> Iterator[Place]:
    """Two places of each room."""
    for seed in range(FIRST, FIRST + rooms):
        for frame in PLACES:
            made = sample(domain, seed, frame, size=SIZE, samples=SAMPLES)
            yield Place(f"{seed}/{frame}", made["depth"], made["K"], made["audio"], made["rig"].geometry)


def hearings(place: Place, other: Place, seed: int) -> Iterator[tuple[str, Echo]]:
    """The place's recording in several ways, and another place's."""
    rng = np.random.default_rng([seed, 1])
    noise = 10**-0.5 * place.waveform[:, 2000:].std() * rng.standard_normal(place.waveform.shape)
    yield "ear", listen(place.waveform, SAMPLE_RATE, place.rig)
    yield "ear, rig assumed", listen(place.waveform, SAMPLE_RATE)
    yield "ear, one microphone", listen(place.waveform[:1], SAMPLE_RATE, place.rig)
    yield "ear, noise", listen(place.waveform + noise, SAMPLE_RATE, place.rig)
    yield "ear, another room's echo", listen(other.waveform, SAMPLE_RATE, other.rig)


def rows_of(domain: str, made: list[Place], network: EarNetwork | None, ranged: bool) -> Iterator[dict[str, object]]:
    """Errors in log scale of each way, for the true shape and a bent one."""
    for number, place in enumerate(tqdm(made, domain, disable=None)):
        other = made[(number + len(made) // 2) % len(made)]
        truth = DepthMap(place.depth, place.depth, place.camera)
        for shape, found in (("true", truth), ("bent", distorted(truth, np.random.default_rng([number, 2])))):
            keys = {"domain": domain, "place": place.name, "shape": shape}
            known, wanted = found.depth > 0.0, np.log(found.scales())
            own = listen(place.waveform, SAMPLE_RATE, place.rig)
            try:
                for way, echo in hearings(place, other, number):
                    heard = posterior_from_ear(found.depth, known, found.intrinsics, echo, network=network)
                    yield keys | {"way": way} | answer(heard, wanted)
                    if way == "ear":
                        alone = float(np.log(heard.prior.interval(0.0)[0]) - wanted[1])
                        yield keys | {"way": "the map alone", "error": round(abs(alone), 4)}
                if ranged:
                    scale = posterior_from_echo(found.depth, known, found.intrinsics, own).posterior.scale
                    yield keys | {"way": "ranging", "error": round(abs(float(np.log(scale) - wanted[0])), 4)}
            except AvsnetError as error:
                print(f"{domain} {place.name}, {shape}: {error}")


def answer(heard: EarScale, wanted: np.ndarray) -> dict[str, object]:
    """How far off, whether within the interval, how wide that is to the prior's, and whether it belongs."""
    low, high = np.log(heard.posterior.interval(0.9))
    prior = np.ptp(np.log(heard.prior.interval(0.9)))
    return {
        "error": round(float(abs(np.log(heard.scale) - wanted[1])), 4),
        "inside": int(low <= wanted[1] <= high),
        "width": round(float((high - low) / prior), 4),
        "belongs": round(heard.belongs, 4),
    }


def main() -> None:
    """Write the rows, print medians and means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/ear_rooms.csv"))
    parser.add_argument("--rooms", type=int, default=120, help="of each domain")
    parser.add_argument("--ranging", action="store_true", help="rows by ranging, too, which takes a second each")
    parser.add_argument("--ear", type=Path, help="folder of the ear's weights; the packaged ones unless given")
    options = parser.parse_args()
    network = None if options.ear is None else EarNetwork.load(options.ear)
    rows = []
    for domain in ("offices", "historic"):
        made = list(places(domain, options.rooms))
        rows += rows_of(domain, made, network, options.ranging)
        medians = np.log([np.median(place.depth) for place in made])
        constant = np.abs(medians - np.median(medians))
        for shape in ("true", "bent"):
            print(f"\n{domain}, {shape} shape, {len(made)} places")
            print("| way | median | mean | below 0.2 | in 90 % intervals | width to prior's | AUROC |")
            print("|---|---|---|---|---|---|---|")
            print(f"| a constant | {np.median(constant):.3f} | {constant.mean():.3f} | {(constant < 0.2).mean():.2f} |")
            table(rows, domain, shape)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["domain", "place", "shape", "way", "error", "inside", "width", "belongs"])
        writer.writeheader()
        writer.writerows(rows)


def table(rows: list[dict[str, object]], domain: str, shape: str) -> None:
    """One line a way."""
    here = [row for row in rows if (row["domain"], row["shape"]) == (domain, shape)]
    others = np.array([row["belongs"] for row in here if row["way"] == "ear, another room's echo"], dtype=float)
    for way in dict.fromkeys(row["way"] for row in here):
        some = [row for row in here if row["way"] == way]
        error = np.array([row["error"] for row in some], dtype=float)
        line = f"| {way} | {np.median(error):.3f} | {error.mean():.3f} | {(error < 0.2).mean():.2f} |"
        if "inside" in some[0]:
            inside, width, belongs = (np.array([row[name] for row in some]) for name in ("inside", "width", "belongs"))
            area = (belongs[:, None] > others[None]).mean()
            line += f" {inside.mean():.2f} | {np.median(width):.2f} | {area:.3f} |"
        print(line)


if __name__ == "__main__":
    main()
