"""The real recording gives the published figures; locations are found, kept and left out by name."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from avsnet.audio.chirp import sweep
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.range_axis import AS_RECORDED, BATVISION_AXIS, RangeAxis
from avsnet.audio.stft import ORIGINAL_SETTINGS, SpectrogramSettings
from avsnet.data.batvision_files import load_depth
from avsnet.data.batvision_v2 import BatVisionV2, find_locations, leave_locations_out
from avsnet.data.sample import check_sample
from avsnet.errors import DataError, OptionError
from places import SHARED

torch.set_num_threads(1)

REAL = SHARED / "batvision_v2_sample" / "BatvisionV2"
COLUMNS = ["depth path", "depth file name", "audio path", "audio file name", "camera path", "camera file name"]
ORIGINAL = {"axis": AS_RECORDED}


@pytest.fixture
def real():
    if not REAL.is_dir():
        pytest.skip("../shared/batvision_v2_sample is absent (CC BY-SA, so it is not carried here)")
    return REAL


def location(root: Path, name: str, splits: dict[str, list[int]]) -> None:
    """A room of V2 with small files; its CSVs hold an index column and one that nobody knows."""
    for kind in ("audio", "depth", "camera"):
        (root / name / kind).mkdir(parents=True, exist_ok=True)
    for split, numbers in splits.items():
        lines = [",".join(["", *COLUMNS, "date"])]
        for number in numbers:
            cells = [f"{name}/depth", f"depth_{number}.npy", f"{name}/audio", f"audio_{number}.wav"]
            lines.append(",".join(["0", *cells, f"{name}/camera", f"camera_{number}.jpeg", "2022"]))
            instance(root / name, number)
        (root / name / f"{split}.csv").write_text("\n".join(lines) + "\n")


def instance(folder: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    wave = rng.normal(size=(9000, 2)) * 1e-3
    wave[500 : 500 + 132] += 0.5 * sweep()[:, None]
    soundfile.write(folder / "audio" / f"audio_{number}.wav", wave, 44_100, subtype="PCM_32")
    np.save(folder / "depth" / f"depth_{number}.npy", rng.integers(0, 40_000, (18, 32)).astype(np.uint16))
    pixels = rng.integers(0, 256, (18, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "camera" / f"camera_{number}.jpeg")


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "v2"
    location(root, "Attic", {"train": [3, 1], "val": [2], "test": [4]})
    location(root, "Salle_des_Colonnes", {"train": [1], "val": [7], "test": []})
    location(root, "2ndFloor", {"test": [5]})
    return root


# The real recording


def test_the_real_depth_has_the_published_figures(real):
    sample = BatVisionV2(real, keys=["depth"])[0]
    depth, valid = sample["depth"][0].numpy(), sample["valid"][0].numpy()
    assert depth.shape == (720, 1280) and depth.dtype == np.float32
    assert valid.mean() == pytest.approx(0.7833, abs=5e-5)
    percentiles = np.percentile(depth[valid], [0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100])
    published = [0.353, 0.381, 0.571, 0.637, 0.781, 1.029, 1.321, 1.339, 1.350, 1.363, 15.711]
    np.testing.assert_allclose(percentiles, published, atol=6e-4)
    assert depth[valid].mean() == pytest.approx(1.017, abs=6e-4)
    thirds = [slice(0, 426), slice(426, 853), slice(853, 1280)]
    medians = [np.median(depth[:, third][valid[:, third]]) for third in thirds]
    np.testing.assert_allclose(medians, [1.009, 1.323, 0.711], atol=2e-3)


def test_the_real_recording_is_read_as_it_is(real):
    sample = BatVisionV2(real, keys=["waveform"], **ORIGINAL)[0]
    waveform = sample["waveform"].numpy()
    assert waveform.shape == (2, 20_000) and sample["sample_rate"] == 44_100
    assert np.abs(waveform).argmax(axis=1).tolist() == [632, 328]
    np.testing.assert_allclose(np.abs(waveform).max(axis=1), [0.602, 0.754], atol=5e-4)
    assert direct_sound(waveform) == 299
    assert sample["notes"] == ""


@pytest.mark.parametrize("align", [BATVISION_AXIS.align, 0, 64, 1000])
def test_the_real_direct_sound_is_put_where_it_is_wanted(real, align):
    waveform = BatVisionV2(real, keys=["waveform"], axis=RangeAxis(align=align))[0]["waveform"].numpy()
    assert waveform.shape == (2, BATVISION_AXIS.samples)
    assert direct_sound(waveform) == align
    whole = BatVisionV2(real, keys=["waveform"], **ORIGINAL)[0]["waveform"].numpy()
    # Aligned before the cut: what moves in from behind the cut is the recording, not zeros.
    np.testing.assert_array_equal(waveform[:, align:], whole[:, 299 : 299 + BATVISION_AXIS.samples - align])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("v2_full", (2, 201, 201)),
        ("v2_cut30", (2, 257, 487)),
        ("v2_cut12", (2, 257, 195)),
        ("v2_cut10", (2, 257, 163)),
        ("v1", (2, 257, 1 + 20_000 // 16)),
        ("v1_window", (2, 257, 201)),
    ],
)
def test_every_original_setting_gives_its_published_shape(real, name, shape):
    sample = BatVisionV2(real, keys=["waveform"], spectrogram=ORIGINAL_SETTINGS[name], **ORIGINAL)[0]
    assert sample["echo"].shape == shape
    assert torch.equal(sample["echo"], ORIGINAL_SETTINGS[name](sample["waveform"]))


def test_the_baselines_settings_give_its_authors_mean_and_maximum(real):
    settings = replace(ORIGINAL_SETTINGS["v2_cut30"], size=(256, 256))
    echo = BatVisionV2(real, axis=RangeAxis(align=None), spectrogram=settings)[0]["echo"]
    assert echo.mean() == pytest.approx(0.07161, abs=1e-5)
    assert echo.max() == pytest.approx(5.703, abs=1e-3)


def test_nearest_leaves_unknown_depth_unknown_and_makes_none_up(real):
    whole = BatVisionV2(real, keys=["depth"])[0]
    small = BatVisionV2(real, keys=["depth"], size=(256, 256))[0]
    # 21.7 % of the whole map; every 14th pixel of it gives that to 0.2 %.
    assert 1.0 - whole["valid"].float().mean() == pytest.approx(0.217, abs=5e-4)
    assert 1.0 - small["valid"].float().mean() == pytest.approx(0.217, abs=2e-3)
    smallest_measured = whole["depth"][whole["valid"]].min()
    assert small["depth"][small["valid"]].min() >= smallest_measured
    assert set(small["depth"].unique().tolist()) <= set(whole["depth"].unique().tolist())


@pytest.mark.parametrize("size", [None, (256, 256), (192, 320)])
@pytest.mark.parametrize("split", ["train", "val", "test", "all"])
def test_the_real_sample_keeps_the_contract(real, split, size):
    data = BatVisionV2(real, split, size=size, spectrogram=SpectrogramSettings(size=(64, 64), compression="log1p"))
    assert len(data) == 1
    check_sample(data[0])
    assert data[0]["id"] == "Sample_Location/47"
    assert data[0]["image"].shape == (3, *(size or (720, 1280)))


def test_the_real_picture_decoded_small_is_close_to_the_whole_one(real):
    whole = BatVisionV2(real, keys=["image"])[0]["image"]
    exact = torch.nn.functional.interpolate(whole[None], (256, 256), mode="bilinear", antialias=True)[0]
    small = BatVisionV2(real, keys=["image"], size=(256, 256))[0]["image"]
    assert (small - exact).abs().mean() < 0.003
    assert (small - exact).abs().max() < 0.05


# Locations and splits


def test_a_split_is_the_concatenation_over_sorted_locations(tree):
    assert find_locations(tree) == ["2ndFloor", "Attic", "Salle_des_Colonnes"]
    assert [row.id for row in BatVisionV2(tree, "train").rows] == ["Attic/3", "Attic/1", "Salle_des_Colonnes/1"]
    assert [row.id for row in BatVisionV2(tree, "test").rows] == ["2ndFloor/5", "Attic/4"]
    assert len(BatVisionV2(tree, "all")) == 7
    for sample in BatVisionV2(tree, "all", size=(9, 16)):
        check_sample(sample)


def test_stray_entries_of_the_root_are_ignored(tree):
    (tree / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (tree / "index.html").write_text("<html>")
    (tree / "train.csv").write_text("not,a,location\n")
    (tree / "empty folder").mkdir()
    shutil.copytree(tree / "Attic", tree / "__MACOSX")
    shutil.copytree(tree / "Attic", tree / "Attic_unzipped")
    (tree / "Folder_With_Folder" / "train.csv").mkdir(parents=True)
    assert find_locations(tree) == ["2ndFloor", "Attic", "Salle_des_Colonnes"]
    assert len(BatVisionV2(tree, "train")) == 3


def test_a_recording_listed_twice_is_read_once(tree):
    table = tree / "Attic" / "train.csv"
    table.write_text(table.read_text() + table.read_text().splitlines()[1] + "\n")
    data = BatVisionV2(tree, "train")
    assert len(data) == 3 and data.repeated == ["Attic/3"]


def test_locations_are_taken_and_left_out_by_name(tree):
    assert BatVisionV2(tree, "train", locations=["Attic"]).locations == ["Attic"]
    assert BatVisionV2(tree, "train", leave_out=["Attic"]).locations == ["Salle_des_Colonnes"]
    with pytest.raises(OptionError, match="no 'attic', only 2ndFloor, Attic, Salle_des_Colonnes"):
        BatVisionV2(tree, "train", leave_out=["attic"])
    with pytest.raises(OptionError, match="none of Attic, Salle_des_Colonnes is left"):
        BatVisionV2(tree, "train", leave_out=["Attic", "Salle_des_Colonnes"])
    with pytest.raises(OptionError, match="wanted a list"):
        BatVisionV2(tree, "train", locations="Attic")


def test_leaving_a_location_out_shares_no_room_and_no_row(tree):
    splits = leave_locations_out(tree, ["Attic"], size=(9, 16))
    ids = {name: {row.id for row in split.rows} for name, split in splits.items()}
    assert ids["test"] == {"Attic/1", "Attic/2", "Attic/3", "Attic/4"}
    assert ids["train"] == {"Salle_des_Colonnes/1"} and ids["val"] == {"Salle_des_Colonnes/7"}
    assert splits["test"][0]["image"].shape == (3, 9, 16)


def test_holding_nothing_out_is_a_mistake(tree):
    with pytest.raises(OptionError, match="held_out"):
        leave_locations_out(tree, [])


def test_a_location_that_only_one_split_has_can_be_held_out(tree):
    splits = leave_locations_out(tree, ["2ndFloor"])
    assert {row.id for row in splits["test"].rows} == {"2ndFloor/5"}
    assert len(splits["train"]) == 3


# What is refused


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda tree: shutil.rmtree(tree), "cannot be listed"),
        (lambda tree: [path.unlink() for path in tree.glob("*/train.csv")], "no folder in it holds train.csv"),
        (lambda tree: [path.write_text("") for path in tree.glob("*/train.csv")], "is empty, without even a header"),
        (lambda tree: [path.write_text(",".join(COLUMNS)) for path in tree.glob("*/train.csv")], "list no row"),
        (lambda tree: (tree / "Attic/train.csv").write_text("a,b\n1,2\n"), "has no column 'audio path', only 'a', 'b'"),
        (lambda tree: (tree / "Attic/train.csv").write_bytes(b"\xff\xfe\0a"), "cannot be read as a table"),
    ],
)
def test_a_tree_that_is_no_v2_is_refused_in_one_line(tree, break_it, message):
    break_it(tree)
    with pytest.raises(DataError, match=message) as caught:
        BatVisionV2(tree, "train")
    assert "\n" not in str(caught.value) and str(tree) in str(caught.value)


def test_a_table_without_pictures_serves_whoever_needs_none(tree):
    table = tree / "Attic" / "train.csv"
    table.write_text(",".join(COLUMNS[:4]) + "\nAttic/depth,depth_1.npy,Attic/audio,audio_1.wav\n")
    sample = BatVisionV2(tree, "train", keys=["waveform", "depth"])[0]
    check_sample(sample)
    assert "image" not in sample
    with pytest.raises(DataError, match="no column 'camera path'"):
        BatVisionV2(tree, "train")


def test_a_byte_order_mark_windows_slashes_and_spaces_do_no_harm(tree):
    table = tree / "Attic" / "train.csv"
    lines = ["\ufeff" + ", ".join(COLUMNS)]
    lines.append("Attic\\depth, depth_1.npy, Attic\\audio, audio_1.wav, Attic\\camera, camera_1.jpeg")
    table.write_text("\r\n".join([*lines, "", ""]), encoding="utf-8")
    data = BatVisionV2(tree, "train", locations=["Attic"])
    assert [row.id for row in data.rows] == ["Attic/1"]
    check_sample(data[0])


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda room: (room / "audio/audio_3.wav").unlink(), r"audio_3\.wav: no such file"),
        (lambda room: (room / "camera/camera_3.jpeg").write_bytes(b"\xff\xd8\xff"), r"camera_3\.jpeg: .*picture"),
        (lambda room: (room / "depth/depth_3.npy").write_bytes(b""), r"depth_3\.npy: cannot be read"),
        (lambda room: soundfile.write(room / "audio/audio_3.wav", np.zeros(900), 44_100), "1 channels at 44100 Hz"),
        (lambda room: soundfile.write(room / "audio/audio_3.wav", np.zeros((900, 2)), 48_000), "2 channels at 48000"),
        (lambda room: soundfile.write(room / "audio/audio_3.wav", np.zeros((9000, 2)), 44_100), "no direct sound"),
        (lambda room: np.save(room / "depth/depth_3.npy", np.ones((3, 18, 32))), r"shape \(3, 18, 32\)"),
        (lambda room: np.save(room / "depth/depth_3.npy", np.ones((18, 32), bool)), "holds bool"),
        (lambda room: np.save(room / "depth/depth_3.npy", np.ones((0, 32))), r"shape \(0, 32\)"),
        (lambda room: np.save(room / "depth/depth_3.npy", np.ones((9, 16))), "give one size"),
    ],
)
def test_an_unreadable_row_names_itself_its_file_and_the_reason(tree, break_it, message):
    break_it(tree / "Attic")
    with pytest.raises(DataError, match=rf"^Attic/3: .*{message}"):
        BatVisionV2(tree, "train")[0]


def test_rows_read_together_are_the_rows_and_errors_read_one_by_one(tree):
    (tree / "Attic" / "depth" / "depth_1.npy").unlink()
    (tree / "Attic" / "camera" / "camera_4.jpeg").write_bytes(b"\xff\xd8\xff")
    data = BatVisionV2(
        tree, "all", size=(9, 16), spectrogram=SpectrogramSettings(samples=BATVISION_AXIS.samples, size=(32, 32))
    )
    order = [4, 0, 1, 3, 2, 6]
    found = data.read(order)
    assert [isinstance(sample, DataError) for sample in found].count(True) == 2
    for index, sample in zip(order, found, strict=True):
        if isinstance(sample, DataError):
            with pytest.raises(DataError, match=re.escape(str(sample))):
                data[index]
            continue
        check_sample(sample)
        alone = data[index]
        assert alone.keys() == sample.keys()
        for key, value in alone.items():
            assert torch.equal(value, sample[key]) if isinstance(value, torch.Tensor) else value == sample[key]


@pytest.mark.parametrize("cap", [9.7, 30.0, 0.001])
def test_every_millimetre_is_its_nearest_float_and_counts_up_to_the_cap(tmp_path, cap):
    stored = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    np.save(tmp_path / "a.npy", stored)
    depth, valid = (found[0].numpy() for found in load_depth(tmp_path / "a.npy", cap))
    assert np.array_equal(valid, (stored > 0) & (stored <= round(cap * 1000)))
    assert np.array_equal(depth, np.where(valid, stored / 1000.0, 0.0).astype(np.float32))


def test_a_row_with_missing_cells_is_unreadable_and_the_others_are_not(tree):
    table = tree / "Attic" / "train.csv"
    table.write_text(table.read_text() + "0,Attic/depth\n")
    data = BatVisionV2(tree, "train")
    assert data.rows[2].id == "Attic/row 3 of train.csv"
    with pytest.raises(DataError, match=r"row 3 of train\.csv: the table names no image file"):
        data[2]
    check_sample(data[3])


@pytest.mark.parametrize(
    "option",
    [
        {"cap": 0.0},
        {"over_cap": "keep"},
        {"size": 256},
        {"keys": ["picture"]},
        {"keys": []},
        {"split": "training"},
    ],
    ids=str,
)
def test_an_option_outside_its_range_is_named(tree, option):
    with pytest.raises(OptionError, match=next(iter(option))):
        BatVisionV2(tree, **option)


def test_a_spectrogram_longer_than_what_is_kept_is_refused(tree):
    with pytest.raises(OptionError, match="7782 are fewer than the 20000"):
        BatVisionV2(tree, spectrogram=ORIGINAL_SETTINGS["v2_full"])
