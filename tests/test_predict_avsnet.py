"""A picture and an echo through an AVS-Net: its own metres, the metres of another model, and echoes that are no use."""

import json

import numpy as np
import pytest
import soundfile
import torch

import avsnet
from avsnet import weights
from avsnet.audio.rig import Rig
from avsnet.cli.predict_files import Job, Wanted, predicted
from avsnet.errors import AudioError, DepthError, EchoError, ModelError, OptionError
from avsnet.models import create_model
from avsnet.models.infer import infer
from avsnet.models.info import ModelInfo
from avsnet.models.sound import sound_for
from avsnet.predictor import Predictor
from avsnet.scale.sources import HEARD, automatic, choose
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RATE = 44_100
SIZE = (64, 96)


class Toy(torch.nn.Module):
    """Gives one map, whatever the picture."""

    def __init__(self, values, kind="relative_depth"):
        super().__init__()
        self.info = ModelInfo("toy", kind, "none", "none", "a test")
        self.values = torch.from_numpy(np.asarray(values, dtype=np.float32))[None, None]

    def forward(self, batch):
        return {self.info.output: self.values}


@pytest.fixture(scope="module")
def room():
    """Picture, true depth and echo."""
    scene = furnished_room("offices", 2)
    image, depth, _ = render(scene, *SIZE)
    return image, depth, echo(scene, Rig(), seed=2)


@pytest.fixture(scope="module")
def nets():
    """A network that hears, its visual twin, and one that must hear; as after some training."""
    nets = {}
    for name, options in (
        ("avsnet_lite0_av", {}),
        ("avsnet_lite0_v", {}),
        ("deaf never", {"echo_dropout": 0.0}),
    ):
        registered = name if name.startswith("avsnet") else "avsnet_lite0_av"
        net = create_model(registered, input_size=SIZE, n_bins=8, **options)
        with torch.no_grad():
            for key, weight in net.named_parameters():
                if key.endswith((".gate", ".null")):
                    weight.normal_(generator=torch.Generator().manual_seed(0))
        nets[name] = net
    return nets


@pytest.fixture
def packaged(nets, tmp_path, monkeypatch):
    """As if the pair came with the package."""
    for name in ("avsnet_lite0_av", "avsnet_lite0_v"):
        nets[name].save_pretrained(tmp_path / "packaged" / name)
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "packaged")
    return tmp_path / "packaged"


@pytest.fixture
def unpackaged(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGED", tmp_path / "none")
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path / "none"))


def heard(net, picture, waveform):
    return infer(net, picture, waveform=torch.from_numpy(np.asarray(waveform, dtype=np.float32)), sample_rate=RATE)


def test_the_packaged_network_is_corrected_by_the_ear_unless_its_own_metres_are_asked_for():
    net = create_model("avsnet_lite0_av", weights="default")
    assert automatic(net.info, has_echo=True).source is HEARD
    assert automatic(net.info, has_echo=False).source is choose("none", net.info, has_echo=True).source


def test_a_network_of_unknown_error_gives_its_own_metres(room, nets, packaged):
    image, _, waveform = room
    prediction = avsnet.predict(image, waveform, sample_rate=RATE)
    np.testing.assert_allclose(prediction.depth, heard(nets["avsnet_lite0_av"], image, waveform), rtol=1e-5)
    assert (prediction.model, prediction.scale_source, prediction.scale) == ("avsnet_lite0_av", "none", 1.0)
    assert prediction.unit == "m" and prediction.warnings == () and len(prediction.weights_hash) == 12


