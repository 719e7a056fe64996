from dataclasses import replace

import numpy as np
import pytest
import torch

from avsnet.errors import ModelError
from avsnet.models import ModelInfo
from avsnet.models.infer import infer

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
