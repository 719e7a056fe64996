"""The scale by ear: on walls written out by hand, on furnished rooms, and on the one real recording."""

import csv
import re
import runpy
from types import SimpleNamespace

import numpy as np
import pytest
import soxr

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import listen
from avsnet.audio.rig import Rig
from avsnet.errors import DepthError, EchoError
from avsnet.geometry import intrinsics_from_fov, pixel_rays
from avsnet.metrics import depth_metrics, valid_depth
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import EchoScale, posterior_from_echo
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render
from places import ROOT

SHARED = ROOT.parent / "shared"
TABLE = ROOT / "results" / "echo_scale_rooms.csv"
HEIGHT, WIDTH = 96, 128
RIG = Rig(origin="known")

ROOMS = [(domain, seed) for domain in ("offices", "historic") for seed in range(20_000, 20_006)]
CLEAR = [
    ("offices", 20_001),
    ("offices", 20_008),
    ("offices", 20_015),
    ("offices", 20_021),
    ("historic", 20_001),
    ("historic", 20_010),
    ("historic", 20_017),
]


def heard_room(domain, seed):
    """Depth (H, W) in metres, intrinsics and echo of a furnished room."""
    room = furnished_room(domain, seed)
    _, depth, intrinsics = render(room, HEIGHT, WIDTH)
    return depth.astype(np.float64), intrinsics, echo(room, Rig(), seed=seed)


@pytest.fixture(scope="module")
def rooms():
    return [heard_room(*room) for room in ROOMS]


@pytest.fixture(scope="module")
def distorted():
    return runpy.run_path(str(ROOT / "benchmarks" / "echo_scale.py"))["distorted"]


def log_error(found, relative, depth):
    return abs(np.log(found.posterior.scale * np.median(relative) / np.median(depth)))


def played(delay, samples):
    """The sweep delayed by any fraction of a sample, from its formula."""
    time = np.arange(samples) / SAMPLE_RATE - delay
    phase = 2 * np.pi * (20.0 * time + (20_000.0 - 20.0) * time**2 / (2 * 0.003))
    return np.where((time >= 0) & (time < 0.003), np.cos(phase), 0.0)


def walls_ahead(*distances, rig=RIG, samples=8000, seed=0):
    """Echo of walls square to the camera, each as loud as its path lets it be, with a little noise."""
    speaker, waveform = np.array(rig.speaker), np.zeros((2, samples))
    for number, ear in enumerate(np.array(rig.ears)):
        direct = np.linalg.norm(ear - speaker)
        waveform[number] = 0.2 * played(0.0068 + direct / 343.0, samples) / direct
        for distance in distances:
            path = np.linalg.norm(ear - [speaker[0], speaker[1], 2 * distance - speaker[2]])
            waveform[number] += 0.6 * played(0.0068 + path / 343.0, samples) / path
    waveform += 2e-3 * np.random.default_rng(seed).normal(size=waveform.shape)
    return waveform / np.abs(waveform).max()


WALL = np.full((HEIGHT, WIDTH), 3.0)
SEEN = np.ones((HEIGHT, WIDTH), dtype=bool)
CAMERA = intrinsics_from_fov(WIDTH, HEIGHT, 75.0)
# Either side of the prior's 2.5 m, the farther nearer to it: a peak of as many samples is narrower in its log k.
NEAR, FAR = 1.2, 3.2


def on_wall(waveform, depth=WALL, valid=SEEN, rig=RIG, rate=SAMPLE_RATE, **options):
    return posterior_from_echo(depth, valid, CAMERA, listen(waveform, rate, rig), **options)


# -- one wall, in closed form


@pytest.mark.parametrize("distance", [0.6, 1.0, 2.2, 4.5, 8.0])
def test_one_wall_ahead_and_its_echo_give_the_scale(distance):
    found = on_wall(walls_ahead(distance))
    assert found.posterior.scale == pytest.approx(distance / 3.0, rel=0.01)
    # The 2 mm steps of log k and the 4 mm of a sample are all that is lost.
    assert len(found.arrivals) == 1
    assert found.arrivals[0].distance == pytest.approx(distance, rel=0.01)
    assert found.arrivals[0].evidence > 0


