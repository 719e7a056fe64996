import json

import numpy as np
import pytest
import soundfile

from avsnet.audio.chirp import sweep
from avsnet.audio.rig import Rig
from avsnet.errors import CalibrationError


def test_a_mirrored_path_is_as_long_as_the_broken_path_over_the_wall():
    rig, wall = Rig(), 2.0
    speaker, ears = np.array(rig.speaker), np.array(rig.ears)
    paths = rig.mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([wall]))[0]
    for ear, path in zip(ears, paths, strict=True):
        grid = np.stack(np.meshgrid(np.linspace(-1, 1, 401), np.linspace(-1, 1, 401)), -1).reshape(-1, 2)
        points = np.column_stack([grid, np.full(len(grid), wall)])
        broken = np.linalg.norm(points - speaker, axis=1) + np.linalg.norm(points - ear, axis=1)
        assert broken.min() == pytest.approx(path, abs=1e-4)  # Fermat: the mirror path is the shortest


def test_a_rig_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "rig.json"
    path.write_text(
        json.dumps({"speaker": [0.1, 0.2, 0.3], "ears": [[-0.1, 0, 0], [0.1, 0, 0]], "speed_of_sound": 340})
    )
    rig = Rig.from_json(path)
    assert rig.speaker == (0.1, 0.2, 0.3)
    assert rig.speed_of_sound == 340.0
    assert rig.origin == "known"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON"),
        ("[]", "speaker"),
        ('{"speaker": [0, 0, 0]}', "ears"),
        ('{"speaker": [0, 0], "ears": [[0, 0, 0], [0, 0, 0]]}', "three"),
        ('{"speaker": ["a", 0, 0], "ears": [[0, 0, 0], [0, 0, 0]]}', "could not convert"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "sped_of_sound": 343}', "sped_of_sound"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "sweep": {"from": 20}}', "from"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "template": "no.wav"}', "no.wav"),
        ('{"speaker": "123", "ears": [[0, 0, 0], [0, 0, 0]]}', "list"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "origin": "guessed"}', "origin"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "sweep": [1]}', "sweep must be"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "sweep": {"duration": 0}}', "lasts"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "sweep": {"duration": 1e9}}', "lasts"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "sweep": {"low": 20000, "high": 20}}', "rises"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "sweep": {}, "template": "a.wav"}', "not both"),
        ('{"speaker": [0, 100, 50], "ears": [[-117, 50, -40], [117, 50, -40]]}', "millimetres"),
        ('{"speaker": [0, 0, 0], "ears": [[0, 0, 0], [0, 0, 0]], "speed_of_sound": 1}', "speed of sound"),
    ],
)
def test_a_wrong_rig_file_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "rig.json"
    path.write_text(text)
    with pytest.raises(CalibrationError, match=message) as caught:
        Rig.from_json(path)
    assert str(path) in str(caught.value)


def test_a_sweep_of_ones_own_or_a_recording_of_it_is_what_the_rig_emits(tmp_path):
    places = {"speaker": [0, 0, 0.1], "ears": [[-0.1, 0, 0], [0.1, 0, 0]]}
    played = sweep(low=100.0, high=8000.0, duration=0.01)
    (tmp_path / "a.json").write_text(json.dumps(places | {"sweep": {"low": 100, "high": 8000, "duration": 0.01}}))
    soundfile.write(tmp_path / "played.wav", 0.9 * played, 44_100, subtype="FLOAT")
    (tmp_path / "b.json").write_text(json.dumps(places | {"template": "played.wav"}))
    np.testing.assert_allclose(Rig.from_json(tmp_path / "a.json").emitted, played)
    np.testing.assert_allclose(Rig.from_json(tmp_path / "b.json").emitted, 0.9 * played, atol=1e-6)


def test_the_speaker_can_be_moved_to_a_distance_from_the_ears():
    rig = Rig().with_speaker_distance(0.36)
    centre = np.mean(rig.ears, axis=0)
    assert np.linalg.norm(np.array(rig.speaker) - centre) == pytest.approx(0.36)


def test_silence_round_a_recorded_template_does_not_count(tmp_path):
    places = {"speaker": [0, 0, 0.1], "ears": [[-0.1, 0, 0], [0.1, 0, 0]], "template": "played.wav"}
    soundfile.write(tmp_path / "played.wav", np.pad(0.9 * sweep(), (2000, 8000)), 44_100, subtype="FLOAT")
    (tmp_path / "rig.json").write_text(json.dumps(places))
    np.testing.assert_allclose(Rig.from_json(tmp_path / "rig.json").emitted, 0.9 * sweep(), atol=1e-6)


def test_a_rig_is_written_and_read_back_with_what_it_plays(tmp_path):
    rig = Rig((0.1, 0.2, 0.3), ((-0.2, 0.0, 0.0), (0.2, 0.0, 0.0)), 340.0, "calibrated", 0.5 * sweep(high=9000.0))
    rig.to_json(tmp_path / "rig.json")
    back = Rig.from_json(tmp_path / "rig.json")
    assert back == rig
    assert back.origin == "calibrated"
    np.testing.assert_allclose(back.emitted, rig.emitted, atol=1e-6)
