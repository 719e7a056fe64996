"""Textures are continuous, belong to their surface and fade to their mean where a pixel is too large to show them."""

import numpy as np
import pytest

from avsnet.rooms.geometry.scene import Look, join, rectangles
from avsnet.rooms.geometry.texture import PATTERNS, albedo, noise

GRAIN = {"window": 0.0, "picture": 0.0}  # one cell is the whole of it
COLOURS = {"colour": (0.6, 0.5, 0.4), "accent": (0.2, 0.2, 0.3)}


def wall(pattern, grain=0.5, roughness=0.1, seed=3):
    look = Look(0, PATTERNS.index(pattern), grain=grain, roughness=roughness, seed=seed, **COLOURS)
    return rectangles([1.0, 2.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 3.0], look)


def on_wall(count, seed=0, margin=0.0):
    share = np.random.default_rng(seed).uniform(margin, 1 - margin, (count, 2))
    return np.column_stack([1.0 + 4.0 * share[:, 0], np.full(count, 2.0), 3.0 * share[:, 1]])


def colours(quads, points, footprint, index=0):
    return albedo(quads, np.full(len(points), index), points, np.full(len(points), footprint))


def test_noise_is_smooth_bounded_and_different_for_each_seed():
    a = np.linspace(0.0, 30.0, 30_001, dtype=np.float32)
    values = [noise(a, a * 0.3, np.full(len(a), seed)) for seed in (1, 2)]
    for value in values:
        assert np.abs(value).max() <= 1.0 and value.std() > 0.3
        assert np.abs(np.diff(value)).max() < 0.01  # steps of a thousandth of a cell
    assert abs(np.corrcoef(values)[0, 1]) < 0.3


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_gives_colours_that_can_be_seen(pattern):
    for footprint in (1e-4, 0.02, 0.3, 10.0):
        found = colours(wall(pattern, GRAIN.get(pattern, 0.5)), on_wall(2000), footprint)
        assert found.shape == (2000, 3) and found.dtype == np.float32
        assert np.isfinite(found).all() and (found > 0.0).all() and (found < 6.0).all()


@pytest.mark.parametrize("pattern", [name for name in PATTERNS if name not in ("lamp", "plain")])
def test_what_a_pixel_is_too_large_to_show_fades(pattern):
    grain = GRAIN.get(pattern, 0.5)
    near, far = (colours(wall(pattern, grain), on_wall(4000), size).std(axis=0).mean() for size in (1e-4, 1.5))
    # A window's sky, ground and bars, and a picture's tones, are large: only their details go.
    assert near > 0.02
    assert far < (1.0 if grain == 0.0 else 0.25) * near


@pytest.mark.parametrize("pattern", ["tile", "brick", "block", "plank", "checker", "panel", "speckle"])
def test_the_mean_colour_does_not_depend_on_the_distance(pattern):
    points = on_wall(40_000)
    near, far = (colours(wall(pattern, roughness=0.0), points, size).mean(axis=0) for size in (1e-4, 2.0))
    np.testing.assert_allclose(far, near, rtol=0.12)


def test_pieces_of_one_wall_that_share_an_anchor_share_one_texture():
    look = Look(0, PATTERNS.index("brick"), grain=0.1, roughness=0.2, seed=5, **COLOURS)
    whole = rectangles([1.0, 2.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 3.0], look)
    corner = np.array([1.0, 2.0, 0.0])
    pieces = join(
        [
            rectangles(corner, [1.7, 0.0, 0.0], [0.0, 0.0, 3.0], look, anchor=corner),
            rectangles(corner + [1.7, 0.0, 0.0], [2.3, 0.0, 0.0], [0.0, 0.0, 3.0], look, anchor=corner),
        ]
    )
    points = on_wall(500)
    index = (points[:, 0] > 2.7).astype(int)
    assert 0 < index.sum() < 500
    small = np.full(500, 1e-3)
    np.testing.assert_allclose(
        albedo(pieces, index, points, small), albedo(whole, np.zeros(500, int), points, small), atol=1e-4
    )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_texture_grows_with_its_scene(pattern):
    quads, points = wall(pattern, GRAIN.get(pattern, 0.5)), on_wall(300)
    small, large = colours(quads, points, 0.01), colours(quads.scaled(3.0), 3.0 * points, 0.03)
    # The coordinates are float32: a point on the very edge of a cell may fall on either side.
    assert np.mean(np.abs(small - large).max(axis=1) > 0.01) < 0.01


def test_tiles_are_as_large_as_their_grain():
    quads = wall("tile", grain=0.5, roughness=0.0)
    x = np.linspace(1.0, 5.0, 4000, endpoint=False)
    points = np.column_stack([x, np.full(4000, 2.0), np.full(4000, 0.25)])
    grout = np.abs(colours(quads, points, 1e-4)[:, 0] - COLOURS["accent"][0]) < 1e-3
    middles = [run.mean() for run in np.split(x[grout], np.flatnonzero(np.diff(x[grout]) > 0.1) + 1)]
    np.testing.assert_allclose(middles[1:-1], np.arange(1.5, 5.0, 0.5), atol=0.01)
