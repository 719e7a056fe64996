"""How fast is BatVision V2 read? Samples per second beside the straightforward way, in one process with one thread.

    python benchmarks/data_throughput.py --shared ../shared

All sides read the same tree of copies of the real recording (or of a synthetic one where `--shared` is not given), as
recorded and cut at 30 m, through the same loader, and take turns of two epochs, of which the second counts; medians and
the range over the turns are printed. Everything is in the page cache, and time is the processor's, not the clock's:
other work on the machine disturbs little.

- straightforward: decodes the picture at full size and leaves the rest to torchvision's `to_tensor` and anti-aliased
  `resize`; repairs the whole depth map and resizes it by nearest (anti-aliased, as in public loaders, it would be wrong
  and no faster); reads the whole WAV and makes the spectrogram by `torch.stft` and torchvision's `resize`.
- straightforward, Pillow: the same, but Pillow resizes the picture before it becomes a tensor.
- avsnet, with echo: the same samples, the spectrogram made in the reader.
- avsnet, waveform: what a model takes that makes its spectrogram from the batch, on its own device.
- avsnet, waveform, then batch: the same, and the spectrogram of every batch made at once on this processor.
- avsnet, aligned: with echo, after the direct sound has been found in every recording; the default.
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
from torchvision.transforms.functional import resize, to_tensor

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.range_axis import RangeAxis
from avsnet.audio.stft import ORIGINAL_SETTINGS, SpectrogramSettings
from avsnet.data.batvision_v2 import BatVisionV2
from avsnet.data.loading import SampleLoader
from shared_data import require

ORIGINAL = ORIGINAL_SETTINGS["v2_cut30"]
CAP = 30.0
BATCH = 16
TOLERANCE = {"image, mean": 0.005, "image, largest": 0.06, "depth": 1e-6, "valid": 0.0, "waveform": 0.0, "echo": 1e-5}
"""Of the absolute difference. The picture differs as the decoder itself averages it to a half or a quarter first."""


class Straightforward(Dataset[dict[str, Any]]):
    """The same samples, read as one writes it down first."""

    def __init__(self, data: BatVisionV2, size: tuple[int, int], pillow: bool = False) -> None:
        self.rows, self.size, self.pillow = data.rows, size, pillow

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        picture = Image.open(row.image).convert("RGB")
        if self.pillow:
            image = to_tensor(picture.resize(self.size[::-1], Image.BILINEAR))
        else:
            image = resize(to_tensor(picture), list(self.size), antialias=True).clamp(0.0, 1.0)
        depth = np.load(row.depth).astype(np.float32) / 1000.0
        depth[~np.isfinite(depth) | (depth < 0.0) | (depth > CAP)] = 0.0
        depth = F.interpolate(torch.from_numpy(depth)[None, None], self.size, mode="nearest-exact")[0]
        waveform, rate = soundfile.read(row.audio[0], dtype="float32", always_2d=True)
        waveform = torch.from_numpy(waveform.T[:, : ORIGINAL.samples].copy())
        window = torch.hann_window(ORIGINAL.win_length)
        spectrum = torch.stft(
            waveform, ORIGINAL.n_fft, ORIGINAL.hop_length, ORIGINAL.win_length, window, return_complex=True
        )
        echo = resize(spectrum.abs(), list(self.size), antialias=True)
        sample = {"image": image, "depth": depth, "valid": depth > 0.0, "waveform": waveform, "sample_rate": rate}
        return sample | {"echo": echo, "id": row.id}


def write_tree(root: Path, sample: Path | None, copies: int) -> None:
    """A V2 tree of one location, with `copies` instances in its train split."""
    source = root / "source"
    source.mkdir()
    names = ("camera", "depth", "audio")
    files = {kind: next(sample.glob(f"{kind}_47.*")) for kind in names} if sample else synthetic(source)
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


def epoch(loader: SampleLoader, settings: SpectrogramSettings | None = None) -> float:
    """Samples per second of one epoch; with settings, the spectrogram of every batch is made as well."""
    start = time.process_time()
    rows = 0
    for batch in loader:
        rows += len(batch["id"])
        if settings:
            batch["echo"] = settings(batch["waveform"])
    return rows / (time.process_time() - start)


def resident() -> float:
    """Memory that the process holds now, in MB (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def compare(root: str, size: tuple[int, int], turns: int) -> None:
    """Compare the outputs at one size, then print speeds, ratios and memory."""
    settings = replace(ORIGINAL, size=size)
    original = BatVisionV2(root, size=size, cap=CAP, axis=RangeAxis(align=None), spectrogram=settings)
    print(f"\n{size[0]} x {size[1]}; outputs differ by")
    for name, found in differences(original[0], Straightforward(original, size)[0]).items():
        print(f"  {name:16s} {found:9.2g}   allowed {TOLERANCE[name]:g}")
        assert found <= TOLERANCE[name], name

    waveforms = SampleLoader(BatVisionV2(root, size=size, cap=CAP, axis=RangeAxis(align=None)), BATCH)
    sides: dict[str, tuple[SampleLoader, SpectrogramSettings | None]] = {
        "straightforward": (SampleLoader(Straightforward(original, size), BATCH), None),
        "straightforward, Pillow": (SampleLoader(Straightforward(original, size, pillow=True), BATCH), None),
        "avsnet, with echo": (SampleLoader(original, BATCH), None),
        "avsnet, waveform": (waveforms, None),
        "avsnet, waveform, then batch": (waveforms, settings),
        "avsnet, aligned": (SampleLoader(BatVisionV2(root, size=size, cap=CAP, spectrogram=settings), BATCH), None),
    }
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    memory = []
    for _ in range(turns):
        for name, side in sides.items():
            epoch(*side)  # an epoch of thousands of rows is not slowed down by what another side left in the caches
            speeds[name].append(epoch(*side))
        memory.append(resident())
    for name, values in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(values, speeds["straightforward"], strict=True)]
        print(
            f"  {name:30s} {statistics.median(values):6.1f} samples/s ({min(values):.1f} to {max(values):.1f}), "
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    held = [resident() for _ in SampleLoader(original, BATCH)]
    print(f"  memory: {held[0]:.0f} to {held[-1]:.0f} MB within an epoch, {memory[0]:.0f} to {memory[-1]:.0f} over all")


def main() -> None:
    """Write the tree and compare at the two sizes of the BatVision baselines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="the folder of docs/shared_data.md, such as ../shared")
    parser.add_argument("--copies", type=int, default=64)
    parser.add_argument("--turns", type=int, default=9)
    options = parser.parse_args()
    if options.shared is not None:
        require(options.shared, ("batvision_v2_sample",))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder), options.shared and options.shared / "batvision_v2_sample", options.copies)
        print(f"{options.copies} copies of the {'real' if options.shared else 'synthetic'} sample, batches of {BATCH}")
        for side in (256, 128):
            compare(folder, (side, side), options.turns)


if __name__ == "__main__":
    main()