def test_metres_whose_error_is_known_are_a_witness_beside_the_ear(room, nets, packaged):
    image, _, waveform = room
    net, own = nets["avsnet_lite0_av"], heard(nets["avsnet_lite0_av"], image, waveform)
    net.save_pretrained(packaged / "known")
    config = json.loads((packaged / "known" / "config.json").read_text())
    (packaged / "known" / "config.json").write_text(json.dumps(config | {"scale_spread": 0.3}))
    known = create_model("avsnet_lite0_av", weights=packaged / "known")
    found = avsnet.predict(image, waveform, depth_model=known, sample_rate=RATE)
    assert found.scale_source == "ear and the model's own metres" and 0.0 < found.confidence < 1.0
    np.testing.assert_allclose(found.depth, found.scale * own, rtol=1e-5)
    # With other weights nobody knows it any more.
    known.note_training("folder:mine")
    known.note_training("rooms")
    known.note_training("rooms")  # a further stage
    known.save_pretrained(packaged / "tuned")
    tuned = create_model("avsnet_lite0_av", weights=packaged / "tuned")
    assert tuned.info.scale_spread is known.info.scale_spread is None
    found = avsnet.predict(image, waveform, depth_model=tuned, sample_rate=RATE)
    assert found.scale_source == "none" and "model trained on folder:mine, then rooms" in found.assumptions
    with pytest.raises(OptionError, match="scale_spread"):
        create_model("avsnet_lite0_av", scale_spread=0.0)


def test_the_echo_changes_what_the_network_says(room, nets):
    image, _, waveform = room
    other = echo(furnished_room("historic", 5), Rig(), seed=5)
    one, two = (heard(nets["avsnet_lite0_av"], image, sound) for sound in (waveform, other))
    assert np.abs(one - two).max() > 1e-3


def test_without_an_echo_the_network_sees_alone_and_says_so(room, nets, packaged):
    prediction = avsnet.predict(room[0])
    assert np.array_equal(prediction.depth, infer(nets["avsnet_lite0_av"], room[0]))
    assert prediction.warnings == ("no echo: the metres of avsnet_lite0_av are by sight alone",)


@pytest.mark.parametrize("kind", ["relative_depth", "disparity", "metric_depth"])
def test_another_model_gets_the_median_of_the_packaged_network(room, nets, packaged, kind):
    image, truth, waveform = room
    values = 5.0 / truth if kind == "disparity" else truth / 2.5
    model, source = Toy(values, kind), "avsnet_lite0_av"
    prediction = avsnet.predict(image, waveform, depth_model=model, scale_from=source, sample_rate=RATE)
    pseudo_dense = heard(nets["avsnet_lite0_av"], image, waveform)
    relative = 1.0 / values if kind == "disparity" else values
    scale = np.median(pseudo_dense) / np.median(relative)
    assert prediction.scale == pytest.approx(scale, rel=1e-5)
    np.testing.assert_allclose(prediction.depth, scale * relative, rtol=1e-4)
    assert (prediction.scale_source, prediction.kind, prediction.model) == ("avsnet_lite0_av", kind, "toy")
    assert prediction.warnings == ()


def test_without_an_echo_another_model_gets_the_median_of_the_visual_network_with_a_warning(room, nets, packaged):
    image, truth, _ = room
    prediction = avsnet.predict(image, depth_model=Toy(truth))
    scale = np.median(infer(nets["avsnet_lite0_v"], image)) / np.median(truth)
    assert prediction.scale == pytest.approx(scale, rel=1e-5)
    assert prediction.scale_source == "avsnet_lite0_v"
    assert prediction.warnings == ("no echo: the scale is from avsnet_lite0_v, which only sees",)


@pytest.mark.parametrize("kind", ["affine_depth", "affine_disparity"])
def test_a_map_whose_shift_is_open_is_fitted_in_scale_and_shift(room, nets, packaged, kind):
    image, _, waveform = room
    pseudo_dense = heard(nets["avsnet_lite0_av"], image, waveform)
    values = 3.0 * (1.0 / pseudo_dense if kind == "affine_disparity" else pseudo_dense) - 0.1
    options = {"scale_from": "avsnet_lite0_av", "sample_rate": RATE}
    prediction = avsnet.predict(image, waveform, depth_model=Toy(values, kind), **options)
    np.testing.assert_allclose(prediction.depth, pseudo_dense, rtol=1e-3)
    assert prediction.scale == pytest.approx(1.0 / 3.0, rel=1e-3) and prediction.shift != 0.0
    assert prediction.scale_source.startswith("avsnet_lite0_av by affine")
    with pytest.raises(DepthError, match="toy"):
        avsnet.predict(image, waveform, depth_model=Toy(-values, kind), **options)


