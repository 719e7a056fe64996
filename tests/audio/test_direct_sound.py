import numpy as np
import pytest
import torch

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.direct_sound import align_direct, direct_sound, direct_sounds, shifted
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
