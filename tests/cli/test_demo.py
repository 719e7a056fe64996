"""The demo needs no data, says what it does, and repeats itself exactly."""

import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet import cli
from avsnet.cli.demo_page import ROWS, demo
from avsnet.errors import OutputError


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The folder that the demo filled with two rooms, and what it said."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, demo(folder, rooms=2)


def test_the_demo_writes_pictures_echoes_depth_and_one_page(shown):
    folder, text = shown
    wanted = [f"room_{number}{end}" for number in (0, 1) for end in (".png", ".wav", "_depth.png")]
    assert sorted(path.name for path in folder.iterdir()) == sorted(["report.html", *wanted])
    for number in (0, 1):
        with (
            Image.open(folder / f"room_{number}.png") as picture,
            Image.open(folder / f"room_{number}_depth.png") as depth,
        ):
            assert picture.size == depth.size == (320, 240)
            assert np.array(depth).max() > 500
        waveform, sample_rate = soundfile.read(folder / f"room_{number}.wav")
        assert sample_rate == 44_100 and waveform.shape == (20_000, 2) and np.abs(waveform).max() > 0.01
    assert str(folder / "report.html") in text


def test_the_table_holds_every_row_and_scaling_brings_the_foreign_map_nearer(shown):
    _, text = shown
    scores = {row: re.search(rf"{re.escape(row)} +(\d+) +([\d.]+)", text) for row in ROWS}
    assert all(scores[row] for row in ROWS if "ranging" not in row)
    assert float(scores["foreign map, scaled by AV"][2]) < float(scores["foreign map, its own units"][2])


def test_the_page_needs_nothing_beside_it_and_says_what_the_foreign_map_is(shown):
    folder, _ = shown
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count("<figure") == 2
    assert "true shape, bent by 10 %, in unknown units" in page
    assert "Rooms are simulated" in page


def test_the_same_seed_gives_the_same_demo(shown, tmp_path):
    folder, text = shown
    again = demo(tmp_path, rooms=2)
    assert again.replace(str(tmp_path), "") == text.replace(str(folder), "")
    for name in ("room_0.wav", "room_1.png", "room_1_depth.png", "report.html"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_negative_seed_no_rooms_and_a_bad_folder_are_refused(tmp_path, capsys):
    assert cli.main(["demo", "--out", str(tmp_path / "out"), "--seed", "-1"]) == 2
    assert capsys.readouterr().err == "avsnet: error: seed -1 is below 0\n"
    assert cli.main(["demo", "--out", str(tmp_path / "out"), "--rooms", "0"]) == 2
    assert capsys.readouterr().err == "avsnet: error: rooms 0 is below 1\n"
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        demo(tmp_path / "file", rooms=1)
    assert not (tmp_path / "out").exists()
