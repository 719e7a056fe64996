"""One's own captures: a folder written by the documented layout is read as documented."""

import json
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet.audio.chirp import sweep
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.range_axis import AS_RECORDED, RangeAxis
from avsnet.audio.stft import ORIGINAL_SETTINGS
from avsnet.data.folder import CaptureFolder
from avsnet.data.sample import check_sample
from avsnet.errors import AudioError, CalibrationError, DataError, DepthError, EchoError, ImageError, OptionError
from places import ROOT

HEIGHT, WIDTH = 12, 16
RIG = {"speaker": [0, 0.2, 0], "ears": [[-0.1, 0, 0], [0.1, 0, 0]], "sweep": {"low": 500, "high": 9000}}
DOCS = ROOT / "docs" / "own_recordings.md"


def camera(**changes):
    return json.dumps({"width": WIDTH, "height": HEIGHT, "fx": 10, "fy": 11, "cx": 7.5, "cy": 5.5} | changes)


def recording(rate=44_100, direct=700, samples=6000, **played):
    waveform = np.random.default_rng(direct).normal(0.0, 1e-4, (samples, 2))
    chirp = sweep(rate, **played) * 0.5
    waveform[direct : direct + len(chirp)] += chirp[:, None]
    return waveform


def capture(folder, name="0001", suffix=".png", rate=44_100, waveform=None, depth=None):
    """A picture and its recording, with what they hold."""
    folder.mkdir(exist_ok=True)
    pixels = np.random.default_rng(len(name)).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f"{name}{suffix}")
    waveform = recording(rate) if waveform is None else waveform
    soundfile.write(folder / f"{name}.wav", waveform, rate, subtype="FLOAT")
    if depth is not None:
        np.save(folder / f"{name}_depth.npy", depth)
    return pixels, waveform.T.astype(np.float32)


def depth_map(height=HEIGHT, width=WIDTH):
    return np.random.default_rng(2).uniform(0.5, 9.0, (height, width)).astype(np.float32)


def test_a_capture_as_recorded_holds_exactly_what_its_files_hold(tmp_path):
    depth = depth_map()
    depth[0, :5] = [0, -1, np.nan, np.inf, 20]
    pixels, waveform = capture(tmp_path, rate=48_000, depth=depth)
    (tmp_path / "intrinsics.json").write_text(camera())
    data = CaptureFolder(tmp_path, axis=AS_RECORDED, cap=10.0)
    sample = data[0]
    check_sample(sample)
    assert len(data) == 1 and sample["id"] == "0001" and sample["sample_rate"] == 48_000
    assert np.array_equal((sample["image"] * 255).round().numpy(), pixels.transpose(2, 0, 1))
    assert np.array_equal(sample["waveform"].numpy(), waveform)
    known = np.isfinite(depth) & (depth > 0) & (depth <= 10)
    assert np.array_equal(sample["valid"][0].numpy(), known) and not known[0, :5].any()
    assert np.array_equal(sample["depth"][0].numpy(), np.where(known, depth, 0))
    assert sample["intrinsics"].tolist() == [[10, 0, 7.5], [0, 11, 5.5], [0, 0, 1]]


def test_a_capture_may_be_a_picture_and_an_echo_alone(tmp_path):
    capture(tmp_path)
    data = CaptureFolder(tmp_path)
    check_sample(data[0])
    assert set(data[0]) == {"id", "image", "waveform", "sample_rate"} and data.rig.origin == "assumed"


def test_where_nothing_is_heard_a_capture_needs_no_recording(tmp_path):
    capture(tmp_path, depth=depth_map())
    (tmp_path / "0001.wav").unlink()
    assert set(CaptureFolder(tmp_path, keys=("image", "depth"))[0]) == {"id", "image", "depth", "valid"}
    with pytest.raises(AudioError, match=r"0001\.wav"):
        CaptureFolder(tmp_path)[0]


