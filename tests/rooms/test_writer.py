"""Written data sets: read unchanged by the readers of BatVision, the same bytes however they were written."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet import cli
from avsnet.audio.rig import Rig
from avsnet.data.batvision_v1 import BatVisionV1
from avsnet.data.batvision_v2 import BatVisionV2
from avsnet.data.check import check
from avsnet.data.sample import check_sample
from avsnet.errors import OutputError
from avsnet.rooms import sample, writer
from avsnet.rooms.writer import SPLITS, Plan, check_folder, split_of, write_dataset

V1 = Plan("offices", 3, 2, layout="v1", size=(18, 32))
V2 = Plan("historic", 2, 4, layout="v2", size=(18, 32))


def write(plan, root, **options):
    return write_dataset(plan, root, progress=False, **options)


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def v1(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "v1"
    assert write(V1, root) == 6
    return root


@pytest.fixture(scope="module")
def v2(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "v2"
    assert write(V2, root) == 8
    return root


def test_our_reader_and_check_take_v1_as_it_is(v1):
    ids = []
    for split in SPLITS:
        data = BatVisionV1(v1, split)
        for index in range(len(data)):
            one = data[index]
            check_sample(one)
            assert one["image"].shape == (3, 18, 32) and one["valid"].float().mean() > 0.3
            ids.append(one["id"])
    assert len(set(ids)) == 6
    report = check(v1)
    assert report.whole and report.layout == "batvision_v1"


def test_our_reader_and_check_take_v2_as_it_is(v2):
    sizes = [len(BatVisionV2(v2, split)) for split in SPLITS]
    assert sizes == [4, 2, 2]
    data = BatVisionV2(v2, "all")
    for index in range(len(data)):
        check_sample(data[index])
    assert data.locations == ["historic_1000000", "historic_1000001"]
    report = check(v2)
    assert report.whole and report.layout == "batvision_v2"


def test_v2_files_are_of_the_published_kinds(v2):
    folder = v2 / "historic_1000000"
    info = soundfile.info(folder / "audio" / "audio_0.wav")
    assert (info.subtype, info.channels, info.samplerate, info.frames) == ("PCM_32", 2, 44_100, 20_000)
    depth = np.load(folder / "depth" / "depth_0.npy")
    assert depth.dtype == np.uint16 and depth.shape == (18, 32)
    with Image.open(folder / "camera" / "camera_0.jpeg") as picture:
        assert picture.format == "JPEG" and picture.size == (32, 18)
    # The published loaders list the root: nothing but locations may lie there.
    assert sorted(os.listdir(v2)) == ["historic_1000000", "historic_1000001"]


def test_v1_files_are_of_the_published_kinds_with_nan_and_infinite_depth(v1):
    left = sorted(v1.rglob("*_left.npy"))
    assert [str(path.relative_to(v1)) for path in left[:2]] == [
        f"2019.08.01/audio/raw_long/100000.{tenth}00000_left.npy" for tenth in (0, 1)
    ]
    ear = np.load(left[0])
    assert ear.dtype == np.float32 and ear.shape == (4410,)
    depths = np.stack([np.load(path) for path in sorted(v1.rglob("depth/*.npy"))])
    assert depths.dtype == np.float32
    assert np.isnan(depths).any()
    known = depths[np.isfinite(depths)]
    assert 0.05 < np.mean(~np.isfinite(depths)) < 0.7 and known.min() > 250.0 and known.max() < 13_000.0


def test_what_is_too_far_or_too_near_is_infinite_in_v1():
    made = {
        "depth_sensor": np.array([[0, 0, 0, 0, 1500]], np.uint16),
        "depth": np.array([[20.0, 0.0, 0.1, 3.0, 1.5]]),  # too far, sky, too near, a hole
    }
    np.testing.assert_array_equal(writer._v1_depth(V1, made), np.array([[np.inf, np.inf, -np.inf, np.nan, 1500.0]]))


def test_what_is_written_is_what_the_simulator_made(v2):
    location, pose = 1, 2
    made = sample("historic", V2.room(location), V2.frame(pose), size=(18, 32), rig=writer.recording_rig(V2, location))
    files = {kind: v2 / name for kind, name in V2.files(location, pose).items()}
    np.testing.assert_array_equal(np.load(files["depth"]), made["depth_sensor"])
    waveform, _ = soundfile.read(files["audio"], dtype="float32")
    np.testing.assert_allclose(waveform.T, made["audio"], atol=1e-7)
    with Image.open(files["camera"]) as picture:
        assert np.abs(np.asarray(picture).astype(float) - made["rgb"]).mean() < 8.0


def test_simulator_json_and_rig_json_tell_what_the_layout_does_not_hold(v1, v2):
    for folder, count in ((v1, 6), (v2 / "historic_1000001", 4)):
        told = json.loads((folder / "simulator.json").read_text())
        assert told["options"]["preset"] == "rooms-1" and told["options"]["knobs"]["ambiguous"] == 0.3
        assert len(told["samples"]) == count
        one = told["samples"][1]
        assert np.array(told["K"]).shape == (3, 3) and np.array(one["pose"]).shape == (4, 4)
        assert one["split"] in SPLITS and one["k"] > 0 and isinstance(one["ambiguous"], bool)
        root = folder if folder == v1 else folder.parent
        assert all((root / name).is_file() for name in one["files"].values())
        assert str(root) not in (folder / "simulator.json").read_text()
        assert Rig.from_json(folder / "rig.json") == Rig()


def test_the_table_tells_which_rooms_are_ambiguous(v2):
    header, *rows = (v2 / "historic_1000000" / "train.csv").read_text().splitlines()
    columns = header.split(",")
    assert columns[:6] == [f"{kind} {part}" for kind in ("audio", "depth", "camera") for part in ("path", "file name")]
    assert columns[6:] == ["k", "ambiguous", "room type"]
    assert all(row.split(",")[7] in ("True", "False") for row in rows)


@pytest.mark.parametrize("layout", ["v1", "v2"])
@pytest.mark.parametrize(("locations", "poses"), [(1, 3), (1, 10), (3, 1), (3, 2), (4, 3), (2, 2), (10, 60), (1, 1)])
def test_every_split_gets_a_row_from_three_rows_up_and_the_shares_are_the_published_ones(layout, locations, poses):
    plan = replace(V1, layout=layout, locations=locations, poses=poses)
    splits = [split_of(plan, location, pose) for location in range(locations) for pose in range(poses)]
    counts = [splits.count(split) for split in SPLITS]
    if len(splits) >= 3:
        assert min(counts) >= 1
    assert counts[0] >= 1
    if len(splits) >= 60:
        assert np.allclose(np.array(counts) / len(splits), np.array([1911, 625, 584]) / 3120, atol=0.06)


def test_v1_splits_by_location_and_v2_within():
    plan = replace(V1, locations=10, poses=40)
    for location in range(10):
        assert len({split_of(plan, location, pose) for pose in range(40)}) == 1
        assert len({split_of(replace(plan, layout="v2"), location, pose) for pose in range(40)}) == 3


def test_frames_of_v1_are_consecutive_and_walks_are_apart():
    plan = replace(V1, poses=250)
    stamps = [plan.files(0, pose)["depth"].rpartition("/")[2] for pose in range(250)]
    assert stamps == sorted(stamps) and len(set(stamps)) == 250
    seconds = [float(stamp[2:4]) * 60 + float(stamp[4:-4]) for stamp in stamps]
    gaps = np.diff(seconds).round(6)
    assert set(gaps) == {0.1, 50.1} and np.flatnonzero(gaps > 1).tolist() == [99, 199]


def test_shards_give_the_same_bytes_as_one_run(v1, v2, tmp_path):
    for plan, whole in ((V1, v1), (V2, v2)):
        root = tmp_path / plan.layout
        for shard in ((2, 2), (1, 2)):
            write(plan, root, shard=shard)
        assert contents(root) == contents(whole)
    assert write(V1, tmp_path / "v1", shard=(0, 2)) == 0  # counted from 0, the same shard as the last


@pytest.mark.slow
def test_workers_give_the_same_bytes_as_one_process(v1, tmp_path):
    assert write(V1, tmp_path / "v1", workers=2) == 6
    assert contents(tmp_path / "v1") == contents(v1)


@pytest.mark.parametrize("layout", ["v1", "v2"])
def test_a_killed_run_completes_without_redoing_or_corrupting(layout, v1, v2, tmp_path, monkeypatch):
    plan, whole = (V1, v1) if layout == "v1" else (V2, v2)
    root, made = tmp_path / "data", []
    save = np.save

    def die(path, array):
        made.append(path)
        if len(made) == 4:  # in the midst of a file
            path.write_bytes(b"half a file")
            raise KeyboardInterrupt
        save(path, array)

    monkeypatch.setattr(writer.np, "save", die)
    with pytest.raises(KeyboardInterrupt):
        write(plan, root)
    monkeypatch.undo()
    # A power cut would also leave the temporary file.
    (root / plan.name(0) / ".0123456789abcdef.npy").write_bytes(b"half")
    there = contents(root)
    before = {path: (root / path).stat().st_mtime_ns for path in there if path.endswith((".npy", ".jpg", ".jpeg"))}
    done = sum(plan.whole(root, location, pose) for location in range(plan.locations) for pose in range(plan.poses))
    assert 0 < done
    assert write(plan, root) == plan.locations * plan.poses - done
    assert contents(root) == contents(whole)
    kept = [
        path for path, time in before.items() if path in contents(root) and (root / path).stat().st_mtime_ns == time
    ]
    assert len(kept) >= done
    assert write(plan, root) == 0


def test_a_folder_of_something_else_is_refused_and_left_alone(v1, v2, tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("precious")
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        write(V1, foreign)
    assert contents(foreign) == {"thesis.tex": b"precious"}
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        check_folder(V1, file)
    for root, plan, change in (
        (v1, V1, {"seed": 4}),
        (v1, V1, {"size": (20, 32)}),
        (v2, V2, {"preset": "rooms-1,k=0.6:1.4"}),
    ):
        with pytest.raises(OutputError, match=f"other .*{next(iter(change))}"):
            write(replace(plan, **change), root)
    with pytest.raises(OutputError):
        write(V2, v1)
    with pytest.raises(OutputError):
        write(V1, v2)


def test_different_seeds_share_no_room_and_training_s_rooms_are_others():
    rooms = [replace(V1, seed=seed).room(location) for seed in (0, 1) for location in (0, 999_999)]
    assert len(set(rooms)) == 4 and min(rooms) >= 1_000_000


COMMAND = ["simulate", "offices", "--locations", "1", "--poses", "3", "--size", "18x32"]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--locations", "0"], "locations 0"),
        (["--poses", "0"], "poses 0"),
        (["--poses", "-3"], "poses -3"),
        (["--locations", "many"], "--locations"),
        (["--seed", "-1"], "seed -1"),
        (["--layout", "v3"], "'v3'"),
        (["--size", "0x32"], "size 0x32"),
        (["--size", "large"], "--size"),
        (["--workers", "0"], "workers 0"),
        (["--shard", "3/2"], "shard 3/2"),
        (["--shard", "1"], "--shard"),
        (["--shard", "1/0"], "shard 1/0"),
        (["--preset", "rooms-0"], "rooms-1"),
        (["--k", "1.6,0.5"], "smaller first"),
        (["--k", "0.5"], "--k is '0.5', but must be LOW,HIGH"),
        (["--ambiguous", "2"], "between 0 and 1"),
    ],
)
def test_a_wrong_flag_is_one_line_before_any_work(flags, word, tmp_path, capsys):
    assert cli.main([*COMMAND, "--out", str(tmp_path / "data"), *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and word in error
    assert not (tmp_path / "data").exists()


def test_an_unknown_domain_and_an_unwritable_folder_are_refused(tmp_path, capsys):
    words = [*COMMAND, "--out", str(tmp_path / "data")]
    words[1] = "caves"
    assert cli.main(words) == 2
    assert "offices, historic" in capsys.readouterr().err
    (tmp_path / "file").write_text("x")
    assert cli.main([*COMMAND, "--out", str(tmp_path / "file" / "data")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_writes_a_data_set(tmp_path, capsys):
    root = tmp_path / "data"
    assert cli.main([*COMMAND, "--out", str(root), "--layout", "v2"]) == 0
    assert "3 samples made" in capsys.readouterr().out
    assert [len(BatVisionV2(root, split)) for split in SPLITS] == [1, 1, 1]
    assert cli.main([*COMMAND, "--out", str(root), "--layout", "v2"]) == 0
    assert "0 samples made" in capsys.readouterr().out


def test_workers_need_no_torch():
    # It would take several times the memory of everything else in them.
    code = "import sys, avsnet.rooms.writer, avsnet.rooms.cache; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("layout", ["v1", "v2"])
@pytest.mark.parametrize("damage", [0, 40, -2])
def test_a_file_that_was_cut_or_emptied_is_made_again(v1, v2, tmp_path, layout, damage):
    root, plan = {"v1": (v1, V1), "v2": (v2, V2)}[layout]
    shutil.copytree(root, tmp_path / "copy")
    whole = contents(root)
    for kind, file in plan.files(1, 1).items():
        path = tmp_path / "copy" / file
        path.write_bytes(path.read_bytes()[:damage])
        assert not plan.whole(tmp_path / "copy", 1, 1), kind
    assert write(plan, tmp_path / "copy") == 1
    assert contents(tmp_path / "copy") == whole
