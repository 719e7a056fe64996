"""What the page shows, as plain functions: from a picture, a recording and a few choices to pictures, words and files.

Nothing here knows how a page is drawn, so all of it is tested without a browser.
"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass
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

MODELS = (packaged.AV, packaged.V, packaged.ROOMS_AV)
"""Depth models that need no further file."""

WIDEST = 1280
"""Pixels of the depth picture on the page."""

SCALES = ("auto", *(name for name in SOURCES if name != "known"), packaged.AV)
"""Where the metres may come from on the page; a known distance can be typed."""

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
    folder = Path(tempfile.mkdtemp(prefix="avsnet-page-")) if folder is None else folder
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
        return EchoEvidence.of(inputs.heard.echo(), ())
    except EchoError:
        return None


def reading(prediction: Prediction, share: tuple[float, float]) -> str:
    """The depth at one place, in words.

    Args:
        prediction: whose depth is asked for.
        share: of width and height, 0..1, from the upper left.
    """
    height, width = prediction.depth.shape
    column, row = min(int(share[0] * width), width - 1), min(int(share[1] * height), height - 1)
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


def room(seed: int, folder: Path | None = None) -> tuple[Path, Path, Path, Path]:
    """A simulated room that no training has seen.

    Args:
        seed: which; offices and historic rooms in turn.
        folder: for the files; None: a fresh temporary one.

    Returns:
        Its picture, its recording, its camera file and its `rig.json`.
    """
    folder = Path(tempfile.mkdtemp(prefix="avsnet-room-")) if folder is None else folder
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


def _fov(choices: Choices) -> float | None:
    """Degrees, horizontal; None where a file or nothing tells."""
    if choices.fov is not None and not math.isfinite(choices.fov):
        raise CalibrationError(f"field of view {choices.fov}: give degrees, such as 70")
    return choices.fov if choices.fov or choices.camera_file else CAMERAS[choices.camera]


def _words(prediction: Prediction) -> str:
    """What was assumed and what to beware of, as a list."""
    lines = [f"- ⚠ {_plain(text)}" for text in prediction.warnings]
    lines += [f"- {_plain(text)}" for text in prediction.assumptions]
    return "\n".join(lines) or "- nothing was assumed, and nothing looked wrong"


def _plain(text: str) -> str:
    """Text that Markdown must not interpret, such as a file's name."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|" else letter for letter in text)
