"""A sample is one room seen and heard: its parts agree, and each random thing has a stream of its own."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import avsnet
from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.errors import OptionError
from avsnet.rooms import sample
from avsnet.rooms.simulator import describe
from avsnet.rooms.sound.rig import RecordingRig

DOMAINS = ("offices", "historic")
SMALL = {"size": (48, 64), "samples": 4000}
ROOMS = [(domain, seed) for domain in DOMAINS for seed in range(3)]


@pytest.fixture(scope="module", params=ROOMS, ids=lambda room: f"{room[0]}-{room[1]}")
def made(request):
    return *request.param, sample(*request.param, **SMALL)


def test_a_sample_holds_what_the_contract_of_the_simulator_says():
    found = avsnet.rooms.sample("historic", 5)
    assert found["rgb"].shape == (256, 256, 3) and found["rgb"].dtype == np.uint8
    assert found["depth"].shape == (256, 256) and found["depth"].dtype == np.float32
    assert found["depth_sensor"].shape == (256, 256) and found["depth_sensor"].dtype == np.uint16
    assert found["audio"].shape == (2, 20_000) and found["audio"].dtype == np.float32
    assert found["K"].shape == (3, 3) and found["pose"].shape == (4, 4)
    assert isinstance(found["k"], float) and isinstance(found["ambiguous"], bool)
    assert found["room_type"] in ("hall", "gallery", "courtyard", "salon") and found["location"] == "historic-5"
    assert isinstance(found["rig"], RecordingRig)
    assert np.abs(found["audio"]).max() <= 1.0 and found["audio"].std() > 0.0


def test_the_same_arguments_give_the_same_bytes_whatever_was_made_between(made):
    domain, seed, found = made
    for other in range(10, 16):
        describe(domain, other)  # so many rooms that the first one is forgotten
    again = sample(domain, seed, **SMALL)
    for key in ("rgb", "depth", "depth_sensor", "audio", "K", "pose"):
        np.testing.assert_array_equal(again[key], found[key], err_msg=key)


def test_the_picture_s_bytes_do_not_depend_on_k_and_depth_and_pose_grow_with_it(made):
    domain, seed, _ = made
    small, large = (sample(domain, seed, k=k, **SMALL) for k in (0.6, 1.7))
    np.testing.assert_array_equal(small["rgb"], large["rgb"])
    np.testing.assert_array_equal(small["K"], large["K"])
    np.testing.assert_allclose(large["depth"] / 1.7, small["depth"] / 0.6, rtol=1e-5)
    np.testing.assert_allclose(large["pose"][:3, 3] / 1.7, small["pose"][:3, 3] / 0.6)
    assert np.abs(large["audio"] - small["audio"]).max() > 0.01 * np.abs(small["audio"]).max()


def test_the_rig_does_not_depend_on_k_nor_on_the_picture(made):
    domain, seed, found = made
    for other in (sample(domain, seed, k=1.7, **SMALL), sample(domain, seed, 100, size=(16, 16), samples=0)):
        for name in ("geometry", "start", "resonance", "gain", "noise", "plate"):
            assert getattr(other["rig"], name) == getattr(found["rig"], name)


def test_k_is_one_where_furniture_is_metric_and_in_its_range_where_all_scales():
    known = [describe(domain, seed) for domain in DOMAINS for seed in range(14)]
    free = [entry["k"] for entry in known if entry["ambiguous"]]
    assert {entry["k"] for entry in known if not entry["ambiguous"]} == {1.0}
    assert len(free) > 3 and min(free) >= 0.5 and max(free) <= 1.6 and len(set(free)) == len(free)


def test_depth_and_pose_agree_between_two_sizes_and_the_sound_is_the_same(made):
    domain, seed, found = made
    double = sample(domain, seed, size=(96, 128), samples=4000)
    np.testing.assert_array_equal(double["audio"], found["audio"])
    np.testing.assert_array_equal(double["pose"], found["pose"])
    np.testing.assert_allclose(double["K"][0, 0], 2 * found["K"][0, 0])
    # Pixel centres of the small picture lie in the middle of 2 x 2 of the large one.
    corners = [double["depth"][row::2, column::2] for row in (0, 1) for column in (0, 1)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    assert np.mean((found["depth"] >= low * 0.999) & (found["depth"] <= high * 1.001)) > 0.95


def test_an_aspect_squeezes_a_wide_picture_into_another_size():
    wide, squeezed = (
        sample("offices", 1, size=(72, 128), samples=0),
        sample("offices", 1, size=(72, 72), aspect=16 / 9, samples=0),
    )
    columns = np.clip(np.round((np.arange(72) + 0.5) * 128 / 72 - 0.5).astype(int), 0, 127)
    close = np.isclose(squeezed["depth"], wide["depth"][:, columns], rtol=0.05)
    assert close.mean() > 0.9
    assert squeezed["K"][1, 1] == pytest.approx(wide["K"][1, 1])
    assert squeezed["K"][0, 0] == pytest.approx(wide["K"][0, 0] * 72 / 128)


def test_sensor_depth_is_the_true_depth_with_holes_and_a_little_noise(made):
    found = made[2]
    seen = found["depth_sensor"] > 0
    error = found["depth_sensor"][seen] / 1000.0 - found["depth"][seen]
    assert 0.5 < seen.mean() < 0.97
    assert np.abs(error / found["depth"][seen] ** 2).std() < 0.0025


@pytest.mark.parametrize("domain", DOMAINS)
def test_ten_to_twenty_five_percent_of_the_depth_is_missing_and_few_recordings_clip(domain):
    made = [sample(domain, seed, size=(128, 128), samples=3000) for seed in range(100, 108)]
    assert 0.10 < np.mean([(found["depth_sensor"] == 0).mean() for found in made]) < 0.25
    assert sum((np.abs(found["audio"]) >= 1.0).any() for found in made) <= 1


def test_the_echo_of_the_nearest_wall_comes_when_it_should():
    # Among the strong arrivals there is one at the distance of what stands ahead.
    hits = []
    for seed in range(8):
        found = sample("offices", seed, size=(33, 33), samples=4000, k=1.0)
        rig = found["rig"]
        envelope = np.abs(matched_filter(found["audio"], sweep())).max(axis=0)
        ahead = float(found["depth"][16, 16])
        path = np.linalg.norm([0.0, 0.0, 2 * ahead] - np.array(rig.geometry.speaker) - np.array(rig.geometry.ears[0]))
        arrival = round((rig.start + path / 343.0) * SAMPLE_RATE)
        peak = envelope[max(0, arrival - 25) : arrival + 26].max()
        hits.append(peak > 3 * np.median(envelope))
    assert np.mean(hits) >= 0.75


def warped_errors(one, other):
    """Mean colour error of `other` seen from `one` by true depth and pose, and as it is; share of pixels seen."""
    height, width = one["depth"].shape
    y, x = np.mgrid[:height, :width].astype(float)
    camera = one["K"]
    rays = np.stack([(x - camera[0, 2]) / camera[0, 0], (y - camera[1, 2]) / camera[1, 1], np.ones_like(x)], axis=-1)
    points = (rays * one["depth"][..., None]) @ one["pose"][:3, :3].T + one["pose"][:3, 3]
    seen = (points - other["pose"][:3, 3]) @ other["pose"][:3, :3]
    depth = np.maximum(seen[..., 2], 1e-6)
    column = camera[0, 0] * seen[..., 0] / depth + camera[0, 2]
    row = camera[1, 1] * seen[..., 1] / depth + camera[1, 2]
    good = (one["depth"] > 0) & (column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1)
    there = map_coordinates(other["depth"], [row, column], order=1, mode="nearest")
    good &= np.abs(there - depth) < 0.02 * depth
    pictures = [found["rgb"].astype(float) for found in (one, other)]
    moved = np.stack(
        [map_coordinates(pictures[1][..., c], [row, column], order=1, mode="nearest") for c in range(3)], -1
    )
    return np.abs(moved - pictures[0])[good].mean(), np.abs(pictures[1] - pictures[0])[good].mean(), good.mean()


@pytest.mark.parametrize("domain", DOMAINS)
def test_warping_triplets_with_true_depth_and_pose_cuts_the_colour_error_three_times(domain):
    errors = []
    for seed in range(4):
        before, middle, after = (sample(domain, seed, frame, size=(192, 256), samples=0) for frame in (10, 30, 50))
        errors += [warped_errors(middle, other) for other in (before, after)]
    warped, unwarped, share = np.mean(errors, axis=0)
    assert share > 0.7
    assert unwarped > 3.0 * warped


def test_a_hundred_frames_are_one_walk_and_the_next_is_elsewhere():
    poses = [describe("historic", 4, frame)["pose"] for frame in (0, 50, 99, 100, 200)]
    steps = np.linalg.norm(np.diff([pose[:3, 3] for pose in poses], axis=0), axis=1)
    assert steps[0] < 0.5 and steps[1] < 0.5
    assert steps[2] > 0.5 and steps[3] > 0.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"domain": "caves"}, r"'caves'.*offices, historic"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 1.5}, "seed 1.5"),
        ({"frame": -3}, "frame -3"),
        ({"size": (0, 64)}, "size"),
        ({"size": (64,)}, "size"),
        ({"k": 0.0}, "k 0.0"),
        ({"k": float("nan")}, "k nan"),
        ({"aspect": -1.0}, "aspect"),
        ({"samples": -1}, "samples -1"),
        ({"preset": "rooms-0"}, "rooms-1"),
    ],
)
def test_what_makes_no_sense_is_refused(change, reason):
    with pytest.raises(OptionError, match=reason):
        sample(**({"domain": "offices", "seed": 0} | change))
