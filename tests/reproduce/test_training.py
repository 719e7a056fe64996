"""What a reproduction lacks is trained by the config that is named, once."""

import pytest

from avsnet.errors import OptionError
from avsnet.reproduce import training
from avsnet.reproduce.training import parse_training, train_missing


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """The configs that were trained; each leaves a folder of weights."""
    import avsnet.train.run

    seen = []

    def train(config, command):
        seen.append((config, command))
        folder = tmp_path / "out" / str(len(seen))
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text(config.model.name)
        return folder

    monkeypatch.setattr(avsnet.train.run, "train", train)
    return seen


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text("epochs: 2\nmodel: {name: bitd}\ndata: {train: 'rooms:historic:0-9'}\n")
    return path


def test_missing_weights_are_trained_into_the_folder_and_those_there_are_left_alone(runs, config, tmp_path):
    weights = tmp_path / "weights"
    (weights / "toy_v").mkdir(parents=True)
    wanted = parse_training(f"toy_v={config}, toy_av={config}")
    assert train_missing(wanted, weights, None) == ["toy_av"]
    assert (weights / "toy_av" / "model.safetensors").read_text() == "bitd"
    assert train_missing(wanted, weights, None) == []
    (run, command) = runs[0]
    assert run.resume and run.epochs == 2 and run.data.train == ["rooms:historic:0-9"]
    assert str(config) in command


def test_the_real_data_takes_the_place_of_the_configs(runs, config, tmp_path):
    train_missing({"bitd": config}, tmp_path / "weights", tmp_path / "BatvisionV2")
    assert runs[0][0].data.train == runs[0][0].data.val == [f"batvision_v2:{tmp_path / 'BatvisionV2'}"]


def test_what_is_trained_without_locations_is_told_which(runs, config, tmp_path):
    train_missing({"toy_left_out": config, "toy": config}, tmp_path / "weights", tmp_path / "V2", ["attic", "hall"])
    assert [config.data.leave_out for config, _ in runs] == [["attic", "hall"], []]


def test_a_training_that_fails_leaves_no_weights(monkeypatch, runs, config, tmp_path):
    def broken(model, part):
        raise OSError("disk full")

    monkeypatch.setattr(training.shutil, "copytree", broken)
    with pytest.raises(OSError):
        train_missing({"bitd": config}, tmp_path / "weights", None)
    assert not (tmp_path / "weights" / "bitd").exists()


@pytest.mark.parametrize("text", ["bitd", "=a.yaml", "bitd=nowhere.yaml"])
def test_what_names_no_config_is_refused(text):
    with pytest.raises(OptionError, match="--train"):
        parse_training(text)
