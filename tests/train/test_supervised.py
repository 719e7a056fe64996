import math

import pytest
import torch
from torch import nn

from avsnet.errors import ModelError, OptionError
from avsnet.losses import l1, log_l1, relative_l1, silog
from avsnet.train.config import ModelConfig, TrainConfig
from avsnet.train.supervised import LOSSES, Supervised, at_size


def maps():
    target = torch.tensor([[1.0, 2.0, 0.0, 4.0]]).reshape(1, 1, 1, 4)
    pred = torch.tensor([[1.5, 1.0, 9.0, 4.0]]).reshape(1, 1, 1, 4).requires_grad_()
    return pred, target, target > 0.0


def test_the_plain_losses_are_means_over_valid_pixels():
    assert relative_l1(*maps()).item() == pytest.approx((0.5 / 1.0 + 1.0 / 2.0 + 0.0) / 3)
    assert l1(*maps()).item() == pytest.approx((0.5 + 1.0 + 0.0) / 3)
    assert log_l1(*maps()).item() == pytest.approx((math.log(1.5) + math.log(2.0)) / 3)


@pytest.mark.parametrize("name", ["l1", "log_l1", "relative_l1", "silog"])
def test_invalid_pixels_have_no_gradient_and_an_empty_batch_gives_0(name):
    loss = LOSSES[name]
    pred, target, valid = maps()
    (gradient,) = torch.autograd.grad(loss(pred, target, valid), pred)
    assert gradient[0, 0, 0, 2] == 0.0 and gradient[0, 0, 0, 0] != 0.0
    nothing = loss(pred, target, torch.zeros_like(valid))
    (gradient,) = torch.autograd.grad(nothing, pred)
    assert nothing == 0.0 and not gradient.any()


def test_losses_are_chosen_by_name():
    assert (LOSSES["silog"], LOSSES["l1"], LOSSES["log_l1"]) == (silog, l1, log_l1)


def test_only_the_width_or_only_the_height_may_differ():
    values = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    torch.testing.assert_close(at_size(values, (2, 3)), torch.tensor([[[[0.0, 0.5, 1.0], [2.0, 2.5, 3.0]]]]))
    torch.testing.assert_close(at_size(values, (3, 2)), torch.tensor([[[[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]]]))
    assert at_size(values, (2, 2)) is values


class Toy(nn.Module):
    """An encoder and a decoder, both with a batch norm."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.decoder = nn.Sequential(nn.Conv2d(4, 1, 1), nn.BatchNorm2d(1), nn.Softplus())

    def forward(self, batch):
        return {"metric_depth": self.decoder(self.encoder(batch["image"]))}

    def parameter_groups(self):
        return {"encoder": list(self.encoder.parameters()), "rest": list(self.decoder.parameters())}


def test_what_is_frozen_stays_and_fixed_norms_keep_their_statistics_while_others_learn():
    config = TrainConfig(model=ModelConfig(frozen=["encoder.0."], fixed_norms=True))
    training = Supervised(Toy(), config, 10, 10)
    assert [weight.requires_grad for weight in training.network.encoder.parameters()] == [False, False, True, True]
    batch = {"image": torch.rand(2, 3, 4, 4), "depth": torch.ones(2, 1, 4, 4), "valid": torch.ones(2, 1, 4, 4) > 0.0}
    for norm in training.fixed:
        norm.eval()
    training.batch_loss(batch)
    assert training.fixed == [training.network.encoder[1]]
    assert not training.network.encoder[1].running_mean.any() and training.network.decoder[1].running_mean.any()
    with pytest.raises(OptionError, match=r"model.frozen: no parameter's name begins with 'head'"):
        Supervised(Toy(), TrainConfig(model=ModelConfig(frozen=["head"])), 10, 10)
    with pytest.raises(OptionError, match=r"model.fixed_norms: this network has no group 'encoder'"):
        Supervised(nn.Linear(2, 2), TrainConfig(model=ModelConfig(fixed_norms=True)), 10, 10)


class Hearing(Toy):
    """One that says twice as much by its ears."""

    def forward(self, batch):
        depth = super().forward(batch)["metric_depth"]
        return {"metric_depth": depth, "as_heard": 2.0 * depth}


def test_what_is_heard_counts_by_its_weight_and_must_be_given_where_it_counts():
    batch = {"image": torch.rand(2, 3, 4, 4), "depth": torch.ones(2, 1, 4, 4), "valid": torch.ones(2, 1, 4, 4) > 0.0}
    network = Hearing()
    depth = network(batch)["metric_depth"]
    whole = Supervised(network, TrainConfig(loss="l1", heard_weight=0.3), 10, 10).batch_loss(batch)
    torch.testing.assert_close(whole, (depth - 1.0).abs().mean() + 0.3 * (2.0 * depth - 1.0).abs().mean())
    with pytest.raises(ModelError, match="it must give as_heard"):
        Supervised(Toy(), TrainConfig(heard_weight=0.3), 10, 10).batch_loss(batch)
