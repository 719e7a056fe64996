"""Published files of MiDaS load strictly: in the old names and the new, with and without what is never run."""

import json
import re

import pytest
import torch
from safetensors.torch import save_file

from avsnet.errors import ModelError
from avsnet.models import create_model
from avsnet.models.midas.keys import from_published, load_midas_state
from places import GOLDEN, SHARED

SHARED_GOLDEN = SHARED / "golden"

# Networks without numbers, so that the largest costs nothing; to fill them is then a no-op, of which torch warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")

BACKBONES = {
    "midas_beit_large_512": 415,
    "midas_beit_large_384": 415,
    "midas_beit_base_384": 211,
    "midas_swin2_large_384": 427,
    "midas_swin2_base_384": 427,
    "midas_swin2_tiny_256": 223,
    "midas_swin_large_384": 364,
    "midas_dpt_large": 296,
    "midas_dpt_hybrid": 308,
}
"""Entries that timm 0.6.12, in whose names the files were published, has for the whole backbone."""


def empty(shapes):
    """A state dict of shapes alone: every entry is one number, however large it looks."""
    return {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}


def shapes_of(keys, file):
    return {key: entry["shape"] for key, entry in json.loads(keys.read_text())[file].items()}


def without_numbers(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def old_names(state):
    """Our names turned into those of the published files."""
    found = {}
    for key, value in state.items():
        key = re.sub(r"relative_position\.tables\.(\d+)", r"model.blocks.\1.attn.relative_position_bias_table", key)
        key = re.sub(r"layers\.(\d)\.downsample", lambda stage: f"layers.{int(stage[1]) - 1}.downsample", key)
        found[key] = value
    return found


def published(name):
    """A network without numbers and the layout of its published file."""
    model = without_numbers(name)
    state = old_names(empty({key: value.shape for key, value in model.state_dict().items()}))
    norm = "fc_norm" if "beit" in name else "norm"
    never_run = [f"pretrained.model.{key}.{kind}" for key in (norm, "head") for kind in ("weight", "bias")]
    for table in [key for key in state if key.endswith(".relative_position_bias_table")]:
        never_run.append(table.replace("bias_table", "index"))
    # Every other block shifts its windows, but where one window is the whole map: Swin's last stage, Swin2's last two.
    stages = "01" if "swin2" in name else "012"
    shifted = re.compile(rf"(pretrained\.model\.layers\.[{stages}]\.blocks\.\d*[13579]\.)norm1\.weight")
    never_run += [f"{block[1]}attn_mask" for key in state if (block := shifted.fullmatch(key))]
    return model, state | {key: torch.zeros(2, 2) for key in never_run}, never_run


@pytest.mark.parametrize("name", BACKBONES)
def test_the_published_layout_loads_with_and_without_what_is_never_run(name):
    model, state, never_run = published(name)
    assert sum(key.startswith("pretrained.model.") for key in state) == BACKBONES[name]
    load_midas_state(model, state, "old.pt")
    load_midas_state(model, {key: value for key, value in state.items() if key not in never_run}, "bare.pt")
    load_midas_state(model, model.state_dict(), "ours.pt")


def test_swins_steps_to_a_coarser_stage_go_to_that_stage():
    model, state, _ = published("midas_swin2_tiny_256")
    assert state["pretrained.model.layers.0.downsample.reduction.weight"].shape == (192, 384)
    own = from_published(state, model.state_dict())
    assert own["pretrained.model.layers.1.downsample.reduction.weight"].shape == (192, 384)
    assert own["pretrained.model.layers.3.downsample.reduction.weight"].shape == (768, 1536)
    again = from_published(own, model.state_dict())
    assert again.keys() == own.keys()


def test_the_original_next_vit_loads_by_the_order_of_its_entries():
    model = without_numbers("midas_next_vit_large_384")
    own = {key: torch.zeros(()).expand(value.shape) for key, value in model.state_dict().items()}
    backbone = [key for key in own if key.startswith("pretrained.model.")]
    state = {
        f"pretrained.model.{'stem' if number < 24 else 'features'}.{number}.entry": own[key]
        for number, key in enumerate(backbone)
    }
    state |= {"pretrained.model.norm.weight": torch.zeros(1024), "pretrained.model.proj_head.0.bias": torch.zeros(9)}
    state |= {key: value for key, value in own.items() if key not in backbone}
    found = from_published(state, own)
    assert found.keys() == own.keys()
    assert all(found[key] is own[key] for key in own)
    load_midas_state(model, state, "next.pt")
    last = next(key for key in state if key.startswith("pretrained.model.features."))
    with pytest.raises(ModelError, match="missing"):
        load_midas_state(model, {key: value for key, value in state.items() if key != last}, "next.pt")


@pytest.mark.skipif(
    not SHARED_GOLDEN.is_dir(), reason="the key list of the published ZoeDepth (../shared/golden) is absent"
)
@pytest.mark.parametrize("form", ["bare", "model", "module"])
def test_the_published_beit_loads_bare_wrapped_or_prefixed(tmp_path, form):
    shapes = shapes_of(SHARED_GOLDEN / "zoedepth_nyu" / "keys.json", "ZoeD_M12_N.pt")
    core = {key.removeprefix("core.core."): shape for key, shape in shapes.items() if key.startswith("core.core.")}
    state = empty(core)
    state = {f"module.{key}": value for key, value in state.items()} if form == "module" else state
    path = tmp_path / "dpt_beit_large_384.pt"
    torch.save({"model": state, "optimizer": None} if form == "model" else state, path)
    without_numbers("midas_beit_large_384", weights=path)
    with pytest.raises(ModelError, match=r"dpt_beit_large_384\.pt: .*24 misshapen .*\(2212, 16\), not \(3972, 16\)"):
        without_numbers("midas_beit_large_512", weights=path)


@pytest.fixture
def small():
    return empty(shapes_of(GOLDEN / "midas_small" / "keys.json", "midas_v21_small_256.pt"))


@pytest.mark.parametrize("form", ["bare", "model", "module", "folder"])
def test_the_published_small_one_loads_bare_wrapped_prefixed_or_from_a_folder(tmp_path, small, form):
    path = tmp_path / "small.pt"
    if form == "folder":
        path = tmp_path
        save_file({key: value.clone() for key, value in small.items()}, tmp_path / "model.safetensors")
    elif form == "module":
        torch.save({f"module.{key}": value for key, value in small.items()}, path)
    else:
        torch.save({"model": small} if form == "model" else small, path)
    model = create_model("midas_small", weights=path)
    assert not any(weight.any() for weight in model.parameters())  # they were all zero, and all arrived


def test_a_truncated_a_foreign_a_partial_and_an_overfull_file_are_refused_by_name(tmp_path, small):
    path = tmp_path / "small.pt"
    torch.save(small, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"small\.pt: cannot be read as weights .*fetch the file again"):
        create_model("midas_small", weights=path)
    torch.save(small, path)
    with pytest.raises(ModelError, match=r"small\.pt: not the weights of this network.*file of another model"):
        create_model("midas_tiny", weights=path)
    torch.save({key: value for key, value in small.items() if key != "scratch.layer3_rn.weight"}, path)
    with pytest.raises(ModelError, match=r"small\.pt: .*1 missing \(scratch\.layer3_rn\.weight\)"):
        create_model("midas_small", weights=path)
    torch.save(small | {"scratch.layer5_rn.weight": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"small\.pt: .*1 unknown \(scratch\.layer5_rn\.weight\)"):
        create_model("midas_small", weights=path)


def test_default_weights_that_are_not_here_are_said_to_be_published_where(tmp_path, monkeypatch):
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"midas_dpt_large: .*not on this machine.*/v3/dpt_large_384\.pt"):
        without_numbers("midas_dpt_large", weights="default")
