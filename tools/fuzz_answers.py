"""The page and the stream for `tools/fuzz.py`: several inputs at once, of which some are hostile.

A case is one file, as for any other reader. For the page it takes the place of one of four uploads, or holds what was
typed; for the stream its bytes choose the frames, and are one of their recordings.
"""

import itertools
import json
import math
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

MODEL = "avsnet_lite0_av"
TYPED = ("model", "scale_from", "camera", "fov", "across", "down")
FRAMES = 3
RATE = 44_100


def seeds(folder: Path) -> None:
    """Whole files beside those of the readers: what is typed on the page, and bytes that choose frames."""
    for number, scale_from in enumerate(("auto", "ear", "ranging", "known:3,4,2.5", "none")):
        camera = ("from the picture's file, or assumed", "webcam or laptop")[number % 2]
        lines = zip(TYPED, (MODEL, scale_from, camera, number * 20.0, 12, 7.5), strict=True)
        (folder / f"typed{number}.txt").write_text("\n".join(f"{name}={value}" for name, value in lines))
    for number in range(12):
        (folder / f"stream{number}.bin").write_bytes(np.random.default_rng(number).bytes(1600))


def uploaded(field: str) -> Callable[[Path], None]:
    """The page with one upload: `picture`, `echo`, `camera_file` or `rig_file`."""

    def read(path: Path) -> None:
        folder = path.parent.parent
        files = {"picture": folder / "picture.png", "echo": folder / "sound.wav", field: path}
        _answer(str(files["picture"]), str(files["echo"]), {k: str(v) for k, v in files.items() if k.endswith("file")})

    return read


def typed(path: Path) -> None:
    """The page with what was typed: a text, or what JSON makes of it, as whoever calls its address may send."""
    folder, found = path.parent.parent, dict.fromkeys(TYPED)
    for line in path.read_bytes().decode("latin-1").split("\n"):
        name, _, text = line.partition("=")
        if name in TYPED:
            found[name] = _value(text)
    click = [found.pop("across"), found.pop("down")]
    _answer(str(folder / "picture.png"), str(folder / "sound.wav"), found, click)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _answer(picture: str, echo: str, given: dict[str, Any], click: Any = (12, 7)) -> None:
    from avsnet.app.answers import Choices, answer, clicked

    with tempfile.TemporaryDirectory() as name:
        found = answer(picture, echo, Choices(**{"model": MODEL} | given), Path(name))
        check(found.prediction)
        low, high = found.limits
        assert math.isfinite(low) and math.isfinite(high) and low <= high, "no limits of colours"
        assert all(path.stat().st_size for path in (found.picture, *found.files)), "an empty file"
        assert found.summary and found.words and "<iframe" in found.cloud, "nothing is shown"
        assert clicked(found.prediction, click).startswith("**"), "no reading"


def check(prediction: Any, size: tuple[int, int] | None = None) -> None:
    """Refuse a prediction that cannot be."""
    known = prediction.depth[prediction.valid]
    assert size is None or prediction.depth.shape == size, "another size than the picture's"
    assert known.size and np.isfinite(known).all() and (known > 0.0).all(), "no depth"
    assert math.isfinite(prediction.scale) and math.isfinite(prediction.shift), "no scale"
    assert np.isfinite(prediction.intrinsics).all() and prediction.intrinsics[0, 0] > 0.0, "no camera"
    if prediction.posterior is not None:
        probability = prediction.posterior.probability
        assert np.isfinite(probability).all() and abs(probability.sum() - 1.0) < 1e-6, "no distribution"
        low, high = prediction.interval
        assert 0.0 < low <= high < math.inf and 0.0 <= prediction.confidence <= 1.0, "no interval"


