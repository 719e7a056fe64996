"""`avsnet predict`: pictures, with echoes, to depth in metres."""

import os
import re
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from avsnet.errors import AvsnetError, OptionError, one_line
from avsnet.models import packaged

if TYPE_CHECKING:
    from avsnet.cli.predict_files import Job
    from avsnet.models.contract import DepthModel


def predict(
    image: str,
    *,
    out: str,
    depth_model: str = packaged.AV,
    echo: str | None = None,
    scale_from: str = "auto",
    method: str | None = None,
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: str | None = None,
    ply: bool = False,
    no_panel: bool = False,
    compress: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    half: bool = False,
    model_output: str | None = None,
    model_layout: str | None = None,
    model_size: str | None = None,
    model_output_name: str | None = None,
) -> int:
    """Turn a picture, a folder of pictures, or a video into depth in metres.

    Writes <picture>_depth.png (16-bit millimetres), <picture>_depth.npz and <picture>_panel.png; of a video
    <video>_<number>_depth.npz for each frame, where frames without an echo keep the scale of the last one.

    Args:
        image: a picture, a folder of them, or a video (a GIF, or with PyAV any film).
        out: folder to write to.
        depth_model: a name that `avsnet models` lists, NAME=PATH with the weights of that file or folder, onnx:PATH,
            huggingface:ID_OR_FOLDER, or the folder of a saved AVS-Net.
        echo: WAV of the echo; for a folder of pictures the folder of their WAVs, which have the same stem or the
            same number at its end; for a video a WAV of repeated chirps that begins with it, or a folder of WAVs,
            numbered as its frames are from 1.
        scale_from: auto (with an echo the ear, beside a metric model's own metres and the packaged AVS-Net's; without
            one own metres, or else that network's; any other AVS-Net keeps its metres), none, ranging, ear (which
            compares echo and map; a metric model has a say of its own), known:x,y,metres (the depth at one pixel of
            the picture), or the name or folder of an AVS-Net.
        method: where an AVS-Net gives the metres, how: median (default), weighted_median, mean, least_squares or affine
            (scale and shift; the default where the shift is open), the last two also as robust_least_squares and
            robust_affine; or finer than one number: log_affine (scale and contrast; by ear, too), robust_log_affine,
            histogram, grid, shrunk_grid, which with auto and an echo bend the map (not an AVS-Net's) and leave its
            scale to the ear.
        fov: horizontal field of view in degrees; without it that of the picture's EXIF, or 70 along its long side.
        intrinsics: camera file, in place of fov.
        rig: rig.json, where speaker and ears sit.
        ply: also write <picture>_depth.ply, a point cloud.
        no_panel: write no <picture>_panel.png, which takes longer than all the rest.
        compress: write smaller files, which takes several times as long.
        overwrite: also replace files of these names that avsnet did not write.
        device: where the network runs: auto (a GPU if there is one), cpu, cuda, cuda:1 or another of torch.
        half: compute in half precision, on a GPU.
        model_output: for onnx:PATH without a side file, or a huggingface: model that does not tell, what its numbers
            mean, such as disparity.
        model_layout: for onnx:PATH without a side file, NCHW or NHWC.
        model_size: likewise, height,width of its input in pixels; for huggingface: in place of its default.
        model_output_name: for onnx:PATH with several outputs, which one is the map.
    """
    # NumPy's BLAS would wake a thread for each product of a few thousand numbers: a third of a picture's CPU time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from avsnet.cli.predict_files import Wanted, jobs, predicted
    from avsnet.cli.predict_pipeline import device_of
    from avsnet.cli.predict_video import is_video, predict_video
    from avsnet.cli.results import check_writable, remove_abandoned
    from avsnet.models.named import loaded
    from avsnet.predictor import Predictor
    from avsnet.scale.sources import choose

    folder = Path(out)
    check_writable(folder)
    remove_abandoned(folder)
    many = os.path.isdir(image)
    if many and folder.resolve() == Path(image).resolve():
        raise OptionError(f"{out}: holds the pictures; give another folder, or results would become pictures")
    video, echoes = is_video(image), None if echo is None else Path(echo)
    to_do = [] if video else jobs(Path(image), echoes)
    place = device_of(device, half=half)
    model = _model(depth_model, model_output, model_layout, model_size, model_output_name).to(place)
    choice = choose(scale_from, model.info, has_echo=echo is not None, method=method)
    if choice.network is not None:
        loaded(choice.network).to(place)  # weights that are missing are one mistake, not one a picture
    predictor = Predictor(
        model, scale_from=scale_from, method=method, fov=fov, intrinsics=intrinsics, rig=rig, half=half
    )
    if video:
        written = {"ply": ply, "compress": compress, "overwrite": overwrite}
        return predict_video(Path(image), folder, predictor, echo=echoes, **written)
    wanted = Wanted(predictor, folder, ply=ply, panel=not no_panel, compress=compress, overwrite=overwrite, half=half)
    if many:
        return _report(predicted(to_do, wanted), len(to_do))
    ((_, outcome),) = predicted(to_do, wanted)
    if isinstance(outcome, AvsnetError):
        raise outcome
    print(outcome)
    return 0


def _report(outcomes: "Generator[tuple[Job, str | AvsnetError], None, None]", count: int) -> int:
    """Print what was found in each picture of a folder as it comes, and then which of them failed."""
    from tqdm import tqdm

    failures = []
    with closing(outcomes):
        for job, outcome in tqdm(outcomes, total=count, unit="picture", file=sys.stderr):
            if isinstance(outcome, AvsnetError):
                failures.append(f"{job.image.name}: {one_line(outcome)}")
            else:
                tqdm.write(outcome, file=sys.stdout)
    if failures:
        print(f"avsnet: {len(failures)} of {count} pictures failed:", *failures, sep="\n  ", file=sys.stderr)
    return 1 if failures else 0


def _model(
    name: str, output: str | None, layout: str | None, size: str | None, output_name: str | None
) -> "DepthModel":
    """The depth model; what a third-party one does not tell may be told by flags."""
    from avsnet.models.named import load_model

    size_option = "size" if name.startswith("onnx:") else "input_size"
    entries: dict[str, object] = {"output": output, "layout": layout, size_option: size, "output_name": output_name}
    if any(entries.values()) and not name.startswith(("onnx:", "huggingface:")):
        raise OptionError(f"--model-output and its like are for onnx: and huggingface:, not {name}")
    if size is not None:
        if not re.fullmatch(r"\d+,\d+", size):
            raise OptionError(f"--model-size is {size!r}, but must be height,width in pixels, such as 224,224")
        entries[size_option] = [int(side) for side in size.split(",")]
    return load_model(name, **{key: value for key, value in entries.items() if value is not None})
