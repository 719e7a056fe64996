"""A killed run's half results go with the next run; nobody else's do."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from avsnet import cli
from avsnet.cli.results import remove_abandoned


def abandoned(folder, process, age=120.0, name="a_depth.npz"):
    left = folder / f".avsnet-{process}-ab12cd"
    left.mkdir()
    (left / name).write_bytes(b"half")
    os.utime(left, (time.time() - age,) * 2)
    return left


DEAD = 4_194_400  # above the largest process number of Linux


@pytest.mark.parametrize(
    ("process", "age", "name", "goes"),
    [
        (DEAD, 120.0, "a_depth.npz", True),
        (os.getpid(), 120.0, "a_depth.npz", False),
        (1, 120.0, "a_depth.npz", False),
        (DEAD, 0.0, "a_depth.npz", False),
        (DEAD, 120.0, "thesis.tex", False),
        ("mine", 120.0, "a_depth.npz", False),
    ],
)
def test_only_what_is_provably_a_dead_runs_is_removed(tmp_path, process, age, name, goes):
    left = abandoned(tmp_path, process, age, name)
    remove_abandoned(tmp_path)
    assert left.exists() is not goes


def test_predict_removes_what_a_killed_one_left(tmp_path):
    Image.fromarray(np.zeros((64, 64, 3), np.uint8) + 9).save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    left = abandoned(tmp_path / "out", DEAD)
    assert cli.main(["predict", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 0
    assert not left.exists() and (tmp_path / "out" / "a_depth.npz").exists()
