"""The doctor tells what is there and what is missing, quickly, and never falls ill itself."""

import importlib
import os
import re
import subprocess
import sys
import types
from importlib import metadata

import pytest

from avsnet import cli
from avsnet.cli import doctor

TITLES = ["versions", "devices", "caches", "sound cards", "extras"]


def section(text, title):
    """The lines under a title."""
    lines = text.splitlines()
    start = lines.index(title) + 1
    stop = next((at for at in range(start, len(lines)) if not lines[at].startswith(" ")), len(lines))
    return "\n".join(lines[start:stop])


def test_the_report_has_all_its_sections_and_the_verb_exits_with_0(capsys):
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr()
    assert [line for line in shown.out.splitlines() if not line.startswith(" ")][:5] == TITLES
    assert shown.err == ""


@pytest.mark.parametrize("name", ["torch", "numpy", "pillow", "transformers", "huggingface_hub", "jsonargparse"])
def test_what_is_always_needed_stands_with_its_version(name):
    shown = section(doctor.report(), "versions")
    assert re.search(rf"^  {name} +{re.escape(metadata.version(name))}$", shown, re.MULTILINE)
    assert "gradio" not in shown and "avsnet[" not in shown


def test_every_extra_for_users_is_told_of():
    assert set(doctor.EXTRAS) == set(metadata.metadata("avsnet").get_all("Provides-Extra")) - {"all", "dev", "docs"}


@pytest.fixture
def without(monkeypatch):
    """Makes packages look as if they were not installed."""

    def remove(*names):
        version = metadata.version

        def found(name):
            if name in names:
                raise metadata.PackageNotFoundError(name)
            return version(name)

        monkeypatch.setattr(metadata, "version", found)

    return remove


def test_a_missing_extra_says_what_it_would_give_and_how_to_get_it(without):
    without("onnxruntime", "gradio")
    shown = section(doctor.report(), "extras")
    assert re.search(r"export +ONNX.*: missing onnxruntime; pip install 'avsnet\[export\]'", shown)
    assert re.search(r"app +the web page: missing gradio; pip install 'avsnet\[app\]'", shown)


def test_a_missing_package_that_is_always_needed_is_said_to_be_missing(without):
    without("soxr")
    assert re.search(r"soxr +MISSING", section(doctor.report(), "versions"))


def test_torchaudio_beside_is_warned_of(monkeypatch):
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "2.11" if name == "torchaudio" else version(name))
    assert "pip uninstall torchaudio" in section(doctor.report(), "warnings")


def test_without_torchaudio_there_is_nothing_to_warn_of(without):
    without("torchaudio")
    assert "warnings" not in doctor.report().splitlines()


def sound_library(monkeypatch, given):
    """Puts a module, or the error that its import raises, in the place of sounddevice."""
    real = importlib.import_module

    def found(name, *rest):
        if name != "sounddevice":
            return real(name, *rest)
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(importlib, "import_module", found)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (ImportError("No module named 'sounddevice'"), "pip install 'avsnet[live]'"),
        (OSError("PortAudio library not found"), "apt install libportaudio2"),
        (RuntimeError("bus on fire"), "cannot be told (bus on fire)"),
        (types.SimpleNamespace(query_devices=list), "none found"),
    ],
    ids=["not installed", "no PortAudio", "broken", "no cards"],
)
def test_sound_cards_that_cannot_be_used_say_why(monkeypatch, given, words):
    sound_library(monkeypatch, given)
    assert words in section(doctor.report(), "sound cards")


def test_sound_cards_are_listed(monkeypatch):
    card = {"name": "Loop", "max_input_channels": 2, "max_output_channels": 1, "default_samplerate": 44100.0}
    sound_library(monkeypatch, types.SimpleNamespace(query_devices=lambda: [card]))
    assert section(doctor.report(), "sound cards") == "  0: Loop, 2 in, 1 out, 44100 Hz"


def test_a_torch_that_cannot_be_imported_costs_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch cannot be imported" in section(doctor.report(), "devices")


def test_an_installation_without_its_own_metadata_costs_one_section(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    text = doctor.report()
    assert "cannot be told" in section(text, "versions") and "cpu" in section(text, "devices")


def test_the_caches_and_whether_the_hub_is_out_of_bounds_are_told(tmp_path):
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "avsnet", "doctor"], env=environment, capture_output=True, text=True, check=True
    )
    shown = section(done.stdout, "caches")
    assert f"huggingface: {tmp_path} (in use)" in shown and "HF_HUB_OFFLINE: set: nothing is fetched" in shown
    assert done.stderr == ""
