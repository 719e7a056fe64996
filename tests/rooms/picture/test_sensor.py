"""Camera and depth sensor: response, exposure, noise and holes are as large as they are said to be."""

import numpy as np
import pytest

from avsnet.rooms.picture.sensor import exposure, measure, photograph
from avsnet.rooms.preset import CameraNoise, DepthNoise

QUIET = DepthNoise(0.0, jump=0.12, border=(0.0, 0.0), blobs=(0.0, 0.0))
GREY = np.full((90, 120, 3), 128, np.uint8)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_exposure_brings_the_median_luminance_to_the_target():
    light = rng().lognormal(size=(50, 60, 3)).astype(np.float32)
    gain = exposure(light, 0.4)
    assert np.median(gain * light @ [0.21, 0.72, 0.07]) == pytest.approx(0.4)
    np.testing.assert_array_equal(
        photograph(light, gain, CameraNoise(0.0, 0.0), rng()),
        photograph(7 * light, exposure(7 * light, 0.4), CameraNoise(0.0, 0.0), rng()),
    )


def test_more_light_is_never_darker_and_white_is_not_passed():
    light = np.repeat(np.linspace(0.0, 50.0, 2000, dtype=np.float32)[None, :, None], 3, axis=2)
    row = photograph(np.tile(light, (3, 1, 1)), 1.0, CameraNoise(0.0, 0.0), rng())[1, 1000 - 5 : 1000 + 5]
    assert (np.diff(row[:, 0].astype(int)) >= 0).all()
    dark = photograph(np.zeros((8, 8, 3), np.float32), 1.0, CameraNoise(0.0, 0.0), rng())
    assert dark.max() == 0


def test_the_camera_s_noise_has_its_deviation():
    light = np.full((200, 200, 3), 0.3, np.float32)
    clean, noisy = (photograph(light, 1.0, CameraNoise(level, 0.0), rng()).astype(float) / 255 for level in (0.0, 0.01))
    assert (noisy - clean).std() == pytest.approx(0.01, rel=0.05)


def test_a_quiet_sensor_gives_millimetres_and_drops_what_is_too_near_or_too_far():
    depth = np.full((90, 120), 2.3456)
    depth[:30], depth[60:] = 0.2, 13.0
    found = measure(depth, GREY, QUIET, 12.0, rng())
    assert found.dtype == np.uint16
    assert (found[:28] == 0).all() and (found[62:] == 0).all()
    assert (found[32:58] == 2346).all()
    assert (measure(np.zeros((90, 120)), GREY, QUIET, 12.0, rng()) == 0).all()


def test_the_noise_grows_with_the_square_of_the_depth():
    for metres in (1.0, 4.0):
        found = measure(np.full((90, 120), metres), GREY, DepthNoise(0.002, blobs=(0, 0), border=(0, 0)), 12.0, rng())
        assert (found[found > 0] / 1000.0).std() == pytest.approx(0.002 * metres**2, rel=0.1)


def test_outlines_leave_a_band_of_about_the_same_share_at_every_size():
    shares = []
    for side in (128, 256, 720):
        depth = np.full((side, side), 4.0)
        depth[side // 4 : side // 2, side // 4 : side // 2] = 2.0
        found = measure(depth, np.full((side, side, 3), 128, np.uint8), QUIET, 12.0, rng())
        shares.append((found == 0).mean())
        assert (found[side // 4 + side // 16 : side // 2 - side // 16, side * 3 // 8] == 2000).all()
    assert 0.005 < min(shares) and max(shares) < 2.5 * min(shares)


def test_blobs_take_their_share_and_bright_bare_places_more():
    picture = GREY.copy()
    picture[:, :60] = 230
    shares = []
    for seed in range(20):
        found = measure(
            np.full((90, 120), 2.0), picture, DepthNoise(0.0, border=(0, 0), blobs=(0.1, 0.1)), 12.0, rng(seed)
        )
        assert (found == 0).mean() == pytest.approx(0.1, abs=0.01)
        shares.append([(found[:, :60] == 0).mean(), (found[:, 60:] == 0).mean()])
    bright, dark = np.mean(shares, axis=0)
    assert bright > 2 * dark


def test_a_strip_is_missing_at_the_left_border():
    found = measure(np.full((90, 120), 2.0), GREY, DepthNoise(0.0, border=(0.05, 0.05), blobs=(0, 0)), 12.0, rng())
    assert (found[:, :6] == 0).all() and (found[:, 7:] > 0).all()
