"""What a prediction is: a depth map in metres together with everything needed to assess and repeat it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from avsnet.errors import CalibrationError, DepthError, OptionError
from avsnet.geometry import check_intrinsics
from avsnet.io.authorship import own_version
from avsnet.io.depth_maps import read_map, write_depth_npz, write_depth_png
from avsnet.point_cloud import PointCloud, cloud_of_depth
from avsnet.scale.posterior import ScalePosterior

if TYPE_CHECKING:
    from avsnet.scale.scene import Found, Scene

SUFFIXES = (".npz", ".png", ".ply", ".glb")
"""The formats that a prediction can be saved in."""


_DISTRIBUTIONS = {
    "posterior": ("log_scale", "scale_probability"),
    "prior": ("prior_log_scale", "prior_probability"),
}
"""Keys of an NPZ, for each field that is a distribution: its grid, and how probable each place of it is."""

_TEXTS = ("kind", "model", "weights_hash", "scale_source", "version")
_NUMBERS = ("scale", "shift", "contrast")
_LISTS = ("warnings", "assumptions")
"""Its other keys beside the arrays."""


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
        posterior: over metres per unit of the map, where its source infers one.
        prior: the same before anything was heard, where a sound was.
        assumptions: what camera and rig were taken to be, such as `"field of view assumed 70 degrees"`.
        contrast: power of depth round the map's median, as in `ScaledDepth`; 1 unless the rule found one. Where
            `scale_source` names `histogram` or `grid`, the scale is no more than the ratio of the medians.

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
    prior: ScalePosterior | None = None
    assumptions: tuple[str, ...] = ()
    contrast: float = 1.0

    def __post_init__(self) -> None:
        depth = np.asarray(self.depth, dtype=np.float32)
        valid = np.asarray(self.valid, dtype=bool)
        intrinsics = np.asarray(self.intrinsics, dtype=np.float64)
        if depth.ndim != 2 or depth.size == 0 or valid.shape != depth.shape:
            raise DepthError(f"depth {depth.shape} and valid {valid.shape} must both be (height, width)")
        if intrinsics.shape != (3, 3):
            raise DepthError(f"intrinsics of a prediction must be (3, 3), not {intrinsics.shape}")
        if not (np.isfinite(depth) | ~valid).all():
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
    def interval(self) -> tuple[float, float] | None:
        """Metres between which the median depth lies with 90 % probability, as the posterior has it; None without."""
        return self._interval_round(self.median)

    @property
    def median(self) -> float | None:
        """The median depth of the known pixels; None where none is known."""
        # Taking all of 12 million pixels one by one takes as long as finding their median.
        known = self.depth if self.valid.all() else self.depth[self.valid]
        return float(np.median(known)) if known.size else None

    def _interval_round(self, median: float | None) -> tuple[float, float] | None:
        """`interval`, for who has taken the median already."""
        if self.posterior is None or median is None:
            return None
        low, high = (median * side / self.factor for side in self.posterior.interval(0.9))
        return low, high

    @property
    def factor(self) -> float:
        """Metres per unit of the map, or of the inverse of a disparity: what the posterior is over."""
        return 1.0 / self.scale if self.scale_source.endswith("in inverse depth") else self.scale

    @property
    def unit(self) -> str:
        """What one unit of the depth is: `"m"`, or `"model units"` where nothing gave metres."""
        return "m" if self.kind == "metric_depth" or self.scale_source != "none" else "model units"

    def save(self, path: str | Path, image: np.ndarray | None = None, compress: bool = False) -> None:
        """Write the prediction in the format that the suffix names; the file appears whole or not at all.

        Args:
            path: `.npz` holds everything (keys below); `.png` is 16-bit millimetres, 0 = unknown, and holds
                nothing above 65.535 m; `.ply` is the cloud of valid points in the depth's unit, camera axes; `.glb`
                the same in metres, y up.
            image: (H, W, 3) uint8 RGB colours of the cloud; grey without it.
            compress: whether `.npz` and `.png` are to be small rather than written fast.

        NPZ keys: depth intrinsics valid model scale shift kind version, and beside them scale_source,
        weights_hash (empty if None), confidence (NaN if None), log_scale and scale_probability (the posterior; empty if
        None), prior_log_scale and prior_probability (likewise), warnings, assumptions, contrast. No pickle is needed.

        Raises:
            OptionError: another suffix, or a PNG of depth that has no metres.
            DepthError: the image's size differs from the depth's.
            OutputError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".npz":
            write_depth_npz(path, compress, **self._entries())
        elif suffix == ".png":
            if self.unit != "m":
                raise OptionError(f"{path}: a PNG counts millimetres, but this depth has no metres; save it as .npz")
            write_depth_png(path, self.depth, self.valid, compress)
        elif suffix in (".ply", ".glb"):
            self.point_cloud(image).save(path)
        else:
            raise OptionError(f"{path}: a prediction is saved as {', '.join(SUFFIXES)}, not {suffix or 'bare'!r}")

    def point_cloud(self, image: np.ndarray | None = None, *, axes: str = "camera", thin: int = 1) -> PointCloud:
        """The valid pixels as points in space.

        Args:
            image: (H, W, 3) uint8 RGB of the picture; grey without it.
            axes: `"camera"` (x right, y down, z forward) or `"y_up"` (x right, y up, z backward).
            thin: keep one row and one column of so many.

        Raises:
            OptionError: unknown axes, or a thinning below 1.
            DepthError: the image's size differs from the depth's.
        """
        return cloud_of_depth(
            self.depth,
            self.valid,
            self.intrinsics,
            None if image is None else self._colours(image),
            axes=axes,
            thin=thin,
            unit=self.unit,
            confidence=self.confidence,
            comments=tuple(self._provenance()),
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the depth in colours, their range, where the scale is from, and what to know."""
        from avsnet.canvas import colormaps  # half a second of matplotlib

        known = self.depth[self.valid]
        low, high = np.percentile(known, (1.0, 99.0)) if known.size else (0.0, 1.0)
        shares = ((self.depth - low) / max(high - low, 1e-9)).clip(0.0, 1.0)
        colours = colormaps["Spectral"](np.where(self.valid, shares, 0.0), bytes=True)[..., :3]
        picture = Image.fromarray(np.where(self.valid[..., None], colours, np.uint8(128)))
        picture.thumbnail((640, 640))
        file = io.BytesIO()
        picture.save(file, format="PNG")
        lines = [f"red {low:.2f} {self.unit}, blue {high:.2f} {self.unit}; scale from {self.scale_source}"]
        text = "<br>".join(html.escape(line) for line in [*lines, *self.assumptions, *self.warnings])
        data = base64.b64encode(file.getvalue()).decode()
        return f'<figure><img alt="depth" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'

    @classmethod
    def load(cls, path: str | Path) -> Prediction:
        """Read back what `save` wrote as `.npz`.

        Raises:
            DepthError: the file is missing or broken, or no prediction of avsnet.
        """
        depth, entries = read_map(path)
        names = [field.name for field in fields(cls) if field.name not in ("depth", *_DISTRIBUTIONS)]
        keys = [key for pair in _DISTRIBUTIONS.values() for key in pair]
        missing = [name for name in (*names, *keys) if name not in entries]
        if missing:
            raise DepthError(f"{path}: lacks {', '.join(missing)}; only an .npz of a Prediction can be loaded")
        wrong = _wrong_entries(entries, depth)
        if wrong:
            raise DepthError(f"{path}: {', '.join(wrong)} cannot be a prediction's; predict again")
        values: dict[str, Any] = {name: entries[name].item() for name in (*_TEXTS, *_NUMBERS)}
        values |= {name: tuple(map(str, entries[name])) for name in _LISTS}
        values["weights_hash"] = values["weights_hash"] or None
        try:
            camera = check_intrinsics(entries["intrinsics"])
            for name, (grid, probability) in _DISTRIBUTIONS.items():
                values[name] = ScalePosterior(entries[grid], entries[probability]) if entries[grid].size else None
        except (CalibrationError, ValueError) as error:
            raise DepthError(f"{path}: {error}; predict again") from None
        return cls(depth=depth, valid=entries["valid"], intrinsics=camera, **values)

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
            **_entries_of("posterior", self.posterior),
            **_entries_of("prior", self.prior),
            "warnings": np.array(self.warnings, dtype=str),
            "assumptions": np.array(self.assumptions, dtype=str),
            "contrast": np.float64(self.contrast),
        }

    def _colours(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 for the point cloud."""
        image = np.asarray(image)
        if image.shape != (*self.depth.shape, 3) or image.dtype != np.uint8:
            wanted = (*self.depth.shape, 3)
            raise DepthError(f"image {image.shape} {image.dtype} must be {wanted} uint8, as large as the depth")
        return image

    def _provenance(self) -> list[str]:
        """Header lines for a format that has no keys."""
        lines = [f"avsnet {self.version}, model {self.model}, scale from {self.scale_source}"]
        return lines + list(self.assumptions) + list(self.warnings)


def _wrong_entries(entries: dict[str, np.ndarray], depth: np.ndarray) -> list[str]:
    """The entries of an NPZ that are of another type or shape than `Prediction.save` writes, or not finite."""

    def is_like(name: str, ndim: int, kinds: str) -> bool:
        return entries[name].ndim == ndim and entries[name].dtype.kind in kinds

    grids = [key for pair in _DISTRIBUTIONS.values() for key in pair]
    fine = {name: is_like(name, 0, "U") for name in _TEXTS} | {name: is_like(name, 1, "U") for name in _LISTS}
    fine |= {name: is_like(name, 0, "fiu") and bool(np.isfinite(entries[name])) for name in _NUMBERS}
    fine |= {name: is_like(name, 1, "fiu") and bool(np.isfinite(entries[name]).all()) for name in grids}
    valid = entries["valid"]
    fine["valid"] = valid.dtype == bool and valid.shape == depth.shape and bool((depth[valid] > 0.0).all())
    return [name for name, is_fine in fine.items() if not is_fine]


def _entries_of(name: str, posterior: ScalePosterior | None) -> dict[str, np.ndarray]:
    """A distribution under its keys, empty where there is none."""
    values = ((), ()) if posterior is None else (posterior.log_scale, posterior.probability)
    return {key: np.array(value) for key, value in zip(_DISTRIBUTIONS[name], values, strict=True)}


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
        model=scene.info.name,
        weights_hash=weights_hash,
        scale_source=found.origin,
        version=own_version(),
        warnings=tuple(dict.fromkeys((*warnings, *found.warnings))),  # what hears twice says it twice
        posterior=found.posterior,
        prior=found.prior,
        assumptions=(*assumptions, *found.assumptions),
        contrast=found.scaled.contrast,
    )


def summary(prediction: Prediction) -> str:
    """The numbers of a prediction in one line: its median depth, and the scale with its source.

    Where intervals hold what they say, the median depth has its own: those of ranging were never calibrated, and one
    known distance says nothing of the map's shape elsewhere.
    """
    middle = prediction.median
    median = "unknown" if middle is None else f"{middle:.3g} {prediction.unit}"
    source, interval = prediction.scale_source.removeprefix("carried: "), prediction._interval_round(middle)
    if interval is not None and not source.startswith(("ranging", "known:")):
        median += f" (90 %: {interval[0]:.3g} to {interval[1]:.3g})"
    scale = f"{'metres' if prediction.unit == 'm' else 'units'} by the network itself"
    if prediction.scale_source != "none":
        shift = f", shift {prediction.shift:.4g}" if prediction.shift else ""
        scale = f"scale {prediction.scale:.4g}{shift} from {prediction.scale_source}"
    if prediction.confidence is not None:
        scale += f", confidence {prediction.confidence:.2f} (the probability of lying within 15 %)"
    return f"median depth {median}, {scale}, model {prediction.model}"
