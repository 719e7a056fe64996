"""A predictor is what `predict` is for one picture, and remembers for those after it."""

import threading

import numpy as np
import pytest
import torch

import avsnet
from avsnet import rooms
from avsnet.audio.rig import Rig
from avsnet.errors import AvsnetError, OptionError
from avsnet.models import create_model
from avsnet.models.info import ModelInfo
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RATE = 44_100
RIG = Rig(origin="known")


class Toy(torch.nn.Module):
    """Gives one map, whatever the picture, and counts how many call it at once."""

    def __init__(self, values, kind="relative_depth"):
        super().__init__()
        self.info = ModelInfo("toy", kind, "none", "none", "a test")
        self.values = torch.from_numpy(np.asarray(values, dtype=np.float32))[None, None]
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, batch):
        return {self.info.output: self.dropout(self.values)}


@pytest.fixture(scope="module")
def room():
    """Picture, true depth, camera, and a recording without noise."""
    scene = furnished_room("historic", 2)
    return *render(scene, 96, 128), echo(scene, RIG, seed=2)


def noisy(waveform, seed, level=0.002):
    return waveform + level * np.abs(waveform).max() * np.random.default_rng(seed).standard_normal(waveform.shape)


def ears_on(values, intrinsics, kind="relative_depth", scale_from="ear"):
    return avsnet.Predictor(Toy(values, kind), scale_from=scale_from, intrinsics=intrinsics, rig=RIG)


def test_for_one_picture_it_is_what_predict_is(room):
    image, truth, intrinsics, waveform = room
    options = {"scale_from": "ear", "intrinsics": intrinsics, "rig": RIG}
    once = avsnet.predict(image, waveform, depth_model=Toy(truth / 3.0), sample_rate=RATE, **options)
    first = avsnet.Predictor(Toy(truth / 3.0), **options)(image, waveform, RATE)
    assert np.array_equal(first.depth, once.depth) and first.scale_source == once.scale_source == "ear"
    assert first.warnings == once.warnings and first.assumptions == once.assumptions
    assert np.array_equal(first.posterior.probability, once.posterior.probability)
    low, high = first.interval
    assert low < np.median(first.depth) < high


def test_a_still_camera_of_a_hundred_frames_stays_still_and_a_cut_is_followed_within_three_echoes():
    made = rooms.sample("historic", 60_001, 7, size=(72, 128), samples=0)
    depth, rig = 1.3 / float(np.median(made["depth"])) * made["depth"], rig_for(5)
    near, far = (echo_of_depth(times * depth, made["K"], rig, seed=7).waveform for times in (1.0, 2.0))

    def predictor():
        return avsnet.Predictor(Toy(depth), scale_from="ear", intrinsics=made["K"], rig=rig.geometry)

    moving = predictor()
    scales = [moving(made["rgb"], noisy(near, seed), RATE).scale for seed in range(100)]
    assert np.std(np.log(scales)) < 0.01 and np.abs(np.diff(np.log(scales[10:]))).max() < 0.01
    alone = predictor()(made["rgb"], far, RATE).scale
    followed = [moving(made["rgb"], noisy(far, seed), RATE).scale for seed in range(3)]
    assert alone > 1.5 * scales[-1] and followed[-1] == pytest.approx(alone, rel=0.1)


def test_pictures_without_an_echo_keep_the_scale_until_all_is_forgotten(room):
    image, truth, intrinsics, waveform = room
    predictor = ears_on(truth / 1.3, intrinsics, "metric_depth")
    with pytest.raises(OptionError, match="needs an echo"):
        predictor(image)
    first = predictor(image, waveform, RATE)
    later = [predictor(image) for _ in range(5)]
    for number, found in enumerate(later, 1):
        assert np.allclose(found.depth, first.depth, rtol=0.02) and found.unit == "m"
        assert found.scale_source == f"carried: {first.scale_source}" and f", {number} frame" in found.warnings[-1]
    spans = [found.interval[1] / found.interval[0] for found in (first, *later)]
    assert (np.diff(spans) > 0.0).all()
    silent = predictor(image, np.zeros((2, 8000)), RATE)
    assert "the echo was not used" in silent.warnings[0] and np.allclose(silent.depth, later[-1].depth)
    predictor.reset()
    assert not predictor(image, np.zeros((2, 8000)), RATE).scale_source.startswith("carried")


def test_metres_are_kept_where_a_metric_model_heard_once(room):
    image, truth, intrinsics, waveform = room
    predictor = ears_on(truth / 1.3, intrinsics, "metric_depth", "auto")
    own, heard, later = predictor(image), predictor(image, waveform, RATE), predictor(image)
    assert np.allclose(own.depth, truth / 1.3) and own.warnings == ()
    assert heard.scale > 1.05 and later.scale == pytest.approx(heard.scale, rel=0.03)


def test_a_network_that_hears_keeps_its_scale_by_sight_alone(room):
    image, _, intrinsics, waveform = room
    net = create_model("avsnet_lite0_av", weights="default")
    net.note_training("rooms of a user's own")  # nobody says how far its metres err: the ear does not correct them
    predictor = avsnet.Predictor(net, intrinsics=intrinsics, rig=RIG)
    sight = float(np.median(predictor(image).depth))
    heard, later, last = predictor(image, waveform, RATE), predictor(image), predictor(image)
    assert abs(np.log(np.median(heard.depth) / sight)) > 0.02
    assert np.median(later.depth) == pytest.approx(np.median(heard.depth), rel=1e-3)
    assert later.warnings[-1].endswith("the last echo, 1 frame ago")
    assert last.warnings[-1].endswith("the last echo, 2 frames ago")


@pytest.mark.parametrize("corrected", [True, False])
def test_a_measured_distance_stays_where_a_network_hears_later(room, corrected):
    image, _, _, waveform = room
    net = create_model("avsnet_lite0_av", weights="default")
    if not corrected:
        net.note_training("rooms of a user's own")
    predictor = avsnet.Predictor(net, scale_from="known:10,10,2", fov=70.0, rig=RIG)
    frames = [predictor(image, *heard) for heard in ((), (waveform, RATE), ())]
    assert [found.depth[10, 10] for found in frames] == pytest.approx([2.0, 2.0, 2.0], rel=0.03)
    assert all("known:10,10,2" in found.scale_source for found in frames)


def test_threads_take_turns_and_a_shared_module_stays_in_eval_mode(room):
    image, truth, intrinsics, waveform = room
    model = Toy(truth / 3.0)
    predictors = [avsnet.Predictor(model, scale_from="ear", intrinsics=intrinsics, rig=RIG) for _ in range(2)]
    assert not any(part.training for part in model.modules())
    found = []

    def work(predictor):
        for seed in range(3):
            found.append(predictor(image, noisy(waveform, seed), RATE).scale)

    threads = [threading.Thread(target=work, args=(predictor,)) for predictor in (*predictors, predictors[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 9 and np.std(np.log(found)) < 0.05
    assert predictors[0]._stream._carried.weight > predictors[1]._stream._carried.weight


@pytest.mark.parametrize("options", [{"scale_from": "rangin"}, {"method": "mode"}, {"rig": "none.json"}])
def test_mistakes_are_told_when_it_is_made(options):
    with pytest.raises(AvsnetError):
        avsnet.Predictor(Toy(np.ones((6, 8))), **options)
