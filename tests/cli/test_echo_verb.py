"""`avsnet echo`: a depth map, or a folder of them, becomes recordings; each mistake is one line."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from avsnet import cli
from avsnet.audio import Rig, range_profile
from avsnet.geometry import intrinsics_from_fov
from avsnet.io.depth_maps import write_depth_npz, write_depth_png
from avsnet.io.recordings import read_wav

SIZE = (60, 80)
CAMERA = intrinsics_from_fov(SIZE[1], SIZE[0], 70.0)


@pytest.fixture
def maps(tmp_path):
    """A folder with two maps of walls, 1.5 and 2.5 m ahead."""
    folder = tmp_path / "maps"
    for name, distance in (("a", 1.5), ("b", 2.5)):
        depth = np.full(SIZE, distance, dtype=np.float32)
        write_depth_png(folder / f"{name}.png", depth, depth > 0)
    return folder


@pytest.fixture
def command(capsys):
    """Runs `avsnet echo` for a tenth of a second of sound and returns exit code, stdout and stderr."""

    def run(depth, out, *flags):
        words = [str(depth), "--out", str(out), "--duration", "0.1", *map(str, flags)]
        return cli.main(["echo", *words]), *capsys.readouterr()

    return run


def is_one_line(code, out, err, *words):
    assert (code, out) == (2, "")
    assert err.startswith("avsnet: error: ") and err.count("\n") == 1
    for word in words:
        assert str(word) in err
    return True


def test_a_map_gives_a_recording_and_the_rig_it_was_made_with(maps, command, tmp_path):
    code, out, err = command(maps / "a.png", tmp_path / "new" / "a.wav", "--fov", 70)
    assert (code, err) == (0, "") and "median depth 1.50 m" in out and out.count("\n") == 1
    made = read_wav(tmp_path / "new" / "a.wav")
    assert made.waveform.shape == (2, 4410) and made.sample_rate == 44_100
    rig = Rig.from_json(tmp_path / "new" / "rig.json")
    assert rig.origin == "known" and rig != Rig()


def test_the_recording_tells_how_far_the_wall_is(maps, command, tmp_path):
    (tmp_path / "rig.json").write_text(json.dumps({"speaker": [0, 0.1, 0.05], "ears": [[-0.1, 0, 0], [0.1, 0, 0]]}))
    for name, distance in (("a", 1.5), ("b", 2.5)):
        command(maps / f"{name}.png", tmp_path / f"{name}.wav", "--fov", 70, "--rig", tmp_path / "rig.json")
        made = read_wav(tmp_path / f"{name}.wav")
        profile = range_profile(made.waveform, made.sample_rate, Rig.from_json(tmp_path / "rig.json"))
        near = np.abs(profile.range - distance) < 0.3
        assert profile.range[near][np.argmax(profile.strength[near])] == pytest.approx(distance, abs=0.04)


def test_a_folder_gives_a_recording_for_each_map_and_the_same_as_alone(maps, command, tmp_path):
    code, out, _ = command(maps, tmp_path / "all", "--fov", 70)
    assert code == 0 and out.count("\n") == 2
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["a.wav", "b.wav", "rig.json"]
    command(maps / "b.png", tmp_path / "alone.wav", "--fov", 70)
    assert (tmp_path / "alone.wav").read_bytes() == (tmp_path / "all" / "b.wav").read_bytes()
    assert (tmp_path / "all" / "a.wav").read_bytes() != (tmp_path / "all" / "b.wav").read_bytes()


def test_the_seed_decides_every_byte(maps, command, tmp_path):
    for folder, seed in (("one", 7), ("two", 7), ("three", 8)):
        command(maps / "a.png", tmp_path / folder / "a.wav", "--fov", 70, "--seed", seed)
    one, two, three = ((tmp_path / name / "a.wav").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three
    assert (tmp_path / "one" / "rig.json").read_text() == (tmp_path / "two" / "rig.json").read_text()


def test_gain_and_depth_scale_are_heard(maps, command, tmp_path):
    depth = np.round(np.full(SIZE, 1.5) * 5000).astype(np.uint16)
    np.save(tmp_path / "a.npy", depth)
    command(maps / "a.png", tmp_path / "millimetres" / "a.wav", "--fov", 70, "--gain", 0.1)
    command(tmp_path / "a.npy", tmp_path / "tum" / "a.wav", "--fov", 70, "--gain", 0.1, "--depth-scale", 5000)
    command(maps / "a.png", tmp_path / "quiet" / "a.wav", "--fov", 70, "--gain", 0.01)
    millimetres, tum, quiet = (read_wav(tmp_path / name / "a.wav").waveform for name in ("millimetres", "tum", "quiet"))
    np.testing.assert_array_equal(millimetres, tum)
    np.testing.assert_allclose(quiet, millimetres / 10, atol=1e-6)
    _, out, _ = command(maps / "a.png", tmp_path / "loud" / "a.wav", "--fov", 70, "--gain", 100)
    assert "samples clipped, lower --gain" in out


def test_an_npz_of_avsnet_brings_its_own_camera(command, tmp_path):
    write_depth_npz(tmp_path / "own.npz", depth=np.full(SIZE, 1.5, dtype=np.float32), intrinsics=CAMERA)
    assert command(tmp_path / "own.npz", tmp_path / "own.wav")[0] == 0
    np.save(tmp_path / "own.npy", np.full(SIZE, 1.5, dtype=np.float32))
    shutil.copy(tmp_path / "own.wav", tmp_path / "kept.wav")
    command(tmp_path / "own.npy", tmp_path / "own.wav", "--fov", 70)
    assert (tmp_path / "own.wav").read_bytes() == (tmp_path / "kept.wav").read_bytes()


def test_an_unreadable_map_of_a_folder_is_named_and_the_others_are_made(maps, command, tmp_path):
    (maps / "c.png").write_bytes(b"no picture")
    code, out, err = command(maps, tmp_path / "all", "--fov", 70)
    assert code == 1 and out.count("\n") == 2
    assert "1 of 3 maps failed" in err and "c.png" in err
    assert not (tmp_path / "all" / "c.wav").exists()


def test_a_map_without_a_camera_is_refused(maps, command, tmp_path):
    assert is_one_line(*command(maps / "a.png", tmp_path / "a.wav"), "a.png", "--intrinsics", "--fov")


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--fov", 70, "--duration", 9], ["duration 9"]),
        (["--fov", 70, "--gain", 0], ["gain 0"]),
        (["--fov", 70, "--seed", -1], ["seed -1"]),
        (["--fov", 190], ["190"]),
        (["--fov", 70, "--depth-scale", 0], ["depth_scale"]),
        (["--fov", 70, "--rig", "nowhere.json"], ["nowhere.json"]),
        (["--intrinsics", "nowhere.txt"], ["nowhere.txt"]),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line_and_nothing_is_written(
    maps, command, tmp_path, flags, words
):
    code, out, err = command(maps, tmp_path / "new", *flags)
    assert (code, out) == (2, "") and err.splitlines()[-1].startswith("avsnet: error: ")
    assert all(word in err for word in words)
    assert not (tmp_path / "new").exists()


def test_what_is_no_map_is_refused(command, tmp_path):
    (tmp_path / "empty").mkdir()
    soundfile.write(tmp_path / "sound.wav", np.zeros(100), 44_100)
    assert is_one_line(*command(tmp_path / "absent.png", tmp_path / "a.wav", "--fov", 70), "absent.png", "no such file")
    assert is_one_line(*command(tmp_path / "empty", tmp_path / "all", "--fov", 70), "no depth map")
    assert is_one_line(*command(tmp_path / "sound.wav", tmp_path / "a.wav", "--fov", 70), "sound.wav")


def test_outputs_that_do_not_fit_are_refused(maps, command, tmp_path):
    assert is_one_line(*command(maps, tmp_path / "one.wav", "--fov", 70), "one.wav", "folder")
    assert is_one_line(*command(maps / "a.png", tmp_path / "a.mp3", "--fov", 70), "a.mp3")
    shutil.copy(maps / "a.png", maps / "a.tif")
    assert is_one_line(*command(maps, tmp_path / "all", "--fov", 70), "two maps are named a")


def test_another_rigs_file_is_not_replaced(maps, command, tmp_path):
    command(maps / "a.png", tmp_path / "a.wav", "--fov", 70)
    before = (tmp_path / "rig.json").read_text()
    assert is_one_line(*command(maps / "b.png", tmp_path / "b.wav", "--fov", 70, "--seed", 1), "another rig", "--rig")
    assert (tmp_path / "rig.json").read_text() == before and not (tmp_path / "b.wav").exists()
    assert command(maps / "b.png", tmp_path / "b.wav", "--fov", 70, "--seed", 1, "--rig", tmp_path / "rig.json")[0] == 0
