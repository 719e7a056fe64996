"""Weights and configurations of anyone: an error of ours that names the file, and no more memory than they hold."""

import json
import zipfile

import pytest
import torch

from avsnet.errors import AvsnetError, ModelError
from avsnet.models import create_model
from avsnet.models.avsnet.weights import load_folder
from avsnet.scale.ear_network import EarNetwork
from avsnet.weights import load_strictly, read_state_dict


@pytest.fixture
def tiny(tmp_path):
    create_model("avsnet_tiny_v").save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


HOSTILE = [
    [],
    3,
    None,
    {"encoder": [], "fusion": {}},
    {"encoder": "midas_tiny", "fusion": ["none"]},
    *({"n_bins": value} for value in (None, "64", -1, 0, 1e300, 10**12, [64], {}, True)),
    *({"bins": value} for value in ([], "a", 3, {"attractors": [10**9]}, {"embedding": 10**10}, {"stride": "a"})),
    *({"bins": {"attractors": value}} for value in (None, 3, "abc", [[1]], [-1, 0, 0, 0], [None])),
    *({"input_size": value} for value in (3, "a", [1], [-32, 64], [[32], [64]], [1e400, 3], {})),
    *({"min_depth": value} for value in (None, "a", [], float("nan"), -1)),
    *({"canonical_camera": value} for value in ("a", [], {})),
    {"fuse_into": []},
    {"echo_dropout": "a"},
    {"what": 1},
    {"encoder": "midas_dpt_large"},
    {"encoder": "\x1b[2J"},
]


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: json.dumps(change)[:40])
def test_a_configuration_of_anyone_is_read_or_one_error_that_names_it(tiny, change):
    config = tiny / "config.json"
    own = json.loads(config.read_text())
    config.write_text(json.dumps(own | change if isinstance(change, dict) else change))
    for load in (load_folder, lambda folder: create_model("avsnet_tiny_v", weights=folder)):
        try:
            load(tiny)
        except AvsnetError as error:
            assert str(tiny) in str(error) and "\n" not in str(error)


def test_a_configuration_of_a_giant_is_refused_before_there_is_room_for_it(tiny):
    config = tiny / "config.json"
    own = json.loads(config.read_text())
    config.write_text(json.dumps(own | {"bins": {**own["bins"], "embedding": 10**7, "projector_width": 10**7}}))
    with pytest.raises(ModelError, match=r"config\.json asks for \d+ weights, and \d+ are there"):
        load_folder(tiny)


@pytest.mark.parametrize(
    "stored",
    [
        {1: torch.ones(2), 2: torch.ones(3)},
        {0: {"a": torch.ones(2)}},
        {"model": {3: torch.ones(2)}},
        {"state_dict": {"state_dict": {"state_dict": {}}}},
        {"a": torch.ones(3).to_sparse()},
        {"a": torch.ones(3, dtype=torch.complex64)},
        {},
    ],
)
def test_entries_without_names_or_of_odd_kinds_are_one_error(tmp_path, stored):
    torch.save(stored, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"a\.pt"):
        create_model("midas_small", weights=tmp_path / "a.pt")


def test_a_dict_that_holds_itself_is_one_error(tmp_path):
    stored = {"a": 1}
    stored["model"] = stored
    torch.save(stored, tmp_path / "a.pt")
    with pytest.raises(ModelError, match="holds no weights"):
        read_state_dict(tmp_path / "a.pt")


def test_a_flipped_bit_of_an_archive_is_found_by_its_checksum(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"weight": torch.ones(1000)}, path)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"\x00\x00\x80\x3f" * 10) + 3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ModelError, match=r"a\.pt: .*damaged by its checksum\); fetch the file again"):
        read_state_dict(path)


def test_an_archive_that_is_packed_is_not_unpacked(tmp_path):
    torch.save({"weight": torch.zeros(100_000)}, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as own,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in own.namelist():
            new.writestr(name, own.read(name))
    with pytest.raises(ModelError, match=r"b\.pt.*is packed, as torch\.save does not"):
        read_state_dict(tmp_path / "b.pt")


def test_weights_that_torch_cannot_copy_are_one_error():
    layer = torch.nn.Linear(3, 1, bias=False)
    with pytest.raises(ModelError, match=r"a\.pt: weights that cannot be taken over"):
        load_strictly(layer, {"weight": torch.ones(1, 3).to_sparse()}, "a.pt")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 100, b'\x08\0\0\0\0\0\0\0{"a":{}}'])
def test_broken_weights_of_the_ear_are_one_error(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="no weights of the ear"):
        EarNetwork.load(tmp_path)


def test_an_archive_whose_names_are_no_text_is_one_error(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.ones(3)}, path)
    content = path.read_bytes()
    at = content.rindex(b"PK\x01\x02")  # a name in the table of contents, and the flag that it is UTF-8
    changed = bytearray(content)
    changed[at + 9] |= 8
    changed[at + 46 : at + 48] = b"\xe1\xff"
    path.write_bytes(changed)
    with pytest.raises(ModelError, match=r"a\.pt"):
        read_state_dict(path)
