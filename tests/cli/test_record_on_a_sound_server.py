"""`avsnet record` end to end: a virtual sound card, and a simulated room that its sound is played through."""

import subprocess
import sys

import numpy as np
import pytest
import soxr

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter, sweep
from avsnet.audio.ranging import range_profile
from avsnet.audio.rig import Rig
from avsnet.io.recordings import read_wav
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from sound_server import RATE, obstacle, sound_server

WALL = 2.0


@pytest.fixture(scope="module")
def room():
    """(2, M) impulse responses: the simulated echo of a wall at 2 m, compressed, which is heard as that echo was."""
    camera = np.array([[46.0, 0.0, 31.5], [0.0, 46.0, 23.5], [0.0, 0.0, 1.0]])
    echo = echo_of_depth(np.full((48, 64), WALL, np.float32), camera, rig_for(1, Rig(), gain=0.1), seed=1, duration=0.2)
    impulses = np.real(matched_filter(echo.waveform.astype(float), sweep()))
    response = soxr.resample(impulses.T, SAMPLE_RATE, RATE).T
    return response / np.abs(response).max() * 0.01


@pytest.fixture(scope="module")
def environment(room, tmp_path_factory):
    reason = obstacle()
    if reason:
        pytest.skip(f"no virtual sound card: {reason}")
    try:
        with sound_server(tmp_path_factory.mktemp("server"), room) as found:
            yield found
    except RuntimeError as error:
        pytest.skip(f"no virtual sound card: {error}")


def record(environment, *words):
    command = [sys.executable, "-m", "avsnet", "record", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_devices_are_listed(environment):
    done = record(environment, "--list")
    assert done.returncode == 0 and "pulse" in done.stdout


def test_the_sweep_comes_back_from_the_wall_of_the_simulated_room(environment, tmp_path):
    out = tmp_path / "captures"
    for _ in range(4):  # on a busy machine a virtual card may run dry, which it says
        done = record(environment, "--out", str(out), "--level", "0.9")
        assert done.returncode in (0, 1), done.stderr
        if done.returncode == 0 and "lost" not in done.stdout:
            break
    assert done.returncode == 0, done.stdout
    echo = read_wav(sorted(out.glob("*.wav"))[-1])
    assert echo.waveform.shape[0] == 2 and echo.sample_rate == RATE
    ranges = [one.range for one in range_profile(echo.waveform, echo.sample_rate, Rig()).reflections]
    assert min(abs(found - WALL) for found in ranges) < 0.05
    assert "latency:" in done.stdout and "channel 1 is taken for the left ear" in done.stdout
