"""Echoes of depth maps against the delays that their surfaces demand."""

import numpy as np
import pytest

from avsnet.audio import Rig, range_profile
from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.errors import CalibrationError, DepthError, OptionError
from avsnet.geometry import intrinsics_from_fov, read_intrinsics, unproject
from avsnet.io.depth_maps import read_depth
from avsnet.planes import Foot, find_planes
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.rooms.sound.depth_surfaces import TOLERANCE, thinned
from places import SHARED

CAMERA = intrinsics_from_fov(160, 120, 70.0)
RIG = rig_for(0, Rig(origin="known"), gain=0.1)


def wall(distance):
    return np.full((120, 160), distance)


def envelope(waveform):
    return np.abs(matched_filter(waveform, sweep()))


def arrival(paths, rig):
    return (rig.start + paths / rig.geometry.speed_of_sound) * SAMPLE_RATE


@pytest.mark.parametrize("distance", [0.8, 1.7, 3.1])
def test_a_wall_is_heard_where_it_is(distance):
    loud = envelope(echo_of_depth(wall(distance), CAMERA, RIG, seed=1).waveform)
    paths = RIG.geometry.mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([distance]))[0]
    for ear in (0, 1):
        at = arrival(paths[ear], RIG)
        near = slice(round(at) - 12, round(at) + 13)
        assert near.start + np.argmax(loud[ear, near]) == pytest.approx(at, abs=1.5)
        assert loud[ear, near].max() > 2.5 * np.median(loud[ear, round(at) : round(at) + 400])


def test_ranging_finds_the_wall():
    waveform = echo_of_depth(wall(1.7), CAMERA, RIG, seed=1).waveform
    found = range_profile(waveform, SAMPLE_RATE, RIG.geometry).strongest
    assert found is not None and found.range == pytest.approx(1.7, abs=0.03)


def test_twice_the_depth_comes_twice_as_late():
    ranges = []
    for distance in (1.3, 2.6):
        waveform = echo_of_depth(wall(distance), CAMERA, RIG, seed=1).waveform
        profile = range_profile(waveform, SAMPLE_RATE, RIG.geometry)
        near = (profile.range > 0.8 * distance) & (profile.range < 1.2 * distance)
        ranges.append(profile.range[near][np.argmax(profile.strength[near])])
    assert ranges[1] / ranges[0] == pytest.approx(2.0, rel=0.02)


def test_a_thing_before_the_wall_is_heard_before_it():
    depth = wall(3.0)
    depth[40:80, 60:100] = 1.5
    loud, plain = (envelope(echo_of_depth(d, CAMERA, RIG, seed=1).waveform) for d in (depth, wall(3.0)))
    paths = RIG.geometry.mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([1.5]))[0]
    for ear in (0, 1):
        at = arrival(paths[ear], RIG)
        near = slice(round(at) - 8, round(at) + 9)
        assert near.start + np.argmax(loud[ear, near]) == pytest.approx(at, abs=1.5)
        assert loud[ear, round(at)] > 1.5 * plain[ear, round(at)]


def test_the_seed_decides_every_byte():
    one, two, three = (echo_of_depth(wall(2.0), CAMERA, RIG, seed=seed, duration=0.1) for seed in (4, 4, 5))
    assert one.waveform.tobytes() == two.waveform.tobytes() != three.waveform.tobytes()
    assert one.waveform.dtype == np.float32 and one.waveform.shape == (2, 4410)


def test_gain_scales_the_recording_and_clipping_is_counted():
    quiet, loud = (
        echo_of_depth(wall(1.0), CAMERA, rig_for(0, Rig(), gain), seed=0, duration=0.1) for gain in (0.01, 0.02)
    )
    np.testing.assert_allclose(loud.waveform, 2 * quiet.waveform, rtol=1e-5, atol=1e-9)
    assert quiet.clipped == 0
    assert echo_of_depth(wall(1.0), CAMERA, rig_for(0, Rig(), 50.0), seed=0, duration=0.1).clipped > 10


def test_a_given_rig_keeps_its_geometry_and_a_drawn_one_its_seed():
    given = Rig(speaker=(0.0, 0.2, 0.0))
    assert rig_for(3, given).geometry == given
    assert rig_for(3).geometry == rig_for(3).geometry != rig_for(4).geometry
    assert rig_for(3).plate is None


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"depth": np.zeros((120, 160))}, DepthError, "no pixel"),
        ({"depth": np.full((120, 160), np.nan)}, DepthError, "finite"),
        ({"depth": np.ones(5)}, DepthError, "height, width"),
        ({"intrinsics": np.zeros((3, 3))}, CalibrationError, "focal"),
        ({"duration": 0.01}, OptionError, "0.05 to 2"),
        ({"duration": float("nan")}, OptionError, "0.05 to 2"),
    ],
)
def test_what_makes_no_sense_is_refused(change, error, message):
    arguments = {"depth": wall(1.0), "intrinsics": CAMERA, "rig": RIG, "seed": 0} | change
    with pytest.raises(error, match=message):
        echo_of_depth(**arguments)


@pytest.mark.parametrize("seed, gain", [(-1, None), (0, 0.0), (0, float("nan")), (0, -1.0)])
def test_a_rig_of_no_seed_or_no_gain_is_refused(seed, gain):
    with pytest.raises(OptionError):
        rig_for(seed, None, gain)


def test_real_walls_are_heard_where_the_real_depth_map_has_them():
    """Planes of the real maps whose mirror point is in view and flat for 4 pixels around."""
    folder = SHARED / "real" / "hololens_rgbd"
    if not folder.exists():
        pytest.skip("no shared/real beside the checkout")
    apart = []
    for name in ("00023", "00107", "00151", "00183", "00187"):
        depth = read_depth(folder / "depth" / f"{name}.png")
        intrinsics = read_intrinsics(folder / "K.txt", depth.shape[1], depth.shape[0])
        small, camera = thinned(depth, intrinsics)
        loud = envelope(echo_of_depth(depth, intrinsics, RIG, seed=0).waveform)
        for plane in find_planes(small, small > 0, camera, TOLERANCE)[0]:
            if plane.foot is Foot.SEEN and plane.share > 0.05 and _flat(small, camera, plane):
                paths = RIG.geometry.mirrored_paths(plane.normal[None], np.array([plane.distance]))[0]
                for ear in (0, 1):
                    at = arrival(paths[ear], RIG)
                    apart.append(np.argmax(loud[ear, round(at) - 8 : round(at) + 9]) - 8 + round(at) - at)
    assert len(apart) >= 8
    assert np.median(np.abs(apart)) < 1.0  # a guess would be 4 samples off


def _flat(depth, intrinsics, plane):
    foot = intrinsics @ (plane.normal * plane.distance)
    column, row = np.rint(foot[:2] / foot[2]).astype(int)
    points = unproject(depth, intrinsics)[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5]
    known = points[points[..., 2] > 0]
    return len(known) > 20 and np.mean(np.abs(1 - known @ plane.normal / plane.distance) < 0.012) > 0.9
