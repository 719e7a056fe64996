"""A user's PulseAudio server with a simulated room in it: what is played to `room` is heard by `ears.monitor`.

A child process takes the sound that the null sink `room` was given, plays it through the room's impulse responses, and
gives what two ears hear to the null sink `ears`, whose monitor is the microphone.
"""

import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np

RATE = 48_000
PROGRAMS = ("pulseaudio", "parec", "pacat", "pactl")


def obstacle():
    """Why no sound server can be had here; "" where one can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (apt install pulseaudio pulseaudio-utils)"
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError) as error:
        return f"sounddevice cannot be used: {error}"
    return ""


@contextmanager
def sound_server(folder, responses):
    """Run the server and the room; the environment that leads a program to it.

    Args:
        folder: for the server's files.
        responses: (2, M) impulse response of each ear at 48 kHz.
    """
    runtime = folder / "pulse"
    runtime.mkdir(mode=0o700)
    environment = os.environ | {
        "XDG_RUNTIME_DIR": str(runtime),
        "PULSE_RUNTIME_PATH": str(runtime),
        "HOME": str(folder),
        "PULSE_SERVER": f"unix:{runtime / 'native'}",
    }
    null = f"module-null-sink rate={RATE} channels"
    modules = [f"module-native-protocol-unix socket={runtime / 'native'} auth-anonymous=1"]
    modules += [f"{null}=1 sink_name=room", f"{null}=2 sink_name=ears"]
    server = subprocess.Popen(
        ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"]
        + [word for module in modules for word in ("-L", module)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    np.save(folder / "responses.npy", responses)
    room = None
    try:
        _await(environment)
        room = subprocess.Popen([sys.executable, __file__, str(folder / "responses.npy")], env=environment)
        time.sleep(1.0)  # until its streams stand
        yield {**environment, "PULSE_SINK": "room", "PULSE_SOURCE": "ears.monitor"}
    finally:
        for process in (room, server):
            if process is not None:
                process.terminate()
                process.wait(10)


def _await(environment):
    for _ in range(100):
        if subprocess.run(["pactl", "info"], env=environment, capture_output=True).returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError("the sound server does not answer")


def play_through(responses):
    """Overlap-add from the sink to the ears, until somebody ends this process."""
    block = 2_048
    form = ["--raw", "--format=float32le", f"--rate={RATE}"]
    source = subprocess.Popen(
        ["parec", *form, "--channels=1", "--latency-msec=60", "--device=room.monitor"], stdout=subprocess.PIPE
    )
    sink = subprocess.Popen(
        ["pacat", "--playback", *form, "--channels=2", "--latency-msec=100", "--device=ears"], stdin=subprocess.PIPE
    )
    length = 2 ** int(np.ceil(np.log2(block + responses.shape[1])))
    spectra = np.fft.rfft(responses, length)
    kept = np.zeros((2, length))
    # What a busy machine leaves behind is dropped: it would stay behind, and every echo would come seconds late.
    waiting = queue.Queue(4)
    threading.Thread(target=take, args=(source.stdout, 4 * block, waiting), daemon=True).start()
    try:
        while (data := waiting.get()) is not None:
            kept += np.fft.irfft(np.fft.rfft(np.frombuffer(data, "<f4"), length) * spectra, length)
            sink.stdin.write(kept[:, :block].T.astype("<f4").tobytes())
            sink.stdin.flush()
            kept = np.concatenate([kept[:, block:], np.zeros((2, block))], axis=1)
    finally:
        source.kill()
        sink.kill()


def take(pipe, size, waiting):
    """Put pieces of sound into a queue as they come, the oldest giving way; None at the end."""
    while len(data := pipe.read(size)) == size:
        if waiting.full():
            waiting.get()
        waiting.put(data)
    waiting.put(None)


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    play_through(np.load(sys.argv[1]))
