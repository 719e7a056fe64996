"""The demo needs no data, says what it does, and repeats itself exactly."""

import re
import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet import cli
from avsnet.cli.demo_page import _blocks, _lines, _table, demo
from avsnet.cli.demo_rooms import RANGED, ROWS, Room
from avsnet.cli.results import refuse_foreign
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


def test_the_table_holds_every_row_and_scaling_brings_the_third_party_map_nearer(shown):
    _, text = shown
    scores = {row: re.search(rf"{re.escape(row)} +(\d+) +([\d.]+)", text) for row in ROWS}
    assert all(scores[row] for row in ROWS if "ranging" not in row)
    assert float(scores["third-party map, scaled by AV"][2]) < float(scores["third-party map, its own units"][2])


def test_the_page_needs_nothing_beside_it_and_says_what_the_foreign_map_is(shown):
    folder, _ = shown
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count("<figure") == 2 * 10
    assert "true shape, bent by 10 %, in unknown units" in page
    assert "Rooms are simulated" in page


def test_the_page_says_nothing_in_words_of_the_simulator(shown):
    page = (shown[0] / "report.html").read_text(encoding="utf-8")
    seen = page[page.index("<h1>") : page.index("<details>")]
    assert "k = " not in seen and "historic" not in seen
    assert "hall of an old building" in seen and "lab of an office building" in seen
    assert "Everything in this room, doors and furniture too, is 1.01 times its usual size" in seen


def room_with(number, **errors):
    """A room without pictures whose rows have these mean errors."""
    scores = {row: {"abs_rel": errors["all"], "rmse": 1.0, "delta1": 0.5} for row in ROWS if row != RANGED}
    if "ranged" in errors:
        scores[RANGED] = {"abs_rel": errors["ranged"], "rmse": 1.0, "delta1": 0.5}
    return Room(number, "offices", "lab", None, *[np.zeros((2, 2))] * 3, {}, scores)


def test_ranging_is_compared_on_the_rooms_that_it_answers_only():
    rooms = [room_with(0, all=0.1, ranged=0.2), room_with(1, all=0.5), room_with(2, all=0.3, ranged=0.4)]
    blocks = _blocks(rooms)
    assert [(len(of), RANGED in rows) for _, of, rows in blocks] == [(3, False), (2, True)]
    text = "\n".join(_lines(blocks))
    assert [float(error) for error in re.findall(r"by AV +\d+ +([\d.]+)", text)] == [0.3, 0.2]
    assert re.findall(r"by ranging +(\d+) +([\d.]+)", text) == [("2", "0.300")]


def test_rooms_that_ranging_all_answers_or_all_refuses_make_one_block():
    (answered,) = _blocks([room_with(0, all=0.1, ranged=0.2)])
    assert answered[2] == tuple(ROWS)
    refused = _blocks([room_with(0, all=0.1)])
    assert len(refused) == 1 and RANGED not in refused[0][2]
    assert "refused the echo of every room" in _table(refused).note


def test_the_page_fits_a_phone(shown):
    playwright = pytest.importorskip("playwright.sync_api", reason="driving a browser needs playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=120_000)
        page = browser.new_page(viewport={"width": 400, "height": 800})
        page.goto((shown[0] / "report.html").as_uri(), timeout=120_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        widths = page.evaluate("[...document.querySelectorAll('.columns img')].map(one => one.clientWidth)")
        assert min(widths) >= 160
        browser.close()


def test_the_same_seed_gives_the_same_demo(shown, tmp_path):
    folder, text = shown
    again = demo(tmp_path, rooms=2)
    assert again.replace(str(tmp_path), "") == text.replace(str(folder), "")
    for name in ("room_0.wav", "room_1.png", "room_1_depth.png", "report.html"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["report.html", "room_0.png", "room_1.wav", "room_0_depth.png"])
def test_a_file_of_the_users_stays_unless_overwriting_is_asked_for(shown, tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    assert cli.main(["demo", "--out", str(tmp_path), "--rooms", "2"]) == 2
    assert f"{name}: is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"
    refuse_foreign(shown[0].iterdir())  # its own files it may replace


def test_a_negative_seed_no_rooms_and_a_bad_folder_are_refused(tmp_path, capsys):
    assert cli.main(["demo", "--out", str(tmp_path / "out"), "--seed", "-1"]) == 2
    assert capsys.readouterr().err == "avsnet: error: seed -1 is below 0\n"
    assert cli.main(["demo", "--out", str(tmp_path / "out"), "--rooms", "0"]) == 2
    assert capsys.readouterr().err == "avsnet: error: rooms 0 is below 1\n"
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        demo(tmp_path / "file", rooms=1)
    assert not (tmp_path / "out").exists()
