"""NeWCRFs against the goldens of the original, what must fail them, and its published files."""

import copy
import json
import os
import pickle
import runpy
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from avsnet.errors import ModelError, OptionError, SampleError
from avsnet.models import create_model, model_info, newcrfs
from avsnet.models.infer import infer
from avsnet.models.newcrfs import VARIANTS, Variant, own_keys
from avsnet.models.resize import input_size
from avsnet.weights import load_strictly
from places import GOLDEN

ENTRIES = {"newcrfs_tiny07": "tiny07 (no published checkpoint; same layout)", "newcrfs_large07": "model_nyu.ckpt"}
ALLOWED = 5e-5
NARROW = Variant(24, (2, 2, 2, 2), (1, 2, 4, 8), 0, crf_channels=(32, 64, 128, 256))


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "newcrfs" / "case1.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


def layout(name):
    """The entries of a published file, without the `module.` of parallel training: key -> shape and type."""
    entries = json.loads((GOLDEN / "newcrfs" / "keys.json").read_text())[ENTRIES[name]]
    return {key.removeprefix("module."): entry for key, entry in entries.items()}


def golden_network(name):
    """The network with the weights of the golden case, which are drawn by the published keys, `module.` included."""
    fill = runpy.run_path(str(GOLDEN / "fill.py"))["from_shapes"]
    filled = fill({f"module.{key}": entry for key, entry in layout(name).items()})
    network = create_model(name)
    state = own_keys({key.removeprefix("module."): value for key, value in filled.items()})
    load_strictly(network, state, "golden", unused=[r".*\.relative_position_index"])
    return network


@pytest.fixture(scope="module")
def tiny():
    return golden_network("newcrfs_tiny07")


