"""Predict thousands of pictures in one process, and see whether memory and open files stay as they are.

    python tools/soak.py --frames 10000 predict stream page

`predict` is a picture with an echo, `stream` one `Predictor` with an echo in every second frame, and `page` what the
page makes of a picture and a recording, with a click. Pictures are small: what is looked for is what stays behind.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

LARGEST_GROWTH = 0.02
"""Of the most memory in a tenth of the frames, from the first to the last: what is held at one moment depends on when
garbage was collected last."""

MODEL = "avsnet_lite0_av"


def resident() -> float:
    """MiB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def open_files() -> int:
    """How many files, pipes and sockets are open."""
    return len(os.listdir("/proc/self/fd"))


class Inputs:
    """Pictures and recordings of noise and a chirp, each another one."""

    def __init__(self) -> None:
        from avsnet.audio.chirp import sweep

        self.random = np.random.default_rng(0)
        self.sound = np.zeros((2, 8000), np.float32)
        self.sound[:, 500 : 500 + len(sweep())] = 0.5 * sweep()

    def picture(self, size: tuple[int, int] = (96, 128)) -> np.ndarray:
        """(H, W, 3) uint8."""
        return self.random.integers(0, 256, (*size, 3), np.uint8)

    def echo(self) -> np.ndarray:
        """(2, N) float32."""
        return self.sound + 1e-3 * self.random.standard_normal(self.sound.shape).astype(np.float32)


def one_picture(inputs: Inputs, folder: Path) -> Callable[[], object]:
    """`predict` of a picture and its echo."""
    from avsnet.audio.chirp import SAMPLE_RATE
    from avsnet.models import create_model
    from avsnet.predict import predict

    model = create_model(MODEL, weights="default")
    return lambda: predict(inputs.picture(), inputs.echo(), sample_rate=SAMPLE_RATE, depth_model=model)


def stream(inputs: Inputs, folder: Path) -> Callable[[], object]:
    """The next frame of a stream."""
    from avsnet import Predictor
    from avsnet.audio.chirp import SAMPLE_RATE

    predictor, number = Predictor(MODEL), itertools.count()

    def frame() -> object:
        heard = (inputs.echo(), SAMPLE_RATE) if next(number) % 2 == 0 else ()
        return predictor(inputs.picture(), *heard)

    return frame


def page(inputs: Inputs, folder: Path) -> Callable[[], object]:
    """Files that are uploaded, all that the page makes of them, and a click."""
    import soundfile
    from PIL import Image

    from avsnet.app.answers import Choices, answer, reading
    from avsnet.audio.chirp import SAMPLE_RATE

    picture, echo = folder / "picture.png", folder / "echo.wav"

    def asked() -> object:
        Image.fromarray(inputs.picture((24, 32))).save(picture)
        soundfile.write(echo, inputs.echo().T, SAMPLE_RATE)
        found = answer(str(picture), str(echo), Choices(MODEL))
        return reading(found.prediction, (0.5, 0.5))

    return asked


KINDS = {"predict": one_picture, "stream": stream, "page": page}


def soak(kind: str, frames: int) -> bool:
    """Print memory and open files as they go, and say whether they stay."""
    start, told, kept, most = time.monotonic(), max(1, frames // 10), [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        frame = KINDS[kind](Inputs(), Path(folder))
        for number in range(1, frames + 1):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame()
            most = max(most, resident())
            if number % told == 0:
                kept.append((most, open_files()))
                print(f"{kind}, {number} frames: {most:.1f} MiB at most, {kept[-1][1]} open files", flush=True)
                most = 0.0
    growth, opened = kept[-1][0] / kept[0][0] - 1.0, kept[-1][1] - kept[0][1]
    took = time.monotonic() - start
    print(f"{kind}: {frames} frames in {took:.0f} s: memory {growth:+.2%}, open files {opened:+d}", flush=True)
    return growth <= LARGEST_GROWTH and opened <= 0


def main() -> int:
    """Soak each kind that is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []])
    parser.add_argument("--frames", type=int, default=300)
    given = parser.parse_args()
    flat = [soak(kind, given.frames) for kind in given.kinds or KINDS]
    return 0 if all(flat) else 1


if __name__ == "__main__":
    sys.exit(main())
