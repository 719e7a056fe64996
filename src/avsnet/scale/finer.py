"""Rules finer than one number: contrast, a monotone map, a smooth field of scales over the picture.

A depth model errs above all in contrast, the slope of true on predicted log depth, and in slow errors over the picture.
Each rule takes what is known in both maps, and what it leaves as it was stays in the map's own shape: one scale is the
limit of all three. Kin: VI-Depth's scale maps (Wofk et al. 2023), histogram matching of Nishimura et al. (ECCV 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avsnet.errors import DepthError

CONTRASTS = (0.3, 2.0)
"""Powers of depth that a depth model's map can need; what is fitted beyond is brought to the nearer one."""

CELLS = 8
"""Nodes of the field of scales along each side of the picture."""

RIDGE = 0.1
"""Pull of the field towards one scale: of a node whose pixels are all known, 1 halves what the reference says."""

_SHAPE_ERROR = 0.24  # deviation of the packaged AVS-Nets' log depth after the median: validation rooms, NYU frames
_CORRELATION = 0.5  # of that error with other models' on the same picture: NYU and validation rooms, 0.44 to 0.63
_MOST, _LEAST = 1e3, 1e-2  # of the ridge that follows from them

_FEWEST = 3  # pixels for two numbers: two always fit exactly, and so prove nothing
_FLAT = 1e-6  # deviation of log depth from which a map is flat: float32 knows no more digits
_HUBER = 1.345  # standard deviations from which a residual counts less
_ROUNDS = 30  # of re-weighting, at most
_SETTLED = 1e-7  # change of the contrast that ends them
_QUANTILES = 513  # of a distribution, from the least to the largest value


@dataclass(frozen=True, eq=False)
class Bent:
    """A map whose every pixel was moved.

    Attributes:
        depth: (H, W) metres; NaN where the map is unknown.
        contrast: the power of the map's depth; 1 where the rule has none.
    """

    depth: np.ndarray
    contrast: float = 1.0


def bend(depth: np.ndarray, scale: float, contrast: float, middle: float) -> np.ndarray:
    """Metres from a scale and a contrast: scale * middle * (depth / middle)^contrast.

    Args:
        depth: array of any shape, any unit; NaN or 0 where unknown, and kept so.
        scale: metres per unit at `middle`.
        contrast: power of depth; 1 is one scale for all.
        middle: depth that the contrast leaves where it is, the map's median.

    >>> bend(np.array([1.0, 2.0, 8.0]), 3.0, 0.5, 2.0)
    array([ 4.24264069,  6.        , 12.        ])
    """
    return scale * middle * (depth / middle) ** contrast


def log_affine(depth: np.ndarray, metres: np.ndarray, known: np.ndarray, robust: bool = False) -> Bent:
    """Scale and contrast: the g of least squares of log metres = a + g log depth, and the median of what is left as a.

    Args:
        depth: (H, W) float64 depth, any unit; NaN = unknown.
        metres: (H, W) reference.
        known: (H, W) bool, pixels known in both, at least one.
        robust: by Huber's loss in place of squares, the deviation as 1.4826 median |residual|.

    Raises:
        DepthError: too few pixels, a flat map, or a reference that does not grow with the map.
    """
    x, y = np.log(depth[known]), np.log(metres[known])
    if len(x) < _FEWEST:
        raise DepthError(f"{len(x)} pixels known in both maps are too few for scale and contrast")
    middle = float(np.median(x))
    x = x - middle
    if not float(x.std()) > _FLAT:
        raise DepthError("the map is flat over the pixels known in both")
    weight = np.ones_like(x)
    contrast, level = _line(x, y, weight)
    for _ in range(_ROUNDS if robust else 0):
        residual = np.abs(level + contrast * x - y)
        unit = 1.4826 * float(np.median(residual))
        if not unit > _FLAT:
            break
        before = contrast
        contrast, level = _line(x, y, np.minimum(1.0, _HUBER * unit / np.maximum(residual, 1e-300)))
        if abs(contrast - before) < _SETTLED:
            break
    if not contrast > 0.0:
        raise DepthError(
            f"the fitted contrast {contrast:.3g} is not positive: the reference does not grow with the map"
        )
    contrast = float(np.clip(contrast, *CONTRASTS))
    level = float(np.median(y - contrast * x))
    return Bent(np.exp(level + contrast * (np.log(depth) - middle)), contrast)


