"""Every data set keeps the contract, and a new one is one file: nothing else needs to know of it."""

import sys
from pathlib import Path

import numpy as np
import pytest

import avsnet.data
from avsnet import cli
from avsnet.audio.range_axis import BATVISION_AXIS
from avsnet.data import registry
from avsnet.data.check import check
from avsnet.data.reading import Reading
from avsnet.data.registry import data_sets, open_data, recognise
from avsnet.data.sample import check_sample
from avsnet.errors import OptionError
from avsnet.train.config import DataConfig
from avsnet.train.datamodule import TrainingRows
from avsnet.train.sources import open_source
from data_trees import TREES, depth

READINGS = {Reading("train"): "as in the files", Reading("train", (24, 32), axis=BATVISION_AXIS): "as in training"}

TOY = '''
"""Boxes: one NPZ a sample."""
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.data.transforms import resize_image, resize_nearest
from avsnet.metrics import valid_depth


class Boxes(Dataset):
    def __init__(self, root, reading):
        self.paths, self.reading = sorted(Path(root).glob("*.box.npz")), reading

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        stored = np.load(self.paths[index])
        depth, valid = valid_depth(resize_nearest(stored["depth"], self.reading.size), self.reading.cap)
        return {
            "id": self.paths[index].stem,
            "image": resize_image(stored["image"], self.reading.size),
            "waveform": torch.from_numpy(self.reading.axis.place(stored["waveform"], 0)),
            "sample_rate": 44_100,
            "depth": torch.from_numpy(depth)[None],
            "valid": torch.from_numpy(valid)[None],
        }


register_data_set(
    DataSetInfo("boxes", Boxes, recognise=lambda root: any(root.glob("*.box.npz")), cap=5.0, published={"all": 9})
)
'''


@pytest.fixture
def boxes(tmp_path, monkeypatch):
    """A root of the toy data set, whose one file lies where the files of data sets are looked for."""
    data_sets()  # the real ones must register before the copy is made
    monkeypatch.setattr(registry, "_DATA_SETS", dict(registry._DATA_SETS))
    monkeypatch.setattr(avsnet.data, "__path__", [*avsnet.data.__path__, str(tmp_path / "code")])
    monkeypatch.delitem(sys.modules, "avsnet.data.boxes", raising=False)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "boxes.py").write_text(TOY)
    root = tmp_path / "toys"
    root.mkdir()
    rng = np.random.default_rng(0)
    for name in "ab":
        waveform = rng.normal(0.0, 0.05, (2, 3000)).astype(np.float32)
        metres = rng.uniform(1.0, 6.0, (48, 64)).astype(np.float32)
        np.savez(
            root / f"{name}.box.npz", image=rng.integers(0, 256, (48, 64, 3), np.uint8), waveform=waveform, depth=metres
        )
    yield root
    sys.modules.pop("avsnet.data.boxes", None)


def test_a_toy_in_one_file_is_trained_on(boxes):
    config = DataConfig(size=(24, 32))
    for source in (f"boxes:{boxes}", str(boxes)):
        opened = open_source(source, "train", config)
        assert (opened.name, opened.cap, len(opened.data)) == ("boxes:toys", 5.0, 2)
        sample = TrainingRows(opened.data, config, 0)[0, 0]
        assert sample["waveform"].shape == (2, BATVISION_AXIS.samples) and sample["depth"].shape == (1, 24, 32)
        assert sample["depth"].max() <= 5.0


def test_a_toy_in_one_file_is_checked(boxes, capsys):
    for words in ([str(boxes)], [str(boxes), "--layout", "boxes"], [f"boxes:{boxes}"]):
        assert cli.main(["check", *words]) == 0
        out = capsys.readouterr().out
        assert "layout boxes" in out and "all: 2 rows, published 9 (differs), 0 unreadable" in out
        assert "3000 samples (2 rows)" in out and "pictures: 64 x 48 pixels (2 rows)" in out
    (boxes / "b.box.npz").write_bytes((boxes / "a.box.npz").read_bytes())
    np.savez(
        boxes / "a.box.npz", image=np.zeros((4, 4, 3), np.uint8), waveform=np.full((2, 9), 3.0), depth=np.ones((4, 4))
    )
    assert cli.main(["check", str(boxes)]) == 1
    assert "a.box: waveform: found values from 3 to 3, wanted float32 (2, N)" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore:.*no camera known")
