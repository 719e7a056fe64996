"""What the page shows, as plain functions: from a picture, a recording and a few choices to pictures, words and files.

Nothing here knows how a page is drawn, so all of it is tested without a browser.
"""

from __future__ import annotations

import atexit
import json
import math
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import soundfile
from PIL import Image

from avsnet.app.turning import turning
from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.errors import CalibrationError, EchoError, OptionError
from avsnet.models import packaged
from avsnet.models.infer import network_maps
from avsnet.prediction import Prediction, summary
from avsnet.predictor import Inputs, Predictor
from avsnet.rooms import sample
from avsnet.scale.ranging import EchoEvidence
from avsnet.scale.sources import SOURCES
from avsnet.viz import colour_depth, depth_limits, evidence_figure

CAMERAS: dict[str, float | None] = {
    "from the picture's file, or assumed": None,
    "phone, main camera (26 mm)": 69.4,
    "phone, wide camera (13 mm)": 108.3,
    "webcam or laptop": 65.0,
    "RealSense D435, colour": 69.0,
    "Kinect v1": 57.0,
}
"""Horizontal fields of view in degrees of a landscape picture, by the camera's name; millimetres are 35 mm film's."""

MODELS = (packaged.AV, packaged.V)
"""Depth models that need no further file."""

WIDEST = 1280
"""Pixels of the depth picture on the page."""

SCALES = ("auto", *(name for name in SOURCES if name != "known"), packaged.AV)
"""Where the metres may come from on the page; a known distance can be typed."""

KEPT = 600.0
"""Seconds for which files of an answer are kept."""

_ONE_AT_A_TIME = threading.Lock()
_FARTHEST_CLICK = 1e9  # pixels: beyond, a whole number need not fit into a float
_ROOM_SIZE = (384, 512)  # pixels of a made room
_FIRST_ROOM = 200_000  # seed: no training uses it