def differences(network, golden):
    """How far the depth and the maps inside are from the golden, in shares of what is allowed."""
    found = {}
    parts = {"ppm": network.decoder, **{f"e{level}": getattr(network, f"crf{level}") for level in range(4)}}
    hooks = [
        part.register_forward_hook(lambda _part, _given, output, name=name: found.update({name: output}))
        for name, part in parts.items()
    ]
    hooks.append(
        network.backbone.register_forward_hook(
            lambda _part, _given, output: found.update({f"feat{i}": map for i, map in enumerate(output.feature_maps)})
        )
    )
    with torch.inference_mode():
        depth = network({"image": golden["image"].permute(2, 0, 1)[None] / 255.0})["metric_depth"]
    for hook in hooks:
        hook.remove()
    tag = network.info.name.removeprefix("newcrfs_")
    for name, values in found.items():
        step = {"0": 8, "1": 4, "2": 2}.get(name[-1], 1)
        strided = values[:, :: values.shape[1] // 16, ::step, ::step]
        found[name] = float((strided - golden[f"{tag}_{name}_sub"]).abs().max()) / ALLOWED
    return found | {"depth": float((depth - golden[f"{tag}_depth"]).abs().max()) / ALLOWED}


def test_the_golden_weights_give_the_golden_depth_and_maps(golden, tiny):
    found = differences(tiny, golden)
    assert len(found) == 10
    assert max(found.values()) < 1.0, found


@pytest.mark.slow
def test_the_golden_weights_of_the_large_network_give_the_golden_depth_and_maps(golden):
    network = golden_network("newcrfs_large07")
    assert sum(weight.numel() for weight in network.parameters()) == model_info("newcrfs_large07").parameters
    found = differences(network, golden)
    assert len(found) == 10
    assert max(found.values()) < 1.0, found


def attentions(network):
    return [part for part in network.modules() if isinstance(part, newcrfs.PairwiseAttention)]


def neighbours_across_the_wrap(network, patch):
    wrapped = newcrfs._wrapped
    patch.setattr(newcrfs, "_wrapped", lambda height, width: wrapped(height, width) & False)


def no_shift(network, patch):
    for part in attentions(network):
        part.shift = 0


def positions_from_the_other_token(network, patch):
    for part in attentions(network):
        part._index = part._index.T


def keys_before_queries(network, patch):
    for part in attentions(network):
        for values in part.qk.parameters():
            values.data = values.data.roll(len(values) // 2, 0)


def one_group(network, patch):
    for part in network.modules():
        if isinstance(part, nn.GroupNorm):
            part.num_groups = 1


def corners_aligned(network, patch):
    patch.setattr(newcrfs.F, "interpolate", partial(nn.functional.interpolate, align_corners=True))


def features_not_normalised(network, patch):
    network.backbone.hidden_states_norms["stage1"] = nn.Identity()


@pytest.mark.parametrize(
    "mistake",
    [
        neighbours_across_the_wrap,
        no_shift,
        positions_from_the_other_token,
        keys_before_queries,
        one_group,
        corners_aligned,
        features_not_normalised,
    ],
)
def test_a_mistake_in_the_network_fails_the_golden_depth(golden, tiny, monkeypatch, mistake):
    mutant = copy.deepcopy(tiny)
    mistake(mutant, monkeypatch)
    assert differences(mutant, golden)["depth"] > 100.0


def test_both_directions_blend_to_the_golden_depth(golden):
    class Recorded(nn.Module):
        info = newcrfs.info_of("newcrfs_large07")

        def forward(self, batch):
            return {"metric_depth": torch.cat([golden["flip_pred"], golden["flip_pred_of_mirrored"]])}

    blended = infer(Recorded(), np.zeros((*golden["flip_pred"].shape[2:], 3), np.uint8))
    assert np.abs(blended.clip(1e-3, 10.0) - golden["flip_fused"][0, 0].numpy()).max() < 1e-5


# Sizes and options


@pytest.fixture
def narrow(monkeypatch):
    """`newcrfs_tiny07` with few weights, so that tests can build and save many."""
    monkeypatch.setitem(VARIANTS, "newcrfs_tiny07", NARROW)
    return create_model("newcrfs_tiny07")


@pytest.mark.parametrize(
    ("picture", "seen"),
    [((480, 640), (480, 640)), ((720, 1280), (480, 864)), ((100, 140), (448, 640)), ((4000, 3000), (864, 640))],
)
def test_a_picture_keeps_its_aspect_near_the_size_of_nyu(picture, seen):
    assert input_size(model_info("newcrfs_large07"), *picture) == seen


@pytest.mark.parametrize("size", [(100, 140), (37, 53), (8, 300)])
def test_any_picture_gets_a_map_of_its_own_size(narrow, size):
    network = create_model("newcrfs_tiny07", input_size=(64, 96))
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    depth = infer(network, picture)
    assert depth.shape == size
    assert (depth > 0.0).all() and (depth < 10.0).all()


def test_a_legal_size_passes_as_it_is_and_no_other(narrow):
    image = torch.rand(2, 3, 32, 160)
    with torch.inference_mode():
        assert narrow({"image": image})["metric_depth"].shape == (2, 1, 32, 160)
    with pytest.raises(SampleError, match="multiples of 32"):
        narrow({"image": image[..., :100]})


def test_the_depth_is_a_share_of_max_depth(narrow):
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        near, far = (
            create_model("newcrfs_tiny07", max_depth=most)({"image": image})["metric_depth"] for most in (10, 80)
        )
    assert torch.allclose(8.0 * near, far)


@pytest.mark.parametrize(
    "option", [{"max_depth": 0.0}, {"max_depth": "far"}, {"input_size": (100, 64)}, {"input_size": (64,)}]
)
def test_options_that_make_no_sense_are_named(narrow, option):
    with pytest.raises(OptionError, match=next(iter(option))):
        create_model("newcrfs_tiny07", **option)


def test_every_weight_learns(narrow):
    narrow.train()
    narrow({"image": torch.rand(2, 3, 64, 64)})["metric_depth"].log().square().mean().backward()
    for name, weight in narrow.named_parameters():
        assert weight.grad is not None and torch.isfinite(weight.grad).all(), name


# Files


def published(network):
    """The state dict of a network under the published keys, as their list has them."""
    state, names = {}, {"layernorm_before": "norm1", "layernorm_after": "norm2", "attention": "attn", "o_proj": "proj"}
    for key, value in network.state_dict().items():
        parts = [names.get(part, part) for part in key.split(".") if part not in ("swin", "encoder", "embeddings")]
        if parts[:2] == ["backbone", "patch_embeddings"]:
            parts[1:3] = ["patch_embed", "proj"]
        elif parts[:2] == ["backbone", "norm"]:
            parts[1:2] = ["patch_embed", "norm"]
        elif parts[1] == "hidden_states_norms":
            parts[1:3] = [f"norm{int(parts[2][-1]) - 1}"]
        if parts[-2] == "relative_position_bias":
            del parts[-2]
        if parts[-1] == "relative_position_bias_table":
            state[".".join([*parts[:-1], "relative_position_index"])] = torch.zeros(49, 49, dtype=torch.int64)
        joint = ".".join(parts).replace("q_proj", "qkv").replace("k_proj", "qkv").replace("v_proj", "qkv")
        state[joint] = torch.cat([state[joint], value]) if joint in state else value
    return state


def wrapped(state):
    """As the authors' training saves it."""
    return {
        "global_step": 5,
        "model": {f"module.{key}": value for key, value in state.items()},
        "optimizer": {"state": {0: {"step": 5, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 2e-5}]},
        "best_eval_measures_higher_better": torch.zeros(3),
        "best_eval_measures_lower_better": np.float64(1e3),
        "best_eval_steps": np.zeros(9, np.int32),
    }


def same(network, other):
    return all(torch.equal(value, other.state_dict()[key]) for key, value in network.state_dict().items())


@pytest.fixture
def other(narrow):
    """A network whose weights are not those of a fresh one."""
    with torch.no_grad():
        for weight in narrow.parameters():
            weight.add_(1.0)
    return narrow


def test_the_published_layout_is_that_of_the_list(tiny):
    found = {key: list(value.shape) for key, value in published(tiny).items()}
    assert found == {key: entry["shape"] for key, entry in layout("newcrfs_tiny07").items()}


def test_a_published_file_is_read_whatever_else_the_training_left_in_it(other, tmp_path):
    path = tmp_path / "model_nyu.ckpt"
    torch.save(wrapped(published(other)), path)
    read = create_model("newcrfs_tiny07", weights=path)
    assert same(read, other)
    assert len(read.weights_hash) == 12


def test_what_was_read_can_be_kept_as_safetensors_with_its_options(other, tmp_path):
    kitti = create_model("newcrfs_tiny07", max_depth=80, input_size=(352, 1216))
    kitti.load_state_dict(other.state_dict())
    kitti.save_pretrained(tmp_path / "kept")
    read = create_model("newcrfs_tiny07", weights=tmp_path / "kept")
    assert same(read, other)
    assert (read.max_depth, read.info) == (80.0, kitti.info)
    save_file(other.state_dict(), tmp_path / "bare.safetensors")
    assert same(create_model("newcrfs_tiny07", weights=tmp_path / "bare.safetensors"), other)


class Code:
    """Runs a command when a careless reader unpickles it."""

    def __reduce__(self):
        return (os.mkdir, ("must_not_exist",))


def renamed(entries):
    entries["model"]["module.crf4.norm_crf.weight"] = entries["model"].pop("module.crf3.norm_crf.weight")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries["model"].pop("module.crf2.proj_v.bias"), r"1 missing \(crf2\.proj_v\.bias\)"),
        (
            lambda entries: entries["model"].pop("module.backbone.layers.1.blocks.0.attn.qkv.bias"),
            r"3 missing \(backbone\.swin\.encoder\.layers\.1\.blocks\.0\.attention\.q_proj\.bias,",
        ),
        (renamed, r"1 missing \(crf3\.norm_crf\.weight\), 1 unknown \(crf4\.norm_crf\.weight\)"),
        (
            lambda entries: entries["model"].update({"module.mask_head.weight": torch.zeros(1)}),
            r"1 unknown \(mask_head\.weight\)",
        ),
        (
            lambda entries: entries["model"].update({"module.disp_head1.conv1.weight": torch.zeros(1, 16, 3, 3)}),
            r"1 misshapen \(disp_head1\.conv1\.weight is \(1, 16, 3, 3\), not \(1, 32, 3, 3\)\)",
        ),
        (lambda entries: entries.update(model=nn.Linear(3, 2).state_dict()), r"missing .*2 unknown \(weight, bias\)"),
        (lambda entries: entries.update(surprise=Code()), "can run code: refused"),
        (lambda entries: entries.pop("model"), "missing"),
    ],
)
def test_a_file_that_is_not_this_networks_is_refused_by_name(narrow, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    entries = wrapped(published(narrow))
    change(entries)
    torch.save(entries, "model_nyu.ckpt")
    with pytest.raises(ModelError, match=rf"^model_nyu\.ckpt: .*{message}"):
        create_model("newcrfs_tiny07", weights="model_nyu.ckpt")
    assert not (tmp_path / "must_not_exist").exists()


def test_a_truncated_a_plain_pickle_and_a_missing_file_are_clear(narrow, tmp_path):
    path = tmp_path / "model_nyu.ckpt"
    torch.save(wrapped(published(narrow)), path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"model_nyu\.ckpt: cannot be read as weights .*fetch the file again"):
        create_model("newcrfs_tiny07", weights=path)
    path.write_bytes(pickle.dumps({"model": Code()}))
    with pytest.raises(ModelError, match="can run code: refused"):
        create_model("newcrfs_tiny07", weights=path)
    with pytest.raises(ModelError, match="no such file"):
        create_model("newcrfs_tiny07", weights=tmp_path / "none.ckpt")


def test_a_folder_of_another_variant_or_with_strange_options_is_refused(narrow, tmp_path):
    narrow.save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    for entries, message in (
        ({"variant": "newcrfs_large07"}, "holds newcrfs_large07, not newcrfs_tiny07"),
        ({"variant": "newcrfs_tiny07", "colour": 3}, "option 'colour'"),
    ):
        config.write_text(json.dumps(entries))
        with pytest.raises(ModelError, match=message):
            create_model("newcrfs_tiny07", weights=tmp_path)
    config.write_text(json.dumps({"variant": "newcrfs_tiny07", "max_depth": -1}))
    with pytest.raises(OptionError, match=r"max_depth -1"):
        create_model("newcrfs_tiny07", weights=tmp_path)


def test_default_weights_that_are_not_there_say_where_they_are_published(tmp_path, monkeypatch):
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"aliyun/NeWCRFs \(model_nyu\.ckpt"):
        create_model("newcrfs_large07", weights="default")
