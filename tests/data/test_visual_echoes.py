"""VisualEchoes on a miniature of its tree: what a sample holds, how it is split, what is refused."""

import os
import pickle
import re

import numpy as np
import pytest
import soundfile
import torch

from avsnet.audio.stft import ORIGINAL_SETTINGS
from avsnet.data.sample import check_sample
from avsnet.data.visual_echoes import MAX_DEPTH, TEST_SCENES, VisualEchoes
from avsnet.errors import AudioError, DataError, OptionError

SIZE = 128
SCENES = ("apartment_0", "apartment_2", "office_4")
STATES = [(location, orientation) for location in (3, 12) for orientation in (0, 270)]


def observations():
    generator = np.random.default_rng(0)
    scenes = {}
    for number, scene in enumerate(SCENES):
        channels = 4 if number == 0 else 3
        scenes[scene] = {
            state: {
                "rgb": generator.integers(0, 256, (SIZE, SIZE, channels), dtype=np.uint8),
                "depth": generator.uniform(0.1, 14.0, (SIZE, SIZE)).astype(np.float64 if number else np.float32),
            }
            for state in STATES
        }
    return scenes


def echo(scene, location, orientation):
    seed = SCENES.index(scene) * 10_000 + location * 1000 + orientation
    return np.random.default_rng(seed).integers(-32_768, 32_768, (44_100, 2), dtype=np.int16)


def tree(root, scenes=None, size=SIZE):
    """A root with the pickle and an echo for each state."""
    with open(root / f"scene_observations_{size}.pkl", "wb") as file:
        pickle.dump(observations() if scenes is None else scenes, file)
    for scene in SCENES:
        for location, orientation in STATES:
            path = root / "echoes_navigable" / scene / "3ms_sweep" / str(orientation) / f"{location}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, echo(scene, location, orientation), 44_100, subtype="PCM_16")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tree(tmp_path_factory.mktemp("visual_echoes"))


def test_every_sample_keeps_the_contract_and_holds_what_the_files_hold(root):
    plain = observations()
    for split in ("train", "test"):
        data = VisualEchoes(root, split)
        for sample in (data[index] for index in range(len(data))):
            check_sample(sample)
            scene, location, orientation = sample["id"].split("/")
            views = plain[scene][int(location), int(orientation)]
            assert np.array_equal((sample["image"] * 255).round().numpy().transpose(1, 2, 0), views["rgb"][..., :3])
            assert np.array_equal(sample["depth"][0].numpy(), views["depth"].astype(np.float32))
            assert sample["valid"].all() and sample["sample_rate"] == 44_100
            recorded = echo(scene, int(location), int(orientation))[:2646] / 32_768
            assert np.array_equal(sample["waveform"].numpy().T, recorded.astype(np.float32))


def test_the_test_scenes_are_those_of_beyond_image_to_depth_and_ids_are_unique_and_sorted(root):
    splits = {split: VisualEchoes(root, split) for split in ("train", "test")}
    ids = {split: [data[index]["id"] for index in range(len(data))] for split, data in splits.items()}
    assert {name.split("/")[0] for name in ids["test"]} == {"apartment_2", "office_4"} < set(TEST_SCENES)
    assert {name.split("/")[0] for name in ids["train"]} == {"apartment_0"}
    assert len(set(ids["test"] + ids["train"])) == len(SCENES) * len(STATES)
    assert [data.states == sorted(data.states) for data in splits.values()] == [True, True]


def test_what_is_no_depth_is_unknown_and_what_lies_beyond_the_range_does_not_count(tmp_path):
    scenes = observations()
    depth = scenes["apartment_0"][STATES[0]]["depth"]
    depth[0, :6] = [np.nan, np.inf, -np.inf, -1.0, 0.0, 20.0]
    depth[1, :2] = [MAX_DEPTH, np.nextafter(np.float32(MAX_DEPTH), np.float32(99))]
    sample = VisualEchoes(tree(tmp_path, scenes), "train")[0]
    check_sample(sample)
    assert sample["depth"][0, 0, :6].tolist() == [0] * 6
    assert not sample["valid"][0, 0, :6].any() and sample["valid"][0, 0, 6:].all() and sample["valid"][0, 2:].all()
    assert sample["valid"][0, 1, :3].tolist() == [True, False, True]


def test_the_first_60_ms_give_the_published_spectrogram_shape(root):
    sample = VisualEchoes(root, "test", spectrogram=ORIGINAL_SETTINGS["replica60ms"])[0]
    check_sample(sample)
    assert sample["echo"].shape == (2, 257, 166)


