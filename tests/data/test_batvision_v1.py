"""Miniature V1 trees with every known defect: each is handled as stated."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from avsnet.audio.chirp import sweep
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.range_axis import AS_RECORDED, BATVISION_AXIS, RangeAxis
from avsnet.audio.stft import ORIGINAL_SETTINGS, SpectrogramSettings
from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.data.sample import check_sample
from avsnet.errors import DataError, OptionError

torch.set_num_threads(1)

HEADER = ",audio path left,audio path right,camera path left,camera path right,depth path"
DAY, TIME = "2019.08.26", "180336.309017"
HEIGHT, WIDTH = 18, 32


def recording(samples: int = 4410) -> np.ndarray:
    """As V1's: nearly blank for 975 samples, then the chirp and an echo of it."""
    wave = np.random.default_rng(0).normal(size=(2, samples)) * 1e-4
    for start, height in ((975, 0.5), (1300, 0.2)):
        wave[:, start : start + 132] += height * sweep()
    return wave


def write(root: Path, time: str = TIME, *, ears=None, depth=None) -> str:
    """One instance; its line in the table."""
    ears = recording() if ears is None else ears
    depth = np.full((HEIGHT, WIDTH), 2500.0, np.float32) if depth is None else depth
    for folder in ("audio/raw_long", "camera", "depth"):
        (root / DAY / folder).mkdir(parents=True, exist_ok=True)
    left, right = (f"{DAY}/audio/raw_long/{time}_{ear}.npy" for ear in ("left", "right"))
    np.save(root / left, ears[0])
    np.save(root / right, ears[1])
    np.save(root / DAY / "depth" / f"{time}.npy", depth)
    Image.new("RGB", (WIDTH, HEIGHT), (200, 100, 50)).save(root / DAY / "camera" / f"{time}_left.jpg")
    return f"0,{left},{right},{DAY}/camera/{time}_left.jpg,,{DAY}/depth/{time}.npy"


def tree(root: Path, **defects) -> Path:
    (root / "train.csv").write_text(f"{HEADER}\n{write(root, **defects)}\n")
    return root


def unreadable(root: Path, message: str, **options) -> None:
    data = BatVisionV1(root, **options)
    with pytest.raises(DataError, match=rf"^{DAY}/{TIME}: .*{message}") as caught:
        data[0]
    assert "\n" not in str(caught.value)


def test_a_whole_row_keeps_the_contract(tmp_path):
    data = BatVisionV1(tree(tmp_path), spectrogram=SpectrogramSettings(samples=BATVISION_AXIS.samples, size=(32, 32)))
    check_sample(data[0])
    assert data[0]["id"] == f"{DAY}/{TIME}" and data[0]["notes"] == ""
    assert data[0]["image"].shape == (3, HEIGHT, WIDTH) and data[0]["echo"].shape == (2, 32, 32)


# Depth


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_depth_that_is_no_depth_is_unknown(tmp_path, dtype):
    depth = np.full((HEIGHT, WIDTH), 3000.0, dtype)
    depth[0, :7] = [np.nan, np.inf, -np.inf, -5.0, 0.0, 12_000.5, 12_000.0]
    sample = BatVisionV1(tree(tmp_path, depth=depth))[0]
    check_sample(sample)
    assert sample["depth"][0, 0, :8].tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 12.0, 3.0]
    assert sample["valid"][0, 0, :8].tolist() == [False] * 6 + [True] * 2
    assert sample["valid"][0, 1:].all()


def test_depth_too_small_or_too_large_for_float32_is_unknown(tmp_path):
    depth = np.full((HEIGHT, WIDTH), 3000.0)
    depth[0, :2] = [1e-60, 1e60]
    sample = BatVisionV1(tree(tmp_path, depth=depth))[0]
    check_sample(sample)
    assert not sample["valid"][0, 0, :2].any() and sample["valid"].sum() == HEIGHT * WIDTH - 2


