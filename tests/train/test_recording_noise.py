"""What recordings suffer: seeded, bounded, and each kind of it does what its name says."""

import numpy as np
import pytest
import torch

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.train import recording_noise
from avsnet.train.recording_noise import suffered


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def waveform():
    chirp = sweep()
    ears = 1e-3 * np.random.default_rng(0).standard_normal((2, 8800))
    for start, level in ((300, 0.4), (1200, 0.1)):
        ears[:, start : start + len(chirp)] += level * chirp
    return torch.from_numpy(ears).float()


def test_the_same_draws_do_the_same_and_others_something_else(waveform):
    one, again, other = (suffered(waveform, SAMPLE_RATE, generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(suffered(waveform, SAMPLE_RATE, generator(), chance=0.0), waveform)


def test_what_comes_out_is_a_recording_of_sixteen_bits(waveform):
    for seed in range(40):
        found = suffered(waveform, SAMPLE_RATE, generator(seed))
        assert found.shape == waveform.shape and found.dtype == torch.float32
        assert torch.isfinite(found).all() and found.abs().max() <= 1.0
        torch.testing.assert_close(found * 32767.0, torch.round(found * 32767.0), atol=1e-2, rtol=0.0)


def test_most_recordings_suffer_and_the_levels_reach_from_loud_to_soft(waveform):
    peaks = [float(suffered(waveform, SAMPLE_RATE, generator(seed)).abs().max()) for seed in range(60)]
    assert min(peaks) < 0.01 and max(peaks) > 0.3


def test_a_narrow_band_takes_what_lies_above_it_and_leaves_what_lies_below(waveform):
    seconds = torch.arange(waveform.shape[1]) / SAMPLE_RATE
    noise = torch.randn(waveform.shape, generator=generator())
    found = recording_noise._band(noise, seconds, torch.tensor(1.0), generator(1))
    before, after = torch.fft.rfft(noise).abs().square(), torch.fft.rfft(found).abs().square()
    edge = round(10_500 * waveform.shape[1] / SAMPLE_RATE)
    torch.testing.assert_close(after[:, 1:edge], before[:, 1:edge], rtol=1e-3, atol=1e-3)
    assert after[:, -10:].sum() < 1e-2 * before[:, -10:].sum()


def test_noise_is_added_at_the_ratio_that_was_drawn(waveform):
    seconds = torch.arange(waveform.shape[1]) / SAMPLE_RATE
    rms = waveform.square().mean().sqrt()
    for spoil in (recording_noise._hiss, recording_noise._rumble):
        added = spoil(waveform, seconds, rms, generator(2)) - waveform
        ratio = 20.0 * torch.log10(rms / added.square().mean().sqrt())
        assert 9.0 < ratio < 51.0
    hum = recording_noise._hum(torch.zeros(2, SAMPLE_RATE), torch.arange(SAMPLE_RATE) / SAMPLE_RATE, rms, generator())
    strongest = torch.fft.rfft(hum[0]).abs().argmax().item()
    assert strongest % 50 == 0 or strongest % 60 == 0


def test_a_later_start_moves_everything_by_whole_samples(waveform):
    seconds = torch.arange(waveform.shape[1]) / SAMPLE_RATE
    found = recording_noise._offset(waveform, seconds, torch.tensor(1.0), generator(5))
    shift = int((found[0] != 0.0).nonzero()[0])
    assert 0 < shift <= 0.004 * SAMPLE_RATE + 1
    assert torch.equal(found[:, shift:], waveform[:, :-shift])


def test_a_voice_lies_where_voices_do_and_between_the_ears(waveform):
    silence, seconds = torch.zeros(2, SAMPLE_RATE), torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    for seed in range(5):
        voice = recording_noise._speech(silence, seconds, torch.tensor(1.0), generator(seed))
        power = torch.fft.rfft(voice).abs().square().sum(0)  # one hertz a line
        assert power[80:4000].sum() > 0.8 * power.sum()
        louder = voice.square().mean(1)
        assert 0.2 < float(louder.min() / louder.max()) <= 1.0
        vowels = voice[0].unfold(0, 2205, 2205).square().mean(1)
        assert vowels.max() > 5.0 * vowels.min()  # syllables


@pytest.mark.parametrize("rate", [44_100, 16_000, 96_000])
def test_lossy_coding_keeps_the_time_and_the_length_and_changes_the_rest(waveform, rate):
    differences = []
    for seed in range(6):
        found = recording_noise._coded(waveform, rate, generator(seed))
        assert found.shape == waveform.shape
        crossed = torch.fft.irfft(torch.fft.rfft(found[0]) * torch.fft.rfft(waveform[0]).conj())
        assert int(crossed.argmax()) in (0, 1, len(crossed) - 1)
        differences.append(float((found - waveform).square().mean() / waveform.square().mean()))
    assert 1e-4 < min(differences) and max(differences) < 1.0
