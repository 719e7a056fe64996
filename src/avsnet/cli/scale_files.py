"""`scale` from file to files: anyone's depth or disparity map to metres, by an echo or by a metric map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsnet.cli.predict_files import in_one_line, write_results
from avsnet.depth_files import read_map
from avsnet.errors import DepthError, ImageError, OptionError
from avsnet.io import read_image, read_wav
from avsnet.models.registry import OUTPUT_KINDS
from avsnet.predict import camera_of
from avsnet.prediction import Prediction
from avsnet.scale.metres import Hearing, avsnet_version, to_metres
from avsnet.scale.rules import as_depth, scale_depth

if TYPE_CHECKING:
    from avsnet.audio.rig import Rig


@dataclass(frozen=True, eq=False)
class MapFile:
    """A map from a file, with what the file itself says of it.

    Args:
        path: the file.
        values: (H, W) float32; not finite = unknown.
        kind: what its numbers mean, one of `OUTPUT_KINDS`.
        intrinsics: (3, 3) pixels, where the file has them.
        assumptions: what was assumed for them.
    """

    path: Path
    values: np.ndarray
    kind: str
    intrinsics: np.ndarray | None = None
    assumptions: tuple[str, ...] = ()


def read_map_file(path: Path, kind: str | None = None, depth_scale: float = 1000.0) -> MapFile:
    """Read a map and find out what its numbers mean.

    Args:
        path: as for `avsnet.depth_files.read_map`.
        kind: what its numbers mean; None believes the file, if it is an `.npz` that says so.
        depth_scale: as for `avsnet.depth_files.read_map`.

    Raises:
        DepthError: the file is no map, or a broken one.
        OptionError: neither `kind` nor the file tells what the numbers mean.
    """
    values, others = read_map(path, depth_scale)
    kind = kind or _told_kind(others)
    if kind is None:
        raise OptionError(f"{path}: does not tell what its numbers mean; say so with --kind, such as --kind disparity")
    if kind not in OUTPUT_KINDS:
        raise OptionError(f"{path}: kind {kind!r} is none of {', '.join(OUTPUT_KINDS)}")
    assumed = (str(text) for text in np.ravel(others.get("assumptions", ())))
    return MapFile(
        path,
        values,
        kind,
        others.get("intrinsics"),
        tuple(text for text in assumed if text.startswith("field of view")),
    )


def scale_file(
    given: MapFile,
    out: Path,
    *,
    echo: Path | None = None,
    reference: Path | None = None,
    method: str = "median",
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: Rig | None = None,
    image: Path | None = None,
    depth_scale: float = 1000.0,
    ply: bool = False,
) -> str:
    """Bring a map to metres and write the results: all of them or none.

    Args:
        given: the map.
        out: folder for the results; made if missing.
        echo: recording that sets the scale by ranging; or
        reference: metric map of the same size that sets scale, and shift where `method` finds one.
        method: one of `avsnet.scale.rules.METHODS`.
        fov: degrees, horizontal.
        intrinsics: camera file, in place of `fov`; without both, the camera in the map's file, or the assumed one.
        rig: where speaker and ears sit; None assumes the default rig.
        image: the picture, of the map's size, for the panel and the colours of the cloud; no panel without it.
        depth_scale: of the reference, as for `avsnet.depth_files.read_depth`.
        ply: whether to write a point cloud as well.

    Returns:
        What was found, assumed and warned of, in one line.

    Raises:
        AvsnetError: a broken file, a kind or method that does not fit, an echo or reference that gives no scale, or
            results that would replace the map.
        OutputError: the results cannot be written.
    """
    stem = given.path.stem.removesuffix("_depth") or given.path.stem
    sources = [path.resolve() for path in (given.path, echo, reference, image) if path is not None]
    for name in (f"{stem}_depth.npz", f"{stem}_depth.png", f"{stem}_depth.ply", f"{stem}_panel.png"):
        if (out / name).resolve() in sources:
            raise OptionError(f"{out / name}: would be replaced by its own result; give another --out")
    picture = None if image is None else read_image(image)
    if picture is not None and picture.shape[:2] != given.values.shape:
        raise ImageError(
            f"{image}: {picture.shape[:2]} pixels, but {given.path} {given.values.shape}; resize one of them"
        )
    own_camera = intrinsics is None and fov is None and given.intrinsics is not None
    camera, assumptions = camera_of(given.intrinsics if own_camera else intrinsics, fov, given.values.shape)
    assumptions += given.assumptions if own_camera else ()
    hearing: Hearing | None = None
    if echo is not None:
        prediction, hearing = to_metres(
            _depth(given),
            "ranging",
            read_wav(echo),
            camera,
            rig,
            assumptions=assumptions,
            kind=given.kind,
            model=_name(given),
        )
    elif reference is not None:
        prediction = _by_reference(given, reference, method, camera, assumptions, depth_scale)
    else:
        raise OptionError("nothing sets the scale: give an echo or a reference")
    write_results(out, stem, prediction, picture, hearing, ply)
    return in_one_line(given.path, prediction)


def _by_reference(
    given: MapFile, reference: Path, method: str, camera: np.ndarray, assumptions: list[str], depth_scale: float
) -> Prediction:
    metric, others = read_map(reference, depth_scale)
    if _told_kind(others) not in (None, "metric_depth"):
        raise DepthError(f"{reference}: holds {_told_kind(others)}, not metres; give a metric map as the reference")
    if metric.shape != given.values.shape:
        raise DepthError(
            f"{reference}: {metric.shape} pixels, but {given.path} {given.values.shape}; resize one of them"
        )
    try:
        scaled = scale_depth(given.values, metric, kind=given.kind, method=method)
    except DepthError as error:
        raise DepthError(f"{given.path}: {error}") from None
    where = " in inverse depth" if scaled.space == "inverse depth" else ""
    return Prediction(
        depth=scaled.depth,
        kind=given.kind,
        scale=scaled.scale,
        shift=scaled.shift,
        valid=scaled.depth > 0.0,
        intrinsics=camera,
        model=_name(given),
        weights_hash=None,
        scale_source=f"reference {reference.name} by {scaled.method}{where}",
        version=avsnet_version(),
        warnings=() if scaled.fallback is None else (scaled.fallback,),
        assumptions=tuple(assumptions),
    )


def _told_kind(others: dict[str, np.ndarray]) -> str | None:
    """What the numbers of an `.npz` mean by its own words."""
    if "kind" not in others:
        return None
    kind = str(others["kind"])
    if "scale_source" in others and kind != "metric_depth":
        # Our own file: its kind is the model's, but its numbers are depth, in metres if anything set the scale.
        return "relative_depth" if str(others["scale_source"]) == "none" else "metric_depth"
    return kind


def _depth(given: MapFile) -> np.ndarray:
    """(H, W) float32 depth of the map, 0 = unknown; a kind that an echo cannot scale is refused."""
    if given.kind.startswith("affine"):
        raise OptionError(
            f"{given.path}: {given.kind} leaves a shift open, which an echo does not set; give a metric map as "
            "--reference, with --method affine"
        )
    depth = as_depth(given.values, given.kind)
    if not depth.any():
        raise DepthError(f"{given.path}: no pixel is finite and above 0; give another map")
    return depth


def _name(given: MapFile) -> str:
    return f"file {given.path.name}"
