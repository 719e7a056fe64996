"""Make the README's picture: python docs/readme_picture.py SHARED, the folder that docs/shared_data.md describes.

A photograph, the echo (made of the frame's true depth), and FastDepth's map in metres by `auto`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.models import create_model
from avsnet.predict import predict
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.viz import colour_depth

FRAME = "00211"  # of the HoloLens frames: a sofa in a corridor
MARKS = ((0.16, 0.72), (0.5, 0.45), (0.84, 0.62), (0.3, 0.25), (0.7, 0.2))  # shares of width and height
SHOWN = 0.045  # seconds of sound
INK, PAPER = "#1b2a33", "white"


def main(shared: Path) -> None:
    """Write images/idea.jpg."""
    frames = shared / "real" / "hololens_rgbd"
    picture = np.asarray(Image.open(frames / "images" / f"{FRAME}.png").convert("RGB"))
    truth = np.asarray(Image.open(frames / "depth" / f"{FRAME}.png")).astype(np.float32) / 1000.0
    camera = np.loadtxt(frames / "K.txt")
    rig = rig_for(0)
    waveform = echo_of_depth(truth, camera, rig, seed=0).waveform
    model = create_model("onnx:" + str(shared / "real" / "fastdepth_nyu" / "fast_depth_224_dequant.onnx"))
    found = predict(picture, waveform, depth_model=model, sample_rate=SAMPLE_RATE, intrinsics=camera, rig=rig.geometry)
    figure = Figure(figsize=(13.2, 3.35), facecolor=PAPER)
    places = figure.subplots(1, 3, width_ratios=(1.0, 0.9, 1.0), gridspec_kw={"wspace": 0.18})
    places[0].imshow(picture)
    places[0].set_title("one picture", color=INK, fontsize=15)
    _sound(places[1], waveform)
    limits = tuple(np.percentile(found.depth, (1, 99)))
    places[2].imshow(colour_depth(found.depth, found.valid, limits))
    places[2].set_title("depth in metres", color=INK, fontsize=15)
    for across, down in MARKS:
        row, column = round(down * found.depth.shape[0]), round(across * found.depth.shape[1])
        said = f"{found.depth[row, column]:.1f} m"
        said += f"\n(true {truth[row, column]:.1f})" if truth[row, column] else ""
        text = places[2].text(column, row, said, ha="center", va="center", fontsize=12, color=INK)
        text.set_path_effects([withStroke(linewidth=3, foreground="white")])
        print(f"{across:.2f} {down:.2f}: {said!r}")
    for place in places[[0, 2]]:
        place.axis("off")
    figure.savefig(
        Path(__file__).parent / "images" / "idea.jpg", dpi=110, bbox_inches="tight", pil_kwargs={"quality": 88}
    )


def _sound(place, waveform: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    """Both ears, from just before the direct sound."""
    first = max(0, int(np.abs(waveform).max(axis=0).argmax()) - 200)
    time = 1000 * np.arange(round(SHOWN * SAMPLE_RATE)) / SAMPLE_RATE
    for ear, offset, name in ((0, 1.0, "left ear"), (1, -1.0, "right ear")):
        part = waveform[ear, first : first + len(time)]
        place.plot(time, offset + 0.95 * part / np.abs(waveform).max(), color=INK, lw=0.7)
        place.text(time[-1], offset + 0.55, name, ha="right", color=INK, fontsize=11)
    place.set_title("one chirp, two microphones", color=INK, fontsize=15)
    place.set(yticks=[], xlim=(0, time[-1]), xlabel="milliseconds")
    for side in ("top", "left", "right"):
        place.spines[side].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
