"""`avsnet predict`: files in, files out, and for every mistake one clear line."""

import shutil

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper
from PIL import Image

from avsnet import cli
from avsnet.audio.rig import Rig
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RATE = 44_100
HEIGHT, WIDTH = 96, 128
RESULTS = ["depth.npz", "depth.png", "panel.png"]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with the picture, the echo and, as a network, the true map in units of 2.5 m."""
    folder = tmp_path_factory.mktemp("room")
    scene = furnished_room("historic", 2)
    image, truth, _ = render(scene, HEIGHT, WIDTH)
    Image.fromarray(image).save(folder / "room.png")
    soundfile.write(folder / "room.wav", echo(scene, Rig(), seed=2).T, RATE, subtype="PCM_24")
    for name, values, kind in (("relative", truth / 2.5, "relative_depth"), ("metric", truth, "metric_depth")):
        graph = helper.make_graph(
            [helper.make_node("Identity", ["values"], ["map"])],
            "toy",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
            [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])],
            [helper.make_tensor("values", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH], values.ravel())],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.save(model, folder / f"{name}.onnx")
        (folder / f"{name}.json").write_text(f'{{"output": "{kind}", "layout": "NCHW", "size": [{HEIGHT}, {WIDTH}]}}')
    (folder / "rig.json").write_text(
        '{"speaker": [0, 0.1, 0.05], "ears": [[-0.1175, 0.05, -0.04], [0.1175, 0.05, -0.04]]}'
    )
    (folder / "fov.txt").write_text(f"{scene.fov}")
    return folder


@pytest.fixture
def command(room, tmp_path, capsys):
    """Runs `avsnet predict` and returns exit code, stdout and stderr; later flags win over the defaults."""

    def run(image, *flags, model="relative"):
        words = ["predict", str(image), "--out", str(tmp_path / "out"), "--depth-model", f"onnx:{room / model}.onnx"]
        words += ["--scale-from", "ranging" if "--echo" in flags else "none"]
        code = cli.main([*words, *map(str, flags)])
        return code, *capsys.readouterr()

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def is_one_line(code, out, err, *words):
    """A mistake is told in one line on stderr, and the exit code is 2."""
    assert code == 2 and out == ""
    assert err.startswith("avsnet: error: ") and err.count("\n") == 1 and err.endswith("\n")
    for word in words:
        assert word in err
    return True


# One picture


def test_a_picture_and_an_echo_become_depth_files_in_metres(room, command, tmp_path):
    fov = (room / "fov.txt").read_text()
    code, out, err = command(
        room / "room.png",
        "--echo",
        room / "room.wav",
        "--scale-from",
        "ranging",
        "--fov",
        fov,
        "--rig",
        room / "rig.json",
    )
    assert (code, err) == (0, "")
    assert names(tmp_path / "out") == [f"room_{name}" for name in RESULTS]
    with np.load(tmp_path / "out" / "room_depth.npz") as entries:
        depth, scale = entries["depth"], float(entries["scale"])
    assert scale == pytest.approx(2.5, rel=0.05)
    with Image.open(tmp_path / "out" / "room_depth.png") as picture:
        millimetres = np.asarray(picture)
    assert millimetres.dtype == np.uint16 and np.abs(millimetres / 1000 - depth).max() < 0.00051
    assert out.startswith("room.png: median depth ") and out.count("\n") == 1
    assert "from ranging, confidence 0." in out and "assumed" not in out and "warning" not in out


def test_assumptions_and_warnings_are_in_the_line(room, command, tmp_path):
    waveform, _ = soundfile.read(room / "room.wav")
    soundfile.write(tmp_path / "mono.wav", waveform[:, 0], RATE)
    code, out, _ = command(room / "room.png", "--echo", tmp_path / "mono.wav", model="metric")
    assert code == 0 and "field of view assumed: 70 degrees horizontal; rig assumed" in out
    assert "warning: one channel only" in out


def test_a_known_distance_and_a_point_cloud(room, command, tmp_path):
    code, out, _ = command(room / "room.png", "--scale-from=known:64,48,3.5", "--ply")
    assert code == 0 and "from known:64,48,3.5" in out
    assert names(tmp_path / "out") == ["room_depth.npz", "room_depth.ply", "room_depth.png", "room_panel.png"]


def test_units_that_are_no_metres_are_not_written_as_millimetres(room, command, tmp_path):
    code, out, _ = command(room / "room.png", "--scale-from", "none")
    assert code == 0 and "model units" in out and "warning: not metres" in out
    assert names(tmp_path / "out") == ["room_depth.npz", "room_panel.png"]


def test_an_onnx_file_without_a_side_file_is_told_by_flags(room, command, tmp_path):
    bare = shutil.copy(room / "relative.onnx", tmp_path / "bare.onnx")
    model = ("--depth-model", f"onnx:{bare}", "--scale-from", "known:64,48,3")
    is_one_line(*command(room / "room.png", *model), "bare.json", '"output"')
    flags = ("--model-output", "relative_depth", "--model-layout", "NCHW", "--model-size", f"{HEIGHT},{WIDTH}")
    assert command(room / "room.png", *model, *flags)[0] == 0
    is_one_line(*command(room / "room.png", *model, *flags[:-1], "96x128"), "--model-size", "height,width")
    is_one_line(*command(room / "room.png", *model, *flags, "--model-layout", "CHW"), '"layout"', "NHWC")
    is_one_line(
        *command(room / "room.png", "--depth-model", "avsnet_lite0_av", *flags), "--model-output", "not avsnet_lite0_av"
    )


def test_dashes_in_values_and_paths_are_left_alone(room, tmp_path, capsys):
    folder = tmp_path / "my-rooms"
    folder.mkdir()
    shutil.copy(room / "room.png", folder / "a-b_c.png")
    flags = [f"--depth-model=onnx:{room}/metric.onnx", "--scale-from=none", f"--out={folder}/--x-y_z"]
    code = cli.main(["predict", f"{folder}/a-b_c.png", *flags])
    assert code == 0, capsys.readouterr()
    assert names(folder / "--x-y_z") == [f"a-b_c_{name}" for name in RESULTS]


# Bad input


def broken_pictures(folder):
    whole = (folder / "whole.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("no picture")
    (folder / "zero.pgm").write_bytes(b"P5 0 0 255\n")


@pytest.mark.parametrize("name", ["missing.png", "truncated.png", "empty.png", "text.png", "zero.pgm"])
def test_a_broken_picture_is_one_line_and_nothing_is_written(room, command, tmp_path, name):
    shutil.copy(room / "room.png", tmp_path / "whole.png")
    broken_pictures(tmp_path)
    assert is_one_line(*command(tmp_path / name, model="metric"), name)
    assert not (tmp_path / "out").exists()


def test_a_path_that_no_system_takes_is_one_line(command, room):
    is_one_line(*command("x" * 300 + ".png", model="metric"), "xxx")
    is_one_line(*command(room / "room.png", "--echo", "x" * 300 + ".wav"), "xxx")
    is_one_line(*command(room / "room.png", "--depth-model", "onnx:" + "x" * 300), "xxx")


def broken_echo(path, waveform, what):
    """Writes the (N, 2) waveform, broken as `what` says."""
    if what == "truncated":
        soundfile.write(path, waveform, RATE)
        path.write_bytes(path.read_bytes()[:20_000])
    elif what == "empty":
        path.touch()
    elif what == "no sound":
        path.write_text("RIFF, or so it says")
    elif what == "header longer than the file":
        soundfile.write(path, waveform, RATE)
        data = bytearray(path.read_bytes())
        at = data.index(b"data") + 4
        data[at : at + 4] = (len(data) * 2).to_bytes(4, "little")
        path.write_bytes(data)
    elif what == "silent":
        soundfile.write(path, 0 * waveform, RATE)
    elif what == "NaN":
        waveform = waveform.copy()
        waveform[5000] = np.nan
        soundfile.write(path, waveform, RATE, subtype="FLOAT")
    elif what == "wrongly scaled":
        soundfile.write(path, 32768 * waveform, RATE, subtype="FLOAT")
    elif what == "no samples":
        soundfile.write(path, waveform[:0], RATE)
    elif what == "too short":
        soundfile.write(path, waveform[:400], RATE)


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("missing", "no such file"),
        ("truncated", "truncated"),
        ("empty", "0 bytes"),
        ("no sound", "cannot be read as sound"),
        ("header longer than the file", "header promises"),
        ("silent", "silent"),
        ("NaN", "nan"),
        ("wrongly scaled", "wrongly scaled"),
        ("no samples", "no samples"),
        ("too short", "short"),
    ],
)
def test_a_broken_echo_is_one_line_that_names_it_and_nothing_is_written(room, command, tmp_path, what, word):
    waveform, _ = soundfile.read(room / "room.wav")
    broken_echo(tmp_path / "broken.wav", waveform, what)
    is_one_line(*command(room / "room.png", "--echo", tmp_path / "broken.wav"), "broken.wav", word)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_another_sample_rate_is_resampled_and_said(room, command, tmp_path, rate):
    import soxr

    waveform, _ = soundfile.read(room / "room.wav")
    soundfile.write(tmp_path / "other.wav", soxr.resample(waveform, RATE, rate), rate, subtype="FLOAT")
    fov = (room / "fov.txt").read_text()
    code, out, _ = command(room / "room.png", "--echo", tmp_path / "other.wav", "--fov", fov)
    assert code == 0 and f"warning: resampled from {rate} Hz to 44100 Hz" in out
    with np.load(tmp_path / "out" / "room_depth.npz") as entries:
        assert float(entries["scale"]) == pytest.approx(2.5, rel=0.05)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--depth-model", "depth_anyone"], ["unknown model 'depth_anyone'", "near it", "onnx:PATH"]),
        (["--depth-model", "onnx:none.onnx"], ["none.onnx: no such file"]),
        (["--scale-from", "rangin"], ["rangin", "known:x,y,metres"]),
        (["--scale-from", "known:900,2,3"], ["outside the picture"]),
        (["--scale-from", "ranging"], ["needs an echo"]),
        (["--fov", "wide"], ["--fov", "'wide'", "number"]),
        (["--fov", "200", "--scale-from", "known:4,4,2"], ["200", "between 0 and 180"]),
        (["--rig", "none.json", "--scale-from", "known:4,4,2"], ["none.json"]),
        (["--intrinsics", "none.json", "--scale-from", "known:4,4,2"], ["none.json"]),
        (["--ecko", "a.wav"], ["--ecko", "did you mean --echo?"]),
        (["--scale_fro=none"], ["--scale-fro", "did you mean --scale-from?"]),
        (["second.png"], ["unknown argument second.png"]),
        (["--echo"], ["--echo", "one argument"]),
        (["--ply=perhaps"], ["--ply", "true or false"]),
    ],
)
def test_a_wrong_flag_is_one_line_and_nothing_is_written(room, command, tmp_path, flags, words):
    assert is_one_line(*command(room / "room.png", *flags), *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["predict", "demo"])
def test_an_output_folder_that_cannot_be_written_is_refused_before_any_work(verb, capsys, tmp_path):
    (tmp_path / "file").write_text("a regular file")
    words = ["predict", "none.png", "--depth-model", "none"] if verb == "predict" else ["demo"]
    code = cli.main([*words, "--out", str(tmp_path / "file" / "out")])
    is_one_line(code, *capsys.readouterr(), str(tmp_path / "file" / "out"), "cannot be written")
    code = cli.main([*words, "--out", str(tmp_path / "file")])
    is_one_line(code, *capsys.readouterr(), "cannot be written")
    assert names(tmp_path) == ["file"]


def test_if_one_file_cannot_be_written_none_is_left(room, command, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    is_one_line(*command(room / "room.png", model="metric"), "No space left on device")
    assert names(tmp_path / "out") == []


# A folder


@pytest.fixture
def album(room, tmp_path):
    """Pictures, good and bad, and things that are no pictures."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("camera_2.png", "camera_10.png", "same.png", ".hidden.png"):
        shutil.copy(room / "room.png", folder / name)
    with Image.open(room / "room.png") as picture:
        picture.save(folder / "same.bmp")
    (folder / "notes.txt").write_text("no picture")
    (folder / "folder.png").mkdir()
    return folder


