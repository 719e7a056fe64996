"""What the numbers of many images say: where the echo helps, and how much of the gap it closes.

Source: the paper's AIDE (averaged improvement over depth intervals of one metre), whose printed formula we restore as

    AIDE_k = (1/N) sum_n (1/|Omega_n^k|) sum_{(i,j) in Omega_n^k} (E_n^V(i,j) - E_n^AV(i,j)),   metres,

Omega_n^k the valid pixels of image n whose true depth lies in [k, k + 1) (the paper's signs are strict; half open, no
pixel is lost), E = |prediction - truth|. Positive: the echo helps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.errors import DepthError


@dataclass(frozen=True)
class Aide:
    """AIDE over intervals of one metre; interval k is [k, k + 1) metres of true depth.

    Attributes:
        mean: (K,) metres, over the images that have a pixel in the interval; NaN where none has.
        mean_over_all: (K,) metres, the same sums divided by the number of all images: the other reading of N.
        images: (K,) how many images have a pixel in the interval, N_k.
        total: number of images.
    """

    mean: np.ndarray
    mean_over_all: np.ndarray
    images: np.ndarray
    total: int


def aide(pred_v: np.ndarray, pred_av: np.ndarray, target: np.ndarray, valid: np.ndarray) -> Aide:
    """AIDE of maps predicted without (V) and with (AV) the echo.

    Args:
        pred_v: (N, H, W) or (H, W) metres, visual only.
        pred_av: the same shape, audio-visual.
        target: the same shape, true depth in metres, positive and finite where `valid`.
        valid: the same shape, bool.

    Raises:
        DepthError: the shapes differ, no pixel is valid, or a valid one is not finite.
    """
    maps = [np.asarray(array) for array in (pred_v, pred_av, target, valid)]
    if len({array.shape for array in maps}) > 1 or maps[0].ndim not in (2, 3):
        raise DepthError(f"shapes {[array.shape for array in maps]}: wanted four times (N, H, W) or (H, W)")
    if maps[3].dtype != np.bool_:
        raise DepthError(f"valid: found {maps[3].dtype}, wanted bool")
    stacks = [array if array.ndim == 3 else array[None] for array in maps]
    errors = [
        (interval_errors(v, truth, mask), interval_errors(av, truth, mask))
        for v, av, truth, mask in zip(*stacks, strict=True)
    ]
    return aide_of_intervals([v for v, _ in errors], [av for _, av in errors])


def interval_errors(pred: np.ndarray, target: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean absolute error of one image in each metre of true depth.

    Args:
        pred: (H, W) metres.
        target: (H, W) metres, positive and finite where `valid`.
        valid: (H, W) bool.

    Returns:
        (K,) metres, K up to the deepest valid pixel; NaN where the image has no pixel.

    Raises:
        DepthError: a valid pixel is not finite, or its target is negative.

    >>> interval_errors(np.array([[1.0, 3.0]]), np.array([[0.5, 2.0]]), np.array([[True, True]]))
    array([0.5, nan, 1. ])
    """
    target, pred = target[valid].astype(np.float64), pred[valid].astype(np.float64)
    if not (np.isfinite(target).all() and np.isfinite(pred).all()) or (target < 0.0).any():
        raise DepthError("a valid pixel is NaN, infinite or negative; leave it out of `valid`")
    place = np.floor(target).astype(np.int64)
    pixels = np.bincount(place)
    with np.errstate(invalid="ignore"):
        return np.bincount(place, np.abs(pred - target)) / pixels


def aide_of_intervals(errors_v: list[np.ndarray], errors_av: list[np.ndarray]) -> Aide:
    """AIDE from `interval_errors` of the same images without and with the echo, one pair an image.

    Raises:
        DepthError: no image with a valid pixel, or the two lists are not of the same images.
    """
    if len(errors_v) != len(errors_av) or any(v.shape != av.shape for v, av in zip(errors_v, errors_av, strict=True)):
        raise DepthError("the errors with and without echo are not of the same images and pixels")
    if not any(row.size for row in errors_v):
        raise DepthError("no valid pixel")
    gains = np.full((len(errors_v), max(row.size for row in errors_v)), np.nan)
    for image, (v, av) in enumerate(zip(errors_v, errors_av, strict=True)):
        gains[image, : v.size] = v - av
    images = np.isfinite(gains).sum(axis=0)
    sums = np.nansum(gains, axis=0)
    with np.errstate(invalid="ignore"):
        return Aide(sums / images, sums / len(gains), images, len(gains))


def mean_aide(runs: list[Aide]) -> Aide:
    """The mean of AIDE of the same images by several training runs, one at least."""
    first = runs[0]
    mean, over_all = (np.mean([getattr(run, name) for run in runs], axis=0) for name in ("mean", "mean_over_all"))
    return Aide(mean, over_all, first.images, first.total)


def gap_closed(visual: float, audio_visual: float, oracle: float) -> float:
    """Share of the way from the visual-only score to the oracle's that the echo goes.

    Args:
        visual: mean score with the scale of the visual-only network.
        audio_visual: with that of the audio-visual one.
        oracle: with the scale of the truth.

    Returns:
        1 = all of it, 0 = none, negative = the echo does harm; NaN where there is no gap.

    >>> round(gap_closed(0.30, 0.25, 0.20), 6)
    0.5
    """
    return float((visual - audio_visual) / (visual - oracle)) if visual != oracle else float("nan")
