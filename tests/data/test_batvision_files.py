"""The numbers of BatVision's files: what full scale is, and what is no sound."""

import numpy as np
import pytest
import soundfile

from avsnet.data.batvision_files import load_depth, load_ears
from avsnet.errors import AudioError, DepthError


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


def both(folder, left, right):
    for name, ear in (("l", left), ("r", right)):
        np.save(folder / f"{name}.npy", ear)
    return str(folder / "l.npy"), str(folder / "r.npy")


def test_ears_of_unequal_length_are_cut_to_the_shorter_and_it_is_noted(tmp_path):
    long, short = np.linspace(-1.0, 1.0, 9), np.linspace(0.5, -0.5, 5)
    recording, notes = load_ears(both(tmp_path, long, short))
    np.testing.assert_allclose(recording.waveform, [long[:5], short])
    assert recording.sample_rate == 44_100 and notes == "ears of unequal length, cut to the shorter"
    _, notes = load_ears(both(tmp_path, 1.2 * long, short))
    assert notes == "ears of unequal length, cut to the shorter; float audio beyond 1, clipped"


@pytest.mark.parametrize("kind", ["u2", "u4", "i8"])
def test_whole_numbers_of_unknown_scale_are_refused_unless_it_is_given(tmp_path, kind):
    paths = both(tmp_path, np.array([0, 16_384], kind), np.array([8192, 0], kind))
    with pytest.raises(AudioError, match=r"l\.npy: .*int\d+ samples of unknown scale; give full_scale"):
        load_ears(paths)
    assert load_ears(paths, 32_768.0)[0].waveform.tolist() == [[0.0, 0.5], [0.25, 0.0]]


@pytest.mark.parametrize("ear", [np.zeros((2, 4)), np.array("a"), np.zeros(4, complex), np.zeros(())])
def test_what_is_no_ear_is_refused(tmp_path, ear):
    with pytest.raises(AudioError, match=r"l\.npy"):
        load_ears(both(tmp_path, ear, np.zeros(4)))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4,), (1, 4, 4), ()])
def test_a_depth_map_without_pixels_or_of_another_shape_is_refused(tmp_path, shape):
    np.save(tmp_path / "d.npy", np.ones(shape))
    with pytest.raises(DepthError, match=r"d\.npy: shape .*a depth map is"):
        load_depth(tmp_path / "d.npy", 10.0)


def test_millimetres_become_metres_and_what_is_unknown_does_not_count(tmp_path):
    np.save(tmp_path / "d.npy", np.array([[1500.0, 0.0, -3.0], [np.nan, np.inf, 9000.0]]))
    depth, valid = load_depth(tmp_path / "d.npy", 5.0)
    assert depth.tolist()[0][0][0] == 1.5 and valid.tolist() == [[[True, False, False], [False, False, False]]]
    np.save(tmp_path / "d.npy", np.array([[2500]], np.uint16))
    depth, valid = load_depth(tmp_path / "d.npy", 5.0)
    assert depth.tolist() == [[[2.5]]] and valid.tolist() == [[[True]]]


@pytest.mark.parametrize(("channels", "rate"), [(1, 44_100), (2, 22_050), (2, 48_000)])
def test_a_recording_is_of_two_channels_at_the_data_sets_rate(tmp_path, channels, rate):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (100, channels))
    soundfile.write(tmp_path / "a.wav", sound, rate)
    with pytest.raises(AudioError, match=rf"{channels} channels at {rate} Hz; BatVision has 2 at 44100 Hz"):
        load_ears((str(tmp_path / "a.wav"),))
    soundfile.write(tmp_path / "a.wav", np.resize(sound, (100, 2)), 44_100, subtype="DOUBLE")
    recording, notes = load_ears((str(tmp_path / "a.wav"),))
    np.testing.assert_allclose(recording.waveform, np.resize(sound, (100, 2)).T, atol=1e-7)
    assert notes == ""


def test_why_a_file_cannot_be_read_is_said(tmp_path):
    with pytest.raises(DepthError, match=r"d\.npy: cannot be read \(No such file or directory\)"):
        load_depth(tmp_path / "d.npy", 5.0)
    (tmp_path / "d.npy").write_bytes(b"prose, and no array")
    with pytest.raises(DepthError, match=r"d\.npy: cannot be read \(the magic string is not correct"):
        load_depth(tmp_path / "d.npy", 5.0)
    np.save(tmp_path / "d.npy", np.array(["a"]))
    with pytest.raises(DepthError, match=r"d\.npy: holds <U1; give a \.npy file of numbers"):
        load_depth(tmp_path / "d.npy", 5.0)
