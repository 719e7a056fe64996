"""What the ear's network is shown of a pair: a few hearings of the echo, a few bent versions of the map.

Kept on disk like the pairs themselves, as numbers of the network's own grids: what a training step reads is ready.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
import torch
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import Echo, listen
from avsnet.errors import EchoError
from avsnet.io.whole_files import atomic_path
from avsnet.scale.ear_echo import echo_channels, rig_numbers
from avsnet.scale.ear_map import map_features
from avsnet.train.ear_distortion import DepthMap, cropped, distorted
from avsnet.train.ear_pairs import Origin, Pair, pairs_of
from avsnet.train.recording_noise import suffered

HEARINGS, MAPS = 2, 3
"""Versions of each pair's echo and map."""

_VERSION = 4
_KINDS = ("offices", "historic", "nyu")
_UNKNOWN = 0.4  # share of hearings whose rig is not known
_ONE_EAR = 0.25  # share of hearings with one microphone
_RATES = (22_050, 32_000, 48_000)  # hertz, of a third of the hearings
_SUFFERS = 0.4  # share of hearings that suffer what recordings do
_MODEL_STRENGTH = 0.5  # of further distortion of what a real model gave
_LEAST_KNOWN = 40  # pixels


@dataclass(frozen=True, eq=False)
class Features:
    """Of one pair, in all versions.

    Args:
        echo: (2, 17, U) float16.
        rig: (2, 4) float32.
        map: (3, 14, V) float16.
        numbers: (3, 12) float32.
        targets: (3, 2) float32 log of the map's median depth in metres, by the ratio of medians and by the factor of
            least mean relative error; NaN where a version of the map has too few pixels.
    """

    echo: np.ndarray
    rig: np.ndarray
    map: np.ndarray
    numbers: np.ndarray
    targets: np.ndarray


def features_of(origin: Origin, cache: str | Path, models: Sequence[str] = ()) -> list[Features]:
    """Features of the pairs of a room or picture; pairs whose echo nobody can hear are left out.

    Args:
        origin: of the pairs.
        cache: folder of the pairs, where these are kept, too.
        models: depth models that see the real pictures, in place of one bent version of the truth each.
    """
    path = Path(cache) / f"features-{_VERSION}" / origin.kind / f"{origin.number:07d}.npz"
    if not path.exists():
        made = [
            found
            for place, pair in enumerate(pairs_of(origin, cache))
            if (found := _features(origin, place, pair, models)) is not None
        ]
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **{f"{key}{i}": value for i, one in enumerate(made) for key, value in vars(one).items()})
        return made
    with np.load(path, allow_pickle=False) as entries:
        count = sum(name.startswith("rig") for name in entries)
        names = ("echo", "rig", "map", "numbers", "targets")
        return [Features(*(entries[f"{name}{i}"] for name in names)) for i in range(count)]


def _features(origin: Origin, place: int, pair: Pair, models: Sequence[str]) -> Features | None:
    """All versions of one pair, drawn by its own seed; None where an echo cannot be heard."""
    rng = np.random.default_rng([_KINDS.index(origin.kind), origin.number, place, 3])
    try:
        echoes = [_hearing(pair, rng) for _ in range(HEARINGS)]
    except EchoError:
        return None
    seen = [_seen(origin, pair, models[i] if i < len(models) else None, rng) for i in range(MAPS)]
    maps, numbers, targets = (np.stack(parts) for parts in zip(*(_of_map(one) for one in seen), strict=True))
    return Features(
        np.stack([echo_channels(echo) for echo in echoes]).astype(np.float16),
        np.stack([rig_numbers(echo) for echo in echoes]),
        maps.astype(np.float16),
        numbers,
        targets,
    )


def _hearing(pair: Pair, rng: np.random.Generator) -> Echo:
    """The recording by some microphones, of some sample rate, as recordings suffer, with its rig known or not."""
    waveform, rate = pair.sounding.waveform.astype(np.float64), SAMPLE_RATE
    if rng.random() < _ONE_EAR:
        waveform[rng.integers(2)] = 0.0
    if rng.random() < 1 / 3:
        rate = int(rng.choice(_RATES))
        waveform = soxr.resample(waveform.T, SAMPLE_RATE, rate, quality="HQ").T
    rig = None if rng.random() < _UNKNOWN else pair.sounding.rig
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    spoiled = suffered(torch.from_numpy(waveform).float(), rate, generator, _SUFFERS).double().numpy()
    try:
        return listen(spoiled * (np.abs(waveform).max(axis=1, keepdims=True) > 0.0), rate, rig)
    except EchoError:
        return listen(waveform, rate, rig)


def _seen(origin: Origin, pair: Pair, model: str | None, rng: np.random.Generator) -> DepthMap:
    """One version of the map: bent truth, or what a real model made of the picture."""
    truth, camera = pair.sounding.depth, pair.sounding.intrinsics
    if model is None or pair.box is None:
        return distorted(cropped(DepthMap(truth, truth, camera), rng), rng)
    step = round((pair.box[2] - pair.box[0]) / truth.shape[1])
    depth = _model_map(model, Path(origin.root) / "images" / f"{origin.number:04d}.jpg", pair.box)[::step, ::step]
    return distorted(cropped(DepthMap(depth, truth, camera), rng, least=0.7), rng, _MODEL_STRENGTH)


def _model_map(model: str, picture: Path, box: tuple[int, int, int, int]) -> np.ndarray:
    """(H, W) depth, in any unit, of a part of a picture."""
    from avsnet.models.infer import infer
    from avsnet.scale.rules import as_depth

    network = _loaded(model)
    return as_depth(infer(network, np.asarray(Image.open(picture).crop(box))), network.info.output)


@lru_cache(maxsize=4)
def _loaded(model: str):  # type: ignore[no-untyped-def]
    from avsnet.models.registry import create_model

    return create_model(model, weights=None if model.startswith("onnx:") else "default")


def _of_map(found: DepthMap) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Channels, statistics and targets of one version of the map."""
    valid = found.depth > 0.0
    if (valid & (found.truth > 0.0)).sum() < _LEAST_KNOWN:
        found, valid = DepthMap(np.ones((32, 32)), np.ones((32, 32)), found.intrinsics), np.ones((32, 32), dtype=bool)
        channels, numbers = map_features(found.depth, valid, found.intrinsics)
        return channels, numbers, np.full(2, np.nan, dtype=np.float32)
    channels, numbers = map_features(found.depth, valid, found.intrinsics)
    median = np.log(np.median(found.depth[valid]))
    return channels, numbers, (np.log(found.scales()) + median).astype(np.float32)
