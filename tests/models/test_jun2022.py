"""Depth map decomposition against the goldens of the original, what must fail them, and its published files."""

import json
import os
import runpy

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from avsnet.errors import ModelError, OptionError, SampleError
from avsnet.models import create_model, jun2022, model_info
from avsnet.models.infer import infer
from avsnet.models.jun2022 import VARIANTS, metres, own_keys
from avsnet.weights import load_strictly
from places import GOLDEN

ENTRIES = {"jun2022_mdr": "51k_HRWSI.pth", "jun2022_plain": "*795*HRWSI*.pth", "jun2022_base": "51k.pth"}
CLASSIFIER = [r"encoder\._fc\.(weight|bias)"]
# Wrong padding in two layers of the encoder moves the last map by no more than 2e-5, but the encoder's by 3e-3.
ALLOWED = {"raw_plain": 1e-6, "raw_base": 1e-6, "mdr_attention_sub": 2e-5}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "jun2022" / "case1.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


@pytest.fixture(scope="module")
def layouts():
    """The entries of each published file: key -> shape and type."""
    entries = json.loads((GOLDEN / "jun2022" / "keys.json").read_text())
    return {name: entries[file] for name, file in ENTRIES.items()}


@pytest.fixture(scope="module")
def networks(layouts):
    """The networks with the weights of the golden cases. Those go by key, so that the largest has those of all."""
    filled = runpy.run_path(str(GOLDEN / "fill.py"))["from_shapes"](layouts["jun2022_mdr"])
    made = {}
    for name, layout in layouts.items():
        made[name] = create_model(name)
        state = {key: filled[key] for key in layout}
        assert all(list(state[key].shape) == entry["shape"] for key, entry in layout.items())
        load_strictly(made[name], own_keys(state), "golden", unused=CLASSIFIER)
    return made


