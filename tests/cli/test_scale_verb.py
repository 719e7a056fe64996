"""`avsnet scale`: anyone's map from a file to metres, by an echo or by a metric map; each mistake is one line."""

import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet import cli
from avsnet.audio.rig import Rig
from avsnet.io.depth_maps import read_depth, write_depth_npz
from avsnet.scale.rules import scale_depth
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RATE = 44_100


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A folder with a room's picture, its echo, its true depth, and maps of it such as models give."""
    folder = tmp_path_factory.mktemp("room")
    scene = furnished_room("historic", 2)
    image, truth, _ = render(scene, 96, 128)
    Image.fromarray(image).save(folder / "room.png")
    soundfile.write(folder / "room.wav", echo(scene, Rig(), seed=2).T, RATE, subtype="PCM_24")
    np.save(folder / "truth.npy", truth)
    np.save(folder / "relative.npy", truth / 2.5)
    np.savez(folder / "disparity.npz", depth=2.5 / truth)
    np.save(folder / "midas.npy", 7.0 / truth + 3.0)
    Image.fromarray((truth / truth.max() * 60_000).astype(np.uint16)).save(folder / "whole.png")
    (folder / "fov.txt").write_text(f"{scene.fov}")
    return folder


@pytest.fixture
def command(tmp_path, capsys):
    """Runs `avsnet scale` and returns exit code, stdout and stderr."""

    def run(given, *flags):
        code = cli.main(["scale", str(given), "--out", str(tmp_path / "out"), *map(str, flags)])
        return code, *capsys.readouterr()

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def is_one_line(code, out, err, *words):
    assert (code, out) == (2, "")
    assert err.startswith("avsnet: error: ") and err.count("\n") == 1
    for word in words:
        assert str(word) in err
    return True


def results(folder, stem):
    with np.load(folder / f"{stem}_depth.npz", allow_pickle=False) as entries:
        return dict(entries)


# By an echo


@pytest.mark.parametrize(
    ("name", "kind"),
    [("relative.npy", "relative_depth"), ("disparity.npz", "disparity"), ("whole.png", "relative_depth")],
)
def test_an_echo_brings_a_map_to_metres(room, command, tmp_path, name, kind):
    flags = ("--echo", room / "room.wav", "--kind", kind, "--fov", (room / "fov.txt").read_text())
    code, out, err = command(room / name, *flags, "--scale-from", "ranging")
    assert (code, err) == (0, "") and out.count("\n") == 1
    assert out.startswith(f"{name}: median depth ") and "from ranging, confidence" in out
    stem = name.partition(".")[0]
    assert names(tmp_path / "out") == [f"{stem}_depth.npz", f"{stem}_depth.png"]
    found, truth = results(tmp_path / "out", stem), np.load(room / "truth.npy")
    assert np.median(found["depth"] / truth) == pytest.approx(1.0, rel=0.06)
    assert (str(found["kind"]), str(found["scale_source"]), str(found["model"])) == (kind, "ranging", f"file {name}")
    millimetres = read_depth(tmp_path / "out" / f"{stem}_depth.png")
    assert np.abs(millimetres - found["depth"]).max() < 0.00051


def test_auto_is_the_ear_and_with_a_picture_the_packaged_network_beside_it(room, command, tmp_path):
    flags = ("--echo", room / "room.wav", "--fov", (room / "fov.txt").read_text())
    for kind, values in (("relative_depth", "relative.npy"), ("affine_disparity", "midas.npy")):
        space = " in inverse depth" if kind.startswith("affine") else ""

        def median(*more, kind=kind, values=values):
            code, out, err = command(room / values, "--kind", kind, *flags, *more)
            assert (code, err) == (0, "")
            return out, np.median(results(tmp_path / "out", values.partition(".")[0])["depth"])

        out, heard = median()
        assert f"from ear{space}, confidence" in out and " (90 %: " in out
        _, seen = median("--image", room / "room.png", "--scale-from", "avsnet_lite0_av")
        out, both = median("--image", room / "room.png")
        assert f"from ear and avsnet_lite0_av{space}, confidence" in out
        # Beside the ear stands the factor nearest to the network's map, which may be a third from its median.
        assert 0.75 * min(heard, seen) < both < 1.33 * max(heard, seen)
    ranged = command(room / "midas.npy", "--kind", "affine_disparity", *flags, "--scale-from", "ranging")
    assert is_one_line(*ranged, "leaves a shift open, which ranging does not set")


def test_a_picture_and_a_flag_add_the_panel_and_the_cloud(room, command, tmp_path):
    flags = ("--echo", room / "room.wav", "--kind", "relative_depth", "--image", room / "room.png", "--ply")
    code, out, _ = command(room / "relative.npy", *flags)
    assert code == 0 and "field of view assumed: 70 degrees" in out and "rig assumed" in out
    assert names(tmp_path / "out") == [
        f"relative_{what}" for what in ("depth.npz", "depth.ply", "depth.png", "panel.png")
    ]


