"""SILog against the published number, against its own formula in float64, and at its edges."""

import math

import numpy as np
import pytest
import torch

from avsnet.losses import silog
from places import SHARED

GOLDEN = SHARED / "golden" / "zoedepth_head" / "case1.npz"


def maps(batch=2, size=(6, 8)):
    stream = torch.Generator().manual_seed(0)
    pred, target = (torch.rand(batch, 1, *size, generator=stream) * 5.0 + 0.5 for _ in range(2))
    return pred, target, torch.rand(batch, 1, *size, generator=stream) > 0.3


def test_silog_is_the_published_number():
    if not GOLDEN.is_file():
        pytest.skip("../shared/golden/zoedepth_head is absent")
    with np.load(GOLDEN) as case:
        pred, target, valid = (torch.from_numpy(case[f"loss_{name}"]) for name in ("pred", "gt", "mask"))
        assert silog(pred, target, valid).item() == pytest.approx(float(case["loss_silog"]), rel=1e-6)


def test_silog_is_its_formula_pixel_by_pixel():
    pred, target, valid = maps()
    errors = [math.log(p) - math.log(t) for p, t in zip(pred[valid].tolist(), target[valid].tolist(), strict=True)]
    mean = sum(errors) / len(errors)
    variance = sum((error - mean) ** 2 for error in errors) / (len(errors) - 1)
    wanted = 10.0 * math.sqrt(variance + 0.15 * mean**2)
    assert silog(pred, target, valid).item() == pytest.approx(wanted, rel=1e-5)


def test_without_a_mask_unknown_pixels_do_not_count():
    pred, target, valid = maps()
    target[~valid] = 0.0
    assert torch.equal(silog(pred, target), silog(pred, target, valid))
    assert torch.equal(silog(pred, target, torch.ones_like(valid)), silog(pred, target, valid))


def test_at_weight_zero_the_scale_is_free_and_at_weight_one_it_is_not():
    pred, target, valid = maps()
    torch.testing.assert_close(silog(3.0 * pred, target, valid, weight=0.0), silog(pred, target, valid, weight=0.0))
    assert silog(3.0 * target, target, valid, weight=1.0) > 10.0


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pixels_give_zero_and_a_finite_gradient(count):
    pred, target, valid = maps()
    valid[:] = False
    valid.view(-1)[:count] = True
    pred.requires_grad_()
    loss = silog(pred, target, valid)
    loss.backward()
    assert loss.item() == 0.0 and torch.equal(pred.grad, torch.zeros_like(pred))


def test_a_perfect_map_has_a_finite_gradient():
    _, target, valid = maps()
    pred = target.clone().requires_grad_()
    silog(pred, target, valid).backward()
    assert torch.isfinite(pred.grad).all()


def test_a_pixel_that_does_not_count_gets_no_gradient_even_where_the_prediction_is_broken():
    pred, target, valid = maps()
    pred[0, 0, 0, 0], valid[0, 0, 0, 0] = -1.0, False
    pred.requires_grad_()
    silog(pred, target, valid).backward()
    assert torch.isfinite(pred.grad).all() and pred.grad[0, 0, 0, 0] == 0.0
