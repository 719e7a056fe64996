"""What the world hands to `avsnet scale` and `avsnet echo`: each gives the right metres, a warning, or one line."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet import cli
from avsnet.geometry import intrinsics_from_fov
from avsnet.io.authorship import written_by_avsnet
from avsnet.scale.rules import METHODS


def metres() -> np.ndarray:
    rows, columns = np.mgrid[:60, :80]
    noise = np.random.default_rng(0).normal(0.0, 0.01, (60, 80))
    return (1.5 + 0.02 * columns + 0.01 * rows + noise).astype(np.float32)


@pytest.fixture
def scale(tmp_path, capsys, monkeypatch):
    """Runs `avsnet scale` on maps by name; gives the exit code, the scale found, and all that was said."""
    monkeypatch.chdir(tmp_path)

    def run(given: np.ndarray, kind: str, reference: np.ndarray, *flags: object):
        np.save("map.npy", given)
        np.save("reference.npy", reference)
        words = ["map.npy", "--kind", kind, "--reference", "reference.npy", "--out", "out", *map(str, flags)]
        code = cli.main(["scale", *words])
        said = "".join(capsys.readouterr())
        if code:
            return code, None, said
        with np.load("out/map_depth.npz") as entries:
            return code, float(entries["scale"]), said

    return run


@pytest.mark.parametrize("method", METHODS)
def test_a_disparity_called_depth_is_warned_of_by_every_rule(scale, method):
    _, _, said = scale(1.0 / metres(), "relative_depth", metres(), "--method", method)
    assert "it is probably a disparity; give --kind disparity" in said
    _, _, said = scale(1.0 / metres(), "disparity", metres(), "--method", method)
    assert "warning" not in said


@pytest.mark.parametrize("method", METHODS)
def test_holes_of_65535_change_no_rule(scale, method):
    reference = (metres() * 1000).round().astype(np.uint16)
    reference[:20] = 65_535
    code, found, said = scale(metres() / 2, "relative_depth", reference, "--method", method)
    assert code == 0 and found == pytest.approx(2.0, abs=0.01) and "warning" not in said


def test_a_hole_in_a_float_reference_is_unknown_and_warned_of(scale):
    reference = metres()
    reference[:20] = 65.535
    code, found, said = scale(metres() / 2, "relative_depth", reference, "--method", "mean")
    assert code == 0 and found == pytest.approx(2.0) and "warning: reference.npy" in said


def test_float_millimetres_are_refused_and_then_read_by_the_flag_that_the_message_names(scale):
    code, _, said = scale(metres() / 2, "relative_depth", metres() * 1000)
    assert code == 2 and "reference.npy" in said and "--depth-scale 1000" in said
    code, found, _ = scale(metres() / 2, "relative_depth", metres() * 1000, "--depth-scale", 1000)
    assert code == 0 and found == pytest.approx(2.0)


def test_a_depth_scale_in_metres_per_unit_is_one_line(scale):
    code, _, said = scale(metres() / 2, "relative_depth", metres(), "--depth-scale", 0.001)
    assert code == 2 and "1000" in said and said.count("\n") == 1


def test_what_monodepth2_saves_is_read(scale):
    code, found, _ = scale((1.0 / metres())[None, None], "disparity", metres())
    assert code == 0 and found == pytest.approx(1.0, rel=1e-4)


def test_the_camera_in_a_map_is_checked_and_the_map_named(tmp_path, capsys):
    camera = intrinsics_from_fov(320, 240, 70.0)
    np.savez(tmp_path / "map.npz", depth=metres(), kind="relative_depth", intrinsics=camera)
    np.save(tmp_path / "reference.npy", metres())
    flags = ["--reference", str(tmp_path / "reference.npy"), "--out", str(tmp_path / "out")]
    assert cli.main(["scale", str(tmp_path / "map.npz"), *flags]) == 2
    said = capsys.readouterr().err
    assert "map.npz" in said and "another size" in said and "--intrinsics" in said


def test_echo_reads_depth_by_the_same_rules(tmp_path, capsys):
    np.save(tmp_path / "mm.npy", metres() * 1000)
    flags = ["--out", str(tmp_path / "a.wav"), "--fov", "70"]
    assert cli.main(["echo", str(tmp_path / "mm.npy"), *flags]) == 2
    assert "--depth-scale 1000" in capsys.readouterr().err
    assert cli.main(["echo", str(tmp_path / "mm.npy"), *flags, "--depth-scale", "1000"]) == 0
    assert "median depth 2.5" in capsys.readouterr().out and written_by_avsnet(tmp_path / "a.wav")
    assert cli.main(["echo", str(tmp_path / "mm.npy"), "--out", str(tmp_path / "b.wav"), "--fov", "1.22"]) == 2


def test_check_names_a_depth_map_in_millimetres(tmp_path, capsys):
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "1.png")
    np.save(tmp_path / "1_depth.npy", metres() * 1000)
    soundfile.write(tmp_path / "1.wav", np.random.default_rng(1).normal(0.0, 0.1, (9000, 2)), 44_100)
    assert cli.main(["check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "1_depth.npy: median depth" in said and "--depth-scale 1000" in said and "nothing is broken" not in said
