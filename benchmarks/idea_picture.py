"""The README's picture: a photograph, the echo of a chirp at two ears, and depth in metres.

    python benchmarks/idea_picture.py ../shared --out docs/images/idea.jpg

One frame of the HoloLens data (the development set); its echo is made of its true depth, the map is FastDepth's, and
its metres are what `predict` finds with both. Where depth was measured, the true metres stand beside.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.io.depth_maps import read_depth
from avsnet.io.whole_files import atomic_path
from avsnet.predict import predict
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from shared_data import require

FRAME, SEED = "00211", 0
PLACES = ((163, 84), (377, 68), (269, 160), (451, 223), (86, 255))  # (x, y) pixels of 540 x 360
MILLISECONDS = 45.0
INK = "#1c2b33"


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of docs/shared_data.md, such as ../shared")
    parser.add_argument("--out", type=Path, required=True, help="JPEG")
    options = parser.parse_args()
    require(options.shared, ("real/hololens_rgbd", "real/fastdepth_nyu"))
    root, models = options.shared / "real" / "hololens_rgbd", options.shared / "real" / "fastdepth_nyu"
    picture = root / "images" / f"{FRAME}.png"
    truth, camera = read_depth(root / "depth" / f"{FRAME}.png"), np.loadtxt(root / "K.txt").reshape(3, 3)
    rig = rig_for(SEED)
    echo = echo_of_depth(truth, camera, rig, seed=SEED).waveform
    prediction = predict(
        picture,
        echo,
        depth_model=f"onnx:{models / 'fast_depth_224_dequant.onnx'}",
        sample_rate=SAMPLE_RATE,
        intrinsics=camera,
        rig=rig.geometry,
    )
    figure = Figure(figsize=(11.5, 3.8))
    grid = figure.add_gridspec(2, 3, left=0.01, right=0.99, top=0.86, bottom=0.16, wspace=0.2, hspace=0.1)
    show(figure.add_subplot(grid[:, 0]), "one picture", np.asarray(Image.open(picture).convert("RGB")))
    draw_echo(figure, grid, echo, rig.direct_sample)
    label(show(figure.add_subplot(grid[:, 2]), "depth in metres", prediction.depth, cmap="Spectral"), prediction, truth)
    with atomic_path(options.out) as temporary:
        figure.savefig(temporary, format="jpeg", dpi=100, pil_kwargs={"quality": 88})


def show(axes, title, pixels, **how):  # type: ignore[no-untyped-def]
    """A picture without axes."""
    axes.imshow(pixels, **how)
    axes.set_title(title, color=INK, fontsize=15)
    axes.set_axis_off()
    return axes


def draw_echo(figure, grid, echo, direct):  # type: ignore[no-untyped-def]
    """Both ears' recordings from the direct sound on."""
    first = max(0, direct - round(0.001 * SAMPLE_RATE))
    shown = echo[:, first : first + round(MILLISECONDS / 1000 * SAMPLE_RATE)]
    for ear, name in enumerate(("left ear", "right ear")):
        axes = figure.add_subplot(grid[ear, 1])
        axes.plot(np.arange(shown.shape[1]) / SAMPLE_RATE * 1000, shown[ear], color=INK, linewidth=0.8)
        axes.set(xlim=(0.0, MILLISECONDS), ylim=1.05 * np.abs(shown).max() * np.array([-1.0, 1.0]), yticks=[])
        axes.text(0.99, 0.85, name, transform=axes.transAxes, ha="right", color=INK, fontsize=11)
        for side in ("top", "left", "right", *(() if ear else ("bottom",))):
            axes.spines[side].set_visible(False)
        if ear:
            axes.set_xlabel("milliseconds")
        else:
            axes.set_xticks([])
            axes.set_title("one chirp, two microphones", color=INK, fontsize=15)


def label(axes, prediction, truth):  # type: ignore[no-untyped-def]
    """Metres at a few places."""
    for x, y in PLACES:
        true = f"\n(true {truth[y, x]:.1f})" if truth[y, x] > 0.0 else ""
        text = axes.text(
            x, y, f"{prediction.depth[y, x]:.1f} m{true}", ha="center", va="center", color=INK, fontsize=12
        )
        text.set_path_effects([effects.withStroke(linewidth=2.5, foreground="white")])


if __name__ == "__main__":
    main()
