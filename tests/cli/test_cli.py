"""The command line's frame: its help, its verbs, its exit codes; what a verb does is tested beside it."""

import functools
import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import avsnet
from avsnet import cli


def test_help_lists_the_verbs_and_version_the_version(capsys):
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {verb} " in shown for verb in cli.VERBS)
    assert cli.main([]) == 0 and capsys.readouterr().out == shown
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"avsnet {avsnet.__version__}\n"


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_the_help_of_a_verb_shows_its_flags_with_dashes(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: avsnet {verb}")
    flags = [word for word in shown.split() if word.startswith("--")]
    assert not any("_" in flag for flag in flags)
    assert verb != "predict" or {"--scale-from", "--depth-model", "--model-size"} <= set(flags)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["predict", "--help"], ["nonsense"]])
def test_help_version_and_mistakes_do_not_wait_for_torch(words):
    code = (
        "import sys; from avsnet import cli; code = cli.main(sys.argv[1:]); "
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'PIL'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == (2 if words == ["nonsense"] else 0), done.stderr


def test_an_unknown_verb_names_the_nearest_and_all(capsys):
    verbs = ", ".join(cli.VERBS)
    assert cli.main(["predcit"]) == 2
    told = f"avsnet: error: unknown verb 'predcit'; did you mean predict? verbs: {verbs}\n"
    assert capsys.readouterr() == ("", told)
    assert cli.main(["xyz"]) == 2
    assert capsys.readouterr() == ("", f"avsnet: error: unknown verb 'xyz'; verbs: {verbs}\n")


def test_a_warning_is_one_line_without_the_place_in_the_code():
    code = (
        "import warnings; from avsnet import cli; before = warnings.formatwarning\n"
        "def verb():\n    warnings.warn('left out\\n2 rows')\n    return 0\n"
        "cli.VERBS['doctor'] = verb; assert cli.main(['doctor']) == 0; assert warnings.formatwarning is before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "avsnet: warning: left out 2 rows\n")


def test_missing_flags_are_listed_with_dashes(capsys):
    assert cli.main(["predict"]) == 2
    told = "avsnet: error: missing: IMAGE, --out; avsnet predict --help lists the flags\n"
    assert capsys.readouterr() == ("", told)


@pytest.fixture
def registry():
    """The registry after every model's file was imported, which happens once and into the dictionary of that moment."""
    from avsnet.models import registry

    registry.list_models()
    return registry


def test_models_is_honest_about_an_empty_list(registry, capsys, monkeypatch):
    monkeypatch.setattr(registry, "_MODELS", {})
    assert cli.main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "No network of its own is registered yet" in shown and "onnx:PATH" in shown


def test_models_shows_kind_parameters_licences_source_and_where_weights_are(registry, capsys, monkeypatch, tmp_path):
    info = registry.ModelInfo("toy_net", "disparity", "MIT", "CC BY 4.0", "a test", parameters=1234567)
    twin = registry.ModelInfo("toy_twin", "disparity", "MIT", "MIT", "a test", published="a page")
    entries = {one.name: (one, lambda: None) for one in (info, twin)}
    monkeypatch.setattr(registry, "_MODELS", entries)
    monkeypatch.setenv("AVSNET_CACHE", str(tmp_path))
    (tmp_path / "toy_twin.pth").touch()
    assert cli.main(["models"]) == 0
    head, row, other, hint, _ = capsys.readouterr().out.splitlines()
    columns = ("gives", "parameters", "code licence", "weights licence", "on disk", "published", "source")
    starts = [head.index(column) for column in columns]
    cells = [line[start:].split("  ")[0] for line in (row, other) for start in starts]
    assert cells[:7] == ["disparity", "1,234,567", "MIT", "CC BY 4.0", "no", "nowhere", "a test"]
    assert cells[7:] == ["disparity", "unknown", "MIT", "MIT", "yes", "a page", "a test"]
    assert str(tmp_path) in hint


def test_an_interrupt_ends_with_130_and_no_traceback(capsys, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.VERBS, "models", interrupted)
    assert cli.main(["models"]) == 130
    assert capsys.readouterr().err == "avsnet: interrupted\n"


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="this system has no pipes that break")
def test_a_broken_pipe_is_quiet():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "avsnet", "--help"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.stderr == b"" and done.returncode == 141


def test_the_package_is_a_command():
    done = subprocess.run([sys.executable, "-m", "avsnet", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"avsnet {avsnet.__version__}\n"
    assert Path(avsnet.__file__).parent.name == "avsnet"


@pytest.fixture
def given(monkeypatch):
    """Puts a verb that keeps what it is called with in the place of `models`."""
    kept = {}

    def verb(
        map: str, *, out: str, echo: str | None = None, fov: float | None = None, seed: int = 0, ply: bool = False
    ):
        kept.update(map=map, out=out, echo=echo, fov=fov, seed=seed, ply=ply)
        return 0

    monkeypatch.setitem(cli.VERBS, "models", verb)
    return kept


@pytest.mark.parametrize(
    "name",
    ["#2.wav", "~", "null", "1.5", "[a]", "{x}", "yes", "0x10", "- a", '"q"', "a: b", " a ", "true", "-1", "100 %"],
)
def test_a_text_is_the_name_of_a_file_whatever_yaml_would_make_of_it(given, name):
    assert cli.main(["models", name, "--out", name, f"--echo={name}"]) == 0
    assert (given["map"], given["out"], given["echo"]) == (name, name, name)
    assert cli.main(["models", "--echo", name, "--out=out", "--", name]) == 0
    assert (given["map"], given["echo"]) == (name, name)


def test_every_text_of_every_verb_is_taken_as_it_was_written(monkeypatch):
    for name, verb in cli.VERBS.items():
        texts = [p for p in inspect.signature(verb, eval_str=True).parameters.values() if "str" in str(p.annotation)]
        if name == "train":  # see tests/train/test_config.py
            continue
        words = [
            word
            for p in texts
            for word in ([f"--{p.name.replace('_', '-')}", "~"] if p.kind is p.KEYWORD_ONLY else ["~"])
        ]
        others = ["--locations", "1", "--poses", "1"] if name == "simulate" else []
        kept = {}

        @functools.wraps(verb)
        def keep(kept=kept, **options):
            kept.update(options)
            return 0

        monkeypatch.setitem(cli.VERBS, name, keep)
        assert cli.main([name, *words, *others]) == 0
        assert all(kept[p.name] == "~" for p in texts)


@pytest.mark.parametrize(
    ("words", "named"),
    [(["", "--out", "o"], "MAP"), (["m", "--out="], "--out"), (["m", "--out", "o", "--echo", ""], "--echo")],
)
def test_an_empty_text_is_a_mistake_that_names_its_flag(given, capsys, words, named):
    assert cli.main(["models", *words]) == 2
    assert f"error: {named} is empty" in capsys.readouterr().err
    assert not given


@pytest.mark.parametrize("word", ["null", "~", "nan", "inf", "[1]", "", "0x10"])
def test_a_number_never_vanishes(given, capsys, word):
    for flag, kind in (("--fov", "a number"), ("--seed", "a whole number")):
        assert cli.main(["models", "m", "--out", "o", f"{flag}={word}"]) == 2
        assert f"{flag} is {word!r}, but must be {kind}" in capsys.readouterr().err
    assert not given


def test_a_switch_is_bare_in_the_help_and_may_be_given_its_value(given, capsys):
    assert cli.main(["models", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "[--ply]" in shown and "true" not in shown
    for words, value in ((["--ply"], True), (["--ply", "false"], False), (["--ply=true"], True), ([], False)):
        assert cli.main(["models", *words, "m", "--out", "o"]) == 0
        assert given["ply"] is value


def test_the_help_of_train_shows_switches_bare_and_names_no_file_that_a_wheel_lacks(capsys):
    assert cli.main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "[--resume]" in shown and "[--data.shuffle-echoes]" in shown
    assert "--data.hears {true,false}" in shown  # on by default, so that it is turned off by its value
    assert cli.main(["--help"]) == 0
    assert ".yaml" not in shown + capsys.readouterr().out
    assert yaml.safe_load(shown.partition("above:\n\n")[2].partition("\n\n")[0])["data"]["batch_size"] == 8