@pytest.mark.parametrize("direct", [40, 299, 700])
@pytest.mark.parametrize("samples", [3000, 7782])
def test_the_direct_sound_comes_to_its_place_and_nothing_that_fits_is_lost(tmp_path, direct, samples):
    _, waveform = capture(tmp_path, waveform=recording(direct=direct))
    sample = CaptureFolder(tmp_path, axis=RangeAxis(samples), spectrogram=ORIGINAL_SETTINGS["v1"])[0]
    check_sample(sample)
    placed = sample["waveform"].numpy()
    assert placed.shape == (2, samples) and direct_sound(placed) == 299
    slow = np.zeros((2, samples), np.float32)
    for index in range(samples):
        if 0 <= index - 299 + direct < waveform.shape[1]:
            slow[:, index] = waveform[:, index - 299 + direct]
    assert np.array_equal(placed, slow)


def test_the_direct_sound_is_that_of_the_sweep_the_rig_played(tmp_path):
    (tmp_path / "rig.json").write_text(json.dumps(RIG | {"sweep": {"low": 500, "high": 2000, "duration": 0.02}}))
    capture(tmp_path, rate=48_000, waveform=recording(48_000, low=500, high=2000, duration=0.02))
    data = CaptureFolder(tmp_path)
    assert data.rig.origin == "known" and data.rig.speaker == (0, 0.2, 0)
    as_recorded = CaptureFolder(tmp_path, axis=RangeAxis(align=None))
    waveforms = [folder[0]["waveform"].numpy() for folder in (data, as_recorded)]
    played = sweep(48_000, 0.02, 500, 2000)
    starts = [int(np.abs(np.correlate(waveform[0], played, "valid")).argmax()) for waveform in waveforms]
    assert abs(starts[0] - 299) <= 2 and starts[1] == 700


def test_every_depth_format_gives_the_same_metres(tmp_path):
    millimetres = (depth_map() * 1000).astype(np.uint16)
    metres = millimetres / 1000
    for name in ("png", "npy", "npz", "whole"):
        capture(tmp_path, name)
    Image.fromarray(millimetres).save(tmp_path / "png_depth.png")
    np.save(tmp_path / "npy_depth.npy", metres)
    np.savez(tmp_path / "npz_depth.npz", depth=metres, scale=3)
    np.save(tmp_path / "whole_depth.npy", millimetres)
    data = CaptureFolder(tmp_path)
    assert [data[index]["id"] for index in range(4)] == ["npy", "npz", "png", "whole"]
    for index in range(4):
        assert np.allclose(data[index]["depth"][0], metres, atol=1e-6) and data[index]["valid"].all()


def test_picture_depth_and_camera_come_to_one_size_and_depth_is_never_mixed(tmp_path):
    depth = depth_map(HEIGHT * 2, WIDTH * 2)
    depth[::3] = 0
    capture(tmp_path, depth=depth)
    (tmp_path / "0001_intrinsics.json").write_text(camera(width=2 * WIDTH, height=2 * HEIGHT, cx=15.5, cy=11.5))
    sample = CaptureFolder(tmp_path, size=(6, 4))[0]
    check_sample(sample)
    assert sample["image"].shape == (3, 6, 4) and sample["depth"].shape == (1, 6, 4)
    assert set(sample["depth"].numpy().ravel()) <= set(depth.ravel())
    # 32 x 24 pixels to 4 x 6: the focal lengths shrink by 8 and 4, a centre stays a centre.
    assert sample["intrinsics"].diagonal().tolist() == [10 / 8, 11 / 4, 1] and sample["intrinsics"][0, 2] == 1.5


def test_sub_folders_are_scenes_and_other_files_are_passed_over(tmp_path):
    capture(tmp_path, "b")
    capture(tmp_path / "kitchen", "a", ".JPG")
    (tmp_path / "kitchen" / "a.wav").rename(tmp_path / "kitchen" / "a.WAV")
    capture(tmp_path / "kitchen" / "deep", "c")
    capture(tmp_path / ".hidden", "d")
    (tmp_path / "kitchen" / "intrinsics.json").write_text(camera(fx=20))
    (tmp_path / "intrinsics.json").write_text(camera())
    (tmp_path / ".DS_Store").write_text("stray")
    (tmp_path / "notes.txt").write_text("stray")
    soundfile.write(tmp_path / "played.wav", sweep(), 44_100)
    data = CaptureFolder(tmp_path)
    samples = [data[index] for index in range(len(data))]
    assert [sample["id"] for sample in samples] == ["b", "kitchen/a"]
    assert [sample["intrinsics"][0, 0] for sample in samples] == [10, 20]


