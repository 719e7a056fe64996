"""Simulated rooms as a data set: samples keep the contract, and what the cache gives is what was made."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from avsnet.audio.range_axis import RangeAxis
from avsnet.audio.stft import SpectrogramSettings
from avsnet.data.sample import check_sample
from avsnet.errors import OptionError
from avsnet.geometry import resize_intrinsics
from avsnet.rooms import cache, sample
from avsnet.rooms.dataset import Rooms

SMALL = {"size": (32, 40), "axis": RangeAxis(3000)}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    rooms = Rooms("offices", 3, frames=(0, 100), cache=folder, **SMALL)
    assert rooms.fill(progress=False) == 6
    return rooms


def test_samples_and_batches_keep_the_contract(filled):
    settings = SpectrogramSettings(size=(16, 16))
    rooms = Rooms("historic", 2, spectrogram=settings, **SMALL)
    for one in (filled[0], rooms[1]):
        check_sample(one)
        assert one["image"].shape == (3, 32, 40) and one["waveform"].shape == (2, 3000)
        assert one["valid"].any() and not one["valid"].all()
    assert rooms[1]["echo"].shape == (2, 16, 16)
    check_sample(next(iter(DataLoader(filled, batch_size=3))), batched=True)
    ids = [filled[index]["id"] for index in range(6)]
    assert len(set(ids)) == 6 and ids == sorted(ids)


def test_what_is_read_from_the_cache_is_what_is_made_without_one(filled):
    fresh = Rooms("offices", 3, frames=(0, 100), **SMALL)
    for index in (0, 3):
        one, other = filled[index], fresh[index]
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert torch.equal(value, other[key]) if isinstance(value, torch.Tensor) else value == other[key]


def test_a_sample_is_the_simulator_s(filled):
    made, one = sample("offices", 1, size=(32, 40), samples=4200), filled[2]
    np.testing.assert_allclose(one["image"].numpy().transpose(1, 2, 0) * 255, made["rgb"], atol=1e-3)
    np.testing.assert_allclose(one["depth"][0].numpy() * 1000, made["depth_sensor"], atol=1e-2)
    assert (one["valid"][0].numpy() == (made["depth_sensor"] > 0)).all()
    np.testing.assert_allclose(one["intrinsics"], made["K"], rtol=1e-6)
    rig = made["rig"]
    shift = 299 - round((rig.start + rig.geometry.direct_paths.min() / 343.0) * 44_100)
    moved = np.roll(made["audio"], shift, axis=1)[:, :2900]
    # 16 bits of the recording's own peak.
    tolerance = np.abs(made["audio"]).max() / 32_767
    np.testing.assert_allclose(one["waveform"][:, max(0, shift) : 2900], moved[:, max(0, shift) :], atol=tolerance)


def test_the_true_depth_has_no_holes_but_beyond_the_cap(filled):
    rooms = Rooms("offices", 3, depth="true", cap=2.0, cache=filled.folder.parent, **SMALL)
    true = sample("offices", 1, size=(32, 40), samples=0)["depth"]
    one = rooms[1]
    np.testing.assert_array_equal(one["valid"][0].numpy(), np.round(true * 1000) <= 2000)
    np.testing.assert_allclose(one["depth"][0].numpy(), np.where(true <= 2.0, true, 0.0), atol=6e-4)
    clipped = Rooms("offices", 3, depth="true", cap=2.0, over_cap="clip", **SMALL)[1]
    assert clipped["valid"].all() and clipped["depth"].max() == 2.0


def test_the_cache_is_used_and_completed_and_never_taken_for_other_settings(filled, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("made again")

    root = filled.folder.parent
    assert filled.fill(progress=False) == 0
    monkeypatch.setattr(cache, "sample", refuse)
    Rooms("offices", 3, cache=root, **SMALL)[2]
    for change in (
        {"size": (40, 32)},
        {"axis": RangeAxis(2999)},
        {"axis": RangeAxis(3000, None)},
        {"aspect": 1.5},
        {"preset": "rooms-1,ambiguous=1"},
    ):
        with pytest.raises(AssertionError, match="made again"):
            Rooms("offices", 3, cache=root, **(SMALL | change))[2]


def test_a_kill_leaves_no_half_sample(tmp_path, monkeypatch):
    rooms = Rooms("offices", 1, cache=tmp_path, **SMALL)

    def die(path, record):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.np, "save", die)
    with pytest.raises(KeyboardInterrupt):
        rooms.fill(progress=False)
    monkeypatch.undo()
    assert not rooms.store.path(0, 0).exists()
    assert rooms.fill(progress=False) == 1
    check_sample(rooms[0])


@pytest.mark.slow
def test_several_workers_fill_the_same_bytes(filled, tmp_path):
    rooms = Rooms("offices", 3, frames=(0, 100), cache=tmp_path, **SMALL)
    assert rooms.fill(workers=2, progress=False) == 6
    for seed, frame in rooms.items:
        assert rooms.store.path(seed, frame).read_bytes() == filled.store.path(seed, frame).read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"domain": "caves"},
        {"rooms": 0},
        {"rooms": []},
        {"frames": ()},
        {"depth": "maybe"},
        {"cap": 0.0},
        {"over_cap": "keep"},
        {"axis": None, "spectrogram": SpectrogramSettings()},
        {"preset": "rooms-0"},
    ],
)
def test_settings_that_make_no_sense_are_refused(change):
    with pytest.raises(OptionError):
        Rooms(**({"domain": "offices", "rooms": 2} | change))


def test_a_data_set_without_a_cache_cannot_be_filled():
    with pytest.raises(OptionError, match="no cache"):
        Rooms("offices", 1, **SMALL).fill()


def test_pictures_alone_are_those_of_the_samples_that_sound_and_are_kept_apart(filled):
    silent = Rooms("offices", 3, frames=(0, 100), cache=filled.folder.parent, size=(32, 40), axis=None)
    assert silent.folder.parent == filled.folder.parent and silent.folder != filled.folder
    one, other = silent[2], filled[2]
    assert set(other) - set(one) == {"waveform", "sample_rate"}
    assert all(torch.equal(one[key], other[key]) for key in ("image", "depth", "valid", "intrinsics"))
    assert silent.store.path(1, 0).exists()
    blind = Rooms("offices", 3, frames=(0, 100), cache=filled.folder.parent, size=(32, 40), axis=None, depth=None)
    assert set(one) - set(blind[2]) == {"depth", "valid"}
    assert blind.folder == silent.folder


def test_an_oversampled_picture_is_the_mean_of_squares_of_a_larger_one_whose_depth_and_camera_it_keeps():
    small = Rooms("offices", 1, size=(16, 24), axis=None, oversample=2, depth="true")[0]
    large = Rooms("offices", 1, size=(32, 48), axis=None, depth="true")[0]
    mean = torch.nn.functional.avg_pool2d(large["image"], 2)
    torch.testing.assert_close(small["image"], mean, atol=0.51 / 255, rtol=0.0)
    assert torch.equal(small["depth"], large["depth"][:, 1::2, 1::2])
    wanted = resize_intrinsics(large["intrinsics"].numpy(), (32, 48), (16, 24))
    np.testing.assert_allclose(small["intrinsics"].numpy(), wanted, rtol=1e-6)
    with pytest.raises(OptionError, match="oversample 0"):
        Rooms("offices", 1, oversample=0)


def test_a_kept_sample_that_is_damaged_is_made_again(tmp_path):
    rooms = Rooms("offices", 1, cache=tmp_path, **SMALL)
    whole = rooms[0]
    (path,) = tmp_path.rglob("*.npy")
    content = path.read_bytes()
    for damaged in (content[:-5], content[:20], b"", content.replace(b"'rgb'", b"'rgx'"), b"\0" * len(content)):
        path.write_bytes(damaged)
        again = rooms[0]
        assert all(torch.equal(again[key], whole[key]) for key in ("image", "depth", "waveform"))
        assert path.read_bytes() == content


def test_the_loudest_sample_of_a_kept_recording_has_its_sign_and_full_scale(tmp_path):
    store = cache.Store("offices", (16, 20), None, RangeAxis(3000), "rooms-1", tmp_path)
    for seed in range(2):
        kept = store.read(seed, 0)
        made = sample("offices", seed, 0, size=(16, 20), samples=4200)
        waveform = store.axis.place(made["audio"], made["rig"].direct_sample)
        whole = kept["waveform"] * (kept["peak"] / cache.FULL)
        assert np.abs(kept["waveform"].astype(int)).max() == cache.FULL == 32_767
        assert np.abs(whole - waveform).max() <= 0.51 * kept["peak"] / cache.FULL
