"""No single file takes a machine down: what it may cost is bounded, and the message says by what."""

import json
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet.audio.recording import Heard
from avsnet.data.batvision_files import load_depth
from avsnet.errors import (
    AudioError,
    CalibrationError,
    DepthError,
    EchoError,
    ImageError,
    LimitError,
    OptionError,
)
from avsnet.geometry import read_intrinsics
from avsnet.io.arrays import read_array, read_arrays
from avsnet.io.depth_maps import read_depth
from avsnet.io.limits import LIMITS, PIXELS
from avsnet.io.pictures import picture_size, read_image
from avsnet.io.recordings import read_wav
from avsnet.io.texts import parse_json, parse_yaml, read_text

GIBIBYTE = 2**30


def header(shape, kind="<f4"):
    """The first bytes of an `.npy` of this shape, and nothing behind them."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def pack(path, name, side):
    """Write a small `.npz` whose array of zeros is large."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((side, side)))
        for _ in range(side):
            member.write(bytes(4 * side))


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.variable)
def test_every_limit_is_moved_by_its_variable_and_names_it(limit, monkeypatch):
    monkeypatch.setenv(limit.variable, "3")
    limit.check(3)
    with pytest.raises(LimitError, match=f"^4 {limit.unit}, of which 3 may be read; {limit.variable} sets that$"):
        limit.check(4)
    for wrong in ("many", "-1", "0", "1e6"):
        monkeypatch.setenv(limit.variable, wrong)
        with pytest.raises(OptionError, match=f"{limit.variable} is '{wrong}'"):
            limit.check(1)
    monkeypatch.setenv(limit.variable, "")
    assert limit.most == limit.usual


def test_a_number_that_is_none_is_over_every_limit():
    for count in (float("nan"), float("inf")):
        with pytest.raises(LimitError):
            PIXELS.check(count)


def test_an_archive_that_unpacks_to_far_more_is_refused_by_its_headers(tmp_path, monkeypatch):
    monkeypatch.setenv("AVSNET_MAX_BYTES", "4000000")
    pack(tmp_path / "bomb.npz", "depth", 2**10)
    for read, error in ((read_depth, DepthError), (lambda path: read_intrinsics(path, 4, 4), CalibrationError)):
        with pytest.raises(error, match=r"bomb\.npz.*4194304 bytes when unpacked.*AVSNET_MAX_BYTES"):
            read(tmp_path / "bomb.npz")


def test_many_arrays_count_together(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", a=np.zeros(1000), b=np.zeros(1000))
    assert set(read_arrays(tmp_path / "a.npz")) == {"a", "b"}
    monkeypatch.setenv("AVSNET_MAX_BYTES", "9000")
    with pytest.raises(LimitError, match="16000 bytes"):
        read_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "content",
    [
        header((2**40, 2**20)),
        header((-1, 4)),
        header((2**63, 2**63)),
        header((4, 4)),
        header((4, 4), "|O"),
        header((4, 4)).replace(b"shape", b"sha\xffe"),
        header((4, 4)).replace(b"(4, 4)", b"((4, 4"),
        header("(4, 4),'x':" + "(" * 90),
        header((1,) * 33) + bytes(4),
        b"\x93NUMPY\x09\x00" + bytes(40),
        b"PK\x03\x04" + bytes(30) + b"PK\x05\x06" + bytes(5),
        b"PK\x05\x06" + bytes(18),
        b"PK\x05\x06",
        b"",
    ],
)
def test_what_a_damaged_array_raises_is_one_error_of_its_reader(tmp_path, content):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        read_array(path)
    for read in (read_depth, lambda path: load_depth(path, 10.0)):
        with pytest.raises(DepthError, match=r"a\.npy"):
            read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header((4, 4)) + bytes(10), r"truncated: its header promises 64 bytes, 10 are there"),
        (header((4, 4))[:-1], r"EOF: reading array header"),
        (b"PK\x03\x04" + bytes(60), "truncated: the archive has no end"),
        (b"PK\x05\x06" + bytes(17), "truncated: the archive has no end"),
        (b"PK\x05\x06" + bytes(8) + struct.pack("<L", 2**20 + 1) + bytes(6), "1048577 bytes of table of contents"),
        (header((4, 4)).replace(b"\x01\x00", b"\x03\x00", 1), "NumPy's format 3"),
        (header((-1, 4)), r"the impossible shape \(-1, 4\)"),
    ],
)
def test_a_damaged_array_is_refused_by_what_is_wrong_with_it(tmp_path, content, said):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_arrays(tmp_path / "a.npz")