def test_two_far_scales_that_fit_alike_are_refused_and_both_are_named_with_the_fix():
    refusal = on_wall(walls_ahead(NEAR, FAR)).refusal
    named = re.search(r"at (\S+) and at (\S+) metres per unit", refusal)
    assert sorted(map(float, named.groups())) == pytest.approx([NEAR / 3, FAR / 3], rel=0.05)
    assert "rig" in refusal and "field of view" in refusal and "one known distance" in refusal


def test_the_posterior_still_answers_where_the_scale_is_refused():
    found = on_wall(walls_ahead(NEAR, FAR))
    assert found.ambiguous
    scales = sorted([found.posterior.scale, found.second[0]])
    assert scales == pytest.approx([NEAR / 3, FAR / 3], rel=0.05)
    for scale in (NEAR / 3, FAR / 3):
        peak = np.abs(found.posterior.log_scale - np.log(scale)) < 0.02
        assert found.posterior.probability[peak].mean() > 5 * np.median(found.posterior.probability)


@pytest.mark.parametrize("right", [NEAR, FAR])
def test_a_metric_models_own_metres_decide_between_two_scales(right):
    waveform, depth = walls_ahead(NEAR, FAR), np.full((HEIGHT, WIDTH), right)
    assert on_wall(waveform, depth).ambiguous
    found = posterior_from_echo(depth, SEEN, CAMERA, listen(waveform, SAMPLE_RATE, RIG), metric=True)
    assert found.refusal is None and found.posterior.scale == pytest.approx(1.0, rel=0.01)


def test_a_metric_map_makes_scales_near_1_more_probable_and_nothing_else():
    waveform = walls_ahead(2.2)
    with_unit, without = on_wall(waveform, metric=True), on_wall(waveform)
    np.testing.assert_array_equal(with_unit.posterior.log_scale, without.posterior.log_scale)
    log_ratio = np.log(with_unit.posterior.probability) - np.log(without.posterior.probability)
    # A Gaussian round log k = 0, whatever was heard: its logarithm is a parabola.
    curvature, slope, _ = np.polyfit(without.posterior.log_scale, log_ratio, 2)
    assert curvature < -0.1
    assert slope == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(log_ratio, curvature * without.posterior.log_scale**2 + log_ratio.max(), atol=1e-3)


def test_the_rig_counts_and_the_warnings_say_where_it_comes_from():
    spread = Rig(speaker=(0.6, 0.1, 0.05), ears=((-0.3, 0.05, -0.04), (-0.1, 0.05, -0.04)), origin="calibrated")
    waveform = walls_ahead(1.0, rig=spread)
    known, assumed = on_wall(waveform, rig=spread), on_wall(waveform, rig=None)
    assert known.posterior.scale == pytest.approx(1.0 / 3.0, rel=0.01)
    assert abs(np.log(assumed.posterior.scale * 3.0)) > 0.05
    assert not any("swapped" in line for line in known.warnings)
    assert any("swapped" in line for line in on_wall(waveform[::-1], rig=spread).warnings)
    assert any("rig calibrated" in line for line in known.warnings)
    assert any("rig assumed" in line for line in assumed.warnings)


def test_left_and_right_are_told_apart_by_the_ears():
    # One wall 45 degrees to the left, and the same echo with the ears swapped.
    wide = Rig(speaker=(0.0, 0.0, 0.0), ears=((-0.4, 0.0, 0.0), (0.4, 0.0, 0.0)), origin="known")
    normal = np.array([-np.sqrt(0.5), 0.0, np.sqrt(0.5)])
    rays = pixel_rays(CAMERA, HEIGHT, WIDTH) @ normal
    valid = rays > 0.2
    depth = np.where(valid, 1.0 / np.where(valid, rays, 1.0), 0.0)
    waveform = np.zeros((2, 8000))
    for number, ear in enumerate(np.array(wide.ears)):
        path = np.linalg.norm(ear - 2 * 1.8 * normal)  # the speaker at the origin, mirrored in a wall 1.8 m away
        waveform[number] = played(0.0068 + 0.4 / 343.0, 8000) / 2 + 0.6 * played(0.0068 + path / 343.0, 8000) / path
    waveform += 2e-3 * np.random.default_rng(0).normal(size=waveform.shape)
    heard, swapped = (on_wall(w, depth, valid, rig=wide) for w in (waveform, waveform[::-1]))
    assert heard.posterior.scale == pytest.approx(1.8, rel=0.01)
    assert abs(np.log(swapped.posterior.scale / 1.8)) > 0.05
    assert swapped.posterior.confidence < 0.5 * heard.posterior.confidence