def _line(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Slope and level of the weighted least-squares line."""
    weight = weight / weight.sum()
    centre, mean = float(weight @ x), float(weight @ y)
    slope = float(weight @ ((x - centre) * (y - mean)) / (weight @ np.square(x - centre)))
    return slope, mean - slope * centre


def histogram(depth: np.ndarray, metres: np.ndarray, known: np.ndarray) -> Bent:
    """The monotone map that gives the depth the reference's distribution: quantile by quantile.

    Args:
        depth: (H, W) float64 depth, any unit; NaN = unknown.
        metres: (H, W) reference.
        known: (H, W) bool, pixels known in both; where each lies does not matter.

    Raises:
        DepthError: too few pixels, or a flat map.
    """
    x, y = np.log(depth[known]), np.log(metres[known])
    if len(x) < _FEWEST:
        raise DepthError(f"{len(x)} pixels known in both maps are too few for a distribution")
    if not float(x.std()) > _FLAT:
        raise DepthError("the map is flat over the pixels known in both")
    shares = np.linspace(0.0, 1.0, _QUANTILES)
    own, wanted = np.quantile(x, shares), np.quantile(y, shares)
    keep = np.concatenate([[True], np.diff(own) > 0.0])  # many pixels of one depth have one place
    moved = np.interp(np.log(depth), own[keep], wanted[keep])
    # Past the ends, as far away as before.
    beyond = np.log(depth)
    moved += np.minimum(beyond - own[0], 0.0) + np.maximum(beyond - own[-1], 0.0)
    return Bent(np.exp(moved))


def grid(
    depth: np.ndarray,
    metres: np.ndarray,
    known: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    cells: int = CELLS,
    ridge: float = RIDGE,
) -> Bent:
    """A smooth field of scales: log metres - log depth, bilinear between nodes, in closed form.

    The field is the median's one scale, plus sum over nodes c_n B_n(x, y) with the c that make
    mean w (field - log metres + log depth)^2 + ridge * mean c^2 least.

    Args:
        depth: (H, W) float64 depth, any unit; NaN = unknown.
        metres: (H, W) reference.
        known: (H, W) bool, pixels known in both, at least one.
        weight: (H, W) confidence in the reference, 0 or above; None: alike.
        cells: nodes along each side; 1 is one scale.
        ridge: 0 follows the reference as far as the nodes can; a large one keeps to one scale.

    Raises:
        DepthError: all weights are 0.
    """
    rows, columns = (_hats(size, cells) for size in depth.shape)
    share = known.astype(np.float64) if weight is None else np.where(known, weight, 0.0)
    counted = share > 0.0
    if not counted.any():
        raise DepthError("no pixel known in both maps has a weight above 0")
    share = share / share.sum()
    one = float(np.log(np.median(metres[counted]) / np.median(depth[counted])))
    gap = np.zeros(depth.shape)
    gap[counted] = np.log(metres[counted]) - np.log(depth[counted]) - one
    # B is the product of a row's and a column's hat, so its sums over the picture are two small products.
    normal = np.einsum("hw,hi,hj,wk,wl->ikjl", share, rows, rows, columns, columns, optimize=True)
    right = rows.T @ (share * gap) @ columns
    count = cells * cells
    matrix = normal.reshape(count, count) + (ridge + 1e-9) / count * np.eye(count)
    nodes = np.linalg.solve(matrix, right.ravel()).reshape(cells, cells)
    return Bent(depth * np.exp(one + rows @ nodes @ columns.T))


def shrunk_grid(depth: np.ndarray, metres: np.ndarray, known: np.ndarray) -> Bent:
    """As `grid`, for a reference that is a network's: pulled towards one scale the more, the better the maps agree.

    Both maps err. How far they disagree, and how far such a reference errs, tells how far the map does: where that is
    less, the map is left alone. Empirical Bayes, see `agreed_ridge`.

    Args:
        depth: (H, W) float64 depth, any unit; NaN = unknown.
        metres: (H, W) reference.
        known: (H, W) bool, pixels known in both, at least one.
    """
    gap = np.log(metres[known]) - np.log(depth[known])
    return grid(depth, metres, known, ridge=agreed_ridge(float(gap.std())))


def agreed_ridge(disagreement: float, error: float = _SHAPE_ERROR, correlation: float = _CORRELATION) -> float:
    """The ridge that weighs a map and a reference for the least expected squared error of log depth.

    With s the reference's error, r the correlation and e the map's error, disagreement^2 = e^2 + s^2 - 2 r e s gives e,
    and the best share of the reference is w = (e^2 - r e s) / disagreement^2; a ridge of (1 - w) / w leaves a share w.

    Args:
        disagreement: deviation of the log of reference over map.
        error: s, deviation of the log of true depth over the reference, after the median.
        correlation: r, of the two errors.

    Returns:
        Large where the maps agree as well as the reference deserves, near 0 where the map must be far worse.
    """
    common = correlation * error
    own = common + math.sqrt(max(disagreement**2 - error**2 + common**2, 0.0))
    share = (own**2 - common * own) / max(disagreement**2, _FLAT**2)
    return float(np.clip((1.0 - share) / max(share, 1.0 / _MOST), _LEAST, _MOST))


def _hats(size: int, cells: int) -> np.ndarray:
    """(size, cells) weights of the nodes at each pixel, which sum to 1: linear from the first to the last node."""
    place = np.linspace(0.0, cells - 1.0, size) if size > 1 else np.zeros(1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(cells)))
