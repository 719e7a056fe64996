"""A metric model's own scale."""

import numpy as np
import pytest

from avsnet.models.info import ModelInfo
from avsnet.scale.own import OwnScale, own_scale_of


def test_an_unknown_model_gets_no_correction_and_a_wide_spread():
    found = OwnScale().posterior(np.diag([80.0, 80.0, 1.0]), 100)
    assert found.scale == pytest.approx(1.0)
    assert np.log(found.interval(0.6827)) == pytest.approx([-0.35, 0.35], abs=0.01)


def test_a_camera_with_a_longer_focal_length_makes_things_look_near():
    """They are as much farther as their picture is larger."""
    wide, long = (OwnScale(0.8).posterior(np.diag([fx, fx, 1.0]), 100).scale for fx in (80.0, 160.0))
    assert wide == pytest.approx(1.0) and long == pytest.approx(2.0)


def test_the_info_of_a_model_says_what_is_known():
    info = ModelInfo("net", "metric_depth", "MIT", "MIT", "test", focal=0.9, scale_bias=0.1, scale_spread=0.2)
    assert own_scale_of(info) == OwnScale(0.9, 0.1, 0.2)
    assert own_scale_of(info).posterior(np.diag([90.0, 90.0, 1.0]), 100).scale == pytest.approx(np.exp(0.1))
