"""A picture and an echo give metres; what cannot give them is refused with a reason."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
import torch
from onnx import TensorProto, helper
from PIL import Image

import avsnet
from avsnet.audio.chirp import sweep
from avsnet.audio.rig import Rig
from avsnet.errors import (
    AudioError,
    AvsnetError,
    CalibrationError,
    DepthError,
    EchoError,
    ImageError,
    ModelError,
    OptionError,
)
from avsnet.geometry import intrinsics_from_fov, resize_intrinsics
from avsnet.models.info import ModelInfo
from avsnet.predict import loaded, predict, predict_with_evidence
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render
from places import SHARED

RATE = 44_100


class Toy(torch.nn.Module):
    """Gives one map, whatever the picture, and remembers how it was called."""

    def __init__(self, values, kind="relative_depth", size=None, multiple=1):
        super().__init__()
        self.info = ModelInfo("toy", kind, "none", "none", "a test", size, multiple)
        self.values = torch.from_numpy(np.asarray(values, dtype=np.float32))[None, None]
        self.dropout = torch.nn.Dropout(0.5)
        self.seen = None

    def forward(self, batch):
        self.seen = batch["image"]
        return {self.info.output: self.dropout(self.values)}


@pytest.fixture(scope="module")
def room():
    """Picture, true depth, intrinsics and echo of a room whose scale is easy to hear."""
    scene = furnished_room("historic", 2)
    return *render(scene, 96, 128), echo(scene, Rig(), seed=2)


@pytest.fixture(scope="module")
def grey():
    return np.full((6, 8, 3), 128, dtype=np.uint8)


def by_ear(intrinsics):
    return {"scale_from": "ranging", "sample_rate": RATE, "intrinsics": intrinsics}


def ramp(height=6, width=8):
    return 1.0 + np.arange(height * width, dtype=np.float32).reshape(height, width)


# The echo


@pytest.mark.parametrize("kind", ["relative_depth", "disparity", "metric_depth"])
def test_an_echo_brings_any_kind_of_map_to_metres(room, kind):
    image, truth, intrinsics, waveform = room
    values = 5.0 / truth if kind == "disparity" else truth / 2.5
    prediction, hearing = predict_with_evidence(
        image,
        waveform,
        depth_model=Toy(values, kind),
        scale_from="ranging",
        sample_rate=RATE,
        intrinsics=intrinsics,
        rig=Rig(origin="known"),
    )
    assert prediction.scale_source == "ranging" and prediction.kind == kind
    assert np.median(np.abs(np.log(prediction.depth / truth))) < 0.05
    assert prediction.scale == pytest.approx(5.0 if kind == "disparity" else 2.5, rel=0.05)
    assert 0.5 < prediction.confidence <= 1.0
    assert prediction.assumptions == ("rig known: speaker to ear 0.16 m",) and prediction.warnings == ()
    assert hearing is not None and any(arrival.evidence > 0 for arrival in hearing.arrivals)
    assert hearing.profile.delay.shape == hearing.profile.range.shape
    assert np.array_equal(prediction.intrinsics, intrinsics) and prediction.depth.shape == truth.shape


def test_what_was_assumed_is_said(room):
    image, truth, _, waveform = room
    prediction = avsnet.predict(
        image, waveform, depth_model=Toy(truth, "metric_depth"), scale_from="ranging", sample_rate=RATE
    )
    assert prediction.assumptions[0] == "field of view assumed: 70 degrees horizontal"
    assert prediction.assumptions[1].startswith("rig assumed: speaker to ear") and len(prediction.assumptions) == 2
    assert np.allclose(prediction.intrinsics, intrinsics_from_fov(128, 96, 70.0))


def test_one_microphone_works_with_a_warning(room):
    image, truth, intrinsics, waveform = room
    prediction = avsnet.predict(image, waveform[:1], depth_model=Toy(truth / 2.5), **by_ear(intrinsics))
    assert prediction.scale == pytest.approx(2.5, rel=0.05)
    assert any("one microphone" in text for text in prediction.warnings)


def test_a_clipped_echo_works_with_a_warning(room):
    image, truth, intrinsics, waveform = room
    prediction = avsnet.predict(image, waveform.clip(-0.2, 0.2), depth_model=Toy(truth / 2.5), **by_ear(intrinsics))
    assert prediction.scale == pytest.approx(2.5, rel=0.05)
    assert any(text.startswith("clipped") for text in prediction.warnings)


def test_an_echo_file_gives_what_its_array_gives(room, tmp_path):
    image, truth, intrinsics, waveform = room
    soundfile.write(tmp_path / "a.wav", waveform.T, RATE, subtype="FLOAT")
    model = Toy(truth / 2.5)
    from_array = avsnet.predict(image, waveform, depth_model=model, **by_ear(intrinsics))
    from_file = avsnet.predict(
        image, tmp_path / "a.wav", depth_model=model, scale_from="ranging", intrinsics=intrinsics
    )
    assert from_file.scale == from_array.scale
    with pytest.raises(OptionError, match="leave out sample_rate 48000"):
        avsnet.predict(image, tmp_path / "a.wav", depth_model=model, sample_rate=48_000)


@pytest.mark.parametrize(
    ("waveform", "rate", "error", "words"),
    [
        (np.zeros((2, 4410)), RATE, EchoError, "silent"),
        (np.zeros((2, 0)), RATE, AudioError, "no samples"),
        (np.full((2, 4410), np.nan), RATE, AudioError, "nan"),
        (np.full((2, 4410), 300.0), RATE, AudioError, "wrongly scaled"),
        (np.full((2, 4410), 300, dtype=np.int16), RATE, AudioError, "floats"),
        (np.zeros((3, 4410)), RATE, AudioError, "3 channels"),
        (np.zeros(4410), RATE, AudioError, "shape"),
        (0.1 * np.random.default_rng(0).normal(size=(2, 4410)), RATE, EchoError, "no direct sound"),
        (np.ones((2, 4410)), 50, AudioError, "sample rate"),
        (np.ones((2, 4410)), None, OptionError, "sample_rate"),
    ],
    ids=["silent", "empty", "NaN", "scale", "integers", "channels", "flat", "noise", "rate", "no rate"],
)
def test_an_echo_that_gives_no_scale_is_an_error(grey, waveform, rate, error, words):
    with pytest.raises(error, match=words):
        avsnet.predict(grey, waveform, depth_model=Toy(ramp()), scale_from="ranging", sample_rate=rate)


def test_an_echo_that_was_not_needed_is_mentioned(room, grey):
    prediction = avsnet.predict(
        grey, room[3], depth_model=Toy(ramp(), "metric_depth"), scale_from="none", sample_rate=RATE
    )
    assert prediction.scale == 1.0 and prediction.confidence is None
    assert prediction.warnings == ("the echo was not used: the numbers are the model's own",)


# Where the scale comes from


def test_a_metric_model_with_scale_none_is_left_as_it_is(grey):
    prediction = avsnet.predict(grey, depth_model=Toy(ramp(), "metric_depth"), scale_from="none")
    assert np.array_equal(prediction.depth, ramp()) and prediction.depth.dtype == np.float32
    assert (prediction.scale, prediction.shift, prediction.scale_source) == (1.0, 0.0, "none")
    assert prediction.warnings == () and prediction.version == avsnet.__version__


def test_a_relative_model_with_scale_none_says_that_these_are_no_metres(grey):
    prediction = avsnet.predict(grey, depth_model=Toy(1.0 / ramp(), "disparity"), scale_from="none")
    assert np.allclose(prediction.depth, ramp(), rtol=1e-6)
    assert "not metres" in prediction.warnings[0]


@pytest.mark.parametrize("kind", ["affine_depth", "affine_disparity"])
@pytest.mark.parametrize("scale_from", ["none", "known:1,1,2"])
def test_an_affine_model_is_refused_where_nothing_sets_its_shift(grey, kind, scale_from):
    with pytest.raises(OptionError, match="shift"):
        avsnet.predict(grey, depth_model=Toy(ramp(), kind), scale_from=scale_from)


@pytest.mark.parametrize("x", [0, 3, 7])
@pytest.mark.parametrize("y", [0, 2, 5])
def test_one_known_distance_sets_the_scale_by_the_median_of_its_neighbours(grey, x, y):
    prediction = avsnet.predict(grey, depth_model=Toy(ramp()), scale_from=f"known:{x},{y},3.5")
    neighbours = [ramp()[j, i] for j in range(6) for i in range(8) if abs(j - y) <= 2 and abs(i - x) <= 2]
    assert prediction.scale == pytest.approx(3.5 / np.median(neighbours))
    assert np.allclose(prediction.depth, prediction.scale * ramp())
    assert prediction.scale_source == f"known:{x},{y},3.5" and prediction.warnings == ()


def test_unknown_neighbours_of_a_known_pixel_do_not_count(grey):
    values = ramp()
    values[1:4, 1:3] = 0.0
    prediction = avsnet.predict(grey, depth_model=Toy(values), scale_from="known:3,2,2")
    square = values[0:5, 1:6]
    assert prediction.scale == pytest.approx(2.0 / np.median(square[square > 0]))
    assert not prediction.valid[2, 1] and prediction.valid.sum() == 42
    with pytest.raises(OptionError, match="does not know the depth of that pixel"):
        avsnet.predict(grey, depth_model=Toy(values), scale_from="known:2,2,2")


@pytest.mark.parametrize(
    ("scale_from", "words"),
    [
        ("known:8,2,3", "outside the picture of 8 x 6"),
        ("known:2,6,3", "outside the picture"),
        ("known:-1,2,3", "outside the picture"),
        ("known:2,2,0", "between 0 and"),
        ("known:2,2,-3", "between 0 and"),
        ("known:2,2,nan", "between 0 and"),
        ("known:2,2,inf", "between 0 and"),
        ("known:nan,2,3", "pixels"),
        ("known:2,3", "wanted known:x,y,metres"),
        ("known:", "wanted known:x,y,metres"),
        ("known:a,b,c", "wanted known:x,y,metres"),
        ("known:1,2,3,4", "wanted known:x,y,metres"),
        ("rangin", "auto, none, ranging, ear, known:x,y,metres"),
        ("known", "wanted known:x,y,metres"),
        ("", "auto, none, ranging, ear, known:x,y,metres"),
        ("ranging", "needs an echo"),
    ],
)
def test_a_wrong_scale_from_is_refused_before_the_model_runs(grey, scale_from, words):
    model = Toy(ramp())
    with pytest.raises(OptionError, match=words):
        avsnet.predict(grey, depth_model=model, scale_from=scale_from)
    assert model.seen is None


# The picture and its camera


def test_a_file_a_pil_picture_and_an_array_are_the_same_picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for image in (pixels, Image.fromarray(pixels), tmp_path / "a.png", str(tmp_path / "a.png")):
        model = Toy(ramp(), "metric_depth")
        avsnet.predict(image, depth_model=model, scale_from="none")
        assert torch.equal(model.seen, torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255.0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((6, 8), np.uint8),
        np.zeros((6, 8, 3)),
        np.zeros((0, 8, 3), np.uint8),
        Image.new("RGB", (0, 4)),
        "no.png",
    ],
    ids=["grey", "float", "empty", "zero size", "missing"],
)
def test_what_is_no_picture_is_an_image_error(image):
    with pytest.raises(ImageError):
        avsnet.predict(image, depth_model=Toy(ramp(), "metric_depth"), scale_from="none")


def test_intrinsics_come_from_an_array_a_file_or_a_field_of_view(grey, tmp_path):
    model = Toy(ramp(), "metric_depth")
    camera = intrinsics_from_fov(8, 6, 80.0)
    large = resize_intrinsics(camera, (6, 8), (60, 80))
    entries = {"width": 80, "height": 60, "fx": large[0, 0], "fy": large[1, 1], "cx": large[0, 2], "cy": large[1, 2]}
    (tmp_path / "camera.json").write_text(json.dumps(entries))
    for given in ({"intrinsics": camera}, {"intrinsics": tmp_path / "camera.json"}, {"fov": 80.0}):
        prediction = avsnet.predict(grey, depth_model=model, scale_from="none", **given)
        assert np.allclose(prediction.intrinsics, camera) and prediction.assumptions == ()
    with pytest.raises(OptionError, match="leave out fov"):
        avsnet.predict(grey, depth_model=model, scale_from="none", intrinsics=camera, fov=80.0)
    for given in ({"intrinsics": np.eye(2)}, {"intrinsics": tmp_path / "none.json"}, {"fov": 180.0}, {"rig": "none"}):
        with pytest.raises(CalibrationError):
            avsnet.predict(grey, depth_model=model, scale_from="none", **given)


# The model


def test_a_network_with_its_own_size_is_resized_to_and_back(grey):
    model = Toy([[1.0, 3.0]], "metric_depth", size=(4, 10), multiple=None)
    prediction = avsnet.predict(grey, depth_model=model, scale_from="none")
    assert model.seen.shape == (1, 3, 4, 10) and prediction.depth.shape == (6, 8)
    assert prediction.depth[0, 0] == 1.0 and prediction.depth[0, -1] == 3.0


@pytest.mark.parametrize(("multiple", "size"), [(1, (6, 8)), (4, (8, 8)), (5, (5, 10)), (32, (32, 32))])
def test_a_network_that_takes_any_multiple_gets_the_one_nearest_to_the_picture(grey, multiple, size):
    model = Toy(ramp(), "metric_depth", multiple=multiple)
    avsnet.predict(grey, depth_model=model, scale_from="none")
    assert model.seen.shape[2:] == size


def test_disparity_is_resized_before_it_is_inverted(grey):
    model = Toy([[1.0, 0.25]], "disparity", size=(6, 2), multiple=None)
    depth = avsnet.predict(grey, depth_model=model, scale_from="none").depth
    assert depth[0, 0] == 1.0 and depth[0, -1] == 4.0
    assert np.allclose(1.0 / depth[0, 3] + 1.0 / depth[0, 4], 1.25)


def test_a_module_in_training_mode_is_run_in_eval_mode_and_given_back_as_it_was(grey):
    model = Toy(ramp(), "metric_depth")
    model.dropout.eval()
    assert np.array_equal(avsnet.predict(grey, depth_model=model, scale_from="none").depth, ramp())
    assert model.training and not model.dropout.training


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (np.full((6, 8), np.nan), ModelError),
        (np.full((6, 8), np.inf), ModelError),
        (np.zeros((6, 8)), DepthError),
        (-ramp(), DepthError),
    ],
)
def test_a_map_that_is_no_depth_is_refused(grey, values, error):
    with pytest.raises(error, match="toy"):
        avsnet.predict(grey, depth_model=Toy(values, "metric_depth"), scale_from="none")


def test_a_module_that_breaks_the_contract_is_refused(grey):
    with pytest.raises(ModelError, match="ModelInfo"):
        avsnet.predict(grey, depth_model=torch.nn.Identity())
    with pytest.raises(ModelError, match="ModelInfo"):
        avsnet.predict(grey, depth_model=Path("model.onnx"))
    model = Toy(ramp(), "metric_depth")
    model.values = model.values[0]
    with pytest.raises(ModelError, match="shape"):
        avsnet.predict(grey, depth_model=model, scale_from="none")
    model.values = None
    with pytest.raises(ModelError, match="fails on a picture of 8 x 6"):
        avsnet.predict(grey, depth_model=model, scale_from="none")


def test_a_name_is_loaded_once_until_its_files_change_and_an_unknown_one_is_told(grey, tmp_path):
    path = tmp_path / "toy.onnx"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 6, 8])
    values = helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, 6, 8])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    node = helper.make_node("ReduceMean", ["image", "axes"], ["map"], keepdims=1)
    graph = helper.make_graph([node], "toy", [image], [values], [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    side, name = path.with_suffix(".json"), f"onnx:{path}"
    side.write_text('{"output": "metric_depth", "layout": "NCHW", "size": [6, 8]}')
    first = avsnet.predict(grey, depth_model=name, scale_from="none")
    assert np.allclose(first.depth, 128 / 255) and len(first.weights_hash) == 12
    assert loaded(name) is loaded(name)
    side.write_text('{"output": "metric_depth", "layout": "NCHW", "size": [6, 8], "output_scale": 2}')
    assert np.allclose(avsnet.predict(grey, depth_model=name, scale_from="none").depth, 2 * first.depth)
    with pytest.raises(ModelError, match="unknown model 'depth_anyone'; near it"):
        avsnet.predict(grey, depth_model="depth_anyone")


# The package


def test_the_public_names_are_there_and_nothing_else():
    assert avsnet.list_models() == sorted(avsnet.list_models()) and callable(avsnet.create_model)
    assert avsnet.scale_depth(np.ones((2, 2)), np.full((2, 2), 3.0), kind="relative_depth").scale == 3.0
    assert avsnet.depth_metrics(np.ones(3), np.ones(3), np.ones(3, dtype=bool))["abs_rel"] == 0.0
    assert avsnet.Prediction.__name__ == "Prediction" and issubclass(avsnet.errors.ImageError, AvsnetError)
    assert {*avsnet.__all__, "__version__", "audio"} <= set(dir(avsnet))
    with pytest.raises(AttributeError, match="no attribute 'depth_anything'"):
        avsnet.depth_anything  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import avsnet.predict, avsnet; assert callable(avsnet.predict)",
        "from avsnet.predict import load_model; from avsnet import predict; assert callable(predict)",
        "import avsnet.audio.stft; from avsnet.audio import spectrogram; assert callable(spectrogram)",
        "import avsnet; assert callable(avsnet.audio.spectrogram) and callable(avsnet.audio.range_profile)",
        "import avsnet; assert callable(avsnet.losses.silog) and callable(avsnet.analysis.aide)",
        "import avsnet, sys; assert not {'torch', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules)",
    ],
)
def test_functions_are_not_shadowed_by_their_files_in_a_fresh_process(code):
    subprocess.run([sys.executable, "-c", code], check=True)


# A real network on a real recording


def test_the_real_network_runs_on_the_real_picture():
    sample = SHARED / "batvision_v2_sample"
    if not (SHARED / "real").is_dir() or not sample.is_dir():
        pytest.skip("the real model and recording (../shared) are absent")
    prediction = avsnet.predict(
        sample / "camera_47.jpeg",
        depth_model=f"onnx:{SHARED / 'real' / 'fastdepth_nyu' / 'fast_depth_224_dequant.onnx'}",
        scale_from="known:640,360,1.325",
    )
    truth = np.load(sample / "depth_47.npy") / 1000.0
    valid = truth > 0
    assert prediction.depth.shape == truth.shape
    assert avsnet.depth_metrics(prediction.depth, truth, valid)["abs_rel"] < 0.25


def test_a_recording_without_any_echo_gives_no_metres(room):
    image, truth, intrinsics, _ = room
    direct = np.random.default_rng(0).normal(size=(2, 13_230)) * 1e-3
    direct[:, 300:432] += 0.5 * sweep()
    with pytest.raises(EchoError, match="no echo"):
        predict(image, direct, depth_model=Toy(truth / 2.5), **by_ear(intrinsics))


def test_a_picture_very_tall_and_narrow_needs_no_more_memory_than_a_square_one():
    from avsnet.geometry import intrinsics_from_fov
    from avsnet.planes import find_planes

    tall, flat = np.ones((12_000, 100)), np.ones((90, 2000))
    for depth in (tall, flat):
        height, width = depth.shape
        planes, unexplained = find_planes(depth, depth > 0, intrinsics_from_fov(width, height, 60.0), 0.01)
        assert len(planes) == 1 and unexplained < 0.01
        assert planes[0].distance == pytest.approx(1.0, rel=0.01)


def test_a_name_with_a_path_is_the_model_with_those_weights(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    model = avsnet.create_model("lite_mono_tiny", input_size=(32, 64))
    model.save_pretrained(tmp_path / "net")
    options = {"scale_from": "known:32,24,2.0"}
    found = avsnet.predict(picture, depth_model=f"lite_mono_tiny={tmp_path / 'net'}", **options)
    np.testing.assert_array_equal(found.depth, avsnet.predict(picture, depth_model=model, **options).depth)
    with pytest.raises(ModelError, match="nowhere"):
        avsnet.predict(picture, depth_model="lite_mono_tiny=nowhere")
