"""The run against a slow one written from the protocol, and what a shard, a kill or a broken row may not change."""

import csv
import warnings

import numpy as np
import pytest

from avsnet.errors import DataError, DepthError, OptionError
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import check_trials, evaluate
from avsnet.evaluation.scores import Scores, merge
from avsnet.evaluation.trials import Scaling, System, Trial

TRIALS = [
    Trial(System("toy_shape"), Scaling()),
    Trial(System("toy_shape"), Scaling.parse("median:toy_av")),
    Trial(System("toy_shape"), Scaling.parse("median:toy_v")),
    Trial(System("toy_shape"), Scaling("oracle_median")),
    Trial(System("toy_av")),
    Trial(System("toy_av", echo="shuffled")),
    Trial(System("toy_av", echo="silent")),
    Trial(System("toy_open"), Scaling.parse("affine:toy_av")),
]


def table(scores):
    return {(row["system"], row["scaling"], row["id"]): row for row in scores.rows}


def names(folder):
    return {name: (folder / name).read_bytes() for name in ("scores.csv", "intervals.csv", "summary.csv")}


def test_rows_are_what_the_protocol_gives_when_it_is_followed_by_hand(models, cases, tmp_path, rooms):
    rows = table(evaluate(TRIALS, cases, tmp_path))
    assert len(rows) == len(TRIALS) * len(cases)
    for index in range(len(cases)):
        sample = rooms()[index]
        shape, truth = sample["image"][0].numpy().astype(np.float64), sample["depth"][0].numpy().astype(np.float64)
        valid = truth > 0
        relative, metric_v = 0.37 * shape, 4.0 * shape
        by_hand = {
            ("toy_shape", "none"): relative,
            ("toy_shape", "median:toy_v"): relative * np.median(metric_v) / np.median(relative),
            ("toy_shape", "oracle_median"): relative * np.median(truth[valid]) / np.median(relative[valid]),
            ("toy_av@silent", "none"): metric_v,
        }
        for (system, scaling), pred in by_hand.items():
            row, clamped = rows[system, scaling, sample["id"]], np.clip(pred, 1e-3, 12.0)[valid]
            error = np.abs(clamped - truth[valid])
            assert float(row["abs_rel"]) == pytest.approx(np.mean(error / truth[valid]), rel=1e-4, abs=1e-6)
            assert float(row["rmse"]) == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4, abs=1e-6)
            assert (row["status"], row["pixels"]) == ("ok", str(valid.sum()))


def test_the_echo_gives_the_scale_and_a_wrong_echo_a_wrong_one(models, cases, tmp_path):
    rows = table(evaluate(TRIALS, cases, tmp_path))
    for index in range(len(cases)):
        name = f"room/{index}"
        for key in (("toy_av", "none"), ("toy_shape", "median:toy_av"), ("toy_open", "affine:toy_av")):
            assert float(rows[(*key, name)]["abs_rel"]) < 1e-4
        assert float(rows["toy_av@shuffled", "none", name]["abs_rel"]) > 0.1


def test_summary_and_groups_are_means_over_images(models, cases, tmp_path):
    scores = evaluate(TRIALS[2:3], cases, tmp_path)
    with (tmp_path / "summary.csv").open(newline="") as file:
        lines = list(csv.DictReader(line for line in file if not line.startswith("#")))
    values = {row["id"]: float(row["abs_rel"]) for row in scores.rows}
    found = {line["subset"]: line for line in lines}
    assert found.keys() == {"all", "cued", "ambiguous"}
    assert float(found["all"]["abs_rel"]) == pytest.approx(np.mean(list(values.values())), rel=1e-5)
    odd = [value for name, value in values.items() if int(name[-1]) % 2]
    assert float(found["cued"]["abs_rel"]) == pytest.approx(np.mean(odd), rel=1e-5)
    assert found["cued"]["images"] == str(len(odd))


def test_three_shards_merged_give_the_bytes_of_one_run(models, cases, tmp_path):
    evaluate(TRIALS, cases, tmp_path / "whole")
    for place in (3, 1, 2):
        evaluate(TRIALS, cases, tmp_path / "parts", shard=(place, 3))
    merge(tmp_path / "parts")
    assert names(tmp_path / "parts") == names(tmp_path / "whole")


