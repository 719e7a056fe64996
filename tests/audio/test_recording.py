"""A recording becomes an echo once, and everything that was measured in it comes with the echo."""

import numpy as np
import pytest

from avsnet.audio import recording
from avsnet.audio.calibration import calibrate
from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.ranging import profile_of, range_profile
from avsnet.audio.recording import Heard, listen
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, EchoError
from avsnet.io.recordings import Recording


def recorded(direct=300, echoes=((0.3, 900), (0.2, 2100)), samples=8000, noise=0.002, seed=0):
    """The sweep, its echoes so many samples later, and noise of either ear, (2, N) float64."""
    waveform = noise * np.random.default_rng(seed).normal(size=(2, samples))
    for gain, delay in ((1.0, 0), *echoes):
        start = direct + delay
        if 0 <= start < samples:
            waveform[:, start : start + 132] += 0.5 * gain * sweep()[: samples - start]
    return waveform


@pytest.fixture
def counted(monkeypatch):
    """How often a recording goes through the matched filter."""
    calls = []

    def counting(*arguments):
        calls.append(arguments)
        return matched_filter(*arguments)

    monkeypatch.setattr(recording, "matched_filter", counting)
    return calls


def test_an_echo_holds_what_the_matched_filter_and_the_search_for_the_direct_sound_give():
    echo = listen(recorded(), SAMPLE_RATE)
    np.testing.assert_allclose(echo.magnitude, np.abs(matched_filter(echo.waveform, sweep())))
    assert echo.direct == direct_sound(echo.waveform) == 300
    assert echo.energy is echo.energy
    np.testing.assert_allclose(echo.energy[:, echo.direct], 1.0, rtol=0.05)


def test_profiles_of_one_echo_filter_its_recording_once(counted):
    echo = listen(recorded(), SAMPLE_RATE)
    near, far = profile_of(echo), profile_of(echo, max_range=20.0)
    assert len(counted) == 2  # the recording, and the sweep itself for its side lobes
    np.testing.assert_array_equal(near.strength, far.strength[: len(near.strength)])
    np.testing.assert_array_equal(near.strength, range_profile(recorded(), SAMPLE_RATE).strength)


def test_calibrating_listens_once(counted):
    rig, paths = Rig(), Rig().mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([1.5]))[0]
    delay = round((paths.mean() - rig.direct_paths.mean()) / rig.speed_of_sound * SAMPLE_RATE)
    calibrate(recorded(echoes=((0.3, delay),)), SAMPLE_RATE, 1.5)
    assert len(counted) == 2


def test_a_recording_is_listened_to_when_it_is_first_needed_and_never_again(counted):
    heard = Heard(Recording(recorded().astype(np.float32), SAMPLE_RATE))
    assert not counted
    assert heard.echo() is heard.echo() is heard.found
    assert len(counted) == 1


def test_what_is_wrong_with_a_recording_names_its_file():
    silent = Heard(Recording(np.zeros((2, 8000), np.float32), SAMPLE_RATE, "a.wav"))
    assert isinstance(silent.found, EchoError)
    with pytest.raises(EchoError, match=r"^a\.wav: the recording is silent"):
        silent.echo()
    slow = Heard(Recording(np.zeros((2, 8000), np.float32), 1_000_000, "b.wav"))
    with pytest.raises(AudioError, match=r"^b\.wav: a sample rate of 1000000"):
        slow.echo()
