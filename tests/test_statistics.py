"""The grouped bootstrap against scipy, theory and its own promise; and what may be called a difference."""

import math

import numpy as np
import pytest
import scipy.stats

from avsnet.errors import DepthError, OptionError
from avsnet.statistics import Interval, fewest_groups, grouped_interval, verdict


def drawn(random, groups, spread=1.0, largest=12):
    """Values whose groups share an effect, of unequal sizes; the true mean is 0."""
    sizes = random.integers(1, largest + 1, groups)
    names = np.repeat([f"room {place}" for place in range(groups)], sizes)
    effects = np.repeat(random.normal(0.0, spread, groups), sizes)
    return effects + random.normal(0.0, 0.5, sizes.sum()), names


def test_groups_of_one_size_give_scipys_interval_of_their_means():
    random = np.random.default_rng(0)
    values = random.exponential(1.0, (30, 4))
    names = np.repeat([f"{place:02d}" for place in range(30)], 4)
    widened = 2 * scipy.stats.norm.cdf(math.sqrt(30 / 29) * scipy.stats.t.ppf(0.975, 29)) - 1
    expected = scipy.stats.bootstrap(
        (values.mean(axis=1),),
        np.mean,
        n_resamples=2000,
        confidence_level=widened,
        method="BCa",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    found = grouped_interval(values.ravel(), names)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-6)
    assert found.mean == pytest.approx(values.mean()) and found.groups == 30


@pytest.mark.slow
@pytest.mark.parametrize("groups", [12, 20, 60])
def test_intervals_hold_the_true_mean_as_often_as_they_say_with_few_groups_too(groups):
    random = np.random.default_rng(groups)
    held = 0
    for _ in range(600):
        found = grouped_interval(*drawn(random, groups), draws=800)
        held += found.low <= 0.0 <= found.high
    assert 0.93 <= held / 600 <= 0.97


def test_resampling_images_that_share_a_room_would_promise_too_much():
    random = np.random.default_rng(1)
    held_by_images = held = 0
    for _ in range(60):
        values, names = drawn(random, 15)
        apart = grouped_interval(values, [str(place) for place in range(len(values))], draws=300)
        found = grouped_interval(values, names, draws=300)
        held_by_images += apart.low <= 0.0 <= apart.high
        held += found.low <= 0.0 <= found.high
    assert held_by_images < 48 < 53 < held


def test_every_image_counts_once_however_many_share_its_group():
    values = [0.0, *([1.0] * 9), *range(6)]
    names = ["a", *("b" * 9), *"cdefgh"]
    assert grouped_interval(values, names).mean == pytest.approx(np.mean(values))


def test_the_interval_repeats_with_its_seed_and_does_not_depend_on_the_order():
    values, names = drawn(np.random.default_rng(2), 12)
    order = np.random.default_rng(3).permutation(len(values))
    found = grouped_interval(values, names)
    again = grouped_interval(values[order], names[order])
    assert found == grouped_interval(values, names)
    assert (again.low, again.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_of_few_groups_no_interval_can_be_had(groups):
    values = np.random.default_rng(4).normal(5.0, 1.0, 50)
    found = grouped_interval(values, [str(place % groups) for place in range(50)])
    assert not found.known and found.holds_zero and found.groups == groups
    assert verdict(found, 1.0).startswith(f"open: {groups} group")
    assert grouped_interval(values, [str(place % fewest_groups()) for place in range(50)]).known


def test_equal_values_have_an_interval_without_width():
    assert grouped_interval([2.0] * 8, list("abcdefgh")) == Interval(2.0, 2.0, 2.0, 8)


def test_a_paired_interval_is_narrower_than_what_unpaired_scores_would_give():
    random = np.random.default_rng(3)
    names = [str(place // 5) for place in range(200)]
    hard = random.normal(1.0, 0.5, 200)  # how hard each image is, for both systems alike
    visual, audio_visual = hard + random.normal(0.10, 0.02, 200), hard + random.normal(0.0, 0.02, 200)
    paired, apart = grouped_interval(visual - audio_visual, names), grouped_interval(visual, names)
    assert paired.low > 0.09
    assert paired.high - paired.low < 0.2 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("values", "groups", "options"),
    [
        ([], [], {}),
        ([np.nan], ["a"], {}),
        ([1.0], [], {}),
        ([1.0], ["a"], {"level": 1.0}),
        ([1.0], ["a"], {"draws": 0}),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(values, groups, options):
    with pytest.raises((DepthError, OptionError)):
        grouped_interval(np.array(values), groups, **options)


def test_only_a_sure_difference_of_one_percent_that_no_control_shows_is_called_one():
    sure = Interval(-0.05, -0.08, -0.02, 20)
    assert verdict(sure, 0.3) == "lower"
    assert verdict(Interval(0.05, 0.02, 0.08, 20), 0.3) == "higher"
    assert verdict(Interval(-0.002, -0.003, -0.001, 20), 0.3) == "none: under 1%"
    assert verdict(Interval(-0.05, -0.11, 0.01, 20), 0.3) == "none: the interval holds 0"
    assert verdict(sure, 0.3, control=Interval(-0.01, -0.04, 0.02, 20)) == "none: within the control's"
    assert verdict(sure, 0.3, control=Interval(0.04, 0.01, 0.06, 20)) == "none: within the control's"
    assert verdict(sure, 0.3, control=sure) == "lower"
