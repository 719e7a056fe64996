import numpy as np
from scipy.signal import correlate, hilbert

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep


def test_the_sweep_runs_linearly_from_20_hz_to_20_khz():
    phase = np.unwrap(np.angle(hilbert(sweep(SAMPLE_RATE * 8))))
    frequency = np.diff(phase) / (2 * np.pi) * SAMPLE_RATE * 8
    time = (np.arange(len(frequency)) + 0.5) / (SAMPLE_RATE * 8)
    middle = slice(len(time) // 4, 3 * len(time) // 4)  # the Hilbert transform rings at the ends
    np.testing.assert_allclose(frequency[middle], 20 + 19_980 * time[middle] / 0.003, rtol=0.05)


def test_the_matched_filter_is_the_hilbert_transform_of_the_correlation():
    waveform = np.random.default_rng(0).normal(size=1000)
    template = sweep()
    slow = hilbert(np.pad(correlate(waveform, template, "full"), 4000))[4000 + len(template) - 1 :][:1000]
    ours = matched_filter(waveform, template) * np.sum(template**2)
    np.testing.assert_allclose(ours.real, slow.real, atol=1e-9)
    np.testing.assert_allclose(np.abs(ours)[100:-100], np.abs(slow)[100:-100], rtol=0.02, atol=0.2)


def test_a_copy_of_the_template_peaks_where_it_starts_with_its_amplitude():
    waveform = np.zeros((2, 2000))
    waveform[0, 500:632] = 0.3 * sweep()
    envelope = np.abs(matched_filter(waveform, sweep()))
    assert int(np.argmax(envelope[0])) == 500
    assert abs(envelope[0, 500] - 0.3) < 0.02
    assert envelope[1].max() == 0.0


def test_the_compressed_sweep_resolves_two_echoes_4_samples_apart():
    waveform = np.zeros(2000)
    waveform[500:632] += sweep()
    waveform[504:636] += sweep()
    envelope = np.abs(matched_filter(waveform, sweep()))
    assert envelope[502] < 0.7 * min(envelope[500], envelope[504])
