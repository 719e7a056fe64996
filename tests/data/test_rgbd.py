"""RGB-D folders: each convention gives the metres and the camera that its makers meant."""

import json

import numpy as np
import pytest
from PIL import Image

from avsnet.data.reading import Reading
from avsnet.data.registry import open_data, recognise
from avsnet.data.rgbd import RgbdFolder
from avsnet.data.rgbd_frames import nearest_in_time
from avsnet.data.sample import check_sample
from avsnet.data.split_files import with_validation
from avsnet.errors import AvsnetError, CalibrationError, DataError, DepthError
from data_trees import rgbd_tree
from places import SHARED


def folder(root, pictures, depth, names, metres, units, size=(48, 64)):
    """Pictures and 16-bit maps of some names; the n-th is `metres` + n everywhere but in an unknown corner."""
    for number, name in enumerate(names):
        for part in (pictures, depth):
            (root / part).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size[::-1], (number, 99, 199)).save(root / pictures / f"{name}.png")
        stored = np.full(size, round((metres + number) * units), np.uint16)
        stored[:4, :4] = 0
        Image.fromarray(stored).save(root / depth / f"{name}.png")
    return root


def metres_of(sample):
    values = sample["depth"][sample["valid"]]
    assert not sample["valid"][0, 0, 0]
    return values.unique().tolist()


def test_a_folder_with_a_camera_file_holds_millimetres(tmp_path):
    for pictures in ("images", "color"):
        root = folder(tmp_path / pictures, pictures, "depth", ["7"], 2.0, 1000)
        np.savetxt(root / "K.txt", [[60.0, 0, 30.0], [0, 61.0, 24.0], [0, 0, 1]])
        data = open_data(root, Reading("train")).data
        check_sample(data[0])
        assert metres_of(data[0]) == [2.0] and data[0]["id"] == "7"
        assert data[0]["intrinsics"].tolist() == [[60.0, 0.0, 30.0], [0.0, 61.0, 24.0], [0.0, 0.0, 1.0]]


def test_without_a_camera_such_a_folder_is_no_bare_source_but_can_be_named(tmp_path):
    root = folder(tmp_path, "color", "depth", ["7"], 2.0, 1000)
    assert recognise(root).name == "rgbd"
    (root / "color" / "7.wav").touch()
    assert recognise(root).name == "folder"
    assert "intrinsics" not in RgbdFolder(root)[0]


def test_depth_of_eight_bits_is_nyus_or_needs_its_unit(tmp_path):
    """A map for people, 0..255 from near to far, is no depth in metres."""
    root = folder(tmp_path, "images", "depth", ["7"], 2.0, 1000)
    np.savetxt(root / "K.txt", [[60.0, 0, 30.0], [0, 61.0, 24.0], [0, 0, 1]])
    Image.fromarray(np.full((48, 64), 90, np.uint8)).save(root / "depth" / "7.png")
    with pytest.raises(DataError, match="depth/ has 8 bits and is not NYU's"):
        open_data(root)
    for name, of_nyu in (("images", (228, 304, 3)), ("depth", (228, 304))):
        Image.fromarray(np.full(of_nyu, 90, np.uint8)).save(root / name / "7.png")
    (root / "K.txt").unlink()
    assert RgbdFolder(root)[0]["depth"][0, 9, 9].item() == pytest.approx(90.5 / 25.5)


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, -1), (8, 1)])
def test_depth_and_camera_are_turned_as_exif_turns_the_picture(tmp_path, orientation, turns):
    root = folder(tmp_path, "images", "depth", ["7"], 2.0, 1000)
    np.savetxt(root / "K.txt", [[60.0, 0, 30.0], [0, 61.0, 20.0], [0, 0, 1]])
    stored = np.linspace(1000, 4000, 48 * 64).reshape(48, 64).astype(np.uint16)
    Image.fromarray(stored).save(root / "depth" / "7.png")
    exif = Image.Exif()
    exif[0x0112] = orientation
    (root / "images" / "7.png").unlink()
    Image.new("RGB", (64, 48)).save(root / "images" / "7.jpg", exif=exif)
    sample = RgbdFolder(root)[0]
    np.testing.assert_allclose(sample["depth"][0], np.rot90(stored, turns) / 1000.0, atol=1e-6)
    assert sample["image"].shape[1:] == sample["depth"].shape[1:]
    expected = [60.0, 61.0] if orientation == 3 else [61.0, 60.0]
    assert sample["intrinsics"].diagonal()[:2].tolist() == expected


