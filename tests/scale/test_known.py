"""One known distance gives the scale at the pixel that is nearest to where it was measured."""

import numpy as np
import pytest

from avsnet.errors import OptionError
from avsnet.scale.known import known_pixel, known_scale


@pytest.mark.parametrize(
    ("argument", "row", "column"),
    [("3.6,1.4,2", 1, 4), ("3.4,1.6,2", 2, 3), ("-0.4,0,2", 0, 0), ("9.4,7.4,2", 7, 9), ("0.6,0.6,2", 1, 1)],
)
def test_the_nearest_pixel_is_the_known_one(argument, row, column):
    assert known_pixel(argument, (8, 10)) == (row, column, 2.0)


@pytest.mark.parametrize("argument", ["9.6,1,2", "1,7.6,2", "-0.6,1,2", "1,-0.6,2"])
def test_a_pixel_whose_nearest_is_outside_is_refused(argument):
    with pytest.raises(OptionError, match="outside the picture of 10 x 8"):
        known_pixel(argument, (8, 10))


@pytest.mark.parametrize(
    "argument", ["1,2", "1,2,3,4", "a,b,c", "nan,1,2", "1,inf,2", "1,1,0", "1,1,-2", "1,1,10000", ""]
)
def test_what_is_no_distance_is_refused(argument):
    with pytest.raises(OptionError, match="known:"):
        known_pixel(argument, (8, 10))


def test_things_nearer_than_a_metre_are_known_too():
    assert known_pixel("1,1,0.4", (8, 10)) == (1, 1, 0.4)
    assert known_scale(np.full((8, 10), 0.2), "1,1,0.4") == pytest.approx(2.0)


def test_the_scale_is_that_of_the_median_of_five_by_five_known_pixels():
    depth = np.random.default_rng(0).uniform(1.0, 2.0, (20, 30))
    depth[9, 12] = 0.0
    square = depth[8:13, 11:16]
    assert known_scale(depth, "13,10,3") == pytest.approx(3.0 / np.median(square[square > 0.0]))
    corner = depth[:3, :3]
    assert known_scale(depth, "0,0,3") == pytest.approx(3.0 / np.median(corner))
    with pytest.raises(OptionError, match="does not know"):
        known_scale(depth, "12,9,3")
