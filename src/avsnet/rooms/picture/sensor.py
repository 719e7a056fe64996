"""What the sensors make of a picture and of a depth map: the camera's response and noise, depth with holes.

The camera reads template units only, the depth sensor metres, and neither shares its random numbers with the other.
Source: rendering rules of the simulator's design; share of missing depth as in the real BatVision V2 recording.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter, zoom

from avsnet.rooms.preset import CameraNoise, DepthNoise


def exposure(radiance: np.ndarray, target: float) -> float:
    """The factor that brings the median luminance to `target`.

    Args:
        radiance: (..., 3) linear RGB.
        target: of the median, 1 = where the response bends.
    """
    return target / max(float(np.median(radiance @ np.array([0.21, 0.72, 0.07]))), 1e-6)


def photograph(radiance: np.ndarray, gain: float, noise: CameraNoise, rng: np.random.Generator) -> np.ndarray:
    """Turn light into a picture.

    Args:
        radiance: (H, W, 3) linear RGB.
        gain: exposure.
        noise: the camera's blur and noise.
        rng: draws the noise.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    light = radiance * np.float32(gain)
    light *= (1.0 + 0.25 * light) / (1.0 + light)
    light *= _vignetting(*light.shape[:2])[..., None]
    picture = np.clip(light, 0.0, None) ** np.float32(1 / 2.2)
    if noise.blur > 0.0:
        # Pixels are not finer in a larger picture of the same field: the blur is that of a picture 256 wide.
        sigma = noise.blur * picture.shape[1] / 256
        picture = gaussian_filter(picture, (sigma, sigma, 0))
    picture += rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(noise.deviation)
    return (np.clip(picture, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)


def _vignetting(height: int, width: int) -> np.ndarray:
    y, x = (np.linspace(-1.0, 1.0, side, dtype=np.float32) for side in (height, width))
    return 1.0 - 0.09 * (y[:, None] ** 2 + x[None] ** 2)


def measure(
    depth: np.ndarray, picture: np.ndarray, sensor: DepthNoise, cap: float, rng: np.random.Generator
) -> np.ndarray:
    """What a stereo depth sensor makes of the true depth.

    Args:
        depth: (H, W) metres, 0 = nothing there.
        picture: (H, W, 3) uint8 of the same view: stereo fails where it is bright and bare.
        sensor: noise and holes.
        cap: metres beyond which nothing is measured.
        rng: draws noise and holes.

    Returns:
        (H, W) uint16 millimetres, 0 = missing.
    """
    height, width = depth.shape
    noisy = depth + rng.standard_normal(depth.shape) * sensor.deviation * depth**2
    missing = (depth < sensor.nearest) | (noisy > cap)
    missing |= _shadowed(depth, sensor.jump)
    missing[:, : round(rng.uniform(*sensor.border) * width)] = True
    # Blobs: smooth noise above a level that leaves out the wanted share; bare bright places are likelier.
    coarse = zoom(rng.standard_normal((12, 12)), (height / 12, width / 12), order=1, mode="nearest", grid_mode=True)
    coarse = coarse + 0.5 * zoom(
        rng.standard_normal((32, 32)), (height / 32, width / 32), order=1, mode="nearest", grid_mode=True
    )
    grey = picture.mean(axis=2, dtype=np.float32)
    bright = np.clip((grey - 150.0) / 60.0, 0.0, 1.0)
    detail = maximum_filter(grey[::2, ::2], 5) - minimum_filter(grey[::2, ::2], 5)
    bare = np.clip(1.0 - np.repeat(np.repeat(detail, 2, 0), 2, 1)[:height, :width] / 40.0, 0.0, 1.0)
    likely = coarse + 1.2 * bright * bare
    missing |= likely > np.quantile(likely, 1.0 - rng.uniform(*sensor.blobs))
    millimetres = np.where(missing, 0.0, np.clip(np.round(noisy * 1000.0), 0.0, 65535.0))
    return millimetres.astype(np.uint16)


def _shadowed(depth: np.ndarray, jump: float) -> np.ndarray:
    """(H, W) what lies behind an outline, beside it: one of the two cameras does not see it."""
    height, width = depth.shape
    behind = np.zeros((height, width), bool)
    for axis in (0, 1):
        one, other = (depth[1:], depth[:-1]) if axis == 0 else (depth[:, 1:], depth[:, :-1])
        first, second = (behind[1:], behind[:-1]) if axis == 0 else (behind[:, 1:], behind[:, :-1])
        first |= one > (1.0 + jump) * other
        second |= other > (1.0 + jump) * one
    # The band is as wide in a large picture as in a small one.
    return maximum_filter(behind, size=(2 * round(width / 512) + 1, 2 * round(width / 170) + 1))
