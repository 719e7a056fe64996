"""The wheel does the main job by itself: no file of the tree, no download, metres from a picture and its echo."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.rooms import sample
from places import ROOT

LARGEST = 25.0  # MB
NETWORKS = ("avsnet_lite0_av", "avsnet_lite0_v", "ear")

# They are looked for, not imported: setuptools must be imported before distutils, which others have done by now.
CAN_BUILD = find_spec("pip") and find_spec("setuptools") and int(version("setuptools").partition(".")[0]) >= 77
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CAN_BUILD, reason="building a wheel needs avsnet[dev]")]


def run(*words: str | Path, cwd: Path) -> str:
    """What a command prints, with nothing of this process's own paths."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built of a copy, so that the tree keeps neither `build` nor what lay in it."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    run(sys.executable, "-m", "pip", "wheel", *options, tree, cwd=folder)
    shutil.rmtree(tree)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel) -> Path:
    """The `bin` of a fresh environment that holds the wheel, and sees torch and the rest where they lie."""
    folder = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=wheel.parent)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(folder / "bin" / "python", "-c", ask, cwd=folder).strip())
    dependencies = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    run(
        *(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--no-deps", "--no-index"),
        *("--ignore-installed", wheel),
        cwd=folder,
    )
    return folder / "bin"


def test_the_wheel_holds_the_package_with_its_weights_and_nothing_else(wheel, capsys):
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    about = f"avsnet-{version('avsnet')}.dist-info/"
    assert all(name.startswith(("avsnet/", about)) for name in names)
    assert not any(re.search(r"(^|/)(tests?|docs|conftest\.py|__pycache__)(/|$)", name) for name in names)
    modules = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src" / "avsnet").rglob("*.py")}
    assert modules <= names and "avsnet/py.typed" in names
    for network in NETWORKS:
        parts = ("model.safetensors", "config.json", "MODEL_CARD.md")
        assert {f"avsnet/packaged/{network}/{part}" for part in parts} <= names
    assert {f"{about}entry_points.txt", f"{about}licenses/LICENSE"} <= names
    megabytes = wheel.stat().st_size / 1e6
    with capsys.disabled():
        print(f"\n{wheel.name}: {megabytes:.1f} MB")
    assert megabytes < LARGEST


def test_the_installed_package_is_the_wheels_and_not_the_trees(installed, tmp_path):
    code = "import avsnet, avsnet.models.packaged as p; print(avsnet.__version__, avsnet.__file__, p.__file__)"
    number, *files = run(installed / "python", "-c", code, cwd=tmp_path).split()
    assert number == version("avsnet")
    for file in files:
        assert Path(file).is_relative_to(installed.parent) and not Path(file).is_relative_to(ROOT)


def test_the_command_turns_a_picture_and_its_echo_into_metres(installed, tmp_path):
    room = sample("offices", 300_001, size=(96, 128))
    Image.fromarray(room["rgb"]).save(tmp_path / "room.png")
    soundfile.write(tmp_path / "room.wav", room["audio"].T, SAMPLE_RATE)
    said = run(installed / "avsnet", "predict", "room.png", "--echo", "room.wav", "--out", "results", cwd=tmp_path)
    assert "median depth" in said and "avsnet_lite0_av" in said
    with Image.open(tmp_path / "results" / "room_depth.png") as depth:
        metres = np.array(depth) / 1000.0
    assert metres.shape == (96, 128) and 0.5 < np.median(metres) < 10.0
    assert (tmp_path / "results" / "room_panel.png").exists()
