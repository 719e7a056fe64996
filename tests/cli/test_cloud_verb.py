"""`avsnet cloud`: from a saved prediction to a file that viewers open."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from avsnet.cli import main
from avsnet.geometry import intrinsics_from_fov
from avsnet.prediction import Prediction


@pytest.fixture
def saved(tmp_path):
    depth = np.full((24, 32), 2.0, np.float32)
    Prediction(
        depth, "metric_depth", 1.0, 0.0, depth > 0, intrinsics_from_fov(32, 24, 70.0), "toy", None, "toy", "0"
    ).save(tmp_path / "a_depth.npz")
    Image.new("RGB", (32, 24), (200, 10, 20)).save(tmp_path / "a.png")
    return tmp_path


@pytest.mark.parametrize("name, z", [("a.ply", 2.0), ("a.glb", -2.0)])
def test_a_prediction_becomes_a_coloured_cloud(saved, name, z):
    words = ["cloud", str(saved / "a_depth.npz"), "--out", str(saved / name), "--image", str(saved / "a.png")]
    assert main([*words, "--thin", "2"]) == 0
    read = trimesh.load(saved / name)
    read = read if hasattr(read, "vertices") else next(iter(read.geometry.values()))
    assert len(read.vertices) == 12 * 16
    np.testing.assert_allclose(read.vertices[:, 2], z, rtol=1e-6)
    assert read.colors[0, :3].tolist() == [200, 10, 20]
    assert main(words) == 0  # its own file may be replaced


def test_a_cloud_in_y_up_axes(saved):
    words = ["cloud", str(saved / "a_depth.npz"), "--out", str(saved / "up.ply"), "--axes", "y_up"]
    assert main(words) == 0
    assert trimesh.load(saved / "up.ply").vertices[:, 2].max() == pytest.approx(-2.0)


@pytest.mark.parametrize("words, told", [(["--axes", "z_up"], "y_up"), (["--thin", "0"], "thin")])
def test_a_wrong_flag_is_told_in_one_line_and_writes_nothing(saved, words, told, capsys):
    assert main(["cloud", str(saved / "a_depth.npz"), "--out", str(saved / "b.ply"), *words]) == 2
    assert told in capsys.readouterr().err and not (saved / "b.ply").exists()


def test_a_strangers_file_is_not_replaced(saved, capsys):
    (saved / "mine.glb").write_bytes(b"mine")
    assert main(["cloud", str(saved / "a_depth.npz"), "--out", str(saved / "mine.glb")]) == 2
    assert (saved / "mine.glb").read_bytes() == b"mine"
