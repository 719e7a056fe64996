"""Kill verbs at random moments, go on with them, and compare what they wrote with an unbroken run.

    python tools/kill.py --moments 50 simulate train evaluate predict

Every file that bears a final name right after the kill must be one of the unbroken run, byte for byte; after the same
command has been given again, all of them must be there. What tells of the time and the machine is left out.
"""

import argparse
import csv
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from avsnet.models.packaged import V

LEFT_OUT = ("tensorboard", "environment.txt", "MODEL_CARD.md", "last.ckpt", "config.yaml", "validation.csv")
TIMED = ("samples_per_second", "data_wait")  # columns of metrics.csv
GROWING = ("metrics.csv",)  # logs, whose beginning may be there


def commands(folder: Path) -> dict[str, list[str]]:
    """The command of each verb, with OUT for its folder."""
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (96, 128, 3), np.uint8)
        Image.fromarray(noise).save(folder / "pictures" / f"{number}.png")
    run = "model: {name: batvision_unet_128, options: {ngf: 4}}\nsteps: 6\nsave_every: 1\nlog_every: 1\npictures: 0\n"
    data = "data: {train: 'rooms:offices:0-1', batch_size: 2, size: [128, 128], workers: 0, cache: CACHE}"
    run += f"accelerator: cpu\n{data}\n"
    (folder / "run.yaml").write_text(run.replace("CACHE", str(folder / "cache")))
    return {
        "simulate": ["simulate", "offices", "--locations", "2", "--poses", "3", "--size", "32x32", "--out", "OUT"],
        "train": ["train", str(folder / "run.yaml"), "--resume", "--out", "OUT"],
        "evaluate": ["evaluate", "--data", "rooms:offices:900000-900003", "--systems", V, "--out", "OUT"],
        "predict": ["predict", str(folder / "pictures"), "--depth-model", V, "--out", "OUT"],
    }


def started(words: list[str], out: Path) -> subprocess.Popen:
    """The verb, in a process group of its own."""
    words = [str(out) if word == "OUT" else word for word in words]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-m", "avsnet", *words], stdout=quiet, stderr=quiet, start_new_session=True
    )


def contents(out: Path) -> dict[str, str]:
    """Name -> what a file holds, without what tells of the time."""
    found = {}
    for path in sorted(out.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(out).parts)
        if (
            path.is_file()
            and not hidden
            and not set(path.relative_to(out).parts) & set(LEFT_OUT)
            and path.suffix != ".part"
        ):
            found[str(path.relative_to(out))] = _content(path)
    return found


def _content(path: Path) -> str:
    if path.name != "metrics.csv":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with path.open(newline="") as file:
        return "\n".join(
            ",".join(value or "" for name, value in row.items() if name not in TIMED) for row in csv.DictReader(file)
        )


def faults(words: list[str], whole: dict[str, str], seconds: float, out: Path, random_: random.Random) -> list[str]:
    """Kill the verb once, look at what is there, and go on with it."""
    process = started(words, out)
    time.sleep(random_.uniform(0.05, 1.0) * seconds)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = contents(out)
    wrong = [f"half or other: {name}" for name, text in left.items() if text != whole.get(name) and _must_equal(name)]
    if started(words, out).wait() != 0:
        wrong.append("does not go on")
    again = contents(out)
    wrong += [f"differs: {name}" for name in whole.keys() | again.keys() if whole.get(name) != again.get(name)]
    return wrong


def _must_equal(name: str) -> bool:
    """Whether a file is final once it is there; the weights of validation's best and a simulation's record are not."""
    return not name.endswith((*GROWING, "simulator.json")) and not name.startswith("model")


def main() -> int:
    """Print a line for each verb, and its faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verbs", nargs="*")
    parser.add_argument("--moments", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        for verb, words in commands(folder).items():
            if given.verbs and verb not in given.verbs:
                continue
            random_ = random.Random(f"{given.seed} {verb}")
            start = time.monotonic()
            if started(words, folder / verb).wait() != 0:
                print(f"{verb}: fails unbroken")
                return 1
            seconds, whole = time.monotonic() - start, contents(folder / verb)
            wrong = []
            for moment in range(given.moments):
                wrong += faults(words, whole, seconds, folder / f"{verb}{moment}", random_)
            bad += bool(wrong)
            print(
                f"{verb}: {given.moments} kills, {len(whole)} files, {len(wrong)} faults",
                *wrong,
                sep="\n  ",
                flush=True,
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
