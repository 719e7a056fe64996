import json
from dataclasses import asdict

import pytest

from avsnet.errors import OptionError
from avsnet.train.config import DataConfig, ModelConfig, TrainConfig
from avsnet.train.config_file import read_config, write_config


@pytest.fixture
def written(tmp_path):
    """Writes a YAML file over a base."""
    base = "seed: 3\nmodel:\n  name: base_net\n  options: {max_depth: 1e1, ngf: 4}\ndata:\n  train: [folder:a]\n"
    (tmp_path / "base.yaml").write_text(base)

    def write(text):
        (tmp_path / "run.yaml").write_text(text)
        return tmp_path / "run.yaml"

    return write


def test_a_file_changes_lines_of_its_base_and_flags_change_lines_of_both(written):
    path = written("base: base.yaml\nmodel: {name: net, options: {ngf: 8}}\noptimiser: {lr: 1e-3}\n")
    flags = ["--data.batch-size=9", "--model.options.depth", "2", "--data.train+=rooms:historic:0-9", "--resume"]
    config = read_config(path, flags)
    assert config.model == ModelConfig("net", None, {"max_depth": 10.0, "ngf": 8, "depth": 2})
    assert config.data.train == ["folder:a", "rooms:historic:0-9"]
    assert (config.seed, config.optimiser.lr, config.data.batch_size, config.resume) == (3, 1e-3, 9, True)
    assert config.epochs == TrainConfig().epochs


def test_epochs_that_are_asked_for_take_the_place_of_steps_below_them(written):
    path = written("steps: 313\n")
    assert read_config(path).steps == 313
    for flags in (["--epochs", "5"], ["--epochs=5"]):
        assert (read_config(path, flags).epochs, read_config(path, flags).steps) == (5, None)
    assert read_config(path, ["--epochs", "5", "--steps", "7"]).steps == 7
    over = path.with_name("over.yaml")
    over.write_text(f"base: {path.name}\nepochs: 2\n")
    assert (read_config(over).epochs, read_config(over).steps) == (2, None)


def test_what_was_resolved_is_written_and_read_again_unchanged(written, tmp_path):
    config = read_config(
        written("base: base.yaml\ndata: {size: [32, 48]}\n"), ["--steps", "7", "--data.val", "folder:b"]
    )
    write_config(config, tmp_path / "resolved.yaml")
    assert read_config(tmp_path / "resolved.yaml") == config
    assert asdict(config)["data"]["size"] == (32, 48)


@pytest.mark.parametrize(("given", "read"), [("80", 80), ("k.json", "k.json")])
def test_a_camera_is_a_file_or_a_number_of_degrees_and_is_written_as_it_is_read(written, tmp_path, given, read):
    text = "loss: photometric\ndata: {interval: 20, hears: false, intrinsics: %s}"
    for config in (
        read_config(written(text % given)),
        read_config(written(text % "1.json"), ["--data.intrinsics", given]),
    ):
        assert (config.data.interval, config.data.intrinsics) == (20, read)
        write_config(config, tmp_path / "resolved.yaml")
        assert read_config(tmp_path / "resolved.yaml") == config


def test_one_source_may_stand_without_brackets():
    assert DataConfig(train="folder:a").train == ["folder:a"]


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("modl: {name: net}", [], r"run\.yaml: unknown entry modl; did you mean model\?"),
        ("model: {nme: net}", [], r"unknown entry model\.nme; did you mean model\.name\?"),
        ("lr: 1", [], r"unknown entry lr; did you mean optimiser\.lr\?"),
        ("model: net", [], r"model is 'net', but must hold entries such as model\.name"),
        ("epochs: many", [], r"epochs is many, but must be int"),
        (
            "loss: l3",
            [],
            r"loss is l3, but must be one of \['silog', 'log_l1', 'l1', 'relative_l1', ",
        ),
        (
            "seed: 1",
            ["--data.batch-sise", "8"],
            r"flags: unknown entry data\.batch_sise; did you mean data\.batch_size\?",
        ),
        ("seed: 1", ["--data.batch-size", "8.5"], r"flags: data\.batch_size is 8\.5, but must be int"),
        ("seed: 1", ["8"], "unrecognized arguments: 8"),
        ("- seed", [], "holds no settings, but list"),
        ("seed: [", [], "is no YAML"),
        ("base: run.yaml", [], "is its own base"),
        ("base: nowhere.yaml", [], r"nowhere\.yaml: cannot be read"),
        ("data: {interval: 20}", [], r"data\.interval makes triplets of pictures; give data\.hears: false"),
        ("data: {shuffle_echoes: true, hears: false}", [], "there are no echoes to shuffle"),
        ("data: {leave_out: [Attic], train: rooms:historic:0-9}", [], "no source is batvision_v2:ROOT"),
        ("seed: -1", [], "seed is -1, but must be a whole number from 0"),
        ("data: {flip: 2}", [], r"data\.flip is 2\.0, but must be a probability"),
        ("optimiser: {lr: 0}", [], r"optimiser\.lr is 0\.0, but must be above 0"),
        ("optimiser: {clip: -1}", [], r"optimiser\.clip is -1\.0, but must be 0 or more"),
    ],
)
def test_a_mistake_is_told_in_one_line_that_names_it(written, text, flags, message):
    with pytest.raises(OptionError, match=message) as caught:
        read_config(written(text), flags)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["#2", "~", "null", "1.5", "[a]", "{x}", "yes", "0x10", "- a", '"q"', "a: b", "a #b"])
def test_a_text_is_the_name_of_a_file_whatever_yaml_would_make_of_it(written, tmp_path, name):
    entries = {"out": name, "model": {"weights": name}, "data": {"cache": name, "val": f"folder:{name}"}}
    flags = ["--out", name, f"--model.weights={name}", "--data.cache", name, "--data.val", f"folder:{name}"]
    for config in (read_config(written(json.dumps(entries))), read_config(written("seed: 1"), flags)):
        write_config(config, tmp_path / "again.yaml")
        for read in (config, read_config(tmp_path / "again.yaml")):
            assert (read.out, read.model.weights, read.data.cache, read.data.val) == (*[name] * 3, [f"folder:{name}"])


def test_an_empty_text_is_no_path(written):
    for flag in ("--out", "--model.weights", "--data.cache", "--data.train", "--photometric.pose-weights"):
        with pytest.raises(OptionError, match=rf"flags: {flag[2:].replace('-', '_')} is empty"):
            read_config(written("seed: 1"), [f"{flag}="])
    with pytest.raises(OptionError, match=r"run\.yaml: model\.weights is empty"):
        read_config(written("model: {weights: ''}"))


def test_null_in_a_file_takes_away_what_its_base_names(written, tmp_path):
    (tmp_path / "under.yaml").write_text("model: {weights: default}\n")
    assert read_config(written("base: under.yaml\nmodel: {weights: null}\n")).model.weights is None


def test_null_where_there_is_no_none_is_one_line(written):
    for entry in ("seed: null", "log_every:", "data: {batch_size: null}", "optimiser: {lr: null}", "loss: null"):
        with pytest.raises(OptionError, match=r"run\.yaml: [\w.]+ is null"):
            read_config(written(f"out: a\n{entry}"))
    assert read_config(written("steps: null\ndata: {align: null}")).data.align is None