def test_every_picture_of_a_folder_is_predicted_and_none_overwrites_another(album, command, tmp_path):
    code, out, err = command(album, model="metric")
    assert code == 0 and "4/4" in err
    stems = ["camera_10", "camera_2", "same.bmp", "same.png"]
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        "camera_10.png",
        "camera_2.png",
        "same.bmp",
        "same.png",
    ]
    assert names(tmp_path / "out") == sorted(f"{stem}_{name}" for stem in stems for name in RESULTS)


def test_a_bad_file_does_not_end_the_run_and_is_listed_with_its_reason(album, command, tmp_path):
    (album / "camera_1.png").write_bytes(b"")
    (album / "zebra.jpg").write_text("no picture")
    code, out, err = command(album, model="metric")
    assert code == 1 and len(out.splitlines()) == 4
    assert len(names(tmp_path / "out")) == 4 * len(RESULTS)
    listed = err[err.index("avsnet: 2 of 6 pictures failed:") :].splitlines()
    assert len(listed) == 3
    assert "camera_1.png" in listed[1] and "0 bytes" in listed[1]
    assert "zebra.jpg" in listed[2] and "not a picture" in listed[2]


def test_pictures_find_their_recordings_by_stem_or_by_number(room, album, command, tmp_path):
    echoes = tmp_path / "echoes"
    echoes.mkdir()
    shutil.copy(room / "room.wav", echoes / "audio_2.wav")  # of camera_2
    shutil.copy(room / "room.wav", echoes / "same.WAV")  # of both
    (echoes / "camera_10.wav").write_bytes(b"")  # of camera_10, but broken
    shutil.copy(room / "room.png", album / "camera_3.png")  # without
    (echoes / "readme.txt").touch()
    fov = (room / "fov.txt").read_text()
    code, out, err = command(album, "--echo", echoes, "--fov", fov)
    assert code == 1
    assert [line.partition(":")[0] for line in out.splitlines()] == ["camera_2.png", "same.bmp", "same.png"]
    assert "2 of 5 pictures failed" in err
    assert "camera_10.wav: is empty" in err and "camera_3.png: " in err and "no recordings" in err


