"""What a sound card recorded, examined: rooms whose faults are known."""

import numpy as np
import pytest
import soxr

from avsnet.audio.capture import BEFORE, average, examine, latency, template_at
from avsnet.audio.chirp import SAMPLE_RATE, chirp_train, sweep
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.rig import Rig
from avsnet.errors import EchoError, OptionError
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for

RATE = 48_000
CAMERA = np.array([[46.0, 0.0, 31.5], [0.0, 46.0, 23.5], [0.0, 0.0, 1.0]])


@pytest.fixture(scope="module")
def room():
    """(2, N) at 48 kHz: the simulated echo of a wall at 2 m and what is round it."""
    rig = rig_for(1, Rig(), gain=0.1)
    echo = echo_of_depth(np.full((48, 64), 2.0, np.float32), CAMERA, rig, seed=1)
    return soxr.resample(echo.waveform.T, SAMPLE_RATE, RATE).T


def repeated(room, count, period, noise=0.0, start=9_000, seed=0):
    """(2, N) the room heard so many times, in noise."""
    waveform = noise * np.random.default_rng(seed).normal(size=(2, start + count * period + RATE))
    for number in range(count):
        at = start + number * period
        waveform[:, at : at + room.shape[1]] += room
    return waveform


def test_a_good_recording_needs_no_change(room):
    quiet = room + 1e-5 * np.random.default_rng(0).normal(size=room.shape)
    found = examine(quiet / np.abs(quiet).max() * 0.4, RATE)
    assert found.advice == ()
    assert found.echo is not None and found.peak == pytest.approx(-8.0, abs=0.1)
    assert any("channel 1 is taken for the left ear" in fact for fact in found.facts)


@pytest.mark.parametrize(
    "spoil, word",
    [
        (lambda room: 0.005 * room / np.abs(room).max(), "too quiet"),
        (lambda room: (4.0 * room / np.abs(room).max()).clip(-1.0, 1.0), "too loud"),
        (lambda room: (4.0 * room / np.abs(room).max()).clip(-0.8, 0.8), "clipped"),
        (lambda room: room / np.abs(room).max() + 0.1 * np.random.default_rng(0).normal(size=room.shape), "noise"),
        (lambda room: np.stack([room[0], room[0]]), "one microphone"),
        (lambda room: np.stack([room[0], 0.0 * room[0]]), "only the left ear is heard"),
        (lambda room: soxr.resample(soxr.resample(room.T, RATE, 14_000), 14_000, RATE).T, "muffled"),
        (lambda room: _with_hum(room), "hum"),
    ],
)
def test_each_fault_is_named_with_what_to_change(room, spoil, word):
    assert any(word in text for text in examine(spoil(room), RATE).advice)


def _with_hum(room):
    time = np.arange(room.shape[1]) / RATE
    return room + 0.1 * np.abs(room).max() * np.sin(2.0 * np.pi * 50.0 * time)


def test_silence_says_that_the_chirp_was_not_heard():
    found = examine(1e-3 * np.random.default_rng(0).normal(size=(2, RATE // 2)), RATE)
    assert found.echo is None and "the chirp was not heard" in found.advice[0]


def test_eight_chirps_averaged_are_three_times_less_noisy_than_one(room):
    period = round(0.503 * RATE)
    noise = 0.02 * np.abs(room).max()
    template = template_at(Rig(), RATE)
    noisy, clean = (
        [average(repeated(room, count, period, level), RATE, template, count, period) for count in (1, 8)]
        for level in (noise, 0.0)
    )
    assert [(one.used, one.left_out) for one in noisy] == [(1, 0), (8, 0)]
    left = [(a.waveform - b.waveform)[:, 2_000:20_000].std() for a, b in zip(noisy, clean, strict=True)]
    assert left[0] / left[1] == pytest.approx(8**0.5, rel=0.1)
    start = round(BEFORE * RATE)
    assert abs(direct_sound(noisy[1].waveform, RATE, template) - start) <= 1


def test_a_repeat_with_a_slammed_door_is_left_out(room):
    period = round(0.503 * RATE)
    waveform = repeated(room, 5, period, 1e-4)
    door = 9_000 + 2 * period
    waveform[:, door : door + RATE // 3] += 0.5 * np.random.default_rng(1).normal(size=(2, RATE // 3))
    found = average(waveform, RATE, template_at(Rig(), RATE), 5, period)
    assert (found.used, found.left_out) == (4, 1)


def test_a_sound_card_whose_clock_slips_between_repeats_is_followed(room):
    period = round(0.503 * RATE)
    steady = average(repeated(room, 1, period), RATE, template_at(Rig(), RATE), 1, period)
    slipping = np.concatenate([repeated(room, 1, period)[:, : 9_000 + period + k] for k in (0, 7, -5)], axis=1)
    drifted = np.concatenate([slipping, np.zeros((2, RATE))], axis=1)
    found = average(drifted, RATE, template_at(Rig(), RATE), 3, period + 9_000)
    assert found.used == 3
    length = min(found.waveform.shape[1], steady.waveform.shape[1]) - 2_000
    np.testing.assert_allclose(found.waveform[:, 500:length], steady.waveform[:, 500:length], atol=1e-6)


def test_no_chirp_cannot_be_averaged():
    with pytest.raises(EchoError):
        average(1e-3 * np.random.default_rng(0).normal(size=(2, RATE)), RATE, template_at(Rig(), RATE))


def test_latency_counts_from_handing_over_to_hearing():
    assert latency(20_680, 4_800, 13_000, RATE) == pytest.approx(0.06)


def test_a_chirp_train_holds_each_chirp_where_its_pause_ends():
    played = chirp_train(sweep(RATE), RATE, count=3, pause=0.25, lead=0.1, level=0.5)
    assert np.abs(played).max() == pytest.approx(0.5)
    for number in range(3):
        start = round(0.1 * RATE) + number * (len(sweep(RATE)) + round(0.25 * RATE))
        np.testing.assert_allclose(played[start : start + 144], 0.5 * sweep(RATE), atol=1e-6)


def test_a_chirp_train_refuses_a_pause_that_is_none():
    with pytest.raises(OptionError, match="pause"):
        chirp_train(sweep(), SAMPLE_RATE, pause=0.0)