def test_the_scale_can_come_from_a_named_network_or_a_folder(room, nets, packaged):
    image, truth, waveform = room
    options = {"depth_model": Toy(truth), "sample_rate": RATE}
    by_name = avsnet.predict(image, waveform, scale_from="avsnet_lite0_av", **options)
    by_folder = avsnet.predict(image, waveform, scale_from=str(packaged / "avsnet_lite0_av"), **options)
    assert np.array_equal(by_name.depth, by_folder.depth)
    assert by_folder.scale_source == str(packaged / "avsnet_lite0_av")
    own = avsnet.predict(image, waveform, depth_model=str(packaged / "avsnet_lite0_av"), sample_rate=RATE)
    np.testing.assert_allclose(own.depth, heard(nets["avsnet_lite0_av"], image, waveform), rtol=1e-5)


def test_a_visual_network_asked_for_by_name_is_not_blamed_for_an_echo_it_cannot_use(room, packaged):
    image, truth, waveform = room
    prediction = avsnet.predict(image, waveform, depth_model=Toy(truth), scale_from="avsnet_lite0_v", sample_rate=RATE)
    assert prediction.warnings == ("the echo was not used: avsnet_lite0_v only sees",)
    own = avsnet.predict(image, waveform, depth_model="avsnet_lite0_v", sample_rate=RATE)
    assert own.warnings == ("the echo was not used: the numbers are the model's own",)
    assert avsnet.predict(image, depth_model="avsnet_lite0_v").warnings == ()


def test_a_name_without_weights_fails_with_one_clear_line(room, unpackaged):
    image, truth, waveform = room
    for options in ({}, {"depth_model": Toy(truth)}, {"depth_model": Toy(truth), "scale_from": "avsnet_lite0_v"}):
        with pytest.raises(
            ModelError, match=r"avsnet_lite0_a?v: no weights of it come with this installation"
        ) as caught:
            avsnet.predict(image, waveform, sample_rate=RATE, **options)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"no config\.json in it"):
        avsnet.predict(image, depth_model=Toy(truth), scale_from=str(weights.PACKAGED.parent))
    with pytest.raises(OptionError, match="'avsnet_huge_av' is none of auto"):
        avsnet.predict(image, depth_model=Toy(truth), scale_from="avsnet_huge_av")


def test_ranging_needs_no_network(unpackaged):
    scene = furnished_room("historic", 2)
    image, truth, intrinsics = render(scene, 96, 128)
    options = {"scale_from": "ranging", "sample_rate": RATE, "intrinsics": intrinsics}
    prediction = avsnet.predict(image, echo(scene, Rig(), seed=2), depth_model=Toy(truth), **options)
    assert prediction.scale_source == "ranging"


# Echoes that are no use

