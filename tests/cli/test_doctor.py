"""The doctor reports what is there and what is missing, quickly, and never falls ill itself."""

import os
import re
import subprocess
import sys
from importlib import metadata

import pytest

from avsnet import cli
from avsnet.cli import doctor

TITLES = ["versions", "devices", "caches", "extras"]


def section(text, title):
    """The lines under a title."""
    lines = text.splitlines()
    start = lines.index(title) + 1
    stop = next((at for at in range(start, len(lines)) if not lines[at].startswith(" ")), len(lines))
    return "\n".join(lines[start:stop])


def test_the_report_has_all_its_sections_and_the_verb_exits_with_0(capsys):
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr()
    assert [line for line in shown.out.splitlines() if not line.startswith(" ")][:4] == TITLES
    assert shown.err == ""


@pytest.mark.parametrize("name", ["torch", "numpy", "pillow", "transformers", "huggingface_hub", "jsonargparse"])
def test_what_is_always_needed_stands_with_its_version(name):
    shown = section(doctor.report(), "versions")
    assert re.search(rf"^  {name} +{re.escape(metadata.version(name))}$", shown, re.MULTILINE)
    assert "gradio" not in shown and "avsnet[" not in shown


def test_the_extras_that_are_named_are_those_that_something_here_uses():
    assert set(doctor.EXTRAS) <= set(metadata.metadata("avsnet").get_all("Provides-Extra"))
    shown = doctor.report()
    assert not {"gradio", "sounddevice", "mkdocs"} & set(re.findall(r"\w+", shown))
    assert not re.search(r"web page|sound card|exporting our own", shown)


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
    without("onnxruntime")
    shown = section(doctor.report(), "extras")
    assert re.search(
        r"export +running onnx: models, and writing them: missing onnxruntime; pip install 'avsnet\[export\]'", shown
    )


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


def test_a_torch_that_cannot_be_imported_costs_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch cannot be imported" in section(doctor.report(), "devices")


def test_an_installation_without_its_own_metadata_costs_one_section(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    text = doctor.report()
    assert "unknown (" in section(text, "versions") and "cpu" in section(text, "devices")


def test_the_caches_and_whether_the_hub_is_out_of_bounds_are_told(tmp_path):
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "avsnet", "doctor"], env=environment, capture_output=True, text=True, check=True
    )
    shown = section(done.stdout, "caches")
    assert f"huggingface: {tmp_path} (in use)" in shown and "HF_HUB_OFFLINE: set: nothing is fetched" in shown
    assert done.stderr == ""


def test_licences_are_listed_for_every_package_that_is_always_needed(capsys):
    assert cli.main(["doctor", "--licences"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {re.sub(r"[-_.]+", "-", line.split()[0]).lower(): line for line in lines}
    for name in doctor._requirements()[""]:
        assert metadata.version(name) in told[re.sub(r"[-_.]+", "-", name).lower()]
    assert "Apache-2.0" in told["avsnet"] and not any("\x1b" in line for line in lines)
    assert "numpy" in told and sum("not stated" in line for line in lines) <= 0.1 * len(lines)


def test_the_limits_stand_in_the_report(monkeypatch):
    monkeypatch.setenv("AVSNET_MAX_PIXELS", "123")
    assert "AVSNET_MAX_PIXELS   123 pixels" in section(doctor.report(), "limits")
