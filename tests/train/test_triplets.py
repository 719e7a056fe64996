"""Triplets of a run's sources: what is read, what varies, what stands in, and what is told."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from avsnet.data import triplets
from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.errors import CalibrationError, DataError, OptionError, TrainingError
from avsnet.geometry import intrinsics_from_fov
from avsnet.rooms import sample
from avsnet.rooms.writer import Plan, write_dataset
from avsnet.train.config import DataConfig, TrainConfig
from avsnet.train.datamodule import DepthData
from avsnet.train.sources import TrainingRows, ValidationRows, open_source, training_data

SIZE = (16, 24)


def config(**changes):
    return DataConfig(**({"size": SIZE, "hears": False, "interval": 2, "workers": 0} | changes))


def triplets_of(source, config):
    return training_data(source, config)[0]


def film(folder, count, *, seed=0, dark=(), still=()):
    """Frames of a texture that moves two pixels a frame, but for those of `still`, which show frame 0."""
    folder.mkdir(parents=True)
    texture = np.random.default_rng(seed).integers(0, 256, (16, 24 + 2 * count, 3), np.uint8)
    for frame in range(count):
        start = 0 if frame in still else 2 * frame
        pixels = texture[:, start : start + 24] if frame not in dark else np.full((16, 24, 3), 3, np.uint8)
        Image.fromarray(pixels).save(folder / f"{frame}.png")


@pytest.fixture(scope="module")
def v1(tmp_path_factory):
    """One day of V1, ten frames of a walk, split by the order of time."""
    root = tmp_path_factory.mktemp("v1")
    write_dataset(Plan("offices", 1, 10, layout="v1", size=(18, 32)), root, progress=False)
    return root


def test_v1_as_the_simulator_writes_it_has_the_triplets_of_its_training_split_alone(v1, monkeypatch):
    monkeypatch.setattr(triplets, "STILL", 0.0)  # two frames apart a walk hardly moves
    ids = [row.id for row in BatVisionV1(v1, "train").rows]
    assert len(ids) == 6 and len(BatVisionV1(v1, "val")) == 2
    found = triplets_of(f"batvision_v1:{v1}", config(size=(18, 32)))
    assert [found[row]["id"] for row in range(len(found))] == ids[2:4]
    for key, frame in (("earlier", 1), ("image", 3), ("later", 5)):
        made = sample("offices", 1_000_000, frame, size=(18, 32), samples=0)["rgb"]
        pixels = found[1][key].numpy().transpose(1, 2, 0) * 255.0
        others = [
            np.abs(pixels - sample("offices", 1_000_000, other, size=(18, 32), samples=0)["rgb"]).mean()
            for other in range(6)
            if other != frame
        ]
        assert np.abs(pixels - made).mean() < min(others)
    assert "train 2 triplets of 6 frames (paper: 39165 triplets), val 0 triplets of 2 frames" in found.remarks[0]
    assert "test 2 instances (paper: 4960 instances)" in found.remarks[0]
    assert "field of view assumed: 70 degrees" in found.remarks[1]
    (v1 / "test.csv").rename(v1 / "test.away")
    assert "test" not in triplets_of(f"batvision_v1:{v1}", config()).remarks[0].partition("apart")[2]
    (v1 / "test.away").rename(v1 / "test.csv")


def test_a_row_of_v1_without_a_picture_is_no_neighbour_but_keeps_its_place(v1, tmp_path):
    lines = (v1 / "train.csv").read_text().splitlines()
    header, cells = lines[0].split(","), lines[2].split(",")
    cells[header.index("camera path left")] = ""
    lines[2] = ",".join(cells)
    (tmp_path / "train.csv").write_text("\n".join(lines))
    found = triplets_of(f"batvision_v1:{tmp_path}", config())
    assert found.triplets == [(0, 2, 4)] and "1 triplets of 6 frames" in found.remarks[0]


def test_validation_beside_triplets_is_by_depth_and_without_sound(v1):
    validated = ValidationRows(open_source(f"batvision_v1:{v1}", "val", config()).data, config())
    wanted = {"id", "image", "depth", "valid", "intrinsics"}
    assert set(validated[0]) == wanted
    rooms = open_source("rooms:offices:7-7", "val", config(size=(32, 32))).data
    assert set(ValidationRows(rooms, config())[0]) == wanted and rooms.axis is None


def test_walks_give_three_triplets_of_five_pictures_twenty_frames_apart_kept_apart_from_what_sounds(tmp_path):
    chosen = config(size=(32, 40), interval=20, cache=str(tmp_path))
    walks = triplets_of("rooms:offices:5-6", chosen)
    assert walks.frames.rooms.fill(progress=False) == 10 and len(walks) == 6
    files = sorted(path.name for path in walks.frames.rooms.folder.rglob("*.npy"))
    assert files == [f"000000{seed}_{frame:04d}.npy" for seed in (5, 6) for frame in (0, 20, 40, 60, 80)]
    ids = [walks[row]["id"] for row in range(6)]
    assert ids == [f"offices/000000{seed}/{frame:04d}" for seed in (5, 6) for frame in (20, 40, 60)]
    assert [walks[row]["id"] for row in range(6)] == ids
    one = walks[4]
    for key, frame in (("earlier", 20), ("image", 40), ("later", 60)):
        made = sample("offices", 6, frame, size=(32, 40), samples=0)
        np.testing.assert_allclose(one[key].numpy().transpose(1, 2, 0) * 255.0, made["rgb"], atol=1e-3)
    np.testing.assert_allclose(one["intrinsics"], made["K"], rtol=1e-6)
    triplets_of("rooms:offices:5-5", DataConfig(size=(32, 40), cache=str(tmp_path)))[0]
    assert len(list(tmp_path.iterdir())) == 2 and len(list(walks.frames.rooms.folder.rglob("*.npy"))) == 10


@pytest.mark.parametrize("given", [90, "90", 90.0])
def test_a_field_of_view_takes_the_place_of_the_camera_in_all_sources(tmp_path, given):
    film(tmp_path / "a", 5)
    expected = intrinsics_from_fov(24, 16, 90.0).astype(np.float32)
    chosen = config(intrinsics=given)
    for source in (f"frames:{tmp_path}", "rooms:offices:5-5"):
        found = triplets_of(source, chosen if source[0] == "f" else config(intrinsics=given, interval=20))
        np.testing.assert_allclose(found[0]["intrinsics"], expected, rtol=1e-6)
        assert len(found.remarks) == 1  # nothing was assumed


def test_a_camera_file_takes_the_place_of_the_folder_s_own_and_one_that_makes_no_sense_ends_the_run(tmp_path):
    film(tmp_path / "a", 5)
    text = '{"width": 48, "height": 32, "fx": %d, "fy": 40, "cx": 23.5, "cy": 15.5}'
    (tmp_path / "intrinsics.json").write_text(text % 60)
    (tmp_path / "other.json").write_text(text % 80)
    source = f"frames:{tmp_path}"
    own = triplets_of(source, config())
    assert own[0]["intrinsics"][0, 0] == 30.0 and len(own.remarks) == 1
    assert triplets_of(source, config(intrinsics=str(tmp_path / "other.json")))[0]["intrinsics"][0, 0] == 40.0
    for wrong, told in (
        (190, "field of view 190"),
        ("none.json", r"data\.intrinsics 'none\.json': no such file; give"),
    ):
        with pytest.raises(CalibrationError, match=told):
            triplets_of(source, config(intrinsics=wrong))


def test_sources_that_do_not_move_or_have_no_depth_are_refused_where_they_cannot_serve(tmp_path):
    film(tmp_path / "a", 4)
    for source in ("folder:x", "batvision_v2:x"):
        with pytest.raises(OptionError, match="no moving frames"):
            triplets_of(source, config())
    for split, chosen in (("val", config()), ("train", config(interval=None))):
        with pytest.raises(OptionError, match=r"has no depth; it serves data\.train"):
            open_source(f"frames:{tmp_path}", split, chosen)
    with pytest.raises(DataError, match=rf"frames:{tmp_path}, 2 frames apart: 0 triplets of 4 frames; .* smaller"):
        triplets_of(f"frames:{tmp_path}", config())
    with pytest.raises(OptionError, match=r"data\.hears: false"):
        TrainConfig(data=DataConfig(interval=20))
    with pytest.raises(OptionError, match=r"data\.interval is 0"):
        TrainConfig(data=config(interval=0))


@pytest.fixture
def rows(tmp_path):
    def open_rows(count=12, seed=0, dark=(), still=(), **changes):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        film(folder / "a", count, dark=dark, still=still)
        chosen = config(**changes)
        return TrainingRows(triplets_of(f"frames:{folder}", chosen), chosen, seed)

    return open_rows


TRIO = (("image", "seen"), ("earlier", "seen_earlier"), ("later", "seen_later"))


def test_networks_see_one_change_of_colour_in_all_three_and_the_loss_sees_none(rows):
    varied = rows(flip=0.0, jitter=1.0)
    for row in range(8):
        sample, clean = varied[0, row], varied.dataset[row]
        assert all(torch.equal(sample[key], clean[key]) for key, _ in TRIO)
        # Where two pixels of any of the pictures have one colour, they have one colour after the change, too.
        before = torch.stack([sample[key] for key, _ in TRIO])
        after = torch.stack([sample[seen] for _, seen in TRIO])
        assert not torch.equal(before, after)
        for channel in range(3):
            values, places = before[:, channel].flatten().unique(return_inverse=True)
            for value in range(0, len(values), 16):
                mapped = after[:, channel].flatten()[places == value]
                assert float(mapped.max() - mapped.min()) < 1e-6
    same = rows(flip=0.0, jitter=0.0)[0, 3]
    assert all(torch.equal(same[key], same[seen]) for key, seen in TRIO)


def test_a_flip_mirrors_all_that_is_seen_and_the_camera(rows, tmp_path):
    (tmp_path / "camera.json").write_text('{"width": 24, "height": 16, "fx": 20, "fy": 20, "cx": 10, "cy": 7.5}')
    camera = str(tmp_path / "camera.json")
    plain, mirrored = (rows(flip=chance, jitter=0.0, intrinsics=camera)[0, 3] for chance in (0.0, 1.0))
    for key in (key for pair in TRIO for key in pair):
        assert torch.equal(mirrored[key], plain[key].flip(-1))
    assert plain["intrinsics"][0].tolist() == [20.0, 0.0, 10.0]
    assert mirrored["intrinsics"][0].tolist() == [20.0, 0.0, 24 - 1 - 10.0]
    assert set(mirrored) == {"id", "intrinsics", "replaced", "unusable", *(key for pair in TRIO for key in pair)}


def test_what_varies_and_what_stands_in_depends_on_seed_epoch_and_row_alone(rows):
    def drawn(seed):
        found = rows(count=30, seed=seed, still=range(8, 18))
        return [found[epoch, row] for epoch in range(3) for row in range(len(found))]

    first, again, other = drawn(1), drawn(1), drawn(2)
    for one, two in zip(first, again, strict=True):
        assert one["id"] == two["id"] and torch.equal(one["seen_later"], two["seen_later"])
    ids = [sample["id"] for sample in first]
    assert ids != [sample["id"] for sample in other] and ids[:26] != ids[26:52] != ids[52:]


def test_what_teaches_nothing_gives_its_place_to_a_row_that_does(rows):
    found = rows(count=30, dark=(5,), still=range(12, 18))
    samples = [found[0, row] for row in range(26)]
    # A dark frame spoils the three triplets that it is part of, the still ones those with two of them.
    dark, still = {3, 5, 7}, {12, 13, 14, 15, 16, 17}
    replaced = {row + 2 for row, sample in enumerate(samples) if sample["unusable"]}
    assert replaced == dark | still
    used = {int(sample["id"].split("/")[1]) for sample in samples}
    assert not used & (dark | still) and all(sample["replaced"] == "" for sample in samples)
    assert samples[1]["unusable"].startswith("a/3: dark, its later has a mean of 0.012")
    assert samples[12]["unusable"].startswith("a/14: still")
    with pytest.raises(TrainingError, match=r"10 rows in a row teach nothing .* first of them: a/\d+: still.*; film"):
        rows(count=14, still=range(14))[0, 2]


def run_an_epoch(folder, **changes):
    chosen = config(train=f"frames:{folder}", val=[], **({"batch_size": 2, "flip": 0.0} | changes))
    data = DepthData(TrainConfig(data=chosen, loss="photometric", epochs=1))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        batches = list(data.train_dataloader())
    return batches, [str(warning.message) for warning in caught]


def test_an_epoch_names_what_taught_nothing_apart_from_what_cannot_be_read(tmp_path):
    film(tmp_path / "a", 304, dark=(10,))
    (tmp_path / "a" / "200.png").write_bytes(b"no picture")
    batches, told = run_an_epoch(tmp_path)
    assert len(batches) == 150 and all(len(batch["id"]) == 2 for batch in batches)
    (unreadable,) = [line for line in told if "cannot be read" in line]
    (unusable,) = [line for line in told if "teach nothing" in line]
    assert unreadable.startswith("3 rows cannot be read, others stand in: a/200: ")
    assert unusable.startswith("3 rows teach nothing, others stand in: a/") and unusable.count("dark") == 3


def test_what_taught_nothing_is_named_although_nobody_asks_for_more_than_the_last_batch(tmp_path):
    film(tmp_path / "a", 12, dark=(6,))
    chosen = config(train=f"frames:{tmp_path}", val=[], batch_size=2, flip=0.0)
    batches = iter(DepthData(TrainConfig(data=chosen, loss="photometric", steps=6)).train_dataloader())
    for _ in range(3):
        next(batches)
    with pytest.warns(UserWarning, match="3 rows teach nothing"):
        next(batches)
    next(batches)
    with pytest.warns(UserWarning, match="teach nothing"):
        next(batches)  # the run ends within an epoch


@pytest.mark.parametrize("workers", [0, 1])
def test_a_folder_that_teaches_nothing_ends_a_run_in_one_plain_line(tmp_path, workers):
    film(tmp_path / "a", 8, still=range(8))
    with pytest.raises(DataError, match=r"^4 rows in a row teach nothing [^|]*: a/\d: still[^|]*; film"):
        run_an_epoch(tmp_path, workers=workers)


def test_more_than_half_an_epoch_that_teaches_nothing_ends_it(tmp_path):
    film(tmp_path / "half" / "a", 44, still=range(20))
    batches, told = run_an_epoch(tmp_path / "half")
    assert len(batches) == 20 and told[0].startswith("18 rows teach nothing")
    film(tmp_path / "more" / "a", 44, still=range(30))
    with pytest.raises(DataError, match=r"21 rows teach nothing.*more than 50% of 40 rows: film while"):
        run_an_epoch(tmp_path / "more")


def test_counts_are_told_once_when_a_run_begins(tmp_path, capsys):
    film(tmp_path / "a", 7)
    film(tmp_path / "b", 6)
    chosen = config(train=f"frames:{tmp_path}", batch_size=2)
    data = DepthData(TrainConfig(data=chosen, loss="photometric"))
    assert capsys.readouterr().err == ""
    data.setup("fit")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"frames:{tmp_path}, 2 frames apart: 5 triplets of 13 frames"
    assert len(lines) == 2 and "70 degrees" in lines[1]
