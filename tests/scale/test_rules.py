"""Median scaling against the golden, the fits against slow loops, and what must hold for any map."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from avsnet.errors import DepthError, OptionError
from avsnet.models.info import OUTPUT_KINDS
from avsnet.scale.rules import METHODS, as_depth, scale_depth
from places import GOLDEN

METRICS_GOLDEN = GOLDEN / "metrics"


@pytest.fixture(scope="module")
def golden():
    with np.load(METRICS_GOLDEN / "scale.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def maps():
    random = np.random.default_rng(0)
    return random.uniform(0.2, 3.0, (2, 12, 16)).astype(np.float32)


@pytest.mark.parametrize("image", [0, 1])
def test_the_papers_formula_gives_the_golden_scale_and_map(golden, image):
    result = scale_depth(golden["relative"][image], golden["pseudo_metric"][image], kind="relative_depth")
    assert result.scale == pytest.approx(golden["scale_all_pixels"][image], rel=1e-6)
    assert np.abs(result.depth - golden["scaled_all_pixels"][image]).max() < 1e-5
    assert (result.shift, result.method) == (0.0, "median")
    assert result.depth.dtype == np.float32


@pytest.mark.parametrize("image", [0, 1])
def test_medians_over_valid_pixels_give_the_golden_scale(golden, image):
    relative, reference = golden["relative"][image], golden["pseudo_metric"][image]
    valid = golden["gt"][image] > 0.0
    result = scale_depth(relative, reference, kind="relative_depth", valid=valid)
    assert result.scale == pytest.approx(golden["scale_valid_pixels"][image], rel=1e-6)
    # The mask says where to look; the map is scaled as a whole.
    assert np.allclose(result.depth, relative * result.scale)


@pytest.mark.parametrize("factor", [1e-3, 0.7, 1e4])
def test_the_scale_of_the_input_does_not_matter(maps, factor):
    relative, reference = maps
    result = scale_depth(relative * np.float32(factor), reference, kind="relative_depth")
    assert np.allclose(result.depth, scale_depth(relative, reference, kind="relative_depth").depth, rtol=1e-6)


def test_the_median_of_the_result_is_the_median_of_the_reference(maps):
    result = scale_depth(*maps, kind="relative_depth")
    assert np.median(result.depth) == pytest.approx(np.median(maps[1]), rel=1e-6)


def test_disparity_equals_the_depth_it_stands_for(maps):
    relative, reference = maps
    by_disparity = scale_depth(1.0 / relative, reference, kind="disparity")
    by_depth = scale_depth(relative, reference, kind="relative_depth")
    assert np.allclose(by_disparity.depth, by_depth.depth, rtol=1e-6)
    assert by_disparity.scale == pytest.approx(by_depth.scale, rel=1e-6)


def test_disparity_is_inverted_before_the_median_and_not_after():
    # 1 / mean(1, 3) is 0.5, but the depths 1 and 1/3 have the median 2/3.
    assert scale_depth(np.array([[1.0, 3.0]]), np.ones((1, 2)), kind="disparity").scale == pytest.approx(1.5)


def test_a_metric_map_of_the_right_scale_stays_as_it_is(maps):
    result = scale_depth(maps[0], maps[0], kind="metric_depth")
    assert result.scale == 1.0 and np.array_equal(result.depth, maps[0])


def test_an_even_number_of_pixels_averages_the_two_in_the_middle():
    relative = np.array([[1.0, 2.0, 4.0, 9.0]])
    assert scale_depth(relative, np.full((1, 4), 6.0), kind="relative_depth").scale == 2.0


@pytest.mark.parametrize("strange", [0.0, -1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["relative_depth", "metric_depth", "disparity"])
def test_an_unknown_pixel_is_not_looked_at_and_stays_0(maps, kind, strange):
    relative, reference = maps[0].copy(), maps[1].copy()
    relative[0, 0], reference[3, 3] = strange, strange
    seen = np.ones(relative.shape, bool)
    seen[0, 0] = seen[3, 3] = False
    result = scale_depth(relative, reference, kind=kind)
    assert result.depth[0, 0] == 0.0
    assert (result.depth > 0.0).sum() == relative.size - 1
    wanted = float(np.median(reference[seen])) / float(np.median(as_depth(relative, kind)[seen]))
    assert result.scale == pytest.approx(wanted, rel=1e-6)


def test_a_disparity_too_small_for_a_depth_is_unknown():
    result = scale_depth(np.array([[1e-40, 1.0]], np.float32), np.ones((1, 2)), kind="disparity")
    assert result.depth.tolist() == [[0.0, 1.0]]


def test_a_product_too_large_for_a_depth_is_unknown():
    relative = np.array([[1e-3, 1e-3, 3e38]], np.float32)
    assert scale_depth(relative, np.ones((1, 3)), kind="relative_depth").depth[0, 2] == 0.0


def test_the_inputs_are_left_alone(maps):
    before = maps.copy()
    scale_depth(*maps, kind="disparity")
    assert np.array_equal(maps, before)


@pytest.mark.parametrize("kind", ["affine_depth", "affine_disparity"])
def test_a_kind_whose_shift_is_open_is_refused(maps, kind):
    with pytest.raises(OptionError, match=f"{kind}.* finds a shift"):
        scale_depth(*maps, kind=kind)


def test_unknown_names_are_answered_by_the_known_ones(maps):
    with pytest.raises(OptionError, match=r"'mode'.*" + ", ".join(METHODS)):
        scale_depth(*maps, kind="relative_depth", method="mode")
    with pytest.raises(OptionError, match=r"'depth'.*" + ", ".join(OUTPUT_KINDS)):
        scale_depth(*maps, kind="depth")


@pytest.mark.parametrize("shape", [(12, 15), (1, 12, 16), (192,)])
def test_maps_of_different_shapes_are_an_error(maps, shape):
    with pytest.raises(DepthError, match="shape"):
        scale_depth(np.ones(shape), maps[1], kind="relative_depth")


def test_a_batch_is_no_map(maps):
    with pytest.raises(DepthError, match=r"\(H, W\)"):
        scale_depth(maps, maps, kind="relative_depth")


@pytest.mark.parametrize("valid", [np.ones((12, 15), bool), np.ones((12, 16))])
def test_a_mask_of_another_shape_or_type_is_an_error(maps, valid):
    with pytest.raises(DepthError, match="valid"):
        scale_depth(*maps, kind="relative_depth", valid=valid)


def test_maps_without_a_common_pixel_are_an_error(maps):
    with pytest.raises(DepthError, match="no valid pixel"):
        scale_depth(*maps, kind="relative_depth", valid=np.zeros(maps[0].shape, bool))
    with pytest.raises(DepthError, match="no valid pixel"):
        scale_depth(-maps[0], maps[1], kind="relative_depth")
    with pytest.raises(DepthError, match="no valid pixel"):
        scale_depth(maps[0], np.zeros_like(maps[1]), kind="disparity")


# Least squares, and least squares with a shift


def slow_fit(x, y, with_shift):
    """The normal equations, pixel by pixel: sum (s x + b - y)^2 least."""
    xx = xy = sx = sy = 0.0
    for one, other in zip(x.ravel().tolist(), y.ravel().tolist(), strict=True):
        xx, xy, sx, sy = xx + one * one, xy + one * other, sx + one, sy + other
    if not with_shift:
        return xy / xx, 0.0
    count = x.size
    determinant = xx * count - sx * sx
    return (xy * count - sx * sy) / determinant, (xx * sy - sx * xy) / determinant


@pytest.fixture
def grows(maps):
    """A reference that grows with the map, but does not follow it exactly."""
    relative = maps[0].astype(np.float64)
    return relative, 0.4 + 1.7 * relative + 0.3 * maps[1]


@pytest.mark.parametrize("kind", ["relative_depth", "metric_depth"])
def test_least_squares_of_depth_is_the_slow_sum(grows, kind):
    relative, reference = grows
    result = scale_depth(relative, reference, kind=kind, method="least_squares")
    assert result.scale == pytest.approx(slow_fit(relative, reference, False)[0], rel=1e-6)
    assert (result.shift, result.method, result.space, result.fallback) == (0.0, "least_squares", "depth", None)
    assert np.allclose(result.depth, relative * result.scale, rtol=1e-6)


def test_least_squares_of_disparity_is_the_slow_sum_in_inverse_depth(grows):
    relative, reference = grows
    result = scale_depth(1.0 / relative, reference, kind="disparity", method="least_squares")
    slow, _ = slow_fit(1.0 / relative, 1.0 / reference, False)
    assert np.allclose(result.depth, 1.0 / (slow / relative), rtol=1e-5)
    # Without a shift the scale is a factor of depth, in whatever space it was fitted.
    assert result.scale == pytest.approx(1.0 / slow, rel=1e-5) and result.space == "depth"


@pytest.mark.parametrize("kind", ["relative_depth", "metric_depth", "affine_depth"])
def test_affine_in_depth_is_the_slow_sum(grows, kind):
    relative, reference = grows
    result = scale_depth(relative, reference, kind=kind, method="affine")
    assert (result.scale, result.shift) == pytest.approx(slow_fit(relative, reference, True), rel=1e-5)
    assert (result.method, result.space, result.fallback) == ("affine", "depth", None)
    assert np.allclose(result.depth, relative * result.scale + result.shift, rtol=1e-5)


@pytest.mark.parametrize("kind", ["disparity", "affine_disparity"])
def test_affine_of_a_disparity_is_the_slow_sum_in_inverse_depth(grows, kind):
    relative, reference = grows
    result = scale_depth(1.0 / relative, reference, kind=kind, method="affine")
    slow = slow_fit(1.0 / relative, 1.0 / reference, True)
    assert (result.scale, result.shift) == pytest.approx(slow, rel=1e-4)
    assert result.space == "inverse depth"
    assert np.allclose(1.0 / result.depth, slow[0] / relative + slow[1], rtol=1e-4)


@pytest.mark.parametrize("scale", [0.02, 3.0, 400.0])
@pytest.mark.parametrize("kind", ["affine_depth", "affine_disparity"])
def test_a_known_scale_and_shift_are_found_again(maps, kind, scale):
    depth = maps[0] + 0.5
    own = depth if kind == "affine_depth" else 1.0 / depth
    shift = -2.0 * own.mean() * scale  # most of the map is negative, as a map with an open shift may be
    result = scale_depth(own * scale + shift, depth, kind=kind, method="affine")
    assert result.scale == pytest.approx(1.0 / scale, rel=1e-4)
    assert result.shift == pytest.approx(-shift / scale, rel=1e-4)
    assert np.allclose(result.depth, depth, rtol=1e-4)


@pytest.mark.parametrize("kind", ["relative_depth", "affine_disparity"])
def test_noise_moves_the_fit_by_no_more_than_its_share(kind):
    random = np.random.default_rng(3)
    own = random.uniform(0.3, 2.0, (60, 80))
    fitted = 1.5 * own + 0.2 + random.normal(0.0, 0.02, own.shape)
    reference = 1.0 / fitted if kind.endswith("disparity") else fitted
    result = scale_depth(own, reference, kind=kind, method="affine")
    # The standard error of a slope: deviation of the noise over that of the map, over the root of the pixels.
    assert result.scale == pytest.approx(1.5, abs=5 * 0.02 / own.std() / np.sqrt(own.size))
    assert result.shift == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("method", ["least_squares", "affine"])
@pytest.mark.parametrize("kind", ["relative_depth", "disparity"])
def test_the_fits_look_at_valid_pixels_only_and_scale_all(maps, kind, method):
    relative, reference = maps[0], maps[0] * 2.0
    reference[:, :5] = 9.0
    seen = np.ones(relative.shape, bool)
    seen[:, :5] = False
    own = 1.0 / relative if kind == "disparity" else relative
    result = scale_depth(own, reference, kind=kind, method=method, valid=seen)
    assert result.fallback is None and np.allclose(result.depth, relative * 2.0, rtol=1e-4)


def test_a_pixel_of_an_open_shift_is_unknown_only_where_it_is_no_number(maps):
    depth = maps[0] + 0.5
    own = 1.0 / depth - 1.0
    own[0, 0], own[0, 1] = np.nan, np.inf
    result = scale_depth(own, depth, kind="affine_disparity", method="affine")
    assert (result.depth == 0.0).sum() == 2 and result.shift == pytest.approx(1.0, rel=1e-4)


def bad_reference(maps, what):
    """Map, reference and mask of a fit that cannot be meant."""
    relative, valid = maps[0].copy(), np.ones(maps[0].shape, bool)
    reference = 1.0 + relative
    if what == "anti-correlated":
        reference = 5.0 - relative
    elif what == "too few":
        valid[:] = False
        valid[0, :2] = True
    elif what == "flat map":
        relative[:] = 0.7
    elif what == "flat reference":
        reference[:] = 2.5
    elif what == "behind the camera":
        # A steep line through a few pixels at the map's far end puts the rest behind the camera.
        valid = relative > np.quantile(relative, 0.9)
        reference = 10.0 * (relative - np.quantile(relative, 0.85))
    return relative, reference, valid


BAD = ["anti-correlated", "too few", "flat map", "flat reference", "behind the camera"]


@pytest.mark.parametrize("what", BAD)
def test_a_bad_reference_falls_back_to_the_median_and_says_so(maps, what):
    relative, reference, valid = bad_reference(maps, what)
    result = scale_depth(relative, reference, kind="relative_depth", method="affine", valid=valid)
    median = scale_depth(relative, reference, kind="relative_depth", valid=valid)
    assert result.method == "median" and result.fallback.startswith("affine fell back to the median: ")
    assert (result.scale, result.shift, result.space) == (median.scale, 0.0, "depth")
    assert np.array_equal(result.depth, median.depth)


@pytest.mark.parametrize("what", ["anti-correlated", "too few", "flat map", "flat reference"])
@pytest.mark.parametrize("kind", ["affine_depth", "affine_disparity"])
def test_an_open_shift_has_no_fall_back_and_is_an_error(maps, what, kind):
    relative, reference, valid = bad_reference(maps, what)
    own = 1.0 / relative if kind == "affine_disparity" else relative
    with pytest.raises(DepthError, match=f"{kind}: .*another reference"):
        scale_depth(own, reference, kind=kind, method="affine", valid=valid)


def test_a_few_pixels_behind_the_camera_are_unknown_and_the_fit_stands(maps):
    relative = maps[0]
    reference = relative - np.quantile(relative, 0.1)
    result = scale_depth(relative, reference, kind="affine_depth", method="affine")
    assert result.fallback is None
    assert 0.05 < (result.depth == 0.0).mean() < 0.15


@pytest.mark.parametrize("kind", ["affine_depth", "affine_disparity"])
def test_one_factor_is_not_enough_for_an_open_shift(maps, kind):
    with pytest.raises(OptionError, match="such as affine"):
        scale_depth(*maps, kind=kind, method="least_squares")


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("factor", [1e-18, 1e18])
def test_no_unit_is_too_small_or_too_large_for_a_rule(maps, method, factor):
    relative = (maps[0] * np.float32(factor)).astype(np.float32)
    result = scale_depth(relative, maps[0], kind="relative_depth", method=method)
    assert result.fallback is None and np.allclose(result.depth, maps[0], rtol=1e-4)


def test_the_mean_of_the_result_is_the_mean_of_the_reference(maps):
    result = scale_depth(*maps, kind="relative_depth", method="mean")
    assert result.depth.mean() == pytest.approx(maps[1].mean(), rel=1e-6)


@pytest.mark.parametrize("affine", [False, True])
def test_the_robust_fits_are_hubers_minimum_as_a_general_minimiser_finds_it(affine):
    random = np.random.default_rng(3)
    relative = random.uniform(0.5, 4.0, 400)
    reference = 2.0 * relative + 0.7 * affine + random.standard_t(2, 400) * 0.1
    scale, shift = METHODS["robust_affine" if affine else "robust_least_squares"].fit(relative, reference)
    unit = 1.4826 * np.median(np.abs(scale * relative + shift - reference))
    slow = least_squares(
        lambda x: x[0] * relative + affine * x[1] - reference,
        [1.0, 0.0],
        loss="huber",
        f_scale=1.345 * unit,
        xtol=1e-14,
    )
    assert scale == pytest.approx(slow.x[0], rel=1e-5)
    assert shift == pytest.approx(affine * slow.x[1], abs=1e-4)


@pytest.mark.parametrize("method", ["least_squares", "affine"])
@pytest.mark.parametrize("kind", ["relative_depth", "disparity"])
def test_a_fifth_of_the_pixels_gone_wrong_moves_the_robust_fit_less_than_the_plain_one(maps, method, kind):
    relative = 1.0 / maps[0] if kind == "disparity" else maps[0]
    reference = 2.5 * maps[0]
    reference[:, :3] = 40.0
    plain = scale_depth(relative, reference, kind=kind, method=method).depth[:, 3:]
    robust = scale_depth(relative, reference, kind=kind, method=f"robust_{method}").depth[:, 3:]
    errors = [np.median(np.abs(np.log(np.maximum(depth, 1e-3) / reference[:, 3:]))) for depth in (plain, robust)]
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 0.2


def test_a_map_of_zeros_is_flat_and_gives_no_scale():
    with pytest.raises(DepthError, match="flat"):
        METHODS["affine"].fit(np.zeros(50), np.linspace(1.0, 2.0, 50))


def test_a_mask_takes_pixels_away_and_never_brings_unknown_ones_back():
    random = np.random.default_rng(3)
    relative = random.uniform(0.2, 1.0, (12, 16))
    reference = (2.5 * relative).astype(np.float32)
    relative[:2], reference[2:5] = np.nan, 0.0
    reference[5:7] = np.inf
    for method in METHODS:
        without = scale_depth(relative, reference, kind="relative_depth", method=method)
        everything = np.ones((12, 16), bool)
        masked = scale_depth(relative, reference, kind="relative_depth", method=method, valid=everything)
        assert masked.scale == without.scale == pytest.approx(2.5, rel=1e-6)


@pytest.mark.parametrize("kind", ["affine_depth", "affine_disparity"])
def test_a_map_moved_by_a_factor_is_still_scale_and_shift_of_what_it_was(maps, kind):
    relative = (1.0 / maps[0] if kind == "affine_disparity" else maps[0]) + 1.0
    found = scale_depth(relative, maps[0], kind=kind, method="affine")
    moved = found.times(1.7)
    straight = moved.scale * relative.astype(np.float64) + moved.shift
    assert found.shift != 0.0 and np.allclose(moved.depth, 1.7 * found.depth, rtol=1e-6)
    assert np.allclose(moved.depth, 1.0 / straight if kind == "affine_disparity" else straight, rtol=1e-3)
    assert moved.factor == pytest.approx(1.7 * found.factor)


@pytest.mark.parametrize("method", ["robust_least_squares", "robust_affine"])
@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_robust_fits_settle_alike_in_every_unit(method, factor):
    random = np.random.default_rng(3)
    relative = random.uniform(0.5, 4.0, 400)
    reference = 2.0 * relative + random.standard_t(2, 400) * 0.1
    wanted = METHODS[method].fit(relative, reference)
    found = METHODS[method].fit(relative, factor * reference)
    assert np.array(found) / factor == pytest.approx(np.array(wanted), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("kind", OUTPUT_KINDS)
def test_the_factor_is_metres_per_unit_of_depth_in_every_space(maps, kind, method):
    if kind.startswith("affine") and not METHODS[method].finds_shift:
        pytest.skip("needs a rule that finds a shift")
    depth = maps[0] + 0.5
    own = 1.0 / depth if kind.endswith("disparity") else depth
    assert scale_depth(own, 2.5 * depth, kind=kind, method=method).factor == pytest.approx(2.5, rel=1e-4)


@pytest.mark.parametrize(("pixels", "fitted"), [(2, False), (3, True)])
def test_three_pixels_are_the_fewest_for_scale_and_shift(maps, pixels, fitted):
    valid = np.zeros(maps[0].shape, bool)
    valid[0, :pixels] = True
    result = scale_depth(maps[0], 2.0 * maps[0] + 1.0, kind="relative_depth", method="affine", valid=valid)
    assert (result.fallback is None) is fitted
    if fitted:
        assert (result.scale, result.shift) == pytest.approx((2.0, 1.0), rel=1e-3)


@pytest.mark.parametrize(("behind", "fitted"), [(0.48, True), (0.52, False)])
def test_a_shift_that_puts_half_of_the_map_behind_the_camera_cannot_be_meant(maps, behind, fitted):
    relative = maps[0].astype(np.float64)
    reference = relative - np.quantile(relative, behind)
    result = scale_depth(relative, reference, kind="relative_depth", method="affine")
    assert (result.fallback is None) is fitted


@pytest.mark.parametrize("pixels", [1, 2, 3, 6, 11])
def test_the_weighted_median_is_the_best_of_all_ratios_for_the_mean_relative_error(pixels):
    relative, reference = np.random.default_rng(pixels).uniform(0.5, 5.0, (2, pixels))

    def error(scale):
        return np.mean(np.abs(scale * relative - reference) / reference)

    found, shift = METHODS["weighted_median"].fit(relative, reference)
    assert error(found) == pytest.approx(min(error(scale) for scale in reference / relative)) and shift == 0.0


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_a_rule_has_no_use_for_is_left_as_nothing(maps, method):
    """A shift of 0 and a contrast of 1, but for the rules whose answer they are."""
    relative, reference = maps
    found = scale_depth(relative, relative * 2.0 + 0.01 * reference, kind="relative_depth", method=method)
    assert found.shift == 0.0 or "affine" in method or method == "least_squares"
    assert found.contrast == 1.0 or "log_affine" in method
