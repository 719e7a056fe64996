"""One axis of time for all recordings: shifted, cut and padded as one sample at a time would be."""

import numpy as np
import pytest

from avsnet.audio.range_axis import AS_RECORDED, BATVISION_AXIS, RangeAxis
from avsnet.audio.stft import samples_for_range
from avsnet.errors import OptionError


def test_the_default_is_the_authors_cut_at_30_m_with_the_direct_sound_where_v2_has_it():
    assert RangeAxis() == BATVISION_AXIS == RangeAxis(samples_for_range(30.0), 299)


@pytest.mark.parametrize("align", [None, 0, 7, 30])
@pytest.mark.parametrize("samples", [None, 31, 40, 90])
@pytest.mark.parametrize("direct", [0, 7, 20, 49])
def test_every_sample_goes_where_a_loop_puts_it(samples, align, direct):
    waveform = np.random.default_rng(direct).normal(size=(2, 50)).astype(np.float32)
    shift = 0 if align is None else align - direct
    slow = np.zeros((2, samples or 50 + max(0, shift)), np.float32)
    for place in range(slow.shape[1]):
        if 0 <= place - shift < 50:
            slow[:, place] = waveform[:, place - shift]
    np.testing.assert_array_equal(RangeAxis(samples, align).place(waveform, direct), slow)


def test_as_recorded_nothing_is_changed():
    waveform = np.random.default_rng(0).normal(size=(2, 50)).astype(np.float32)
    np.testing.assert_array_equal(AS_RECORDED.place(waveform), waveform)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"samples": 0}, "samples"),
        ({"samples": 7782.0}, "samples"),
        ({"align": -1}, "align"),
        ({"align": True}, "align"),
        ({"align": 9000}, "align"),
    ],
    ids=str,
)
def test_what_is_no_sample_or_would_be_cut_off_is_refused(options, name):
    with pytest.raises(OptionError, match=f"^{name}: "):
        RangeAxis(**options)


def test_one_sample_is_a_recording_and_sample_0_a_place():
    assert RangeAxis(1, None).place(np.ones((2, 5))).shape == (2, 1)
    assert RangeAxis(2, 0).place(np.arange(10.0).reshape(2, 5), 3).tolist() == [[3.0, 4.0], [8.0, 9.0]]


def test_the_direct_sound_may_stand_at_the_last_sample_and_no_later():
    assert RangeAxis(100, 99).align == 99
    with pytest.raises(OptionError, match="the direct sound at sample 100 is cut off by samples = 100"):
        RangeAxis(100, 100)