def test_scannet_has_scenes_and_cameras_of_colour_and_of_depth(tmp_path):
    for scene in ("scene0000_00", "scene0001_00"):
        root = folder(tmp_path / "scans" / scene, "color", "depth", ["0", "10", "2"], 1.0, 1000, (96, 128))
        (root / "intrinsic").mkdir()
        colour = np.diag([120.0, 120.0, 1.0, 1.0])
        colour[:2, 2] = 64.0, 48.0
        np.savetxt(root / "intrinsic" / "intrinsic_color.txt", colour)
        np.savetxt(root / "intrinsic" / "intrinsic_depth.txt", colour * 0.1)
        Image.fromarray(np.full((48, 64), 3000, np.uint16)).save(root / "depth" / "2.png")
    data = open_data(tmp_path).data
    names = [f"scans/scene0000_00/{name}" for name in ("0", "10", "2")]
    assert [frame.id for frame in data.frames][:3] == names
    assert data[2]["depth"].shape == (1, 96, 128) and data[2]["depth"].unique().tolist() == [3.0]
    assert data[0]["intrinsics"][0].tolist() == [120.0, 0.0, 64.0]


def test_tum_counts_fifths_of_millimetres_and_pairs_by_time(tmp_path):
    root = folder(tmp_path / "desk", "rgb", "none", ["1.000", "1.030", "9.000"], 1.0, 5000)
    folder(tmp_path / "desk", "unused", "depth", ["1.010", "1.031"], 1.5, 5000)
    data = open_data(tmp_path).data
    assert [(frame.id, frame.depth.stem) for frame in data.frames] == [("desk/1.000", "1.010"), ("desk/1.030", "1.031")]
    assert metres_of(data[1]) == [2.5]
    assert data[0]["intrinsics"].diagonal().tolist() == pytest.approx([52.5, 52.5, 1.0])
    (tmp_path / "pairs.csv").write_text("sequence,rgb,depth\ndesk,9.000.png,1.010.png\n")
    (only,) = RgbdFolder(tmp_path).frames
    assert (only.id, only.depth.stem, root.name) == ("desk/9.000", "1.010", "desk")


def test_pictures_and_maps_are_paired_nearest_first_and_once():
    assert nearest_in_time(["1.00", "1.01"], ["1.011"]) == {"1.01": "1.011"}
    assert nearest_in_time(["1.00", "1.01"], ["1.004", "1.005"]) == {"1.00": "1.004", "1.01": "1.005"}
    assert nearest_in_time(["1.0"], ["1.5"]) == {}


def test_a_folder_of_time_stamps_alone_is_tum(tmp_path):
    """Of others in rgb/ the unit is open: ICL-NUIM counts as TUM does, many count millimetres."""
    folder(tmp_path, "rgb", "depth", ["0", "1"], 1.0, 1000)
    assert recognise(tmp_path).name == "rgbd"
    with pytest.raises(DataError, match=r"without the time stamps of TUM: .* 1/1000 or 1/5000 m; .* rgbd\.json"):
        RgbdFolder(tmp_path)


def test_nyu_has_eight_bits_whose_ends_are_unknown_and_official_splits(tmp_path):
    root = rgbd_tree(tmp_path)
    train = open_data(root, Reading("train")).data
    assert [frame.id for frame in train.frames] == ["0000", "0002"]
    sample = train[0]
    check_sample(sample)
    known = sample["depth"][sample["valid"]]
    assert known.unique().tolist() == pytest.approx([50.5 / 25.5, 51.5 / 25.5])
    assert sample["valid"].sum() == sample["valid"].numel() - 3
    assert sample["intrinsics"][0, 0].item() == pytest.approx(259.43 * 64 / 304)
    assert [len(RgbdFolder(root, split)) for split in ("test", "all")] == [1, 3]
    with pytest.raises(DataError, match="no row has the split 'val'"):
        RgbdFolder(root, "val")


def test_validation_takes_whole_blocks_of_neighbours_out_of_training():
    rows = [(f"{scene}/{place}", "test" if scene % 2 else "train") for scene in range(84) for place in range(3)]
    parts = with_validation(rows)
    assert [name for name, _ in parts] == [name for name, _ in rows]
    chosen = {name.partition("/")[0] for name, part in parts if part == "val"}
    assert chosen == {"20", "60"}
    assert all(part == "val" for name, part in parts if name.partition("/")[0] in chosen)
    assert [part for _, part in with_validation([("a", "train")] * 1000)].count("val") == 50


def test_diode_counts_where_its_mask_says_so(tmp_path):
    scan = tmp_path / "scene_1" / "scan_2"
    scan.mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(scan / "a_0.png")
    np.save(scan / "a_0_depth.npy", np.full((48, 64, 1), 3.5, np.float32))
    mask = np.ones((48, 64), np.float32)
    mask[:4, :4] = 0.0
    np.save(scan / "a_0_depth_mask.npy", mask)
    data = open_data(tmp_path).data
    assert data.frames[0].id == "scene_1/scan_2/a_0" and metres_of(data[0]) == [3.5]
    assert data[0]["intrinsics"][0, 0].item() == pytest.approx(886.81 / 16)