def test_a_table_of_contents_of_a_mebibyte_is_left_to_the_reader_of_zips(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x05\x06" + bytes(8) + struct.pack("<L", 2**20) + bytes(6))
    with pytest.raises(ValueError, match=r"^(?!.*table of contents)"):
        read_arrays(tmp_path / "a.npz")


def test_what_numpy_writes_is_read_in_every_form(tmp_path):
    wanted = np.arange(12.0).reshape(3, 4)
    for version in ((1, 0), (2, 0)):
        with open(tmp_path / "a.npy", "wb") as file:
            np.lib.format.write_array(file, wanted, version)
        for mapped in (False, True):
            np.testing.assert_array_equal(read_array(tmp_path / "a.npy", mapped=mapped), wanted)
    many = {f"a{number}": np.full(number, number) for number in range(300)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **many)
        with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
            archive.comment = b"P" * 65_535  # as long as a zip's may be
        found = read_arrays(tmp_path / "a.npz")
        assert found.keys() == many.keys() and all(np.array_equal(found[name], many[name]) for name in many)
    np.savez(tmp_path / "empty.npz")
    assert read_arrays(tmp_path / "empty.npz") == {}
    np.save(tmp_path / "deep.npy", np.zeros((1,) * 32))
    assert read_array(tmp_path / "deep.npy").ndim == 32


def test_an_archive_packed_as_numpy_does_not_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("depth.npy", header((1, 1)) + bytes(4))
    with pytest.raises(ValueError, match=r"depth\.npy is packed"):
        read_arrays(tmp_path / "a.npz")


def test_every_changed_byte_of_a_header_is_an_error_or_the_array(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(12, dtype=np.float32).reshape(3, 4) + 1)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for place in range(128):
        changed = bytearray(whole)
        changed[place] = random.integers(256)
        path.write_bytes(changed)
        try:
            load_depth(path, 10.0)
        except DepthError as error:
            assert "a.npy" in str(error)


def test_an_hour_of_sound_is_read_by_its_head_and_said(tmp_path, monkeypatch):
    monkeypatch.setenv("AVSNET_MAX_SECONDS", "2")
    noise = np.random.default_rng(0).normal(0.0, 1e-3, (5 * 8000, 2))
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, noise, 8000)
        recording = read_wav(tmp_path / name)
        assert recording.waveform.shape == (2, 16_000)
        assert "the first 2 s were read; AVSNET_MAX_SECONDS sets that" in recording.remark
        with pytest.raises(EchoError, match="AVSNET_MAX_SECONDS"):
            Heard(recording).echo()
    monkeypatch.setenv("AVSNET_MAX_SECONDS", "5")
    assert read_wav(tmp_path / "a.wav").remark is None


def test_the_head_of_a_recording_keeps_its_echo_and_its_warnings_tell(tmp_path, monkeypatch):
    from avsnet.audio.chirp import sweep

    sound = np.zeros((44_100 * 3, 2))
    sound[4000 : 4000 + len(sweep())] += 0.5 * sweep()[:, None]
    soundfile.write(tmp_path / "a.wav", sound, 44_100)
    monkeypatch.setenv("AVSNET_MAX_SECONDS", "1")
    assert any("AVSNET_MAX_SECONDS" in text for text in Heard(read_wav(tmp_path / "a.wav")).echo().warnings)


def test_a_flac_header_that_lies_is_given_no_room(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros((4410, 2)), 44_100)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0x0F  # the 36 bits of the count of samples: 2^36 - 1 of them
    content[22:26] = b"\xff" * 4
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.flac"):
        read_wav(tmp_path / "a.flac")


def test_sound_of_a_thousand_channels_is_refused_before_it_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((10, 64)), 44_100)
    with pytest.raises(AudioError, match="64 channels"):
        read_wav(tmp_path / "a.wav")


