"""What the world does to recordings: each fault is heard, and what can be restored is restored."""

import numpy as np
import pytest
import soundfile
import soxr
import torch

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.network_input import AudioSettings, hear
from avsnet.audio.ranging import range_profile
from avsnet.audio.recording import listen
from avsnet.audio.recording_checks import flat_tops, heard_part
from avsnet.audio.rig import Rig
from avsnet.errors import EchoError
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from places import SHARED

SAMPLE = SHARED / "batvision_v2_sample" / "audio_47.wav"
ROOMS = [("offices", 1), ("offices", 4), ("historic", 2), ("historic", 7)]


@pytest.fixture(scope="module")
def rooms():
    """Recordings of furnished rooms, (2, 13230) each; the real one where it is there."""
    found = [echo(furnished_room(*room), Rig(), seed=room[1]).astype(np.float64) for room in ROOMS]
    if SAMPLE.is_file():
        found.append(soundfile.read(SAMPLE)[0].T)
    return found


def hum(frequency, samples, phase=1.0):
    return np.sin(2.0 * np.pi * frequency * np.arange(samples) / SAMPLE_RATE + phase)


def said(waveform, word, rate=SAMPLE_RATE):
    return any(word in line for line in listen(waveform, rate).warnings)


def test_nothing_is_said_of_recordings_that_are_right(rooms):
    for waveform in rooms:
        found = listen(waveform, SAMPLE_RATE)
        assert found.warnings == found.doubts == ()


# Offset, hum and rumble


@pytest.mark.parametrize("offset", [[0.01], [-0.05], [0.3], [[0.02], [-0.1]]])
def test_a_microphones_offset_changes_nothing(rooms, offset):
    for waveform in rooms:
        clean, found = (listen(w, SAMPLE_RATE) for w in (waveform, waveform + np.array(offset)))
        np.testing.assert_allclose(found.waveform, clean.waveform, atol=1e-12)
        assert (found.direct, found.warnings) == (clean.direct, ())


def test_a_network_hears_no_offset_either(rooms):
    waveform = torch.from_numpy(rooms[0]).float()[None]
    for settings in (AudioSettings(), AudioSettings(align_to=None, amplitude="rms")):
        clean, found = (hear(w, SAMPLE_RATE, settings) for w in (waveform, waveform + 0.05))
        assert found[1].all()
        torch.testing.assert_close(found[0], clean[0], rtol=1e-3, atol=1e-4)


def test_a_dead_channel_with_an_offset_is_dead(rooms):
    waveform = rooms[0].copy()
    waveform[1] = 0.2
    assert said(waveform, "only the left ear")
    assert not said(waveform, "clipped")


@pytest.mark.parametrize(("frequency", "level"), [(50.0, 0.02), (59.9, 0.05), (50.2, 0.2), (60.0, 0.005)])
def test_hum_is_taken_away_and_said_with_its_level(rooms, frequency, level):
    for waveform in rooms:
        peak = np.abs(waveform).max()
        noisy = waveform + level * peak * (
            hum(frequency, waveform.shape[1]) + 0.3 * hum(3 * frequency, waveform.shape[1])
        )
        clean, found = (listen(w, SAMPLE_RATE) for w in (waveform, noisy))
        assert found.direct == clean.direct
        assert any(f"hum of {frequency:.0f} Hz" in line and "% of the peak" in line for line in found.warnings)
        left = np.sqrt(np.mean((found.waveform - clean.waveform) ** 2)) / peak
        assert left < max(0.1 * level, 0.004)


def test_hum_louder_than_the_chirp_does_not_hide_it(rooms):
    for waveform in rooms:
        noisy = waveform / np.abs(waveform).max() * 0.2 + 0.5 * hum(50.0, waveform.shape[1])
        assert listen(noisy, SAMPLE_RATE).direct == pytest.approx(listen(waveform, SAMPLE_RATE).direct, abs=2)


def test_rumble_is_said_with_its_level_and_left_in(rooms):
    for waveform in rooms:
        noise = np.random.default_rng(0).normal(size=waveform.shape[1])
        spectrum = np.fft.rfft(noise)
        spectrum[np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE) > 120.0] = 0.0
        slow = np.fft.irfft(spectrum, len(noise))
        slow *= np.abs(waveform).max() / slow.std()
        assert said(waveform + 0.07 * slow, "% of the peak is noise under 340 Hz")
        assert not said(waveform, "rumble")
        with pytest.raises(EchoError, match=r"no direct sound.*rumble: \d"):
            listen(waveform + slow, SAMPLE_RATE)


# Several sweeps


@pytest.mark.parametrize("gap", [0.03, 0.05, 0.1])
def test_of_several_sweeps_only_what_is_heard_before_the_second_is_used(rooms, gap):
    step = round(gap * SAMPLE_RATE)
    for waveform in rooms:
        samples = waveform.shape[1]
        several = np.zeros((2, samples + 4 * step))
        for number in range(5):
            several[:, number * step : number * step + samples] += waveform
        one, found = listen(waveform, SAMPLE_RATE), listen(several, SAMPLE_RATE)
        assert found.direct == one.direct
        end = found.waveform.shape[1]
        assert found.direct + step - 140 <= end <= found.direct + step
        np.testing.assert_allclose(found.waveform, one.waveform[:, :end], atol=0.02)
        assert any(f"starts {1000 * gap:.0f} ms after the first" in line for line in found.doubts)