def test_a_folder_of_ones_own_says_how_it_is_written(tmp_path):
    folder(tmp_path, "shots", "ranges", ["a_rgb"], 2.0, 250)
    (tmp_path / "ranges" / "a_rgb.png").rename(tmp_path / "ranges" / "a_d.png")
    told = {"pictures": "shots/*_rgb", "depth": "ranges/*_d", "depth_scale": 250}
    (tmp_path / "rgbd.json").write_text(json.dumps(told | {"camera": [50, 50, 31.5, 23.5], "camera_size": [64, 48]}))
    data = open_data(tmp_path).data
    assert metres_of(data[0]) == [2.0] and data[0]["id"] == "a" and data[0]["intrinsics"][0, 0] == 50.0
    assert open_data(tmp_path, Reading(size=(24, 32))).data[0]["intrinsics"][0].tolist() == [25.0, 0.0, 15.5]


def test_numbers_that_stand_for_no_depth_may_be_named(tmp_path):
    folder(tmp_path, "rgb", "depth", ["a"], 2.0, 1000)
    stored = np.full((48, 64), 2000, np.uint16)
    stored[0, :3] = 0, 4095, 65535
    Image.fromarray(stored).save(tmp_path / "depth" / "a.png")
    told = {"pictures": "rgb/*", "depth": "depth/*", "depth_scale": 1000, "depth_offset": 500, "unknown": [4095]}
    (tmp_path / "rgbd.json").write_text(json.dumps(told))
    sample = RgbdFolder(tmp_path)[0]
    assert metres_of(sample) == [2.5] and sample["valid"].sum() == 48 * 64 - 3


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("[", "cannot be read as JSON"),
        ('{"depth": "d/*"}', 'needs "pictures" and "depth"'),
        ('{"pictures": "p/*", "depth": "d"}', "no pattern with one"),
        ('{"pictures": "p/*", "depth": "d/*", "scale": 5}', "unknown entry 'scale'"),
        ('{"pictures": "p/*", "depth": "d/*", "depth_scale": 0}', "depth_scale: 0"),
        ('{"pictures": "p/*", "depth": "d/*", "camera": [1, 2, 3, 4]}', "camera_size"),
        ('{"pictures": "p/*", "depth": "d/*", "unknown": 254}', "must be a list"),
        ('{"pictures": "p/*", "depth": "d/*", "unknown": [254]}', "need depth_scale"),
    ],
)
def test_broken_settings_are_one_line_that_names_the_file(tmp_path, entries, said):
    (tmp_path / "rgbd.json").write_text(entries)
    with pytest.raises(DataError, match=said) as caught:
        RgbdFolder(tmp_path)
    assert "rgbd.json" in str(caught.value) and "\n" not in str(caught.value)


def test_what_does_not_belong_together_is_refused(tmp_path):
    root = folder(tmp_path, "images", "depth", ["0"], 2.0, 1000)
    Image.fromarray(np.full((48, 48), 2000, np.uint16)).save(root / "depth" / "0.png")
    with pytest.raises(DepthError, match="aspect ratio"):
        RgbdFolder(root)[0]
    Image.fromarray(np.full((24, 32), 2000, np.uint16)).save(root / "depth" / "0.png")
    np.savetxt(root / "K.txt", [[600.0, 0, 320.0], [0, 600.0, 240.0], [0, 0, 1]])
    with pytest.raises(CalibrationError, match="another size"):
        RgbdFolder(root)[0]
    (root / "depth" / "0.png").write_bytes(b"")
    (root / "K.txt").unlink()
    with pytest.raises(AvsnetError, match=r"0\.png"):
        RgbdFolder(root)[0]


def test_real_sets_are_recognised_and_have_the_metres_of_their_readme():
    if not (SHARED / "real" / "nyu_labelled").exists():
        pytest.skip("needs ../shared/real")
    medians = {
        "hololens_rgbd": (94, 1.47),
        "tum_rgbd": (15, 1.397),
        "diode_indoor": (1, 5.38),
        "nyu_labelled": (654, 3.0),
    }
    for name, (count, median) in medians.items():
        opened = open_data(SHARED / "real" / name)
        sample = opened.data[0]
        check_sample(sample)
        assert (opened.name, len(opened.data)) == (f"rgbd:{name}", count)
        assert sample["depth"][sample["valid"]].median().item() == pytest.approx(median, abs=0.01)
        assert "intrinsics" in sample
