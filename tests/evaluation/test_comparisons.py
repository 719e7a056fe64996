"""Which rows are compared, what is said of their differences, and what groups the images of each data set form."""

import csv

import numpy as np
import pytest

from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.data.batvision_v2 import BatVisionV2
from avsnet.data.reading import Reading
from avsnet.data.registry import open_data
from avsnet.data.rgbd import RgbdFolder
from avsnet.evaluation.comparisons import Pair, differences, pairs, seed_spread, seedless
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.scores import Scores, summarise, table
from avsnet.evaluation.trials import Scaling, System, Trial
from avsnet.metrics import METRICS
from avsnet.metrics_shape import SHAPE_METRICS
from avsnet.rooms.dataset import Rooms
from avsnet.rooms.half_real import HalfReal
from avsnet.statistics import grouped_interval
from data_trees import v1_tree, v2_tree, walls_tree
from places import SHARED


def rows_of(system, values, scaling="none", groups=10):
    """Rows of one image each, `groups` rooms in turn."""
    rows = []
    for place, value in enumerate(values):
        keys = {"data": "toys", "system": system, "scaling": scaling, "id": f"{place:03d}"}
        labels = {"group": f"room {place % groups}", "subset": "", "room_type": "", "fov": ""}
        scores = dict.fromkeys((*METRICS, *SHAPE_METRICS), f"{value:.6g}")
        rows.append(keys | labels | {"status": "ok"} | scores)
    return rows


def test_an_echo_meets_its_controls_a_network_its_twin_and_a_scaling_the_models_own_metres():
    av, v = ("avsnet_tiny_av", "none"), ("avsnet_tiny_v", "none")
    shuffled, silent = ("avsnet_tiny_av@shuffled", "none"), ("avsnet_tiny_av@silent", "none")
    own, by_av, by_v = ("net", "none"), ("net", "median:avsnet_tiny_av"), ("net", "median:avsnet_tiny_v")
    by_shuffled, oracle = ("net", "median:avsnet_tiny_av@shuffled"), ("net", "oracle_median")
    found = pairs([av, v, shuffled, silent, own, by_av, by_v, by_shuffled, oracle])
    assert set(found) == {
        Pair(av, shuffled),
        Pair(av, silent),
        Pair(av, v, shuffled),
        Pair(by_av, by_shuffled),
        Pair(by_av, by_v, by_shuffled),
        Pair(by_av, own, by_shuffled),
        Pair(by_v, own),
    }


def test_under_auto_a_network_that_hears_meets_both_its_controls_and_its_twins_own_metres():
    own, auto, twin = ("avsnet_tiny_av", "none"), ("avsnet_tiny_av", "auto"), ("avsnet_tiny_v", "none")
    shuffled = ("avsnet_tiny_av@shuffled", "auto@shuffled")
    assert set(pairs([own, auto, twin, shuffled])) == {
        Pair(own, twin),
        Pair(auto, shuffled),
        Pair(auto, twin, shuffled),
        Pair(auto, own, shuffled),
    }


def test_runs_of_one_seed_meet_the_twin_of_that_seed():
    names = [f"avsnet_tiny_{kind}=avsnet_tiny_{kind}_seed{seed}" for kind in ("av", "v") for seed in (1, 2)]
    assert {(pair.ours[0][-5:], pair.other[0][-5:]) for pair in pairs((name, "none") for name in names)} == {
        ("seed1", "seed1"),
        ("seed2", "seed2"),
    }


def test_a_difference_is_that_of_the_images_paired_and_its_interval_that_of_rooms():
    random = np.random.default_rng(0)
    v = random.uniform(0.2, 0.4, 60)
    gained = 0.05 + 0.01 * random.normal(size=60)
    rows = rows_of("net_v", v) + rows_of("net_av", v - gained) + rows_of("net_av@shuffled", v + 0.02)
    found = {(row["than_system"], row["metric"]): row for row in differences(rows)}
    line = found["net_v", "abs_rel"]
    by_hand = grouped_interval(-gained, [f"room {place % 10}" for place in range(60)])
    assert float(line["difference"]) == pytest.approx(-gained.mean(), rel=1e-3)
    assert float(line["low"]) == pytest.approx(by_hand.low, rel=1e-3) and line["groups"] == "10"
    assert line["verdict"] == "lower"
    assert float(line["relative"]) == pytest.approx(-gained.mean() / v.mean(), rel=1e-3)
    assert found["net_av@shuffled", "abs_rel"]["verdict"] == "lower"


def test_a_gain_that_another_scenes_echo_brings_as_well_is_none():
    v = np.random.default_rng(1).uniform(0.2, 0.4, 60)
    rows = rows_of("net_v", v) + rows_of("net_av", v - 0.05) + rows_of("net_av@shuffled", v - 0.05)
    found = {(row["than_system"], row["metric"]): row["verdict"] for row in differences(rows)}
    assert found["net_v", "abs_rel"] == "none: within the control's"
    assert found["net_av@shuffled", "abs_rel"].startswith("none: under")