def test_a_picture_of_too_many_pixels_is_refused_by_its_head(tmp_path, monkeypatch):
    Image.new("L", (200, 100)).save(tmp_path / "a.png")
    Image.new("I;16", (200, 100)).save(tmp_path / "d.png")
    monkeypatch.setenv("AVSNET_MAX_PIXELS", "19999")
    for read, error, name in (
        (read_image, ImageError, "a.png"),
        (picture_size, ImageError, "a.png"),
        (read_depth, DepthError, "d.png"),
    ):
        with pytest.raises(error, match=rf"{name}: 20000 pixels, of which 19999 may be read; AVSNET_MAX_PIXELS"):
            read(tmp_path / name)
    monkeypatch.setenv("AVSNET_MAX_PIXELS", "20000")
    assert read_image(tmp_path / "a.png").shape == (100, 200, 3)


def test_a_strip_of_a_tiff_unpacks_to_no_more_than_its_picture(tmp_path):
    import zlib

    packed = zlib.compress(bytes(2**26), 9)
    tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 64), (259, 3, 1, 8), (273, 4, 1, 200)]
    tags += [(277, 3, 1, 1), (279, 4, 1, len(packed)), (339, 3, 1, 3)]
    content = b"II*\0" + struct.pack("<IH", 8, len(tags))
    content += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    (tmp_path / "a.tif").write_bytes(content.ljust(200, b"\0") + packed)
    with pytest.raises(DepthError, match="no pixel has a depth"):
        read_depth(tmp_path / "a.tif")


def test_a_picture_that_is_a_program_is_not_run(tmp_path):
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n4 4 moveto\n")
    with pytest.raises(ImageError, match=r"a\.png: EPS is a program"):
        read_image(tmp_path / "a.png")


def test_json_as_deep_as_is_allowed_is_read_whatever_stands_beside_it(monkeypatch):
    monkeypatch.setenv("AVSNET_MAX_NESTING", "3")
    assert parse_json("[[[1]], [[2], [3]]]") == [[[1]], [[2], [3]]]
    with pytest.raises(ValueError, match="AVSNET_MAX_NESTING"):
        parse_json("[[[[1]]], 2, []]")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 101 + "]" * 101])
def test_json_that_is_nested_deeply_is_an_error(text):
    with pytest.raises(ValueError, match="AVSNET_MAX_NESTING"):
        parse_json(text)
    assert parse_json("[" * 100 + "]" * 100)


@pytest.mark.parametrize("text", ["[1e400]", "[-1e999]", f"[{'9' * 400}]", f"[{'9' * 5000}]", f"[{2**64}]"])
def test_numbers_that_no_float_holds_are_an_error(text):
    with pytest.raises(ValueError, match="too large"):
        parse_json(text)
    assert parse_json(f"[{2**64 - 1}, 1e300]") == [2**64 - 1, 1e300]


def test_a_number_that_is_too_large_is_quoted_by_its_first_digits():
    for text in ("7" * 400, "7" * 400 + ".0"):
        with pytest.raises(ValueError, match=rf"^the number {'7' * 40} is too large"):
            parse_json(text)