# By a reference


@pytest.mark.parametrize(
    ("name", "kind", "method"),
    [
        ("relative.npy", "relative_depth", "median"),
        ("relative.npy", "relative_depth", "least_squares"),
        ("disparity.npz", "disparity", "least_squares"),
        ("midas.npy", "affine_disparity", "affine"),
    ],
)
def test_a_reference_brings_a_map_to_metres_as_scale_depth_does(room, command, tmp_path, name, kind, method):
    flags = ("--reference", room / "truth.npy", "--kind", kind, "--method", method)
    code, out, err = command(room / name, *flags)
    assert (code, err) == (0, "") and f"reference truth.npy by {method}" in out
    stem, truth = name.partition(".")[0], np.load(room / "truth.npy")
    values = np.load(room / name)["depth"] if name.endswith("npz") else np.load(room / name)
    expected = scale_depth(values, truth, kind=kind, method=method)
    found = results(tmp_path / "out", stem)
    assert np.array_equal(found["depth"], expected.depth) and np.allclose(found["depth"], truth, rtol=1e-3)
    assert (float(found["scale"]), float(found["shift"])) == (expected.scale, expected.shift)
    assert str(found["scale_source"]).endswith("in inverse depth") == (kind == "affine_disparity")


def test_the_median_is_the_default_rule(room, command):
    code, out, _ = command(room / "relative.npy", "--kind", "relative_depth", "--reference", room / "truth.npy")
    assert code == 0 and "by median" in out


def test_a_fall_back_is_a_warning_in_the_line_and_in_the_file(room, command, tmp_path):
    np.save(tmp_path / "upside_down.npy", 20.0 - np.load(room / "truth.npy"))
    flags = ("--kind", "relative_depth", "--method", "affine", "--reference", tmp_path / "upside_down.npy")
    code, out, _ = command(room / "relative.npy", *flags)
    assert code == 0 and "by median" in out and "warning: affine fell back to the median: the fitted scale" in out
    assert "fell back" in str(results(tmp_path / "out", "relative")["warnings"][0])
    midas = ("--kind", "affine_depth", *flags[2:])
    assert is_one_line(*command(room / "relative.npy", *midas), "relative.npy: affine_depth", "another reference")


def test_the_depth_scale_says_what_whole_numbers_are(room, command, tmp_path):
    truth = np.load(room / "truth.npy")
    Image.fromarray((truth * 5000).astype(np.uint16)).save(tmp_path / "tum.png")
    flags = ("--kind", "relative_depth", "--reference", tmp_path / "tum.png", "--depth-scale", "5000")
    assert command(room / "relative.npy", *flags)[0] == 0
    assert np.allclose(results(tmp_path / "out", "relative")["depth"], truth, rtol=1e-3)


# What a file says of itself


def test_our_own_file_tells_its_kind_and_its_camera(room, command, tmp_path):
    flags = ("--echo", room / "room.wav", "--kind", "disparity", "--fov", "65", "--scale-from", "ranging")
    assert command(room / "disparity.npz", *flags)[0] == 0
    own = shutil.copy(tmp_path / "out" / "disparity_depth.npz", tmp_path / "own_depth.npz")
    # Though it came from a disparity, it holds depth in metres by now; and it is the camera's, so nothing is assumed.
    code, out, _ = command(own, "--reference", room / "truth.npy")
    assert code == 0 and "assumed" not in out
    found = results(tmp_path / "out", "own")
    assert str(found["kind"]) == "metric_depth" and float(found["scale"]) == pytest.approx(1.0, rel=0.06)
    assert np.array_equal(found["intrinsics"], results(tmp_path / "out", "disparity")["intrinsics"])


def test_a_camera_that_was_assumed_once_stays_assumed(room, command, tmp_path):
    assert command(room / "relative.npy", "--kind", "relative_depth", "--reference", room / "truth.npy")[0] == 0
    own = shutil.copy(tmp_path / "out" / "relative_depth.npz", tmp_path / "own.npz")
    assert "field of view assumed: 70 degrees" in command(own, "--reference", room / "truth.npy")[1]


def test_our_own_file_in_model_units_is_relative_depth_and_no_reference(room, command, tmp_path):
    truth = np.load(room / "truth.npy")
    write_depth_npz(tmp_path / "a.npz", depth=truth / 3.0, kind="disparity", scale_source="none")
    code, out, _ = command(tmp_path / "a.npz", "--reference", room / "truth.npy")
    assert code == 0 and "scale 3 " in out
    reference = ("--kind", "relative_depth", "--reference", tmp_path / "a.npz")
    is_one_line(*command(room / "relative.npy", *reference), "a.npz: holds relative_depth", "metric map")