def test_of_one_building_the_table_says_that_no_interval_can_be_had():
    values = np.random.default_rng(2).uniform(0.2, 0.4, 60)
    rows = rows_of("net_v", values, groups=1) + rows_of("net_av", values / 2, groups=1)
    assert "none: 1 group(s)" in table(rows)
    assert {row["verdict"] for row in differences(rows)} == {"open: 1 group, no interval can be had"}
    (line,) = [line for line in summarise(rows) if line["system"] == "net_v"]
    assert line["abs_rel_low"] == line["abs_rel_high"] == "" and line["groups"] == "1"


def test_seeds_are_a_column_and_their_spread_a_table():
    rows = []
    for seed, value in (("0", 0.1), ("1", 0.2), ("2", 0.6)):
        rows += rows_of("net", [value] * 8, scaling=f"median:avsnet_tiny_av=avsnet_tiny_av_seed{seed}")
    found = {row["metric"]: row for row in seed_spread(rows)}
    assert found["abs_rel"] | {"data": ""} == {
        "data": "",
        "system": "net",
        "scaling": "median:avsnet_tiny_av",
        "metric": "abs_rel",
        "seeds": "3",
        "mean": "0.3",
        "lowest": "0.1",
        "highest": "0.6",
    }
    assert sorted(line["seed"] for line in summarise(rows)) == ["0", "1", "2"]
    assert seedless("bitd=runs_seed7@late") == "bitd=runs@late"


def test_kinds_of_rooms_and_fields_of_view_have_means_of_their_own():
    rows = rows_of("net_v", [0.1, 0.2, 0.3, 0.4])
    for row, room, fov in zip(rows, ("office", "hall", "office", "hall"), (58, 61, 74, 76), strict=True):
        row |= {"room_type": room, "fov": str(fov)}
    found = {line["subset"]: float(line["abs_rel"]) for line in summarise(rows)}
    assert found["room: office"] == pytest.approx(0.2) and found["room: hall"] == pytest.approx(0.3)
    assert found["view: 60 to 75 degrees"] == pytest.approx(0.25) and found["view: 75 to 90 degrees"] == 0.4
    assert "view:" not in table(rows)


def test_an_evaluation_writes_groups_metrics_and_differences(models, cases, tmp_path):
    trials = [Trial(System(name)) for name in ("toy_av", "toy_v")] + [Trial(System("toy_av", echo="shuffled"))]
    evaluate([*trials, Trial(System("toy_shape"), Scaling.parse("median:toy_av"))], cases, tmp_path)
    again = Scores.read(tmp_path)
    assert all(row["group"] == row["id"] for row in again.rows)  # toys tell no groups
    assert again.header["groups"].startswith("not told by the data")
    row = next(row for row in again.rows if row["system"] == "toy_v" and row["id"] == "room/2")
    assert float(row["shape_error"]) == pytest.approx(0.0, abs=1e-5)
    assert float(row["scale_error"]) == pytest.approx(np.log(4.0 / 3.5), rel=1e-3)
    assert row["normal_error"] == ""
    with (tmp_path / "differences.csv").open(newline="") as file:
        lines = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert {(line["system"], line["than_system"]) for line in lines} == {
        ("toy_av", "toy_v"),
        ("toy_av", "toy_av@shuffled"),
    }


def groups_of(data):
    return [data.group_of(data[index]["id"]) for index in range(len(data))]


def test_batvisions_images_are_grouped_by_location_and_by_recording(tmp_path):
    assert groups_of(BatVisionV2(v2_tree(tmp_path / "v2"), "test")) == ["Attic", "Attic", "Salle", "Salle"]
    v1 = BatVisionV1(v1_tree(tmp_path / "v1"), "test", full_scale=1.0)
    assert {v1.group_of(row.id).partition("/")[0] for row in v1.rows} == {"2019.08.26"}


def test_rooms_are_grouped_by_room_and_echoes_made_of_them_likewise():
    rooms = Rooms("offices", range(2), frames=(0, 100), size=(24, 32), axis=None)
    assert groups_of(rooms) == ["offices/0000000"] * 2 + ["offices/0000001"] * 2
    made = HalfReal(rooms, rooms, 10.0, rigs=2, hears=False)
    assert groups_of(made) == groups_of(rooms) * 2


def test_folders_of_depth_are_grouped_by_scene_and_a_folder_without_is_one_building(tmp_path):
    walls_tree(tmp_path / "walls", (2.0, 3.0))
    data = RgbdFolder(tmp_path / "walls")
    assert set(groups_of(data)) == {"."}
    cases = Cases(data, "walls", 10.0)
    assert cases[0].group == "." and "intervals are of whole groups" in cases.grouping


@pytest.mark.skipif(not (SHARED / "real" / "nyu_labelled").exists(), reason="needs ../shared/real")
def test_nyus_neighbours_are_blocks_of_ten_in_whatever_split_and_know_their_kind_of_room():
    opened = open_data(f"rgbd:{SHARED / 'real' / 'nyu_labelled'}", Reading("test", keys=("depth",)))
    names = [frame.id for frame in opened.data.frames]
    groups = [opened.data.group_of(name) for name in names]
    assert all(group == f"./{int(name) // 10:04d}" for name, group in zip(names, groups, strict=True))
    assert opened.data.room_type_of("0000") == "kitchen"
    assert len(set(groups)) > 100