def test_a_run_taken_up_again_gives_the_same_bytes_and_predicts_only_what_is_missing(models, cases, tmp_path, rooms):
    start = models.calls
    evaluate(TRIALS, cases, tmp_path / "whole")
    calls = models.calls - start
    part = Cases(rooms(), "toys", 12.0)
    part.data.broken = range(3, 7)  # stands for the kill: the last four never came
    with pytest.raises(DataError):
        evaluate(TRIALS, part, tmp_path / "killed")
    assert not (tmp_path / "killed" / "scores.csv").exists()
    maps = sorted((tmp_path / "killed").rglob("*.npy"))
    maps[0].write_bytes(b"half a file")
    evaluate(TRIALS, cases, tmp_path / "killed")
    assert names(tmp_path / "killed") == names(tmp_path / "whole")
    assert models.calls - start <= 2 * calls + 1
    before = models.calls
    evaluate(TRIALS, cases, tmp_path / "killed")
    assert models.calls == before


def test_maps_of_other_weights_in_the_folder_are_refused(models, cases, tmp_path, monkeypatch):
    evaluate(TRIALS[:1], cases, tmp_path)
    build = System.build

    def other(self):
        model = build(self)
        model.gain.data += 1.0
        return model

    monkeypatch.setattr(System, "build", other)
    with pytest.raises(OptionError, match=r"differ in weights_hash; give another --out"):
        evaluate(TRIALS[:1], cases, tmp_path)


@pytest.mark.parametrize("changed", ["image", "waveform"])
def test_maps_of_other_pictures_or_recordings_by_the_same_names_are_made_anew(
    models, rooms, tmp_path, monkeypatch, changed
):
    data = rooms()
    trials = [Trial(System("toy_av"))]
    before = evaluate(trials, Cases(data, "toys", 12.0), tmp_path / "kept").rows
    read = type(data).__getitem__

    def other(self, index):
        sample = read(self, index)
        return sample | {changed: 0.5 * sample[changed]}

    monkeypatch.setattr(type(data), "__getitem__", other)
    again = evaluate(trials, Cases(data, "toys", 12.0), tmp_path / "kept").rows
    assert again != before
    assert again == evaluate(trials, Cases(data, "toys", 12.0), tmp_path / "fresh").rows


def test_one_unreadable_row_is_left_out_and_told_and_more_of_them_stop(models, tmp_path, rooms):
    with pytest.warns(UserWarning, match=r"left out 1 unreadable rows, such as room/2"):
        scores = evaluate(TRIALS[:1], Cases(rooms(broken=[2]), "toys", 12.0), tmp_path / "one")
    assert len(scores.rows) == 6
    with pytest.raises(DataError, match="more than 1 %"):
        evaluate(TRIALS[:1], Cases(rooms(broken=[2, 3]), "toys", 12.0), tmp_path / "two")
    assert not (tmp_path / "two" / "scores.csv").exists()


def test_an_image_without_a_valid_pixel_is_a_row_without_numbers(models, tmp_path, rooms):
    scores = evaluate(TRIALS[:2], Cases(rooms(empty=[4]), "toys", 12.0), tmp_path)
    empty = [row for row in scores.rows if row["status"] == "empty"]
    assert [row["id"] for row in empty] == ["room/4"] * 2
    assert not any(row["abs_rel"] for row in empty)


def test_pixels_over_the_cap_do_not_count_and_predictions_are_lowered_to_it(models, tmp_path, rooms):
    scores = evaluate(TRIALS[4:5], Cases(rooms(), "toys", 2.0), tmp_path)
    for row, index in zip(scores.rows, range(7), strict=True):
        depth = rooms()[index]["depth"].numpy()
        assert row["pixels"] == str(((depth > 0) & (depth <= 2.0)).sum())


def test_intervals_hold_the_error_of_each_metre(models, cases, tmp_path, rooms):
    scores = evaluate([Trial(System("toy_v"))], cases, tmp_path)
    sample = rooms()[5]
    truth = sample["depth"][0].numpy()
    error = np.abs(4.0 * sample["image"][0].numpy() - truth)
    for row in scores.intervals:
        if row["id"] == "room/5":
            inside = (truth >= int(row["metre"])) & (truth < int(row["metre"]) + 1) & (truth > 0)
            assert float(row["mae"]) == pytest.approx(error[inside].mean(), rel=1e-4)


def test_a_missing_shard_is_named_and_shards_of_different_runs_do_not_mix(models, cases, tmp_path):
    for place in (1, 3):
        evaluate(TRIALS[:1], cases, tmp_path, shard=(place, 3))
    with pytest.raises(DataError, match="shard 2/3 is missing; run it with --shard 2/3"):
        merge(tmp_path)
    evaluate(TRIALS[:1], cases, tmp_path, shard=(2, 3), extra={"note": "another run"})
    with pytest.raises(DataError, match=r"shard 2/3 differs|shard 1/3 differs"):
        merge(tmp_path)
    with pytest.raises(DataError, match="no shards"):
        merge(tmp_path / "nothing")


def test_what_was_written_reads_back(models, cases, tmp_path):
    scores = evaluate(TRIALS[:2], cases, tmp_path)
    again = Scores.read(tmp_path)
    assert again.rows == scores.rows
    assert again.intervals == scores.intervals
    assert again.header.keys() == scores.header.keys()


