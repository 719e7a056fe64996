"""`avsnet chirp` and `avsnet record`, with a sound card of our own in place of a device."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet.audio import sound_card
from avsnet.audio.chirp import sweep
from avsnet.audio.rig import Rig
from avsnet.cli import main
from avsnet.data.folder import CaptureFolder
from room_card import WALL, RoomCard

RATE = 48_000


@pytest.fixture(autouse=True)
def card(monkeypatch):
    class Card(RoomCard):
        pass

    monkeypatch.setattr(sound_card, "PortAudioCard", Card)
    return Card


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (64, 48), (90, 80, 70)).save(tmp_path / "seen.jpg")
    return tmp_path / "seen.jpg"


def test_a_capture_is_what_the_folder_reader_takes(tmp_path, picture, capsys):
    out = tmp_path / "captures"
    assert main(["record", "--out", str(out), "--picture", str(picture)]) == 0
    assert {path.name for path in out.iterdir()} == {"0001.wav", "0001.jpg"}
    sample = CaptureFolder(out)[0]
    assert sample["sample_rate"] == RATE and sample["waveform"].shape[0] == 2
    told = capsys.readouterr().out
    assert "latency: 187 ms" in told or "latency: 188 ms" in told
    assert "nothing to change" in told


def test_captures_are_numbered_and_none_is_lost(tmp_path, picture):
    out = tmp_path / "captures"
    for _ in range(3):
        assert main(["record", "--out", str(out), "--picture", str(picture)]) == 0
    assert [capture.id for capture in CaptureFolder(out).captures] == ["0001", "0002", "0003"]


def test_facing_a_wall_the_rig_is_calibrated_within_a_centimetre(tmp_path, card):
    out = tmp_path / "captures"
    assert main(["record", "--out", str(out), "--calibrate", str(WALL), "--repeat", "4", "--pause", "0.3"]) == 0
    rig = Rig.from_json(out / "rig.json")
    assert rig.origin == "calibrated"
    np.testing.assert_allclose(rig.speaker, card.rig.speaker, atol=0.01)


def test_a_rig_json_of_the_users_is_not_replaced(tmp_path, capsys):
    out = tmp_path / "captures"
    out.mkdir()
    (out / "rig.json").write_text("mine")
    assert main(["record", "--out", str(out), "--calibrate", str(WALL)]) == 2
    assert (out / "rig.json").read_text() == "mine"
    assert "--overwrite" in capsys.readouterr().err


def test_where_no_chirp_is_heard_nothing_is_written_and_the_way_out_is_told(tmp_path, card, capsys):
    card.deaf = True
    out = tmp_path / "captures"
    assert main(["record", "--out", str(out)]) == 1
    assert not out.exists()
    assert "the chirp was not heard" in capsys.readouterr().out


def test_a_clipped_repeat_shows_though_the_average_has_no_flat_tops(tmp_path, card, capsys):
    card.gain = 4.0
    assert main(["record", "--out", str(tmp_path / "c"), "--repeat", "3", "--pause", "0.3"]) == 0
    assert "clipped" in capsys.readouterr().out


def test_a_chirp_of_ones_own_is_named_by_the_rig(tmp_path, capsys):
    own = np.concatenate([sweep(RATE, 0.006, 500.0, 12_000.0)])
    soundfile.write(tmp_path / "own.wav", own, RATE)
    out = tmp_path / "captures"
    assert main(["record", "--out", str(out), "--play", str(tmp_path / "own.wav")]) == 0
    assert json.loads((out / "rig.json").read_text())["template"] == "rig.wav"
    assert len(Rig.from_json(out / "rig.json").emitted) == pytest.approx(0.006 * 44_100, abs=12)


def test_one_channel_is_kept_as_one(tmp_path, capsys):
    out = tmp_path / "captures"
    assert main(["record", "--out", str(out), "--channels", "1"]) == 0
    assert soundfile.info(out / "0001.wav").channels == 1
    assert "one ear" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, told",
    [
        (["--channels", "3"], "--channels"),
        (["--picture", "none.jpg"], "none.jpg"),
        (["--picture", "a.jpg", "--camera", "0"], "--picture or --camera"),
        (["--repeat", "0"], "count"),
        (["--level", "2"], "level"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_a_sound_is_made(tmp_path, words, told, capsys):
    assert main(["record", "--out", str(tmp_path / "c"), *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (tmp_path / "c").exists()


def test_a_camera_without_opencv_is_told_to_be_a_picture(tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    assert main(["record", "--out", str(tmp_path / "c"), "--camera", "0"]) == 2
    assert "--picture" in capsys.readouterr().err


def test_the_chirp_file_holds_the_sweep_as_often_as_asked(tmp_path, capsys):
    path = tmp_path / "chirp.wav"
    assert main(["chirp", "--out", str(path), "--count", "3", "--pause", "0.25"]) == 0
    played, rate = soundfile.read(path)
    assert rate == RATE and played.ndim == 1
    start, period = round(0.3 * RATE), 144 + round(0.25 * RATE)
    for number in range(3):
        at = start + number * period
        np.testing.assert_allclose(played[at : at + 144], 0.5 * sweep(RATE), atol=1e-4)
    assert main(["chirp", "--out", str(path)]) == 0  # its own file may be replaced


def test_a_chirp_is_no_mp3_and_replaces_no_strangers_file(tmp_path, capsys):
    assert main(["chirp", "--out", str(tmp_path / "chirp.mp3")]) == 2
    soundfile.write(tmp_path / "mine.wav", np.zeros(100), RATE)
    assert main(["chirp", "--out", str(tmp_path / "mine.wav")]) == 2
    assert len(soundfile.read(tmp_path / "mine.wav")[0]) == 100
