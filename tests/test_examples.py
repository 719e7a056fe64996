"""The examples run as they stand, and their index names each of them."""

import json
import re
import runpy
import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

import avsnet
from places import ROOT

EXAMPLES = ROOT / "examples"
TOUR = json.loads((EXAMPLES / "tour.ipynb").read_text(encoding="utf-8"))
LONGEST = 150  # lines


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs an example in an empty folder, as `python NAME WORDS` would, and returns what it prints."""

    def do(name: str, *words: str) -> str:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *words])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return do


def test_the_first_picture_needs_nothing_and_leaves_depth_that_loads(run, tmp_path):
    said = run("first_picture.py")
    assert "90 % probability" in said and "scale from: " in said
    loaded = avsnet.Prediction.load(tmp_path / "first.npz")
    assert f"{loaded.depth[96, 128]:.2f} m along" in said
    with Image.open(tmp_path / "first.png") as millimetres:
        np.testing.assert_allclose(np.array(millimetres) / 1000.0, loaded.depth, atol=6e-4)


def test_the_first_picture_takes_files(run, tmp_path):
    room = avsnet.rooms.sample("offices", 300_003, size=(96, 128))
    Image.fromarray(room["rgb"]).save(tmp_path / "own.png")
    soundfile.write(tmp_path / "own.wav", room["audio"].T, 44_100)
    assert "know: field of view assumed" in run("first_picture.py", "own.png", "own.wav")
    assert avsnet.Prediction.load(tmp_path / "first.npz").depth.shape == (96, 128)


def test_a_map_in_unknown_units_becomes_metres_by_an_echo_and_by_a_distance(run):
    ratios = [float(ratio) for ratio in re.findall(r"([\d.]+) times the true one", run("scale_my_map.py"))]
    assert len(ratios) == 2
    assert 0.7 < ratios[0] < 1.4  # the map itself says 0.14 of a metre
    assert ratios[1] == pytest.approx(1.0, abs=0.02)


def test_a_stream_carries_its_scale_from_echo_to_echo(run):
    said = run("stream.py")
    found = re.findall(r"\((\w+)\): median ([\d.]+) m, 90 %: ([\d.]+) to ([\d.]+) m", said)
    assert [source for source, *_ in found] == ["echo", "carried", "carried"] * 2
    for _, *numbers in found:
        median, low, high = map(float, numbers)
        assert low < median < high
    medians = [float(median) for _, median, *_ in found]
    assert max(medians) < 1.25 * min(medians)  # a slow walk in one room


def test_the_tour_runs_cell_by_cell_and_hears_better_than_it_sees(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for cell in TOUR["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "tour.ipynb", "exec"), names)
    assert names["scores"]["by eye and ear"] < names["scores"]["by eye"]
    assert "<img" in names["by_ear"]._repr_html_()
    assert (tmp_path / "room.ply").stat().st_size > 10_000 and (tmp_path / "room.npz").exists()
    assert "depth at pixel (128, 96)" in capsys.readouterr().out


def test_the_committed_notebook_holds_no_outputs():
    assert TOUR["nbformat"] == 4
    for cell in TOUR["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


def test_the_index_names_every_example_and_each_is_short():
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    found = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}
    assert set(re.findall(r"\]\(([^)]+)\)", text)) == found
    assert len([name for name in found if name.endswith(".py")]) >= 5
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST, path.name
