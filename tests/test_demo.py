"""The demo needs no data, says what it does, and repeats itself exactly."""

import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet import cli
from avsnet.demo import demo
from avsnet.errors import OptionError, OutputError

FILES = ["echo.wav", "room.png", "room_depth.npz", "room_depth.png", "room_panel.png"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The folder that the demo filled with a room whose scale is easy to hear, and what it said."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, demo(folder, "historic", 2)


def test_the_demo_writes_picture_echo_depth_and_panel(shown):
    folder, _ = shown
    assert sorted(path.name for path in folder.iterdir()) == FILES
    for name in ("room.png", "room_depth.png"):
        with Image.open(folder / name) as picture:
            assert picture.size == (640, 480)
    waveform, sample_rate = soundfile.read(folder / "echo.wav")
    assert sample_rate == 44_100 and waveform.shape[1] == 2 and np.abs(waveform).max() > 0.1


def test_the_demo_says_that_the_map_is_the_true_one_and_how_well_the_ear_did(shown):
    folder, text = shown
    assert "the true map in unknown units" in text and str(folder / "room_panel.png") in text
    before, after = (
        [float(number) for number in re.search(rf"{word}.*abs_rel ([\d.]+), .*factor of ([\d.]+\d)", text).groups()]
        for word in ("Before", "After")
    )
    assert after[0] < 0.05 and after[1] < 1.05 < before[1]
    with np.load(folder / "room_depth.npz") as entries:
        assert str(entries["scale_source"]) == "ranging" and str(entries["model"]) == "true_map"
        assert entries["assumptions"].tolist() == ["rig known: speaker to ear 0.16 m"]


def test_the_same_seed_gives_the_same_demo(shown, tmp_path):
    folder, _ = shown
    demo(tmp_path, "historic", 2)
    for name in ("echo.wav", "room.png", "room_depth.png"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_an_unknown_domain_a_negative_seed_and_a_bad_folder_are_refused(tmp_path, capsys):
    with pytest.raises(OptionError, match="offices, historic"):
        demo(tmp_path, "caves", 0)
    assert cli.main(["demo", "--out", str(tmp_path / "out"), "--seed", "-1"]) == 2
    assert capsys.readouterr().err == "avsnet: error: seed -1 is below 0\n"
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        demo(tmp_path / "file", "historic", 2)
    assert not (tmp_path / "out").exists()
