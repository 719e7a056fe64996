"""What a model is: the meaning of its numbers, its licences, and how pictures come to it and maps back.

Nothing here needs torch, which takes a second to import.
"""

from __future__ import annotations

from dataclasses import dataclass

from avsnet.errors import ModelError

OUTPUT_KINDS = ("metric_depth", "relative_depth", "affine_depth", "disparity", "affine_disparity")
"""What a model's numbers can mean: metres; depth up to a scale; depth up to scale and shift; 1 / depth up to
a scale; 1 / depth up to scale and shift. The kind is also the key of the map in what `forward` returns."""

FITS = ("exact", "turned", "minimal", "upper", "lower")
"""How a picture comes to a model's `size`: to it exactly, whatever the aspect; to it or, where only one of both is
upright, to its sides exchanged; or by one factor for both sides: the one that changes less, the smaller (no side is
over its bound) or the larger (none is under it)."""

FLIPS = ("none", "mean", "blend")
"""What becomes of the mirrored picture's map: not made; averaged with the first; or blended with it so that each
counts alone at the border that it sees better (Monodepth2, NeWCRFs)."""

RESAMPLINGS = ("bilinear", "bicubic", "lanczos", "nearest", "box", "hamming", "corners", "linear", "cubic")
"""PIL's filters, which widen when they shrink; and three that do not: bilinear with aligned corners and without,
bicubic without."""


@dataclass(frozen=True)
class ModelInfo:
    """What a user must know of a model before its numbers mean anything.

    Args:
        name: lower snake case, unique.
        output: one of `OUTPUT_KINDS`.
        code_licence: licence of the network's code.
        weights_licence: licence of the published weights.
        source: the paper, and where the weights are published.
        size: (height, width) in pixels, the default input size; None: the image's own.
        size_multiple: pixels; every height and width divisible by it is legal. None: `size` alone is.
        parameters: number of weights; None where it is not known beforehand.
        fit: one of `FITS`, how a picture comes to `size` by default.
        resample: one of `RESAMPLINGS`, for the picture on its way in.
        upsample: likewise, for the map on its way out.
        upsample_inverse: whether the map is resized as 1 / values (Depth Pro).
        flip: one of `FLIPS`, the published test-time rule.
        pad: whether the published test-time rule pads the picture by reflection (ZoeDepth).
        published: where the official weights can be had; "" where there are none.
        hears: whether it takes the recording of an echo.
        sees: whether it takes a picture; False: its depth comes from the echo alone.
        focal: focal length over picture width of the pictures from which it learned metres; None: not known, or it
            serves any camera.
        gives_scale: whether its metres may set the scale of another model's map, as those of an AVS-Net do.
        scale_bias: of a metric model, mean of the log of true over own metres, after correction for the focal length,
            on scenes that it was not trained on.
        scale_spread: deviation of that log; None: nobody knows it, and `auto` then leaves the metres of a network that
            hears as they are.
        trained_on: what its weights were trained on, in words; "": not known.
        takes_intrinsics: whether its metres follow the camera, `intrinsics` in the batch, in pixels of the picture
            that it sees; without them it takes one of `avsnet.geometry.ASSUMED_FOV`.

    Raises:
        ModelError: an unknown kind of output, or an input size rule that allows no size.
    """

    name: str
    output: str
    code_licence: str
    weights_licence: str
    source: str
    size: tuple[int, int] | None = None
    size_multiple: int | None = 1
    parameters: int | None = None
    fit: str = "exact"
    resample: str = "bilinear"
    upsample: str = "bilinear"
    flip: str = "none"
    pad: bool = False
    published: str = ""
    upsample_inverse: bool = False
    hears: bool = False
    sees: bool = True
    gives_scale: bool = False
    focal: float | None = None
    scale_bias: float = 0.0
    scale_spread: float | None = None
    trained_on: str = ""
    takes_intrinsics: bool = False

    def __post_init__(self) -> None:
        if self.output not in OUTPUT_KINDS:
            raise ModelError(f"{self.name}: output {self.output!r} is none of {', '.join(OUTPUT_KINDS)}")
        if self.size is None and self.size_multiple is None:
            raise ModelError(f"{self.name}: give a size, a size_multiple or both")
        if self.size_multiple is not None and self.size_multiple < 1:
            raise ModelError(f"{self.name}: size_multiple {self.size_multiple} is below 1")
        if self.fit != "exact" and (self.size is None or self.size_multiple is None):
            raise ModelError(f"{self.name}: to keep the aspect give both a size and a size_multiple")
        for field, known in (("fit", FITS), ("resample", RESAMPLINGS), ("upsample", RESAMPLINGS), ("flip", FLIPS)):
            if getattr(self, field) not in known:
                raise ModelError(f"{self.name}: {field} {getattr(self, field)!r} is none of {', '.join(known)}")
        if self.gives_scale and self.output != "metric_depth":
            raise ModelError(f"{self.name}: gives {self.output}, and only metric_depth can set a scale")
        if not (self.hears or self.sees):
            raise ModelError(f"{self.name}: must hear, see or both")
