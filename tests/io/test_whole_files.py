"""A file is there whole or not at all, whatever its writer raises, and on the disk before it has its name."""

import os

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from avsnet.errors import OutputError
from avsnet.io.whole_files import atomic_path
from full_disk import full_disk

WRITERS = {
    "a.npy": lambda path: np.save(path, np.zeros(100_000)),
    "a.wav": lambda path: soundfile.write(path, np.zeros((50_000, 2)), 44_100),
    "a.pt": lambda path: torch.save({"a": torch.zeros(100_000)}, path),
    "a.safetensors": lambda path: save_file({"a": torch.zeros(100_000)}, path),
    "a.txt": lambda path: path.write_text("a" * 100_000),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_error_and_what_was_there_stays(tmp_path, name):
    (tmp_path / name).write_text("before")
    with (
        full_disk(20_000),
        pytest.raises(OutputError, match=rf"{name}: cannot be written .*make room"),
        atomic_path(tmp_path / name) as at,
    ):
        WRITERS[name](at)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "before"


def test_a_file_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("sync"), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("name"), replace(*names)))
    with atomic_path(tmp_path / "a.txt") as path:
        path.write_text("whole")
    assert order == ["sync", "name"] and (tmp_path / "a.txt").read_text() == "whole"
