"""Maps with an open shift get metres from sound: whatever scale and shift a map comes in, the answer is the same."""

import numpy as np
import pytest

from avsnet import rooms
from avsnet.audio.recording import listen
from avsnet.errors import DepthError
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.scale.ear_shift import scale_and_shift, shape_like


@pytest.fixture(scope="module")
def scene():
    """Depth, camera and what was heard."""
    made = rooms.sample("historic", 60_001, 7, size=(72, 128), samples=0)
    depth, rig = 1.3 / float(np.median(made["depth"])) * made["depth"], rig_for(5)
    waveform = echo_of_depth(depth, made["K"], rig, seed=7).waveform
    return depth, made["K"], listen(waveform, 44_100, rig.geometry)


def given(depth, kind, scale=7.0, shift=3.0):
    return scale * (1.0 / depth if kind == "affine_disparity" else depth) + shift


@pytest.mark.parametrize("kind", ["affine_disparity", "affine_depth"])
def test_scale_and_shift_of_the_map_change_nothing(scene, kind):
    depth, camera, echo = scene
    first, heard = scale_and_shift(given(depth, kind), kind, camera, echo)
    other, again = scale_and_shift(given(depth, kind, 0.02, -5.0), kind, camera, echo)
    np.testing.assert_allclose(other.depth, first.depth, rtol=1e-3)
    assert again.belongs == pytest.approx(heard.belongs, abs=1e-3)
    values, known = given(depth, kind), first.depth > 0.0
    metres = first.scale * values + first.shift
    metres = 1.0 / metres if first.space == "inverse depth" else metres
    np.testing.assert_allclose(metres[known], first.depth[known], rtol=1e-3)


@pytest.mark.parametrize("kind", ["affine_disparity", "affine_depth"])
def test_sound_alone_finds_metres_and_says_how_sure_it_is(scene, kind):
    depth, camera, echo = scene
    scaled, heard = scale_and_shift(given(depth, kind), kind, camera, echo)
    known = scaled.depth > 0.0
    assert abs(np.log(np.median(scaled.depth[known]) / np.median(depth))) < 0.4
    low, high = heard.posterior.interval(0.9)
    assert low < scaled.factor < high
    assert heard.posterior.median == pytest.approx(scaled.factor, rel=1e-3)


def test_metres_of_a_network_set_the_shift_where_the_echo_does_not(scene):
    depth, camera, echo = scene
    values = given(depth, "affine_disparity")
    scaled, _ = scale_and_shift(values, "affine_disparity", camera, echo, metres=depth, spread=0.05)
    known = scaled.depth > 0.0
    assert np.median(np.abs(np.log(scaled.depth[known] / depth[known]))) < 0.15
    seen = shape_like(values, "affine_disparity", 1.1 * depth)
    assert np.median(seen.depth) == pytest.approx(1.1 * np.median(depth), rel=1e-3)


def test_a_map_without_shape_is_refused(scene):
    depth, camera, echo = scene
    for values, words in ((np.ones_like(depth), "flat"), (np.full_like(depth, np.nan), "unknown")):
        with pytest.raises(DepthError, match=words):
            scale_and_shift(values, "affine_depth", camera, echo)
