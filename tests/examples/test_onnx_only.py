"""The example that needs neither PyTorch nor avsnet, run where importing them fails."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr
import torch
from PIL import Image

from avsnet.export import export_onnx
from avsnet.geometry import intrinsics_from_fov
from avsnet.models import create_model
from avsnet.models.infer import infer
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from places import ROOT

FORBID = """
import sys
class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "avsnet", "scipy"):
            raise ImportError(f"{name} is forbidden here")
sys.meta_path.insert(0, Forbid())
import runpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_example_is_under_80_lines():
    assert len((ROOT / "examples" / "onnx_only.py").read_text().splitlines()) < 80


@pytest.mark.slow
def test_picture_and_wav_become_metres_without_torch(tmp_path):
    model = create_model("avsnet_lite0_av", weights="default")
    export_onnx(model, tmp_path / "avsnet.onnx")
    camera = intrinsics_from_fov(160, 120, 70.0)
    depth = np.full((120, 160), 3.0, np.float32)
    echo = echo_of_depth(depth, camera, rig_for(2, gain=0.1), seed=2)
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "room.png")
    soundfile.write(tmp_path / "room.wav", echo.waveform.T, 44_100, subtype="FLOAT")
    soundfile.write(tmp_path / "room48.wav", soxr.resample(echo.waveform.T, 44_100, 48_000), 48_000, subtype="FLOAT")
    words = [str(ROOT / "examples" / "onnx_only.py"), *("avsnet.onnx", "room.png", "room.wav", "depth.png")]
    other = [*words[:3], "room48.wav", "depth48.png"]
    for arguments in (words, other):
        done = subprocess.run(
            [sys.executable, "-c", FORBID, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "by sight alone" not in done.stdout
    waveform = torch.from_numpy(echo.waveform)
    wanted = infer(model, picture, camera=camera, waveform=waveform, sample_rate=44_100)
    found = np.asarray(Image.open(tmp_path / "depth.png")) / 1000.0
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    resampled = np.asarray(Image.open(tmp_path / "depth48.png")) / 1000.0
    assert np.median(resampled) == pytest.approx(np.median(wanted), rel=0.05)
