"""`avsnet check` counts what it meets, names what is broken, and only that makes its exit code 1."""

import csv
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from avsnet import cli
from avsnet.audio.chirp import sweep
from avsnet.data import registry
from avsnet.data.check import check
from avsnet.data.registry import data_sets, recognise
from avsnet.errors import DataError, OptionError
from data_trees import TREES, V2_HEADER, captures_tree, sound, table, v1_tree, v2_tree, visual_echoes_tree
from places import SHARED

SAMPLE = SHARED / "batvision_v2_sample" / "BatvisionV2"


def command(capsys, *words):
    code = cli.main(["check", *map(str, words)])
    return code, *capsys.readouterr()


@pytest.mark.parametrize("layout", TREES)
@pytest.mark.parametrize("workers", [0, 1])
def test_each_layout_is_recognised_and_a_whole_tree_is_whole(tmp_path, layout, workers):
    TREES[layout](tmp_path)
    report = check(tmp_path, workers=workers)
    assert report.layout == layout and report.whole
    assert (
        len(report.rows) == {"batvision_v1": 6, "batvision_v2": 12, "visual_echoes": 2, "folder": 2, "rgbd": 3}[layout]
    )
    assert report.lines()[-1] == "nothing is broken"
    assert check(tmp_path, layout).rows == report.rows


def test_the_real_recording_gives_the_published_figures(capsys):
    if not SAMPLE.is_dir():
        pytest.skip("../shared/batvision_v2_sample is absent (CC BY-SA, so it is not carried here)")
    report = check(SAMPLE)
    assert [row.direct for row in report.rows] == [299] * 3
    assert report.rows[0].valid == pytest.approx(0.7833, abs=5e-5)
    code, out, err = command(capsys, SAMPLE)
    assert (code, err) == (0, "")
    assert "train: 1 rows, published 1911 (differs), 0 unreadable" in out
    assert "val: 1 rows, published 625" in out and "test: 1 rows, published 584" in out
    assert "44100 Hz (3 rows); 20000 samples (3 rows)" in out and "valid fraction 0.7833" in out


def test_the_figures_are_those_of_the_rows(tmp_path, capsys):
    v2_tree(tmp_path)
    code, out, _ = command(capsys, tmp_path)
    assert code == 0
    assert "train: 4 rows, published 1911 (differs)" in out and "all: 12 rows, published 3120 (differs)" in out
    assert "2 locations: Attic, Salle" in out
    assert "direct sound: sample 305.5 in the median, from 300 to 311" in out
    assert "depth: 12 maps; valid fraction 0.7500 on average, 0.5000 at least" in out
    assert "clipping: 0 rows" in out


def test_an_equal_count_is_not_said_to_differ(tmp_path, monkeypatch):
    entry = replace(data_sets()["batvision_v2"], published={"train": 4, "val": 4, "test": 4})
    monkeypatch.setitem(registry._DATA_SETS, "batvision_v2", entry)
    assert "differs" not in "\n".join(check(v2_tree(tmp_path)).lines())


def test_v1_stands_beside_both_published_counts(tmp_path, capsys):
    code, out, _ = command(capsys, v1_tree(tmp_path))
    assert code == 0 and "test: 2 rows, published 4960 (differs)" in out
    assert "all: 6 rows, published 52220 (differs)" in out and "second-hand" in out
    assert "direct sound: sample 975" in out and "4400 samples (6 rows)" in out


def test_stray_entries_of_the_root_are_named_and_break_nothing(tmp_path, capsys):
    v2_tree(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"\x00\xff")
    (tmp_path / "index.csv").write_text("a,b\n")
    (tmp_path / "__MACOSX" / "Attic").mkdir(parents=True)
    code, out, _ = command(capsys, tmp_path)
    assert code == 0 and "3 entries of the root are no location and are ignored: .DS_Store, __MACOSX, index.csv" in out


