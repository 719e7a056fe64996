from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from avsnet.errors import DataError, OptionError, TrainingError
from avsnet.train.config import DataConfig
from avsnet.train.sources import ShuffledEchoes, TrainingRows, ValidationRows, open_source, present

CONFIG = DataConfig(flip=0.5, jitter=0.5)


class Rows(Dataset):
    """Row i has a picture, an echo and a depth that tell i, and a left-to-right ramp; some rows are broken."""

    def __init__(self, count=8, broken=()):
        self.count, self.broken = count, broken

    def __len__(self):
        return self.count

    def __getitem__(self, row):
        if row in self.broken:
            raise DataError(f"row {row} is broken")
        ramp = torch.linspace(0.1, 0.9, 4).expand(2, 4)
        return {
            "id": f"row/{row}",
            "image": ramp.expand(3, 2, 4).clone(),
            "waveform": torch.tensor([[row, 0.0, 0.0], [0.0, row, 0.0]]) / 100.0,
            "sample_rate": 44_100,
            "depth": (row + ramp)[None],
            "valid": torch.ones(1, 2, 4, dtype=torch.bool),
            "notes": "not for training",
        }


def test_what_varies_depends_on_seed_epoch_and_row_alone():
    rows = TrainingRows(Rows(), CONFIG, seed=1)
    first = [rows[epoch, row] for epoch in range(4) for row in range(8)]
    again = [TrainingRows(Rows(), CONFIG, seed=1)[epoch, row] for epoch in range(4) for row in range(8)]
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(first, again, strict=True))
    other = [TrainingRows(Rows(), CONFIG, seed=2)[epoch, row] for epoch in range(4) for row in range(8)]
    assert not all(torch.equal(a["image"], b["image"]) for a, b in zip(first, other, strict=True))
    assert len({tuple(sample["image"].flatten().tolist()) for sample in first}) > 8


def test_a_mirrored_sample_swaps_its_ears_and_about_half_are_mirrored():
    rows = TrainingRows(Rows(400), DataConfig(flip=0.5, jitter=0.0), seed=0)
    mirrored = 0
    for row in range(1, 400):
        sample = rows[0, row]
        ears_swapped = sample["waveform"][0, 0] == 0.0
        assert bool(sample["image"][0, 0, 0] > 0.5) == bool(ears_swapped) == bool(sample["depth"][0, 0, 0] > row + 0.5)
        mirrored += int(ears_swapped)
    assert 150 < mirrored < 250


def test_probabilities_of_0_and_1_are_never_and_always():
    plain = TrainingRows(Rows(), DataConfig(flip=0.0, jitter=0.0), seed=0)[3, 5]
    assert torch.equal(plain["image"], Rows()[5]["image"])
    flipped = TrainingRows(Rows(), DataConfig(flip=1.0, jitter=0.0), seed=0)[3, 5]
    assert torch.equal(flipped["image"], Rows()[5]["image"].flip(-1))
    coloured = TrainingRows(Rows(), DataConfig(flip=0.0, jitter=1.0), seed=0)[3, 5]
    assert not torch.equal(coloured["image"], plain["image"])
    assert torch.equal(coloured["depth"], plain["depth"])


def test_the_focal_length_that_is_told_varies_round_the_true_one_and_what_is_seen_and_heard_stays():
    true, told = (
        TrainingRows(Rows(400), DataConfig(flip=0.0, jitter=0.0, focal=spread), seed=0) for spread in (0, 0.2)
    )
    ratios = []
    for row in range(400):
        plain, varied = true[0, row], told[0, row]
        assert all(torch.equal(plain[key], varied[key]) for key in ("image", "depth", "waveform"))
        ratio = varied["intrinsics"] / plain["intrinsics"]
        assert ratio[0, 0] == ratio[1, 1] and ratio[0, 2] == ratio[1, 2] == 1.0
        ratios.append(float(ratio[0, 0].log()))
    assert abs(np.mean(ratios)) < 0.03 and np.std(ratios) == pytest.approx(0.2, rel=0.1)


def test_an_unreadable_row_gives_its_place_to_the_next_and_says_why():
    rows = TrainingRows(Rows(broken=(6, 7)), DataConfig(flip=0.0), seed=0)
    sample = rows[0, 6]
    assert (sample["id"], sample["replaced"]) == ("row/0", "row 6 is broken | row 7 is broken")
    assert rows[0, 5]["replaced"] == ""
    with pytest.raises(TrainingError, match="8 rows in a row cannot be read, the first of them: row 2 is broken; see"):
        TrainingRows(Rows(broken=range(8)), CONFIG, seed=0)[0, 2]


