"""What hearing costs: seconds per picture of an AVS-Net with its echo beside its visual twin, and their parameters.

    python benchmarks/avsnet_speed.py                                   # the tiny network
    python benchmarks/avsnet_speed.py --networks tiny beit_large_384 --fusions bilinear

One process, batch 1, float32, fresh weights (they do not change the time) whose gate is open. Both networks take turns,
so that other work on the machine meets both; the smallest of all turns is printed, and the ratio of the smallest. From
the waveform on: finding the direct sound, spectrogram, echo encoder and fusion all count as hearing. Processor seconds
are those of all threads together; on a busy machine they are the steadier number.
"""

from __future__ import annotations

import argparse
import platform
import time
from typing import Any

import torch

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.models import create_model
from avsnet.models.avsnet.fusion import FUSIONS

LIMITS = {"tiny": 1.20}
OTHERS = 1.05
"""Time with an echo over time without, at most."""


def recording(samples: int = 13_230) -> torch.Tensor:
    """(1, 2, N): the sweep, three echoes of it and noise."""
    waveform = 0.002 * torch.randn(1, 2, samples, generator=torch.Generator().manual_seed(0))
    chirp = torch.from_numpy(sweep()).float()
    for gain, start in ((0.5, 300), (0.2, 900), (0.1, 2000), (0.05, 4000)):
        waveform[..., start : start + len(chirp)] += gain * chirp
    return waveform


def smallest(calls: dict[str, Any], turns: int) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each call, the smallest over turns that all of them take."""
    best = dict.fromkeys(calls, (float("inf"), float("inf")))
    for turn in range(turns + 1):
        for name, call in calls.items():
            wall, processor = time.perf_counter(), time.process_time()
            call()
            spent = time.perf_counter() - wall, time.process_time() - processor
            if turn:  # the first is for warming up
                best[name] = (min(best[name][0], spent[0]), min(best[name][1], spent[1]))
    return best


def millions(module: torch.nn.Module | None) -> str:
    """Parameters in millions."""
    return f"{sum(weight.numel() for weight in module.parameters()) / 1e6:.2f} M" if module else "-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["tiny"], help="between avsnet_ and _av")
    parser.add_argument("--fusions", nargs="+", default=list(FUSIONS), choices=list(FUSIONS))
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {options.threads} threads")
    for network in options.networks:
        sees = create_model(f"avsnet_{network}_v")
        image = {"image": torch.rand(1, 3, *sees.info.size)}  # type: ignore[union-attr, misc]
        sound = image | {"waveform": recording(), "sample_rate": SAMPLE_RATE}
        calls = {"none": lambda sees=sees, image=image: sees(image)}
        nets = {}
        for fusion in options.fusions:
            nets[fusion] = create_model(f"avsnet_{network}_av", fusion=fusion)
            torch.nn.init.ones_(nets[fusion].fusion.gate)
            calls[fusion] = lambda net=nets[fusion], sound=sound: net(sound)
        with torch.inference_mode():
            spent = smallest(calls, options.turns)
        print(f"\navsnet_{network} at {sees.info.size}: {millions(sees)} that see")  # type: ignore[union-attr]
        print(f"{'fusion':10}{'echo encoder':>14}{'fusion':>12}{'ms':>9}{'cpu ms':>9}{'ratio':>8}{'cpu ratio':>11}")
        for fusion, (wall, processor) in spent.items():
            net = nets.get(fusion)
            parts = millions(net.echo_encoder if net else None), millions(net.fusion if net else None)
            ratios = wall / spent["none"][0], processor / spent["none"][1]
            print(
                f"{fusion:10}{parts[0]:>14}{parts[1]:>12}{1e3 * wall:9.1f}{1e3 * processor:9.1f}"
                f"{ratios[0]:8.3f}{ratios[1]:11.3f}"
            )
        print(f"wanted: ratios of {LIMITS.get(network, OTHERS)} at most")


if __name__ == "__main__":
    main()
