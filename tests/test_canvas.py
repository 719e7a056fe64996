"""Figures need no backend, so none that the environment names can break them, nor do they change it for a caller."""

import os
import subprocess
import sys

import pytest

MISSING = "module://matplotlib_inline_of_another_environment.backend_inline"


def python(code, backend):
    environment = {**os.environ, "MPLBACKEND": backend}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("module", "backend"),
    [
        ("avsnet.viz", MISSING),
        ("avsnet.viz", "no_such_backend"),
        ("avsnet.viz", ""),
        ("avsnet.reproduce.run", MISSING),
        ("avsnet.train.callbacks", MISSING),
    ],
)
def test_a_backend_that_is_not_here_breaks_nothing(module, backend):
    first = "import avsnet.train.run as run; run._check_lightning(); " if "train" in module else ""
    code = f"import avsnet, os; {first}import {module}; print(os.environ['MPLBACKEND'])"
    done = python(code, backend)
    assert (done.returncode, done.stdout.strip()) == (0, backend), done.stderr


def test_a_backend_that_is_here_is_that_of_the_caller_as_before():
    shown = "import matplotlib; print(matplotlib.get_backend())"
    assert python(f"import avsnet.viz; {shown}", "svg").stdout.strip().lower() == "svg"
    chosen = f"import matplotlib; matplotlib.use('pdf'); import avsnet.viz; {shown}"
    assert python(chosen, "svg").stdout.strip().lower() == "pdf"


def test_a_verb_that_draws_runs_in_the_shell_of_a_notebook(tmp_path):
    environment = {**os.environ, "MPLBACKEND": MISSING}
    words = [sys.executable, "-m", "avsnet", "demo", "--rooms", "1", "--out", str(tmp_path)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()
