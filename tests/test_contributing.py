"""What CONTRIBUTING promises of adding things, with a toy for each row."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from avsnet import cli
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.trials import Scaling, System, Trial
from avsnet.models import ModelInfo, list_models, register_model, registry
from avsnet.scale.rules import METHODS, Rule
from places import ROOT
from toy_systems import cases, models, rooms

__all__ = ["cases", "models", "rooms"]  # fixtures


def test_every_test_that_contributing_names_exists():
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) >= 5
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file} has no {name}"


def test_a_model_that_is_registered_is_listed_and_predicts_from_the_command_line(monkeypatch, tmp_path, capsys):
    list_models()
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))

    @register_model(ModelInfo("toy_ramp", "metric_depth", "MIT", "MIT", "this test"))
    class Ramp(torch.nn.Module):
        def __init__(self, weights=None):
            super().__init__()

        def forward(self, batch):
            return {"metric_depth": 2.0 + batch["image"].mean(dim=1, keepdim=True)}

    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(tmp_path / "dark.png")
    assert cli.main(["models"]) == 0 and "toy_ramp" in capsys.readouterr().out
    command = ["predict", str(tmp_path / "dark.png"), "--depth-model", "toy_ramp", "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    assert "median depth 2 m" in capsys.readouterr().out


@pytest.fixture
def largest(monkeypatch):
    """A scaling rule that is added: the ratio of the largest depths."""
    monkeypatch.setitem(METHODS, "largest", Rule(lambda one, other: (float(other.max() / one.max()), 0.0)))


def test_a_rule_that_is_added_reaches_the_command_line(largest, tmp_path, capsys):
    truth = np.linspace(1.0, 8.0, 48).reshape(6, 8)
    np.save(tmp_path / "truth.npy", truth)
    np.save(tmp_path / "map.npy", truth / 3.0)
    given = [str(tmp_path / "map.npy"), "--kind", "relative_depth", "--reference", str(tmp_path / "truth.npy")]
    assert cli.main(["scale", *given, "--method", "largest", "--out", str(tmp_path / "out")]) == 0
    assert "by largest" in capsys.readouterr().out
    with np.load(tmp_path / "out" / "map_depth.npz") as entries:
        assert entries["scale"] == pytest.approx(3.0)


def test_a_rule_that_is_added_reaches_the_scores(largest, models, cases, tmp_path):
    rows = evaluate([Trial(System("toy_shape"), Scaling.parse("largest:toy_av"))], cases, tmp_path).rows
    assert {row["scaling"] for row in rows} == {"largest:toy_av"}
    assert all(float(row["abs_rel"]) < 1e-4 for row in rows)


def test_a_verb_that_is_added_answers_and_is_listed(monkeypatch, capsys):
    def greet(name: str, *, loud: bool = False) -> int:
        """Greet somebody.

        Args:
            name: whom.
            loud: in capitals.
        """
        print(f"hello {name}".upper() if loud else f"hello {name}")
        return 0

    monkeypatch.setitem(cli.VERBS, "greet", greet)
    assert cli.main(["greet", "echo", "--loud"]) == 0
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert "HELLO ECHO" in said and "Greet somebody" in said
