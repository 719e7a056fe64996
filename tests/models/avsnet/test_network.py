"""AVS-Net: sees alone as it does before it learns to hear, hears alike whatever the file, and keeps its weights."""

import json
import os
import pickle
import shutil
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from avsnet import weights
from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.network_input import hear
from avsnet.errors import EchoError, ModelError, OptionError, SampleError
from avsnet.losses import silog
from avsnet.models import create_model, list_models
from avsnet.models.avsnet.fusion import FUSIONS
from avsnet.models.avsnet.network import AVSNet
from avsnet.models.avsnet.weights import load_folder, save_half
from avsnet.models.registry import model_info
from avsnet.models.resize import input_size
from places import SHARED

SIZE = (64, 96)
ALL = [name for name in list_models() if name.startswith("avsnet_")]
SMALL = [name for name in ALL if name.startswith(("avsnet_tiny", "avsnet_lite0", "avsnet_midas_small"))]
GOLDEN = SHARED / "golden"


class Code:
    """Runs a command when a careless reader unpickles it."""

    def __reduce__(self):
        return (os.mkdir, ("must_not_exist",))


def tiny(name="avsnet_tiny_av", **options):
    return create_model(name, **{"input_size": SIZE, "n_bins": 8} | options)


def batch(rows=2, sound=True, samples=9000, seed=0):
    rng = np.random.default_rng(seed)
    waveform = 0.002 * rng.normal(size=(rows, 2, samples))
    chirp = sweep()
    for row in range(rows):
        for gain, start in ((0.5, 300), (0.2, 900 + 300 * row), (0.1, 2000 + 100 * row)):
            waveform[row, :, start : start + len(chirp)] += gain * chirp
    found = {"image": torch.rand(rows, 3, *SIZE, generator=torch.Generator().manual_seed(seed))}
    if sound:
        found |= {"waveform": torch.from_numpy(waveform.astype(np.float32)), "sample_rate": SAMPLE_RATE}
    return found


