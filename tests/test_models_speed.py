"""The benchmark of the models' speed runs as it is called."""

import subprocess
import sys

import pytest

from places import ROOT


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
def test_a_model_gets_its_figures_beside_the_originals_and_one_that_fails_a_line_and_the_exit_code():
    command = [sys.executable, str(ROOT / "benchmarks" / "models_speed.py"), "--passes", "1", "--wall"]
    done = subprocess.run([*command, "--models", "lite_mono_tiny", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 1
    _, head, row, failed, speed = done.stdout.splitlines()
    assert head.split() == ["model", "size", *["ours", "original", "ratio"] * 2, "MB"]
    name, _, _, _, *cells = row.split()
    processor, original, ratio, wall, idle, _, memory = map(float, cells)
    assert (name, original, idle) == ("lite_mono_tiny", 0.085, 0.042)
    assert ratio == pytest.approx(processor / original, abs=0.02)
    assert 0.0 < wall
    assert 8.6 < memory < 1000.0  # its weights alone take 8.6 MB
    assert failed.split() == ["nonsense", "failed:", *failed.split()[2:]] and "unknown model" in failed
    assert "GFLOP/s" in speed
