"""Checkpoints of the Monodepth2 family in every layout, and what is said of those that cannot be taken."""

import json
import os
import shutil

import pytest
import timm
import torch
from safetensors.torch import save_file

from avsnet.errors import ModelError, OptionError
from avsnet.models import create_model
from avsnet.models.self_supervised.lite_mono import VARIANTS, LiteMono
from avsnet.models.self_supervised.monodepth2 import Monodepth2
from avsnet.models.self_supervised.monovit import MonoViT

CLASSES = {"monodepth2": Monodepth2, "monovit": MonoViT, "lite_mono_tiny": LiteMono}


class Code:
    """Runs a command when a careless reader unpickles it."""

    def __reduce__(self):
        return (os.mkdir, ("must_not_exist",))


def entries_of(folder, part, file):
    """Of one file, under the name of its part."""
    entries = torch.load(folder / file, weights_only=True).items()
    return {f"{part}.{key}": value for key, value in entries if isinstance(value, torch.Tensor)}


def same(one, other):
    state, others = one.state_dict(), other.state_dict()
    return state.keys() == others.keys() and all(torch.equal(value, others[key]) for key, value in state.items())


@pytest.mark.parametrize("name", CLASSES)
def test_a_published_folder_tells_the_size_and_what_a_profiler_left_in_it_is_let_pass(changed, published, name):
    def profiled(entries):
        entries.update(height=96, width=160, use_stereo=True)
        entries |= dict.fromkeys(("total_ops", "stem.total_params", "stages.0.0.total_ops"), torch.zeros(1))

    model = create_model(name, weights=changed(name, "encoder.pth", profiled))
    assert model.info.size == (96, 160)
    plain = create_model(name, weights=published(name))
    assert plain.info.size == (192, 640)
    assert same(model, plain)
    assert len({model.weights_hash, plain.weights_hash}) == 2


@pytest.mark.parametrize("name", CLASSES)
def test_what_save_pretrained_writes_loads_with_its_options(published, tmp_path, name):
    options = {"dilations": VARIANTS[name].high} if name in VARIANTS else {}
    variant = {"variant": name} if name in VARIANTS else {}
    model = CLASSES[name](input_size=(96, 160), **variant, **options)
    model.save_pretrained(tmp_path / "ours")
    model.eval()
    for read in (create_model(name, weights=tmp_path / "ours"), CLASSES[name].from_pretrained(tmp_path / "ours")):
        assert read.info.size == (96, 160)
        assert same(read, model)
        if options:
            assert read.dilations == [list(stage) for stage in VARIANTS[name].high]


@pytest.mark.parametrize("wrapper", ["bare", "safetensors", "state_dict", "module."])
def test_one_file_with_the_whole_network_loads_when_it_is_told_the_size(tmp_path, wrapper):
    model = create_model("lite_mono_tiny")
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    path = tmp_path / ("net.safetensors" if wrapper == "safetensors" else "net.pth")
    if wrapper == "safetensors":
        save_file(state, path)
    elif wrapper == "state_dict":
        torch.save({"state_dict": state, "epoch": 3}, path)
    else:
        torch.save({f"{wrapper}{key}" if wrapper == "module." else key: value for key, value in state.items()}, path)
    with pytest.raises(OptionError, match=rf"{path.name}: does not tell the size .* give input_size=\(height, width\)"):
        create_model("lite_mono_tiny", weights=path)
    read = create_model("lite_mono_tiny", weights=path, input_size=(64, 96))
    assert read.info.size == (64, 96)
    assert same(read, model)


def test_monovits_single_file_of_high_resolution_loads_with_its_copies_and_unused_layers(published, tmp_path):
    parts = {"encoder": "encoder.pth", "decoder": "depth.pth"}
    whole = {}
    for part, file in parts.items():
        whole |= {f"module.{key}": value for key, value in entries_of(published("monovit"), part, file).items()}
    torch.save(whole, tmp_path / "depth.pth")
    expected = create_model("monovit", weights=published("monovit"))
    for path in (tmp_path, tmp_path / "depth.pth"):
        with pytest.raises(OptionError, match="does not tell the size"):
            create_model("monovit", weights=path)
    read = create_model("monovit", weights=tmp_path, input_size=(320, 1024))
    assert read.info.size == (320, 1024)
    assert same(read, expected)


