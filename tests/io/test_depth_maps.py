"""Depth maps of every format come in as metres, what is no depth is refused, what is written comes back."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avsnet.errors import DepthError, OptionError, OutputError
from avsnet.io.depth_maps import read_depth, read_map, write_depth_npz, write_depth_png
from avsnet.io.point_clouds import write_ply


def metres(height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(2).uniform(0.3, 9.0, (height, width)).astype(np.float32)


def refused(path: Path, *words: str) -> None:
    """The error is one line that names the file and says what is wrong."""
    with pytest.raises(DepthError) as caught:
        read_depth(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and ";" in message
    for word in words:
        assert word in message


def test_a_written_depth_png_and_npz_come_back(tmp_path):
    depth = metres()
    depth[0, 0] = 0.0
    write_depth_png(tmp_path / "a.png", depth, depth > 0.0)
    write_depth_npz(tmp_path / "a.npz", depth=depth, kind="metric_depth", scale=2.0)
    assert np.abs(read_depth(tmp_path / "a.png") - depth).max() < 0.00051
    assert np.array_equal(read_depth(tmp_path / "a.npz"), depth)
    assert str(read_map(tmp_path / "a.npz")[1]["kind"]) == "metric_depth"


@pytest.mark.parametrize(("divisor", "suffix"), [(256, "png"), (5000, "tiff"), (1000, "npy")])
def test_whole_numbers_are_divided_by_the_depth_scale_and_floats_are_not(tmp_path, divisor, suffix):
    whole = (metres() * divisor).astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    np.save(path, whole) if suffix == "npy" else Image.fromarray(whole).save(path)
    assert np.array_equal(read_depth(path, divisor), (whole / divisor).astype(np.float32))
    np.save(tmp_path / "float.npy", metres().astype(np.float64))
    assert np.array_equal(read_depth(tmp_path / "float.npy", divisor), metres())


@pytest.mark.parametrize("suffix", ["tiff", "pfm"])
def test_a_floating_point_picture_is_read_upright_and_exactly(tmp_path, suffix):
    Image.fromarray(metres()).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_depth(tmp_path / f"a.{suffix}"), metres())


def test_one_unnamed_array_and_one_channel_are_a_map(tmp_path):
    np.savez(tmp_path / "a.npz", metres())
    np.save(tmp_path / "b.npy", metres()[None])
    np.save(tmp_path / "c.npy", metres()[..., None])
    for name in ("a.npz", "b.npy", "c.npy"):
        assert np.array_equal(read_depth(tmp_path / name), metres())


def test_what_is_no_depth_is_unknown_in_depth_but_stays_in_a_map(tmp_path):
    values = metres()
    values[0, :4] = np.nan, np.inf, -np.inf, -1.0
    np.save(tmp_path / "a.npy", values)
    assert read_depth(tmp_path / "a.npy")[0, :4].tolist() == [0.0] * 4
    assert np.array_equal(read_map(tmp_path / "a.npy")[0], values, equal_nan=True)


def test_what_holds_no_depth_is_refused_by_name(tmp_path):
    def saved(name: str, array: np.ndarray, **others: np.ndarray) -> Path:
        path = tmp_path / name
        np.savez(path, a=array, **others) if path.suffix == ".npz" else np.save(path, array)
        return path

    refused(tmp_path / "none.npy", "no such file")
    refused(tmp_path, "folder")
    refused(saved("zero.npy", np.zeros((3, 4))), "above 0")
    refused(saved("nan.npy", np.full((3, 4), np.nan)), "above 0")
    refused(saved("three.npy", np.ones((4, 5, 3))), "(4, 5, 3)")
    refused(saved("line.npy", np.ones(9)), "(9,)")
    refused(saved("void.npy", np.ones((0, 5))), "(0, 5)")
    refused(saved("text.npy", np.array([["a"]])), "numbers")
    refused(saved("bytes.npy", np.ones((3, 4), np.uint8)), "8 bits")
    refused(saved("two.npz", metres(), b=metres()), "a, b", "'depth'")
    refused(saved("pickle.npy", np.array([[{}]])), "broken")
    for mode in ("L", "RGB", "P", "RGBA"):
        Image.new(mode, (6, 4)).save(tmp_path / f"{mode}.png")
        refused(tmp_path / f"{mode}.png", "8 bits")
    (tmp_path / "prose.png").write_text("no picture")
    refused(tmp_path / "prose.png", "no depth map")


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_a_depth_scale_that_is_none_is_refused(tmp_path, scale):
    np.save(tmp_path / "a.npy", metres())
    with pytest.raises(OptionError, match="depth_scale"):
        read_depth(tmp_path / "a.npy", scale)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.png", "a.tiff", "a.pfm"])
@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.5, 0.9])
def test_a_truncated_depth_map_is_refused(tmp_path, name, fraction):
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, metres(40, 50))
    elif path.suffix == ".npz":
        write_depth_npz(path, depth=metres(40, 50))
    elif path.suffix == ".png":
        write_depth_png(path, metres(40, 50), np.ones((40, 50), bool))
    else:
        Image.fromarray(metres(40, 50)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    refused(path)


def test_depth_png_holds_millimetres_and_0_for_all_that_is_unknown(tmp_path):
    depth = np.array([[1.2344, 65.535, 65.537], [np.nan, np.inf, -1.0], [3.0, 0.0, 0.001]], np.float32)
    valid = np.ones(depth.shape, bool)
    valid[2, 0] = False
    write_depth_png(tmp_path / "a.png", depth, valid)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "I;16"
        assert np.asarray(picture).tolist() == [[1234, 65535, 0], [0, 0, 0], [0, 0, 1]]
    with pytest.raises(DepthError, match="valid"):
        write_depth_png(tmp_path / "a.png", depth, valid[:2])


def test_an_npz_is_read_back_without_pickle_and_nothing_is_renamed(tmp_path):
    write_depth_npz(tmp_path / "a.bin", depth=np.eye(3, dtype=np.float32), model="tiny", scale=2.5)
    with np.load(tmp_path / "a.bin", allow_pickle=False) as entries:
        assert np.array_equal(entries["depth"], np.eye(3)) and entries["depth"].dtype == np.float32
        assert str(entries["model"]) == "tiny" and float(entries["scale"]) == 2.5
    with pytest.raises(OutputError, match="confidence"):
        write_depth_npz(tmp_path / "b.npz", confidence=None)
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_ply_holds_the_points_and_colours_after_an_ascii_header(tmp_path):
    points = np.random.default_rng(0).normal(size=(7, 3))
    colours = np.random.default_rng(1).integers(0, 256, (7, 3), dtype=np.uint8)
    write_ply(tmp_path / "a.ply", points, colours, comments=["two\nlines", "90 \u00b0"])
    header, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"] and "comment two lines" in lines
    assert [line for line in lines if not line.startswith("comment")][2:] == [
        "element vertex 7",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
    ]
    assert len(body) == 7 * 15
    for index, vertex in enumerate(struct.iter_unpack("<fffBBB", body)):
        assert vertex[:3] == pytest.approx(points[index], rel=1e-6)
        assert list(vertex[3:]) == colours[index].tolist()
    with pytest.raises(DepthError, match="colours"):
        write_ply(tmp_path / "a.ply", points, colours.astype(float))