def test_a_result_never_replaces_its_own_source(room, command, tmp_path):
    (tmp_path / "out").mkdir()
    own = shutil.copy(room / "disparity.npz", tmp_path / "out" / "a_depth.npz")
    before = own.read_bytes()
    flags = ("--kind", "disparity", "--reference", room / "truth.npy")
    is_one_line(*command(own, *flags), "a_depth.npz", "another --out")
    assert names(tmp_path / "out") == ["a_depth.npz"] and own.read_bytes() == before


# Mistakes


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["either --echo or --reference"]),
        (["--echo", "{room}/room.wav", "--reference", "{room}/truth.npy"], ["either --echo or --reference"]),
        (["--echo", "{room}/room.wav", "--method", "affine"], ["method affine", "two maps"]),
        (["--reference", "{room}/truth.npy", "--kind", ""], ["--kind"]),
        (["--reference", "{room}/truth.npy", "--kind", "depth"], ["'depth' is none of metric_depth"]),
        (
            ["--reference", "{room}/truth.npy", "--method", "mode"],
            ["'mode'", "median, mean, weighted_median, least_squares"],
        ),
        (["--reference", "{room}/truth.npy", "--kind", "affine_depth", "--method", "mean"], ["finds a shift"]),
        (["--echo", "{room}/room.wav", "--scale-from", "avsnet_lite0_v"], ["avsnet_lite0_v", "give the picture"]),
        (["--echo", "{room}/room.wav", "--scale-from", "rangin"], ["'rangin' is none of auto"]),
        (
            ["--echo", "{room}/room.wav", "--kind", "affine_disparity", "--scale-from", "ranging"],
            ["relative.npy", "shift open", "--reference"],
        ),
        (["--reference", "none.npy"], ["none.npy: no such file"]),
        (["--reference", "{room}/room.png"], ["room.png", "8 bits"]),
        (["--reference", "{tmp}/small.npy"], ["small.npy: (4, 5)", "relative.npy (96, 128)"]),
        (["--reference", "{tmp}/zero.npy"], ["relative.npy: no valid pixel"]),
        (["--echo", "{tmp}/silent.wav"], ["silent.wav", "silent"]),
        (["--reference", "{room}/truth.npy", "--image", "{tmp}/small.png"], ["small.png", "resize"]),
        (["--reference", "{room}/truth.npy", "--depth-scale", "0"], ["depth_scale 0"]),
        (["--reference", "{room}/truth.npy", "--depth-scale", "many"], ["--depth-scale", "'many'"]),
        (["--echo", "{room}/room.wav", "--rig", "none.json"], ["none.json"]),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(room, command, tmp_path, flags, words):
    np.save(tmp_path / "small.npy", np.ones((4, 5)))
    np.save(tmp_path / "zero.npy", np.zeros((96, 128)))
    Image.new("RGB", (5, 4)).save(tmp_path / "small.png")
    soundfile.write(tmp_path / "silent.wav", np.zeros((RATE, 2)), RATE)
    filled = [flag.format(room=room, tmp=tmp_path) for flag in flags]
    kind = [] if "--kind" in flags else ["--kind", "relative_depth"]
    filled = [flag for flag in filled if flag] if "" not in flags else filled[:-2]
    is_one_line(*command(room / "relative.npy", *filled, *kind), *words)
    assert not (tmp_path / "out").exists()


def test_a_map_that_is_missing_broken_or_empty_is_one_line(room, command, tmp_path):
    flags = ("--kind", "relative_depth", "--echo", room / "room.wav")
    is_one_line(*command("none.npy", *flags), "none.npy: no such file")
    is_one_line(*command(room, *flags), "is a folder")
    is_one_line(*command(room / "room.png", *flags), "room.png", "8 bits")
    np.save(tmp_path / "zero.npy", np.zeros((96, 128)))
    is_one_line(*command(tmp_path / "zero.npy", *flags), "zero.npy", "above 0")


def test_with_the_picture_an_avsnet_gives_the_metres_by_the_rule_that_is_asked_for(room, command, tmp_path):
    flags = ("--kind", "relative_depth", "--echo", room / "room.wav", "--image", room / "room.png")
    code, out, _ = command(room / "relative.npy", *flags, "--scale-from", "avsnet_lite0_av", "--method", "mean")
    assert code == 0 and "from avsnet_lite0_av by mean" in out
    with np.load(tmp_path / "out" / "relative_depth.npz") as entries:
        assert str(entries["scale_source"]) == "avsnet_lite0_av by mean"
