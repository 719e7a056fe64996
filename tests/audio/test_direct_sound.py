import numpy as np
import pytest
import torch

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.direct_sound import align_direct, direct_sound, direct_sounds, first_strong, shifted
from avsnet.errors import EchoError
from places import SHARED

SAMPLE = SHARED / "batvision_v2_sample" / "audio_47.wav"


def recording(start: int, echo: float = 0.8) -> np.ndarray:
    waveform = np.random.default_rng(0).normal(size=(2, 8000)) * 1e-3
    waveform[:, start : start + 132] += 0.5 * sweep()
    waveform[:, start + 300 : start + 432] += 0.5 * echo * sweep()
    return waveform


@pytest.mark.parametrize("start", [0, 299, 975])
def test_the_direct_sound_is_found_where_it_was_put(start):
    assert abs(direct_sound(recording(start)) - start) <= 1


def test_an_echo_louder_than_the_direct_sound_is_not_taken_for_it():
    assert abs(direct_sound(recording(299, echo=2.0)) - 299) <= 1


def test_the_real_recording_speaks_at_sample_299():
    if not SAMPLE.exists():
        pytest.skip("the real recording is not beside this checkout")
    soundfile = pytest.importorskip("soundfile")
    waveform, rate = soundfile.read(SAMPLE)
    assert rate == SAMPLE_RATE
    assert direct_sound(waveform.T) == 299
    assert [direct_sound(channel) for channel in waveform.T] == [299, 299]


def test_v1_and_v2_offsets_align_to_the_same_recording():
    early, late = align_direct(recording(299), to=100), align_direct(recording(975), to=100)
    np.testing.assert_allclose(early[:, 100:600], late[:, 100:600], atol=0.01)


def test_aligning_pads_with_zeros_and_keeps_the_shape():
    aligned = align_direct(recording(299), to=1000)
    assert aligned.shape == (2, 8000)
    assert (aligned[:, :600] == 0).all()


def test_noise_has_no_direct_sound():
    with pytest.raises(EchoError, match="no direct sound"):
        direct_sound(np.random.default_rng(0).normal(size=(2, 20_000)))


def test_numpy_and_torch_find_and_shift_alike_in_single_and_in_double_precision():
    batch = np.stack([recording(start, echo) for start, echo in ((0, 0.8), (299, 2.0), (975, 0.3))])
    for precision in (np.float32, np.float64):
        waveform = batch.astype(precision)
        ours, theirs = direct_sounds(waveform), direct_sounds(torch.from_numpy(waveform))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-5)
        start = ours[0] - 64
        moved = shifted(waveform, start, 9000)
        assert moved.dtype == precision
        np.testing.assert_array_equal(moved, shifted(torch.from_numpy(waveform), torch.from_numpy(start), 9000))


def test_a_shift_is_a_slice_with_silence_round_it():
    waveform = np.arange(1.0, 11.0).reshape(1, 10)
    for start in (-12, -3, 0, 4, 12):
        wanted = np.pad(waveform, ((0, 0), (20, 20)))[:, 20 + start : 26 + start]
        np.testing.assert_array_equal(shifted(waveform, np.array(start), 6), wanted)


@pytest.mark.parametrize("start", [-3, 0, 1, 4])
def test_a_shift_keeps_every_sample_up_to_the_last(start):
    waveform = np.random.default_rng(0).normal(size=(2, 9))
    placed = shifted(waveform, np.array(start), 9 - start)
    expected = waveform[:, start:] if start >= 0 else np.pad(waveform, ((0, 0), (-start, 0)))
    assert np.array_equal(placed, expected)
    assert torch.equal(shifted(torch.from_numpy(waveform), torch.tensor(start), 9 - start), torch.from_numpy(expected))


def test_alignment_moves_the_last_sample_as_well():
    waveform = np.zeros((2, 2000))
    waveform[:, 400 : 400 + len(sweep())] = 0.5 * sweep()
    waveform[:, -1] = 0.125
    start = direct_sound(waveform)
    assert align_direct(waveform, start + 10, samples=2010)[0, -1] == 0.125
    assert align_direct(waveform, start - 10)[0, -11] == 0.125


def peaks(**at):
    """What a matched filter might give: 1 everywhere but at some samples, `s100=8.1` for instance."""
    filtered = np.ones((2, 400))
    for sample, value in at.items():
        filtered[:, int(sample[1:])] = value
    return filtered


@pytest.mark.parametrize("library", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
class TestFirstStrong:
    def test_a_peak_counts_from_8_times_the_median(self, library):
        assert first_strong(library(peaks(s100=8.1)))[2] and not first_strong(library(peaks(s100=7.9)))[2]

    def test_what_is_strong_is_four_tenths_of_the_highest_peak(self, library):
        for value, start in ((41.0, 100), (39.0, 300)):
            assert int(first_strong(library(peaks(s100=value, s300=100.0)))[0]) == start

    def test_its_peak_lies_within_half_a_millisecond(self, library):
        rate = 37_800  # 18.9 samples, which are 19
        for sample, start in ((118, 118), (119, 100)):
            index, amplitude, _ = first_strong(library(peaks(s100=50.0, **{f"s{sample}": 100.0})), rate)
            assert (int(index), float(amplitude)) == (start, 100.0 if start == sample else 50.0)

    def test_where_half_a_millisecond_is_less_than_a_sample_it_is_the_first_strong_one(self, library):
        assert int(first_strong(library(peaks(s100=50.0, s101=100.0)), 800)[0]) == 100

    def test_the_ears_energies_are_added(self, library):
        filtered = peaks()
        filtered[0, 100], filtered[1, 300] = 30.0, 40.0
        filtered[:, 200] = 35.0
        index, amplitude, _ = first_strong(library(filtered))
        assert int(index) == 100 and float(amplitude) == pytest.approx((901.0 / 2) ** 0.5)
