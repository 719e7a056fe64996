"""A depth map as coloured points in space.

Axes: `"camera"` is x right, y down, z forward, as of OpenCV and of everything else in avsnet; `"y_up"` is x right,
y up, z backward, as of OpenGL, glTF and most viewers: the same points turned by half a turn about x.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsnet.errors import OptionError
from avsnet.geometry import unproject
from avsnet.io.point_clouds import checked_cloud, write_glb, write_ply

AXES = {
    "camera": "camera axes: x right, y down, z forward",
    "y_up": "y-up axes: x right, y up, z backward",
}
"""Conventions by name, in words."""

SUFFIXES = (".ply", ".glb")
"""The formats that a cloud can be saved in."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Coloured points.

    Args:
        points: (N, 3) float32 in `unit`.
        colours: (N, 3) uint8 RGB.
        axes: one of `AXES`.
        unit: of the points, `"m"` where the depth has metres.
        confidence: the probability that the scale of all points lies within 15 %; None where that is not known.
        comments: where the points are from.

    Raises:
        DepthError: the shapes differ or the colours are not uint8.
        OptionError: unknown axes.
    """

    points: np.ndarray
    colours: np.ndarray
    axes: str = "camera"
    unit: str = "m"
    confidence: float | None = None
    comments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked_cloud(self.points, self.colours)
        _check_axes(self.axes)

    def __len__(self) -> int:
        return len(self.points)

    def in_axes(self, axes: str) -> PointCloud:
        """The same points in another convention.

        Raises:
            OptionError: unknown axes.
        """
        _check_axes(axes)
        if axes == self.axes:
            return self
        turned = self.points * np.array([1.0, -1.0, -1.0], self.points.dtype)
        return PointCloud(turned, self.colours, axes, self.unit, self.confidence, self.comments)

    def save(self, path: str | Path) -> None:
        """Write the cloud in the format that the suffix names; the file appears whole or not at all.

        Args:
            path: `.ply` in the cloud's own axes, with the confidence as a property of each point; `.glb` always y-up,
                which that format demands.

        Raises:
            OptionError: another suffix, or a GLB of points that have no metres.
            DepthError: a GLB without points.
            OutputError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".ply":
            write_ply(
                path,
                self.points,
                self.colours,
                self.unit,
                comments=self.comments,
                axes=AXES[self.axes],
                confidence=self.confidence,
            )
        elif suffix == ".glb":
            if self.unit != "m":
                raise OptionError(f"{path}: a GLB is in metres, but this depth has none; save it as .ply")
            write_glb(path, self.in_axes("y_up").points, self.colours, comments=self.comments)
        else:
            raise OptionError(f"{path}: a cloud is saved as {', '.join(SUFFIXES)}, not {suffix or 'bare'!r}")


def cloud_of_depth(
    depth: np.ndarray,
    valid: np.ndarray,
    intrinsics: np.ndarray,
    image: np.ndarray | None = None,
    *,
    axes: str = "camera",
    thin: int = 1,
    **about: object,
) -> PointCloud:
    """One point for each valid pixel, in the order of rows.

    Args:
        depth: (H, W) along the optical axis.
        valid: (H, W) bool.
        intrinsics: (3, 3) pixels of the depth.
        image: (H, W, 3) uint8 RGB; grey without it.
        axes: one of `AXES`.
        thin: keep one row and one column of so many, so that of 12 megapixels 3 leaves 1.3 million points; kept pixels
            are taken as they are, never averaged, so that no point floats between two surfaces.
        **about: `unit`, `confidence` and `comments` of `PointCloud`.

    Raises:
        OptionError: unknown axes, or a thinning below 1.
        DepthError: the image's size differs from the depth's.
    """
    if thin < 1:
        raise OptionError(f"thin: found {thin}, wanted 1 (all points) or more")
    _check_axes(axes)
    rows = slice(thin // 2, None, thin) if min(depth.shape) > thin else slice(None, None, thin)
    kept = np.asarray(valid)[rows, rows]
    # Pixel (x, y) of the thinned map is pixel (first + thin x, first + thin y) of the whole one.
    first = rows.start or 0
    thinned = np.diag([1.0 / thin, 1.0 / thin, 1.0]) @ (
        np.asarray(intrinsics, np.float64) - np.array([[0.0, 0.0, first], [0.0, 0.0, first], [0.0, 0.0, 0.0]])
    )
    points = unproject(depth[rows, rows], thinned)[kept].astype(np.float32)
    colours = np.full((len(points), 3), 128, np.uint8) if image is None else image[rows, rows][kept]
    cloud = PointCloud(points, colours, **about)  # type: ignore[arg-type]
    return cloud.in_axes(axes)


def _check_axes(axes: str) -> None:
    if axes not in AXES:
        raise OptionError(f"axes: found {axes!r}, wanted one of {', '.join(AXES)}")
