"""How fast is every registered model, and how much memory does it take, beside what its original takes?

    python benchmarks/models_speed.py
    python benchmarks/models_speed.py --models monodepth2 lite_mono --passes 9 --wall

One picture at the model's published size, fresh weights, float32, a process for each model; the least of several passes
after one to warm up. Processor seconds with one thread are what other jobs disturb least; with `--wall` also wall
seconds with two threads, which mean something on an idle machine only. Beside them, where they were measured, those of
the original code on two cores of an AMD EPYC (AVX-512): processor seconds while other jobs ran, wall seconds idle. The
last line tells how fast this processor multiplied matrices meanwhile, for even processor seconds grow with the load.
Memory is what the passes take at their peak over the process before the model was built, weights included (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from avsnet.models import create_model, list_models, model_info

ORIGINALS = {
    "monodepth2": (0.148, 0.078),
    "monovit": (0.576, 0.281),
    "lite_mono": (0.190, 0.090),
    "lite_mono_small": (0.169, 0.084),
    "lite_mono_tiny": (0.085, 0.042),
    "lite_mono_8m": (0.302, 0.149),
    "newcrfs_tiny07": (1.8, 1.02),
    "newcrfs_large07": (6.5, 3.12),
    "jun2022_base": (0.55, 0.44),
    "jun2022_mdr": (0.79, 0.70),
    "zoedepth_n": (None, 4.74),
    "midas_small": (None, 0.060),
}
"""Name -> processor seconds with one thread on a busy machine, wall seconds with two on an idle one; at our sizes."""

PRODUCT = 1024  # rows of the matrices that are multiplied


def batch_of(name: str) -> dict[str, Any]:
    """A picture of the model's size and something to hear."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, *(model_info(name).size or (384, 512)), generator=generator)
    return {"image": image, "waveform": torch.randn(1, 2, 20_000, generator=generator), "sample_rate": 44_100}


def least(run: Callable[[], object], clock: Callable[[], float], passes: int) -> float:
    """Seconds of the fastest pass, after one to warm up."""
    run()
    found = []
    for _ in range(passes):
        start = clock()
        run()
        found.append(clock() - start)
    return min(found)


def memory(entry: str) -> float:
    """`VmRSS` (held now) or `VmHWM` (at the peak) of this process, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry)) / 1024


def measure(name: str, passes: int, wall: bool) -> dict[str, float]:
    """The figures of one model, in this process."""
    batch = batch_of(name)
    before = memory("VmRSS")
    model = create_model(name)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    with torch.inference_mode():
        torch.set_num_threads(1)
        processor = least(lambda: model(batch), time.process_time, passes)
        peak = memory("VmHWM") - before
        one, other = torch.rand(2, PRODUCT, PRODUCT)
        product = least(lambda: one @ other, time.process_time, 5)
        found = {"processor": processor, "peak": peak, "gflops": 2e-9 * PRODUCT**3 / product}
        if wall:
            torch.set_num_threads(2)
            found["wall"] = least(lambda: model(batch), time.perf_counter, passes)
    return found


def row(name: str, figures: dict[str, float]) -> str:
    """One line of the table."""
    info = model_info(name)
    cells = [f"{name:<24}", " x ".join(map(str, info.size or ("-", "-"))).rjust(11)]
    for clock, original in zip(("processor", "wall"), ORIGINALS.get(name, (None, None)), strict=True):
        if clock in figures:
            compared = f"{original:8.3f} {figures[clock] / original:6.2f}" if original else " " * 15
            cells.append(f"{figures[clock]:8.3f}  {compared}")
    return "  ".join([*cells, f"{figures['peak']:7.0f}"])


def main() -> int:
    """Measure every model in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", help="names; all that are registered, if not given")
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--wall", action="store_true", help="also wall seconds with two threads")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.passes, options.wall)))
        return 0
    clocks = ["processor s, 1 thread", "wall s, 2 threads"][: 2 if options.wall else 1]
    print("  ".join([" " * 37, *(f"{clock:^25}" for clock in clocks), " memory"]))
    print("  ".join([f"{'model':24}", f"{'size':>11}", *["    ours  original  ratio"] * len(clocks), "     MB"]))
    speeds, failed = [], 0
    for name in options.models or list_models():
        command = [sys.executable, __file__, "--one", name, "--passes", str(options.passes)]
        command += ["--wall"] * options.wall
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
        if done.returncode:
            failed += 1
            print(f"{name:24}  failed: {(done.stderr.splitlines() or ['no message'])[-1]}")
            continue
        figures = json.loads(done.stdout)
        speeds.append(figures["gflops"])
        print(row(name, figures), flush=True)
    if speeds:
        print(f"Matrices of {PRODUCT} rows, one thread: {statistics.median(speeds):.0f} GFLOP/s in processor seconds.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
