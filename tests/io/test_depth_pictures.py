"""Depth that is stored as a picture comes out as the file means it."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avsnet.errors import DepthError
from avsnet.io.depth_maps import read_depth


def metres() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 9.0, (5, 7))


def tiff(path: Path, values: np.ndarray, order: str, compression: int = 1, **changes: int) -> Path:
    """A TIFF of two strips, written by hand: Pillow writes no floats of 16 and 64 bits."""
    kind = {"f": 3, "i": 2, "u": 1}[values.dtype.kind]
    rows = values.astype(values.dtype.newbyteorder(order))
    strips = [rows[:3].tobytes(), rows[3:].tobytes()]
    if compression != 1:
        strips = [zlib.compress(strip) for strip in strips]
    body = b"".join(strips)
    places = 8 + len(body)
    lists = struct.pack(order + "IIII", 8, 8 + len(strips[0]), *(len(strip) for strip in strips))
    tags = {
        256: (4, 1, values.shape[1]),
        257: (4, 1, values.shape[0]),
        258: (3, 1, values.dtype.itemsize * 8),
        259: (3, 1, compression),
        262: (3, 1, 1),
        273: (4, 2, places),
        277: (3, 1, 1),
        278: (4, 1, 3),
        279: (4, 2, places + 8),
        339: (3, 1, kind),
    }
    tags |= {int(tag.removeprefix("tag")): (3, 1, value) for tag, value in changes.items()}
    entries = struct.pack(order + "H", len(tags))
    for tag, (form, count, value) in sorted(tags.items()):
        packed = struct.pack(order + "I", value) if form == 4 else struct.pack(order + "HH", value, 0)
        entries += struct.pack(order + "HHI", tag, form, count) + packed
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, places + len(lists))
    path.write_bytes(head + body + lists + entries + bytes(4))
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "u2", "u4", "i4"])
def test_tiffs_of_every_number_type_and_byte_order_are_read(tmp_path, order, compression, dtype):
    values = metres().astype(dtype) if dtype[0] == "f" else (metres() * 1000).round().astype(dtype)
    depth = read_depth(tiff(tmp_path / "a.tif", values, order, compression))
    assert np.array_equal(depth, (values if dtype[0] == "f" else values / 1000).astype(np.float32))


def test_a_float_tiff_is_turned_by_its_own_tag(tmp_path):
    depth = read_depth(tiff(tmp_path / "a.tif", metres(), "<", tag274=6))
    assert np.array_equal(depth, np.rot90(metres(), -1).astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"tag317": 3}, "64-bit floats.*predictor 3"),
        ({"tag259": 5}, "compression 5"),
        ({"tag277": 3}, "several channels"),
    ],
)
def test_a_tiff_that_is_not_read_is_refused_for_the_true_reason(tmp_path, changes, word):
    path = tiff(tmp_path / "a.tif", metres(), "<", **changes)
    with pytest.raises(DepthError, match=word) as caught:
        read_depth(path)
    assert "float TIFF" not in str(caught.value)


def test_a_float_tiff_cut_short_is_refused(tmp_path):
    path = tiff(tmp_path / "a.tif", metres(), "<")
    content = path.read_bytes()
    for held in (len(content) - 20, len(content) // 2, 12):
        path.write_bytes(content[:held])
        with pytest.raises(DepthError):
            read_depth(path)


@pytest.mark.parametrize(("name", "scale", "kind"), [("le.pfm", -1, "<f4"), ("be.pfm", 1, ">f4")])
def test_a_pfm_of_either_byte_order_is_read_upright(tmp_path, name, scale, kind):
    path = tmp_path / name
    path.write_bytes(b"Pf\n7 5\n%d\n" % scale + np.flipud(metres()).astype(kind).tobytes())
    assert np.array_equal(read_depth(path), metres().astype(np.float32))


@pytest.mark.parametrize("largest", [4095, 10_000, 65_535])
@pytest.mark.parametrize("plain", [False, True])
def test_a_pgm_holds_its_own_numbers_whatever_largest_one_it_names(tmp_path, largest, plain):
    millimetres = np.random.default_rng(1).integers(300, 4000, (5, 7)).astype(">u2")
    millimetres[0] = largest  # of the format, so no depth
    text = b" ".join(b"%d" % value for value in millimetres.ravel())
    body = text if plain else millimetres.tobytes()
    (tmp_path / "a.pgm").write_bytes(b"P%d\n7 5\n%d\n" % (2 if plain else 5, largest) + body)
    depth = read_depth(tmp_path / "a.pgm")
    assert (depth[0] == 0.0).all() and np.array_equal(depth[1:], (millimetres[1:] / 1000).astype(np.float32))


def test_leading_and_trailing_axes_of_length_1_hold_nothing(tmp_path):
    for shape in ((1, 1, 5, 7), (1, 5, 7), (5, 7, 1), (1, 5, 7, 1)):
        np.save(tmp_path / "a_disp.npy", metres().reshape(shape))
        assert np.array_equal(read_depth(tmp_path / "a_disp.npy"), metres().astype(np.float32))
    np.save(tmp_path / "two.npy", np.stack([metres(), metres()])[None])
    with pytest.raises(DepthError, match=r"\(1, 2, 5, 7\)"):
        read_depth(tmp_path / "two.npy")


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b"v/1\x01", "OpenEXR"),
        (b"#?RADIANCE\n", "Radiance HDR"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"PF\n2 2\n-1\n", "PFM in colours"),
    ],
)
def test_other_formats_of_depth_are_refused_by_their_name(tmp_path, head, word):
    (tmp_path / "a.bin").write_bytes(head + bytes(64))
    with pytest.raises(DepthError, match=word):
        read_depth(tmp_path / "a.bin")


def test_a_picture_in_colours_is_no_depth(tmp_path):
    Image.new("RGB", (7, 5)).save(tmp_path / "a.png")
    with pytest.raises(DepthError, match="8 bits or colours"):
        read_depth(tmp_path / "a.png")
