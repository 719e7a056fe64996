"""`avsnet predict` of a video: one file a frame, echoes by time or by number, the scale carried between."""

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from avsnet import cli
from avsnet.audio.recording import listen
from avsnet.audio.rig import Rig
from avsnet.models import infer
from avsnet.prediction import Prediction
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RATE = 44_100


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A GIF of six frames of a room, 0.4 s each, and its recordings: one of three chirps, and a folder of two."""
    folder = tmp_path_factory.mktemp("video")
    scene = furnished_room("historic", 2)
    image, _, _ = render(scene, 48, 64)
    frames = [Image.fromarray(np.clip(image.astype(int) + step, 0, 255).astype(np.uint8)) for step in range(6)]
    frames[0].save(folder / "room.gif", save_all=True, append_images=frames[1:], duration=400)
    frames[0].save(folder / "still.gif")
    waveform = echo(scene, Rig(), seed=2)
    direct = listen(waveform, RATE).direct
    sound = 1e-4 * np.random.default_rng(0).standard_normal((2, 3 * RATE))
    for time in (0.1, 0.9, 2.5):  # frames 1 and 3, and one after the video
        start = round(time * RATE) - direct
        sound[:, start : start + waveform.shape[1]] += waveform[:, : sound.shape[1] - start]
    soundfile.write(folder / "chirps.wav", sound.T, RATE, subtype="PCM_24")
    (folder / "echoes").mkdir()
    for number in (2, 5):
        soundfile.write(folder / "echoes" / f"echo_{number}.wav", waveform.T, RATE, subtype="PCM_24")
    return folder


def run(video, out, capsys, *flags, name="room.gif"):
    model = ("--depth-model", "avsnet_lite0_v", "--scale-from", "avsnet_lite0_av", "--out", str(out))
    code = cli.main(["predict", str(video / name), *model, *map(str, flags)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def frames(out):
    return [Prediction.load(path) for path in sorted(out.glob("*_depth.npz"))]


def test_repeated_chirps_belong_to_frames_by_their_time(video, tmp_path, capsys):
    code, out, err = run(video, tmp_path, capsys, "--echo", video / "chirps.wav")
    assert code == 0 and out.startswith("room.gif: 6 frames, 2 with an echo, median depth ") and out.count("\n") == 1
    assert "1 of the echoes lie outside the video" in err
    found = frames(tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"room_{n:05d}_depth.npz" for n in range(1, 7)]
    carried = [one.scale_source.startswith("carried") for one in found]
    assert carried == [False, True, False, True, True, True]
    assert all(one.depth.shape == (48, 64) and one.unit == "m" for one in found)
    assert np.ptp(np.log([one.scale for one in found])) < 0.2


def test_numbered_echoes_belong_to_frames_by_their_number(video, tmp_path, capsys):
    code, out, _ = run(video, tmp_path, capsys, "--echo", video / "echoes", "--ply")
    assert code == 0 and "2 with an echo" in out
    carried = [one.scale_source.startswith("carried") for one in frames(tmp_path)]
    assert carried == [False, False, True, True, False, True]
    assert len(list(tmp_path.glob("*.ply"))) == 6


def test_a_video_without_sound_and_files_of_others(video, tmp_path, capsys):
    assert run(video, tmp_path, capsys)[0] == 0
    assert run(video, tmp_path, capsys)[0] == 0  # its own files it replaces
    (tmp_path / "room_00003_depth.npz").write_bytes(b"mine")
    code, _, err = run(video, tmp_path, capsys)
    assert code == 2 and "was not written by avsnet" in err
    assert (tmp_path / "room_00003_depth.npz").read_bytes() == b"mine"


def test_a_gif_that_does_not_move_is_a_picture(video, tmp_path, capsys):
    code, out, _ = run(video, tmp_path, capsys, name="still.gif")
    assert code == 0 and out.startswith("still.gif: median depth")
    assert (tmp_path / "still_panel.png").exists()


def test_small_files_and_half_precision_are_for_videos_too(video, tmp_path, capsys, monkeypatch):
    assert run(video, tmp_path / "fast", capsys)[0] == run(video, tmp_path / "small", capsys, "--compress")[0] == 0
    fast, small = (sum(path.stat().st_size for path in (tmp_path / name).iterdir()) for name in ("fast", "small"))
    assert small < 0.9 * fast
    code, _, err = run(video, tmp_path / "half", capsys, "--half", "--device", "cpu")
    assert code == 2 and "is for a GPU" in err and not (tmp_path / "half").exists()
    asked = []

    def network_maps(model, batch, half=False):
        asked.append(half)
        return infer.network_maps(model, batch)

    monkeypatch.setattr("avsnet.predictor.network_maps", network_maps)
    monkeypatch.setattr("avsnet.cli.predict_pipeline.device_of", lambda name, half: torch.device("cpu"))
    assert run(video, tmp_path / "half", capsys, "--half")[0] == 0 and asked == [True] * 6


def test_a_broken_gif_is_one_line(video, tmp_path, capsys):
    content = bytearray((video / "room.gif").read_bytes())
    content[6:10] = b"\xff\xff\xff\xff"  # width and height of its screen
    (tmp_path / "large.gif").write_bytes(content)
    code, out, err = run(tmp_path, tmp_path / "out", capsys, name="large.gif")
    assert (code, out) == (2, "") and "large.gif" in err and "AVSNET_MAX_PIXELS" in err and err.count("\n") == 1


def test_mistakes_are_one_line(video, tmp_path, capsys):
    (tmp_path / "echoes").mkdir()
    for flags, words in (
        (("--echo", tmp_path / "echoes"), "no recording in this folder"),
        (("--echo", tmp_path / "none.wav"), "none.wav"),
        (("--rig", tmp_path / "none.json"), "none.json"),
    ):
        code, out, err = run(video, tmp_path / "out", capsys, *flags)
        assert (code, out) == (2, "") and words in err
    soundfile.write(tmp_path / "echoes" / "first.wav", np.zeros((100, 2)), RATE)
    code, _, err = run(video, tmp_path / "out", capsys, "--echo", tmp_path / "echoes")
    assert code == 2 and "number of its frame" in err