def test_sweeps_so_far_apart_that_nothing_is_missing_are_said_and_the_network_may_hear_the_first(rooms):
    several = np.concatenate([rooms[0], rooms[0]], axis=1)
    found = listen(several, SAMPLE_RATE)
    assert any("several sweeps" in line for line in found.warnings) and not found.doubts


def test_an_echo_two_thirds_as_loud_as_the_direct_sound_is_no_second_sweep():
    waveform = 1e-3 * np.random.default_rng(0).normal(size=(2, 9000))
    for start, gain in ((300, 0.3), (300 + 1000, 0.2), (300 + 2500, 0.15)):
        waveform[:, start : start + 132] += gain * sweep()
    assert not said(waveform, "several sweeps")


# One microphone


@pytest.mark.parametrize("gain", [1.0, 0.3, -1.0])
def test_one_microphone_on_both_channels_is_one_ear(rooms, gain):
    for waveform in rooms:
        copied = np.stack([waveform[0], gain * waveform[0]])
        found = listen(np.round(copied * 2**15) / 2**15, SAMPLE_RATE)  # as a 16-bit file has it
        assert len(found.ears) == 1
        assert "same microphone" in found.warnings[0]


# The rate


@pytest.mark.parametrize(("taken", "stated"), [(48_000, 44_100), (44_100, 48_000)])
def test_a_wrong_rate_in_the_header_is_heard_where_the_recording_is_clean(rooms, taken, stated):
    for waveform in rooms[:2]:
        found = listen(soxr.resample(waveform.T, SAMPLE_RATE, taken).T, stated)
        assert any(f"as if recorded at {taken} Hz, not {stated}" in line for line in found.doubts)
        right = listen(soxr.resample(waveform.T, SAMPLE_RATE, taken).T, taken)
        assert not any("as if" in line for line in right.warnings)


# The start


def test_a_recording_that_begins_amid_the_echoes_is_refused():
    rng = np.random.default_rng(0)
    waveform = 1e-3 * rng.normal(size=(2, 9000))
    decay = rng.normal(size=(2, 3000)) * np.exp(-np.arange(3000) / 500.0)
    waveform[:, 400:3400] += 0.1 * decay
    for start, gain in ((300, 0.5), (700, 0.3), (1500, 0.15)):
        waveform[:, start : start + 132] += gain * sweep()
    assert listen(waveform, SAMPLE_RATE).direct == 300
    for cut in (300 + 90, 300 + 132, 300 + 200):
        with pytest.raises(EchoError, match="begins after it"):
            listen(waveform[:, cut:], SAMPLE_RATE)


def test_a_recording_that_begins_just_before_the_direct_sound_is_fine(rooms):
    for waveform in rooms:
        direct = listen(waveform, SAMPLE_RATE).direct
        for lead in (4, 12, 40):
            assert listen(waveform[:, direct - lead :], SAMPLE_RATE).direct == pytest.approx(lead, abs=1)


# Long ones


def long_one(waveform, seconds, at, noise=1e-4):
    found = noise * np.random.default_rng(0).normal(size=(2, round(seconds * SAMPLE_RATE))).astype(np.float32)
    found[:, at : at + waveform.shape[1]] += waveform.astype(np.float32)
    return found


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_of_a_long_recording_only_the_part_round_the_sweep_is_heard(rooms, rate):
    for waveform in rooms:
        found = listen(soxr.resample(long_one(waveform, 12.0, 300_000).T, SAMPLE_RATE, rate).T, rate)
        assert 0.6 * SAMPLE_RATE < found.waveform.shape[1] < 0.8 * SAMPLE_RATE
        one = range_profile(waveform, SAMPLE_RATE).strongest
        other = range_profile(found.waveform, SAMPLE_RATE).strongest
        assert other.range == pytest.approx(one.range, abs=0.02)


def test_a_louder_click_a_hum_and_an_offset_do_not_hide_the_sweep_in_a_long_recording(rooms):
    waveform = rooms[0] / np.abs(rooms[0]).max() * 0.3
    sound = long_one(waveform, 8.0, 200_000) + 0.1 + 0.2 * hum(50.0, 8 * SAMPLE_RATE).astype(np.float32)
    sound[:, 100_000:100_003] += 0.6
    part = heard_part(sound, SAMPLE_RATE, sweep())
    assert part.start < 200_000 + listen(rooms[0], SAMPLE_RATE).direct < part.stop
    assert part.stop - part.start < SAMPLE_RATE
    assert said(sound, "hum of 50 Hz")


def test_a_recording_under_a_second_is_heard_whole(rooms):
    assert heard_part(rooms[0], SAMPLE_RATE, sweep()) == slice(0, rooms[0].shape[1])


# Clipping


def test_flat_tops_are_clipped_sound_and_neither_a_slow_wave_nor_a_quiet_file(rooms):
    slow = 0.5 * hum(50.0, 9000)[None]
    assert flat_tops(slow) == flat_tops(np.round(slow * 500) / 500) == 0
    for waveform in rooms:
        peak = np.abs(waveform).max()
        assert flat_tops(waveform) == 0
        assert flat_tops(waveform.clip(-0.5 * peak, 0.5 * peak)) > 0
