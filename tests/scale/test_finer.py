import numpy as np
import pytest
from scipy.optimize import least_squares, minimize

from avsnet.errors import DepthError
from avsnet.scale.finer import CONTRASTS, agreed_ridge, bend, grid, histogram, log_affine, shrunk_grid
from avsnet.scale.rules import METHODS, scale_depth

FINER = ("log_affine", "robust_log_affine", "histogram", "grid", "shrunk_grid")


@pytest.fixture
def maps():
    """A relative map, the metres it stands for with contrast 0.7, noise and a slope over the picture, and a mask."""
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[:24, :32]
    depth = np.exp(0.4 * np.sin(rows / 5.0) + 0.02 * columns + random.normal(0.0, 0.05, (24, 32)))
    metres = 2.5 * depth**0.7 * np.exp(random.normal(0.0, 0.05, depth.shape) + 0.01 * columns)
    known = random.random(depth.shape) > 0.2
    return depth, metres, known


def test_log_affine_has_the_slope_of_a_general_minimiser_and_leaves_residuals_of_median_0(maps):
    depth, metres, known = maps
    x, y = np.log(depth[known]), np.log(metres[known])
    slow = minimize(lambda p: np.square(p[0] + p[1] * x - y).sum(), [0.0, 1.0], method="BFGS").x
    found = log_affine(*maps)
    assert found.contrast == pytest.approx(slow[1], rel=1e-3)
    level = np.median(y - slow[1] * x)
    assert np.allclose(found.depth, np.exp(level) * depth ** slow[1], rtol=1e-4)


def test_robust_log_affine_is_hubers_minimum_as_a_general_minimiser_finds_it(maps):
    depth, metres, known = maps
    metres = metres * np.exp(0.1 * np.random.default_rng(1).standard_t(2, metres.shape))
    found = log_affine(depth, metres, known, robust=True)
    x, y = np.log(depth[known]), np.log(metres[known])
    residual = np.log(found.depth[known]) - y
    unit = 1.4826 * np.median(np.abs(residual))
    slow = least_squares(lambda p: p[0] + p[1] * x - y, [0.0, 1.0], loss="huber", f_scale=1.345 * unit, xtol=1e-14).x
    assert found.contrast == pytest.approx(slow[1], rel=1e-3)


@pytest.mark.parametrize(("truth", "limit"), [(0.05, CONTRASTS[0]), (5.0, CONTRASTS[1])])
def test_a_contrast_that_no_model_needs_is_brought_to_the_nearest_that_one_does(maps, truth, limit):
    depth, _, known = maps
    found = log_affine(depth, 2.0 * depth**truth, known)
    assert found.contrast == limit


def test_the_histogram_is_that_of_the_reference_and_the_order_of_depths_that_of_the_map(maps):
    depth, metres, known = maps
    found = histogram(depth, metres, known).depth
    shares = np.linspace(0.0, 1.0, 51)
    assert np.allclose(np.quantile(found[known], shares), np.quantile(metres[known], shares), rtol=0.03)
    order = np.argsort(depth, axis=None)
    assert (np.diff(found.ravel()[order]) >= 0.0).all()


def test_the_histogram_gives_each_pixel_the_reference_of_its_rank(maps):
    depth, metres, _ = maps
    found = histogram(depth, metres, np.ones_like(depth, dtype=bool)).depth.ravel()
    slow = np.empty(depth.size)
    slow[np.argsort(depth, axis=None)] = np.sort(metres, axis=None)
    assert np.abs(np.log(found / slow)).mean() < 0.005


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("cells", [2, 3])
def test_the_grid_is_the_general_minimum_of_its_sum(maps, cells, ridge):
    depth, metres, known = maps
    weight = np.random.default_rng(2).uniform(0.1, 1.0, depth.shape)
    one = np.log(np.median(metres[known]) / np.median(depth[known]))
    basis = []
    for row in range(cells):
        for column in range(cells):
            nodes = np.zeros((cells, cells))
            nodes[row, column] = 1.0
            at = [np.linspace(0.0, cells - 1.0, size) for size in depth.shape]
            along = np.stack([np.interp(at[1], range(cells), line) for line in nodes])
            basis.append(np.stack([np.interp(at[0], range(cells), line) for line in along.T], axis=1))
    every = np.stack(basis, axis=-1)

    def loss(nodes):
        error = np.square(one + every @ nodes - np.log(metres / depth))
        return (weight * error)[known].sum() / weight[known].sum() + ridge * np.square(nodes).mean()

    slow = minimize(loss, np.zeros(cells * cells), method="BFGS", options={"gtol": 1e-9}).x
    found = grid(depth, metres, known, weight, cells=cells, ridge=ridge).depth
    assert np.allclose(found, depth * np.exp(one + every @ slow), rtol=1e-3)