def test_every_row_gets_the_echo_of_another_and_each_echo_is_given_once():
    rows = ShuffledEchoes(Rows(50), seed=4)
    given = [round(100.0 * float(rows[row]["waveform"][0, 0])) for row in range(50)]
    assert sorted(given) == list(range(50))
    assert all(giver != row for row, giver in enumerate(given))
    assert [int(rows[row]["depth"][0, 0, 0]) for row in range(50)] == list(range(50))
    again = ShuffledEchoes(Rows(50), seed=4)
    assert again.giver == rows.giver != ShuffledEchoes(Rows(50), seed=5).giver
    with pytest.raises(OptionError, match="one row alone"):
        ShuffledEchoes(Rows(1), seed=0)


def test_processes_judge_every_row_once_and_rows_are_left_as_they_are():
    shares = [ValidationRows(Rows(7), CONFIG, rank, 3) for rank in range(3)]
    ids = [share[place]["id"] for share in shares for place in range(len(share))]
    assert sorted(ids) == [f"row/{row}" for row in range(7)]
    assert set(shares[0][0]) == {"id", "image", "waveform", "sample_rate", "depth", "valid", "intrinsics"}
    assert torch.equal(shares[0][0]["image"], Rows()[0]["image"])


def test_what_is_not_wanted_is_left_out():
    assert "image" not in ValidationRows(Rows(), DataConfig(sees=False))[0]
    assert not {"waveform", "sample_rate"} & set(ValidationRows(Rows(), DataConfig(hears=False))[0])


def test_batvision_is_opened_by_split_size_and_range_axis(toy_world):
    config = DataConfig(size=(20, 24), samples=3000, align=250)
    train, val = (open_source(f"batvision_v2:{toy_world}", split, config) for split in ("train", "val"))
    assert (len(train.data), len(val.data)) == (12, 4)
    sample = train.data[0]
    assert sample["image"].shape == (3, 20, 24)
    assert sample["waveform"].shape == (2, 3000)
    assert np.argmax(np.abs(sample["waveform"].numpy()[0]) > 0.1) in range(249, 253)
    assert "waveform" not in open_source(f"batvision_v2:{toy_world}", "val", DataConfig(hears=False)).data[0]
    capped = open_source(f"batvision_v2:{toy_world}", "train", DataConfig(cap=0.5))
    assert not capped.data[0]["valid"].any()
    assert (train.cap, capped.cap) == (30.0, 0.5)
    with pytest.raises(OptionError, match="nowhere"):
        open_source(f"batvision_v2:{toy_world}", "train", DataConfig(leave_out=["nowhere"]))


def test_rooms_are_opened_by_domain_and_seeds_and_kept_in_the_cache(tmp_path):
    config = DataConfig(size=(32, 32), cache=str(tmp_path), align=None)
    rooms = open_source("rooms:offices:5-6", "train", config)
    assert (len(rooms.data), rooms.cap) == (2, 12.0)
    sample = ValidationRows(rooms.data, config)[1]
    assert sample["id"].startswith("offices/0000006")
    assert sample["image"].shape == (3, 32, 32) and sample["waveform"].shape == (2, 7782)
    assert len(list(tmp_path.rglob("*.npy"))) == 1
    with pytest.raises(OptionError, match="wanted rooms:DOMAIN:FIRST-LAST"):
        open_source("rooms:offices:7", "train", config)
    with pytest.raises(OptionError, match="'rooms:offices:6-5': holds no room"):
        open_source("rooms:offices:6-5", "train", config)


@pytest.mark.parametrize("source", ["batvision_v3:/x", "folder", "folder:", "rooms"])
def test_a_source_of_no_known_form_is_refused(source):
    with pytest.raises(OptionError, match="is none of batvision_v1:ROOT, batvision_v2:ROOT, failures"):
        open_source(source, "train", CONFIG)


def test_a_source_that_may_lack_is_left_out_and_named_and_all_others_are_kept(tmp_path):
    gone, here = f"rgbd:{tmp_path / 'gone'}", f"rgbd:{tmp_path}"
    rooms = "rooms:offices:0-3"
    left, lines = present(replace(CONFIG, train=[gone, gone, here, rooms], val=[gone, rooms], may_lack=[gone, here]))
    assert (left.train, left.val, left.may_lack) == ([here, rooms], [rooms], [here])
    assert lines == [f"{gone}: not on this disk; the run goes on without it"]
    required = replace(CONFIG, train=[gone], val=[])
    assert present(required) == (required, [])  # opening it says what is wrong
    with pytest.raises(OptionError, match=r"no other source in data\.val"):
        present(replace(CONFIG, train=[rooms, gone], val=[gone], may_lack=[gone]))
