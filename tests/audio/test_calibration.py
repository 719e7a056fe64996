import numpy as np
import pytest

from avsnet.audio.calibration import calibrate
from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.errors import CalibrationError


def before_a_wall(wall: float, rig: Rig) -> np.ndarray:
    """Direct sound and one mirror echo, delayed by any fraction of a sample, with faint noise."""
    waveform = np.random.default_rng(0).normal(size=(2, 4096)) * 1e-4
    paths = rig.mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([wall]))[0]
    for ear, lengths in enumerate(zip(rig.direct_paths, paths, strict=True)):
        for length, gain in zip(lengths, (0.4, 0.2), strict=True):
            time = np.arange(4096) / SAMPLE_RATE - 0.0068 - length / rig.speed_of_sound
            phase = 2 * np.pi * (20.0 * time + 19_980.0 * time**2 / 0.006)
            waveform[ear] += gain * np.where((time >= 0) & (time < 0.003), np.cos(phase), 0.0)
    return waveform


@pytest.mark.parametrize("distance", [0.05, 0.16, 0.36])
@pytest.mark.parametrize("wall", [0.8, 1.5, 3.0])
def test_the_speakers_distance_is_found_within_1_cm(distance, wall):
    true = Rig().with_speaker_distance(distance)
    found = calibrate(before_a_wall(wall, true), SAMPLE_RATE, wall)
    np.testing.assert_allclose(found.speaker, true.speaker, atol=0.01)
    assert found.origin == "calibrated"


def test_a_wall_that_is_not_there_does_not_calibrate():
    with pytest.raises(CalibrationError, match="no echo within"):
        calibrate(before_a_wall(1.5, Rig()), SAMPLE_RATE, 3.0)


def test_a_wall_too_near_is_refused():
    with pytest.raises(CalibrationError, match=r"0\.1 m"):
        calibrate(before_a_wall(1.5, Rig()), SAMPLE_RATE, 0.1)


@pytest.mark.parametrize("aside", [0.25, 0.4])
def test_a_speaker_to_one_side_is_found_though_the_ears_hear_it_apart(aside):
    true = Rig(speaker=(aside, 0.05, -0.04))
    found = calibrate(before_a_wall(1.5, true), SAMPLE_RATE, 1.5, true.with_speaker_distance(aside / 2))
    np.testing.assert_allclose(found.speaker, true.speaker, atol=0.01)


def test_a_speaker_between_the_ears_has_no_line_to_move_along():
    with pytest.raises(CalibrationError, match="between the ears"):
        Rig(speaker=(0.0, 0.05, -0.04)).with_speaker_distance(0.2)
