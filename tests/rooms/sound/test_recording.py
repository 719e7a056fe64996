"""What lies between the ears and the file: sweep, colour and noise, each in numbers."""

from dataclasses import replace

import numpy as np
import pytest

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.rig import Rig
from avsnet.rooms.sound.recording import noise_spectrum, responses, sweep_spectrum
from avsnet.rooms.sound.rig import RecordingRig

LENGTH = 24_000
FREQUENCY = np.fft.rfftfreq(LENGTH, 1 / SAMPLE_RATE)
RIG = RecordingRig()


def decibels(response, hertz):
    return 20 * np.log10(np.interp(hertz, FREQUENCY, response))


def test_noise_has_the_rms_asked_for_and_is_another_one_at_each_ear():
    noise = np.fft.irfft(noise_spectrum(FREQUENCY, RIG, 0), LENGTH)
    many = [np.fft.irfft(noise_spectrum(FREQUENCY, RIG, seed), LENGTH).std() for seed in range(40)]
    assert np.sqrt(np.mean(np.square(many))) == pytest.approx(RIG.noise, rel=0.05)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.5
    assert noise.mean() == pytest.approx(0.0, abs=1e-12)


def test_most_of_the_noise_is_rumble():
    power = np.mean([np.abs(noise_spectrum(FREQUENCY, RIG, seed)) ** 2 for seed in range(20)], axis=(0, 1))
    assert power[FREQUENCY < 100].sum() > 0.6 * power.sum()
    high = FREQUENCY > 1000
    assert power[high].sum() > 1e-4 * power.sum()  # yet some hiss


def test_the_sweep_is_the_one_that_ranging_looks_for_with_soft_ends():
    played = np.fft.irfft(sweep_spectrum(Rig(), LENGTH), LENGTH)[:132]
    np.testing.assert_allclose(played[11:-11], sweep()[11:-11], atol=1e-12)
    assert abs(played[0]) < 0.01 and abs(played[-1]) < 0.01


def test_a_rig_with_a_template_plays_it_as_it_is():
    template = np.random.default_rng(0).normal(size=200)
    played = np.fft.irfft(sweep_spectrum(Rig(template=template), LENGTH), LENGTH)
    np.testing.assert_allclose(played[:200], template, atol=1e-12)


def test_rumble_and_the_highest_frequencies_do_not_pass():
    _, response = responses(FREQUENCY, RIG)
    assert response[0] == 0.0
    peak = decibels(response, RIG.resonance)
    assert decibels(response, 100.0) < peak - 25.0
    assert decibels(response, 20_500.0) < peak - 25.0
    assert decibels(response, 330.0) - decibels(response, 1000.0) == pytest.approx(-3.0, abs=0.3)


def test_the_resonance_lifts_what_comes_from_ahead_and_the_direct_sound_less():
    rig = replace(RIG, resonance=4100.0)
    direct, echo = responses(FREQUENCY, rig)
    lift = echo[1:] / direct[1:]  # neither lets 0 Hz pass
    assert FREQUENCY[1:][np.argmax(lift)] == pytest.approx(4100.0, rel=0.02)
    assert lift.max() == pytest.approx(4.2 / 1.8, rel=0.01)
    assert np.interp(500.0, FREQUENCY[1:], lift) == pytest.approx(1.0, abs=0.01)


def test_the_colour_is_a_power_of_the_response_and_none_is_flat():
    frequency = np.linspace(100.0, 18_000.0, 50)
    usual = responses(frequency, RecordingRig())
    for half, whole in zip(responses(frequency, RecordingRig(colour=0.5)), usual, strict=True):
        np.testing.assert_allclose(half**2, whole)
    assert all((flat == 1.0).all() for flat in responses(frequency, RecordingRig(colour=0.0)))
