"""What a prediction is: a depth map in metres together with everything needed to judge and repeat it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avsnet.depth_files import write_depth_npz, write_depth_png, write_ply
from avsnet.errors import DepthError, OptionError
from avsnet.geometry import unproject

SUFFIXES = (".npz", ".png", ".ply")
"""The formats that a prediction can be saved in."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Depth of one image in metres, with its provenance.

    Args:
        depth: (H, W) float32 metres along the optical axis, at the image's own size.
        kind: the key that the depth model gave, such as `"metric_depth"` or `"relative_depth"`.
        scale: factor from the model's output (as depth) to metres; 1 for a metric model.
        shift: metres added after the factor. Where `scale_source` ends in "in inverse depth", scale and shift are
            those of `ScaledDepth` in that space: 1 / depth = scale * disparity + shift.
        valid: (H, W) bool, pixels that count.
        intrinsics: (3, 3) float64 pixels of the image.
        model: name of the depth model.
        weights_hash: of the depth model's weights, or None for fresh ones.
        scale_source: where the metres come from: `"ranging"`, `"known:10,20,3.5"`, `"reference FILE by
            METHOD"`, a model's name, `"none"`.
        version: of avsnet.
        warnings: what the user should know before trusting the metres.
        confidence: of the scale, 0..1, where its source gives one.
        assumptions: what camera and rig were taken to be, such as `"field of view assumed 70 degrees"`.

    Raises:
        DepthError: the shapes do not agree, or a valid pixel is not finite.
    """

    depth: np.ndarray
    kind: str
    scale: float
    shift: float
    valid: np.ndarray
    intrinsics: np.ndarray
    model: str
    weights_hash: str | None
    scale_source: str
    version: str
    warnings: tuple[str, ...] = ()
    confidence: float | None = None
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        depth = np.asarray(self.depth, dtype=np.float32)
        valid = np.asarray(self.valid, dtype=bool)
        intrinsics = np.asarray(self.intrinsics, dtype=np.float64)
        if depth.ndim != 2 or depth.size == 0 or valid.shape != depth.shape:
            raise DepthError(f"depth {depth.shape} and valid {valid.shape} must both be (height, width)")
        if intrinsics.shape != (3, 3):
            raise DepthError(f"intrinsics of a prediction must be (3, 3), not {intrinsics.shape}")
        if not np.isfinite(depth[valid]).all():
            raise DepthError("a valid pixel's depth is not finite; mark such pixels as not valid")
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "valid", valid)
        object.__setattr__(self, "intrinsics", intrinsics)
        object.__setattr__(self, "warnings", tuple(self.warnings))
        object.__setattr__(self, "assumptions", tuple(self.assumptions))

    @property
    def unit(self) -> str:
        """What one unit of the depth is: `"m"`, or `"model units"` where nothing gave metres."""
        return "m" if self.kind == "metric_depth" or self.scale_source != "none" else "model units"

    def save(self, path: str | Path, image: np.ndarray | None = None) -> None:
        """Write the prediction in the format that the suffix names; the file appears whole or not at all.

        Args:
            path: `.npz` holds everything (keys below); `.png` is 16-bit millimetres, 0 = unknown, and holds
                nothing above 65.535 m; `.ply` is the cloud of valid points in the depth's unit, camera axes.
            image: (H, W, 3) uint8 RGB colours for `.ply`; grey without it.

        NPZ keys: depth intrinsics valid model scale shift kind version, and beside them scale_source,
        weights_hash (empty if None), confidence (NaN if None), warnings, assumptions. No pickle is needed.

        Raises:
            OptionError: another suffix, or a PNG of depth that has no metres.
            DepthError: the image's size differs from the depth's.
            OutputError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".npz":
            write_depth_npz(path, **self._entries())
        elif suffix == ".png":
            if self.unit != "m":
                raise OptionError(f"{path}: a PNG counts millimetres, but this depth has no metres; save it as .npz")
            write_depth_png(path, self.depth, self.valid)
        elif suffix == ".ply":
            points = unproject(self.depth, self.intrinsics)[self.valid]
            write_ply(path, points, self._colours(image)[self.valid], self.unit, comments=self._provenance())
        else:
            raise OptionError(f"{path}: a prediction is saved as {', '.join(SUFFIXES)}, not {suffix or 'bare'!r}")

    def _entries(self) -> dict[str, object]:
        """The NPZ's keys and values."""
        return {
            "depth": self.depth,
            "intrinsics": self.intrinsics,
            "valid": self.valid,
            "model": self.model,
            "scale": np.float64(self.scale),
            "shift": np.float64(self.shift),
            "kind": self.kind,
            "version": self.version,
            "scale_source": self.scale_source,
            "weights_hash": self.weights_hash or "",
            "confidence": np.float64(np.nan if self.confidence is None else self.confidence),
            "warnings": np.array(self.warnings, dtype=str),
            "assumptions": np.array(self.assumptions, dtype=str),
        }

    def _colours(self, image: np.ndarray | None) -> np.ndarray:
        """(H, W, 3) uint8 for the point cloud."""
        if image is None:
            return np.full((*self.depth.shape, 3), 128, dtype=np.uint8)
        image = np.asarray(image)
        if image.shape != (*self.depth.shape, 3) or image.dtype != np.uint8:
            wanted = (*self.depth.shape, 3)
            raise DepthError(f"image {image.shape} {image.dtype} must be {wanted} uint8, as large as the depth")
        return image

    def _provenance(self) -> list[str]:
        """Header lines for a format that has no keys."""
        lines = [f"avsnet {self.version}, model {self.model}, scale from {self.scale_source}"]
        return lines + list(self.assumptions) + list(self.warnings)