def test_trials_that_cannot_work_are_refused_before_any_picture_is_opened(models):
    with pytest.raises(OptionError, match="toy_open gives affine_disparity, whose shift median:toy_av does not find"):
        check_trials([Trial(System("toy_open"), Scaling.parse("median:toy_av"))])
    with pytest.raises(OptionError, match="toy_shape gives no metres"):
        check_trials([Trial(System("toy_av"), Scaling.parse("median:toy_shape"))])
    check_trials(TRIALS)


def test_a_seed_below_zero_is_refused(cases):
    with pytest.raises(OptionError, match="seed -1 is below 0"):
        Cases(cases.data, "toys", 10.0, seed=-1)


def test_ranging_without_anything_to_hear_is_a_failed_row_and_no_end(models, cases, tmp_path):
    with warnings.catch_warnings():
        scores = evaluate([Trial(System("toy_shape", echo="silent"), Scaling("ranging"))], cases, tmp_path)
    assert {row["status"] for row in scores.rows} == {"failed"}


def test_the_late_echo_moves_only_what_follows_the_direct_sound(cases):
    case = cases[0]
    late = cases.heard(case, 0, "late")["waveform"].numpy()
    wave = case.waveform.numpy()
    assert np.array_equal(late[:, :450], wave[:, :450])
    assert late[0, 2000 + round(0.005 * 44100)] == wave[0, 2000]
    assert late[0, 2000] == 0.0


def test_a_shuffled_echo_is_never_ones_own_and_everybodys_is_used_once(cases):
    owners = []
    for index in range(len(cases)):
        heard = cases.heard(cases[index], index, "shuffled")["waveform"]
        owners.append(round(float(heard[0, 2000]) * 20 - 1.5))
    assert sorted(owners) == list(range(7))
    assert all(owner != index for index, owner in enumerate(owners))


@pytest.mark.parametrize("table", ["scores", "intervals"])
def test_a_shard_that_lost_rows_or_has_changed_is_refused(models, cases, tmp_path, table):
    for place in (1, 2):
        evaluate(TRIALS[:2], cases, tmp_path, shard=(place, 2))
    path = tmp_path / f"{table}.2-of-2.csv"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    changed = whole.replace(b"room/1,", b"room/9,")
    for content in (b"".join(lines[:-1]), b"".join(lines[:-2] + lines[-1:]), changed, whole[:-3]):
        assert content != whole
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{table}\.2-of-2\.csv: was written with \d+ rows.*run it again"):
            merge(tmp_path)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(b"# table")))
    with pytest.raises(DataError, match="no count of its rows"):
        merge(tmp_path)
    assert Scores.read(tmp_path, ".2-of-2").rows
    path.write_bytes(whole)
    assert merge(tmp_path).rows


def test_where_no_row_can_be_read_there_is_an_error_and_no_table(models, rooms, tmp_path):
    part = Cases(rooms(1), "toys", 12.0)
    part.data.broken = range(1)
    with pytest.raises(DataError, match="toys: no row can be read, such as room/0"):
        evaluate(TRIALS[:1], part, tmp_path)
    assert not (tmp_path / "scores.csv").exists()


def test_a_broken_file_of_one_row_is_a_row_left_out_and_named(models, rooms, tmp_path, monkeypatch):
    data = rooms()
    read = type(data).__getitem__

    def broken(self, index):
        if index == 4:
            raise DepthError("d.npy: truncated")
        return read(self, index)

    monkeypatch.setattr(type(data), "__getitem__", broken)
    with pytest.warns(UserWarning, match=r"left out 1 unreadable rows, such as row 4: d\.npy: truncated"):
        scores = evaluate(TRIALS[:1], Cases(data, "toys", 12.0), tmp_path)
    assert len(scores.ids) == 6


def test_a_kept_map_or_claim_that_is_damaged_is_made_again_or_refused_in_one_line(models, cases, tmp_path):
    whole = evaluate(TRIALS[:1], cases, tmp_path).rows
    kept = sorted(tmp_path.rglob("*.npy"))
    kept[0].write_bytes(kept[0].read_bytes()[:-7])
    np.save(kept[1], np.zeros(3))
    np.save(kept[2], np.zeros((18, 24)))
    assert evaluate(TRIALS[:1], cases, tmp_path).rows == whole
    for damaged in ("[]", "3", "{", "[" * 10_000, '{"system": 1e400}'):
        next(tmp_path.rglob("system.json")).write_text(damaged)
        with pytest.raises(OptionError, match=r"system\.json: its maps differ"):
            evaluate(TRIALS[:1], cases, tmp_path)
