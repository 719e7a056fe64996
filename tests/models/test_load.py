"""Every registered model takes its weights from where `avsnet models` says to put them, in their published layout."""

import json
import re

import pytest
import torch

from avsnet.errors import ModelError
from avsnet.models import create_model, list_models, model_info
from avsnet.models.bitd import FILES
from avsnet.models.load import Layout, build
from places import GOLDEN

# Networks without numbers, so that the largest costs nothing; to fill them is then a no-op, of which torch warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter"),
    pytest.mark.filterwarnings("ignore:.*; fresh. "),
]

ENTRIES = {
    "newcrfs_tiny07": "tiny07 (no published checkpoint; same layout)",
    "newcrfs_large07": "model_nyu.ckpt",
    "jun2022_mdr": "51k_HRWSI.pth",
    "jun2022_plain": "*795*HRWSI*.pth",
    "jun2022_base": "51k.pth",
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("AVSNET_CACHE", str(folder))
    monkeypatch.setattr("avsnet.weights.PACKAGED", tmp_path / "none")
    return folder


def without_numbers(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def empty(shapes):
    """A state dict of shapes alone: every entry is one number, however large it looks."""
    return {key: torch.zeros(()).expand(tuple(shape)) for key, shape in shapes.items()}


def entries_of(network):
    return empty({key: value.shape for key, value in network.state_dict().items()})


def midas_names(state):
    """Our names of a MiDaS network turned into those of the published files."""
    found = {}
    for key, value in state.items():
        key = re.sub(r"relative_position\.tables\.(\d+)", r"model.blocks.\1.attn.relative_position_bias_table", key)
        key = re.sub(r"layers\.(\d)\.downsample", lambda stage: f"layers.{int(stage[1]) - 1}.downsample", key)
        found[key] = value
    return found


def write_midas(name, cache):
    torch.save(midas_names(entries_of(without_numbers(name))), cache / f"{name}.pt")


def write_zoedepth(name, cache):
    network = without_numbers(name)
    core = {f"core.core.{key}": value for key, value in midas_names(entries_of(network.midas)).items()}
    torch.save({"model": core | entries_of(network.metric_bins), "epoch": 0}, cache / f"{name}.pt")


def write_listed(name, cache):
    """The golden list of the authors' file."""
    listed = json.loads((GOLDEN / name.split("_")[0] / "keys.json").read_text())[ENTRIES[name]]
    state = {f"module.{key.removeprefix('module.')}": value["shape"] for key, value in listed.items()}
    torch.save({"model": empty(state), "global_step": 3}, cache / f"{name}.ckpt")


def write_bitd(name, cache):
    network = without_numbers(name)
    (cache / name).mkdir()
    for part, start in FILES.items():
        torch.save(entries_of(getattr(network, part)), cache / name / f"{start}_replica.pth")


def write_unet(name, cache):
    state = {f"module.{key}": value for key, value in entries_of(without_numbers(name)).items()}
    torch.save({"epoch": 50, "state_dict": state, "optimizer": {"state": {}}}, cache / f"{name}.pth")


def write_avsnet(name, cache):
    """Ours is a folder; of those that cannot be saved without room, the MiDaS file from which one starts."""
    if name.startswith("avsnet_tiny"):
        create_model(name).save_pretrained(cache / name)
        return
    torch.save(midas_names(entries_of(without_numbers(name).midas)), cache / f"{name}.pt")


WRITERS = {
    "avsnet": write_avsnet,
    "batvision": write_unet,
    "bitd": write_bitd,
    "jun2022": write_listed,
    "midas": write_midas,
    "newcrfs": write_listed,
    "zoedepth": write_zoedepth,
}
FAMILY = ("monodepth2", "monovit", "lite")


@pytest.mark.parametrize("name", list_models())
def test_every_model_loads_its_published_layout_from_the_cache(name, cache, published):
    if name.split("_")[0] in FAMILY:
        (cache / name).symlink_to(published(name))
    else:
        WRITERS[name.split("_")[0]](name, cache)
    small = name.split("_")[0] in FAMILY
    model = create_model(name, weights="default") if small else without_numbers(name, weights="default")
    assert model.info.name == name
    assert re.fullmatch("[0-9a-f]{12}", model.weights_hash)
    assert (model.audio is not None) == model.info.hears == model_info(name).hears


@pytest.mark.parametrize("name", ["bitd", "batvision_unet_128", "batvision_unet_256"])
def test_networks_whose_files_were_not_found_before_say_where_to_put_them(name, cache):
    with pytest.raises(ModelError, match=rf"{name}: its weights are not on this machine; .*put the file or folder at"):
        create_model(name, weights="default")


SMALL = {"bitd": {"width": 32}, "batvision_unet_128": {"ngf": 2}, "monodepth2": {}, "avsnet_tiny_v": {}}


@pytest.mark.parametrize(("name", "options"), SMALL.items())
def test_the_hash_covers_the_weights_the_stored_options_and_those_given_beside_them(name, options, tmp_path):
    network = create_model(name, **options)
    option = {"max_depth": 7.0}
    hashes = []
    for number, change in enumerate(({}, {}, option)):
        folder = tmp_path / str(number)
        create_model(name, **options, **change).save_pretrained(folder)
        hashes.append(create_model(name, weights=folder).weights_hash)
    assert hashes[0] == hashes[1] != hashes[2]
    given = create_model(name, weights=tmp_path / "0", **option).weights_hash
    again = create_model(name, weights=tmp_path / "2", **option).weights_hash
    assert given not in hashes and again == hashes[2]
    with torch.no_grad():
        next(network.parameters()).add_(1.0)
    network.save_pretrained(tmp_path / "other")
    assert create_model(name, weights=tmp_path / "other").weights_hash not in hashes
    assert network.weights_hash is None


def saved(path, name, prefix="", **others):
    state = {prefix + key: value for key, value in create_model(name).state_dict().items()}
    torch.save({"state_dict": state} | others, path)
    return path


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "model.", "network.", "model._orig_mod."])
def test_the_prefixes_of_compiled_and_wrapped_networks_are_taken_off(prefix, tmp_path):
    expected = create_model("midas_tiny").state_dict()
    read = create_model("midas_tiny", weights=saved(tmp_path / "last.ckpt", "midas_tiny", prefix, epoch=3))
    assert all(torch.equal(value, expected[key]) for key, value in read.state_dict().items())


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod."])
def test_a_prefix_that_is_the_networks_own_is_kept(prefix, tmp_path):
    network = create_model("batvision_unet_128", ngf=2)
    torch.save({prefix + key: value for key, value in network.state_dict().items()}, tmp_path / "net.pth")
    read = create_model("batvision_unet_128", weights=tmp_path / "net.pth", ngf=2)
    assert read.state_dict().keys() == network.state_dict().keys()


def test_a_new_layout_is_one_entry_beside_its_network(tmp_path):
    class Toy(torch.nn.Module):
        def __init__(self, gain=1.0):
            super().__init__()
            self.gain, self.mix = gain, torch.nn.Linear(2, 1)

    layout = Layout(lambda state, network, path: {key.replace("fc", "mix"): state[key] for key in state}, ("mix.seen",))
    torch.save({"fc.weight": torch.ones(1, 2), "fc.bias": torch.ones(1), "fc.seen": torch.ones(1)}, tmp_path / "toy.pt")
    info = model_info("monodepth2")
    built = build(Toy, info, {"gain": None}, tmp_path / "toy.pt", layout)
    assert built.gain == 1.0 and built.mix.weight.sum() == 2.0 and len(built.weights_hash) == 12
    assert build(Toy, info, {"gain": 2.0}, tmp_path / "toy.pt", layout).weights_hash != built.weights_hash
    assert build(Toy, info, {"gain": 1.0}, tmp_path / "toy.pt", layout).weights_hash == built.weights_hash
