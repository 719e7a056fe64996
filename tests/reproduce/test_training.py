"""What a reproduction lacks is trained by the config that is named, once."""

import pytest

from avsnet.errors import OptionError
from avsnet.evaluation.trials import System
from avsnet.reproduce import training
from avsnet.reproduce.table_rows import Cast, plan, weight_names
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
    wanted = parse_training(f"toy_v={config}, toy_av={config}", Cast("toy_av", "toy_v"))
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


def test_weights_that_do_without_locations_are_not_trained_on_all_of_them(runs, config, tmp_path):
    with pytest.raises(OptionError, match="without the locations of --left-out"):
        train_missing({"toy": config, "toy_left_out": config}, tmp_path / "weights", tmp_path / "V2")
    assert not runs


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
        parse_training(text, Cast())


def test_a_name_that_no_row_asks_for_is_refused_before_hours_are_spent_on_it(config):
    with pytest.raises(OptionError, match=r"no row has weights avsnet_lite0_av_shufled; .*avsnet_lite0_av_shuffled"):
        parse_training(f"avsnet_lite0_av_shufled={config}", Cast())


def test_the_names_that_may_be_trained_are_those_that_the_rows_look_for(monkeypatch):
    asked = set()
    monkeypatch.setattr(Cast, "system", lambda self, name, echo="true", tag="": asked.add(f"{name}_{tag}".rstrip("_")))
    monkeypatch.setattr("avsnet.reproduce.table_rows._cast", lambda line, *rest: line)
    monkeypatch.setattr("avsnet.reproduce.table_rows._scaled", lambda *rest: [])
    plan(Cast(grouped=True), ["V1"])
    names = weight_names(Cast())
    assert set(names) == asked and len(names) == len(asked)
    assert weight_names(Cast(extra=(System("midas_tiny", "weights/mine"),))) == [*names, "mine"]


def test_weights_that_are_half_copied_are_not_taken_for_whole_ones(monkeypatch, runs, config, tmp_path):
    def killed(model, part):
        part.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(training.shutil, "copytree", killed)
    with pytest.raises(KeyboardInterrupt):
        train_missing({"bitd": config}, tmp_path / "weights", None)
    assert isinstance(Cast(weights=tmp_path / "weights").system("bitd"), str)


def test_a_published_file_is_found_by_the_models_name_or_in_the_folder_of_that_name(tmp_path):
    (tmp_path / "jun2022_mdr").mkdir()
    (tmp_path / "jun2022_mdr" / "51k_HRWSI.pth").write_text("weights")
    (tmp_path / "zoedepth_n.pt").write_text("weights")
    (tmp_path / "monodepth2").mkdir()
    for part in ("encoder.pth", "depth.pth"):
        (tmp_path / "monodepth2" / part).write_text("weights")
    cast = Cast(weights=tmp_path)
    assert cast.system("jun2022_mdr") == System("jun2022_mdr", str(tmp_path / "jun2022_mdr" / "51k_HRWSI.pth"))
    assert cast.system("zoedepth_n") == System("zoedepth_n", str(tmp_path / "zoedepth_n.pt"))
    assert cast.system("monodepth2") == System("monodepth2", str(tmp_path / "monodepth2"))
