import hashlib
import os
import pickle
import shutil
import warnings
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from avsnet import weights
from avsnet.errors import InputWarning, ModelError
from avsnet.weights import (
    default_weights,
    find_weights,
    load_strictly,
    named_checksum,
    read_entries,
    read_state_dict,
    weights_hash,
)


class Code:
    """Runs a command when a careless reader unpickles it."""

    def __reduce__(self):
        return (os.mkdir, ("must_not_exist",))


@pytest.fixture
def net():
    return torch.nn.Linear(3, 2)


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_wrapped_and_prefixed_file_reads_as_the_bare_one(tmp_path, net, wrapper, prefix):
    state = {prefix + key: value for key, value in net.state_dict().items()}
    path = tmp_path / "net.pt"
    torch.save({wrapper: state, "epoch": 3} if wrapper else state | {"height": 192}, path)
    read = read_state_dict(path)
    assert read.keys() == net.state_dict().keys()
    assert all(torch.equal(read[key], value) for key, value in net.state_dict().items())


def test_safetensors_read_like_torch_files(tmp_path, net):
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    assert torch.equal(read_state_dict(tmp_path / "net.safetensors")["weight"], net.weight)


def test_numpys_counters_beside_the_weights_are_let_pass_unread(tmp_path, net):
    entries = {"model": net.state_dict(), "steps": np.zeros(9, np.int32), "best": np.float64(3), "odd": np.array([{}])}
    torch.save(entries, tmp_path / "net.pt")
    assert read_state_dict(tmp_path / "net.pt").keys() == net.state_dict().keys()
    assert not isinstance(read_entries(tmp_path / "net.pt")["steps"], np.ndarray)


@pytest.mark.parametrize("plain", [False, True])
def test_a_pickle_with_code_is_refused_and_its_code_does_not_run(tmp_path, monkeypatch, plain):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pt"
    entries = {"weight": torch.zeros(2), "surprise": Code()}
    if plain:
        path.write_bytes(pickle.dumps({"surprise": Code()}))
    else:
        torch.save(entries, path)
    with pytest.raises(ModelError, match=r"net\.pt: holds Python objects beside tensors.*can run code: refused"):
        read_state_dict(path)
    assert not (tmp_path / "must_not_exist").exists()


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors"])
def test_a_truncated_file_is_named_and_said_to_be_fetched_again(tmp_path, net, name):
    path = tmp_path / name
    if path.suffix == ".pt":
        torch.save(net.state_dict(), path)
    else:
        save_file(net.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError, match=rf"{name}: cannot be read as weights .*fetch the file again"):
        read_state_dict(path)


def test_a_missing_file_a_folder_a_list_and_a_file_without_tensors_are_errors(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    for path, message in (
        (tmp_path / "none.pt", "no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "list.pt", "holds a list"),
        (tmp_path / "empty.pt", "holds no weights; its entries are epoch"),
    ):
        with pytest.raises(ModelError, match=message):
            read_state_dict(path)


def test_loading_names_the_first_missing_unknown_and_misshapen_entry_and_changes_nothing(net):
    before = net.weight.clone()
    with pytest.raises(ModelError, match=r"f\.pt: .*1 missing \(bias\), 1 unknown \(extra\)"):
        load_strictly(net, {"weight": torch.zeros(2, 3), "extra": torch.zeros(1)}, "f.pt")
    with pytest.raises(ModelError, match=r"1 misshapen \(weight is \(2, 4\), not \(2, 3\)\)"):
        load_strictly(net, {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}, "f.pt")
    assert torch.equal(net.weight, before)


def test_entries_declared_unused_are_let_pass_and_only_whole_names_count(net):
    state = {"weight": torch.ones(2, 3), "bias": torch.ones(2), "norm.total_ops": torch.zeros(1)}
    load_strictly(net, state, "f.pt", unused=[r".*\.total_ops"])
    assert net.weight.sum() == 6
    with pytest.raises(ModelError, match="unknown"):
        load_strictly(net, state, "f.pt", unused=["total_ops"])


def test_default_weights_are_found_in_the_cache_or_the_error_says_where_to_get_and_put_them(tmp_path, monkeypatch, net):
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "packaged")
    with pytest.raises(ModelError, match=r"toy: its weights are not on this machine; they are published at a page"):
        default_weights("toy", "a page")
    assert find_weights("toy") is None
    torch.save(net.state_dict(), tmp_path / "toy.pt")
    assert default_weights("toy", "a page") == tmp_path / "toy.pt"


def test_the_hash_tells_files_apart_and_covers_a_whole_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    alone, folder = weights_hash(tmp_path / "a"), weights_hash(tmp_path)
    assert len(alone) == 12
    (tmp_path / "b").write_bytes(b"2")
    assert weights_hash(tmp_path) != folder
    assert weights_hash(tmp_path / "a") == alone


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors", "net.ckpt"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "a git-lfs pointer; run",
        ),
        (b"\xef\xbb\xbf<!DOCTYPE html>\n<html>", "a web page; download the file that the page links to"),
        (b"  <HTML><body>403</body></HTML>", "a web page"),
        (b'{"error": "not found"}', "a text that begins with"),
        (b"Not Found", "a text that begins with 'Not'"),
        (b"\x1f\x8b\x08\x00rest", "a compressed archive; unpack it"),
    ],
)
def test_what_is_no_weights_at_all_is_called_what_it_is_in_one_line(tmp_path, name, content, what):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: cannot be read as weights, is {what}") as error:
        read_state_dict(tmp_path / name)
    assert "\n" not in str(error.value)


