"""Depth in metres: of pictures, and of maps that any model gave."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsnet.cli.flags import one_line
from avsnet.errors import AvsnetError, OptionError

if TYPE_CHECKING:
    import torch


def predict(
    image: str,
    *,
    out: str,
    depth_model: str = "avsnet_tiny_av",
    echo: str | None = None,
    scale_from: str = "auto",
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: str | None = None,
    ply: bool = False,
    model_output: str | None = None,
    model_layout: str | None = None,
    model_size: str | None = None,
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
        scale_from: auto (none for an AVS-Net, else the packaged one), none, ranging, known:x,y,metres (the depth at
            one pixel of the picture), or the name or folder of an AVS-Net.
        fov: horizontal field of view in degrees.
        intrinsics: camera file, in place of fov.
        rig: rig.json, where speaker and ears sit.
        ply: also write <picture>_depth.ply, a point cloud; a bare --ply will do.
        model_output: for onnx:PATH without a side file, or a huggingface: model that does not tell, what its numbers
            mean, such as disparity.
        model_layout: for onnx:PATH without a side file, NCHW or NHWC.
        model_size: likewise, height,width of its input in pixels; for huggingface: in place of its default.
    """
    from tqdm import tqdm

    from avsnet.audio.rig import Rig
    from avsnet.cli.predict_files import check_writable, jobs, run
    from avsnet.predict import scale_source

    folder = Path(out)
    check_writable(folder)
    many = os.path.isdir(image)
    if many and folder.resolve() == Path(image).resolve():
        raise OptionError(f"{out}: holds the pictures; give another folder, or results would become pictures")
    to_do = jobs(Path(image), None if echo is None else Path(echo))
    model = _model(depth_model, model_output, model_layout, model_size)
    scale_source(scale_from, model.info, echo is not None)  # type: ignore[arg-type]  # one mistake, not one a picture
    options: dict[str, Any] = {"scale_from": scale_from, "fov": fov, "intrinsics": intrinsics, "ply": ply}
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


def _model(name: str, output: str | None, layout: str | None, size: str | None) -> "torch.nn.Module":
    """The depth model; what a model of others does not tell may be told by flags."""
    from avsnet.predict import load_model

    size_option = "size" if name.startswith("onnx:") else "input_size"
    entries: dict[str, object] = {"output": output, "layout": layout, size_option: size}
    if (output or layout or size) and not name.startswith(("onnx:", "huggingface:")):
        raise OptionError(f"--model-output, --model-layout and --model-size are for onnx: and huggingface:, not {name}")
    if size is not None:
        if not re.fullmatch(r"\d+,\d+", size):
            raise OptionError(f"--model-size is {size!r}, but must be height,width in pixels, such as 224,224")
        entries[size_option] = [int(side) for side in size.split(",")]
    return load_model(name, **{key: value for key, value in entries.items() if value is not None})


def scale(
    map: str,
    *,
    out: str,
    echo: str | None = None,
    reference: str | None = None,
    kind: str | None = None,
    method: str | None = None,
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: str | None = None,
    image: str | None = None,
    depth_scale: float = 1000.0,
    ply: bool = False,
) -> int:
    """Bring a depth or disparity map of any model to metres, by an echo or by a metric map.

    Writes <map>_depth.npz and <map>_depth.png (16-bit millimetres), with --image also <map>_panel.png.

    Args:
        map: .npy, .npz (its array depth), 16-bit .png or float .tif.
        out: folder to write to.
        echo: WAV of the echo; give this or reference.
        reference: metric map of the same size, read like the map.
        kind: what the map's numbers mean: metric_depth, relative_depth, affine_depth, disparity or affine_disparity;
            an .npz of avsnet tells it itself.
        method: with reference: median (default), mean, least_squares or affine (scale and shift), the last two also
            as robust_least_squares and robust_affine.
        fov: horizontal field of view in degrees.
        intrinsics: camera file, in place of fov.
        rig: rig.json, where speaker and ears sit.
        image: the picture, for the panel and the colours of the point cloud.
        depth_scale: units per metre of maps in whole numbers.
        ply: also write <map>_depth.ply, a point cloud; a bare --ply will do.
    """
    from avsnet.audio.rig import Rig
    from avsnet.cli.predict_files import check_writable
    from avsnet.cli.scale_files import read_map_file, scale_file

    if (echo is None) == (reference is None):
        raise OptionError("the metres come from one thing: give either --echo or --reference")
    if echo is not None and method is not None:
        raise OptionError(f"--method {method} is a rule for --reference; an echo sets one factor by itself")
    check_writable(Path(out))
    line = scale_file(
        read_map_file(Path(map), kind, depth_scale),
        Path(out),
        echo=None if echo is None else Path(echo),
        reference=None if reference is None else Path(reference),
        method=method or "median",
        fov=fov,
        intrinsics=intrinsics,
        rig=None if rig is None else Rig.from_json(rig),
        image=None if image is None else Path(image),
        depth_scale=depth_scale,
        ply=ply,
    )
    print(line)
    return 0
