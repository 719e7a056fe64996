"""avsnet recognises what it wrote, and nothing else."""

import dataclasses

import numpy as np
import pytest
import soundfile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from avsnet.geometry import intrinsics_from_fov
from avsnet.io.authorship import software, written_by_avsnet
from avsnet.io.depth_maps import write_depth_npz
from avsnet.io.point_clouds import write_ply
from avsnet.prediction import Prediction
from avsnet.viz import panel, save_figure


@pytest.fixture
def prediction() -> Prediction:
    return Prediction(
        depth=np.random.default_rng(0).uniform(1.0, 5.0, (60, 80)),
        kind="metric_depth",
        scale=1.0,
        shift=0.0,
        valid=np.ones((60, 80), bool),
        intrinsics=intrinsics_from_fov(80, 60, 70.0),
        model="avsnet_lite0_av",
        weights_hash="ab12",
        scale_source="none",
        version="0.1.0",
    )


def test_every_file_of_a_prediction_carries_the_mark(prediction, tmp_path):
    names = [f"a.{suffix}" for suffix in ("npz", "png", "ply")]
    for name in names:
        prediction.save(tmp_path / name)
    save_figure(tmp_path / "panel.png", panel(np.zeros((60, 80, 3), np.uint8), prediction))
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 44_100, 2, "PCM_24") as file:
        file.software = software()
        file.write(np.zeros((9, 2)))
    assert all(written_by_avsnet(tmp_path / name) for name in [*names, "panel.png", "a.wav"])
    bare = dataclasses.replace(prediction, kind="disparity", weights_hash=None)
    bare.save(tmp_path / "b.npz")
    assert written_by_avsnet(tmp_path / "b.npz")


def test_files_of_others_do_not(tmp_path):
    depth = np.ones((6, 8))
    Image.fromarray(np.ones((6, 8), np.uint16)).save(tmp_path / "a.png")
    mark = PngInfo()
    mark.add_text("Software", "Matplotlib version3.8, https://matplotlib.org/")
    Image.fromarray(np.ones((6, 8), np.uint16)).save(tmp_path / "b.png", pnginfo=mark)
    np.savez(tmp_path / "a.npz", depth=depth)
    np.savez(tmp_path / "b.npz", depth=depth, scale=1.0, version="2")
    write_depth_npz(tmp_path / "c.npz", depth=depth, kind="metric_depth")
    write_ply(tmp_path / "a.ply", np.ones((2, 3)), np.ones((2, 3), np.uint8), comments=["my scan"])
    (tmp_path / "b.ply").write_text("my scan: comment avsnet 1")
    soundfile.write(tmp_path / "a.wav", np.zeros((9, 2)), 44_100)
    np.save(tmp_path / "a.npy", depth)
    for name in ("broken.png", "broken.npz", "broken.ply", "broken.wav", "text.txt"):
        (tmp_path / name).write_text("avsnet 0.1.0")
    (tmp_path / "folder.npz").mkdir()
    assert not any(written_by_avsnet(path) for path in [*tmp_path.iterdir(), tmp_path / "none.npz"])
