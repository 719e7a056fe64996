"""AIDE against loops over pixels, and what must hold for any scores."""

import math

import numpy as np
import pytest

from avsnet.analysis import aide, aide_of_intervals, gap_closed, interval_errors
from avsnet.errors import DepthError


@pytest.fixture(scope="module")
def maps():
    random = np.random.default_rng(0)
    target = random.uniform(0.2, 6.5, (3, 7, 9))
    target[2] = random.uniform(0.2, 2.9, (7, 9))  # this image has no far pixels
    valid = random.random(target.shape) > 0.3
    target[~valid] = 0.0
    return target * random.uniform(0.7, 1.4, target.shape), target * 1.1, target, valid


def slow_aide(pred_v, pred_av, target, valid):
    """The formula, pixel by pixel."""
    sums, images = {}, {}
    for n in range(len(target)):
        gains = {}
        for i in range(target.shape[1]):
            for j in range(target.shape[2]):
                if valid[n, i, j]:
                    gain = abs(pred_v[n, i, j] - target[n, i, j]) - abs(pred_av[n, i, j] - target[n, i, j])
                    gains.setdefault(math.floor(target[n, i, j]), []).append(gain)
        for k, values in gains.items():
            sums[k] = sums.get(k, 0.0) + sum(values) / len(values)
            images[k] = images.get(k, 0) + 1
    return sums, images


def test_aide_equals_the_formula_worked_out_pixel_by_pixel_both_ways_of_dividing(maps):
    found = aide(*maps)
    sums, images = slow_aide(*maps)
    assert len(found.mean) == max(sums) + 1
    assert found.total == 3
    for k in range(len(found.mean)):
        assert found.images[k] == images.get(k, 0)
        assert found.mean_over_all[k] == pytest.approx(sums.get(k, 0.0) / 3)
        assert found.mean[k] == pytest.approx(sums[k] / images[k]) if k in sums else math.isnan(found.mean[k])


def test_swapping_the_systems_turns_the_sign_and_equal_systems_give_zero(maps):
    pred_v, pred_av, target, valid = maps
    assert np.allclose(aide(*maps).mean, -aide(pred_av, pred_v, target, valid).mean, equal_nan=True)
    assert np.nanmax(np.abs(aide(pred_v, pred_v, target, valid).mean)) == 0.0


def test_a_perfect_audio_visual_map_gains_the_whole_error_of_the_visual_one(maps):
    pred_v, _, target, valid = maps
    assert np.allclose(
        aide(pred_v[0], target[0], target[0], valid[0]).mean,
        interval_errors(pred_v[0], target[0], valid[0]),
        equal_nan=True,
    )


def test_a_pixel_on_the_border_of_two_metres_belongs_to_the_upper_one():
    errors = interval_errors(np.array([[4.0]]), np.array([[3.0]]), np.array([[True]]))
    assert np.isnan(errors[:3]).all() and errors[3] == 1.0


def test_an_image_without_a_valid_pixel_counts_only_in_the_total(maps):
    pred_v, pred_av, target, valid = (array.copy() for array in maps)
    before = aide(pred_v[:2], pred_av[:2], target[:2], valid[:2])
    valid[2] = False
    after = aide(pred_v, pred_av, target, valid)
    assert np.allclose(before.mean, after.mean, equal_nan=True)
    assert np.allclose(before.mean_over_all * 2, after.mean_over_all * 3)


def test_maps_that_do_not_belong_together_are_refused(maps):
    pred_v, pred_av, target, valid = maps
    with pytest.raises(DepthError, match="shapes"):
        aide(pred_v[:2], pred_av, target, valid)
    with pytest.raises(DepthError, match="wanted bool"):
        aide(pred_v, pred_av, target, target)
    with pytest.raises(DepthError, match="no valid pixel"):
        aide(pred_v, pred_av, target, np.zeros_like(valid))
    with pytest.raises(DepthError, match="NaN"):
        aide(np.full_like(pred_v, np.nan), pred_av, target, valid)
    with pytest.raises(DepthError, match="same images"):
        aide_of_intervals([np.ones(2)], [np.ones(3)])


def test_the_gap_is_closed_by_all_by_nothing_or_by_less():
    assert gap_closed(0.4, 0.2, 0.2) == 1.0
    assert gap_closed(0.4, 0.4, 0.2) == 0.0
    assert gap_closed(0.4, 0.5, 0.2) == pytest.approx(-0.5)
    assert gap_closed(0.5, 0.7, 0.9) == pytest.approx(0.5)  # delta1, higher is better
    assert math.isnan(gap_closed(0.4, 0.3, 0.4))