COPIES = {
    "encoder.pth": "mhca_stages.3.mhca_blks.2.MHCA_layers.1.factoratt_crpe.crpe.conv_list.2.bias",
    "depth.pth": "decoder.36.conv.bias",
}


def test_copies_in_monovits_files_may_be_absent(changed, published):
    def without(entries):
        copies = [key for key in entries if ".MHCA_layers." in key and ("cpe.proj" in key or "crpe.conv_list" in key)]
        assert len(copies) == 532
        for key in copies:
            del entries[key]

    read = create_model("monovit", weights=changed("monovit", "encoder.pth", without))
    assert same(read, create_model("monovit", weights=published("monovit")))


@pytest.mark.parametrize("file", COPIES)
def test_copies_in_monovits_files_must_not_differ(changed, file):
    def other(entries):
        entries[COPIES[file]] = entries[COPIES[file]] + 1.0

    with pytest.raises(ModelError, match=rf"{COPIES[file]} is not \S+, of which it must be a copy"):
        create_model("monovit", weights=changed("monovit", file, other))


NEEDED = {
    ("monodepth2", "encoder.pth"): "encoder.layer4.1.bn2.bias",
    ("monodepth2", "depth.pth"): "decoder.0.conv.conv.bias",
    ("monovit", "encoder.pth"): "stem.1.conv.weight",
    ("monovit", "depth.pth"): "convs.dispconv0.conv.bias",
    ("lite_mono_tiny", "encoder.pth"): "stem2.0.conv.weight",
    ("lite_mono_tiny", "depth.pth"): "decoder.0.conv.conv.bias",
}


@pytest.mark.parametrize(("name", "file"), NEEDED)
def test_a_missing_and_an_extra_entry_are_named(changed, name, file):
    needed, part = NEEDED[name, file], "encoder" if file == "encoder.pth" else "decoder"

    def wrong(entries):
        entries["surprise"] = entries.pop(needed)

    with pytest.raises(ModelError, match=rf"1 missing \({part}\.{needed}\), 1 unknown \({part}\.surprise\)"):
        create_model(name, weights=changed(name, file, wrong))


@pytest.mark.parametrize("file", ["encoder.pth", "depth.pth"])
def test_a_truncated_file_a_pickle_with_code_and_a_misshapen_entry_are_refused(published, tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "net"
    shutil.copytree(published("lite_mono_tiny"), folder)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=rf"{file}: cannot be read as weights .*fetch the file again"):
        create_model("lite_mono_tiny", weights=folder)
    (folder / file).write_bytes(whole)
    entries = torch.load(folder / file, weights_only=True)
    torch.save(entries | {"surprise": Code()}, folder / file)
    with pytest.raises(ModelError, match=rf"{file}: holds Python objects beside tensors.*refused"):
        create_model("lite_mono_tiny", weights=folder)
    assert not (tmp_path / "must_not_exist").exists()
    key = next(iter(entries))
    torch.save(entries | {key: entries[key][:, :1]}, folder / file)
    with pytest.raises(ModelError, match=rf"1 misshapen \(\w+\.{key} is"):
        create_model("lite_mono_tiny", weights=folder)


def test_the_checkpoint_of_another_model_is_refused(published):
    for name, other in (("monodepth2", "monovit"), ("monovit", "lite_mono_tiny"), ("lite_mono_tiny", "monodepth2")):
        with pytest.raises(ModelError, match=r"not the weights of this network.*another model or variant"):
            create_model(name, weights=published(other))


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("other", VARIANTS)
def test_the_checkpoint_of_another_variant_is_refused_with_the_variant_that_it_looks_like(published, name, other):
    if name != other:
        with pytest.raises(ModelError, match=rf"looks like {other}, not {name}; create it by that name"):
            create_model(name, weights=published(other))


