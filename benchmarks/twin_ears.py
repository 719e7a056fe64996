"""Ears for the twin's V on cached features: what `avsnet train configs/twin_lite0_av.yaml` does, in less time.

    python benchmarks/twin_ears.py runs/twin_lite0_v/model weights/avsnet_lite0_av --seed 0
    python benchmarks/twin_ears.py runs/twin_lite0_v/model weights/avsnet_lite0_av_shuffled --seed 0 --shuffled

All that sees stays as it is in V, and what is heard moves all metres of a picture by one factor. So V sees each room
once, as it is and mirrored, and a step needs of its map no more than the mean and the mean square of its logarithmic
error, as SILog does. Steps, rates, batches, mirroring, the focal length in doubt and echo dropout are the config's.
What differs: features and echoes are kept in half precision, rows come in another order, and nothing is clamped.
`--shuffled`, the control, trains on the echo of another room. Prints the scale error |mean ln(map / truth)| on the
config's validation rooms: by V, by AV, and by AV with the echo of another room. One CPU core: 5 minutes to see the
rooms, for each V once, and 9 for each training.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avsnet.audio.network_input import hear
from avsnet.models import create_model
from avsnet.models.avsnet.camera import in_canonical_metres, zoom_of
from avsnet.train.config import TrainConfig
from avsnet.train.config_file import read_config
from avsnet.train.module import freeze
from avsnet.train.sources import flip, open_source
from avsnet.train.supervised import at_size
from avsnet.weights import weights_hash

_ROWS = 32  # read at once
_NEAREST = 1e-3  # metres, before a logarithm, as in ScaleFusion
_SILOG_WEIGHT = 0.15


@dataclass(frozen=True)
class Seen:
    """What V sees of the views of a source, and what is heard in its rooms.

    Attributes:
        bottleneck: (V, C, h, w) float16; of training rooms view 2 r is room r, 2 r + 1 the same mirrored.
        numbers: (V, 5) float32: mean of ln depth by sight; mean and mean square of ln depth by sight over the truth;
            valid pixels; zoom.
        echo: (R, 2, F, T) float16 spectrograms.
    """

    bottleneck: np.ndarray
    numbers: np.ndarray
    echo: np.ndarray


def echoes_of(path: Path, rooms: Any, net: Any) -> np.ndarray:
    """(R, 2, F, T) spectrograms of a source's rooms, made where they are not there yet."""
    if not path.exists():
        found = []
        for start in range(0, len(rooms), _ROWS):
            rows = range(start, min(len(rooms), start + _ROWS))
            waveform = torch.stack([rooms[row]["waveform"] for row in rows])
            found.append(hear(waveform, rooms[start]["sample_rate"], net.audio)[0].half().numpy())
        np.save(path, np.concatenate(found))
    return np.load(path, mmap_mode="r")


