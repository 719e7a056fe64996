"""Whether numbers can be what they are given out to be: depth in metres, a picture of so many bits, a pair of maps.

Pure functions, shared by every reader and by `check`. What cannot be meant is a problem, which its reader raises; what
is odd is a note, which its reader hands on. Both name the likely cause and the way out.
"""

from __future__ import annotations

import numpy as np

NEAREST_MEDIAN, FARTHEST_MEDIAN = 0.05, 200.0
"""Metres between which the median depth of a picture lies: from a hand before the lens to a street."""

FULL_SCALES = (2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
"""The largest numbers of the types that maps are stored in: by all conventions no depth."""

_FARTHEST_FLOAT = 1e9  # renderers write 1e10 or the type's maximum for the sky
_UNITS = (1.0, 100.0, 256.0, 512.0, 1000.0, 5000.0, 10_000.0)  # per metre, in which full scales are written as floats
_SPIKE = 1e-3  # of the known pixels that share the largest value exactly: no measurement does that
_WIDE_SPIKE = 0.01  # the same, where nothing else speaks against the value
_FAR_OFF, _APART = 10.0, 1.2  # times the next lower value: no wall behind the others; at least not one of them
_FEWEST_LEVELS = 50  # different values below which a map is drawn, not measured, and may well be flat
_FILLED = 0.98  # of full scale, up to which normalised maps have values
_FLAT = 1.05  # 95th over 5th percentile up to which a map is a wall, whose order is noise
_MOST_PIXELS = 20_000  # of a map whose order is looked at: enough for a rank correlation to the second digit
_FEWEST_PIXELS = 20
_GROWS, _FALLS = 0.1, -0.1  # rank correlation
_BLACK, _LIT = 40, 0.05  # of 255; share of brighter values: a tenth and more in photographs, a hundredth in unlit rooms
_OTHER_WAY = {
    "metric_depth": "disparity",
    "relative_depth": "disparity",
    "affine_depth": "affine_disparity",
    "disparity": "relative_depth",
    "affine_disparity": "affine_depth",
}


def full_scale_pixels(values: np.ndarray, metric: bool) -> np.ndarray:
    """Pixels of a map of whole numbers that hold its type's largest number, and so nothing.

    Args:
        values: (H, W) of an integer type, as stored; 65535 counts in wider types too, as picture readers widen.
        metric: whether it is metric depth. In another map the largest number may be its nearest or farthest pixel, as
            maps are stretched over all 16 bits; there it counts only if many pixels have it.

    Returns:
        (H, W) bool.
    """
    largest = int(values.max())
    pixels = values == largest
    if largest not in FULL_SCALES or not (metric or pixels.mean() >= _WIDE_SPIKE):
        return np.zeros(values.shape, dtype=bool)
    return pixels


def spike(depth: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Find a largest value that stands for "no depth" in metric depth.

    Args:
        depth: (H, W) metres, what is not finite or not positive is unknown.

    Returns:
        (H, W) bool, the pixels to take as unknown; and a note where there are any, or where it only looks like it.
    """
    none = np.zeros(depth.shape, dtype=bool)
    known = depth[np.isfinite(depth) & (depth > 0.0)]
    if known.size == 0:
        return none, None
    largest = float(known.max())
    pixels, share = depth == largest, float((known == largest).mean())
    if largest >= _FARTHEST_FLOAT:
        pixels = depth >= _FARTHEST_FLOAT
        return pixels, f"{pixels.mean():.1%} of the pixels hold {largest:g} m or so and are taken as unknown"
    rest = known[known < largest]
    if rest.size == 0 or share < _SPIKE or np.count_nonzero(known == largest) < 2:
        return none, None
    farthest = float(rest.max())
    if largest >= _FAR_OFF * farthest or (largest >= _APART * farthest and _is_full_scale(largest)):
        return pixels, f"{share:.1%} of the known pixels hold exactly {largest:g} m and are taken as unknown"
    if share >= _WIDE_SPIKE and largest >= _APART * farthest and np.unique(rest).size >= _FEWEST_LEVELS:
        return none, (
            f"{share:.1%} of the known pixels hold exactly {largest:g} m, the next less is {farthest:g} m: if it "
            "stands for no depth, store 0 there"
        )
    return none, None


def _is_full_scale(largest: float) -> bool:
    """Whether a float is a type's largest number in one of the usual units; 65504 is that of 16-bit floats."""
    scales = (*FULL_SCALES[:2], 65_504)
    return any(abs(largest * unit / scale - 1.0) < 5e-4 for unit in _UNITS for scale in scales)


def stretched(values: np.ndarray) -> str | None:
    """A note on metric depth that looks stretched over the range of its type, as maps for viewing are.

    Args:
        values: (H, W) as stored, whole or floating-point numbers.
    """
    finite = values[np.isfinite(values)]
    top = 1.0 if values.dtype.kind == "f" else 65_535
    below = finite[finite < top]
    if finite.size == 0 or finite.max() != top or np.unique(below).size < _FEWEST_LEVELS:
        return None
    if below.max() < _FILLED * top:
        return None
    return f"its numbers fill the range up to {top:g}: probably stretched for viewing, then they are no metres"


def implausible_median(depth: np.ndarray) -> str | None:
    """What is wrong with the median of metric depth; None where nothing is.

    Args:
        depth: (H, W) metres, what is not finite or not positive is unknown.
    """
    known = depth[np.isfinite(depth) & (depth > 0.0)]
    median = float(np.median(known)) if known.size else 1.0
    if NEAREST_MEDIAN <= median <= FARTHEST_MEDIAN:
        return None
    return f"median depth {median:.4g} m is outside {NEAREST_MEDIAN:g} to {FARTHEST_MEDIAN:g} m"


def unit_advice(median: float) -> str:
    """The likely unit of a map of this median as stored, and the flag for it.

    Args:
        median: of the known pixels, above 0.
    """
    if median < NEAREST_MEDIAN:
        return "probably a normalised map or a disparity; give depth in metres, or scale it with avsnet scale"
    for unit, per_metre, most in (("metres", 1, 20.0), ("centimetres", 100, 1000.0), ("millimetres", 1000, 2e5)):
        if median < most:
            return f"probably {unit}; give --depth-scale {per_metre}"
    return "no usual unit makes sense of it; give --depth-scale, the map's units per metre"


def rank_correlation(values: np.ndarray, reference: np.ndarray, valid: np.ndarray | None = None) -> float | None:
    """Spearman's rank correlation of two maps over the pixels known in both.

    Args:
        values: (H, W) of any meaning; not finite = unknown.
        reference: (H, W) metres; not finite or not positive = unknown.
        valid: (H, W) bool, pixels to look at.

    Returns:
        -1 to 1; None where it says nothing: few pixels, or a map that is all but flat.
    """
    known = np.isfinite(values) & np.isfinite(reference) & (reference > 0.0)
    known &= True if valid is None else valid
    step = max(1, int(known.sum()) // _MOST_PIXELS)
    pair = [np.asarray(array, dtype=np.float64)[known][::step] for array in (values, reference)]
    if pair[0].size < _FEWEST_PIXELS or any(_is_flat(array) for array in pair):
        return None
    first, second = (_ranks(array) for array in pair)
    return float(np.corrcoef(first, second)[0, 1])


def growth_note(values: np.ndarray, reference: np.ndarray, kind: str, valid: np.ndarray | None = None) -> str | None:
    """A note on a map and a metric reference that do not grow together as the map's kind says.

    Args:
        values: (H, W) the map as given; unknown where not finite, and where not positive unless its shift is open.
        reference: (H, W) metres.
        kind: what the map's numbers mean, such as `"relative_depth"` or `"affine_disparity"`.
        valid: (H, W) bool, pixels to look at.
    """
    values = np.asarray(values, dtype=np.float64)
    if not kind.startswith("affine"):
        values = np.where(values > 0.0, values, np.nan)
    inverse = kind.endswith("disparity")
    found = rank_correlation(-values if inverse else values, reference, valid)
    if found is None or found >= _GROWS:
        return None
    if found > _FALLS:
        return f"the map and the reference do not grow together (rank correlation {found:.2f}): is it the same picture?"
    return (
        f"the map falls where the reference grows (rank correlation {found:.2f}): it is probably a "
        f"{'depth' if inverse else 'disparity'}; give --kind {_OTHER_WAY[kind]}, or a reference of metres"
    )


def nearly_black(picture: np.ndarray) -> str | None:
    """What to say of an (H, W, 3) uint8 picture that shows next to nothing: networks give depth of anything."""
    if (picture[::8, ::8] > _BLACK).mean() >= _LIT:
        return None
    return "the picture is nearly black, so its depth is a guess: light the scene, or expose longer"


def few_bits(largest: int) -> str | None:
    """A note on a 16-bit picture whose brightest pixel shows that fewer bits were meant; None where nothing does.

    Args:
        largest: number of the brightest pixel, 0 to 65535.
    """
    for bits in (8, 10, 12, 14):
        if 0 < largest < 2**bits:
            return (
                f"the brightest of 65535 levels is {largest}, so it is read all but black: probably {bits} bits in a "
                f"16-bit file; multiply its numbers by {2 ** (16 - bits)}"
            )
    return None


def _is_flat(values: np.ndarray) -> bool:
    low, middle, high = np.percentile(values, [5.0, 50.0, 95.0])
    return bool(high - low <= (_FLAT - 1.0) * abs(middle))


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each number; equal ones share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