def test_an_unreadable_row_is_named_with_its_reason_and_gives_exit_code_1(tmp_path, capsys):
    v2_tree(tmp_path)
    (tmp_path / "Attic" / "audio" / "audio_1.wav").unlink()
    (tmp_path / "Attic" / "depth" / "depth_2.npy").write_bytes(b"\x93NUMPY")
    image = tmp_path / "Salle" / "camera" / "camera_7.jpeg"
    image.write_bytes(image.read_bytes()[:-200])
    code, out, err = command(capsys, tmp_path)
    assert (code, err) == (1, "")
    assert "unreadable rows: 3 of 12" in out and "broken: 0 problems, 3 unreadable rows" in out
    for name, file in {"Attic/1": "audio_1.wav", "Attic/2": "depth_2.npy", "Salle/7": "camera_7.jpeg"}.items():
        assert any(name in line and file in line for line in out.splitlines())
    assert "train: 4 rows, published 1911 (differs), 2 unreadable" in out
    assert "all: 12 rows, published 3120 (differs), 3 unreadable" in out


def test_many_unreadable_rows_are_counted_here_and_all_written_there(tmp_path, capsys):
    v2_tree(tmp_path / "tree", rows=5)
    for path in (tmp_path / "tree").glob("*/audio/*.wav"):
        path.unlink()
    code, out, _ = command(capsys, tmp_path / "tree", "--out", tmp_path / "rows.csv")
    assert code == 1 and "and 10 more; --out writes all of them" in out and out.count("no such file") == 20
    with open(tmp_path / "rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30 and all("no such file" in row["reason"] for row in rows)


def test_the_csv_holds_what_was_met_in_every_row(tmp_path, capsys):
    v2_tree(tmp_path / "tree")
    assert command(capsys, tmp_path / "tree", "--out", tmp_path / "rows.csv")[0] == 0
    with open(tmp_path / "rows.csv", newline="") as file:
        row = list(csv.DictReader(file))[1]
    assert (row["split"], row["id"], row["reason"]) == ("train", "Attic/1", "")
    assert (row["direct"], row["valid"], row["sample_rate"], row["samples"]) == ("301", "1.0", "44100", "2000")


def test_a_missing_table_or_column_is_broken_and_the_other_splits_are_still_read(tmp_path, capsys):
    v1_tree(tmp_path)
    (tmp_path / "val.csv").unlink()
    text = (tmp_path / "test.csv").read_text()
    (tmp_path / "test.csv").write_text(text.replace("depth path", "depht path"))
    code, out, _ = command(capsys, tmp_path)
    assert code == 1 and "train: 2 rows" in out and "2 problems, 0 unreadable rows" in out
    assert "val.csv: cannot be read" in out and "test.csv: has no column 'depth path'" in out


def test_one_broken_location_costs_no_other_and_an_empty_table_is_no_defect(tmp_path):
    v2_tree(tmp_path)
    table(tmp_path / "Attic" / "val.csv", V2_HEADER, [])
    assert check(tmp_path).whole and len(check(tmp_path).rows) == 10
    (tmp_path / "Salle" / "val.csv").write_text("nothing,known\n1,2\n")
    report = check(tmp_path)
    assert len(report.broken) == 1 and "Salle" in report.broken[0] and len(report.rows) == 8


def test_a_tree_without_a_table_is_broken(tmp_path, capsys):
    (tmp_path / "Attic").mkdir()
    for layout in TREES:
        code, out, _ = command(capsys, tmp_path, "--layout", layout)
        assert code == 1 and "broken: " in out
    code, out, _ = command(capsys, tmp_path)
    assert code == 1 and "is recognised; give --layout" in out and recognise(tmp_path) is None


def test_rows_without_direct_sound_and_clipped_rows_are_counted_and_not_broken(tmp_path, capsys):
    v2_tree(tmp_path)
    soundfile.write(tmp_path / "Attic" / "audio" / "audio_0.wav", sound(None), 44_100)
    clipped = sound(300)
    clipped[1000:1100] = [1.0, -1.0]
    soundfile.write(tmp_path / "Attic" / "audio" / "audio_1.wav", clipped, 44_100, subtype="PCM_32")
    code, out, _ = command(capsys, tmp_path)
    assert code == 0 and "without direct sound: 1 rows, such as Attic/0" in out
    assert "clipping: 1 rows reach full scale; share of samples 0.0042 on average, 0.05 at most" in out


def test_sizes_and_median_depths_show_what_does_not_belong_together(tmp_path, capsys):
    v2_tree(tmp_path)
    np.save(tmp_path / "Attic" / "depth" / "depth_0.npy", np.full((9, 9), 3, np.uint16))  # metres, say
    code, out, _ = command(capsys, tmp_path, "--out", tmp_path / "rows.csv")
    assert code == 0 and "pictures: 16 x 9 pixels (12 rows); depth maps: 16 x 9 pixels (11 rows), 9 x 9" in out
    assert "picture and depth differ in shape: 1 rows, such as Attic/0" in out
    assert "median depth of a map: 2 m in the median, from 0.003 to 2" in out
    with open(tmp_path / "rows.csv", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["picture"], row["map"], row["depth"]) == ("16 x 9", "9 x 9", str(float(np.float32(0.003))))


def test_an_empty_cell_and_an_empty_map_are_unreadable_rows(tmp_path, capsys):
    v2_tree(tmp_path)
    path = tmp_path / "Attic" / "train.csv"
    path.write_text(path.read_text().replace("depth_1.npy", ""))
    np.save(tmp_path / "Attic" / "depth" / "depth_2.npy", np.ones((0, 16), np.uint16))
    code, out, _ = command(capsys, tmp_path)
    assert code == 1 and "Attic/1: the table names no depth file" in out and "depth_2.npy: shape (0, 16)" in out


def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path, capsys, monkeypatch):
    v2_tree(tmp_path)
    monkeypatch.setattr("avsnet.data.check.check", lambda *_, **__: pytest.fail("read already"))
    code, out, err = command(capsys, tmp_path, "--out", tmp_path / "Attic" / "train.csv" / "rows.csv")
    assert (code, out) == (2, "") and "cannot be written" in err