def test_batches_come_from_a_worker_process_too(root):
    data = VisualEchoes(root, "test")
    alone = list(torch.utils.data.DataLoader(data, batch_size=4))
    shared = list(torch.utils.data.DataLoader(data, batch_size=4, num_workers=1))
    check_sample(alone[0], batched=True)
    assert [batch["id"] for batch in alone] == [batch["id"] for batch in shared]
    assert all(torch.equal(a[key], b[key]) for a, b in zip(alone, shared, strict=True) for key in ("depth", "waveform"))


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_a_hostile_pickle_is_refused_and_its_code_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scenes = observations()
    scenes["office_4"][STATES[1]]["rgb"] = Hostile()
    tree(tmp_path, scenes)
    # Even a scene of the other split is refused: the file is not to be trusted.
    with pytest.raises(DataError, match=r"scene_observations_128.pkl: refused, .* (posix|nt)\.mkdir"):
        VisualEchoes(tmp_path, "train")
    assert not (tmp_path / "pwned").exists()


def changed(place, value):
    """Observations with one thing in another form."""
    scenes = observations()
    state = scenes["apartment_0"][STATES[0]]
    if place == "all":
        return value
    if place == "scene":
        scenes["apartment_0"] = value
    elif place == "scene name":
        scenes[value] = scenes.pop("apartment_0")
    elif place == "key":
        scenes["apartment_0"][value] = state
    elif place == "views":
        scenes["apartment_0"][STATES[0]] = value
    else:
        state[place] = value
    return scenes


FORMS = {
    "a list": ("all", [1], "holds a list"),
    "a scene of text": ("scene", "rooms", "scene apartment_0 is a str"),
    "a scene that climbs": ("scene name", "../../etc", "is no name of a scene"),
    "a key of one part": ("key", (3,), r"has the key \(3,\)"),
    "a key that is a path": ("key", ("../3", 0), "has the key"),
    "no depth": ("views", {"rgb": 1}, "lacks rgb or depth"),
    "rgb of floats": ("rgb", np.ones((SIZE, SIZE, 3)), "rgb is float64"),
    "rgb of another size": ("rgb", np.ones((64, 64, 3), np.uint8), r"\(64, 64, 3\)"),
    "depth in millimetres": ("depth", np.ones((SIZE, SIZE), np.uint16), "depth is uint16"),
    "depth with channels": ("depth", np.ones((SIZE, SIZE, 1)), r"\(128, 128, 1\)"),
    "depth as a list": ("depth", [[1.0]], "depth is a list"),
}


@pytest.mark.parametrize("place, value, words", FORMS.values(), ids=FORMS)
def test_another_form_is_refused_and_named(tmp_path, place, value, words):
    with open(tmp_path / "scene_observations_128.pkl", "wb") as file:
        pickle.dump(changed(place, value), file)
    with pytest.raises(DataError, match=words) as caught:
        VisualEchoes(tmp_path, "train")
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_keys_written_as_texts_are_the_same_states(tmp_path):
    scenes = {
        scene: {tuple(map(str, key)): views for key, views in states.items()}
        for scene, states in observations().items()
    }
    assert VisualEchoes(tree(tmp_path, scenes), "train").states[-1] == ("apartment_0", 12, 270)


def test_a_truncated_and_a_missing_pickle_are_named(root, tmp_path):
    whole = (root / "scene_observations_128.pkl").read_bytes()
    (tmp_path / "scene_observations_128.pkl").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="broken or truncated"):
        VisualEchoes(tmp_path, "train")
    with pytest.raises(DataError, match=r"scene_observations_256.pkl: no such file"):
        VisualEchoes(tmp_path, "train", image_size=256)


def test_a_split_without_a_state_and_unknown_options_are_refused(root, tmp_path):
    scenes = {name: states for name, states in observations().items() if name == "office_4"}
    with pytest.raises(DataError, match="no state of the train split"):
        VisualEchoes(tree(tmp_path, scenes), "train")
    with pytest.raises(OptionError, match="val"):
        VisualEchoes(root, "val")
    with pytest.raises(OptionError, match="100"):
        VisualEchoes(root, "train", image_size=100)


def test_a_missing_short_mono_or_resampled_echo_fails_alone_and_is_named(tmp_path):
    data = VisualEchoes(tree(tmp_path), "train")
    data.echo_path(0).unlink()
    soundfile.write(data.echo_path(1), np.zeros((2645, 2)), 44_100)
    soundfile.write(data.echo_path(2), np.zeros(44_100), 44_100)
    soundfile.write(data.echo_path(3), np.zeros((44_100, 2)), 16_000)
    for index, words in enumerate(("no such file", "2 x 2645", "1 x 44100", "16000 Hz")):
        with pytest.raises(AudioError, match=re.escape(str(data.echo_path(index))) + ".*" + words):
            data[index]