# -- what odd input does


def test_one_microphone_works_and_is_said():
    both = walls_ahead(2.2)
    dead = both * [[0.0], [1.0]]
    for waveform in (both[0], both[:1], dead):
        found = on_wall(waveform)
        assert found.posterior.scale == pytest.approx(2.2 / 3.0, rel=0.01)
        assert any("one microphone" in line for line in found.warnings)
    assert not any("one microphone" in line for line in on_wall(both).warnings)


def test_another_sample_rate_gives_the_same_scale_and_is_said():
    waveform = soxr.resample(walls_ahead(2.2).T, SAMPLE_RATE, 96_000).T
    found = on_wall(waveform, rate=96_000)
    assert found.posterior.scale == pytest.approx(2.2 / 3.0, rel=0.01)
    assert any("resampled from 96000 Hz" in line for line in found.warnings)


def test_an_echo_in_which_nothing_follows_the_direct_sound_is_refused():
    echo = listen(walls_ahead(), SAMPLE_RATE, RIG)
    with pytest.raises(EchoError, match="no echo"):
        posterior_from_echo(WALL, SEEN, CAMERA, echo)


@pytest.mark.parametrize("depth", [np.zeros((HEIGHT, WIDTH)), np.full((HEIGHT, WIDTH), np.nan), -WALL])
def test_a_map_without_a_valid_pixel_is_refused(depth):
    with pytest.raises(DepthError, match="no valid pixel"):
        on_wall(walls_ahead(2.2), depth)
    with pytest.raises(DepthError, match="no valid pixel"):
        on_wall(walls_ahead(2.2), WALL, ~SEEN)


@pytest.mark.parametrize("unknown", [0.0, -1.0, np.nan, np.inf, 1e6])
def test_unknown_pixels_change_nothing(unknown):
    waveform, hole = walls_ahead(2.2), np.random.default_rng(0).random(WALL.shape) < 0.3
    clean = on_wall(waveform, np.where(hole, 0.0, WALL))
    # What is not finite or not positive need not be marked; what is marked may be anything.
    marked = SEEN if not unknown > 0 or np.isinf(unknown) else ~hole
    found = on_wall(waveform, np.where(hole, unknown, WALL), marked)
    np.testing.assert_array_equal(found.posterior.probability, clean.posterior.probability)
    assert found.posterior.scale == clean.posterior.scale


def test_a_map_without_planes_is_refused():
    # Each pixel on its own, over five orders of magnitude: nothing in it is flat.
    for seed in range(3):
        noise = np.exp(3 * np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH)))
        with pytest.raises(DepthError, match="no plane"):
            on_wall(walls_ahead(2.2), noise)


def test_a_map_of_mild_noise_is_refused_or_hardly_believed(rooms):
    for seed in range(6):
        noise = np.exp(np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH)))
        found = posterior_from_echo(noise, SEEN, CAMERA, listen(rooms[seed][2], SAMPLE_RATE))
        assert found.ambiguous or found.posterior.confidence < 0.35


# -- furnished rooms


@pytest.mark.parametrize(("domain", "seed"), CLEAR)
def test_a_furnished_rooms_true_shape_and_its_echo_give_the_scale_within_2_percent(domain, seed):
    depth, intrinsics, waveform = heard_room(domain, seed)
    relative = depth * np.exp(np.random.default_rng(seed).normal())
    found = posterior_from_echo(relative, relative > 0, intrinsics, listen(waveform, SAMPLE_RATE))
    assert log_error(found, relative, depth) < 0.02