def differences(network, golden):
    """How far the network's map and those inside are from the golden, in shares of what is allowed."""
    tag = network.info.name.removeprefix("jun2022_")
    maps, hooks = {}, []

    def watch(part, note):
        hooks.append(part.register_forward_hook(lambda _part, given, output: maps.update(note(given, output))))

    watch(network.encoder, lambda _, output: {f"reduction_{i + 1}_sub": map for i, map in enumerate(output)})
    decoders = {"g": network.gradient, "n": network.normalised, "m": network.metric}
    for letter, decoder in decoders.items():
        if decoder is not None:
            watch(decoder, lambda _, output, letter=letter: {f"up4_{letter}_sub": output[-1]})
    if network.residual is not None:
        watch(network.residual.regressor, lambda _, output: {"regression": output})
        watch(network.residual.mix, lambda given, _: {"attention_sub": given[0]})
    with torch.inference_mode():
        raw = network({"image": golden[f"image_{tag}"].permute(2, 0, 1)[None] / 255.0})["raw"]
        if network.gradient is not None:
            maps["conv_grad_sub"] = network.gradient.read(maps["up4_g_sub"])
            maps["conv_norm_sub"] = network.normalised.read(maps["up4_n_sub"])
    for hook in hooks:
        hook.remove()
    found = {f"raw_{tag}": raw[..., ::2, ::2] if tag == "mdr" else raw}
    for name, values in maps.items():
        step, every = 8 if tag == "mdr" else 4, max(1, values.shape[1] // 8)
        if name == "attention_sub":
            step, every = 8, 12
        elif name.startswith("reduction"):
            step = max(1, values.shape[2] // 8)
        found[f"{tag}_{name}"] = values if name == "regression" else values[:, ::every, ::step, ::step]
    return {key: float((value - golden[key]).abs().max()) / ALLOWED.get(key, 1e-5) for key, value in found.items()}


@pytest.mark.parametrize(("name", "maps"), [("jun2022_mdr", 14), ("jun2022_plain", 12), ("jun2022_base", 8)])
def test_the_golden_weights_give_the_golden_maps(golden, networks, name, maps):
    assert sum(weight.numel() for weight in networks[name].parameters()) == model_info(name).parameters
    found = differences(networks[name], golden)
    assert len(found) == maps
    assert max(found.values()) < 1.0, found


def padded_to_the_same_size(network):
    """As libraries pad a convolution of stride 2, here of even sizes."""
    network.encoder.network.blocks[3][0].conv_dw.zeros = (0, 1, 0, 1)
    network.encoder.network.blocks[5][0].conv_dw.zeros = (1, 2, 1, 2)


def test_the_padding_of_libraries_fails_the_encoders_golden_maps(golden, networks):
    network = networks["jun2022_base"]
    convs = [network.encoder.network.blocks[stage][0].conv_dw for stage in (3, 5)]
    kept = [conv.zeros for conv in convs]
    try:
        padded_to_the_same_size(network)
        found = differences(network, golden)
    finally:
        for conv, zeros in zip(convs, kept, strict=True):
            conv.zeros = zeros
    assert all(found[f"base_reduction_{level}_sub"] > 100.0 for level in (4, 5, 6))


def no_flow_from_g_to_n(network, patch):
    n = network.normalised
    patch.setattr(n, "forward", lambda pyramid, flow: type(n).forward(n, pyramid, None), raising=False)


def flow_of_g_into_m(network, patch):
    g, m, seen = network.gradient, network.metric, []
    patch.setattr(g, "forward", lambda *given: seen.append(type(g).forward(g, *given)) or seen[-1], raising=False)
    patch.setattr(m, "forward", lambda pyramid, flow: type(m).forward(m, pyramid, seen[-1]), raising=False)


def corners_not_aligned(network, patch):
    resize = nn.functional.interpolate

    def other(x, size=None, scale_factor=None, mode="bilinear", align_corners=None, **more):
        return resize(x, size, scale_factor, mode)

    patch.setattr(jun2022.F, "interpolate", other)


def same_attention_everywhere(network, patch):
    patch.setattr(jun2022.ChannelAttention, "forward", lambda self, x: x * 0.5)


@pytest.mark.parametrize(
    "mistake", [no_flow_from_g_to_n, flow_of_g_into_m, corners_not_aligned, same_attention_everywhere]
)
def test_a_mistake_in_the_decoders_fails_the_golden_map(golden, networks, mistake):
    with pytest.MonkeyPatch.context() as patch:
        mistake(networks["jun2022_plain"], patch)
        assert differences(networks["jun2022_plain"], golden)["raw_plain"] > 100.0
    assert max(differences(networks["jun2022_plain"], golden).values()) < 1.0


@pytest.mark.parametrize("mistake", ["no positions", "the first patch asks too"])
def test_a_mistake_in_the_mean_depth_residual_fails_the_golden_map(golden, networks, mistake):
    residual = networks["jun2022_mdr"].residual
    positions = residual.positions.data.clone()
    hook = None
    if mistake == "no positions":
        residual.positions.data.zero_()
    else:
        hook = residual.transformer.register_forward_hook(lambda _part, _given, tokens: tokens.roll(1, 1))
    try:
        found = differences(networks["jun2022_mdr"], golden)
    finally:
        residual.positions.data.copy_(positions)
        if hook is not None:
            hook.remove()
    assert found["raw_mdr"] > 100.0 and found["mdr_attention_sub"] > 100.0


# From the network's map to metres at the picture's size


@pytest.mark.parametrize(("name", "inverse", "factor"), [("jun2022_mdr", 1, 1.0), ("jun2022_base", 0, 9.5)])
def test_both_directions_average_to_the_golden_depth_at_the_pictures_size(golden, name, inverse, factor):
    class Recorded(nn.Module):
        info = jun2022.info_of(name)

        def forward(self, batch):
            assert batch["image"].shape == (2, 3, 384, 512)
            raw = torch.cat([golden["post_raw"], golden["post_raw_flipped"]]) * factor
            return {"metric_depth": metres(raw, VARIANTS[name].decomposed)}

    depth = infer(Recorded(), np.zeros((*golden["post_size"].tolist(), 3), np.uint8))
    assert np.abs(depth - golden[f"post_depth_inv{inverse}"][0, 0].numpy()).max() < 1e-5


def test_inverse_depths_outside_0_to_1_become_the_nearest_or_the_farthest():
    raw = torch.tensor([1.0, 0.5, 1 / 11, 1e-3, 0.0, -0.1, 2.0])
    assert torch.allclose(metres(raw, True), torch.tensor([1e-3, 1.0, 10.0, 10.0, 10.0, 1e-3, 1e-3]))
    assert torch.allclose(metres(torch.tensor([-1.0, 2.0, 11.0]), False), torch.tensor([1e-3, 2.0, 10.0]))


def test_any_picture_gets_a_map_of_its_own_size(networks):
    picture = np.random.default_rng(0).integers(0, 256, (37, 90, 3), np.uint8)
    depth = infer(networks["jun2022_base"], picture)
    assert depth.shape == (37, 90)
    assert (depth >= 1e-3).all() and (depth <= 10.0).all()


def test_metres_stand_beside_the_networks_own_numbers(networks):
    with torch.inference_mode():
        for name in ("jun2022_plain", "jun2022_base"):
            given = networks[name]({"image": torch.rand(2, 3, 64, 96)})
            assert given["raw"].shape == given["metric_depth"].shape == (2, 1, 32, 48)
            assert torch.equal(given["metric_depth"], metres(given["raw"], name == "jun2022_plain"))


def test_sizes_that_are_not_legal_are_named(networks):
    with pytest.raises(SampleError, match="multiples of 32"):
        networks["jun2022_base"]({"image": torch.rand(1, 3, 100, 140)})
    for size, patches in (((384, 480), 180), ((640, 832), 520)):
        with pytest.raises(SampleError, match=f"has {patches} patches of 32 x 32, but jun2022_mdr takes 192 to 500"):
            networks["jun2022_mdr"]({"image": torch.rand(1, 3, *size)})


# Files


def published(layout):
    """A state dict with a published file's entries that takes no room: each entry is one number, its own, repeated."""
    kinds = {"float32": torch.float32, "int64": torch.int64}
    return {
        key: torch.full((), place, dtype=kinds[entry["dtype"]]).expand(entry["shape"])
        for place, (key, entry) in enumerate(layout.items())
    }


def test_a_published_file_is_read_into_the_place_of_each_entry(layouts, tmp_path):
    path = tmp_path / "51k.pth"
    state = published(layouts["jun2022_base"])
    torch.save({"model": {f"module.{key}": value for key, value in state.items()}, "epoch": 3}, path)
    read = create_model("jun2022_base", weights=path)
    assert len(read.weights_hash) == 12
    values = {key: value.unique().tolist() for key, value in read.state_dict().items()}
    wanted = {key: [float(value.flatten()[0])] for key, value in state.items() if not key.startswith("encoder._fc")}
    assert sorted(values.values()) == sorted(wanted.values())  # each once, whole
    for ours, theirs in (
        ("encoder.network.conv_stem.weight", "encoder._conv_stem.weight"),
        ("encoder.network.blocks.6.2.bn3.bias", "encoder._blocks.38._bn2.bias"),
        ("metric.up.3.net.4.running_var", "up4_m._net.4.running_var"),
        ("metric.head.bias", "conv_metric.bias"),
    ):
        assert values[ours] == wanted[theirs]


def test_a_folder_of_another_variant_is_refused(tmp_path):
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"variant": "jun2022_base"}))
    with pytest.raises(ModelError, match=r"holds jun2022_base, not jun2022_mdr"):
        create_model("jun2022_mdr", weights=tmp_path)