def test_a_picture_whose_own_name_ends_in_depth_is_a_capture(tmp_path):
    capture(tmp_path, "at_depth")
    assert [found.id for found in CaptureFolder(tmp_path).captures] == ["at_depth"]


def no_wav(folder):
    (folder / "0001.wav").unlink()


def silence(folder):
    soundfile.write(folder / "0001.wav", np.zeros((6000, 2)), 44_100)


def mono(folder):
    soundfile.write(folder / "0001.wav", recording()[:, 0], 44_100)


def broken_picture(folder):
    (folder / "0001.png").write_bytes((folder / "0001.png").read_bytes()[:200])


def other_aspect(folder):
    np.save(folder / "0001_depth.npy", depth_map(WIDTH, HEIGHT))


def no_depth_known(folder):
    np.save(folder / "0001_depth.npy", np.zeros((HEIGHT, WIDTH)))


def other_camera(folder):
    (folder / "intrinsics.json").write_text(camera(width=99))


DEFECTS = {
    no_wav: (AudioError, "0001.wav: no such file"),
    silence: (EchoError, "0001.wav: no direct sound"),
    mono: (AudioError, "0001.wav: one channel"),
    broken_picture: (ImageError, "0001.png"),
    other_aspect: (DepthError, "0001_depth.npy: .*aspect"),
    no_depth_known: (DepthError, "0001_depth.npy: no pixel"),
    other_camera: (CalibrationError, "intrinsics.json: .*aspect"),
}


@pytest.mark.parametrize("spoil", DEFECTS, ids=lambda spoil: spoil.__name__)
def test_a_broken_capture_fails_alone_and_names_its_file(tmp_path, spoil):
    capture(tmp_path)
    capture(tmp_path / "whole")
    spoil(tmp_path)
    (tmp_path / "whole" / "intrinsics.json").write_text(camera())
    data = CaptureFolder(tmp_path)
    error, words = DEFECTS[spoil]
    with pytest.raises(error, match=re.escape(str(tmp_path)) + ".*" + words) as caught:
        data[0]
    assert "\n" not in str(caught.value)
    check_sample(data[1])


def test_a_folder_that_is_no_set_of_captures_is_refused(tmp_path):
    with pytest.raises(DataError, match="no picture"):
        CaptureFolder(tmp_path)
    with pytest.raises(DataError, match="cannot be listed"):
        CaptureFolder(tmp_path / "none")
    capture(tmp_path)
    np.save(tmp_path / "0001_depth.npy", depth_map())
    np.savez(tmp_path / "0001_depth.npz", depth=depth_map())
    with pytest.raises(DataError, match="keep one"):
        CaptureFolder(tmp_path)
    (tmp_path / "0001_depth.npz").unlink()
    Image.new("RGB", (4, 4)).save(tmp_path / "0001.jpg")
    with pytest.raises(DataError, match="second picture named 0001"):
        CaptureFolder(tmp_path)
    (tmp_path / "0001.jpg").unlink()
    (tmp_path / "rig.json").write_text("{}")
    with pytest.raises(CalibrationError, match=r"rig\.json"):
        CaptureFolder(tmp_path)
    capture(tmp_path / "kitchen")
    (tmp_path / "rig.json").rename(tmp_path / "kitchen" / "rig.json")
    with pytest.raises(DataError, match="one rig"):
        CaptureFolder(tmp_path)


@pytest.mark.parametrize("option", [{"size": (0, 4)}, {"cap": 0}])
def test_an_option_outside_its_range_is_refused(tmp_path, option):
    capture(tmp_path)
    with pytest.raises(OptionError, match=next(iter(option))):
        CaptureFolder(tmp_path, **option)


def test_the_json_in_the_documentation_can_be_read(tmp_path):
    text = DOCS.read_text()
    capture(tmp_path)
    (tmp_path / "rig.json").write_text(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
    entries = json.loads(re.search(r"`(\{\"width\".*?\})`", text)[1])
    Image.new("RGB", (entries["width"], entries["height"])).save(tmp_path / "0001.png")
    (tmp_path / "intrinsics.json").write_text(json.dumps(entries))
    data = CaptureFolder(tmp_path, size=(192, 256))
    check_sample(data[0])
    assert data.rig.origin == "known" and data[0]["waveform"].shape == (2, 7782)
