"""Median scaling against the golden, and what must hold for any map."""

from pathlib import Path

import numpy as np
import pytest

from avsnet.errors import DepthError, OptionError
from avsnet.models.registry import OUTPUT_KINDS
from avsnet.scaling import METHODS, as_depth, scale_depth

GOLDEN = Path(__file__).resolve().parent / "golden" / "metrics"


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "scale.npz") as arrays:
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
    assert result.scale == np.median(reference[seen]) / np.median(as_depth(relative, kind)[seen])


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
    with pytest.raises(OptionError, match=r"'mean'.*" + ", ".join(METHODS)):
        scale_depth(*maps, kind="relative_depth", method="mean")
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
