"""What two ears tell of the left and right of a map: a field of 2 x 1 scales, of true maps and of depth models'.

    python benchmarks/heard_tilt.py ../shared

A map is tilted: log depth rises from left to right by twice t. Nine tilts are heard, and the posterior's mean is
compared with the true one: of true maps a random tilt that was laid on, of a model's (bent by `shrunk_grid` towards the
packaged AVS-Net's) the slope of what is left of its error. Prints the correlation of both with the map's own echo and
with another scene's, and abs_rel at the true median before and after the heard tilt is taken away. Sets as in
finer_scales.py; NYU's validation frames and the rooms decide whether it is worth a rule.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from avsnet.audio.recording import Echo, Heard
from avsnet.errors import AvsnetError
from avsnet.evaluation.instances import Case, Cases
from avsnet.evaluation.kept_maps import MapCache
from avsnet.evaluation.protocol import Truth
from avsnet.evaluation.trials import System
from avsnet.io.recordings import Recording
from avsnet.models import packaged
from avsnet.scale.ear import posterior_from_ear
from avsnet.scale.rules import as_depth, scale_depth
from finer_scales import CHOSEN, cases_of, depth_models

TILTS = np.linspace(-0.4, 0.4, 9)
SPREAD = 0.2  # of the tilt beforehand, as models' maps have it
ECHOES = ("true", "shuffled")


def tilted(depth: np.ndarray, tilt: float) -> np.ndarray:
    """(H, W) depth whose log rises by `tilt` on each side of the middle column."""
    return np.asarray(depth * np.exp(tilt * np.linspace(-1.0, 1.0, depth.shape[1])))


def heard_tilt(depth: np.ndarray, camera: np.ndarray, echo: Echo) -> float:
    """The posterior's mean of the tilt that a map still needs."""
    found = [posterior_from_ear(tilted(depth, tilt), depth > 0.0, camera, echo).belongs for tilt in TILTS]
    probability = np.exp(-0.5 * np.square(TILTS / SPREAD)) / np.maximum(1.0 - np.array(found), 1e-12)
    return float(probability @ TILTS / probability.sum())


def missing_tilt(depth: np.ndarray, truth: Truth) -> float:
    """The slope over the picture of log true over log given depth."""
    both = truth.counted & (depth > 0.0)
    across = np.broadcast_to(np.linspace(-1.0, 1.0, depth.shape[1]), depth.shape)[both]
    return float(np.polyfit(across, np.log(truth.depth[both] / depth[both]), 1)[0])


def error_of(depth: np.ndarray, truth: Truth) -> float:
    """abs_rel at the true median."""
    return truth.errors(truth.oracle(depth, "metric_depth", "oracle_median").depth)[0]["abs_rel"]


class Tilts:
    """Pairs of true and heard tilts, and abs_rel before and after the heard one, of one kind of maps."""

    def __init__(self) -> None:
        self.true: list[float] = []
        self.heard: dict[str, list[float]] = {echo: [] for echo in ECHOES}
        self.errors: list[list[float]] = []

    def add(self, depth: np.ndarray, wanted: float, case: Case, truth: Truth, echoes: dict[str, Echo]) -> None:
        """One map that needs a tilt of `wanted`."""
        assert case.intrinsics is not None
        found = {name: heard_tilt(depth, case.intrinsics, echo) for name, echo in echoes.items()}
        self.true.append(wanted)
        for name, tilt in found.items():
            self.heard[name].append(tilt)
        self.errors.append([error_of(one, truth) for one in (depth, *(tilted(depth, tilt) for tilt in found.values()))])

    def line(self) -> str:
        """What the table says."""
        own, other = (np.corrcoef(self.true, self.heard[echo])[0, 1] for echo in ECHOES)
        before, after, control = np.mean(self.errors, axis=0)
        numbers = f"deviation {np.std(self.true):.3f}  correlation {own:.2f}, {other:.2f} by another echo"
        return f"{len(self.true)}  {numbers}  abs_rel {before:.3f}, {after:.3f} after, {control:.3f} by another echo"


def measure(cases: Cases, folder: Path, systems: list[System]) -> dict[str, Tilts]:
    """The tilts of every kind of maps of a set."""
    maps = {system.label: MapCache(folder, system, cases) for system in (*systems, System(packaged.AV))}
    seen = maps.pop(packaged.AV)
    found = {name: Tilts() for name in ("true map", *maps)}
    for index in range(len(cases)):
        case, rng = cases[index], np.random.default_rng([index, 18])
        truth = Truth(case.depth, case.valid, cases.cap)
        try:
            echoes = {name: _echo(cases, case, index, name) for name in ECHOES}
            laid = rng.uniform(TILTS[0], TILTS[-1])
            found["true map"].add(tilted(np.where(truth.counted, case.depth, 0.0), -laid), laid, case, truth, echoes)
            metres = seen.at_picture_size(case, index)
            for name, one in maps.items():
                values = as_depth(one.at_picture_size(case, index), one.info.output)
                bent = scale_depth(values, metres, kind="metric_depth", method=CHOSEN).depth
                found[name].add(bent, missing_tilt(bent, truth), case, truth, echoes)
        except AvsnetError as error:
            print(f"left out {case.id}: {error}", flush=True)
    return found


def _echo(cases: Cases, case: Case, index: int, name: str) -> Echo:
    sound = cases.heard(case, index, name)
    return Heard(Recording(sound["waveform"].numpy(), sound["sample_rate"]), case.rig).echo()


def main() -> None:
    """Measure the sets and print a line for each kind of maps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of docs/shared_data.md, such as ../shared")
    parser.add_argument("--work", type=Path, default=Path("runs/finer"), help="that of finer_scales.py")
    parser.add_argument("--sets", default="offices,historic,nyu_val,hololens")
    options = parser.parse_args()
    real = options.shared / "real"
    systems = depth_models(real, options.work)
    for name in options.sets.split(","):
        cases = cases_of(name, real, options.work)
        for kind, tilts in measure(cases, options.work / name / "predictions", systems).items():
            print(f"{name}  {kind}  {tilts.line()}", flush=True)


if __name__ == "__main__":
    main()
