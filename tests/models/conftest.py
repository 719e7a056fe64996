"""Checkpoints of the Monodepth2 family as their authors publish them, with golden weights."""

import importlib.util
import json
import os
from pathlib import Path

import pytest
import timm  # noqa: F401  # before a test builds on the device "meta", under which older torch cannot import it
import torch

from places import GOLDEN

TRAINED_AT = {"height": 192, "width": 640, "use_stereo": False}


def filled(system: str, prefix: str, file: str) -> dict[str, torch.Tensor]:
    """The golden weights of one published file, by the rules of the goldens' note."""
    spec = importlib.util.spec_from_file_location("fill", GOLDEN / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    shapes = json.loads((GOLDEN / system / "keys.json").read_text())[prefix + file]
    aliases = GOLDEN / system / "aliases.json"  # one tensor under several names
    copies = json.loads(aliases.read_text()).get(file, {}) if aliases.is_file() else {}
    state = fill.from_shapes({key: shape for key, shape in shapes.items() if key not in copies})
    for key in state:
        if key.endswith(("gamma", "gamma_xca")):  # else the blocks of Lite-Mono hardly count
            state[key] *= 20
    return {key: state[copies.get(key, key)] for key in shapes}


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """name -> its published folder; made once, not to be changed."""
    made = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            lite = name.startswith("lite_mono")
            source = ("lite_mono", f"{name.replace('_', '-')}/") if lite else (name, "")
            torch.save(filled(*source, "encoder.pth") | TRAINED_AT, made[name] / "encoder.pth")
            torch.save(filled(*source, "depth.pth"), made[name] / "depth.pth")
        return made[name]

    return folder


@pytest.fixture
def changed(published, tmp_path):
    """(name, file, change) -> a copy of the published folder in which `change` was applied to the file's entries."""

    def folder(name: str, file: str, change) -> Path:
        copy = tmp_path / name
        copy.mkdir()
        for path in published(name).iterdir():
            if path.name != file:
                os.link(path, copy / path.name)
        entries = torch.load(published(name) / file, weights_only=True)
        change(entries)
        torch.save(entries, copy / file)
        return copy

    return folder


@pytest.fixture(scope="session")
def published_pose(tmp_path_factory):
    """A folder with Monodepth2's pose network; not to be changed."""
    folder = tmp_path_factory.mktemp("pose")
    for file in ("pose_encoder.pth", "pose.pth"):
        torch.save(filled("monodepth2", "", file), folder / file)
    return folder