@torch.inference_mode()
def sight_of(stem: Path, rooms: Any, net: Any, size: tuple[int, int], mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """`Seen.bottleneck` and `Seen.numbers` of a source's rooms, made where they are not there yet."""
    files = stem.with_name(f"{stem.name}_bottleneck.npy"), stem.with_name(f"{stem.name}_numbers.npy")
    if not all(file.exists() for file in files):
        views = 2 if mirrored else 1
        parts = []
        for start in range(0, len(rooms) * views, _ROWS):
            places = range(start, min(len(rooms) * views, start + _ROWS))
            samples = [flip(rooms[p // views]) if p % views else rooms[p // views] for p in places]
            parts.append(_see(samples, net, size))
        for file, arrays in zip(files, zip(*parts, strict=True), strict=True):
            np.save(file, np.concatenate(arrays))
    bottleneck, numbers = map(np.load, files)
    return bottleneck, numbers


def _see(samples: list[dict[str, Any]], net: Any, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    image = torch.stack([sample["image"] for sample in samples])
    zoom = zoom_of(torch.stack([sample["intrinsics"] for sample in samples]), image)
    features = net.midas.features(image)
    metres = net.measure(features.bottleneck, features, None)["metric_depth"]
    seen = torch.log(metres.clamp_min(_NEAREST)).mean(dim=(1, 2, 3))
    maps = at_size(metres, size) * zoom[:, None, None, None]
    numbers = np.zeros((len(samples), 5), np.float32)
    for row, (sample, pred) in enumerate(zip(samples, maps, strict=True)):
        valid = sample["valid"]
        error = (torch.log(pred) - torch.log(torch.where(valid, sample["depth"], 1.0)))[valid]
        means = (error.mean(), error.square().mean()) if len(error) else (0.0, 0.0)
        numbers[row] = [seen[row], *means, len(error), zoom[row]]
    return features.bottleneck.half().numpy(), numbers


def factor(net: Any, seen: Tensor, bottleneck: Tensor, echo: Tensor, zoom: Tensor) -> Tensor:
    """(B,) logarithm of the factor by which what is heard moves the metres; `seen` (B,) as in `Seen.numbers`."""
    heard = net.echo_encoder(in_canonical_metres(echo, zoom, (net.audio.align_to or 0) / net.audio.hop_length))
    if net.training:
        dropped = torch.rand(len(heard)) < net.echo_dropout
        heard = torch.where(dropped[:, None], net.echo_encoder.null, heard)
    apart, trust = net.fusion.apart(bottleneck, heard, seen)
    return trust * apart


def silog_of(numbers: Tensor, moved: Tensor) -> Tensor:
    """`avsnet.losses.silog` of maps whose logarithms are moved by (B,), from their (B, 5) `Seen.numbers`."""
    _, mean, square, count, _ = numbers.unbind(dim=1)
    total = count.sum()
    whole_mean = (count * (mean + moved)).sum() / total
    whole_square = (count * (square + 2 * mean * moved + moved**2)).sum() / total
    variance = (whole_square - whole_mean**2) * total / (total - 1)
    return 10.0 * torch.sqrt(variance + _SILOG_WEIGHT * whole_mean**2)


def train(net: Any, known: Seen, config: TrainConfig, shuffled: bool) -> list[float]:
    """Train what hears and return the loss of each step."""
    chance, settings, count = np.random.default_rng(config.seed), config.optimiser, len(known.echo)
    learns: list[nn.Parameter] = [*net.fusion.parameters(), *net.echo_encoder.parameters()]
    optimiser = torch.optim.AdamW(learns, settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        settings.lr,
        total_steps=config.steps,
        pct_start=settings.pct_start,
        div_factor=settings.div_factor,
        final_div_factor=settings.final_div_factor,
    )
    giver = another(count, config.seed) if shuffled else np.arange(count)
    losses: list[float] = []
    order: list[int] = []
    for _ in range(config.steps or 0):
        if len(order) < config.data.batch_size:
            order = list(chance.permutation(count))
        rows = np.array([order.pop() for _ in range(config.data.batch_size)])
        mirrored = chance.random(len(rows)) < config.data.flip
        views = 2 * rows + mirrored
        numbers, bottleneck = torch.from_numpy(known.numbers[views]), torch.from_numpy(known.bottleneck[views]).float()
        echo = torch.from_numpy(known.echo[giver[rows]]).float()
        echo = torch.where(torch.from_numpy(mirrored)[:, None, None, None], echo.flip(1), echo)
        doubt = torch.from_numpy(config.data.focal * chance.standard_normal(len(rows))).float()
        moved = doubt + factor(net, numbers[:, 0], bottleneck, echo, numbers[:, 4] * torch.exp(doubt))
        loss = silog_of(numbers, moved)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learns, settings.clip)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) % 400 == 0:
            print(f"step {len(losses)}: loss {np.mean(losses[-400:]):.3f}", flush=True)
    return losses


def another(count: int, seed: int) -> np.ndarray:
    """(count,) of each row another row: one ring through all of them."""
    ring = np.random.default_rng([seed, 1]).permutation(count)
    giver = np.empty(count, int)
    giver[ring] = np.roll(ring, 1)
    return giver


@torch.inference_mode()
def report(name: str, net: Any, known: Seen) -> None:
    """Print the scale errors on a source's rooms."""
    numbers, bottleneck = torch.from_numpy(known.numbers), torch.from_numpy(known.bottleneck).float()
    echo = torch.from_numpy(np.array(known.echo)).float()
    errors = {"V": numbers[:, 1]}
    for heard, given in (("AV", echo), ("AV, another's echo", echo.roll(1, 0))):
        errors[heard] = numbers[:, 1] + factor(net, numbers[:, 0], bottleneck, given, numbers[:, 4])
    print(name, ", ".join(f"{heard} {float(error.abs().mean()):.3f}" for heard, error in errors.items()), flush=True)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("visual", type=Path, help="folder of V's weights")
    parser.add_argument("out", type=Path, help="folder for AV's")
    parser.add_argument("--config", type=Path, default=Path("configs/twin_lite0_av.yaml"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", default="runs/rooms", help="folder of the rooms")
    parser.add_argument("--cache", type=Path, default=Path("runs/ears"), help="folder of echoes and features, 1 GB")
    parser.add_argument("--shuffled", action="store_true", help="the control")
    options = parser.parse_args()
    flags = ["--seed", str(options.seed), "--data.cache", options.rooms, "--model.weights", str(options.visual)]
    config = read_config(options.config, flags)
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    chosen = {key: value for key, value in config.model.options.items() if key != "imagenet"}
    net: Any = create_model(config.model.name, weights=str(options.visual), **chosen)
    freeze(net, config.model.frozen)
    sees: Any = create_model(config.model.name.replace("_av", "_v"), weights=str(options.visual)).eval()
    kept = options.cache / weights_hash(options.visual / "model.safetensors")[:12]
    kept.mkdir(parents=True, exist_ok=True)
    size = (config.data.size[0], config.data.size[1])
    known = {}
    for split, sources in (("train", config.data.train), ("val", config.data.val)):
        for source in sources:
            rooms, name = open_source(source, split, config.data).data, source.replace(":", "_")
            echo = echoes_of(options.cache / f"{name}_echo.npy", rooms, net)
            known[source] = Seen(*sight_of(kept / name, rooms, sees, size, split == "train"), echo)
    begun = time.process_time()
    train(net.train(), known[config.data.train[0]], config, options.shuffled)
    print(f"{time.process_time() - begun:.0f} s of CPU for {config.steps} steps; scale errors:")
    net.eval()
    for source in config.data.val:
        report(source, net, known[source])
    net.save_pretrained(options.out)


if __name__ == "__main__":
    main()
