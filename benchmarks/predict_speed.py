"""`avsnet predict` against an older revision, in one run: a folder, a cold start, a long recording, 12 megapixels.

    python benchmarks/predict_speed.py --out results/predict_speed.csv

The older revision (0ad0f97) is checked out into a temporary folder by `git worktree` and runs in processes of its own,
as this one does. Both read the same files and write PNG and NPZ; by default this one's ear corrects the network's
metres, which the older one gave as they are. Neither draws the panel, which the older one always draws: there the
function that does is replaced by nothing. Waiting threads sleep on both sides (OMP_WAIT_POLICY), or a
busy machine would charge the older one, which uses several, for waiting. CPU seconds are user and system time, which
hardly depend on what else the machine does; seconds by the clock do, and only their ratio means much.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
REVISION = "0ad0f97"
RATE = 44_100
FIELDS = ("what", "measure", "before", "after", "ratio", "target")

COLD = """
import sys
from avsnet import cli
sys.exit(cli.main(sys.argv[1:]))
"""
"""One command in a fresh process."""

WARM = """
import functools, json, sys, time
from avsnet import cli
predict = sys.modules["avsnet.predict"]
predict.load_model = functools.lru_cache(predict.load_model)
commands, turns = json.loads(sys.argv[1]), int(sys.argv[2])
assert cli.main(commands[0]) == 0  # the first pays for imports, weights and buffers
for command in commands[1:]:
    for _ in range(turns):
        wall, cpu = time.perf_counter(), time.process_time()
        assert cli.main(command) == 0
        print("took", time.perf_counter() - wall, time.process_time() - cpu, file=sys.stderr)
