import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from avsnet.errors import ModelError
from avsnet.models import ModelInfo
from avsnet.models.infer import batch_of_one, infer, network_map_each

INFO = ModelInfo("toy", "disparity", "MIT", "MIT", "this test", size_multiple=2)


class Ramp(torch.nn.Module):
    """Gives red plus a ramp from left to right: what it says of a mirrored picture is not the mirror image."""

    def __init__(self, **rules):
        super().__init__()
        self.info = replace(INFO, **rules)
        self.batches = []

    def forward(self, batch):
        self.batches.append(batch)
        red = batch["image"][:, :1]
        return {"disparity": red + torch.linspace(0.0, 1.0, red.shape[-1])}


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)


def test_a_legal_picture_goes_through_as_it_is(picture):
    found = infer(Ramp(), picture)
    assert np.allclose(found, picture[..., 0] / 255 + np.linspace(0, 1, 12), atol=1e-6)


def test_the_mean_of_both_directions_cancels_what_is_odd_in_the_network(picture):
    found = infer(Ramp(flip="mean"), picture)
    assert np.allclose(found, picture[..., 0] / 255 + 0.5, atol=1e-6)
    assert np.allclose(infer(Ramp(flip="mean"), picture, flip=False), infer(Ramp(), picture))


def test_the_blend_takes_each_direction_alone_at_its_border(picture):
    found = infer(Ramp(flip="blend"), picture) - picture[..., 0] / 255
    assert np.allclose(found[:, 0], 1.0, atol=1e-6)  # the mirrored picture's
    assert np.allclose(found[:, -1], 1.0, atol=1e-6)  # the picture's own
    assert np.allclose(found[:, 5:7], 0.5, atol=1e-6)


def test_mirroring_swaps_the_ears_and_both_pictures_go_in_one_batch(picture):
    model, waveform = Ramp(flip="mean"), torch.randn(2, 9)
    infer(model, picture, waveform=waveform, sample_rate=44_100)
    (batch,) = model.batches
    assert torch.equal(batch["waveform"], torch.stack([waveform, waveform.flip(0)]))
    assert batch["sample_rate"] == 44_100
    assert torch.equal(batch["image"][1], batch["image"][0].flip(-1))


def test_padding_by_reflection_is_cut_off_again(picture):
    model = Ramp(pad=True)
    found = infer(model, picture)
    rows, columns = model.batches[0]["image"].shape[2:]
    assert (rows, columns) == (8 + 2 * int(3 * 4**0.5), 12 + 2 * int(3 * 6**0.5))
    assert found.shape == (8, 12)
    assert np.allclose(found - np.linspace(0, 1, columns)[7:19], picture[..., 0] / 255, atol=1e-6)


@pytest.mark.parametrize("resample", ["bilinear", "bicubic", "lanczos", "corners", "cubic"])
def test_every_filter_keeps_a_constant_picture_and_a_constant_map(resample):
    found = infer(
        Ramp(size=(6, 10), resample=resample, upsample=resample, flip="mean"), np.full((9, 7, 3), 51, np.uint8)
    )
    assert found.shape == (9, 7)
    assert np.allclose(found, 0.2 + 0.5, atol=1e-5)


@pytest.mark.parametrize(
    ("fit", "wanted"),
    [("exact", (384, 384)), ("minimal", (384, 672)), ("upper", (224, 384)), ("lower", (384, 672))],
)
def test_a_wide_picture_comes_to_the_size_that_its_fit_names(fit, wanted):
    model = Ramp(size=(384, 384), size_multiple=32, fit=fit)
    infer(model, np.zeros((720, 1280, 3), np.uint8))
    assert tuple(model.batches[0]["image"].shape[2:]) == wanted


def test_a_failing_network_a_wrong_shape_and_nan_are_model_errors(picture):
    for output, message in (
        (lambda image: image.sum(), "fails on a picture|of shape"),
        (lambda image: image, r"of shape \(1, 3, 8, 12\), not"),
        (lambda image: image[:, :1] * float("nan"), "NaN or infinite"),
    ):
        model = Ramp()
        model.forward = lambda batch, output=output: {"disparity": output(batch["image"])}
        with pytest.raises(ModelError, match=message):
            infer(model, picture)


