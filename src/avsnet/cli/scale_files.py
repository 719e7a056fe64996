"""`scale` from file to files: anyone's depth or disparity map to metres, by an echo or by a metric map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avsnet.cli.results import RESULTS, in_one_line, refuse_foreign, write_results
from avsnet.errors import CalibrationError, DepthError, ImageError, OptionError
from avsnet.geometry import camera_of
from avsnet.io.depth_maps import read_map
from avsnet.io.pictures import read_image
from avsnet.io.plausibility import growth_note
from avsnet.models.info import OUTPUT_KINDS, ModelInfo
from avsnet.planes import counts_distance
from avsnet.predictor import heard_of, in_metres
from avsnet.scale.reference import reference as by_reference
from avsnet.scale.scene import Found, Scene
from avsnet.scale.sources import Choice, Source, choose

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
        notes: what is odd about the file.
    """

    path: Path
    values: np.ndarray
    kind: str
    intrinsics: np.ndarray | None = None
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_map_file(path: Path, kind: str | None = None, depth_scale: float | None = None) -> MapFile:
    """Read a map and find out what its numbers mean.

    Args:
        path: as for `avsnet.io.depth_maps.read_map`.
        kind: what its numbers mean; None believes the file, if it is an `.npz` that says so.
        depth_scale: as for `avsnet.io.depth_maps.read_map`.

    Raises:
        DepthError: the file is no map, or a broken one.
        OptionError: neither `kind` nor the file tells what the numbers mean.
    """
    notes: list[str] = []
    values, others = read_map(path, depth_scale, kind=kind, notes=notes)
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
        tuple(notes),
    )


def scale_file(
    given: MapFile,
    out: Path,
    *,
    echo: Path | None = None,
    reference: Path | None = None,
    scale_from: str = "auto",
    method: str | None = None,
    fov: float | None = None,
    intrinsics: str | None = None,
    rig: Rig | None = None,
    image: Path | None = None,
    depth_scale: float | None = None,
    ply: bool = False,
    overwrite: bool = False,
) -> str:
    """Bring a map to metres and write the results: all of them or none.

    Args:
        given: the map.
        out: folder for the results; made if missing.
        echo: recording, for a source that hears; or
        reference: metric map of the same size that sets scale, and shift where `method` finds one.
        scale_from: as in `predict`, where there is no reference.
        method: one of `avsnet.scale.rules.METHODS`, where two maps are compared; None: the source's default.
        fov: degrees, horizontal.
        intrinsics: camera file, in place of `fov`; without both, the camera in the map's file, or the assumed one.
        rig: where speaker and ears sit; None assumes the default rig.
        image: the picture, of the map's size, for an AVS-Net, the panel and the colours of the cloud; no panel without
            it.
        depth_scale: of the reference, as for `avsnet.io.depth_maps.read_depth`.
        ply: whether to write a point cloud as well.
        overwrite: whether files that avsnet did not write may be replaced; never those that this is made from.

    Returns:
        What was found, assumed and warned of, in one line.

    Raises:
        AvsnetError: a broken file, a kind or method that does not fit, an echo or reference that gives no scale, or
            results that would replace the map.
        OutputError: the results cannot be written.
    """
    stem = given.path.stem.removesuffix("_depth") or given.path.stem
    sources = [path.resolve() for path in (given.path, echo, reference, image) if path is not None]
    results = [out / (stem + ending) for ending in RESULTS]
    for path in results:
        if path.resolve() in sources:
            raise OptionError(f"{path}: would be replaced by its own result; give another --out")
    refuse_foreign((path for path in results if ply or path.suffix != ".ply"), overwrite)
    picture = None if image is None else read_image(image)
    if picture is not None and picture.shape[:2] != given.values.shape:
        raise ImageError(
            f"{image}: {picture.shape[:2]} pixels, but {given.path} {given.values.shape}; resize one of them"
        )
    own_camera = intrinsics is None and fov is None and given.intrinsics is not None
    try:
        camera, assumptions = camera_of(given.intrinsics if own_camera else intrinsics, fov, given.values.shape)
    except CalibrationError as error:
        raise CalibrationError(f"{given.path}: {error}, or give --intrinsics" if own_camera else str(error)) from None
    assumptions += given.assumptions if own_camera else ()
    info = ModelInfo(f"file {given.path.name}", given.kind, "none", "none", str(given.path))
    if reference is None:
        alone = scale_from == "auto" and picture is None  # no network can see anything
        choice = choose("ear" if alone else scale_from, info, has_echo=True, method=method)
    else:
        choice = Choice(_by_reference(reference, given, depth_scale), "")
    prediction, evidence = in_metres(
        given.values,
        info,
        choice,
        camera=camera,
        picture=picture,
        heard=None if echo is None else heard_of(echo, None, rig),
        method=method,
        assumptions=assumptions,
        warnings=(*given.notes, *_about_rays(given, camera)),
    )
    write_results(out, stem, prediction, picture, evidence, ply, overwrite)
    return in_one_line(given.path, prediction)


def _about_rays(given: MapFile, camera: np.ndarray) -> tuple[str, ...]:
    """A warning where the map counts distances along the rays, as some simulators write them."""
    if given.kind not in ("metric_depth", "relative_depth"):
        return ()
    valid = np.isfinite(given.values) & (given.values > 0.0)
    if not valid.any() or not counts_distance(np.where(valid, given.values, 0.0), valid, camera):
        return ()
    return (
        f"{given.path}: its surfaces are flat only if it counts distances along the rays; give depth along the axis",
    )


def _by_reference(reference: Path, given: MapFile, depth_scale: float | None) -> Source:
    """The source of scale that a metric map from a file is."""
    notes: list[str] = []
    metres, others = read_map(reference, depth_scale, kind="metric_depth", notes=notes)
    if _told_kind(others) not in (None, "metric_depth"):
        raise DepthError(f"{reference}: holds {_told_kind(others)}, not metres; give a metric map as the reference")
    if metres.shape != given.values.shape:
        raise DepthError(
            f"{reference}: {metres.shape} pixels, but {given.path} {given.values.shape}; resize one of them"
        )
    origin = f"reference {reference.name}"

    def find(scene: Scene, _: str) -> Found:
        found = by_reference(scene, metres, origin)
        growth = growth_note(scene.values, metres, scene.kind)
        return replace(found, warnings=(*notes, *found.warnings, *([growth] if growth else [])))

    return Source(find, origin, "by a metric map", compares=True)


def _told_kind(others: dict[str, np.ndarray]) -> str | None:
    """What the numbers of an `.npz` mean by its own words."""
    if "kind" not in others:
        return None
    kind = str(others["kind"])
    if "scale_source" in others and kind != "metric_depth":
        # Our own file: its kind is the model's, but its numbers are depth, in metres if anything set the scale.
        return "relative_depth" if str(others["scale_source"]) == "none" else "metric_depth"
    return kind