@pytest.mark.parametrize("factor", [7.0, 1e-3])
def test_the_unit_of_the_map_goes_into_the_scale_and_nothing_else(rooms, factor):
    for depth, intrinsics, waveform in rooms[:3]:
        one = posterior_from_echo(depth, depth > 0, intrinsics, listen(waveform, SAMPLE_RATE))
        other = posterior_from_echo(factor * depth, depth > 0, intrinsics, listen(waveform, SAMPLE_RATE))
        assert other.posterior.scale == pytest.approx(one.posterior.scale / factor, rel=1e-6)
        assert other.posterior.confidence == pytest.approx(one.posterior.confidence, abs=1e-4)
        metres = [[arrival.distance for arrival in found.arrivals] for found in (one, other)]
        np.testing.assert_allclose(*metres, rtol=1e-5)


def test_the_posterior_is_a_distribution_and_the_confidence_a_probability(rooms):
    for depth, intrinsics, waveform in rooms[::2]:
        for metric in (False, True):
            found = posterior_from_echo(depth, depth > 0, intrinsics, listen(waveform, SAMPLE_RATE), metric=metric)
            assert found.posterior.probability.shape == found.posterior.log_scale.shape
            assert found.posterior.probability.sum() == pytest.approx(1.0)
            assert (found.posterior.probability >= 0).all() and np.isfinite(found.posterior.probability).all()
            near = np.abs(found.posterior.log_scale - np.log(found.posterior.scale)) < 0.15
            assert 0.0 < found.posterior.confidence <= 1.0 + 1e-9
            assert found.posterior.confidence == pytest.approx(found.posterior.probability[near].sum(), abs=5e-3)
            second, share = found.second
            assert abs(np.log(second / found.posterior.scale)) > 0.15 and share >= 0
            assert found.ambiguous == (share > 0.7)


def test_the_same_map_and_echo_give_the_same_posterior(rooms):
    depth, intrinsics, waveform = rooms[0]
    before = depth.copy(), waveform.copy()
    one, again = (posterior_from_echo(depth, depth > 0, intrinsics, listen(waveform, SAMPLE_RATE)) for _ in range(2))
    np.testing.assert_array_equal(one.posterior.probability, again.posterior.probability)
    assert np.array_equal(depth, before[0]) and np.array_equal(waveform, before[1])  # inputs are left alone


@pytest.mark.parametrize(("deviation", "allowed"), [(0.0, 0.06), (0.1, 0.20)])
def test_the_median_error_over_twelve_rooms_is_small_and_grows_with_the_shapes(rooms, distorted, deviation, allowed):
    errors = []
    for (depth, intrinsics, waveform), (_, seed) in zip(rooms, ROOMS, strict=True):
        relative = distorted(depth, deviation, np.random.default_rng(seed))
        found = posterior_from_echo(relative, relative > 0, intrinsics, listen(waveform, SAMPLE_RATE))
        errors.append(log_error(found, relative, depth))
    assert np.median(errors) < allowed


@pytest.mark.slow
def test_another_rooms_echo_does_no_better_than_no_echo(rooms):
    def hear(shift):
        found = [
            posterior_from_echo(depth, depth > 0, intrinsics, listen(rooms[(number + shift) % 12][2], SAMPLE_RATE))
            for number, (depth, intrinsics, _) in enumerate(rooms)
        ]
        return [log_error(f, depth, depth) for f, (depth, _, _) in zip(found, rooms, strict=True)], found

    errors, found = hear(0)
    shuffled, confused = zip(*(hear(shift) for shift in (1, 2, 3)), strict=True)
    prior = [abs(np.log(np.median(depth) / 2.5)) for depth, _, _ in rooms]
    assert np.median(errors) < 0.1 * np.median(shuffled)
    assert np.median(errors) < 0.1 * np.median(prior)
    assert np.median(shuffled) > 0.8 * np.median(prior)
    doubt = [f.posterior.confidence for some in confused for f in some]
    assert np.mean(doubt) < 0.7 * np.mean([f.posterior.confidence for f in found])


# -- the committed table


