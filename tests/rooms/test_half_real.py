"""Half-real data: an echo for every frame that has depth, by a known rig, the same whenever and wherever it is made."""

import numpy as np
import pytest
import torch

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.range_axis import BATVISION_AXIS
from avsnet.audio.recording import Heard
from avsnet.data.reading import Reading
from avsnet.data.registry import open_data
from avsnet.data.sample import check_sample
from avsnet.errors import DataError, OptionError
from avsnet.io.recordings import Recording
from avsnet.rooms.echo_of_depth import echo_of_depth
from avsnet.rooms.half_real import DURATION, open_half_real
from avsnet.train.config import DataConfig
from avsnet.train.sources import TrainingRows, open_source
from data_trees import rgbd_tree, walls_tree


def opened(root, seed=0, **reading):
    return open_half_real(f"rgbd:{root}", Reading("all", **reading), seed=seed).data


def test_a_sample_has_the_recording_of_its_own_rig(tmp_path):
    data = opened(walls_tree(tmp_path))
    for index in range(2):
        sample = data[index]
        check_sample(sample)
        assert sample["waveform"].shape == (2, round(DURATION * SAMPLE_RATE)) and sample["sample_rate"] == SAMPLE_RATE
        assert sample["rig"] == data.rig(index).geometry and sample["rig"].origin == "known"
    assert data[0]["rig"] != data[1]["rig"]
    with pytest.raises(IndexError):
        data[2]


def test_the_wall_in_view_is_heard_when_the_rig_says(tmp_path):
    data = opened(walls_tree(tmp_path, (2.0, 3.0, 4.0)))
    for index, distance in enumerate((2.0, 3.0, 4.0)):
        sample = data[index]
        echo = Heard(Recording(sample["waveform"].numpy(), SAMPLE_RATE), sample["rig"]).echo()
        due = echo.mirrored(np.array([[0.0, 0.0, 1.0]]), np.array([distance]))[0]
        energy = echo.energy.mean(axis=0)
        near = slice(round(due.min()) - 8, round(due.max()) + 9)
        assert energy[near].max() > 5.0 * np.median(energy[near.start - 200 : near.start + 200])


def test_a_recording_is_a_function_of_seed_name_and_depth_alone(tmp_path):
    root = walls_tree(tmp_path, (2.0, 3.0))
    data, other = opened(root), opened(root, seed=1)
    assert np.array_equal(data.recording(1), opened(root).recording(1))
    assert not np.array_equal(data.recording(1), other.recording(1)) and data.rig(1).geometry != other.rig(1).geometry
    sized = opened(root, size=(12, 16), cap=2.5)
    assert np.array_equal(sized.recording(1), data.recording(1))
    assert sized[1]["depth"].shape == (1, 12, 16) and not sized[1]["valid"].any()


def test_another_frames_depth_is_heard_by_this_frames_rig(tmp_path):
    data = opened(walls_tree(tmp_path))
    view = data.view(0)
    crossed = data.recording(0, recorder=1)
    made = echo_of_depth(
        view.depth, view.intrinsics, data.rig(1), seed=data.room_seed(view), duration=DURATION
    ).waveform
    assert np.abs(crossed - made).max() <= np.abs(made).max() / 32_767
    assert not np.array_equal(crossed, data.recording(0)) and not np.array_equal(crossed, data.recording(1))


def test_what_is_kept_is_what_is_made_and_a_broken_file_is_made_again(tmp_path):
    root, cache = walls_tree(tmp_path / "walls"), tmp_path / "cache"
    data = opened(root, cache=cache)
    data.fill()
    files = sorted((cache / "half_real").rglob("*.npy"))
    assert len(files) == 2
    before = {path: path.read_bytes() for path in files}
    made = opened(root).recording(0)
    assert np.array_equal(opened(root, cache=cache).recording(0), made)
    for path in files:
        path.write_bytes(path.read_bytes()[:99])
    assert np.array_equal(opened(root, cache=cache).recording(0), made)
    assert sum(path.read_bytes() == before[path] for path in files) == 1
    walls_tree(root, (2.5, 3.0))
    assert not np.array_equal(opened(root, cache=cache).recording(0), made)
    with pytest.raises(OptionError, match="no cache"):
        opened(root).fill()


def test_several_rigs_make_several_samples_of_a_frame(tmp_path):
    data = opened(walls_tree(tmp_path), rigs=3)
    assert len(data) == 6
    ids = [data[index]["id"] for index in range(6)]
    assert ids == ["0", "1", "0/rig1", "1/rig1", "0/rig2", "1/rig2"]
    assert len({data[index]["rig"] for index in range(6)}) == 6
    assert torch.equal(data[4]["image"], data[0]["image"]) and torch.equal(data[4]["depth"], data[0]["depth"])
    assert np.array_equal(data.recording(0), opened(tmp_path).recording(0))
    assert data.rig(0).diffuse == data.rig(1).diffuse == 1.0  # the rigs of evaluation
    assert len({(data.rig(index).behind, data.rig(index).diffuse) for index in range(2, 6)}) > 1
    with pytest.raises(OptionError, match="rigs 0"):
        opened(tmp_path, rigs=0)


def test_training_takes_the_source_and_validates_by_one_rig(tmp_path):
    source = f"half_real:rgbd:{rgbd_tree(tmp_path)}"
    config = DataConfig(size=(24, 32), rigs=2, cache=str(tmp_path / "cache"))
    data = open_source(source, "train", config).data
    assert (len(data), len(open_source(source, "test", config).data)) == (4, 1)
    sample = TrainingRows(data, config, 0)[0, 3]
    assert sample["waveform"].shape == (2, BATVISION_AXIS.samples) and "rig" not in sample
    assert open_data(source).name == f"half_real:rgbd:{tmp_path.name}"


def test_captures_rooms_and_what_has_no_depth(tmp_path):
    rooms = open_data("half_real:rooms:offices:5-5", Reading(size=(48, 48)))
    assert rooms.cap == 12.0 and rooms.data[0]["waveform"].abs().max() > 0.0
    with pytest.raises(OptionError, match="has no depth"):
        open_data(f"half_real:frames:{tmp_path}")
    root = walls_tree(tmp_path, (2.0, 30.0))
    with pytest.raises(DataError, match="no pixel has a known depth"):
        opened(root)[1]
