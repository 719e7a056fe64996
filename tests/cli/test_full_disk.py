"""A full disk and a folder that cannot be written are one line, and nothing half is left."""

import numpy as np
import pytest
from PIL import Image

from avsnet import cli
from avsnet.audio import sound_card
from avsnet.prediction import Prediction
from full_disk import full_disk
from room_card import RoomCard

SIZES = (0, 1_000, 4_000)
"""Bytes beyond which no file grows: nothing, a head, half of a result."""


RUN = """
model: {name: batvision_unet_128, options: {ngf: 2}}
data: {train: 'rooms:offices:0-0', batch_size: 1, size: [128, 128], workers: 0}
steps: 1
log_every: 1
pictures: 0
accelerator: cpu
"""


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    monkeypatch.setattr(sound_card, "PortAudioCard", RoomCard)
    depth = np.linspace(1.0, 3.0, 40 * 60, dtype=np.float32).reshape(40, 60)
    np.save(tmp_path / "a.npy", depth)
    camera = np.array([[40.0, 0.0, 29.5], [0.0, 40.0, 19.5], [0.0, 0.0, 1.0]])
    names = dict.fromkeys(("model", "weights_hash", "scale_source", "version"), "a")
    Prediction(depth, "metric_depth", 1.0, 0.0, depth > 0.0, camera, **names).save(tmp_path / "a.npz")
    (tmp_path / "run.yaml").write_text(RUN)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)).save(tmp_path / "a.png")
    return tmp_path


VERBS = {
    "echo": "echo {inputs}/a.npy --fov 70 --out {out}/a.wav",
    "simulate": "simulate offices --locations 1 --poses 1 --size 96x96 --out {out}",
    "predict": "predict {inputs}/a.png --out {out}",
    "cloud": "cloud {inputs}/a.npz --out {out}/a.ply",
    "record": "record --out {out} --picture {inputs}/a.png",
    "evaluate": "evaluate --data rooms:offices:900000-900000 --systems avsnet_lite0_v --out {out}",
    "demo": "demo --rooms 1 --out {out}",
    "export": "export ear --out {out}/ear.onnx",
    "train": "train {inputs}/run.yaml --out {out}",
    "scale": "scale {inputs}/a.npy --kind relative_depth --reference {inputs}/a.npy --out {out}",
}


# Tracing a network takes ten seconds, so that one size must do.
@pytest.mark.parametrize(("verb", "most"), [(v, s) for v in VERBS for s in SIZES if v != "export" or s == 1_000])
def test_a_full_disk_is_one_line_and_leaves_nothing_half(inputs, capsys, verb, most):
    out = inputs / "out"
    out.mkdir()
    with full_disk(most):
        code = cli.main(VERBS[verb].format(inputs=inputs, out=out).split())
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("avsnet: error")]
    assert code in (1, 2) and len(said) == 1 and "cannot be written" in said[0]
    left = [path for path in out.rglob("*") if path.is_file()]
    assert all(path.stat().st_size <= most and not path.name.startswith(".") for path in left)


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_is_no_folder_is_one_line(inputs, capsys, verb):
    (inputs / "out").write_text("mine")
    assert cli.main(VERBS[verb].format(inputs=inputs, out=inputs / "out").split()) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("avsnet: error") and "Traceback" not in "\n".join(said)
    assert (inputs / "out").read_text() == "mine"