def test_yaml_of_aliases_is_not_unfolded():
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    with pytest.raises(LimitError, match="AVSNET_MAX_UNFOLDED"):
        parse_yaml(laughs)
    assert parse_yaml("a: &a {b: 1}\nc: *a") == {"a": {"b": 1}, "c": {"b": 1}}
    with pytest.raises(ValueError, match="within what it repeats"):
        parse_yaml("a: &a [1, *a]")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a", 1),
        ("[a, b]", 3),
        ("[[a], [b]]", 5),
        ("{a: b, c: [d]}", 6),
        ("[&a [b, c], *a, *a]", 10),
        ("[&a b, *a, *a]", 4),
        ("[&b [&a [c], *a], *b]", 11),
    ],
)
def test_yaml_is_counted_as_it_unfolds(text, entries, monkeypatch):
    monkeypatch.setenv("AVSNET_MAX_UNFOLDED", str(entries))
    parse_yaml(text)
    if entries > 1:
        monkeypatch.setenv("AVSNET_MAX_UNFOLDED", str(entries - 1))
        with pytest.raises(LimitError, match="AVSNET_MAX_UNFOLDED"):
            parse_yaml(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " * 50_000, "- " * 50_000, "{a: " * 10_000, "? " * 10_000])
def test_yaml_that_is_nested_deeply_is_an_error_at_once(text):
    start = time.process_time()
    with pytest.raises(ValueError):
        parse_yaml(text)
    assert time.process_time() - start < 5.0


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_yaml_may_be_nested_as_deep_as_json(opening):
    closing = "]" if opening == "[" else "}"
    assert parse_yaml(opening * 100 + closing * 100)
    with pytest.raises(LimitError, match=r"^101 levels.*AVSNET_MAX_NESTING"):
        parse_yaml(opening * 101 + closing * 101)


def test_a_text_that_is_too_long_is_read_no_further_than_that(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("\ufeffabc")
    assert read_text(tmp_path / "a.txt") == "abc"
    monkeypatch.setenv("AVSNET_MAX_TEXT", "6")
    assert read_text(tmp_path / "a.txt") == "abc"
    (tmp_path / "b.txt").write_text("a" * 100)
    with pytest.raises(LimitError, match="100 bytes of text"):
        read_text(tmp_path / "b.txt")
    monkeypatch.setenv("AVSNET_MAX_TEXT", "5")
    with pytest.raises(LimitError, match="6 bytes of text"):
        read_text(tmp_path / "a.txt")
    with pytest.raises(LimitError):
        read_text("/dev/zero")


@pytest.mark.parametrize(
    "text",
    [
        "P2: " + "1" * 400 + "x",
        "\n" * 300_000,
        "a" * 300_000 + " =",
        " " * 300_000 + "a",
        "\t\n" * 150_000 + "b:",
        json.dumps({"parameters": 1, "fx": {}, "fy": [], "width": None}),
        json.dumps({"K": {"data": {"a": 1}}}),
        json.dumps({"width": 4, "height": 4, "fx": int("9" * 19), "fy": "x", "cx": 1, "cy": 1}),
        "1 PINHOLE 4 4 \n",
        "S_rect_02: 4\nP_rect_02: 1 0 1 0 1 1 0 0 1",
        "fx_color = a\nfy_color = 1\nmx_color = 1\nmy_color = 1",
        "[[1, 2], [3]]",
        "\0" * 100,
    ],
)
def test_a_camera_file_of_anyone_is_an_error_at_once(tmp_path, text):
    (tmp_path / "camera.txt").write_text(text)
    start = time.process_time()
    with pytest.raises(CalibrationError, match=r"camera\.txt"):
        read_intrinsics(tmp_path / "camera.txt", 4, 4)
    assert time.process_time() - start < 5.0


@pytest.mark.slow
@pytest.mark.parametrize("hostile", ["hour.wav", "bomb.npz", "large.png", "deep.json"])
def test_no_hostile_file_takes_two_gibibytes(tmp_path, hostile):
    """`predict` and `scale` in a process whose memory is measured, beyond what they take for a small file."""
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    flags = make_hostile(tmp_path, hostile)
    usual = peak(["predict", str(tmp_path / "a.png"), "--out", str(tmp_path / "usual")])
    assert peak(["predict", *flags, "--out", str(tmp_path / "out")]) - usual < 2 * GIBIBYTE


def make_hostile(folder, name):
    """Write the file; the flags with which `predict` meets it."""
    if name == "hour.wav":
        with soundfile.SoundFile(folder / name, "w", 44_100, 2, "PCM_16") as file:
            for _ in range(60):
                file.write(np.random.default_rng(0).normal(0.0, 0.01, (44_100 * 60, 2)))
        return [str(folder / "a.png"), "--echo", str(folder / name)]
    if name == "large.png":
        Image.new("RGB", (8600, 5800)).save(folder / name)
        return [str(folder / name)]
    if name == "deep.json":
        (folder / name).write_text("[" * 100_000)
        return [str(folder / "a.png"), "--intrinsics", str(folder / name)]
    pack(folder / name, "intrinsics", 2**15)
    return [str(folder / "a.png"), "--intrinsics", str(folder / name)]


def peak(words):
    """Bytes that the verb took at most."""
    code = "import resource, sys; from avsnet.cli import main; main(sys.argv[1:]); "
    code += "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    return int(done.stdout.split("peak")[-1]) * 1024
