import numpy as np
import pytest
from scipy.stats import norm

from avsnet.scale.posterior import ScalePosterior


def test_a_normal_distribution_has_its_own_mode_interval_and_confidence():
    found = ScalePosterior.normal(2.0, 0.1)
    assert found.probability.sum() == pytest.approx(1.0)
    assert found.scale == pytest.approx(2.0, rel=1e-6)
    assert found.confidence == pytest.approx(norm.cdf(1.5) - norm.cdf(-1.5), abs=0.01)
    expected = 2.0 * np.exp(norm.ppf([0.05, 0.95]) * 0.1)
    assert found.interval(0.9) == pytest.approx(tuple(expected), rel=1e-3)


def test_a_product_of_normal_distributions_weighs_them_by_their_precision():
    one, other = ScalePosterior.normal(2.0, 0.1), ScalePosterior.normal(2.4, 0.2)
    both = one.product(other)
    middle = (np.log(2.0) / 0.1**2 + np.log(2.4) / 0.2**2) / (1 / 0.1**2 + 1 / 0.2**2)
    deviation = (1 / 0.1**2 + 1 / 0.2**2) ** -0.5
    assert np.log(both.scale) == pytest.approx(middle, abs=0.003)
    low, high = both.interval(0.6827)
    assert np.log(high / low) / 2 == pytest.approx(deviation, rel=0.02)
    assert both.scale == pytest.approx(other.product(one).scale, rel=1e-6)


def test_a_pool_of_normal_distributions_lies_between_them_and_is_no_surer():
    one, other = ScalePosterior.normal(1.0, 0.3), ScalePosterior.normal(2.0, 0.3)
    pooled = one.pooled(other, 0.25)
    assert np.log(pooled.median) == pytest.approx(0.25 * np.log(2.0), abs=0.002)
    assert np.ptp(np.log(pooled.interval())) == pytest.approx(np.ptp(np.log(one.interval())), rel=0.01)
    assert one.pooled(other, 0.0).median == pytest.approx(1.0, abs=1e-3)


def test_distributions_without_a_scale_in_common_have_no_product():
    with pytest.raises(ValueError, match="no scale in common"):
        ScalePosterior.normal(1.0, 0.01).product(ScalePosterior.normal(9.0, 0.01))


def test_a_shift_multiplies_every_scale():
    found = ScalePosterior.normal(1.5, 0.2)
    moved = found.shifted(np.log(2.0))
    assert moved.scale == pytest.approx(2.0 * found.scale)
    assert moved.interval(0.5) == pytest.approx(tuple(2.0 * np.array(found.interval(0.5))))
    assert moved.confidence == pytest.approx(found.confidence)


def test_the_second_scale_is_the_best_one_that_is_a_different_answer():
    grid = np.arange(-2.0, 2.0, 0.002)
    peaks = norm.pdf(grid, 0.0, 0.05) + 0.5 * norm.pdf(grid, 1.0, 0.05)
    scale, share = ScalePosterior(grid, peaks).second(0.3)
    assert np.log(scale) == pytest.approx(1.0, abs=0.005)
    assert share == pytest.approx(0.5, abs=0.02)


def test_the_share_of_the_second_scale_is_what_lies_within_15_percent_of_it():
    grid = np.arange(-2.0, 2.0, 0.002)
    broad = ((grid > 0.5) & (grid < 1.5)) / 1.0
    share = ScalePosterior(grid, norm.pdf(grid, -1.0, 0.02) + broad).second(0.3)[1]
    assert share == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("grid", "probability"),
    [([0.0, 1.0, 3.0], [1, 1, 1]), ([0.0, 1.0], [1, -1]), ([0.0, 1.0], [0, 0]), ([0.0, 1.0], [1, 1, 1]), ([0.0], [1])],
)
def test_what_is_no_distribution_is_refused(grid, probability):
    with pytest.raises(ValueError, match="wanted"):
        ScalePosterior(np.array(grid), np.array(probability))


def test_a_product_stands_on_the_finer_grid_over_what_both_allow():
    fine = ScalePosterior(np.linspace(-1.0, 0.5, 301), np.ones(301))
    coarse = ScalePosterior(np.linspace(-0.5, 1.0, 16), np.ones(16))
    for both in (fine.product(coarse), coarse.product(fine)):
        assert both.step == pytest.approx(0.005)
        assert (both.log_scale[0], both.log_scale[-1]) == pytest.approx((-0.5, 0.5), abs=1e-9)


@pytest.mark.parametrize("grid", [[0.0, 0.0, 0.0], [0.0, -1.0, -2.0], [0.0], [[0.0, 1.0]], [0.0, 1.0, 3.0]])
def test_a_grid_that_does_not_rise_evenly_is_refused(grid):
    with pytest.raises(ValueError, match="rise evenly"):
        ScalePosterior(np.array(grid), np.ones(np.shape(grid)))


def test_the_second_scale_is_no_single_spike_beside_its_peak():
    grid = np.arange(-2.0, 2.0, 0.002)
    peaks = norm.pdf(grid, 0.0, 0.05) + 0.5 * norm.pdf(grid, 1.0, 0.05)
    peaks[np.argmin(np.abs(grid - 0.93))] *= 4.0
    assert np.log(ScalePosterior(grid, peaks).second(0.3)[0]) == pytest.approx(1.0, abs=0.02)


def test_the_median_has_as_much_probability_below_as_above():
    grid = np.arange(0.0, 3.0, 0.002)
    skewed = ScalePosterior(grid, np.exp(-grid / 0.3))
    assert np.log(skewed.median) == pytest.approx(0.3 * np.log(2.0), abs=0.003)
    assert ScalePosterior.normal(2.0, 0.1).median == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("moved", [-1.3, 0.7])
def test_the_second_scale_moves_with_the_first_and_keeps_its_share(moved):
    grid = np.arange(-2.0, 2.0, 0.002)
    found = ScalePosterior(grid, norm.pdf(grid, 0.2, 0.05) + 0.5 * norm.pdf(grid, 1.0, 0.05))
    (scale, share), (other, its_share) = found.second(0.3), found.shifted(moved).second(0.3)
    assert other == pytest.approx(scale * np.exp(moved))
    assert its_share == pytest.approx(share, rel=1e-3)  # rounding moves the edge of "within 15 %" by one value


@pytest.mark.parametrize(("deviation", "step"), [(0.1, 0.002), (0.001, 0.0002)])
def test_a_normal_distribution_reaches_six_deviations_in_steps_of_a_fifth_at_most(deviation, step):
    found = ScalePosterior.normal(2.0, deviation)
    assert found.step == pytest.approx(step, rel=1e-6)
    ends = found.log_scale[[0, -1]] - np.log(2.0)
    assert ends == pytest.approx([-6.0 * deviation, 6.0 * deviation], rel=1e-6)


def test_confidence_counts_what_lies_nearer_than_15_percent():
    grid = np.arange(-10, 11) * 0.05
    weights = np.ones(21)
    weights[10] = 2.0
    assert ScalePosterior(grid, weights).confidence == pytest.approx(6.0 / 22.0)  # -0.1 to 0.1


def test_the_best_scale_is_no_spike_and_no_mean_of_two_peaks():
    grid = np.arange(-2.0, 2.0, 0.002)
    peaks = norm.pdf(grid, 0.0, 0.05) + 0.8 * norm.pdf(grid, 0.3, 0.05)
    peaks[np.argmin(np.abs(grid - 0.6))] = 2.0 * peaks.max()
    assert np.log(ScalePosterior(grid, peaks).scale) == pytest.approx(0.0, abs=0.004)
