"""docs/inputs.md tells what happens to which input: each of its rows is tried here, and it has no other rows."""

import json
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import soxr
from onnx import TensorProto, helper
from PIL import ExifTags, Image
from scipy.ndimage import uniform_filter1d

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import Heard, listen
from avsnet.audio.rig import Rig
from avsnet.cli.predict_files import jobs
from avsnet.cli.results import refuse_foreign
from avsnet.errors import AvsnetError
from avsnet.geometry import camera_of, intrinsics_from_fov, read_intrinsics
from avsnet.io.depth_maps import map_like_picture, read_depth
from avsnet.io.focal_length import equivalent_focal_length
from avsnet.io.pictures import read_image
from avsnet.io.plausibility import growth_note
from avsnet.io.recordings import Recording, read_wav
from avsnet.models import ModelInfo, create_model
from avsnet.models.infer import at_picture_size
from avsnet.models.resize import input_size
from avsnet.predict import predict
from avsnet.weights import read_state_dict
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from places import ROOT

PAGE = ROOT / "docs" / "inputs.md"
K = intrinsics_from_fov(80, 60, 70.0)


def depth() -> np.ndarray:
    rows, columns = np.mgrid[:60, :80]
    noise = np.random.default_rng(0).normal(0.0, 0.01, (60, 80))
    return (1.5 + 0.02 * columns + 0.01 * rows + noise).astype(np.float32)


