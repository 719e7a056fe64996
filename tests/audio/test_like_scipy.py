"""What replaces a function of scipy.signal, which takes half a second to import, gives its numbers."""

import numpy as np
import pytest
import scipy.signal

from avsnet.audio.chirp import analytic, sweep
from avsnet.audio.ranging import _peaks
from avsnet.audio.recording_checks import _decimated

NOISE = np.random.default_rng(0).standard_normal(1_001)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_sweep_is_scipys_linear_chirp(rate):
    time = np.arange(round(0.003 * rate)) / rate
    assert np.array_equal(sweep(rate), scipy.signal.chirp(time, f0=20.0, t1=0.003, f1=20_000.0, method="linear"))


@pytest.mark.parametrize("count", [1_000, 1_001])
def test_the_analytic_signal_is_scipys(count):
    assert np.allclose(analytic(NOISE[:count]), scipy.signal.hilbert(NOISE[:count]), atol=1e-12)


@pytest.mark.parametrize("count", [40, 1_000, 1_001])
def test_a_decimated_recording_is_scipys(count):
    values = np.stack([NOISE[:count], NOISE[:count][::-1] + 1.0])
    assert np.allclose(_decimated(values, 8), scipy.signal.resample_poly(values, 1, 8, axis=1), atol=1e-12)


@pytest.mark.parametrize("apart", [1, 2, 6, 40])
@pytest.mark.parametrize("values", [NOISE, np.repeat(NOISE, 3), np.zeros(9), np.arange(9.0), NOISE[:1]])
def test_the_peaks_are_scipys(values, apart):
    expected = scipy.signal.find_peaks(values, distance=apart)[0]
    found = _peaks(values, apart)
    assert np.array_equal(found, expected)
