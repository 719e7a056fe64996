"""The scale of a stream: still where the camera is, ever less certain without an echo, and at a cut elsewhere soon."""

import numpy as np
import pytest

from avsnet.errors import EchoError
from avsnet.models.info import ModelInfo
from avsnet.scale.over_time import DRIFT, Carried, Stream, with_echo
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.rules import ScaledDepth
from avsnet.scale.scene import Found, Scene
from avsnet.scale.sources import SOURCES, Choice, Source

BEFORE = ScalePosterior.normal(1.2, 0.4)
MATCHED = 0.5  # chance that an echo is the map's own, as beside a witness


def heard(scale, deviation=0.12):
    """What an ear says: its likelihood never falls below the chance that the echo is another room's."""
    peak = np.exp(-0.5 * ((BEFORE.log_scale - np.log(scale)) / deviation) ** 2)
    return ScalePosterior(BEFORE.log_scale, BEFORE.probability * (MATCHED * 12.0 * peak + 1.0 - MATCHED))


def after(carried, *scales, drift=0.02):
    for scale in scales:
        carried = with_echo(carried, heard(scale), BEFORE, drift)
    return carried


def width(posterior):
    return float(np.ptp(np.log(posterior.interval(0.9))))


def test_a_hundred_echoes_of_one_place_hold_still_and_say_little_more_than_one():
    rng = np.random.default_rng(0)
    carried, found = Carried(heard(1.0), "ear"), []
    for _ in range(100):
        carried = after(carried, float(np.exp(0.02 * rng.standard_normal())))
        found.append(np.log(carried.standing.median))
    assert np.std(found[10:]) < 0.01
    assert width(carried.standing) > 0.7 * width(heard(1.0))


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_a_cut_to_a_scene_twice_as_deep_or_half_is_followed_within_three_echoes(times):
    carried = after(Carried(heard(1.0), "ear"), *[1.0] * 30)
    middles = []
    for _ in range(3):
        carried = after(carried, times)
        middles.append(carried.standing.median)
    assert middles[-1] == pytest.approx(heard(times).median, rel=0.1)


def test_one_echo_of_another_place_changes_little_and_is_forgotten():
    steady = after(Carried(heard(1.0), "ear"), *[1.0] * 10)
    disturbed = after(steady, 2.0)
    assert disturbed.standing.median == pytest.approx(steady.standing.median, rel=0.02)
    assert width(disturbed.posterior(0.02)) > width(steady.posterior(0.02))  # it might be a cut
    again = after(disturbed, 1.0, 1.0)
    assert again.rival is None and again.standing.median == pytest.approx(steady.standing.median, rel=0.02)


def test_an_echo_that_says_nothing_changes_nothing():
    steady = after(Carried(heard(1.0), "ear"), *[1.0] * 10)
    silent = steady
    for _ in range(50):
        silent = with_echo(silent, BEFORE, BEFORE, 0.0)
    assert silent.standing.median == pytest.approx(steady.standing.median, rel=0.02)
    assert width(silent.standing) == pytest.approx(width(steady.standing), rel=0.1)


def test_what_answers_of_other_units_and_grids_have_in_common_is_found():
    carried = Carried(ScalePosterior.normal(1.0, 0.1), "known")
    far = with_echo(carried, ScalePosterior.normal(50.0, 0.01), None, 0.02)  # on grids that do not meet
    assert far.rival is not None or far.standing.median == pytest.approx(50.0, rel=0.05)


def scene(unit=1.0, kind="metric_depth", echo=True):
    """Of a flat wall in 2 m."""
    values = np.full((4, 6), 2.0 / unit)
    return Scene(values, ModelInfo("net", kind, "MIT", "MIT", "this test"), np.eye(3), (lambda: None) if echo else None)


def told(scale, evidence=True, **more):
    """A source that hears that scale."""

    def find(scene, _):
        posterior = heard(scale)
        scaled = ScaledDepth(scene.depth, 1.0, 0.0, "ear").times(posterior.median)
        return Found(scaled, "ear", posterior, BEFORE, object() if evidence else None, **more)

    return Choice(Source(find, "toy", "a toy", needs_echo=True), "")


def test_frames_without_an_echo_keep_metres_with_growing_doubt():
    stream = Stream()
    first = stream.find(told(1.1), scene())
    frames = [stream.find(told(9.9), scene(echo=False)) for _ in range(30)]
    for number, found in enumerate(frames, 1):
        assert np.allclose(found.scaled.depth, first.scaled.depth, rtol=0.03)
        assert f"{number} frame" in found.warnings[-1] and found.origin == "carried: ear"
    widths = [width(found.posterior) for found in (first, *frames)]
    assert (np.diff(widths) > 0.0).all()
    assert frames[-1].posterior.median == pytest.approx(first.posterior.median, rel=0.02)
    assert DRIFT[True] < DRIFT[False]  # the unit of a relative map is each picture's own


def test_a_bad_echo_is_an_error_at_first_and_a_warning_later():
    def silent(scene, _):
        raise EchoError("silent")

    bad, stream = Choice(Source(silent, "toy", "a toy", needs_echo=True), ""), Stream()
    with pytest.raises(EchoError):
        stream.find(bad, scene())
    with pytest.raises(EchoError, match="not to be believed"):
        stream.find(told(1.0, refusal="not to be believed"), scene())
    first = stream.find(told(1.0), scene())
    kept = stream.find(bad, scene())
    assert kept.warnings[0] == "the echo was not used: silent"
    assert np.allclose(kept.scaled.depth, first.scaled.depth, rtol=0.02)


def test_what_a_source_saw_but_did_not_hear_is_not_carried():
    stream = Stream()
    stream.find(told(1.0, evidence=False), scene())
    assert not stream.knows
    assert stream.find(told(2.0), scene()).scaled.scale == heard(2.0).median and stream.knows


def test_a_known_distance_is_that_of_the_first_picture():
    stream, known = Stream(), Choice(SOURCES["known"], "3,2,2.4")
    first = stream.find(known, scene(kind="relative_depth", echo=False))
    later = stream.find(known, scene(unit=0.5, kind="relative_depth", echo=False))
    assert np.allclose(first.scaled.depth, 2.4) and np.allclose(later.scaled.depth, 4.8, rtol=0.01)
