"""How fast are simulated samples made? Samples per second and core, two workers beside one, memory, large pictures.

    python benchmarks/rooms_speed.py --out results/rooms_speed.csv

A sample is a 256 x 256 picture with depth and 0.5 s of binaural sound, each of another room, as in training. Speeds are
counted in processor seconds, which other work on the machine disturbs less than the clock; the clock's are printed
beside them. Every figure is taken in a fresh process with one thread.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from avsnet.io.whole_files import atomic_path
from avsnet.rooms import sample

DOMAINS = ("offices", "historic")
HALF_A_SECOND = 22_050
FIELDS = ("what", "domain", "value", "unit", "wanted")


def work(domain: str, first: int, count: int, size: tuple[int, int]) -> tuple[float, float, float]:
    """Processor seconds and seconds per sample, and the process's largest memory in MB."""
    sample(domain, first, size=size, samples=HALF_A_SECOND)  # loads what is loaded once
    begun, clock = time.process_time(), time.perf_counter()
    for seed in range(first + 1, first + 1 + count):
        sample(domain, seed, size=size, samples=HALF_A_SECOND)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (time.process_time() - begun) / count, (time.perf_counter() - clock) / count, peak


def in_workers(workers: int, domain: str, count: int, size: tuple[int, int]) -> tuple[float, float, float]:
    """Samples per processor second of one worker, samples per second of all, memory of the largest."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(work, domain, 1000 * number, count, size) for number in range(workers)]
        found = [job.result() for job in jobs]
    return (
        sum(1 / processor for processor, _, _ in found) / workers,
        sum(1 / clock for _, clock, _ in found),
        max(peak for _, _, peak in found),
    )


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=40, help="of each domain")
    parser.add_argument("--out", type=Path, help="CSV")
    options = parser.parse_args()
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[threads] = "1"  # the workers read it when they load NumPy
    table = []

    def tell(what: str, domain: str, value: float, unit: str, wanted: str) -> None:
        table.append(dict(zip(FIELDS, (what, domain, round(value, 2), unit, wanted), strict=True)))
        print(f"{what:44s} {domain:9s} {value:8.2f} {unit:12s} {wanted}", flush=True)

    for domain in DOMAINS:
        one, clock, peak = in_workers(1, domain, options.samples, (256, 256))
        tell("one worker, 256 x 256", domain, one, "samples/cpu s", "at least 4")
        tell("one worker, 256 x 256, by the clock", domain, clock, "samples/s", "")
        tell("memory of a worker, 256 x 256", domain, peak, "MB", "under 600")
        two, clock_two, _ = in_workers(2, domain, options.samples, (256, 256))
        tell("two workers over one", domain, 2 * two / one, "times", "at least 1.9")
        tell("two workers over one, by the clock", domain, clock_two / clock, "times", "")
        small, _, _ = in_workers(1, domain, options.samples, (128, 128))
        tell("one worker, 128 x 128", domain, small, "samples/cpu s", "")
        large, _, peak = in_workers(1, domain, 5, (720, 1280))
        tell("a sample of 1280 x 720", domain, 1 / large, "cpu s", "under 3")
        tell("memory of a worker, 1280 x 720", domain, peak, "MB", "")
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    if options.out:
        with atomic_path(options.out) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
