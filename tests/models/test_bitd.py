import importlib.util
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from avsnet.audio.network_input import hear
from avsnet.errors import ModelError, OptionError, SampleError
from avsnet.models import create_model, model_info
from avsnet.models.bitd import FILES
from places import SHARED

GOLDEN = SHARED / "golden"
needs_golden = pytest.mark.skipif(not (GOLDEN / "bitd").is_dir(), reason="the goldens (../shared/golden) are absent")


@pytest.fixture(scope="module")
def small():
    return create_model("bitd", width=32)


def batch_of(size=(128, 128), count=2, samples=2646, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "image": torch.rand(count, 3, *size, generator=generator),
        "waveform": torch.rand(count, 2, samples, generator=generator) * 2.0 - 1.0,
        "sample_rate": 44_100,
    }


def test_depth_is_the_mix_of_both_depths_by_the_attention_within_the_largest_depth(small):
    with torch.inference_mode():
        out = small(batch_of())
    mixed = out["attention"] * out["echo_depth"] + (1 - out["attention"]) * out["image_depth"]
    torch.testing.assert_close(out["metric_depth"], mixed)
    assert out["metric_depth"].shape == (2, 1, 128, 128)
    assert 0.0 < out["metric_depth"].min() and out["metric_depth"].max() < 14.104


def test_another_picture_size_and_other_spectrograms_are_options():
    network = create_model("bitd", width=32, input_size=(64, 96), audio={"samples": 7782}, max_depth=30.0)
    assert network.info.size == (64, 96)
    with torch.inference_mode():
        out = network(batch_of((64, 96), samples=20_000))
    assert {value.shape for value in out.values()} == {(2, 1, 64, 96)}


def test_every_trained_parameter_gets_a_gradient_and_is_in_one_group(small):
    small(batch_of())["metric_depth"].mean().backward()
    trained = [parameter for parameter in small.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in trained)
    # Of each network the first layer, which the gradient reaches last.
    for part in (small.image_network.rgbdepth_convlayer1, small.echo_encoder.feature_extraction[0]):
        assert part[0].weight.grad.abs().sum() > 0
    assert small.material_network.pretrained.conv1.weight.grad.abs().sum() > 0
    grouped = [id(parameter) for group in small.parameter_groups().values() for parameter in group]
    assert sorted(grouped) == sorted(map(id, small.parameters()))
    small.zero_grad(set_to_none=True)


def test_a_saved_folder_builds_the_same_network_and_options_may_be_changed(small, tmp_path):
    network = create_model("bitd", width=32, max_depth=9.0)
    with torch.no_grad():
        network.image_network.rgbdepth_convlayer1[0].bias.fill_(0.25)
    network.save_pretrained(tmp_path)
    loaded = create_model("bitd", weights=tmp_path)
    assert loaded.max_depth == 9.0
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    assert create_model("bitd", weights=tmp_path, max_depth=8.0).max_depth == 8.0


def test_published_files_load_by_their_names_and_a_missing_or_changed_entry_is_named(small, tmp_path):
    for name, start in FILES.items():
        state = {
            key: value + 1.0 for key, value in getattr(small, name).state_dict().items() if value.is_floating_point()
        }
        if start == "audiodepth":
            state |= {f"conv{n + 1}.0.weight": torch.zeros(1) for n in range(3)}  # aliases, which do not win
        if start == "material":
            state["pretrained.fc.weight"] = torch.zeros(1000, 512)
        torch.save(state, tmp_path / f"{start}_replica.pth")
    loaded = create_model("bitd", weights=tmp_path, width=32)
    key = "echo_encoder.feature_extraction.0.0.weight"
    torch.testing.assert_close(loaded.state_dict()[key], small.state_dict()[key] + 1.0)
    del state["upconvlayer5.0.bias"]
    torch.save(state, tmp_path / "attention_replica.pth")
    with pytest.raises(ModelError, match=r"1 missing \(fusion\.upconvlayer5\.0\.bias\)"):
        create_model("bitd", weights=tmp_path, width=32)
    with pytest.raises(ModelError, match=r"is not a whole network .*give a folder with rgbdepth_replica\.pth"):
        create_model("bitd", weights=tmp_path / "attention_replica.pth", width=32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": None}, "no 'sample_rate'"),
        ({"waveform": None}, "needs 'waveform'"),
        ({"echo": torch.zeros(2, 2, 257, 100)}, r"wanted floats \(2, 2, 257, 166\)"),
        ({"image": torch.zeros(2, 3, 100, 128)}, "multiples of 32"),
    ],
)
def test_what_the_network_cannot_see_or_hear_is_refused(small, change, message):
    with pytest.raises(SampleError, match=message):
        small(batch_of() | change)