def test_a_number_that_two_pictures_share_pairs_neither(room, command, tmp_path):
    album, echoes = tmp_path / "album", tmp_path / "echoes"
    for folder in (album, echoes):
        folder.mkdir()
    for name in ("kitchen_1.png", "office_1.png"):
        shutil.copy(room / "room.png", album / name)
    shutil.copy(room / "room.wav", echoes / "audio_1.wav")
    code, out, err = command(album, "--echo", echoes)
    assert (code, out) == (1, "") and "2 of 2 pictures failed" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_no_pictures_and_one_echo_for_many_are_errors(room, album, command, tmp_path):
    (tmp_path / "void").mkdir()
    is_one_line(*command(tmp_path / "void", model="metric"), "no picture in this folder")
    is_one_line(*command(album, "--echo", room / "room.wav"), "room.wav", "folder of their recordings")
    is_one_line(*command(album, "--out", album, model="metric"), "holds the pictures")


def test_a_mistake_in_the_flags_is_told_once_and_not_for_every_picture(album, command):
    is_one_line(*command(album, "--scale-from", "rangin"), "rangin")
    is_one_line(*command(album, "--depth-model", "nobody"), "unknown model")


# Files of the user


def test_a_true_depth_map_and_a_scan_next_to_the_picture_are_never_replaced(room, command, tmp_path):
    """They were: predicting into the picture's own folder replaced one and deleted the other, with exit code 0."""
    for name, text in (("room_depth.png", "true depth"), ("room_depth.ply", "my scan")):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text(text)
    heard = ("--echo", room / "room.wav")
    code, out, err = command(room / "room.png", *heard)
    assert (code, out) == (2, "") and "room_depth.png: is there already and was not written by avsnet" in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["room_depth.ply", "room_depth.png"]
    assert command(room / "room.png", *heard, "--overwrite")[0] == 0
    assert (tmp_path / "out" / "room_depth.ply").read_text() == "my scan"  # nothing was written in its place
    assert command(room / "room.png", *heard)[0] == 0  # what avsnet wrote, it replaces
    assert command(room / "room.png", *heard, "--ply")[0] == 2
    assert (tmp_path / "out" / "room_depth.ply").read_text() == "my scan"


def test_a_folder_of_captures_is_predicted_without_taking_depth_maps_for_pictures(room, command, tmp_path):
    folder = tmp_path / "captures"
    folder.mkdir()
    shutil.copy(room / "room.png", folder / "1.png")
    shutil.copy(room / "room.wav", folder / "1.wav")
    Image.fromarray(np.full((96, 128), 2000, np.uint16)).save(folder / "1_depth.png")
    code, _, err = command(folder, "--echo", folder)
    assert code == 0, err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1_depth.npz", "1_depth.png", "1_panel.png"]
