"""The ear in simulated rooms that it was not trained on: how far is the scale off, for true and for bent maps?

    python benchmarks/ear_rooms.py --out results/ear_rooms.csv

Rooms of `rooms-1` from seed 90000 on (`--first` 80000: those that weights are chosen by), two places each, with the
rigs, cameras and recordings that `avsnet simulate` makes. Ways: the best constant median depth (looks at the truth),
the map alone, the ear, with the rig assumed, with one microphone, in noise 10 dB under the echo, with a voice 10 dB
under the recording, as an MP3 of 80 kbit/s, with the echo of another room recorded by the same rig; with rigs that it
was never trained on; and ranging.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
import torch
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import chirp
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.recording import Echo, listen
from avsnet.audio.rig import Rig
from avsnet.errors import AvsnetError
from avsnet.rooms.geometry.walk import FRAMES
from avsnet.rooms.simulator import listen_at, location, sample
from avsnet.rooms.sound.rig import RecordingRig
from avsnet.scale.ear import EarScale, posterior_from_ear
from avsnet.scale.ear_network import EarNetwork
from avsnet.scale.ranging import posterior_from_echo
from avsnet.train.ear_distortion import DepthMap, distorted
from avsnet.train.recording_noise import lossy, speech

SIZE = (72, 128)
PLACES = (0, 100)
SAMPLES = 7_000
ANOTHER = "another room's echo, same rig"
SWEEPS = {
    "2 to 8 kHz": sweep(low=2_000.0, high=8_000.0),
    "17 to 20 kHz": sweep(low=17_000.0, high=20_000.0),
    "10 ms exponential sweep": chirp(
        np.arange(441) / SAMPLE_RATE, f0=20.0, t1=0.01, f1=20_000.0, method="logarithmic", phi=0
    ),
}
Sound = tuple[str, np.ndarray, int, Rig | None]
"""Its name, (C, N) waveform, hertz, and the rig that is told."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where it is, what is true there, and what was recorded."""

    domain: str
    seed: int
    frame: int
    depth: np.ndarray
    camera: np.ndarray
    waveform: np.ndarray
    rig: RecordingRig

    def recorded(self, rig: RecordingRig) -> np.ndarray:
        """(2, N) what another rig records here."""
        room = location(self.domain, self.seed, "rooms-1")
        view = room.walk(self.frame // FRAMES).view(self.frame % FRAMES).scaled(room.k)
        return listen_at(room, view, room.k, rig, self.frame, SAMPLES)


def places(domain: str, first: int, rooms: int) -> Iterator[Place]:
    """Two places of each room."""
    for seed in range(first, first + rooms):
        for frame in PLACES:
            made = sample(domain, seed, frame, size=SIZE, samples=SAMPLES)
            yield Place(domain, seed, frame, made["depth"], made["K"], made["audio"], made["rig"])


def hearings(place: Place, other: Place, seed: int) -> Iterator[Sound]:
    """The place's recording in several ways, and another place's."""
    rng, rig = np.random.default_rng([seed, 1]), place.rig.geometry
    noise = 10**-0.5 * place.waveform[:, 2000:].std() * rng.standard_normal(place.waveform.shape)
    yield "ear", place.waveform, SAMPLE_RATE, rig
    yield "rig assumed", place.waveform, SAMPLE_RATE, None
    yield "one microphone", place.waveform[:1], SAMPLE_RATE, rig
    yield "noise", place.waveform + noise, SAMPLE_RATE, rig
    seconds = torch.arange(place.waveform.shape[1]) / SAMPLE_RATE
    voice = speech(seconds, torch.Generator().manual_seed(seed)).double().numpy()
    yield "speech", place.waveform + 10**-0.5 * place.waveform.std() * voice, SAMPLE_RATE, rig
    coded = lossy(torch.from_numpy(place.waveform).float(), SAMPLE_RATE, 0.9, mp3=True)
    yield "lossy coding", coded.double().numpy(), SAMPLE_RATE, rig
    yield ANOTHER, other.recorded(place.rig), SAMPLE_RATE, rig


def untrained(place: Place) -> Iterator[Sound]:
    """Recordings by rigs that the ear was never trained on."""
    wide = np.array(place.rig.geometry.ears)
    wide[:, 0] = wide[:, 0].mean() + np.array([-0.15, 0.15])
    ears = tuple(tuple(ear) for ear in wide.tolist())
    rig = replace(place.rig, geometry=replace(place.rig.geometry, ears=ears))  # type: ignore[arg-type]
    yield "ears 30 cm apart", place.recorded(rig), SAMPLE_RATE, rig.geometry
    slow = soxr.resample(place.waveform[0], SAMPLE_RATE, 16_000)[None]
    yield "one microphone at 16 kHz", slow, 16_000, place.rig.geometry
    for name, played in SWEEPS.items():
        # The recording begins in time also for a sweep of 10 ms.
        rig = replace(place.rig, start=0.03, geometry=replace(place.rig.geometry, template=played))
        yield name, place.recorded(rig), SAMPLE_RATE, rig.geometry
    loudness = maximum_filter1d(np.abs(place.waveform).max(axis=0), 900)
    gain = (uniform_filter1d(loudness, 900) + 0.1 * loudness.max()) ** -0.7
    yield "automatic gain", 0.5 * place.waveform * (gain / gain.max()), SAMPLE_RATE, place.rig.geometry


def attempted(sounds: Iterator[Sound], place: Place) -> Iterator[tuple[str, Echo]]:
    """Those that can be heard; why others cannot is printed."""
    for way, waveform, rate, rig in sounds:
        try:
            yield way, listen(waveform, rate, rig)
        except AvsnetError as error:
            print(f"{place.domain} {place.seed}/{place.frame}, {way}: {error}")


def rows_of(made: list[Place], network: EarNetwork | None, ranged: bool) -> Iterator[dict[str, object]]:
    """Errors in log scale of each way, for the true shape and a bent one."""
    for number, place in enumerate(tqdm(made, made[0].domain, disable=None)):
        other = made[(number + len(made) // 2) % len(made)]
        truth = DepthMap(place.depth, place.depth, place.camera)
        heard = list(attempted(hearings(place, other, number), place))
        strange = list(attempted(untrained(place), place))
        for shape, found in (("true", truth), ("bent", distorted(truth, np.random.default_rng([number, 2])))):
            keys = {"domain": place.domain, "place": f"{place.seed}/{place.frame}", "shape": shape}
            known, wanted = found.depth > 0.0, np.log(found.scales())
            for way, echo in heard + (strange if shape == "true" else []):
                try:
                    scale = posterior_from_ear(found.depth, known, found.intrinsics, echo, network=network)
                except AvsnetError as error:
                    print(f"{keys}, {way}: {error}")
                    continue
                yield keys | {"way": way} | answer(scale, wanted)
                if way == "ear":
                    alone = float(np.log(scale.prior.interval(0.0)[0]) - wanted[1])
                    yield keys | {"way": "the map alone", "error": round(abs(alone), 4)}
            if ranged:
                try:
                    by_ranging = posterior_from_echo(found.depth, known, found.intrinsics, heard[0][1]).posterior.scale
                except AvsnetError:
                    continue
                yield keys | {"way": "ranging", "error": round(abs(float(np.log(by_ranging) - wanted[0])), 4)}


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
    parser.add_argument("--first", type=int, default=90_000, help="seed of the first room")
    parser.add_argument("--rooms", type=int, default=120, help="of each domain")
    parser.add_argument("--domains", default="offices,historic")
    parser.add_argument("--ranging", action="store_true", help="rows by ranging, too, which takes a second each")
    parser.add_argument("--ear", type=Path, help="folder of the ear's weights; the packaged ones unless given")
    options = parser.parse_args()
    network = None if options.ear is None else EarNetwork.load(options.ear)
    rows = []
    for domain in options.domains.split(","):
        made = list(places(domain, options.first, options.rooms))
        rows += rows_of(made, network, options.ranging)
        medians = np.log([np.median(place.depth) for place in made])
        constant = np.abs(medians - np.median(medians))
        for shape in ("true", "bent"):
            print(f"\n{domain}, {shape} shape, {len(made)} places")
            print("| way | median | mean | below 0.2 | gain kept | in 90 % intervals | width to prior's | AUROC |")
            print("|---|---|---|---|---|---|---|---|")
            print(f"| a constant | {np.median(constant):.3f} | {constant.mean():.3f} | {(constant < 0.2).mean():.2f} |")
            table(rows, domain, shape)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["domain", "place", "shape", "way", "error", "inside", "width", "belongs"])
        writer.writeheader()
        writer.writerows(rows)


def table(rows: list[dict[str, object]], domain: str, shape: str) -> None:
    """One line a way; the gain that is kept is the mean error's fall from the map alone, to the ear's own."""
    here = [row for row in rows if (row["domain"], row["shape"]) == (domain, shape)]
    others = np.array([row["belongs"] for row in here if row["way"] == ANOTHER], dtype=float)
    means = {way: np.mean([row["error"] for row in here if row["way"] == way]) for way in ("ear", "the map alone")}
    for way in dict.fromkeys(row["way"] for row in here):
        some = [row for row in here if row["way"] == way]
        error = np.array([row["error"] for row in some], dtype=float)
        kept = (means["the map alone"] - error.mean()) / (means["the map alone"] - means["ear"])
        line = f"| {way} | {np.median(error):.3f} | {error.mean():.3f} | {(error < 0.2).mean():.2f} | {kept:.2f} |"
        if "inside" in some[0]:
            inside, width, belongs = (np.array([row[name] for row in some]) for name in ("inside", "width", "belongs"))
            area = (belongs[:, None] > others).mean() + 0.5 * (belongs[:, None] == others).mean()
            line += f" {inside.mean():.2f} | {np.median(width):.2f} | {area:.3f} |"
        print(line)


if __name__ == "__main__":
    main()
