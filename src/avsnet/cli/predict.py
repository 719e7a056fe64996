"""`avsnet predict`: pictures, with echoes, to depth in metres."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsnet.errors import AvsnetError, OptionError, one_line
from avsnet.models import packaged

if TYPE_CHECKING:
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
    overwrite: bool = False,
    model_output: str | None = None,
    model_layout: str | None = None,
    model_size: str | None = None,
    model_output_name: str | None = None,
) -> int:
    """Turn a picture, or a folder of pictures, into depth in metres.

    Writes <picture>_depth.png (16-bit millimetres), <picture>_depth.npz and <picture>_panel.png.

    Args:
        image: a picture, or a folder of them.
        out: folder to write to.
        depth_model: a name that `avsnet models` lists, NAME=PATH with the weights of that file or folder, onnx:PATH,
            huggingface:ID_OR_FOLDER, or the folder of a saved AVS-Net.
        echo: WAV of the echo; for a folder of pictures the folder of their WAVs, which have the same stem or the
            same number at its end.
        scale_from: auto (none for an AVS-Net, and without an echo for any metric model; with one the ear; else the
            packaged AVS-Net), none, ranging, ear (which compares echo and map; a metric model has a say of its own),
            known:x,y,metres (the depth at one pixel of the picture), or the name or folder of an AVS-Net.
        method: where an AVS-Net gives the metres, how: median (default), mean, least_squares or affine (scale and
            shift; the default where the shift is open), the last two also as robust_least_squares and robust_affine.
        fov: horizontal field of view in degrees.
        intrinsics: camera file, in place of fov.
        rig: rig.json, where speaker and ears sit.
        ply: also write <picture>_depth.ply, a point cloud.
        overwrite: also replace files of these names that avsnet did not write.
        model_output: for onnx:PATH without a side file, or a huggingface: model that does not tell, what its numbers
            mean, such as disparity.
        model_layout: for onnx:PATH without a side file, NCHW or NHWC.
        model_size: likewise, height,width of its input in pixels; for huggingface: in place of its default.
        model_output_name: for onnx:PATH with several outputs, which one is the map.
    """
    from tqdm import tqdm

    from avsnet.audio.rig import Rig
    from avsnet.cli.predict_files import jobs, run
    from avsnet.cli.results import check_writable
    from avsnet.predict import loaded
    from avsnet.scale.sources import choose

    folder = Path(out)
    check_writable(folder)
    many = os.path.isdir(image)
    if many and folder.resolve() == Path(image).resolve():
        raise OptionError(f"{out}: holds the pictures; give another folder, or results would become pictures")
    to_do = jobs(Path(image), None if echo is None else Path(echo))
    model = _model(depth_model, model_output, model_layout, model_size, model_output_name)
    choice = choose(scale_from, model.info, has_echo=echo is not None, method=method)
    if choice.network is not None:
        loaded(choice.network)  # weights that are missing are one mistake, not one a picture
    options: dict[str, Any] = {"scale_from": scale_from, "method": method, "fov": fov, "intrinsics": intrinsics}
    options |= {"ply": ply, "overwrite": overwrite}
    options["rig"] = None if rig is None else Rig.from_json(rig)
    if not many:
        print(run(to_do[0], model, folder, **options))
        return 0
    failures = []
    for job in tqdm(to_do, unit="picture", file=sys.stderr):
        try:
            tqdm.write(run(job, model, folder, **options), file=sys.stdout)
        except AvsnetError as error:
            failures.append(f"{job.image.name}: {one_line(error)}")
    if failures:
        print(f"avsnet: {len(failures)} of {len(to_do)} pictures failed:", *failures, sep="\n  ", file=sys.stderr)
    return 1 if failures else 0


def _model(
    name: str, output: str | None, layout: str | None, size: str | None, output_name: str | None
) -> "DepthModel":
    """The depth model; what a third-party one does not tell may be told by flags."""
    from avsnet.predict import load_model

    size_option = "size" if name.startswith("onnx:") else "input_size"
    entries: dict[str, object] = {"output": output, "layout": layout, size_option: size, "output_name": output_name}
    if any(entries.values()) and not name.startswith(("onnx:", "huggingface:")):
        raise OptionError(f"--model-output and its like are for onnx: and huggingface:, not {name}")
    if size is not None:
        if not re.fullmatch(r"\d+,\d+", size):
            raise OptionError(f"--model-size is {size!r}, but must be height,width in pixels, such as 224,224")
        entries[size_option] = [int(side) for side in size.split(",")]
    return load_model(name, **{key: value for key, value in entries.items() if value is not None})