@pytest.mark.parametrize(
    "option",
    [
        {"variant": "kitti"},
        {"input_size": (100, 128)},
        {"width": 20},
        {"audio": {"samples": 300}},
        {"audio": {"loudness": 1}},
    ],
)
def test_options_outside_what_they_allow_are_refused(option):
    with pytest.raises(OptionError, match=f"{next(iter(option))}"):
        create_model("bitd", **option)


@needs_golden
def test_the_smaller_networks_take_the_published_entries_and_no_others():
    keys = json.loads((GOLDEN / "bitd" / "keys.json").read_text())
    with torch.device("meta"):
        network = create_model("bitd", width=512)
    for name, start in FILES.items():
        published = {key: tuple(entry["shape"]) for key, entry in keys[f"{start}_replica.pth"].items()}
        own = {key: tuple(value.shape) for key, value in getattr(network, name).state_dict().items()}
        assert own.items() <= published.items()
        rest = {key for key in published if key not in own}
        assert all(key.startswith(("conv1.", "conv2.", "conv3.", "pretrained.fc.")) for key in rest)
    published = 16_658_561 + 8_984_073 + 11_694_642 - 513_000 + 279_581_505  # without the trunk's unused classifier
    assert sum(parameter.numel() for parameter in network.parameters()) == published == model_info("bitd").parameters


@needs_golden
@pytest.mark.slow
def test_the_whole_network_reproduces_the_golden_case():
    spec = importlib.util.spec_from_file_location("fill", GOLDEN / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    network = create_model("bitd")
    gains = {"echo_encoder": ("rgbdepth_upconvlayer", 7, 2.5), "fusion": ("upconvlayer", 5, 2.0)}
    with torch.no_grad():
        for name in FILES:
            part = getattr(network, name)
            for key, value in part.state_dict().items():  # one at a time: the largest draw takes 1 GB
                value.copy_(fill.fill_tensor(key, value))
            if name in gains:
                prefix, count, gain = gains[name]
                for number in range(1, count + 1):
                    getattr(part, f"{prefix}{number}")[0].weight.mul_(gain)
    case = {name: torch.from_numpy(np.asarray(value)) for name, value in np.load(GOLDEN / "bitd" / "case1.npz").items()}
    image = case["rgb_uint8"].permute(0, 3, 1, 2).float() / 255.0
    with torch.inference_mode():
        out = network({"image": image, "echo": case["spectrogram"]})
        heard = network({"image": image, "waveform": case["waveform"][None], "sample_rate": 44_100})
        normalised = (image - network._mean) / network._std
        _, seen = network.image_network(normalised)
        _, sound = network.echo_encoder(case["spectrogram"])
        material = network.material_network(normalised)
        fused = network.fusion.fused(seen, material, sound)
    halved = {name: value[:, 0, ::2, ::2] for name, value in out.items()}
    for found, expected, tolerance in (
        (halved["echo_depth"] / 14.104, case["audio_depth01"], 1e-4),
        (halved["image_depth"] / 14.104, case["image_depth01"], 1e-4),
        (halved["attention"], case["attention"], 1e-4),
        (halved["metric_depth"], case["depth"], 1e-3),
        (seen, case["image_feature"], 1e-4),
        (sound, case["audio_feature"], 1e-4),
        (material, case["material_feature"], 1e-4),
        (network.material_network.classes(material), case["material_logits"], 1e-4),
        (fused, case["fused"], 1e-4),
        (heard["metric_depth"], out["metric_depth"], 1e-3),
    ):
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def test_the_echos_map_is_resized_without_mixing_up_its_axes():
    network = create_model("bitd", width=32, input_size=(64, 128))
    batch = batch_of((64, 128))
    with torch.inference_mode():
        whole, _ = network.echo_encoder(hear(batch["waveform"], 44_100, network.audio)[0])
        out = network(batch)["echo_depth"] / network.max_depth
    torch.testing.assert_close(out, F.avg_pool2d(whole, (2, 1)))
