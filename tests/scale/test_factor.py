"""The factor nearest to another map."""

import numpy as np
import pytest

from avsnet.errors import DepthError
from avsnet.scale.factor import nearest_factor


def test_the_nearest_factor_has_the_least_mean_relative_error():
    rng = np.random.default_rng(1)
    reference = rng.uniform(1.0, 8.0, (20, 30))
    depth = reference * np.exp(rng.normal(-1.0, 0.4, reference.shape))
    depth[:3], reference[-2:] = 0.0, 0.0
    both = (depth > 0.0) & (reference > 0.0)
    tried = np.exp(np.linspace(-0.5, 2.0, 2001))
    errors = [np.abs(k * depth[both] / reference[both] - 1.0).mean() for k in tried]
    assert np.log(nearest_factor(depth, reference)) == pytest.approx(np.log(tried[np.argmin(errors)]), abs=0.01)


def test_maps_with_no_pixel_in_common_are_refused():
    with pytest.raises(DepthError, match="no pixel is known"):
        nearest_factor(np.eye(4), 1.0 - np.eye(4))