def test_depth_over_the_cap_is_clipped_only_on_request(tmp_path):
    depth = np.full((HEIGHT, WIDTH), 20_000.0)
    depth[0, :3] = [np.inf, np.nan, 11_000.0]
    root = tree(tmp_path, depth=depth)
    assert BatVisionV1(root)[0]["valid"].sum() == 1
    clipped = BatVisionV1(root, over_cap="clip")[0]
    assert clipped["depth"][0, 0, :4].tolist() == [0.0, 0.0, 11.0, 12.0]
    assert clipped["valid"].sum() == HEIGHT * WIDTH - 2
    assert BatVisionV1(root, cap=30.0)[0]["depth"].max() == 20.0


# Sound


def test_the_blank_head_is_aligned_away_unless_the_original_settings_are_wanted(tmp_path):
    root = tree(tmp_path)
    aligned = BatVisionV1(root)[0]["waveform"].numpy()
    assert aligned.shape == (2, BATVISION_AXIS.samples) and abs(direct_sound(aligned) - BATVISION_AXIS.align) <= 1
    assert (aligned[:, 4410 - 975 + BATVISION_AXIS.align + 1 :] == 0.0).all()
    raw = BatVisionV1(root, axis=AS_RECORDED)[0]["waveform"].numpy()
    np.testing.assert_array_equal(raw, recording().astype(np.float32))


