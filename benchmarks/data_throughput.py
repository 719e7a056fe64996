"""How fast is BatVision V2 read? Samples per second beside the straightforward way, in one process with one thread.

    python benchmarks/data_throughput.py --shared ../shared

Both sides read the same tree of copies of the real recording (or of a synthetic one where `--shared` is not given) with
the original settings at 256 x 256: picture, depth, the cut at 30 m and its spectrogram. The straightforward way decodes
the picture at full size, makes it float and resizes it with anti-aliasing; repairs the whole depth map and resizes it by
nearest (anti-aliased, as in public loaders, it would be wrong and no faster); reads the whole WAV and transforms it.
Both go through the same loader. The sides take turns, epoch by epoch; medians and the range over the turns are printed.
Everything is in the page cache, so this is the work of the processor, not of the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import Dataset

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.spectrogram import ORIGINAL_SETTINGS
from avsnet.data.batvision_v2 import BatVisionV2
from avsnet.data.loading import SampleLoader

SIZE = (256, 256)
SETTINGS = replace(ORIGINAL_SETTINGS["v2_cut30"], size=SIZE)
CAP = 30.0
TOLERANCE = {"image, mean": 0.005, "image, largest": 0.06, "depth": 1e-6, "valid": 0.0, "waveform": 0.0, "echo": 1e-5}
"""Of the absolute difference. The picture differs because the decoder itself averages it to a half first."""


class Straightforward(Dataset[dict[str, Any]]):
    """The same samples, read as one writes it down first."""

    def __init__(self, data: BatVisionV2) -> None:
        self.rows = data.rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        picture = np.array(Image.open(row.image).convert("RGB"))
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255.0
        image = F.interpolate(image[None], SIZE, mode="bilinear", antialias=True)[0].clamp(0.0, 1.0)
        depth = np.load(row.depth).astype(np.float32) / 1000.0
        depth[~np.isfinite(depth) | (depth < 0.0) | (depth > CAP)] = 0.0
        depth = F.interpolate(torch.from_numpy(depth)[None, None], SIZE, mode="nearest-exact")[0]
        waveform, rate = soundfile.read(row.audio[0], dtype="float32", always_2d=True)
        waveform = torch.from_numpy(waveform.T[:, : SETTINGS.samples].copy())
        sample = {"image": image, "depth": depth, "valid": depth > 0.0, "waveform": waveform, "sample_rate": rate}
        return sample | {"echo": SETTINGS(waveform), "id": row.id}


def write_tree(root: Path, sample: Path | None, copies: int) -> None:
    """A V2 tree of one location, with `copies` instances in its train split."""
    source = root / "source"
    source.mkdir()
    names = ("camera", "depth", "audio")
    if sample:
        files = {kind: next(sample.glob(f"{kind}_47.*")) for kind in names}
    else:
        files = synthetic(source)
    lines = [",".join(f"{kind} {part}" for kind in names for part in ("path", "file name"))]
    for number in range(copies):
        cells = []
        for kind in names:
            folder = root / "Room" / kind
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{kind}_{number}{files[kind].suffix}"
            shutil.copyfile(files[kind], folder / name)
            cells += [f"Room/{kind}", name]
        lines.append(",".join(cells))
    (root / "Room" / "train.csv").write_text("\n".join(lines) + "\n")


def synthetic(folder: Path) -> dict[str, Path]:
    """A smooth picture with noise, a depth map and a recording of BatVision V2's sizes."""
    rng = np.random.default_rng(0)
    files = {"camera": folder / "a.jpeg", "depth": folder / "a.npy", "audio": folder / "a.wav"}
    coarse = Image.fromarray(rng.integers(0, 256, (45, 80, 3), dtype=np.uint8)).resize((1280, 720), Image.BICUBIC)
    noisy = np.asarray(coarse) + rng.normal(0.0, 6.0, (720, 1280, 3))
    Image.fromarray(noisy.clip(0.0, 255.0).astype(np.uint8)).save(files["camera"])
    depth = rng.integers(300, 16_000, (720, 1280)).astype(np.uint16)
    depth[rng.random(depth.shape) < 0.22] = 0
    np.save(files["depth"], depth)
    wave = rng.normal(0.0, 0.01, (20_000, 2))
    wave[299 : 299 + len(sweep())] += 0.5 * sweep()[:, None]
    soundfile.write(files["audio"], wave, SAMPLE_RATE, subtype="PCM_32")
    return files


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """What differs between two samples, by the names of `TOLERANCE`."""
    image = (ours["image"] - theirs["image"]).abs()
    found = {"image, mean": float(image.mean()), "image, largest": float(image.max())}
    for key in ("depth", "valid", "waveform", "echo"):
        found[key] = float((ours[key].float() - theirs[key].float()).abs().max())
    return found


def epoch(loader: SampleLoader) -> float:
    """Samples per second of one epoch."""
    start = time.perf_counter()
    rows = sum(len(batch["id"]) for batch in loader)
    return rows / (time.perf_counter() - start)


def resident() -> float:
    """Memory that the process holds now, in MB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Compare the outputs, then print the speeds, their ratio and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="the folder that holds batvision_v2_sample")
    parser.add_argument("--copies", type=int, default=64)
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder), options.shared and options.shared / "batvision_v2_sample", options.copies)
        original = BatVisionV2(folder, size=SIZE, cap=CAP, align=None, spectrogram=SETTINGS)
        aligned = BatVisionV2(folder, size=SIZE, cap=CAP, spectrogram=SETTINGS)
        straightforward = Straightforward(original)

        print(f"{options.copies} copies of the {'real' if options.shared else 'synthetic'} sample; outputs differ by")
        for name, found in differences(original[0], straightforward[0]).items():
            print(f"  {name:16s} {found:9.2g}   allowed {TOLERANCE[name]:g}")
            assert found <= TOLERANCE[name], name

        sides = {
            "straightforward": SampleLoader(straightforward, 16),
            "avsnet": SampleLoader(original, 16),
            "avsnet, aligned on the direct sound": SampleLoader(aligned, 16),
        }
        for loader in sides.values():
            epoch(loader)
        speeds: dict[str, list[float]] = {name: [] for name in sides}
        memory = [resident()]
        for _ in range(options.turns):
            for name, loader in sides.items():
                speeds[name].append(epoch(loader))
            memory.append(resident())
        for name, values in speeds.items():
            print(f"{name:36s} {statistics.median(values):7.1f} samples/s ({min(values):.1f} to {max(values):.1f})")
        for name in list(sides)[1:]:
            ratios = [ours / theirs for ours, theirs in zip(speeds[name], speeds["straightforward"], strict=True)]
            print(f"ratio, {name:29s} {statistics.median(ratios):7.2f} ({min(ratios):.2f} to {max(ratios):.2f})")

        start = resident()
        held = []
        for batch in SampleLoader(original, 16):
            held.append(resident())
            del batch
        print(f"memory within an epoch of avsnet: {start:.0f} MB before, {held[0]:.0f} to {held[-1]:.0f} MB during")
        print(f"memory over all epochs: {memory[0]:.0f} MB after the first, {memory[-1]:.0f} MB after the last")


if __name__ == "__main__":
    main()
