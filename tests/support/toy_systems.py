from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.errors import DataError
from avsnet.evaluation.instances import Cases
from avsnet.models import ModelInfo, list_models, register_model, registry

SIZE = (18, 24)


class Rooms(torch.utils.data.Dataset):
    """Flat walls at distances known from the id: a picture whose red is the shape, an echo whose level is the depth."""

    def __init__(self, count=7, broken=(), empty=()):
        self.count, self.broken, self.empty = count, broken, empty

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if index in self.broken:
            raise DataError(f"room/{index}: cannot be read")
        random = np.random.default_rng(index)
        shape = random.uniform(0.3, 1.0, SIZE).astype(np.float32)
        shape = np.round(shape * 255) / np.float32(255)
        metres = np.float32(1.5 + index)
        depth = shape * metres
        depth[:3] = 0.0
        if index in self.empty:
            depth[:] = 0.0
        wave = np.zeros((2, 4000), np.float32)
        wave[:, 300 : 300 + len(sweep())] = 0.5 * sweep()
        wave[:, 2000] = metres / 20.0
        return {
            "id": f"room/{index}",
            "image": torch.from_numpy(np.stack([shape] * 3)),
            "depth": torch.from_numpy(depth)[None],
            "valid": torch.from_numpy(depth > 0)[None],
            "waveform": torch.from_numpy(wave),
            "sample_rate": SAMPLE_RATE,
            "ambiguous": index % 2 == 0,
        }


def info(name, output):
    return ModelInfo(name, output, "MIT", "MIT", "this test", size_multiple=1)


class Shape(torch.nn.Module):
    """Knows the shape of depth but not its scale."""

    def __init__(self, weights=None, gain=1.0):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def forward(self, batch):
        return {"relative_depth": self.gain * batch["image"][:, :1] * 0.37}


@dataclass(frozen=True)
class Settings:
    """Of what a toy hears."""

    align_to: int | None = 299


class Listener(torch.nn.Module):
    """Knows shape and scale: the echo's level is the wall's distance; deaf, it takes 4 m."""

    calls = 0

    def __init__(self, weights=None):
        super().__init__()
        self.audio = Settings()

    def forward(self, batch):
        type(self).calls += 1
        metres = batch["waveform"][:, 0, 1995:2006].amax(-1).view(-1, 1, 1, 1) * 20.0
        metres = torch.where(metres > 0.0, metres, torch.full_like(metres, 4.0))
        return {"metric_depth": batch["image"][:, :1] * metres}


class Blind(torch.nn.Module):
    """Knows the shape, and takes every room for 4 m, or for as many as its file of weights says."""

    def __init__(self, weights=None):
        super().__init__()
        text = Path(weights).read_text() if weights and Path(weights).is_file() else "weights"
        self.metres = 4.0 if text == "weights" else float(text)

    def forward(self, batch):
        return {"metric_depth": batch["image"][:, :1] * self.metres}


class Open(torch.nn.Module):
    """Inverse depth up to scale and shift."""

    def __init__(self, weights=None):
        super().__init__()

    def forward(self, batch):
        return {"affine_disparity": 3.0 / batch["image"][:, :1] - 1.0}


@pytest.fixture(scope="module")
def models():
    """Four toy systems in a copy of the registry."""
    list_models()
    patch = pytest.MonkeyPatch()
    patch.setattr(registry, "_MODELS", dict(registry._MODELS))
    register_model(info("toy_shape", "relative_depth"))(Shape)
    register_model(info("toy_av", "metric_depth"))(Listener)
    register_model(info("toy_v", "metric_depth"))(Blind)
    register_model(info("toy_open", "affine_disparity"))(Open)
    yield Listener
    patch.undo()


@pytest.fixture(scope="module")
def paper_models(models, tmp_path_factory):
    """Toys under the names of the paper's systems; weights, which toys ignore, for all but two of them."""
    for name, toy in {
        "bitd": (Listener, "metric_depth"),
        "batvision_unet_256": (Listener, "metric_depth"),
        "monodepth2": (Shape, "relative_depth"),
        "monovit": (Shape, "relative_depth"),
        "lite_mono": (Shape, "relative_depth"),
        "zoedepth_n": (Blind, "metric_depth"),
        "jun2022_mdr": (Blind, "metric_depth"),
        "newcrfs_large07": (Blind, "metric_depth"),
    }.items():
        toy_info = replace(info(name, toy[1]), published="its authors' page", weights_licence="research only")
        registry._MODELS[name] = (toy_info, toy[0])
    patch = pytest.MonkeyPatch()
    patch.setenv("AVSNET_CACHE", str(tmp_path_factory.mktemp("cache")))
    folder = tmp_path_factory.mktemp("weights")
    for name in (
        "toy_av",
        "toy_v",
        "bitd",
        "monodepth2",
        "lite_mono",
        "zoedepth_n",
        "jun2022_mdr",
        "batvision_unet_256",
    ):
        (folder / name).write_text("weights")
    yield folder
    patch.undo()


@pytest.fixture(scope="session")
def rooms():
    """The toy data set, to be made with a count and with broken and empty rows."""
    return Rooms


@pytest.fixture
def cases():
    return Cases(Rooms(), "toys", 12.0)