def test_a_strong_ridge_or_a_single_node_is_one_scale(maps):
    depth, metres, known = maps
    ratio = np.median(metres[known]) / np.median(depth[known])
    assert np.allclose(grid(*maps, ridge=1e9).depth, ratio * depth, rtol=1e-6)
    one = grid(*maps, cells=1, ridge=0.0).depth / depth
    assert np.ptp(one) < 1e-9


def test_pixels_without_confidence_do_not_count(maps):
    depth, metres, known = maps
    weight = (np.arange(32) < 16).astype(float) * np.ones((24, 1))
    spoiled = np.where(weight > 0.0, metres, 100.0 * metres)
    kept = known & (weight > 0.0)
    assert np.allclose(grid(depth, spoiled, known, weight).depth, grid(depth, metres, kept).depth, rtol=1e-9)
    with pytest.raises(DepthError, match="weight above 0"):
        grid(depth, metres, known, np.zeros_like(depth))


def test_a_contrast_leaves_the_middle_where_it_is():
    assert bend(np.array([2.0]), 3.0, 0.4, 2.0) == pytest.approx(6.0)


@pytest.mark.parametrize("method", FINER)
def test_a_map_that_needs_one_scale_gets_one(maps, method):
    depth = maps[0]
    found = scale_depth(depth, 3.0 * depth, kind="relative_depth", method=method)
    assert found.fallback is None and np.allclose(found.depth, 3.0 * depth, rtol=1e-3)
    assert found.scale == pytest.approx(3.0, rel=1e-3) and found.contrast == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("method", FINER)
def test_unknown_pixels_stay_unknown_and_those_that_the_reference_lacks_are_scaled(maps, method):
    depth, metres, known = maps
    depth[:3] = 0.0
    found = scale_depth(depth, np.where(known, metres, 0.0), kind="relative_depth", method=method)
    assert (found.depth[:3] == 0.0).all() and (found.depth[3:] > 0.0).all()


@pytest.mark.parametrize("method", FINER)
def test_a_disparity_gives_what_its_depth_gives(maps, method):
    depth, metres, known = maps
    both = [
        scale_depth(values, metres, kind=kind, method=method, valid=known).depth
        for values, kind in ((depth, "relative_depth"), (1.0 / depth, "disparity"))
    ]
    assert np.allclose(*both, rtol=1e-4)


def test_scale_and_contrast_say_the_map_of_log_affine(maps):
    depth, metres, known = maps
    found = scale_depth(depth, metres, kind="relative_depth", method="log_affine", valid=known)
    assert found.space == "log depth"
    middle = np.median(depth)
    assert np.allclose(found.depth, bend(depth, found.scale, found.contrast, middle), rtol=1e-3)


@pytest.mark.parametrize("method", ["log_affine", "robust_log_affine", "histogram"])
def test_a_flat_map_has_no_contrast_and_falls_back_to_the_median(maps, method):
    found = scale_depth(np.full((24, 32), 2.0), maps[1], kind="relative_depth", method=method)
    assert found.method == "median" and "flat" in str(found.fallback)


def test_a_reference_that_falls_where_the_map_grows_is_refused(maps):
    found = scale_depth(maps[0], 1.0 / maps[0], kind="relative_depth", method="log_affine")
    assert found.method == "median" and "does not grow" in str(found.fallback)


def test_the_weighted_median_has_the_least_mean_relative_error_of_all_factors(maps):
    depth, metres, known = maps
    found = METHODS["weighted_median"].fit(depth[known], metres[known])[0]
    slow = min(metres[known] / depth[known], key=lambda one: np.abs(one * depth[known] / metres[known] - 1.0).mean())
    assert found == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("own", [0.2, 0.3, 0.45])
def test_the_agreed_ridge_leaves_the_share_of_the_reference_with_the_least_error(own):
    error, correlation = 0.24, 0.5
    cross = correlation * own * error
    share = np.linspace(0.0, 1.0, 10_001)
    expected = (1.0 - share) ** 2 * own**2 + share**2 * error**2 + 2.0 * share * (1.0 - share) * cross
    best = share[np.argmin(expected)]
    ridge = agreed_ridge(np.sqrt(own**2 + error**2 - 2.0 * cross), error, correlation)
    assert 1.0 / (1.0 + ridge) == pytest.approx(best, abs=0.002)


def test_a_map_that_agrees_as_well_as_the_reference_deserves_is_left_alone(maps):
    depth, _, known = maps
    metres = 2.0 * depth * np.exp(np.random.default_rng(3).normal(0.0, 0.1, depth.shape))
    found = shrunk_grid(depth, metres, known).depth / depth
    assert np.ptp(np.log(found)) < 0.02


def test_a_map_that_must_be_far_worse_than_the_reference_follows_it(maps):
    depth, _, known = maps
    metres = depth * np.exp(np.linspace(-1.5, 1.5, 32))
    assert np.allclose(shrunk_grid(depth, metres, known).depth, metres, rtol=0.1)
