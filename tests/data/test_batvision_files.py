"""The numbers of BatVision's files: what full scale is, and what is no sound."""

import numpy as np
import pytest
import soundfile

from avsnet.data.batvision_files import load_ears
from avsnet.errors import AudioError


@pytest.mark.parametrize(("kind", "full"), [("<i2", 2**15), ("<i4", 2**31), ("i1", 2**7)])
def test_whole_numbers_are_divided_by_their_types_full_scale(tmp_path, kind, full):
    ear = np.array([-full, -full // 2, 0, full // 2, full - 1]).astype(kind)
    paths = (str(tmp_path / "l.npy"), str(tmp_path / "r.npy"))
    for path in paths:
        np.save(path, ear)
    recording, notes = load_ears(paths)
    assert recording.waveform[0].tolist() == [-1.0, -0.5, 0.0, 0.5, np.float32((full - 1) / full)] and notes == ""


def test_floats_just_beyond_full_scale_are_clipped_and_far_beyond_it_refused(tmp_path):
    paths = (str(tmp_path / "l.npy"), str(tmp_path / "r.npy"))
    for peak, refused in ((1.49, False), (1.51, True), (14.0, True)):
        for path in paths:
            np.save(path, np.array([0.0, peak, -0.25]))
        if refused:
            with pytest.raises(AudioError, match="full_scale"):
                load_ears(paths)
        else:
            assert load_ears(paths)[0].waveform.max() == 1.0


def test_a_file_of_both_ears_with_one_channel_is_told_by_its_channels_and_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 22_050)
    with pytest.raises(AudioError, match=r"a\.wav: 1 channels at 22050 Hz"):
        load_ears([str(tmp_path / "a.wav")])


def test_two_ears_go_by_the_left_ones_name(tmp_path):
    paths = (str(tmp_path / "l.npy"), str(tmp_path / "r.npy"))
    for path in paths:
        np.save(path, np.zeros(100))
    assert load_ears(paths)[0].path == paths[0]