def test_an_empty_file_an_archive_of_files_and_a_program_are_called_what_they_are(tmp_path, net):
    (tmp_path / "empty.pth").touch()
    with zipfile.ZipFile(tmp_path / "mono.pth", "w") as archive:
        archive.writestr("mono/encoder.pth", b"1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net, torch.zeros(1, 3)).save(tmp_path / "traced.pt")
    for name, what in (
        ("empty.pth", "cannot be read as weights"),
        ("mono.pth", r"is a zip archive of mono/encoder\.pth; unpack it"),
        ("traced.pt", "is a TorchScript program, which is code"),
    ):
        with pytest.raises(ModelError, match=what) as error:
            read_state_dict(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_file_is_read_by_its_content_where_its_name_says_something_else(tmp_path, net):
    save_file(net.state_dict(), tmp_path / "net.pth")
    torch.save(net.state_dict(), tmp_path / "net.safetensors")
    for path in tmp_path.iterdir():
        assert torch.equal(read_state_dict(path)["weight"], net.weight)


@pytest.mark.parametrize(
    "wrapped", [lambda state: {"ema": state, "step": 3}, lambda state: {"model": {"state_dict": state}}]
)
def test_the_one_dict_of_tensors_in_a_file_is_found(tmp_path, net, wrapped):
    torch.save(wrapped(net.state_dict()), tmp_path / "net.ckpt")
    assert read_state_dict(tmp_path / "net.ckpt").keys() == net.state_dict().keys()


def test_the_hash_covers_options_whatever_their_order(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    alone, first = weights_hash(tmp_path / "a"), weights_hash(tmp_path / "a", options={"x": 1, "y": (2, 3)})
    assert weights_hash(tmp_path / "a", options={}) == alone != first
    assert weights_hash(tmp_path / "a", options={"y": [2, 3], "x": 1}) == first


def test_a_checksum_in_a_name_is_compared_and_a_date_is_none(tmp_path):
    for stem in ("net-20240131", "net"):
        torch.save({"a": torch.ones(3)}, tmp_path / f"{stem}.pth")
        assert read_state_dict(tmp_path / f"{stem}.pth")
    own = hashlib.sha256((tmp_path / "net.pth").read_bytes()).hexdigest()[:8]
    assert named_checksum(tmp_path / "net.pth") == ""
    for stem, says in ((f"net-{own}", ""), ("net-0badcafe", "its name gives the SHA-256 0badcafe")):
        shutil.copy(tmp_path / "net.pth", tmp_path / f"{stem}.pth")
        assert named_checksum(tmp_path / f"{stem}.pth").startswith(says)
    with pytest.warns(InputWarning, match="its bytes have"):
        read_state_dict(tmp_path / "net-0badcafe.pth")
