import math

import pytest
import torch

from avsnet.losses import l1, log_l1, silog
from avsnet.train.supervised import LOSSES


def maps():
    target = torch.tensor([[1.0, 2.0, 0.0, 4.0]]).reshape(1, 1, 1, 4)
    pred = torch.tensor([[1.5, 1.0, 9.0, 4.0]]).reshape(1, 1, 1, 4).requires_grad_()
    return pred, target, target > 0.0


def test_l1_and_log_l1_are_the_papers_means_over_valid_pixels():
    assert l1(*maps()).item() == pytest.approx((0.5 + 1.0 + 0.0) / 3)
    assert log_l1(*maps()).item() == pytest.approx((math.log(1.5) + math.log(2.0)) / 3)


@pytest.mark.parametrize("name", ["l1", "log_l1", "silog"])
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
