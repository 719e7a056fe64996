"""The example of a model of one's own, run as a stranger runs it."""

import os
import subprocess
import sys

from avsnet.evaluation.scores import Scores
from data_trees import walls_tree
from places import ROOT

EXAMPLE = ROOT / "examples" / "own_model.py"


def test_a_strangers_model_joins_in_twenty_lines():
    code = [line for line in EXAMPLE.read_text().splitlines() if line.strip() and not line.startswith('"""')]
    assert len(code) <= 20


def test_the_example_writes_a_row_of_every_source_of_metres(tmp_path):
    walls_tree(tmp_path / "walls")
    words = [sys.executable, str(EXAMPLE), "--half-real", str(tmp_path / "walls"), "--out", str(tmp_path / "scores")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = {row["scaling"] for row in Scores.read(tmp_path / "scores").rows if row["system"] == "my_model"}
    assert {"ranging", "ear", "auto", "auto@shuffled", "ear@silent", "ranging@late", "oracle_median"} <= found
    assert "my_model" in done.stdout
