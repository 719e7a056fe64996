"""What a prediction is: a depth map in metres together with everything needed to assess and repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avsnet.errors import DepthError, OptionError
from avsnet.geometry import unproject
from avsnet.io.depth_maps import read_map, write_depth_npz, write_depth_png, write_ply
from avsnet.scale.posterior import ScalePosterior

if TYPE_CHECKING:
    from avsnet.scale.sources import Found, Scene

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
        posterior: over the scale, where its source infers one.
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
    posterior: ScalePosterior | None = None
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
    def confidence(self) -> float | None:
        """The probability that the scale lies within 15 % of this one; None where its source infers none."""
        return None if self.posterior is None else self.posterior.confidence

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
        weights_hash (empty if None), confidence (NaN if None), log_scale and scale_probability (the posterior; empty if
        None), warnings, assumptions. No pickle is needed.

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

    @classmethod
    def load(cls, path: str | Path) -> Prediction:
        """Read back what `save` wrote as `.npz`.

        Raises:
            DepthError: the file is missing or broken, or no prediction of avsnet.
        """
        depth, entries = read_map(path)
        names = [field.name for field in fields(cls) if field.name not in ("depth", "posterior")]
        missing = [name for name in (*names, "log_scale", "scale_probability") if name not in entries]
        if missing:
            raise DepthError(f"{path}: lacks {', '.join(missing)}; only an .npz of a Prediction can be loaded")
        values: dict[str, Any] = {name: entries[name].item() for name in names if entries[name].ndim == 0}
        values |= {name: tuple(map(str, entries[name])) for name in ("warnings", "assumptions")}
        values["weights_hash"] = values["weights_hash"] or None
        grid, probability = entries["log_scale"], entries["scale_probability"]
        values["posterior"] = ScalePosterior(grid, probability) if grid.size else None
        return cls(depth=depth, valid=entries["valid"], intrinsics=entries["intrinsics"], **values)

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
            "log_scale": np.array([] if self.posterior is None else self.posterior.log_scale),
            "scale_probability": np.array([] if self.posterior is None else self.posterior.probability),
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


def prediction_of(
    found: Found,
    scene: Scene,
    *,
    weights_hash: str | None = None,
    assumptions: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Prediction:
    """A map in metres, together with where it is from.

    Args:
        found: the map, and what speaks for it.
        scene: what it was found from.
        weights_hash: of the depth model.
        assumptions: what was taken for granted before.
        warnings: what to know from before.
    """
    return Prediction(
        depth=found.scaled.depth,
        kind=scene.kind,
        scale=found.scaled.scale,
        shift=found.scaled.shift,
        valid=found.scaled.depth > 0.0,
        intrinsics=scene.camera,
        model=scene.model,
        weights_hash=weights_hash,
        scale_source=found.origin,
        version=version("avsnet"),
        warnings=(*warnings, *found.warnings),
        posterior=found.posterior,
        assumptions=(*assumptions, *found.assumptions),
    )
