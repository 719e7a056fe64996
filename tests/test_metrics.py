"""Metrics against the golden and a per-pixel loop; the accumulator against one pass."""

import json
import math

import numpy as np
import pytest
import torch

from avsnet.errors import DepthError, OptionError
from avsnet.metrics import HIGHER_IS_BETTER, METRICS, MetricMean, depth_metrics, valid_depth
from places import GOLDEN

METRICS_GOLDEN = GOLDEN / "metrics"
TOLERANCE = 1e-6
RULES = [(cap, rule) for cap in (12, 30) for rule in ("drop", "clip")]


@pytest.fixture(scope="module")
def images():
    with np.load(METRICS_GOLDEN / "case1.npz") as arrays:
        return arrays["pred"], arrays["gt"]


def golden(cap: int, over_cap: str) -> dict:
    name = {"drop": "drop_over_cap", "clip": "clip_to_cap"}[over_cap]
    return json.loads((METRICS_GOLDEN / "case1.json").read_text())[f"cap{cap}_{name}"]


def mean_over(preds, targets, cap, over_cap) -> MetricMean:
    mean = MetricMean()
    for pred, target in zip(preds, targets, strict=True):
        truth, valid = valid_depth(target, cap, over_cap)
        mean.add(depth_metrics(pred, truth, valid) if valid.any() else None)
    return mean


def slow_metrics(pred, target, valid) -> dict[str, float]:
    pairs = [(float(p), float(g)) for p, g, v in zip(pred.flat, target.flat, valid.flat, strict=True) if v]
    mean = lambda values: sum(values) / len(pairs)  # noqa: E731
    logs = [math.log(p) - math.log(g) for p, g in pairs]
    result = {
        "abs_rel": mean(abs(g - p) / g for p, g in pairs),
        "sq_rel": mean((g - p) ** 2 / g for p, g in pairs),
        "rmse": math.sqrt(mean((g - p) ** 2 for p, g in pairs)),
        "rmse_log": math.sqrt(mean(d * d for d in logs)),
        "log10": mean(abs(d) / math.log(10.0) for d in logs),
        "mae": mean(abs(g - p) for p, g in pairs),
        "silog": 100.0 * math.sqrt(mean(d * d for d in logs) - mean(logs) ** 2),
    }
    for k in (1, 2, 3):
        result[f"delta{k}"] = mean(max(p / g, g / p) < 1.25**k for p, g in pairs)
    return result


@pytest.mark.parametrize(("cap", "over_cap"), RULES)
def test_every_image_gives_the_golden_metrics(images, cap, over_cap):
    expected = golden(cap, over_cap)
    for pred, target, count, metrics in zip(*images, expected["valid_pixels"], expected["per_image"], strict=True):
        target, valid = valid_depth(target, cap, over_cap)
        assert valid.sum() == count
        if metrics is not None:
            assert depth_metrics(pred, target, valid) == pytest.approx(metrics, abs=TOLERANCE)


@pytest.mark.parametrize(("cap", "over_cap"), RULES)
def test_the_mean_skips_empty_images_as_the_golden_does(images, cap, over_cap):
    mean = mean_over(*images, cap, over_cap)
    assert (mean.count, mean.skipped) == (3, 1)
    assert mean.compute() == pytest.approx(golden(cap, over_cap)["mean_skip_empty"], abs=TOLERANCE)


def test_metrics_equal_a_loop_over_pixels(images):
    target, valid = valid_depth(images[1][0], 30.0)
    result = depth_metrics(images[0][0], target, valid)
    assert result == pytest.approx(slow_metrics(images[0][0], target, valid), abs=1e-10)
    assert list(result) == list(METRICS) == list(HIGHER_IS_BETTER)


def test_the_mean_is_taken_per_image_and_not_over_all_pixels():
    mean = MetricMean()
    mean.add(depth_metrics(np.full(1, 2.0), np.full(1, 1.0), np.full(1, True)))
    mean.add(depth_metrics(np.full(99, 1.0), np.full(99, 1.0), np.full(99, True)))
    assert mean.compute()["mae"] == 0.5