class Holed(torch.nn.Module):
    """Half of the map is 4, the right half unknown; what it sees is mirrored or not."""

    def __init__(self, hole, **rules):
        super().__init__()
        self.info, self.hole = replace(INFO, **rules), hole

    def forward(self, batch):
        values = torch.full_like(batch["image"][:, :1], 4.0)
        values[..., values.shape[-1] // 2 :] = self.hole
        return {self.info.output: values}


@pytest.mark.parametrize("hole", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("output", ["metric_depth", "relative_depth", "disparity"])
def test_unknown_pixels_come_to_the_pictures_size_as_unknown_and_known_ones_keep_their_depth(hole, output):
    rules = {"size": (8, 12), "size_multiple": None, "output": output}
    for more in ({}, {"upsample": "cubic"}, {"pad": True}, {"upsample_inverse": True, "upsample": "linear"}):
        found = infer(Holed(hole, **rules, **more), np.zeros((50, 70, 3), np.uint8))
        assert np.isfinite(found).all()
        assert np.allclose(found[found != 0.0], 4.0, atol=1e-4)
        assert 0.4 < (found != 0.0).mean() < 0.6


@pytest.mark.parametrize("flip", ["mean", "blend"])
def test_what_the_picture_does_not_tell_its_mirror_image_does(flip):
    found = infer(Holed(0.0, output="metric_depth", flip=flip), np.zeros((8, 12, 3), np.uint8))
    assert np.allclose(found, 4.0)


def test_where_a_shift_is_open_zero_is_a_value_and_nan_stays_unknown():
    picture = np.zeros((48, 64, 3), np.uint8)
    rules = {"size": (8, 12), "size_multiple": None, "output": "affine_disparity"}
    assert 1.0 < infer(Holed(0.0, **rules), picture).mean() < 3.0
    found = infer(Holed(float("nan"), **rules), picture)
    assert np.allclose(found[np.isfinite(found)], 4.0) and 0.4 < np.isnan(found).mean() < 0.6


def test_two_threads_on_a_network_in_training_mode_see_the_same_and_leave_its_mode():
    class Slow(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.frozen = torch.nn.Dropout(0.5), torch.nn.Dropout(0.5).eval()
            self.info = ModelInfo("slow", "relative_depth", "MIT", "none", "this test", size_multiple=1)

        def forward(self, batch):
            time.sleep(0.002 * float(batch["image"][0, 0, 0, 0] * 20))
            return {"relative_depth": self.drop(1.0 + batch["image"].mean(1, keepdim=True))}

    network = Slow().train()
    network.frozen.eval()
    pictures = [np.full((8, 8, 3), level, np.uint8) for level in (0, 40, 90, 200)] * 10
    with ThreadPoolExecutor(4) as threads:
        maps = list(threads.map(lambda picture: infer(network, picture), pictures))
    for picture, found in zip(pictures, maps, strict=True):
        assert np.allclose(found, 1.0 + picture[0, 0, 0] / 255.0, atol=1e-6)
    assert network.training and network.drop.training and not network.frozen.training


class Rows(torch.nn.Module):
    """Tells how many pictures came together, and fails on black ones."""

    info = ModelInfo("rows", "metric_depth", "none", "none", "this test")

    def __init__(self):
        super().__init__()
        self.counts = []

    def forward(self, batch):
        self.counts.append(len(batch["image"]))
        depth = batch["image"].mean(dim=1, keepdim=True)
        return {"metric_depth": torch.where(depth > 0.0, depth, torch.nan)}


def test_pictures_of_one_shape_go_through_together_and_a_failing_one_fails_alone():
    model = Rows()
    values = {(4, 6): (51, 102, 0, 255), (6, 4): (153,)}
    pictures = [np.full((*size, 3), value, np.uint8) for size, group in values.items() for value in group]
    order = [0, 4, 1, 2, 3]
    found = network_map_each(model, [batch_of_one(model.info, pictures[place]) for place in order])
    assert model.counts == [4, 1, 1, 1, 1, 1]
    for place, values_found in zip(order, found, strict=True):
        if place == 2:
            assert isinstance(values_found, ModelError)
        else:
            assert values_found.shape == pictures[place].shape[:2]
            assert np.allclose(values_found, pictures[place][0, 0, 0] / 255.0)
    assert network_map_each(model, []) == []