def test_a_row_that_is_listed_twice_is_said(tmp_path):
    v2_tree(tmp_path)
    text = (tmp_path / "Attic" / "train.csv").read_text()
    (tmp_path / "Attic" / "train.csv").write_text(text + text.splitlines()[1] + "\n")
    report = check(tmp_path)
    assert report.whole and any("1 rows are listed again" in line for line in report.lines())


def test_audio_of_unknown_scale_is_unreadable_until_the_scale_is_given(tmp_path, capsys):
    v1_tree(tmp_path)
    for path in tmp_path.glob("**/*_left.npy"):
        np.save(path, np.load(path).astype(np.float64))
    for path in tmp_path.glob("**/*_right.npy"):
        np.save(path, np.load(path).astype(np.float64))
    code, out, _ = command(capsys, tmp_path)
    assert code == 1 and "full_scale" in out
    assert command(capsys, tmp_path, "--full-scale", "32768")[0] == 0


def test_a_capture_without_its_recording_and_a_hostile_pickle_are_broken(tmp_path, capsys):
    captures_tree(tmp_path / "mine")
    (tmp_path / "mine" / "kitchen" / "b.wav").unlink()
    code, out, _ = command(capsys, tmp_path / "mine")
    assert code == 1 and "kitchen/b: " in out and "no such file" in out
    visual_echoes_tree(tmp_path / "mine")
    (tmp_path / "mine" / "scene_observations_128.pkl").write_bytes(pickle.dumps(pickle.loads))
    code, out, _ = command(capsys, tmp_path / "mine")
    assert code == 1 and "_pickle.loads, which no array needs" in out and "broken: 1 problems" in out


def test_a_rig_that_played_something_else_is_listened_for(tmp_path):
    captures_tree(tmp_path)
    rig = {"speaker": [0, 0, 0], "ears": [[-0.1, 0, 0], [0.1, 0, 0]]}
    (tmp_path / "rig.json").write_text(json.dumps(rig | {"sweep": {"low": 500, "high": 2000, "duration": 0.02}}))
    waveform = np.zeros((4000, 2))
    waveform[500:1460] += sweep(48_000, 0.02, 500, 2000)[:, None] / 2
    soundfile.write(tmp_path / "a.wav", waveform, 48_000)
    report = check(tmp_path)
    assert abs(report.rows[0].direct - 500) <= 2 and "rig known" in report.lines()


def test_a_wrong_root_or_layout_is_a_mistake_told_in_one_line(tmp_path, capsys):
    with pytest.raises(DataError, match="no such folder"):
        check(tmp_path / "none")
    with pytest.raises(DataError, match="is no folder"):
        check(tmp_path / "none", "folder")
    for option in ({"layout": "v3"}, {"workers": -1}):
        with pytest.raises(OptionError):
            check(tmp_path, **option)
    code, out, err = command(capsys, tmp_path / "none")
    assert (code, out) == (2, "") and err.count("\n") == 1
