"""Make the pictures of `rooms.md`: python docs/rooms_pictures.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.rooms import sample
from avsnet.rooms.preset import DOMAINS, find_domain, find_preset
from avsnet.viz import colour_depth

FOLDER = Path(__file__).parent / "images"
SEEN, LONG = 0.12, 20_000  # seconds of sound shown; samples recorded


def sheet(domain: str, seeds: range, columns: int = 6) -> None:
    """A sheet of rooms, one picture each."""
    pictures = [sample(domain, seed, size=(192, 192), samples=0)["rgb"] for seed in seeds]
    rows = [np.concatenate(pictures[first : first + columns], axis=1) for first in range(0, len(pictures), columns)]
    Image.fromarray(np.concatenate(rows)).save(FOLDER / f"rooms_{domain}.jpg", quality=85)


def sound(figure: Figure, place: Any, audio: np.ndarray, title: str, start: float) -> None:
    """A waveform over its spectrogram, left ear, from the recording's begin."""
    inner = place.subgridspec(2, 1, hspace=0.08)
    time = 1000 * np.arange(round(SEEN * SAMPLE_RATE)) / SAMPLE_RATE
    wave = figure.add_subplot(inner[0])
    wave.plot(time, audio[0, : len(time)], linewidth=0.5, color="black")
    wave.set(title=title, xlim=(0, 1000 * SEEN), xticks=[], yticks=[])
    wave.axvline(1000 * start, color="tab:red", linewidth=0.6)
    spectrum = figure.add_subplot(inner[1])
    spectrum.specgram(
        audio[0, : len(time)] + 1e-9, NFFT=256, noverlap=224, Fs=SAMPLE_RATE / 1000, vmin=-130, cmap="magma"
    )
    spectrum.set(xlabel="ms; red: the sweep is played", ylabel="kHz", xlim=(0, 1000 * SEEN), ylim=(0, 20))


def panel(domain: str, seed: int) -> None:
    """Picture, true depth, measured depth and sound of one sample."""
    found = sample(domain, seed, samples=LONG)
    cap = find_domain(domain, find_preset("rooms-1")).cap
    depth, measured = found["depth"], found["depth_sensor"] / 1000.0
    limits = (0.0, float(np.quantile(depth[depth > 0], 0.98)))
    figure = Figure(figsize=(12.5, 3.1), layout="constrained", dpi=90)
    grid = figure.add_gridspec(1, 4, width_ratios=[1, 1, 1, 1.5])
    views = {
        f"{found['room_type']}, k = {found['k']:.2f}": found["rgb"],
        f"depth, 0 to {limits[1]:.1f} m": colour_depth(depth, (depth > 0) & (depth <= cap), limits),
        f"measured, {np.mean(measured == 0):.0%} missing": colour_depth(measured, measured > 0, limits),
    }
    for column, (title, picture) in enumerate(views.items()):
        axes = figure.add_subplot(grid[column])
        axes.imshow(picture)
        axes.set(title=title, xticks=[], yticks=[])
    sound(figure, grid[3], found["audio"], "echo, left ear", found["rig"].start)
    figure.savefig(FOLDER / f"rooms_{domain}_sample.jpg", pil_kwargs={"quality": 85})


def two_sizes(domain: str, seed: int) -> None:
    """One picture, two scales, two echoes."""
    small, large = (sample(domain, seed, k=k, samples=LONG) for k in (0.6, 1.5))
    assert np.array_equal(small["rgb"], large["rgb"])
    figure = Figure(figsize=(12.5, 3.1), layout="constrained", dpi=90)
    grid = figure.add_gridspec(1, 3, width_ratios=[1, 1.6, 1.6])
    axes = figure.add_subplot(grid[0])
    axes.imshow(small["rgb"])
    axes.set(title="the same picture, to the byte", xticks=[], yticks=[])
    for column, found in enumerate((small, large), 1):
        title = f"k = {found['k']}: median depth {np.median(found['depth']):.2f} m"
        sound(figure, grid[column], found["audio"], title, found["rig"].start)
    figure.savefig(FOLDER / "rooms_two_sizes.jpg", pil_kwargs={"quality": 85})


def main() -> None:
    """Make all of them."""
    FOLDER.mkdir(exist_ok=True)
    for domain, seed in zip(DOMAINS, (13, 2), strict=True):
        sheet(domain, range(24))
        panel(domain, seed)
    two_sizes("offices", 32)


if __name__ == "__main__":
    main()
