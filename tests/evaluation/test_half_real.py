"""Half-real evaluation: every source of metres on every frame, each frame's own rig, and echoes of other frames."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from avsnet import cli
from avsnet.audio.recording import Heard
from avsnet.data.rgbd import RgbdFolder
from avsnet.errors import OptionError
from avsnet.evaluation.half_real import HalfRealCases, every_row
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.protocol import ORACLES
from avsnet.evaluation.run import check_trials, evaluate
from avsnet.evaluation.scores import Scores
from avsnet.evaluation.trials import Scaling, System, Trial
from avsnet.io.recordings import Recording
from avsnet.metrics import METRICS
from avsnet.models.infer import at_picture_size, network_map
from avsnet.models.packaged import AV, V
from avsnet.models.registry import model_info
from avsnet.scale.rules import ScaledDepth
from avsnet.scale.scene import Found, Scene
from avsnet.scale.sources import SOURCES, Source, everything
from data_trees import walls_tree
from places import SHARED


def labels(trials):
    return [(trial.system.label, trial.scaling.label) for trial in trials]


def test_a_relative_model_has_no_metres_of_its_own_and_each_that_hears_a_control(models):
    systems = [System("toy_shape"), System("avsnet_lite0_v"), System("avsnet_lite0_av")]
    found = labels(every_row(systems, controls=["shuffled"]))
    by_truth = {scaling for system, scaling in found if system == "toy_shape" and scaling.startswith("oracle_")}
    assert by_truth == set(ORACLES)
    plain = ("none", "auto", "ear", "ranging", "median", "oracle_median")
    assert [row for row in found if row[0] != "toy_shape" or row[1].partition("@")[0].partition(":")[0] in plain] == [
        ("avsnet_lite0_av", "auto"),
        ("avsnet_lite0_av", "none"),
        ("avsnet_lite0_av", "oracle_median"),
        ("avsnet_lite0_av@shuffled", "auto@shuffled"),
        ("avsnet_lite0_av@shuffled", "none"),
        ("avsnet_lite0_v", "none"),
        ("avsnet_lite0_v", "oracle_median"),
        ("toy_shape", "auto"),
        ("toy_shape", "auto@shuffled"),
        ("toy_shape", "ear"),
        ("toy_shape", "ear@shuffled"),
        ("toy_shape", "median:avsnet_lite0_av"),
        ("toy_shape", "median:avsnet_lite0_av@shuffled"),
        ("toy_shape", "median:avsnet_lite0_v"),
        ("toy_shape", "oracle_median"),
        ("toy_shape", "ranging"),
        ("toy_shape", "ranging@shuffled"),
    ]
    alone = labels(every_row([System("toy_open"), System("toy_v"), System("avsnet_lite0_v")], controls=()))
    assert ("toy_v", "none") in alone and ("toy_v", "focal") not in alone
    assert {scaling for system, scaling in alone if system == "toy_open"} == {"affine:avsnet_lite0_v", "oracle_affine"}


def test_auto_finds_what_predict_finds_and_its_control_hears_what_the_name_says(models, tmp_path):
    walls_tree(tmp_path / "walls", (2.0, 3.0, 4.0))
    cases = HalfRealCases(f"rgbd:{tmp_path / 'walls'}")
    trials = [Trial(System("toy_shape"), Scaling.parse(text)) for text in ("auto", "auto@shuffled")]
    assert [system.label for system in trials[1].systems] == ["toy_shape", f"{AV}@shuffled"]
    rows = evaluate(trials, cases, tmp_path / "out", extra=cases.header).rows
    case = cases[1]
    values = 0.37 * case.picture[..., 0].astype(np.float32) / 255
    seen = {"camera": case.intrinsics, "waveform": case.waveform, "sample_rate": case.sample_rate, "rig": case.rig}
    metres = at_picture_size(network_map(System(AV).build(), case.picture, **seen), model_info(AV), values.shape)
    heard = Heard(Recording(case.waveform.numpy(), case.sample_rate), case.rig)
    scene = Scene(values, model_info("toy_shape"), case.intrinsics, heard.echo, lambda _: metres)
    expected = everything(scene).scaled.scale
    (row,) = [row for row in rows if row["id"] == case.id and row["scaling"] == "auto"]
    assert float(row["scale"]) == pytest.approx(expected, rel=1e-3)


def test_without_networks_the_packaged_pair_gives_metres(models):
    assert {trial.system.label for trial in every_row([])} == {V, AV, f"{AV}@shuffled", f"{AV}@silent", f"{AV}@late"}


@pytest.fixture
def listened(monkeypatch):
    """The echoes that a stand-in for ranging was given."""
    echoes = []

    def listen(scene, _):
        echoes.append(scene.echo())
        return Found(ScaledDepth(scene.depth, 1.0, 0.0, "ranging"), "ranging")

    monkeypatch.setitem(SOURCES, "ranging", Source(listen, "ranging", "a stand-in", needs_echo=True))
    return echoes


def test_each_frame_is_ranged_by_its_own_rig_whosever_echo_it_hears(models, listened, tmp_path):
    walls_tree(tmp_path / "walls", (2.0, 3.0, 4.0))
    cases = HalfRealCases(f"rgbd:{tmp_path / 'walls'}")
    trials = [Trial(System("toy_shape"), Scaling.parse(text)) for text in ("ranging", "ranging@shuffled")]
    evaluate(trials, cases, tmp_path / "out", extra=cases.header)
    rigs = [cases.made.rig(index).geometry for index in range(3)]
    assert [echo.rig for echo in listened] == [rig for rig in rigs for _ in range(2)]
    for index in range(3):
        own, other = listened[2 * index : 2 * index + 2]
        crossed = cases.made.recording(int(cases.other[index]), recorder=index)
        for echo, made in ((own, cases.made.recording(index)), (other, crossed)):
            assert np.allclose(echo.waveform, made - made.mean(axis=1, keepdims=True), atol=1e-6)


def test_unknown_pixels_are_clamped_and_counted(models, tmp_path):
    walls_tree(tmp_path / "walls", (2.0, 4.0))
    half_black = np.zeros((48, 64, 3), np.uint8)
    half_black[24:] = 100
    Image.fromarray(half_black).save(tmp_path / "walls" / "images" / "0.png")
    cases = HalfRealCases(f"rgbd:{tmp_path / 'walls'}", cap=3.0)
    zero = Trial(System("toy_v"), Scaling.parse("focal"))
    with pytest.raises(OptionError, match="does not say its focal length"):
        check_trials([zero])
    written = evaluate([Trial(System("toy_v"))], cases, tmp_path / "out", extra=cases.header)
    seen, beyond = written.rows
    assert (seen["unknown"], seen["pixels"], beyond["status"]) == (str(24 * 64 - 16), str(48 * 64 - 16), "empty")
    right = 4.0 * 100 / 255
    expected = (24 * 64 * abs(right / 2.0 - 1.0) + (24 * 64 - 16) * (1.0 - 1e-3 / 2.0)) / (48 * 64 - 16)
    assert float(seen["abs_rel"]) == pytest.approx(expected, rel=1e-3)
    again = Scores.read(tmp_path / "out")
    assert again.rows[0] == seen and again.header["role"] == "test set"
    with (tmp_path / "out" / "summary.csv").open(newline="") as file:
        (line,) = csv.DictReader(text for text in file if not text.startswith("#"))
    assert line["unknown"] == seen["unknown"] and line["images"] == "1"


def test_another_renderers_echoes_are_other_recordings_of_the_same_rigs_and_kept_apart(models, tmp_path):
    pytest.importorskip("pyroomacoustics")
    walls_tree(tmp_path / "walls")
    source, cache = f"rgbd:{tmp_path / 'walls'}", tmp_path / "echoes"
    ours, theirs = (HalfRealCases(source, cache=cache, renderer=name) for name in ("rooms", "planes"))
    assert ours[0].rig == theirs[0].rig and ours.name != theirs.name
    assert not np.allclose(ours[0].waveform, theirs[0].waveform)
    again = HalfRealCases(f"rgbd:{tmp_path / 'walls'}", renderer="planes")
    assert np.array_equal(again[0].waveform, theirs[0].waveform)
    assert "no network was trained" in theirs.header["renderer"]
    with pytest.raises(OptionError, match="renderer 'odeon' is none of rooms, planes"):
        HalfRealCases(f"rgbd:{tmp_path / 'walls'}", renderer="odeon")


def test_metres_are_corrected_for_the_cameras_focal_length(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)],
        "mean",
        [helper.make_tensor_value_info("x", kind, [1, 3, 48, 64])],
        [helper.make_tensor_value_info("y", kind, [1, 1, 48, 64])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "mean.onnx")
    told = {"output": "metric_depth", "layout": "NCHW", "size": [48, 64], "output_scale": 5, "focal": 1.0}
    (tmp_path / "mean.json").write_text(json.dumps(told))
    walls_tree(tmp_path / "walls")
    system = System(f"onnx:{tmp_path / 'mean.onnx'}")
    trials = [trial for trial in every_row([system]) if trial.scaling.label in ("none", "focal")]
    cases = HalfRealCases(f"rgbd:{tmp_path / 'walls'}")
    rows = evaluate(trials, cases, tmp_path / "out").rows
    scale = {row["scaling"]: float(row["scale"]) for row in rows if row["system"] == system.label}
    assert scale == {"none": 1.0, "focal": 0.5}  # 32 of 64 pixels


def test_the_command_writes_and_prints_scores_and_refuses_what_it_brings_itself(models, tmp_path, capsys):
    walls_tree(tmp_path / "hololens_rgbd")
    words = [
        "evaluate",
        "--half-real",
        str(tmp_path / "hololens_rgbd"),
        "--systems",
        "toy_shape",
        "--out",
        str(tmp_path),
    ]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "half_real:rgbd:hololens_rgbd:test (development set), frames: 2 of 2" in out
    assert "ranging@shuffled" in out and f"median:{AV}" in out
    assert "ranging@late" in out and "ear@silent" in out
    assert Scores.read(tmp_path).header["role"] == "development set"
    for clash in (["--data", "x"], ["--rig", "x"]):
        assert cli.main([*words, *clash]) == 2
        assert f"leave out {clash[0]}" in capsys.readouterr().err


def test_fastdepth_on_hololens_has_the_numbers_that_others_measured(tmp_path):
    pytest.importorskip("onnxruntime")
    real = SHARED / "real"
    if not (real / "hololens_rgbd").exists():
        pytest.skip("needs ../shared/real")
    system = System(f"onnx:{real / 'fastdepth_nyu' / 'fast_depth_224_dequant.onnx'}")
    trials = [Trial(system, Scaling(rule)) for rule in ("none", "oracle_median")]
    rows = evaluate(trials, Cases(RgbdFolder(real / "hololens_rgbd"), "hololens", 10.0), tmp_path).rows
    told = json.loads((real / "expected_numbers.json").read_text())["hololens_rgbd (94 frames, max 10 m)"]
    for scaling, name in (("none", "fastdepth_raw"), ("oracle_median", "fastdepth_median_scaled")):
        for metric, short in (("abs_rel", "abs_rel"), ("rmse", "rmse"), ("delta1", "d1")):
            found = np.mean([float(row[metric]) for row in rows if row["scaling"] == scaling])
            assert metric in METRICS and found == pytest.approx(told[name][short], rel=0.01)
