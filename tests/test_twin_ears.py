"""The script that trains the twin's ears on cached features does what the config does in one go."""

import importlib.util

import numpy as np
import pytest
import torch

from avsnet.losses import silog
from avsnet.models import create_model
from places import ROOT

OPTIONS = {"input_size": (96, 128), "max_depth": 30.0, "n_bins": 32, "fuse_into": "scale", "audio": {"n_fft": 128}}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("twin_ears", ROOT / "benchmarks" / "twin_ears.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return create_model("avsnet_lite0_av", **OPTIONS).eval()


@pytest.fixture(scope="module")
def samples():
    chance = torch.Generator().manual_seed(1)
    depth = 1.0 + 5.0 * torch.rand(3, 1, 96, 128, generator=chance)
    depth[:, :, :20] = 0.0
    wave = 0.01 * torch.randn(3, 2, 8800, generator=chance)
    wave[:, :, 900] = 1.0
    camera = torch.tensor([[110.0, 0, 64], [0, 120, 48], [0, 0, 1]])
    pictures = torch.rand(3, 3, 96, 128, generator=chance)
    return [
        {"image": i, "waveform": w, "sample_rate": 44100, "intrinsics": camera, "depth": d, "valid": d > 0}
        for i, w, d in zip(pictures, wave, depth, strict=True)
    ]


def test_its_loss_of_what_it_keeps_is_that_of_the_whole_maps(script, net, samples):
    batch = {key: torch.stack([sample[key] for sample in samples]) for key in samples[0] if key != "sample_rate"}
    with torch.no_grad():
        whole = net(batch | {"sample_rate": 44100})["metric_depth"]
        bottleneck, numbers = script._see(samples, net, (96, 128))
        echo = script.hear(batch["waveform"], 44100, net.audio)[0]
        kept = [torch.from_numpy(values).float() for values in (numbers, bottleneck)]
        moved = script.factor(net, kept[0][:, 0], kept[1], echo, kept[0][:, 4])
    wanted = silog(whole, batch["depth"], batch["valid"])
    assert float(script.silog_of(kept[0], moved)) == pytest.approx(float(wanted), rel=2e-3)
    assert float(moved.abs().min()) > 0.0  # it was heard


def test_nobody_keeps_their_own_echo_in_the_control(script):
    giver = script.another(50, 3)
    assert sorted(giver) == list(range(50)) and not (giver == np.arange(50)).any()