def open_gates(model):
    """As after some training: the gate open, the learned nothing something."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith((".gate", ".null")):
                weight.normal_(generator=torch.Generator().manual_seed(0))
    return model


@pytest.fixture(scope="module")
def heard():
    return batch()


@pytest.fixture(scope="module")
def net():
    return open_gates(tiny())


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "avsnet_tiny_av"
    net.save_pretrained(path)
    return path


@pytest.mark.parametrize("name", SMALL)
def test_every_small_avsnet_runs_learns_and_is_loaded_bit_equal(name, heard, tmp_path):
    model = open_gates(tiny(name))
    outputs = model(heard)
    depth = outputs["metric_depth"]
    rows, _, height, width = depth.shape
    assert (rows, width * SIZE[0], depth.dtype) == (2, height * SIZE[1], torch.float32)
    assert (depth > 0.0).all() and torch.isfinite(depth).all()
    assert outputs["bin_centers"].shape[:2] == (2, 8)
    assert model.info.name == name and model.info.parameters == sum(w.numel() for w in model.parameters())

    model.train()
    loss = silog(model(heard)["metric_depth"], torch.full((2, 1, *SIZE), 3.0) + torch.rand(2, 1, *SIZE))
    loss.backward()
    silent = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not silent
    model.eval()

    model.save_pretrained(tmp_path / "saved")
    loaded = create_model(name, weights=tmp_path / "saved")
    assert torch.equal(loaded(heard)["metric_depth"], model(heard)["metric_depth"])
    assert torch.equal(AVSNet.from_pretrained(tmp_path / "saved")(heard)["metric_depth"], model(heard)["metric_depth"])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_fresh_network_hears_nothing_yet_and_sees_as_the_visual_one(fusion, heard):
    hears, sees = tiny(fusion=fusion), tiny("avsnet_tiny_v")
    shared = {key: value for key, value in hears.state_dict().items() if not key.startswith(("echo_", "fusion."))}
    sees.load_state_dict(shared)
    assert torch.equal(hears(heard)["metric_depth"], sees(heard)["metric_depth"])
    assert torch.equal(hears(batch(sound=False))["metric_depth"], sees(heard)["metric_depth"])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_once_the_gates_are_open_every_weight_that_hears_gets_a_gradient(fusion, heard):
    model = open_gates(tiny(fusion=fusion, echo_dropout=0.5)).train()
    torch.manual_seed(1)  # one of the two echoes is dropped, so that the learned nothing learns too
    silog(model(heard)["metric_depth"], torch.full((2, 1, *SIZE), 3.0) + torch.rand(2, 1, *SIZE)).backward()
    hearing = {name: weight for name, weight in model.named_parameters() if name.startswith(("echo_", "fusion."))}
    assert len(hearing) > 10
    assert not [name for name, weight in hearing.items() if not weight.grad.abs().max() > 0.0]


def test_the_echo_reaches_the_decoder_where_it_is_fused_into_it_and_else_the_bins_alone(heard):
    for place in ("bins", "decoder"):
        model = open_gates(tiny(fuse_into=place))
        seen = []
        model.midas.scratch.register_forward_hook(lambda _module, _inputs, output, seen=seen: seen.append(output[0]))
        depth = [model(heard)["metric_depth"], model(batch(sound=False))["metric_depth"]]
        assert not torch.equal(*depth)
        assert torch.equal(*seen) == (place == "bins")


def test_an_echo_that_is_fused_into_the_scale_multiplies_every_metre_by_one_factor(heard):
    model, sees = tiny("avsnet_lite0_av", fuse_into="scale"), tiny("avsnet_lite0_v")
    sees.load_state_dict({key: value for key, value in model.state_dict().items() if key in sees.state_dict()})
    loud, seen = model(heard), sees(heard)
    ratio = loud["metric_depth"] / seen["metric_depth"]
    for key in ("metric_depth", "bin_centers", "seed_centers"):
        torch.testing.assert_close(loud[key], ratio[..., :1, :1] * seen[key])
    assert (ratio[0] - ratio[1]).abs().max() > 1e-5
    assert torch.equal(model(batch(sound=False))["metric_depth"], sees(heard)["metric_depth"])
    other = model(heard | {"waveform": heard["waveform"].flip(0)})["metric_depth"]
    assert (other - loud["metric_depth"]).abs().max() > 1e-5
    nearer = heard | {
        "intrinsics": torch.tensor([[40.0, 0.0, 20.0], [0.0, 40.0, 20.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    }
    assert not torch.allclose(model(nearer)["metric_depth"], loud["metric_depth"])


def test_in_training_an_echo_is_also_trusted_wholly_where_there_is_one(heard):
    model = tiny("avsnet_lite0_av", fuse_into="scale", echo_dropout=0.1)
    assert "as_heard" not in model(heard)
    for norm in (part for part in model.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)):
        norm.momentum = 0.0
    seen = model.train()(batch(sound=False))
    assert torch.equal(seen["as_heard"], seen["metric_depth"])
    out = model(heard)
    moved, wholly = (torch.log(out[key] / seen["metric_depth"]) for key in ("metric_depth", "as_heard"))
    share = moved / wholly  # the trust, one number a picture
    torch.testing.assert_close(share, share[..., :1, :1].expand_as(share), rtol=1e-3, atol=1e-3)
    assert (share > 0.0).all() and (share < 1.0).all()


def test_less_trust_moves_the_logarithm_of_every_metre_by_as_much_less(heard, tmp_path):
    model = tiny("avsnet_lite0_av", fuse_into="scale")
    model.save_pretrained(tmp_path)
    wary = create_model("avsnet_lite0_av", weights=tmp_path, most_trust=0.5)
    seen = model(batch(sound=False))["metric_depth"]
    full, half = (torch.log(net(heard)["metric_depth"] / seen) for net in (model, wary))
    torch.testing.assert_close(half, 0.5 * full)
    assert full.abs().max() > 1e-5


def test_a_network_that_hears_starts_from_the_saved_one_that_sees_and_says_so(heard, tmp_path):
    sees = tiny("avsnet_lite0_v", max_depth=12.0)
    sees.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="gave all that sees; fresh: echo_encoder, fusion"):
        hears = create_model("avsnet_lite0_av", weights=tmp_path, fusion="tokens")
    assert torch.equal(hears(heard)["metric_depth"], sees(heard)["metric_depth"])
    assert (hears.info.size, hears.metric_bins.depth_range) == (SIZE, (0.1, 12.0))
    assert type(hears.fusion.block).__name__ == "Tokens"


def test_the_visual_network_has_no_parts_that_hear():
    names = [name for name, _ in tiny("avsnet_tiny_v").named_parameters()]
    assert not [name for name in names if name.startswith(("echo_encoder.", "fusion."))]
    assert [name for name, _ in tiny().named_parameters() if name.startswith("echo_encoder.")]


def test_without_echo_dropout_there_is_no_learned_nothing():
    assert "echo_encoder.null" not in tiny(echo_dropout=0.0).state_dict()
    assert "echo_encoder.null" in tiny().state_dict()


def test_the_echo_changes_the_depth_once_the_gates_are_open(net, heard):
    other = heard | {"waveform": heard["waveform"].flip(0)}
    assert (net(heard)["metric_depth"] - net(other)["metric_depth"]).abs().max() > 1e-3


def test_a_spectrogram_in_the_batch_is_as_good_as_the_waveform(net, heard):
    echo, _ = hear(heard["waveform"], SAMPLE_RATE, net.audio)
    given = net({"image": heard["image"], "echo": echo})
    assert torch.equal(given["metric_depth"], net(heard)["metric_depth"])
    with pytest.raises(SampleError, match=r"'echo' is \(2, 2, 257, 100\), wanted floats \(2, 2, 257, 487\)"):
        net({"image": heard["image"], "echo": echo[..., :100]})


def test_the_depth_does_not_depend_on_when_the_recording_starts(net, heard):
    late = torch.nn.functional.pad(heard["waveform"], (676, 0), value=1e-6)
    torch.testing.assert_close(
        net(heard | {"waveform": late})["metric_depth"], net(heard)["metric_depth"], rtol=1e-3, atol=1e-3
    )


def test_a_row_without_an_echo_is_seen_only_and_told(net, heard):
    silent = heard | {"waveform": heard["waveform"] * torch.tensor([1.0, 0.0])[:, None, None]}
    mixed, seen = net(silent), net(batch(sound=False))
    assert mixed["heard"].tolist() == [True, False]
    torch.testing.assert_close(mixed["metric_depth"][0], net(heard)["metric_depth"][0])
    torch.testing.assert_close(mixed["metric_depth"][1], seen["metric_depth"][1])


def test_in_training_echoes_are_varied_and_in_use_they_are_not(heard):
    model = open_gates(tiny(echo_dropout=0.0, echo_variation=True))
    plain = open_gates(tiny(echo_dropout=0.0))
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(heard)["metric_depth"], plain(heard)["metric_depth"])
    for network in (model, plain):
        network.train()
        for module in network.modules():  # of batch statistics the outputs would depend too
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    assert torch.equal(plain(heard)["metric_depth"], plain(heard)["metric_depth"])
    assert (model(heard)["metric_depth"] - model(heard)["metric_depth"]).abs().max() > 1e-4


def test_in_training_echoes_are_dropped_and_in_use_they_are_not(heard):
    model = open_gates(tiny(echo_dropout=0.9))
    assert torch.equal(model(heard)["metric_depth"], model(heard)["metric_depth"])
    torch.manual_seed(0)
    model.train()
    for module in model.modules():  # of batch statistics the outputs would depend too
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    outputs = [model(heard)["metric_depth"][0] for _ in range(12)]
    dropped = sum(torch.allclose(output, model.eval()(batch(sound=False))["metric_depth"][0]) for output in outputs)
    assert 6 <= dropped <= 12


def test_a_network_that_must_hear_says_what_it_lacks(heard):
    model = tiny(echo_dropout=0.0)
    with pytest.raises(SampleError, match="needs a sound, 'waveform' with 'sample_rate', or 'echo'"):
        model(batch(sound=False))
    with pytest.raises(EchoError, match="row 1: no echo in this recording"):
        model(heard | {"waveform": heard["waveform"] * torch.tensor([1.0, 0.0])[:, None, None]})
    with pytest.raises(SampleError, match="no 'sample_rate' beside it"):
        model({key: value for key, value in heard.items() if key != "sample_rate"})
    with pytest.raises(SampleError, match="'waveform' has 1 rows and 'image' 2"):
        model(heard | {"waveform": heard["waveform"][:1]})


def test_half_precision_on_disk_loads_as_float32_and_close(net, heard, tmp_path):
    save_half(net, tmp_path / "half")
    loaded = load_folder(tmp_path / "half")
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {value.dtype for value in stored.values() if value.is_floating_point()} == {torch.float16}
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(loaded(heard)["metric_depth"], net(heard)["metric_depth"], rtol=0.02, atol=0.02)


def test_an_upright_picture_is_seen_upright():
    info = create_model("avsnet_lite0_v").info
    assert input_size(info, 480, 640) == input_size(info, 640, 640) == info.size == (96, 128)
    assert input_size(info, 640, 480) == (128, 96)


def test_the_packaged_network_is_small_enough(tmp_path):
    save_half(create_model("avsnet_tiny_av"), tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 12e6


def test_a_folder_keeps_every_option_and_a_given_one_wins(tmp_path, heard):
    options = {
        "fusion": "tokens",
        "max_depth": 12.0,
        "echo_dropout": 0.25,
        "audio": {"samples": 4000, "amplitude": "rms"},
        "bins": {"centers": "normed"},
    }
    model = tiny(**options)
    model.save_pretrained(tmp_path / "net")
    loaded = create_model("avsnet_tiny_av", weights=tmp_path / "net", max_depth=10.0, audio={"amplitude": "none"})
    assert loaded.audio == replace(model.audio, amplitude="none") and loaded.audio.samples == 4000
    assert loaded.info.size == SIZE and loaded.echo_dropout == 0.25
    assert loaded.metric_bins.depth_range == (0.1, 10.0)
    assert torch.equal(load_folder(tmp_path / "net")(heard)["metric_depth"], model(heard)["metric_depth"])


def test_a_saved_network_does_not_depend_on_what_later_becomes_a_default(net, folder, heard, monkeypatch):
    wanted = net(heard)["metric_depth"]
    config = json.loads((folder / "config.json").read_text())
    assert config["bins"]["alpha"] == 3.0 and config["audio"]["samples"] == 7782 and config["fuse_into"] == "decoder"
    monkeypatch.setattr("avsnet.models.avsnet.network.NARROW", {"alpha": 300.0})
    assert torch.equal(load_folder(folder)(heard)["metric_depth"], wanted)


def test_parameter_groups_hold_each_weight_once(net):
    groups = net.parameter_groups()
    assert list(groups) == ["encoder", "relative_position", "decoder", "rest"]
    listed = [id(weight) for group in groups.values() for weight in group]
    assert sorted(listed) == sorted(id(weight) for weight in net.parameters())
    assert len(groups["rest"]) == len([n for n, _ in net.named_parameters() if not n.startswith("midas.")])


def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_a_truncated_file_is_refused(folder, tmp_path):
    path = copied(folder, tmp_path)
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read as weights.*fetch the file again"):
        load_folder(path)


def test_a_folder_without_its_parts_is_refused(folder, tmp_path):
    path = copied(folder, tmp_path)
    (path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors: no such file"):
        load_folder(path)
    (path / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json in it"):
        load_folder(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "zoedepth"}'])
def test_a_config_of_something_else_is_refused(folder, tmp_path, text):
    path = copied(folder, tmp_path)
    (path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json"):
        load_folder(path)


def test_a_config_of_unknown_or_impossible_options_is_refused(folder, tmp_path):
    path = copied(folder, tmp_path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"fusion": "sum"}))
    with pytest.raises(OptionError, match="fusion: found 'sum'"):
        load_folder(path)
    (path / "config.json").write_text(json.dumps(config | {"encoder": "midas_huge"}))
    with pytest.raises(ModelError, match="midas_huge"):
        load_folder(path)


def test_weights_of_another_variant_are_refused_by_name(folder, tmp_path):
    with pytest.raises(ModelError, match=r"midas_tiny with fusion bilinear, which is not avsnet_tiny_v"):
        create_model("avsnet_tiny_v", weights=folder)
    with pytest.raises(ModelError, match=r"not avsnet_midas_small_av"):
        create_model("avsnet_midas_small_av", weights=folder)
    path = copied(folder, tmp_path)
    state = load_file(path / "model.safetensors")
    save_file({key: value for key, value in state.items() if "fusion" not in key}, path / "model.safetensors")
    with pytest.raises(ModelError, match=r"7 missing \(fusion\."):
        load_folder(path)
    with pytest.raises(ModelError, match=r"misshapen \(metric_bins"):
        create_model("avsnet_tiny_av", weights=folder, n_bins=16)


def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.pt").write_bytes(pickle.dumps({"scratch.x": Code()}))
    with pytest.raises(ModelError, match="can run code: refused"):
        create_model("avsnet_tiny_av", weights=tmp_path / "net.pt")
    assert not (tmp_path / "must_not_exist").exists()


def test_a_file_that_is_neither_midas_nor_zoedepth_is_refused(tmp_path):
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=r"net\.pt: neither a MiDaS nor a ZoeDepth file"):
        create_model("avsnet_tiny_av", weights=tmp_path / "net.pt")


def test_no_default_weights_is_one_clear_line(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path)
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="avsnet_tiny_av: no weights of it come with this installation") as caught:
        create_model("avsnet_tiny_av", weights="default")
    assert "\n" not in str(caught.value)


def test_default_weights_are_those_packaged_under_the_name(folder, monkeypatch, heard, net):
    monkeypatch.setattr(weights, "PACKAGED", folder.parent)
    model = create_model("avsnet_tiny_av", weights="default")
    assert torch.equal(model(heard)["metric_depth"], net(heard)["metric_depth"])
    assert len(model.weights_hash) == 12


def test_a_published_midas_file_gives_the_encoder_and_says_what_stays_fresh(tmp_path):
    published = create_model("midas_tiny")
    with torch.no_grad():
        for weight in published.parameters():
            weight.mul_(1.5)
    torch.save(published.state_dict(), tmp_path / "midas.pt")
    with pytest.warns(
        UserWarning, match=r"midas\.pt: gave the MiDaS network; fresh: metric_bins, fusion, echo_encoder"
    ):
        model = tiny(weights=tmp_path / "midas.pt")
    assert all(torch.equal(model.midas.state_dict()[key], value) for key, value in published.state_dict().items())


def test_a_published_zoedepth_file_gives_encoder_and_head(tmp_path, heard):
    source = tiny("avsnet_tiny_v")
    state = {f"core.core.{key}": value for key, value in source.midas.state_dict().items()}
    state |= {key: 1.25 * value for key, value in source.metric_bins.state_dict().items()}
    name = "conditional_log_binomial.log_binomial_transform."
    state |= {f"{name}k_idx": torch.arange(8), f"{name}K_minus_1": torch.tensor(7.0)}
    torch.save({"model": state, "optimizer": None, "epoch": None}, tmp_path / "zoe.pt")
    with pytest.warns(UserWarning, match=r"gave the MiDaS network and the metric bins; fresh: fusion, echo_encoder"):
        hears = tiny(weights=tmp_path / "zoe.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sees = tiny("avsnet_tiny_v", weights=tmp_path / "zoe.pt")
    assert torch.equal(hears(heard)["metric_depth"], sees(heard)["metric_depth"])
    assert not torch.equal(sees(heard)["metric_depth"], source(heard)["metric_depth"])


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"fusion": "sum"}, "fusion: found 'sum'"),
        ({"fusion": "none"}, "without fusion it is avsnet_tiny_v"),
        ({"echo_dropout": 1.0}, "echo_dropout: found 1.0"),
        ({"input_size": (100, 100)}, "input_size"),
        ({"most_trust": 0.0}, "most_trust: found 0.0, wanted above 0 to 1"),
        ({"echo_variation": True, "audio": {"amplitude": "rms"}}, "echo_variation: needs audio of amplitude direct"),
        ({"echo_variation": True, "audio": {"align_to": None}}, "echo_variation: needs audio.align_to"),
        ({"fuse_into": "eyes"}, "fuse_into: found 'eyes', wanted one of bins, decoder, scale"),
        ({"bins": {"colour": 1}}, "bins: no setting 'colour'"),
        ({"audio": {"loudness": 1}}, "audio: no setting 'loudness'"),
        ({"max_depth": 0.05}, "depth_range"),
    ],
)
def test_options_outside_what_they_allow_are_named(options, wanted):
    with pytest.raises(OptionError, match=wanted):
        tiny(**options)
    if "fusion" not in options:
        return
    with pytest.raises(OptionError, match="avsnet_tiny_v only sees"):
        create_model("avsnet_tiny_v", fusion="film")


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize("name", ALL)
def test_every_encoder_has_an_avsnet_that_hears_and_one_that_only_sees(name):
    with torch.device("meta"):
        model = create_model(name)
    groups = model.parameter_groups()
    assert sum(len(group) for group in groups.values()) == len(list(model.parameters()))
    assert bool(groups["relative_position"]) == any("relative_position" in key for key, _ in model.named_parameters())
    hearing = [key for key, _ in model.named_parameters() if key.startswith(("echo_encoder.", "fusion."))]
    assert bool(hearing) == name.endswith("_av") == (model.audio is not None)
    assert model.info.name == name
    assert model.info.parameters == model_info(name).parameters == sum(weight.numel() for weight in model.parameters())


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_the_paper_s_network_has_the_published_number_of_parameters_beside_its_ears():
    with torch.device("meta"):
        sees, hears = (create_model(f"avsnet_beit_large_384_{which}") for which in ("v", "av"))
    parts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in hears.named_children()}
    # Published with a classifier of 1000 and a norm, which are never run.
    assert parts["midas"] + 1024 * 1002 + 1000 == pytest.approx(344.34e6, abs=1e4)
    assert parts["metric_bins"] == pytest.approx(0.478e6, rel=2e-3)
    assert parts["fusion"] == 256 * 256 * 512 + 256 + 256 * 257 + 3 * 256
    assert hears.info.parameters == sees.info.parameters + parts["fusion"] + parts["echo_encoder"]


@pytest.mark.slow
def test_from_the_published_zoedepth_file_it_starts_with_zoedepths_metres(monkeypatch):
    if not (GOLDEN / "zoedepth_nyu").is_dir():
        pytest.skip("../shared/golden/zoedepth_nyu is absent")
    sys.path.insert(0, str(GOLDEN))
    try:
        from fill import from_shapes
    finally:
        sys.path.remove(str(GOLDEN))
    state = from_shapes(json.loads((GOLDEN / "zoedepth_nyu" / "keys.json").read_text())["ZoeD_M12_N.pt"])
    gains = {"seed_bin_regressor._net": 8.0, "attractors.": 8.0, "conditional_log_binomial.mlp": 16.0}
    for key, value in state.items():
        for part, gain in gains.items():
            if key.startswith(part) and key.endswith("2.weight"):
                value.mul_(gain)
    monkeypatch.setattr("avsnet.models.avsnet.weights.read_state_dict", lambda path: state)
    with pytest.warns(UserWarning, match="gave the MiDaS network and the metric bins; fresh: fusion, echo_encoder"):
        model = create_model("avsnet_beit_large_384_av", weights="ZoeD_M12_N.pt")
    with np.load(GOLDEN / "zoedepth_nyu" / "case1.npz") as case, torch.inference_mode():
        image = torch.from_numpy(case["image"]).permute(2, 0, 1)[None] / 255.0
        depth = model({"image": image})["metric_depth"][..., ::4, ::4].numpy()
        np.testing.assert_allclose(depth, case["metric_depth_s4"].reshape(depth.shape), atol=1e-4)
