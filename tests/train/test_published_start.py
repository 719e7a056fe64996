"""The paper's configs, started from a MiDaS file in the layout that its authors publish."""

import importlib.util
import json

import pytest
import torch

from avsnet.models import create_model
from avsnet.train.config_file import read_config
from avsnet.train.run import train
from avsnet.weights import read_state_dict
from places import GOLDEN, ROOT

FILE = "midas_v21_small_256.pt"


@pytest.fixture(scope="module")
def midas_file(tmp_path_factory):
    """The golden weights of MiDaS small under their published names."""
    spec = importlib.util.spec_from_file_location("golden_fill", GOLDEN / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    shapes = json.loads((GOLDEN / "midas_small" / "keys.json").read_text())[FILE]
    path = tmp_path_factory.mktemp("midas") / FILE
    torch.save(fill.from_shapes(shapes), path)
    return path


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*gave the MiDaS network; fresh")
@pytest.mark.parametrize("kind", ["av", "v"])
def test_the_paper_s_config_trains_from_a_published_midas_file(kind, midas_file, toy_world, tmp_path):
    name, source = f"avsnet_midas_small_{kind}", f"batvision_v2:{toy_world}"
    flags = {
        "out": tmp_path / "run",
        "steps": 1,
        "pictures": 0,
        "accelerator": "cpu",
        "model.name": name,
        "model.weights": midas_file,
        "model.options": '{"max_depth": 30.0, "input_size": [64, 64]}',
        "data.train": source,
        "data.val": source,
        "data.size": "[64, 64]",
        "data.batch_size": 4,
        "data.workers": 0,
    }
    config = read_config(ROOT / "configs" / f"avsnet_{kind}.yaml", [f"--{key}={value}" for key, value in flags.items()])
    trained = create_model(name, weights=train(config)).state_dict()
    given = read_state_dict(midas_file)
    weights = [key for key in given if key.endswith("weight")]
    # All of the published file is there, a step away.
    assert 0.0 < max((trained[f"midas.{key}"] - given[key]).abs().max() for key in weights) < 1e-2
    hearing = {key.partition(".")[0] for key in trained} - {"midas", "metric_bins"}
    assert hearing == ({"echo_encoder", "fusion"} if kind == "av" else set())