"""
"""Commands in one process, in which the network stays loaded: a first one that is not counted, and the others."""

NO_PANEL = """
import avsnet.predict_files as files
files.panel = files.save_figure = lambda *args, **options: None
"""
"""Where the older revision draws."""


class Side:
    """One of the two revisions.

    Args:
        source: its `src`.
        panel: what stops it from drawing: a flag, or code that runs first.
    """

    def __init__(self, source: Path, *, flag: str = "", first: str = "") -> None:
        self.source, self.flags, self.first = source, [flag] if flag else [], first

    def run(self, program: str, *words: str) -> tuple[subprocess.CompletedProcess[str], float]:
        """A process on this revision, and its CPU seconds."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.source),
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        before = os.times()
        words = (sys.executable, "-c", self.first + program, *words)
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        after = os.times()
        if done.returncode:
            raise SystemExit(f"{' '.join(words[3:])}\n{done.stderr}")
        spent = (after.children_user - before.children_user) + (after.children_system - before.children_system)
        return done, spent

    def cold(self, *words: str) -> float:
        """CPU seconds of one `avsnet predict`."""
        return self.run(COLD, "predict", *words, *self.flags)[1]

    def warm(self, first: list[str], *commands: list[str], turns: int) -> list[tuple[float, float]]:
        """Seconds by the clock and CPU seconds of each command, the least of the turns, after a first one."""
        whole = [["predict", *words, *self.flags] for words in (first, *commands)]
        done, _ = self.run(WARM, json.dumps(whole), str(turns))
        took = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("took ")]
        pairs = [(float(wall), float(cpu)) for wall, cpu in took]
        parts = [pairs[at : at + turns] for at in range(0, len(pairs), turns)]
        return [(min(wall for wall, _ in part), min(cpu for _, cpu in part)) for part in parts]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100, help="in the folder")
    parser.add_argument("--turns", type=int, default=2, help="of everything but the folder; the least counts")
    parser.add_argument("--revision", default=REVISION, help="to compare with")
    parser.add_argument("--out", help="table to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = folder / "old"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(old), options.revision], check=True, capture_output=True)
        try:
            sides = [Side(old / "src", first=NO_PANEL), Side(ROOT / "src", flag="--no-panel")]
            rows = measured(folder, sides, options.pictures, options.turns)
        finally:
            subprocess.run([*git, "remove", "--force", str(old)], check=True)
    for row in rows:
        print("{what:<42} {measure:<18} {before:>8} {after:>8} {ratio:>6}  {target}".format(**row))
    if options.out:
        with Path(options.out).open("w", newline="") as file:
            table = csv.DictWriter(file, FIELDS, lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


def measured(folder: Path, sides: list[Side], pictures: int, turns: int) -> list[dict[str, Any]]:
    """The rows of the table: what each side needs for each task, the older first."""
    files = Inputs(folder / "inputs", pictures)
    out = [folder / f"out{number}" for number in range(2)]
    rows: list[dict[str, Any]] = []

    def row(what: str, measure: str, before: float, after: float, target: str, ratio: float | None = None) -> None:
        ratio = after / before if ratio is None else ratio
        numbers = [f"{number:.3g}" for number in (before, after, ratio)]
        rows.append(dict(zip(FIELDS, (what, measure, *numbers, target), strict=True)))
        print(*rows[-1].values(), sep="  ", file=sys.stderr, flush=True)

    one = [str(files.picture), "--echo", str(files.short)]
    both = list(zip(sides, out, strict=True))
    cold = [min(side.cold(*one, "--out", str(place)) for _ in range(turns)) for side, place in both]
    row("one picture with echo, cold", "CPU seconds", *cold, "ratio <= 0.7")
    tasks = {
        "short": one,
        "long": [str(files.picture), "--echo", str(files.long)],
        "large": [str(files.large), "--echo", str(files.short)],
    }
    found = []
    for side, place in both:
        commands = [[*words, "--out", str(place)] for words in tasks.values()]
        found.append(dict(zip(tasks, side.warm(commands[0], *commands, turns=turns), strict=True)))
    for place, measure in enumerate(("seconds", "CPU seconds")):
        before, after = ({task: times[place] for task, times in side.items()} for side in found)
        row("one picture with echo, warm", measure, before["short"], after["short"], "")
        row("12 megapixels with echo, warm", measure, before["large"], after["large"], "after < 1")
    cost = [side["long"][1] / side["short"][1] for side in found]
    row("60 s recording over 1 s, warm", "ratio of CPU", *cost, "after <= 1.2")
    cost = [side.cold(*tasks["long"], "--out", str(place)) / own for (side, place), own in zip(both, cold, strict=True)]
    row("60 s recording over 1 s, cold", "ratio of CPU", *cost, "after <= 1.2")
    whole = [str(files.folder), "--echo", str(files.folder)]
    rates = []
    for side, place in both:
        ((wall, cpu),) = side.warm([*one, "--out", str(place)], [*whole, "--out", str(place)], turns=1)
        rates.append((pictures / wall, pictures / cpu))
    what = f"folder of {pictures} pictures with echoes"
    row(what, "pictures a second", rates[0][0], rates[1][0], "ratio >= 5")
    row(what, "per CPU second", rates[0][1], rates[1][1], "")
    side, place = both[1]
    commands = ([*one, "--out", str(place)], [*whole, "--out", str(place), "--scale-from", "none"])
    ((wall, cpu),) = side.warm(*commands, turns=1)
    what = "the same, the network's own metres as before"
    row(what, "pictures a second", rates[0][0], pictures / wall, "ratio >= 5")
    row(what, "per CPU second", rates[0][1], pictures / cpu, "")
    return rows


class Inputs:
    """Pictures of 640 x 480 and their echoes, a picture of 12 megapixels, recordings of 1 and 60 seconds.

    Args:
        folder: to write them to.
        pictures: how many.
    """

    def __init__(self, folder: Path, pictures: int) -> None:
        sys.path.insert(0, str(ROOT / "src"))
        from avsnet import rooms

        self.folder = folder / "many"
        self.folder.mkdir(parents=True)
        self.picture, self.large = self.folder / "room_000.jpg", folder / "large.jpg"
        self.short, self.long = folder / "short.wav", folder / "long.wav"
        made = [rooms.sample("offices", seed) for seed in range(20_000, 20_004)]
        for number in range(pictures):
            room, stem = made[number % len(made)], f"room_{number:03d}"
            Image.fromarray(room["rgb"]).resize((640, 480)).save(self.folder / f"{stem}.jpg", quality=92)
            soundfile.write(self.folder / f"{stem}.wav", room["audio"].T, RATE, subtype="PCM_16")
        Image.fromarray(made[0]["rgb"]).resize((4000, 3000), Image.Resampling.BICUBIC).save(self.large, quality=92)
        for path, seconds in ((self.short, 1), (self.long, 60)):
            sound = np.random.default_rng(0).normal(scale=1e-4, size=(seconds * RATE, 2))
            first = RATE // 4
            sound[first : first + made[0]["audio"].shape[1]] += made[0]["audio"].T
            soundfile.write(path, sound, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
