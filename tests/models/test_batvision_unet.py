import importlib.util
import json

import numpy as np
import pytest
import torch

from avsnet.audio.network_input import hear
from avsnet.errors import ModelError, SampleError
from avsnet.models import create_model
from places import SHARED

GOLDEN = SHARED / "golden"
needs_golden = pytest.mark.skipif(
    not (GOLDEN / "batvision_unet").is_dir(), reason="the goldens (../shared/golden) are absent"
)


@pytest.fixture(scope="module")
def small():
    return create_model("batvision_unet_128", ngf=4)


@needs_golden
@pytest.mark.parametrize("size", [256, 128])
def test_a_published_checkpoint_loads_and_reproduces_the_golden_case(size, tmp_path):
    spec = importlib.util.spec_from_file_location("fill", GOLDEN / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    keys = json.loads((GOLDEN / "batvision_unet" / "keys.json").read_text())[f"unet_{size}"]
    checkpoint = {"epoch": 50, "state_dict": fill.from_shapes(keys), "optimizer": {"state": {}}}
    torch.save(checkpoint, tmp_path / "checkpoint.pth")
    network = create_model(f"batvision_unet_{size}", weights=tmp_path / "checkpoint.pth")
    case = np.load(GOLDEN / "batvision_unet" / "case1.npz")
    with torch.inference_mode():
        out = network({"echo": torch.from_numpy(case[f"input{size}"])})
    expected = torch.from_numpy(case[f"depth01_{size}"])
    torch.testing.assert_close(out["raw"][:, 0, ::2, ::2], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(out["metric_depth"], out["raw"] * 30.0)


@needs_golden
@pytest.mark.parametrize("size", [256, 128])
def test_the_network_has_the_published_entries_and_parameters(size):
    keys = json.loads((GOLDEN / "batvision_unet" / "keys.json").read_text())[f"unet_{size}"]
    with torch.device("meta"):
        network = create_model(f"batvision_unet_{size}")
    own = {f"module.{key}": list(value.shape) for key, value in network.state_dict().items()}
    assert own == {key: entry["shape"] for key, entry in keys.items()}
    assert sum(parameter.numel() for parameter in network.parameters()) == network.info.parameters


def test_the_skip_carries_the_activated_input():
    block = create_model("batvision_unet_128", ngf=4).model.model[1]
    x = torch.randn(1, 4, 64, 64)
    with torch.inference_mode():
        skip = block(x)[:, :4]
    torch.testing.assert_close(skip, torch.where(x > 0, x, 0.2 * x))


def test_it_hears_without_a_picture_and_the_waveform_gives_what_its_spectrogram_gives(small):
    waveform = torch.rand(2, 2, 20_000) * 2.0 - 1.0
    with torch.inference_mode():
        out = small({"waveform": waveform, "sample_rate": torch.tensor([44_100, 44_100])})
        again = small({"echo": hear(waveform, 44_100, small.audio, (128, 128))[0]})
    assert out["metric_depth"].shape == (2, 1, 128, 128)
    torch.testing.assert_close(out, again)


def test_without_depth_norm_the_output_is_metres_from_zero_up():
    network = create_model("batvision_unet_128", ngf=4, depth_norm=False)
    with torch.no_grad():
        network.model.model[3].bias.fill_(40.0)
    with torch.inference_mode():
        out = network({"waveform": torch.zeros(1, 2, 8_000), "sample_rate": 44_100})
    assert out["metric_depth"].min() > 30.0
    torch.testing.assert_close(out["metric_depth"], out["raw"])


def test_every_parameter_gets_a_gradient(small):
    out = small({"waveform": torch.rand(2, 2, 8_000), "sample_rate": 44_100})
    out["metric_depth"].square().mean().backward()
    assert all(parameter.grad is not None for parameter in small.parameters())
    small.zero_grad(set_to_none=True)


def test_a_saved_folder_builds_the_same_network(tmp_path):
    network = create_model("batvision_unet_128", ngf=4, max_depth=12.0)
    with torch.no_grad():
        network.model.model[3].bias.fill_(0.25)
    network.save_pretrained(tmp_path)
    loaded = create_model("batvision_unet_128", weights=tmp_path)
    assert loaded.max_depth == 12.0
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    with pytest.raises(ModelError, match="another model or variant"):
        create_model("batvision_unet_256", weights=tmp_path)


def test_a_recording_at_another_rate_is_resampled(small):
    times = torch.arange(20_000, dtype=torch.float64)
    tone = {
        rate: torch.sin(2.0 * torch.pi * 3_000.0 * times / rate).float().expand(1, 2, -1) for rate in (44_100, 48_000)
    }
    with torch.inference_mode():
        maps = [small({"waveform": wave, "sample_rate": rate})["raw"] for rate, wave in tone.items()]
        wrong = small({"waveform": tone[48_000], "sample_rate": 44_100})["raw"]
    assert (maps[0] - maps[1]).abs().mean() < 0.1 * (maps[0] - wrong).abs().mean()


def test_a_batch_without_a_sound_is_refused_and_so_is_one_without_its_rate(small):
    with pytest.raises(SampleError, match="'waveform' has no 'sample_rate'"):
        small({"waveform": torch.zeros(1, 2, 8_000)})
    with pytest.raises(SampleError, match="needs 'waveform'"):
        small({"image": torch.zeros(1, 3, 128, 128)})