def stream(path: Path) -> None:
    """Some frames of a stream, and then a whole one, whose depth must be sound whatever came before.

    A camera's frames are of any size and type, and recordings are noise, silence, not finite, huge, cut, of another
    rate or shape; no frame may change what it was given.
    """
    from avsnet.errors import AvsnetError

    content = path.read_bytes()
    random_ = random.Random(content)
    folder, predictor = path.parent.parent, random_.choice(_predictors())
    predictor.reset()
    refused = None
    for _ in range(random_.randint(1, FRAMES)):
        image, (echo, rate) = _image(random_, folder), _echo(random_, content, folder)
        before = [np.copy(one) for one in (image, echo) if isinstance(one, np.ndarray)]
        try:
            check(predictor(image, echo, rate), image.shape[:2] if isinstance(image, np.ndarray) else None)
        except AvsnetError as error:
            assert "\n" not in str(error), "an error of several lines"
            refused = error
        after = [one for one in (image, echo) if isinstance(one, np.ndarray)]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(after, before, strict=True)), "an input was changed"
    whole = predictor(_whole_image(), _whole_echo(), RATE)
    check(whole, _whole_image().shape[:2])
    if refused is not None:
        raise refused


@cache
def _predictors() -> list[Any]:
    from avsnet import Predictor
    from avsnet.audio.rig import Rig

    sources = itertools.product(("avsnet_lite0_av", "avsnet_lite0_v"), ("auto", "ear", "none"))
    return [Predictor(model, scale_from=scale_from, rig=Rig()) for model, scale_from in sources]


@cache
def _whole_image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


@cache
def _whole_echo() -> np.ndarray:
    """(2, N) a room of one wall at 2 m, so that every source finds something."""
    from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for

    camera = np.array([[20.0, 0.0, 15.5], [0.0, 20.0, 11.5], [0.0, 0.0, 1.0]])
    return echo_of_depth(np.full((24, 32), 2.0, np.float32), camera, rig_for(0), seed=0).waveform


def _image(random_: random.Random, folder: Path) -> Any:
    """Mostly a picture of some size; else what is no picture, or a file."""
    noise = np.random.default_rng(random_.getrandbits(32))
    height, width = random_.choice([(24, 32), (32, 24), (48, 64), (1, 1), (1, 200), (7, 3)])
    if random_.random() < 0.6:
        return noise.integers(0, 256, (height, width, 3), np.uint8)
    return random_.choice(
        [
            lambda: np.full((height, width, 3), random_.choice([0, 255]), np.uint8),
            lambda: noise.integers(0, 256, (height, width, 3), np.uint8)[::-1, ::-1],
            lambda: noise.integers(0, 256, (height, width, random_.choice([1, 2, 4])), np.uint8),
            lambda: noise.uniform(0.0, 1.0, (height, width, 3)).astype(random_.choice(["f4", "f8", "i8"])),
            lambda: np.zeros(random_.choice([(0, 0, 3), (), (3,), (height, width), (2, height, width, 3)]), np.uint8),
            lambda: random_.choice(sorted(folder.glob("picture.*"))),
            lambda: random_.choice([folder / "none.png", folder / "sound.wav", ""]),
        ]
    )()


def _echo(random_: random.Random, content: bytes, folder: Path) -> tuple[Any, Any]:
    """A recording and its rate."""
    if random_.random() < 0.4:
        return random_.choice([(None, None), (_whole_echo(), RATE)])
    sound = _whole_echo() * random_.choice([1.0, 1.0, -1.0, 1e-6, 0.0, 1e30, 1e300])
    numbers = np.frombuffer(content[: len(content) // 8 * 8], random_.choice(["f4", "f8", "i2", "i8", "u1"]))
    sound = np.array(sound, random_.choice(["f8", "f8", "f4"]))
    for _ in range(random_.choice([0, 1, 30])):
        sound[random_.randrange(2), random_.randrange(sound.shape[1])] = random_.choice([np.nan, np.inf, 1.0, -1e38])
    part = random_.choice([slice(None), slice(None), slice(0), slice(1), slice(500), slice(3000, None), slice(0, 4000)])
    made = random_.choice(
        [
            lambda: None,
            lambda: sound[:, part],
            lambda: sound[::-1, part],
            lambda: sound[: random_.choice([0, 1]), part],
            lambda: sound.T,
            lambda: sound[0],
            lambda: np.stack([numbers, numbers[::-1]]),
            lambda: random_.choice([folder / "sound.wav", folder / "none.wav", folder / "picture.png"]),
        ]
    )()
    rates: list[Any] = [RATE, RATE, RATE, 48_000, 8_000, 1, 0, -1, 10**9, math.nan, math.inf, 44_100.5, None]
    return made, None if made is None or isinstance(made, Path) else random_.choice(rates)