@dataclass(frozen=True)
class Choices:
    """What the page's fields hold.

    Args:
        model: as `predict`'s `depth_model`.
        scale_from: as of `predict`.
        camera: one of `CAMERAS`.
        fov: degrees, horizontal; None: by `camera`.
        camera_file: in place of both.
        rig_file: `rig.json`.
    """

    model: str = packaged.AV
    scale_from: str = "auto"
    camera: str = next(iter(CAMERAS))
    fov: float | None = None
    camera_file: str | None = None
    rig_file: str | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What the page shows of one prediction.

    Attributes:
        prediction: the depth, for clicks.
        picture: file of the depth in colours, as wide as the picture or `WIDEST` pixels.
        limits: metres of the warmest and of the coldest colour.
        evidence: file of the scale's posterior and the range profile; None where there is neither.
        summary: one line.
        words: what was assumed, and what to beware of, in Markdown.
        cloud: HTML of the points, to turn.
        files: to take away: NPZ, PLY, GLB, PNG.
    """

    prediction: Prediction
    picture: Path
    limits: tuple[float, float]
    evidence: Path | None
    summary: str
    words: str
    cloud: str
    files: tuple[Path, ...]


def answer(picture: str | None, echo: str | None, choices: Choices, folder: Path | None = None) -> Answer:
    """Predict, and make everything that the page shows of it.

    Args:
        picture: its file.
        echo: file of the recording; None: there is none.
        choices: what the fields hold.
        folder: for the files; None: a fresh temporary one.

    Raises:
        AvsnetError: as `predict`; OptionError also where there is no picture.
    """
    if not picture:
        raise OptionError("no picture yet: drop one, or press “make me a room”")
    _check(choices)
    predictor = Predictor(
        choices.model,
        scale_from=choices.scale_from,
        fov=_fov(choices),
        intrinsics=choices.camera_file,
        rig=choices.rig_file,
    )
    inputs = predictor.read(picture, echo or None)
    values = network_maps(predictor.model, inputs.batch)[0, 0].numpy()
    prediction, evidence = predictor.finish(inputs, values)
    image = inputs.picture
    folder = fresh_folder() if folder is None else folder
    stem = Path(picture).stem
    endings = (".npz", ".ply", *((".glb", ".png") if prediction.unit == "m" else ()))
    files = [folder / f"{stem}_depth{ending}" for ending in endings]
    for path in files:
        prediction.save(path, image)
    limits = depth_limits(prediction)
    painted = Image.fromarray(colour_depth(prediction.depth, prediction.valid, limits))
    if painted.width > WIDEST:
        painted = painted.resize((WIDEST, max(1, round(painted.height * WIDEST / painted.width))))
    painted.save(folder / f"{stem}_colours.png")
    figure, drawn = evidence_figure(prediction, evidence or _heard(inputs)), None
    if figure is not None:
        drawn = folder / f"{stem}_evidence.png"
        figure.savefig(drawn, format="png")
    words = _words(prediction)
    cloud = turning(prediction.point_cloud(image))
    return Answer(
        prediction, folder / f"{stem}_colours.png", limits, drawn, summary(prediction), words, cloud, tuple(files)
    )


def _heard(inputs: Inputs) -> EchoEvidence | None:
    """The range profile, where a network has heard for itself; None of a recording that holds no echo."""
    if inputs.heard is None:
        return None
    try:
        return EchoEvidence(inputs.heard.echo())
    except EchoError:
        return None


def reading(prediction: Prediction, share: tuple[float, float]) -> str:
    """The depth at one place, in words.

    Args:
        prediction: whose depth is asked for.
        share: of width and height, 0..1, from the upper left; what lies outside is read at the border.

    Raises:
        OptionError: a share that is no finite number.
    """
    if not all(math.isfinite(part) for part in share):
        raise OptionError(f"place {share}: give shares of width and height, 0 to 1")
    column, row = (
        int(min(max(part, 0.0) * size, size - 1))
        for part, size in zip(share, prediction.depth.shape[::-1], strict=True)
    )
    at = f"at pixel {column}, {row}"
    if not prediction.valid[row, column]:
        return f"**unknown** {at}: nothing is known of this pixel's depth"
    depth, unit = float(prediction.depth[row, column]), prediction.unit
    if unit != "m":
        return f"**{depth:.3g} {unit}** {at}: these are not metres"
    if prediction.posterior is None:
        return f"**{depth:.2f} m** {at}; no interval, as nothing has measured this scale"
    low, high = (depth * side / prediction.factor for side in prediction.posterior.interval(0.9))
    return f"**{depth:.2f} m** {at}; the scale puts it between {low:.2f} and {high:.2f} m with 90 % probability"


def clicked(prediction: Prediction, place: object) -> str:
    """The depth where the depth picture was clicked, in words.

    Args:
        prediction: whose depth is asked for.
        place: column and row in pixels of the picture that is shown, which is `WIDEST` pixels wide at most; of any
            type, as whoever calls the page's address may send anything.

    Raises:
        OptionError: a place that is not two numbers of pixels.
    """
    numbers = tuple(place) if isinstance(place, list | tuple) else ()
    if len(numbers) != 2 or not all(isinstance(one, int | float) and abs(one) < _FARTHEST_CLICK for one in numbers):
        raise OptionError(f"click at {place!r:.80}: give column and row of a pixel, such as [20, 10]")
    height, width = prediction.depth.shape
    shown = min(1.0, WIDEST / width)
    column, row = ((one + 0.5) / shown for one in numbers)
    return reading(prediction, (column / width, row / height))


def room(seed: int, folder: Path | None = None) -> tuple[Path, Path, Path, Path]:
    """A simulated room that no training has seen.

    Args:
        seed: which; offices and historic rooms in turn.
        folder: for the files; None: a fresh temporary one.

    Returns:
        Its picture, its recording, its camera file and its `rig.json`.
    """
    folder = fresh_folder() if folder is None else folder
    height, width = _ROOM_SIZE
    made = sample(("offices", "historic")[seed % 2], _FIRST_ROOM + seed, size=_ROOM_SIZE)
    picture, echo, camera, rig = (folder / f"room_{seed}{ending}" for ending in (".png", ".wav", "_camera.json", ""))
    Image.fromarray(made["rgb"]).save(picture)
    soundfile.write(echo, made["audio"].T, SAMPLE_RATE, subtype="PCM_24")
    pixels = made["K"]
    numbers = {"fx": pixels[0, 0], "fy": pixels[1, 1], "cx": pixels[0, 2], "cy": pixels[1, 2]}
    camera.write_text(json.dumps({"width": width, "height": height, **{k: float(v) for k, v in numbers.items()}}))
    rig = rig.with_name(rig.name + "_rig.json")
    made["rig"].geometry.to_json(rig)
    return picture, echo, camera, rig


def fresh_folder() -> Path:
    """A temporary folder for the files of one answer.

    The page copies what it shows at once, so folders from more than `KEPT` seconds ago go with the next one that is
    made, and all of them with the process.
    """
    with _ONE_AT_A_TIME:  # or one answer would look at a folder that another has just removed
        root = _temporary()
        for old in root.iterdir():
            if old.stat().st_mtime < time.time() - KEPT:
                shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=root))


@cache
def _temporary() -> Path:
    root = Path(tempfile.mkdtemp(prefix="avsnet-page-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


def _check(choices: Choices) -> None:
    """Refuse what the page's fields do not offer: whoever calls its address may send anything."""
    for name in ("model", "scale_from", "camera"):
        if not isinstance(getattr(choices, name), str):
            raise OptionError(f"{name} {getattr(choices, name)!r:.80}: choose one, or type it")
    if choices.camera not in CAMERAS:
        raise OptionError(f"camera {choices.camera!r:.80}: is none of {'; '.join(CAMERAS)}")
    if choices.fov is not None and not (isinstance(choices.fov, int | float) and 0 <= choices.fov < 180):
        raise CalibrationError(f"field of view {choices.fov!r:.80}: give degrees below 180, such as 70")


def _fov(choices: Choices) -> float | None:
    """Degrees, horizontal; None where a file or nothing tells."""
    return choices.fov if choices.fov or choices.camera_file else CAMERAS[choices.camera]


def _words(prediction: Prediction) -> str:
    """What was assumed and what to beware of, as a list."""
    lines = [f"- ⚠ {_plain(text)}" for text in prediction.warnings]
    lines += [f"- {_plain(text)}" for text in prediction.assumptions]
    return "\n".join(lines) or "- nothing was assumed, and nothing looked wrong"


def _plain(text: str) -> str:
    """Text that Markdown must not interpret, such as a file's name."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|" else letter for letter in text)