@pytest.mark.parametrize(("name", "shape"), [("v1", (2, 257, 1 + 4410 // 16)), ("v1_window", (2, 257, 201))])
def test_the_original_settings_have_their_published_shapes(tmp_path, name, shape):
    data = BatVisionV1(tree(tmp_path), axis=AS_RECORDED, spectrogram=ORIGINAL_SETTINGS[name])
    assert data[0]["echo"].shape == shape


def test_a_late_direct_sound_may_be_put_later_without_losing_the_end(tmp_path):
    root = tree(tmp_path)
    kept = BatVisionV1(root, axis=RangeAxis(None, 2000))[0]["waveform"].numpy()
    shift = kept.shape[1] - 4410
    assert abs(shift - (2000 - 975)) <= 1
    np.testing.assert_array_equal(kept[:, shift:], recording().astype(np.float32))


@pytest.mark.parametrize(("dtype", "full"), [(np.int16, 2**15), (np.int32, 2**31)])
def test_whole_numbers_are_divided_by_their_full_scale(tmp_path, dtype, full):
    root = tree(tmp_path, ears=(recording() * full).astype(dtype))
    sample = BatVisionV1(root, axis=AS_RECORDED)[0]
    check_sample(sample)
    np.testing.assert_allclose(sample["waveform"], recording(), atol=1.5 / 2**15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_samples_in_unknown_units_are_refused_until_their_full_scale_is_given(tmp_path, dtype):
    root = tree(tmp_path, ears=(recording() * 2**15).astype(dtype))
    unreadable(root, "give full_scale")
    scaled = BatVisionV1(root, axis=AS_RECORDED, full_scale=32768)[0]
    np.testing.assert_allclose(scaled["waveform"], recording(), atol=1.5 / 2**15)


def test_floats_that_overshoot_a_little_are_clipped_and_said(tmp_path):
    ears = recording() * 2.4
    assert 1.0 < np.abs(ears).max() < 1.5
    sample = BatVisionV1(tree(tmp_path, ears=ears), axis=AS_RECORDED)[0]
    check_sample(sample)
    assert sample["notes"] == "float audio beyond 1, clipped"
    np.testing.assert_array_equal(sample["waveform"], ears.clip(-1.0, 1.0).astype(np.float32))


def test_ears_of_unequal_length_are_cut_to_the_shorter_and_said(tmp_path):
    left, right = recording()
    sample = BatVisionV1(tree(tmp_path, ears=(left, right[:4000])), axis=AS_RECORDED)[0]
    assert sample["notes"] == "ears of unequal length, cut to the shorter"
    np.testing.assert_array_equal(sample["waveform"], recording()[:, :4000].astype(np.float32))


@pytest.mark.parametrize(
    ("ears", "message"),
    [
        (np.zeros((2, 4410)), "no direct sound"),
        (np.full((2, 4410), np.nan), "nan"),
        (np.zeros((2, 0)), "no samples"),
        (np.zeros((2, 1, 4410)), r"shape \(1, 4410\)"),
        (np.zeros((2, 4410), np.uint16), "unknown scale"),
        (np.zeros((2, 4410), complex), "holds complex128"),
    ],
)
def test_a_recording_that_is_none_is_an_unreadable_row(tmp_path, ears, message):
    unreadable(tree(tmp_path, ears=ears), message)


def test_silence_is_readable_where_nothing_is_aligned(tmp_path):
    sample = BatVisionV1(tree(tmp_path, ears=np.zeros((2, 4410))), axis=RangeAxis(align=None))[0]
    assert sample["waveform"].shape == (2, BATVISION_AXIS.samples) and not sample["waveform"].any()


# Files


@pytest.mark.parametrize("folder", ["audio/raw_long", "camera", "depth"])
@pytest.mark.parametrize("defect", ["missing", "truncated", "empty", "a folder"])
def test_a_broken_file_is_an_unreadable_row(tmp_path, folder, defect):
    root = tree(tmp_path)
    path = next(path for path in sorted((root / DAY / folder).iterdir()) if TIME in path.name)
    whole = path.read_bytes()
    path.unlink()
    if defect == "a folder":
        path.mkdir()
    elif defect != "missing":
        path.write_bytes(whole[: len(whole) // 2] if defect == "truncated" else b"")
    unreadable(root, path.name)


def test_a_pickle_is_never_opened(tmp_path):
    root = tree(tmp_path)
    np.save(root / DAY / "depth" / f"{TIME}.npy", np.array([{"a": 1}]), allow_pickle=True)
    unreadable(root, "cannot be read")


def test_a_picture_that_the_table_does_not_name_is_an_unreadable_row(tmp_path):
    root = tree(tmp_path)
    table = (root / "train.csv").read_text()
    (root / "train.csv").write_text(table.replace(f"{DAY}/camera/{TIME}_left.jpg", ""))
    unreadable(root, "the table names no image file")
    check_sample(BatVisionV1(root, keys=["waveform", "depth"])[0])


def test_stray_files_and_extra_columns_change_nothing(tmp_path):
    root = tree(tmp_path)
    for name in (".DS_Store", f"{DAY}/._depth", "filtered_train.csv"):
        (root / name).write_bytes(b"\0\1")
    lines = (root / "train.csv").read_text().splitlines()
    (root / "train.csv").write_text(f"\ufeff{lines[0]},room\n{lines[1]},attic\n\n", encoding="utf-8")
    assert len(BatVisionV1(root)) == 1
    check_sample(BatVisionV1(root)[0])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "cannot be read as a table"),
        ("", "is empty"),
        (HEADER + "\n", "lists no row"),
        ("raw_l\traw_r\tdepth\n1\t2\t3\n", "no column 'audio path left'"),
        (HEADER.replace("depth path", "depth"), "no column 'depth path'"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_line(tmp_path, table, message):
    root = tree(tmp_path)
    (root / "train.csv").unlink()
    if table is not None:
        (root / "train.csv").write_text(table)
    with pytest.raises(DataError, match=message) as caught:
        BatVisionV1(root)
    assert "train.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_split_or_scale_is_named(tmp_path):
    with pytest.raises(OptionError, match="split"):
        BatVisionV1(tmp_path, "all")
    with pytest.raises(OptionError, match="full_scale"):
        BatVisionV1(tmp_path, full_scale=0.0)


def test_a_recording_listed_twice_is_read_once(tmp_path):
    root = tree(tmp_path)
    table = (root / "train.csv").read_text()
    (root / "train.csv").write_text(table + table.splitlines()[1] + "\n")
    data = BatVisionV1(root)
    assert len(data) == 1 and data.repeated == [f"{DAY}/{TIME}"]
