"""A full disk and a folder that cannot be written are one line, and nothing half is left."""

import resource
import signal

import numpy as np
import pytest
from PIL import Image

from avsnet import cli

SIZES = (0, 1_000, 4_000)
"""Bytes beyond which no file grows: nothing, a head, half of a result."""


@pytest.fixture
def inputs(tmp_path):
    np.save(tmp_path / "a.npy", np.linspace(1.0, 3.0, 40 * 60, dtype=np.float32).reshape(40, 60))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)).save(tmp_path / "a.png")
    return tmp_path


VERBS = {
    "echo": "echo {inputs}/a.npy --fov 70 --out {out}/a.wav",
    "simulate": "simulate offices --locations 1 --poses 1 --size 96x96 --out {out}",
    "predict": "predict {inputs}/a.png --out {out}",
    "scale": "scale {inputs}/a.npy --kind relative_depth --reference {inputs}/a.npy --out {out}",
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("most", SIZES)
def test_a_full_disk_is_one_line_and_leaves_nothing_half(inputs, capsys, verb, most):
    out = inputs / "out"
    out.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        code = cli.main(VERBS[verb].format(inputs=inputs, out=out).split())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("avsnet: error")]
    assert code in (1, 2) and len(said) == 1 and "cannot be written" in said[0]
    left = [path for path in out.rglob("*") if path.is_file()]
    assert all(path.stat().st_size <= most and not path.name.startswith(".") for path in left)


@pytest.mark.parametrize("verb", VERBS)
def test_a_place_that_is_no_folder_is_one_line(inputs, capsys, verb):
    (inputs / "out").write_text("mine")
    assert cli.main(VERBS[verb].format(inputs=inputs, out=inputs / "out").split()) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("avsnet: error") and "Traceback" not in "\n".join(said)
    assert (inputs / "out").read_text() == "mine"
