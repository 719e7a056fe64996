"""How fast is ZoeDepth-N beside the same network of transformers? Seconds per pass, in one process, taking turns.

    python benchmarks/zoedepth_speed.py

Both have fresh weights, as time does not depend on them; that both give the same numbers is tested
(tests/models/test_midas_library.py). Each turn runs the library's network, then ours, on one picture of the published
size; the ratios of each turn, their median and range are printed, as absolute times mean little on a busy machine:
there the processor's time, with `--threads 1`, is the steadier one. The first turn warms up: it also makes our
attention biases, which are kept for a size. With `--mirrored` a pass is what
the published rule takes, the picture and its mirror image: two passes of the library's, one batch of ours.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from avsnet.models import create_model

BLOCKS, TAPS = 24, (6, 12, 18, 24)


def library() -> nn.Module:
    """ZoeDepth-N of transformers, on BEiT-L."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation

        backbone = BeitConfig(
            image_size=384,
            num_hidden_layers=BLOCKS,
            hidden_size=1024,
            intermediate_size=4096,
            num_attention_heads=16,
            use_relative_position_bias=True,
            reshape_hidden_states=False,
            out_features=[f"stage{tap}" for tap in TAPS],
            layer_norm_eps=1e-6,
        )
        bins = [{"name": "nyu", "n_bins": 64, "min_depth": 1e-3, "max_depth": 10.0}]
        config = ZoeDepthConfig(
            backbone_config=backbone, neck_hidden_sizes=[256, 512, 1024, 1024], bin_configurations=bins
        )
        return ZoeDepthForDepthEstimation(config).eval()


def seconds(run: Callable[[], Tensor]) -> tuple[float, float]:
    """What one call takes, by the clock and of the processor."""
    start = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def main() -> None:
    """Time both, turn by turn, and print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(384, 512), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mirrored", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    theirs, ours = library(), create_model("zoedepth_n")
    image = torch.rand(1, 3, *options.size)
    images = [image, image.flip(-1)] if options.mirrored else [image]

    def run_theirs() -> Tensor:
        return torch.cat([theirs(pixel_values=2.0 * one - 1.0).predicted_depth for one in images])

    def run_ours() -> Tensor:
        return ours({"image": torch.cat(images)})["metric_depth"]

    turns = []
    with torch.inference_mode():
        for turn in range(options.turns + 1):
            pair = seconds(run_theirs), seconds(run_ours)
            if turn:
                turns.append(pair)
    height, width = options.size
    what = "a picture and its mirror image" if options.mirrored else "a picture"
    print(f"{what} of {height} x {width}, {options.threads} threads, {options.turns} turns")
    for kind, what in enumerate(("by the clock", "of the processor")):
        pairs = [(their[kind], our[kind]) for their, our in turns]
        for name, times in zip(("transformers", "avsnet"), zip(*pairs, strict=True), strict=True):
            print(f"  {what:17s} {name:12s} {statistics.median(times):6.2f} s ({min(times):.2f} to {max(times):.2f})")
        ratios = [their / our for their, our in pairs]
        print(
            f"  {what:17s} transformers / avsnet {statistics.median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