def error(word: str, call: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(AvsnetError, match=word):
        call(*arguments)


def picture(folder: Path, pixels: np.ndarray, name: str = "a.png", **options: object) -> Path:
    Image.fromarray(pixels).save(folder / name, **options)
    return folder / name


def array(folder: Path, values: np.ndarray, name: str = "a.npy") -> Path:
    np.save(folder / name, values)
    return folder / name


def text(folder: Path, content: str, name: str = "camera.txt") -> Path:
    (folder / name).write_text(content)
    return folder / name


def holed(hole: float, values: np.ndarray | None = None) -> np.ndarray:
    values = depth() if values is None else values
    values[:20] = hole
    return values


def grey_and_alpha(folder: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    assert np.array_equal(read_image(picture(folder, pixels)), pixels[..., :3])
    assert np.array_equal(read_image(picture(folder, pixels[..., 0])), np.repeat(pixels[..., :1], 3, axis=-1))
    assert (read_image(picture(folder, np.full((6, 8), 65_535, np.uint16))) == 255).all()


def few_bits(folder: Path) -> None:
    notes: list[str] = []
    assert read_image(picture(folder, np.full((6, 8), 1020, np.uint16)), notes).max() == 4 and "10 bits" in notes[0]


def float_picture(folder: Path) -> None:
    assert read_image(picture(folder, np.ones((6, 8), np.float32), "a.tif")).max() == 255
    error("outside 0..1", read_image, picture(folder, np.full((6, 8), 2.0, np.float32), "a.tif"))


def exif(folder: Path) -> None:
    tag = Image.Exif()
    tag[0x0112] = 6
    stored = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = picture(folder, stored, exif=tag)
    assert np.array_equal(read_image(path), np.rot90(stored, -1))
    assert np.array_equal(map_like_picture(depth(), array(folder, depth()), path), np.rot90(depth(), -1))
    camera = text(folder, json.dumps({"width": 80, "height": 60, "fx": 57.0, "fy": 58.0, "cx": 39.5, "cy": 20.0}))
    assert read_intrinsics(camera, 60, 80, orientation=6)[0].tolist() == [58.0, 0.0, 39.0]


def nearly_black(folder: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 30, (60, 80, 3), dtype=np.uint8)
    for brighter, told in ((0, True), (60, False)):
        found = predict(picture(folder, noise + np.uint8(brighter)), depth_model="avsnet_lite0_v")
        assert any("nearly black" in warning for warning in found.warnings) == told


def broken_picture(folder: Path) -> None:
    path = picture(folder, np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:5000])
    error("truncated", read_image, path)
    error("not a picture", read_image, text(folder, "prose"))


def large_picture(folder: Path) -> None:
    Image.new("1", (8000, 7000)).save(folder / "a.png")
    error("56000000 pixels, of which 50000000 may be read; AVSNET_MAX_PIXELS", read_image, folder / "a.png")


def whole_numbers(folder: Path) -> None:
    whole = picture(folder, (depth() * 1000).astype(np.uint16))
    assert np.allclose(read_depth(whole), depth(), atol=0.001)
    assert np.allclose(read_depth(whole, 500.0), 2 * depth(), atol=0.002)


def floats(folder: Path) -> None:
    assert np.array_equal(read_depth(array(folder, depth())), depth())
    assert np.array_equal(read_depth(array(folder, depth()), 1000.0), depth())
    assert np.allclose(read_depth(array(folder, depth() * 1000), 1000.0), depth())


def wrong_unit(folder: Path) -> None:
    error("--depth-scale 1000", read_depth, array(folder, depth() * 1000))
    error("normalised map or a disparity", read_depth, array(folder, depth() / 1000))


def unknown_numbers(folder: Path) -> None:
    for hole in (0.0, -1.0, np.nan, np.inf):
        assert (read_depth(array(folder, holed(hole)))[:20] == 0.0).all()


def full_scale(folder: Path) -> None:
    for dtype, hole in (("u2", 65_535), ("i2", 32_767), ("i4", 65_535)):
        assert (read_depth(array(folder, holed(hole, (depth() * 1000).astype(dtype))))[:20] == 0.0).all()


def float_full_scale(folder: Path) -> None:
    for hole in (65.535, 100.0, 1e10):
        notes: list[str] = []
        assert (read_depth(array(folder, holed(hole)), notes=notes)[:20] == 0.0).all() and "unknown" in notes[0]


def repeated(folder: Path) -> None:
    notes: list[str] = []
    assert (read_depth(array(folder, holed(8.0)), notes=notes)[:20] == 8.0).all() and "store 0" in notes[0]


def stretched(folder: Path) -> None:
    share = (depth() - depth().min()) / np.ptp(depth())
    notes: list[str] = []
    assert np.array_equal(read_depth(array(folder, share), notes=notes), share) and "stretched" in notes[0]


def float_formats(folder: Path) -> None:
    for name in ("a.tif", "a.pfm"):
        assert np.array_equal(read_depth(picture(folder, depth(), name)), depth())


def other_axes(folder: Path) -> None:
    assert read_depth(array(folder, depth()[None, None])).shape == (60, 80)
    error("shape", read_depth, array(folder, np.stack([depth()] * 2)))


def other_formats(folder: Path) -> None:
    (folder / "a.exr").write_bytes(b"v/1\x01" + bytes(60))
    error("OpenEXR", read_depth, folder / "a.exr")
    error("8 bits or colours", read_depth, picture(folder, np.zeros((6, 8, 3), np.uint8)))


def ray_distance(folder: Path) -> None:
    rows, columns = np.mgrid[:60, :80]
    along = depth() * np.sqrt(1.0 + ((columns - 39.5) / K[0, 0]) ** 2 + ((rows - 29.5) / K[1, 1]) ** 2)
    assert np.array_equal(read_depth(array(folder, along)), along.astype(np.float32))


def disparity(folder: Path) -> None:
    assert "--kind disparity" in str(growth_note(1.0 / depth(), depth(), "relative_depth"))


def camera_forms(folder: Path) -> None:
    flat = K.ravel().tolist()
    for content in (
        json.dumps({"width": 80, "height": 60, "fx": K[0, 0], "fy": K[1, 1], "cx": 39.5, "cy": 29.5}),
        json.dumps({"width": 80, "height": 60, "intrinsic_matrix": K.T.ravel().tolist()}),
        json.dumps({"width": 80, "height": 60, "fx": K[0, 0], "fy": K[1, 1], "ppx": 39.5, "ppy": 29.5}),
        f"width: 80\nheight: 60\nk: {flat}\n",
        f"fx_color = {K[0, 0]}\nfy_color = {K[1, 1]}\nmx_color = 39.5\nmy_color = 29.5\n",
        f"P2: {' '.join(map(str, np.c_[K, np.zeros(3)].ravel()))}\n",
        f"1 PINHOLE 80 60 {K[0, 0]} {K[1, 1]} 40 30\n",
        " ".join(map(str, flat)),
    ):
        assert np.allclose(read_intrinsics(text(folder, content), 80, 60), K)


def camera_of_other_size(folder: Path) -> None:
    larger = np.diag([2.0, 2.0, 1.0]) @ K
    content = {"fx": larger[0, 0], "fy": larger[1, 1], "cx": 79.5, "cy": 59.5}
    named = text(folder, json.dumps({"width": 160, "height": 120, **content}))
    assert np.allclose(read_intrinsics(named, 80, 60), K)
    error("another aspect", read_intrinsics, named, 80, 80)
    np.savetxt(folder / "K.txt", larger)
    error("another size", read_intrinsics, folder / "K.txt", 80, 60)
    error("another size", camera_of, larger, None, (60, 80))


def camera_in_widths(folder: Path) -> None:
    error("picture widths", camera_of, np.array([[0.7, 0, 0.5], [0, 0.9, 0.5], [0, 0, 1]]), None, (60, 80))


def field_of_view(folder: Path) -> None:
    error("radians; give degrees, 69.9", camera_of, None, 1.22, (60, 80))


def exif_focal(folder: Path) -> None:
    tag = Image.Exif()
    tag.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 26
    path = picture(folder, np.zeros((60, 80, 3), np.uint8), exif=tag.tobytes())
    assert equivalent_focal_length(path, []) == 26.0
    camera, said_of_it = camera_of(None, None, (60, 80), equivalent=26.0)
    assert camera[0, 0] == pytest.approx(26.0 / 43.267 * 100.0, rel=1e-4) and "35 mm equivalent 26 mm" in said_of_it[0]


def no_camera(folder: Path) -> None:
    for size in ((60, 80), (80, 60)):
        camera, said_of_it = camera_of(None, None, size)
        assert camera[0, 0] == pytest.approx(40.0 / np.tan(np.radians(35.0))) and "assumed: 70 degrees" in said_of_it[0]


def distortion(folder: Path) -> None:
    told = f"width: 80\nheight: 60\nD: [0.2, -0.1, 0, 0, 0]\nK: {K.ravel().tolist()}\n"
    assert np.allclose(read_intrinsics(text(folder, told), 80, 60), K)


def sound(folder: Path, name: str, kind: str, subtype: str) -> tuple[Path, bytearray]:
    tone = 0.5 * np.sin(np.arange(9000) / 9.0)
    soundfile.write(folder / name, np.c_[tone, -tone], 44_100, format=kind, subtype=subtype)
    return folder / name, bytearray((folder / name).read_bytes())


FORMATS = {
    "a.wav": ("WAV", "PCM_24"),
    "b.wav": ("RF64", "FLOAT"),
    "a.w64": ("W64", "PCM_16"),
    "a.aiff": ("AIFF", "PCM_24"),
    "a.au": ("AU", "PCM_16"),
    "a.caf": ("CAF", "PCM_24"),
    "a.flac": ("FLAC", "PCM_16"),
    "a.ogg": ("OGG", "VORBIS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
}


def formats(folder: Path) -> None:
    for name, form in FORMATS.items():
        assert read_wav(sound(folder, name, *form)[0]).waveform.shape[0] == 2


def cut_short(folder: Path) -> None:
    for name, form in FORMATS.items():
        path, content = sound(folder, name, *form)
        path.write_bytes(content[: len(content) // 2])
        error(r"truncated|cannot be read as sound", read_wav, path)


def length_of(folder: Path, promised: int) -> Path:
    path, content = sound(folder, "a.wav", "WAV", "PCM_16")
    at = content.index(b"data")
    path.write_bytes(content[: at + 4] + struct.pack("<I", promised) + content[at + 8 :])
    return path


def unfinished(folder: Path) -> None:
    for promised in (0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF):
        assert read_wav(length_of(folder, promised)).waveform.shape == (2, 9000)


def too_long(folder: Path) -> None:
    error("truncated", read_wav, length_of(folder, 9000 * 4 + 44))


def no_wav(folder: Path) -> None:
    (folder / "memo.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(AvsnetError, match=r"ffmpeg -i memo\.m4a memo\.wav"):
        read_wav(folder / "memo.m4a")


def nobody_can_tell(folder: Path) -> None:
    path, content = sound(folder, "a.mp3", "MP3", "MPEG_LAYER_III")
    path.write_bytes(re.sub(rb"Xing|Info", b"none", bytes(content)))
    error("does not tell its length", read_wav, path)
    error("being whole", read_wav, sound(folder, "a.voc", "VOC", "PCM_16")[0])


@lru_cache(maxsize=1)
def chirped() -> np.ndarray:
    """(2, N) a recording of a furnished room."""
    return echo(furnished_room("offices", 1), Rig(), seed=1).astype(np.float64)


def said(word: str, waveform: np.ndarray, rate: int = SAMPLE_RATE, rig: Rig | None = None, doubt: bool = False) -> None:
    heard = listen(waveform, rate, rig)
    assert any(word in line for line in (heard.doubts if doubt else heard.warnings)), heard.warnings


def wave(frequency: float, level: float) -> np.ndarray:
    return level * np.sin(2.0 * np.pi * frequency * np.arange(chirped().shape[1]) / SAMPLE_RATE)


def offset(folder: Path) -> None:
    moved, clean = listen(chirped() + 0.05, SAMPLE_RATE), listen(chirped(), SAMPLE_RATE)
    assert np.allclose(moved.waveform, clean.waveform) and moved.warnings == clean.warnings == ()


def rumble(folder: Path) -> None:
    noise = np.random.default_rng(0).normal(size=chirped().shape)
    slow = uniform_filter1d(noise, 300, axis=1)
    said("rumble", chirped() + 0.2 * np.abs(chirped()).max() * slow / np.abs(slow).max())


def several_sweeps(folder: Path) -> None:
    twice = np.pad(chirped(), ((0, 0), (0, 2205)))
    twice[:, 2205:] += chirped()
    said("50 ms after the first", twice, doubt=True)


def one_ear(folder: Path) -> None:
    for waveform in (chirped()[:1], chirped() * [[1.0], [0.0]], np.repeat(chirped()[:1], 2, axis=0)):
        heard = listen(waveform, SAMPLE_RATE)
        assert len(heard.ears) == 1 and len(heard.warnings) == 1


def swapped(folder: Path) -> None:
    rig = Rig(speaker=(0.6, 0.1, 0.05), ears=((-0.3, 0.05, -0.04), (-0.1, 0.05, -0.04)))
    waveform = echo(furnished_room("offices", 1), rig, seed=1)
    said("swapped", waveform[::-1], rig=rig)


def long_recording(folder: Path) -> None:
    heard = listen(np.pad(chirped(), ((0, 0), (0, 10 * SAMPLE_RATE))), SAMPLE_RATE)
    assert heard.waveform.shape[1] < SAMPLE_RATE and heard.direct == listen(chirped(), SAMPLE_RATE).direct


def longer_recording(folder: Path) -> None:
    long = np.pad(chirped(), ((0, 0), (0, 61 * SAMPLE_RATE)))
    soundfile.write(folder / "a.wav", long.T, SAMPLE_RATE)
    recording = read_wav(folder / "a.wav")
    assert recording.waveform.shape[1] == 60 * SAMPLE_RATE
    assert any("AVSNET_MAX_SECONDS" in text for text in Heard(recording).echo().warnings)


def no_echo(folder: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).normal(size=(2, 9000))
    direct = listen(chirped(), SAMPLE_RATE).direct
    error("silent", listen, np.zeros((2, 9000)), SAMPLE_RATE)
    error("no direct sound", listen, noise, SAMPLE_RATE)
    error("too short", listen, chirped()[:, : direct + 200], SAMPLE_RATE)


def no_sound(folder: Path) -> None:
    for waveform in (np.full((2, 900), np.nan), np.full((2, 900), 9.0), np.zeros((3, 900))):
        error("echo", Recording, waveform, SAMPLE_RATE)


def holes(folder: Path) -> None:
    values = np.full((6, 8), 4.0, np.float32)
    values[:2], values[2:, :2], values[4, 5] = 0.0, -1.0, np.nan
    whole = at_picture_size(values, ModelInfo("net", "metric_depth", "MIT", "MIT", "this test"), (60, 80))
    assert np.allclose(whole[whole > 0.0], 4.0) and (whole[:10] == 0.0).all()


def several_outputs(folder: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["image"], [name], axes=[1], keepdims=1) for name in ("depth", "normals")]
    image, *maps = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 4, 6])
        for name, channels in (("image", 3), ("depth", 1), ("normals", 1))
    )
    model = helper.make_model(
        helper.make_graph(nodes, "two", [image], maps), opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    onnx.save(model, folder / "two.onnx")
    told = {"output": "relative_depth", "layout": "NCHW", "size": [4, 6]}
    (folder / "two.json").write_text(json.dumps(told))
    error("depth, normals", create_model, f"onnx:{folder / 'two.onnx'}")
    (folder / "two.json").write_text(json.dumps(told | {"output_name": "depth"}))
    assert create_model(f"onnx:{folder / 'two.onnx'}").info.output == "relative_depth"


def no_weights(folder: Path) -> None:
    text(folder, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a.pth")
    text(folder, "<!DOCTYPE html><html><body>log in</body></html>", "b.pth")
    error("git-lfs", read_state_dict, folder / "a.pth")
    error("web page", read_state_dict, folder / "b.pth")


def foreign_file(folder: Path) -> None:
    error("--overwrite", refuse_foreign, [text(folder, "true depth", "a_depth.png")])
    refuse_foreign([folder / "a_depth.png"], overwrite=True)


def capture_folder(folder: Path) -> None:
    for name in ("a.jpg", "a_depth.png", "a_panel.png"):
        picture(folder, np.zeros((4, 6), np.uint8), name)
    assert [job.image.name for job in jobs(folder, None)] == ["a.jpg"]


def upright(_: Path):
    assert input_size(create_model("avsnet_lite0_v").info, 640, 480) == (128, 96)
    assert input_size(create_model("monodepth2").info, 640, 480) == (192, 640)


ROWS: dict[str, dict[str, tuple[str, Callable[[Path], None]]]] = {
    "Pictures": {
        "8 or 16 bits, grey, colours, alpha": (
            "read as RGB of 8 bits: grey is repeated, alpha dropped",
            grey_and_alpha,
        ),
        "8, 10, 12 or 14 bits in a 16-bit file": (
            "read, with a warning that names the bits: it is all but black",
            few_bits,
        ),
        "floating-point pixels": ("0 is black and 1 white; outside 0..1 an error", float_picture),
        "turned by its EXIF tag": ("turned upright, and with it a camera file and a depth map of the sensor", exif),
        "upright, as phones are held": (
            "seen upright by an AVS-Net of a free size; by other networks as they were published",
            upright,
        ),
        "nearly black": ("predicted, with a warning: its depth is a guess", nearly_black),
        "truncated, or no picture": ("an error", broken_picture),
        "more than 50 million pixels": (
            "an error that names `AVSNET_MAX_PIXELS`, see [reliability](reliability.md)",
            large_picture,
        ),
    },
    "Depth maps": {
        "whole numbers": ("millimetres, or divided by `--depth-scale` (units per metre)", whole_numbers),
        "floats": ("metres; divided by a given `--depth-scale`, unless only as they stand they can be metres", floats),
        "`--depth-scale` in metres per unit, 0.001": (
            "an error that gives the inverse",
            lambda folder: error("metres per unit.* 1000", read_depth, array(folder, depth()), 0.001),
        ),
        "a median outside 0.05 to 200 m": ("an error that names the likely unit and the flag", wrong_unit),
        "0, negative, NaN, infinite": ("unknown", unknown_numbers),
        "whole numbers: the type's largest (65535, 32767)": ("unknown", full_scale),
        "floats: such a number in metres, or a value far behind all others, repeated": (
            "unknown, with a warning",
            float_full_scale,
        ),
        "any other largest value that many pixels share": ("kept, with a warning", repeated),
        "numbers stretched over 0..1 or 0..65535": ("read, with a warning that they are hardly metres", stretched),
        "TIFF with floats of 16, 32 or 64 bits, PFM": ("read", float_formats),
        "(1, 1, H, W) and other axes of length 1": ("read as (H, W); several channels are an error", other_axes),
        "OpenEXR, Radiance HDR, HDF5, 8 bits, colours": ("an error that says what it is", other_formats),
        "distance along the ray": ("cannot be told from depth along the optical axis: convert it before", ray_distance),
        "a disparity given as depth, with `--reference`": ("a warning that names the kind, by every rule", disparity),
    },
    "Cameras": {
        "JSON of ours, Open3D, RealSense; YAML of ROS; ScanNet, KITTI, COLMAP; 3 x 3 or 4 x 4 numbers": (
            "read; one that tells its picture's size is rescaled",
            camera_forms,
        ),
        "of a picture of another size": (
            "rescaled if the file tells it, else an error; for arrays too",
            camera_of_other_size,
        ),
        "in picture widths": ("an error", camera_in_widths),
        "a field of view of 3.2 degrees or less": ("an error: radians", field_of_view),
        "none, but EXIF's 35 mm equivalent focal length in the picture": (
            "taken, by the diagonal, and said; not of a cropped picture",
            exif_focal,
        ),
        "none at all": ("70 degrees along the long side, and said", no_camera),
        "lens distortion": ("not applied: undistort the pictures before", distortion),
    },
    "Sound files": {
        "WAV, RF64, W64, AIFF, AU, CAF, FLAC, OGG, MP3": ("read", formats),
        "M4A, MP4 (AAC)": ("an error with the command that converts it", no_wav),
        "cut short": ("an error, in every format", cut_short),
        "WAV of unknown length (0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF)": ("read to the end of the file", unfinished),
        "WAV whose header promises more than is there": ("an error", too_long),
        "MP3 that does not tell its length, other formats": ("an error: it may be cut short", nobody_can_tell),
    },
    "Recordings": {
        "an offset": ("taken away", offset),
        "hum of the mains": (
            "taken away, with a warning that gives its level",
            lambda folder: said("hum", chirped() + wave(50.0, 0.05)),
        ),
        "rumble and other low noise": ("kept, with a warning that gives its level", rumble),
        "several sweeps": ("cut before the second, with a warning", several_sweeps),
        "one microphone, a dead channel, one microphone on both channels": (
            "ranging with one ear, with a warning; an AVS-Net sees alone",
            one_ear,
        ),
        "clipped": (
            "ranging with a warning; an AVS-Net sees alone",
            lambda folder: said("clipped", chirped().clip(-0.1, 0.1), doubt=True),
        ),
        "another sample rate, 4 to 384 kHz": (
            "resampled, with a warning",
            lambda folder: said("resampled", soxr.resample(chirped().T, SAMPLE_RATE, 48_000).T, 48_000),
        ),
        "a wrong rate in the header": (
            "a warning, where the sweep is heard cleanly and 44.1 and 48 kHz were taken for each other",
            lambda folder: said("as if recorded at 48000", soxr.resample(chirped().T, SAMPLE_RATE, 48_000).T),
        ),
        "ears swapped": ("a warning, where the rig is asymmetric enough to hear it", swapped),
        "longer than a second": ("only what is round the sweep is heard", long_recording),
        "longer than a minute": (
            "the first 60 s are read, with a warning that names `AVSNET_MAX_SECONDS`",
            longer_recording,
        ),
        "silent, without the sweep, ending within 10 ms of it, begun after it": ("no echo", no_echo),
        "NaN, wrongly scaled, more than two channels": ("an error", no_sound),
    },
    "Models and results": {
        "a map with holes (0, negative, NaN)": (
            "they stay unknown, and mix with no depth when it is resized",
            holes,
        ),
        "an ONNX graph with several outputs": (
            "the one that `output_name` names; else an error that lists them",
            several_outputs,
        ),
        "a git-lfs pointer or a web page in the place of weights": ("an error that says what it is", no_weights),
        "a file of the user's where a result belongs": (
            "an error before any work; `--overwrite` replaces it",
            foreign_file,
        ),
        "a folder with `a.jpg` and `a_depth.png`": ("one picture, `a.jpg`", capture_folder),
    },
}


def table(section: str) -> str:
    rows = [f"| {given} | {outcome} |" for given, (outcome, _) in ROWS[section].items()]
    return "\n".join(["| input | what happens |", "|---|---|", *rows])


@pytest.mark.parametrize(("section", "given"), [(section, given) for section in ROWS for given in ROWS[section]])
def test_what_a_row_says_is_what_happens(tmp_path, section, given):
    ROWS[section][given][1](tmp_path)


@pytest.mark.parametrize("section", ROWS)
def test_the_page_has_these_rows_and_no_others_in_each_section(section):
    found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    lines = [line for line in found[1].splitlines() if line.startswith("|")]
    assert "\n".join(lines) == table(section)