@pytest.fixture(scope="module")
def table():
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("condition", "allowed"), [("true shape", 0.06), ("10 % shape error", 0.20)])
def test_the_committed_table_keeps_its_promise_over_200_rooms(table, condition, allowed):
    rows = [row for row in table if row["condition"] == condition]
    assert len({(row["domain"], row["seed"]) for row in rows}) == len(rows) >= 200
    # A room without an answer counts as an error without bound.
    assert np.median([abs(float(row["error"] or "inf")) for row in rows]) <= allowed


def test_rooms_that_the_table_calls_refused_are_refused_and_still_have_a_posterior(table):
    rows = [row for row in table if row["condition"] == "true shape" and row["refused"] == "1" and row["second"]]
    for row in sorted(rows, key=lambda row: -float(row["second"]))[:2]:
        depth, intrinsics, waveform = heard_room(row["domain"], int(row["seed"]))
        found = posterior_from_echo(depth, depth > 0, intrinsics, listen(waveform, SAMPLE_RATE))
        assert np.log(found.posterior.scale) == pytest.approx(float(row["error"]), abs=0.02)
        assert found.refusal.startswith("ambiguous") and found.second[1] == pytest.approx(float(row["second"]), rel=0.1)


# -- the one real recording


@pytest.fixture(scope="module")
def real():
    """FastDepth's own metres for the real picture, the recording, and the true depth with its mask."""
    from avsnet.io.recordings import read_wav
    from avsnet.predict import predict

    sample, network = SHARED / "batvision_v2_sample", SHARED / "real" / "fastdepth_nyu" / "fast_depth_224_dequant.onnx"
    if not (sample.is_dir() and network.is_file()):
        pytest.skip("the real recording and the real model (../shared) are absent")
    prediction = predict(sample / "camera_47.jpeg", depth_model=f"onnx:{network}", scale_from="none")
    target, valid = valid_depth(np.load(sample / "depth_47.npy").astype(np.float64) / 1000.0, 30.0)
    return prediction, read_wav(sample / "audio_47.wav"), target, valid


def test_the_real_models_own_metres_are_wrong_by_the_factor_that_others_found(real):
    prediction, _, target, valid = real
    assert depth_metrics(prediction.depth, target, valid)["abs_rel"] == pytest.approx(1.85, rel=0.01)
    oracle = np.median(target[valid]) / np.median(prediction.depth[valid])
    assert depth_metrics(prediction.depth * oracle, target, valid)["abs_rel"] == pytest.approx(0.17, abs=0.005)


def test_on_the_real_recording_ranging_with_the_default_camera_and_rig_keeps_its_promise(real):
    from avsnet.geometry import ASSUMED_FOV

    prediction, recording, target, valid = real
    camera = intrinsics_from_fov(*prediction.depth.shape[::-1], ASSUMED_FOV)
    found = posterior_from_echo(
        prediction.depth, prediction.valid, camera, listen(recording.waveform, recording.sample_rate), metric=True
    )
    assert depth_metrics(prediction.depth * found.posterior.scale, target, valid)["abs_rel"] <= 0.40
    assert any("rig assumed" in line for line in found.warnings)
    with (ROOT / "results" / "real_recording.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["row"].startswith("ranging, default"))
    assert found.posterior.scale == pytest.approx(float(row["scale"]), rel=0.01)  # the committed table is this rule's


def test_an_answer_a_third_away_is_another_answer():
    grid = np.linspace(-2.0, 2.0, 801)
    first = np.exp(-0.5 * ((grid - 0.5) / 0.02) ** 2)
    for apart, ambiguous in ((0.25, False), (0.36, True), (-0.36, True), (0.8, True)):
        second = 0.9 * np.exp(-0.5 * ((grid - 0.5 - apart) / 0.02) ** 2)
        posterior = ScalePosterior(grid, first + second)
        evidence = SimpleNamespace(posterior=posterior)
        scale, share = EchoScale.second.func(evidence)
        assert (share > 0.7) is ambiguous
        if ambiguous:
            assert np.log(scale) == pytest.approx(0.5 + apart, abs=0.03)
