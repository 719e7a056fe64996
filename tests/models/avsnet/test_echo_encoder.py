"""The echo encoder: shapes that do not depend on the spectrogram's, and a time axis that stays range."""

import pytest
import torch

from avsnet.errors import OptionError
from avsnet.models.avsnet.echo_encoder import CELLS, FRONTS, EchoEncoder


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("tokens", [False, True])
def test_any_spectrogram_gives_the_same_shape(front, tokens):
    encoder = EchoEncoder(24, front, tokens).eval()
    wanted = (2, CELLS[front][1], 24) if tokens else (2, 24)
    for size in ((257, 487), (257, 201), (192, 256)):
        assert encoder(torch.rand(2, 2, *size)).shape == wanted


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("tokens", [False, True])
def test_every_weight_gets_a_gradient(front, tokens):
    torch.manual_seed(0)
    encoder = EchoEncoder(24, front, tokens)
    encoder(torch.rand(2, 2, 128, 160))[..., 0].square().sum().backward()
    assert not [name for name, weight in encoder.named_parameters() if not weight.grad.abs().max() > 0.0]


def test_a_later_sound_moves_a_later_token():
    torch.manual_seed(0)
    encoder = EchoEncoder(24, tokens=True).eval()
    quiet = torch.zeros(1, 2, 257, 487)
    base = encoder(quiet)
    changed = []
    for column in (60, 240, 420):
        echo = quiet.clone()
        echo[..., column : column + 4] = 3.0
        moved = (encoder(echo) - base).abs().sum(2)[0].nonzero()[:, 0].float()
        changed.append(moved.mean().item())
        assert len(moved) <= 8  # a few neighbours, by the reach of the convolutions
    cells = [column / 487 * 64 for column in (60, 240, 420)]
    assert changed == pytest.approx(cells, abs=2.5)


def test_the_vector_is_normalised():
    encoder = EchoEncoder(64).eval()
    vector = encoder(torch.rand(3, 2, 128, 160) * torch.tensor([1.0, 10.0, 100.0])[:, None, None, None])
    torch.testing.assert_close(vector.mean(1), torch.zeros(3), rtol=0.0, atol=1e-5)
    assert (vector.std(1, correction=0) - 1.0).abs().max() < 0.1


def test_the_front_is_the_published_one():
    shapes = [tuple(layer.weight.shape) for layer in EchoEncoder(512).front if isinstance(layer, torch.nn.Conv2d)]
    assert shapes == [(32, 2, 8, 8), (64, 32, 4, 4), (8, 64, 3, 3)]
    assert EchoEncoder(512).embed.in_features == 3584


def test_an_unknown_front_is_named():
    with pytest.raises(OptionError, match="echo_front: found 'vgg'"):
        EchoEncoder(8, "vgg")