def test_merged_parts_equal_one_pass(images):
    parts = [mean_over(images[0][part], images[1][part], 30.0, "drop") for part in np.split(np.arange(4), 2)]
    whole, merged = mean_over(*images, 30.0, "drop"), MetricMean()
    for part in parts:
        merged.merge(part)
    assert (merged.count, merged.skipped) == (whole.count, whole.skipped)
    assert merged.compute() == pytest.approx(whole.compute(), rel=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_give_what_arrays_give(images, dtype):
    target, valid = valid_depth(images[1][0], 30.0)
    pred = torch.tensor(images[0][0], dtype=dtype, requires_grad=True)
    result = depth_metrics(pred[None], torch.tensor(target)[None], torch.tensor(valid)[None])
    assert result == depth_metrics(images[0][0], target, valid)


def test_bfloat16_predictions_are_judged_as_the_numbers_they_are():
    ones = torch.ones(2, 2)
    assert depth_metrics(torch.full((2, 2), 1.5).bfloat16(), ones, ones.bool())["mae"] == 0.5


def test_a_perfect_prediction_has_no_error(images):
    target, valid = valid_depth(images[1][0], 30.0)
    for name, value in depth_metrics(target, target, valid).items():
        assert value == (1.0 if HIGHER_IS_BETTER[name] else 0.0)


def test_a_better_prediction_moves_every_metric_its_way(images):
    target, valid = valid_depth(images[1][0], 30.0)
    worse = depth_metrics(images[0][0], target, valid)
    better = depth_metrics(target**0.7 * np.maximum(images[0][0], 1e-3) ** 0.3, target, valid)
    for name, higher in HIGHER_IS_BETTER.items():
        assert (better[name] > worse[name]) == higher


def test_silog_does_not_see_a_global_scale(images):
    target, valid = valid_depth(images[1][0], 30.0)
    scaled = depth_metrics(3.0 * images[0][0].astype(float), target, valid)
    assert scaled["silog"] == pytest.approx(depth_metrics(images[0][0], target, valid)["silog"], rel=1e-9)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_the_delta_threshold_is_strict(power):
    pred, target, valid = np.array([1.25**power]), np.ones(1), np.ones(1, bool)
    assert depth_metrics(pred, target, valid)[f"delta{power}"] == 0.0
    assert depth_metrics(pred - 1e-9, target, valid)[f"delta{power}"] == 1.0


@pytest.mark.parametrize("pred", [0.0, -1.0, -math.inf, 1e-9])
def test_predictions_below_the_minimum_are_raised_to_it(pred):
    target, valid = np.ones(1), np.ones(1, bool)
    assert depth_metrics(np.array([pred]), target, valid)["log10"] == pytest.approx(3.0)
    assert depth_metrics(np.array([pred]), target, valid, minimum=0.1)["log10"] == pytest.approx(1.0)


def test_predictions_above_the_maximum_are_lowered_to_it():
    found = depth_metrics(np.array([math.inf]), np.ones(1), np.ones(1, bool), maximum=30.0)
    assert found["mae"] == 29.0


@pytest.mark.parametrize("strange", [math.nan, math.inf])
def test_a_valid_pixel_without_a_number_is_an_error(strange):
    pred, target, valid = np.array([1.0, strange]), np.ones(2), np.array([True, True])
    with pytest.raises(DepthError, match="pred: 1 of 2"):
        depth_metrics(pred, target, valid)
    assert depth_metrics(pred, target, np.array([True, False]))["mae"] == 0.0


@pytest.mark.parametrize("unknown", [0.0, -1.0, math.nan, math.inf])
def test_a_valid_pixel_without_a_target_is_an_error(unknown):
    with pytest.raises(DepthError, match="target: 1 of 2"):
        depth_metrics(np.ones(2), np.array([1.0, unknown]), np.ones(2, bool))


def test_an_image_without_a_valid_pixel_is_an_error():
    with pytest.raises(DepthError, match="no valid pixel"):
        depth_metrics(np.ones(2), np.ones(2), np.zeros(2, bool))


def test_a_mean_over_no_image_is_an_error():
    mean = MetricMean()
    mean.add(None)
    with pytest.raises(DepthError, match="1 skipped"):
        mean.compute()


def test_shapes_that_differ_are_an_error_and_never_broadcast():
    with pytest.raises(DepthError, match="shapes differ"):
        depth_metrics(np.ones((2, 2)), np.ones((1, 2)), np.ones((2, 2), bool))


def test_a_mask_that_is_not_bool_is_an_error():
    with pytest.raises(DepthError, match="bool"):
        depth_metrics(np.ones(2), np.ones(2), np.ones(2))


@pytest.mark.parametrize(("minimum", "maximum"), [(0.0, 30.0), (-1.0, 30.0), (2.0, 1.0), (math.nan, 1.0)])
def test_bounds_that_leave_nothing_are_an_error(minimum, maximum):
    with pytest.raises(OptionError, match="minimum"):
        depth_metrics(np.ones(1), np.ones(1), np.ones(1, bool), minimum=minimum, maximum=maximum)


@pytest.mark.parametrize(
    ("over_cap", "expected"), [("drop", [0, 0, 0, 0, 0, 5, 12, 0]), ("clip", [0, 0, 0, 0, 0, 5, 12, 12])]
)
def test_only_known_depth_counts_and_the_rule_decides_above_the_cap(over_cap, expected):
    read = np.array([0.0, -2.0, np.nan, np.inf, -np.inf, 5.0, 12.0, 12.5], np.float32)
    target, valid = valid_depth(read, 12.0, over_cap)
    assert target.dtype == np.float32 and valid.dtype == bool
    assert target.tolist() == expected
    assert (valid == (target > 0.0)).all()


def test_millimetres_and_unknown_rules_are_errors():
    with pytest.raises(DepthError, match="uint16"):
        valid_depth(np.ones(2, np.uint16), 30.0)
    with pytest.raises(OptionError, match="cap"):
        valid_depth(np.ones(2), 0.0)
    with pytest.raises(OptionError, match="keep"):
        valid_depth(np.ones(2), 30.0, "keep")


def test_merged_means_count_what_was_skipped_in_either():
    random = np.random.default_rng(0)
    parts = [MetricMean(), MetricMean()]
    whole = MetricMean()
    for place in range(7):
        target = np.zeros((4, 5)) if place in (1, 4, 5) else random.uniform(1.0, 5.0, (4, 5))
        pred = random.uniform(1.0, 5.0, (4, 5))
        for mean in (parts[place % 2], whole):
            mean.add(depth_metrics(pred, target, target > 0) if target.any() else None)
    assert [part.skipped for part in parts] == [1, 2]
    parts[0].merge(parts[1])
    assert (parts[0].count, parts[0].skipped) == (whole.count, whole.skipped) == (4, 3)
    assert parts[0].compute() == pytest.approx(whole.compute())