class Code:
    """Runs a command when a careless reader unpickles it."""

    def __reduce__(self):
        return (os.mkdir, ("must_not_exist",))


@pytest.fixture(scope="module")
def base():
    """What `build` makes of `jun2022_base`, built once: a file that is refused changes nothing in it."""
    return create_model("jun2022_base")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("up5_m.convA.bias"), r"1 missing \(metric\.last\.convA\.bias\)"),
        (lambda state: state.update(up6_m=torch.zeros(1)), r"1 unknown \(up6_m\)"),
        (
            lambda state: state.update({"conv_metric.bias": torch.zeros(2)}),
            r"1 misshapen \(metric\.head\.bias is \(2,\)",
        ),
        (lambda state: (state.clear(), state.update(weight=torch.zeros(2))), r"missing .*1 unknown \(weight\)"),
        (lambda state: state.update(surprise=Code()), "can run code: refused"),
    ],
)
def test_a_file_that_is_not_this_networks_is_refused_by_name(base, layouts, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jun2022, "Jun2022", lambda variant: base)
    state = published(layouts["jun2022_base"])
    change(state)
    torch.save({"model": state}, "51k.pth")
    with pytest.raises(ModelError, match=rf"^51k\.pth: .*{message}"):
        create_model("jun2022_base", weights="51k.pth")
    assert not (tmp_path / "must_not_exist").exists()


def test_a_truncated_and_a_missing_file_are_clear(layouts, tmp_path):
    path = tmp_path / "51k.pth"
    torch.save({"model": published(layouts["jun2022_base"])}, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"51k\.pth: cannot be read as weights .*fetch the file again"):
        create_model("jun2022_base", weights=path)
    with pytest.raises(ModelError, match="no such file"):
        create_model("jun2022_base", weights=tmp_path / "none.pth")


def test_the_variant_is_the_one_named_whatever_the_file_is_called(layouts, tmp_path):
    path = tmp_path / "51k.pth"  # the name of the base variant's file
    for held, named, message in (
        ("jun2022_plain", "jun2022_base", r"unknown \(gradient\."),
        ("jun2022_plain", "jun2022_mdr", r"missing \(residual\."),
    ):
        torch.save({"model": published(layouts[held])}, path)
        with pytest.raises(ModelError, match=message):
            create_model(named, weights=path)


def test_default_weights_that_are_not_there_say_where_they_are_published(tmp_path, monkeypatch):
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"Depth-Map-Decomposition \(51k_HRWSI\.pth\)"):
        create_model("jun2022_mdr", weights="default")
    with pytest.raises(OptionError, match="input_size"):
        create_model("jun2022_mdr", input_size=(384, 512))