def test_a_toy_in_one_file_is_evaluated_on(boxes, tmp_path, capsys):
    for number, source in enumerate((f"boxes:{boxes}", str(boxes))):
        words = ["--data", source, "--systems", "avsnet_lite0_v", "--out", str(tmp_path / f"out{number}")]
        assert cli.main(["evaluate", *words]) == 0
        assert "avsnet_lite0_v" in capsys.readouterr().out
        assert "boxes:toys" in (tmp_path / f"out{number}" / "scores.csv").read_text()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A source of every data set that is registered, by name."""
    found = {}
    for name, tree in TREES.items():
        found[name] = f"{name}:{tree(tmp_path_factory.mktemp(name))}"
    captures = found["folder"].partition(":")[2]
    np.save(f"{captures}/a_depth.npy", depth(0.5))
    made = {"rooms": "rooms:offices:5-5", "failures": "failures:offices:5-5", "half_real": f"half_real:{found['rgbd']}"}
    return found | made | {"frames": f"frames:{captures}"}


@pytest.mark.parametrize("name", data_sets())
@pytest.mark.parametrize(
    "reading", [Reading("train"), Reading("train", (24, 32), axis=BATVISION_AXIS)], ids=["own", "train"]
)
def test_every_data_set_gives_samples_of_the_contract(sources, name, reading):
    info, where = data_sets()[name], sources[name].partition(":")[2]
    if not info.has_depth:
        with pytest.raises(OptionError, match="has no depth"):
            open_data(sources[name], reading)
        data = info.open(where, reading)
    else:
        opened = open_data(sources[name], reading)
        data = opened.data
        assert opened.cap == (info.cap or data.cap)
    sample = data[0]
    check_sample(sample)
    assert {"id", "image"} <= set(sample) and ("waveform" in sample) == (info.has_depth and info.has_echo)
    if reading.size is not None:
        assert sample["image"].shape == (3, 24, 32)
        assert "waveform" not in sample or sample["waveform"].shape == (2, BATVISION_AXIS.samples)


@pytest.mark.parametrize("name", data_sets())
def test_every_data_set_gives_what_is_asked_for_alone(sources, name):
    keys = set(data_sets()[name].open(sources[name].partition(":")[2], Reading("train", keys=("image",)))[0])
    assert "image" in keys and not keys & {"waveform", "sample_rate", "depth", "valid"}


@pytest.mark.parametrize("name", data_sets())
def test_every_data_set_can_be_checked_by_its_source(sources, name):
    report = check(sources[name])
    assert report.layout == name and report.whole and report.rows


@pytest.mark.parametrize("name", TREES)
def test_every_folder_is_recognised_as_what_it_is(sources, name):
    found = recognise(Path(sources[name].partition(":")[2]))
    assert found is not None and found.name == name


def test_visual_echoes_is_trained_on_and_a_capture_folder_has_one_cap_everywhere(sources):
    config = DataConfig(size=(64, 64), samples=4000, align=None)
    opened = open_source(sources["visual_echoes"], "train", config)
    sample = TrainingRows(opened.data, config, 0)[0, 0]
    assert sample["image"].shape == (3, 64, 64) and sample["waveform"].shape == (2, 4000)
    assert (opened.cap, opened.data[0]["depth"].max().item()) == (14.104, 1.0)
    folder = sources["folder"]
    assert open_source(folder, "train", config).cap == open_data(folder).cap == data_sets()["folder"].cap == 10.0