def test_a_part_of_a_checkpoint_is_refused_with_what_is_missing(published, tmp_path):
    folder = published("monodepth2")
    for file in ("encoder.pth", "depth.pth"):
        alone = tmp_path / file.removesuffix(".pth")
        alone.mkdir()
        shutil.copy(folder / file, alone)
        for path in (folder / file, alone):
            with pytest.raises(ModelError, match=rf"{file}: is not a whole network .*with encoder\.pth and depth\.pth"):
                create_model("monodepth2", weights=path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty: holds neither encoder\.pth and depth\.pth nor config\.json"):
        create_model("monodepth2", weights=tmp_path / "empty")
    with pytest.raises(ModelError, match=r"none\.pth: no such file"):
        create_model("monodepth2", weights=tmp_path / "none.pth")


@pytest.mark.parametrize(
    ("entries", "error", "message"),
    [
        ({"height": 192.5}, ModelError, r"its height and width are 192\.5 and 640, not whole pixels"),
        ({"width": -640}, ModelError, "not whole pixels"),
        ({"height": 100}, OptionError, r"lite_mono_tiny: input_size \(100, 640\): give"),
    ],
)
def test_a_size_in_the_file_that_is_none_is_an_error(changed, entries, error, message):
    folder = changed("lite_mono_tiny", "encoder.pth", lambda stored: stored.update(entries))
    with pytest.raises(error, match=message):
        create_model("lite_mono_tiny", weights=folder)


def test_a_config_of_another_model_is_refused(tmp_path):
    Monodepth2().save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"encoder": "vitl"}))
    with pytest.raises(ModelError, match=r"its config\.json has the option 'encoder', which monodepth2 has not"):
        create_model("monodepth2", weights=tmp_path)


def test_default_weights_are_those_in_the_cache_under_the_models_name(published, tmp_path, monkeypatch):
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"lite_mono_tiny: its weights are not on this machine.*noahzn/Lite-Mono"):
        create_model("lite_mono_tiny", weights="default")
    shutil.copytree(published("lite_mono_tiny"), tmp_path / "lite_mono_tiny")
    found, given = (create_model("lite_mono_tiny", weights=path) for path in ("default", published("lite_mono_tiny")))
    assert same(found, given)


def test_monodepth2_starts_from_a_resnet_of_imagenet_with_its_encoder_alone(tmp_path):
    resnet = timm.create_model("resnet18")
    torch.save(resnet.state_dict(), tmp_path / "resnet18.pth")
    started, fresh = create_model("monodepth2", imagenet=tmp_path / "resnet18.pth"), create_model("monodepth2")
    state, expected = started.encoder.encoder.state_dict(), resnet.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in state.items())
    assert same(started.decoder, fresh.decoder)


def test_lite_mono_starts_from_its_own_encoder_of_imagenet(published, tmp_path):
    encoder = torch.load(published("lite_mono_tiny") / "encoder.pth", weights_only=True)
    head = dict.fromkeys(("norm.weight", "norm.bias", "head.weight"), torch.zeros(128))
    torch.save({"model": encoder | head}, tmp_path / "net.pth")
    started = create_model("lite_mono_tiny", imagenet=tmp_path / "net.pth")
    assert all(torch.equal(value, encoder[key]) for key, value in started.encoder.state_dict().items())
    with pytest.raises(ModelError, match=r"net\.pth: looks like lite_mono_tiny, not lite_mono"):
        create_model("lite_mono", imagenet=tmp_path / "net.pth")


def test_monovit_starts_from_an_mpvit_of_imagenet(published, tmp_path):
    encoder = torch.load(published("monovit") / "encoder.pth", weights_only=True)
    torch.save({"model": encoder | {"cls_head.cls.weight": torch.zeros(1000, 288)}}, tmp_path / "net.pth")
    started = create_model("monovit", imagenet=tmp_path / "net.pth")
    assert all(torch.equal(value, encoder[key]) for key, value in started.encoder.state_dict().items())
    del encoder["stem.0.conv.weight"]
    torch.save({"model": encoder}, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"net\.pth: .* 1 missing \(stem\.0\.conv\.weight\)"):
        create_model("monovit", imagenet=tmp_path / "net.pth")
