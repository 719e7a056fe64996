"""How long a training step of an AVS-Net takes, and what share of the machine's matrix peak it uses.

    python benchmarks/train_step.py                                          # BEiT-L in bf16, where there is a GPU
    python benchmarks/train_step.py --network tiny --batch-sizes 16 --device cpu --precision float32

A step is forward, SILog, backward and AdamW on one batch that lies on the device: no data is read. Operations are three
times those that PyTorch's counter sees in the forward pass (matrix products, convolutions, attention), as the backward
pass takes twice as many; of depthwise convolutions backward the counter would see too many. The peak is the best of
several products of two square matrices of the same precision, measured in the same process. Weights are fresh, the gate
of the fusion is open.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.losses import silog
from avsnet.models import create_model

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def clock(device: str) -> float:
    """Seconds, once everything asked of the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def matrix_peak(device: str, precision: torch.dtype) -> float:
    """Operations a second of the best of five products of square matrices."""
    side = 8192 if device == "cuda" else 2048
    a, b = torch.randn(2, side, side, device=device, dtype=precision)
    best = float("inf")
    for _ in range(8):
        begun = clock(device)
        a @ b
        best = min(best, clock(device) - begun)
    return 2.0 * side**3 / best


def batch_of(count: int, size: tuple[int, int], device: str) -> dict[str, Any]:
    """Pictures, recordings and depth of noise."""
    draw = torch.Generator().manual_seed(0)
    depth = 0.5 + 5.0 * torch.rand(count, 1, *size, generator=draw)
    batch = {
        "image": torch.rand(count, 3, *size, generator=draw),
        "waveform": 0.1 * torch.randn(count, 2, 8800, generator=draw),
        "depth": depth,
        "valid": depth > 0.0,
    }
    return {key: value.to(device) for key, value in batch.items()} | {"sample_rate": SAMPLE_RATE}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="beit_large_384", help="between avsnet_ and _av")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cuda", "cpu"))
    parser.add_argument("--precision", default="bfloat16", choices=list(PRECISIONS))
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    device, precision = options.device, PRECISIONS[options.precision]
    peak = matrix_peak(device, precision)
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{name}, torch {torch.__version__}; matrix peak in {options.precision}: {peak / 1e12:.2f} TFLOP/s")
    print(f"{'network':24}{'batch':>6}{'ms a step':>11}{'samples/s':>11}{'TFLOP a step':>14}{'of the peak':>12}")
    net: Any = create_model(f"avsnet_{options.network}_av").to(device).train()
    torch.nn.init.ones_(net.fusion.gate)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-6)
    for count in options.batch_sizes:
        batch = batch_of(count, net.info.size, device)

        def forward(batch: dict[str, Any] = batch) -> torch.Tensor:
            with torch.autocast(device, torch.bfloat16, enabled=precision is torch.bfloat16):
                return net(batch)["metric_depth"].float()

        def step(batch: dict[str, Any] = batch) -> None:
            depth = torch.nn.functional.interpolate(forward(), batch["depth"].shape[2:], mode="bilinear")
            silog(depth, batch["depth"], batch["valid"]).backward()
            optimiser.step()
            optimiser.zero_grad()

        with FlopCounterMode(display=False) as counter:
            forward()
        step()
        spent = []
        for _ in range(options.steps):
            begun = clock(device)
            step()
            spent.append(clock(device) - begun)
        seconds = sorted(spent)[len(spent) // 2]
        operations = 3 * counter.get_total_flops()
        figures = f"{1e3 * seconds:11.1f}{count / seconds:11.1f}{operations / 1e12:14.3f}"
        print(f"{net.info.name:24}{count:6d}{figures}{operations / seconds / peak:12.0%}")


if __name__ == "__main__":
    main()