NOISE = 0.1 * np.random.default_rng(0).normal(size=(2, 13_230))
BROKEN = {
    "silent": (lambda sound: 0.0 * sound, RATE, "silent"),
    "noise": (lambda sound: NOISE, RATE, "no direct sound"),
    "one ear": (lambda sound: sound * np.array([[1.0], [0.0]]), RATE, "only one ear"),
    "one channel": (lambda sound: sound[:1], RATE, "only one ear"),
    "too short": (lambda sound: sound[:, :500], RATE, "too short"),
    "clipped": (lambda sound: sound.clip(-0.1, 0.1), RATE, "clipped"),
    "low rate": (lambda sound: sound[:, ::3], RATE // 3, "nothing above 7350 Hz"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_echo_that_is_no_use_is_said_and_the_network_sees_alone(room, nets, packaged, case):
    image, truth, waveform = room
    spoil, rate, words = BROKEN[case]
    spoilt = spoil(waveform)
    prediction = avsnet.predict(image, spoilt, sample_rate=rate)
    assert np.array_equal(prediction.depth, infer(nets["avsnet_lite0_av"], image))
    assert len(prediction.warnings) == 1
    assert words in prediction.warnings[0] and prediction.warnings[0].endswith("is by sight alone")
    scaled = avsnet.predict(image, spoilt, depth_model=Toy(truth), scale_from="avsnet_lite0_av", sample_rate=rate)
    assert scaled.scale == pytest.approx(np.median(prediction.depth) / np.median(truth), rel=1e-5)
    assert scaled.warnings == prediction.warnings


@pytest.mark.parametrize("case", ["silent", "noise", "one ear", "too short"])
def test_a_network_that_must_hear_refuses_an_echo_that_is_no_use(room, nets, case):
    spoil, rate, words = BROKEN[case]
    with pytest.raises(EchoError, match=words):
        avsnet.predict(room[0], spoil(room[2]), depth_model=nets["deaf never"], sample_rate=rate)


def test_a_network_that_must_hear_uses_a_doubtful_echo_and_says_so(room, nets):
    image, _, waveform = room
    prediction = avsnet.predict(image, waveform.clip(-0.1, 0.1), depth_model=nets["deaf never"], sample_rate=RATE)
    assert prediction.warnings[0].startswith("clipped")
    with pytest.raises(OptionError, match="needs an echo; give the recording"):
        avsnet.predict(image, depth_model=nets["deaf never"])


def test_a_recording_at_48_khz_is_resampled_used_and_said(room, nets, packaged):
    import soxr

    image, _, waveform = room
    other = soxr.resample(waveform.T, RATE, 48_000, quality="VHQ").T
    prediction = avsnet.predict(image, other, sample_rate=48_000)
    assert prediction.warnings == ("resampled from 48000 Hz to 44100 Hz",)
    wanted = heard(nets["avsnet_lite0_av"], image, waveform)
    alone = infer(nets["avsnet_lite0_av"], image)
    assert np.abs(prediction.depth - wanted).max() < 0.1 * np.abs(alone - wanted).max()


def test_what_is_no_recording_stays_an_error_that_names_the_file(room, packaged, tmp_path):
    with pytest.raises(AudioError, match="3 channels"):
        avsnet.predict(room[0], np.zeros((3, 9000)), sample_rate=RATE)
    soundfile.write(tmp_path / "a.wav", np.zeros((9000, 2)), RATE)
    prediction = avsnet.predict(room[0], tmp_path / "a.wav")
    assert str(tmp_path / "a.wav") in prediction.warnings[0]


def test_with_ranging_an_echo_that_is_no_use_is_an_error_and_nothing_is_written(room, packaged, tmp_path):
    from PIL import Image

    Image.fromarray(room[0]).save(tmp_path / "room.png")
    soundfile.write(tmp_path / "room.wav", np.zeros((9000, 2)), RATE)
    job = Job(tmp_path / "room.png", "room", tmp_path / "room.wav")
    ((_, error),) = predicted([job], Wanted(Predictor(Toy(room[1]), scale_from="ranging"), tmp_path / "out"))
    assert isinstance(error, EchoError) and "silent" in str(error)
    assert not (tmp_path / "out").exists()
    ((_, line),) = predicted([job], Wanted(Predictor(Toy(room[1])), tmp_path / "out"))
    assert "warning" in line and "by sight alone" in line
    assert (tmp_path / "out" / "room_depth.npz").exists()


def test_a_model_that_does_not_hear_gets_no_sound():
    assert sound_for(Toy(np.ones((2, 2))), None) == ({}, [])
