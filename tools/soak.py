"""Predict thousands of pictures in one process, and see whether memory and open files stay as they are.

python tools/soak.py --frames 10000
"""

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np

LARGEST_GROWTH = 0.02  # of the memory after the first tenth, in which caches fill


def resident() -> float:
    """MiB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def open_files() -> int:
    """How many files, pipes and sockets are open."""
    return len(os.listdir("/proc/self/fd"))


def main() -> int:
    """Print memory and open files as they go, and whether they grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    given = parser.parse_args()
    from avsnet.audio.chirp import SAMPLE_RATE, sweep
    from avsnet.models import create_model
    from avsnet.predict import predict

    model = create_model("avsnet_tiny_av", weights="default")
    random = np.random.default_rng(0)
    sound = np.zeros((2, 8000), np.float32)
    sound[:, 500 : 500 + len(sweep())] = 0.5 * sweep()
    start, told, kept = time.monotonic(), max(1, given.frames // 10), []
    for frame in range(given.frames):
        picture = random.integers(0, 256, (96, 128, 3), np.uint8)
        echo = sound + 1e-3 * random.standard_normal(sound.shape).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predict(picture, echo, sample_rate=SAMPLE_RATE, depth_model=model)
        if (frame + 1) % told == 0:
            kept.append((resident(), open_files()))
            print(f"{frame + 1} frames: {kept[-1][0]:.1f} MiB, {kept[-1][1]} open files", flush=True)
    growth = kept[-1][0] / kept[0][0] - 1.0
    took, opened = time.monotonic() - start, kept[-1][1] - kept[0][1]
    print(f"{given.frames} frames in {took:.0f} s: memory {growth:+.2%}, open files {opened:+d}")
    return 0 if growth <= LARGEST_GROWTH and opened <= 0 else 1


if __name__ == "__main__":
    sys.exit(main())
