"""What is known of one picture when its map is to be brought to metres, and what a source of scale finds from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from avsnet.errors import DepthError, EchoError, OptionError
from avsnet.models import packaged
from avsnet.models.info import ModelInfo
from avsnet.scale.ear_shift import shape_like
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import EchoEvidence
from avsnet.scale.rules import ScaledDepth, as_depth

if TYPE_CHECKING:
    from avsnet.audio.recording import Echo


@dataclass(frozen=True, eq=False)
class Scene:
    """What is known of one picture when its map is to be brought to metres.

    Args:
        values: (H, W) what the depth model gave.
        info: of that model: its name, what its numbers mean, and how far its own metres may be trusted.
        camera: (3, 3) pixels of the map.
        echo: gives the echo, which is listened to once, or raises what is wrong with it; None: there is none.
        network: from the name or folder of an AVS-Net to its (H, W) pseudo-dense metric depth of this picture; None:
            there is no picture.
        method: one of `METHODS`, for sources that compare two maps; None: the median, or affine where the map's shift
            is open.
    """

    values: np.ndarray
    info: ModelInfo
    camera: np.ndarray
    echo: Callable[[], Echo] | None = None
    network: Callable[[str], np.ndarray] | None = None
    method: str | None = None

    @property
    def kind(self) -> str:
        """What the map's numbers mean, one of `OUTPUT_KINDS`."""
        return self.info.output

    @property
    def shift_is_open(self) -> bool:
        """Whether the map is known up to scale and shift."""
        return self.kind.startswith("affine")

    @cached_property
    def depth(self) -> np.ndarray:
        """(H, W) depth in the model's unit, 0 = unknown.

        Raises:
            DepthError: no pixel is known.
            OptionError: a kind whose shift is open.
        """
        # The map was resized in its own kind: the mean of two disparities is not the disparity of the mean depth.
        depth = as_depth(self.values, self.kind)
        if not (depth > 0.0).any():
            raise DepthError(f"{self.info.name}: no pixel has a depth above 0")
        return depth

    def unscaled(self) -> ScaledDepth:
        """The map before anything sets its scale; where its shift is open, with that of the packaged AVS-Net's metres.

        Raises:
            AvsnetError: no pixel is known, or there is no picture to set the shift by.
        """
        if not self.shift_is_open:
            return times(self.depth, 1.0, "none")
        if self.network is None:
            raise OptionError(f"{self.info.name} gives {self.kind}, whose shift nothing sets; give the echo")
        return shape_like(self.values, self.kind, self.network(packaged.AV))


@dataclass(frozen=True, eq=False)
class Found:
    """A map brought to metres, and what speaks for it.

    Attributes:
        scaled: the map, with scale and shift.
        origin: where the metres come from, in words; `"none"` where nothing set the scale.
        posterior: over `scaled.factor`, metres per unit of the map, where the source infers one.
        prior: the same before anything was heard, where a sound was.
        evidence: what was heard, for a picture of it.
        warnings: what to know before trusting the metres.
        assumptions: what was taken for granted.
        refusal: why the scale, a best guess, must not be believed; None if it may.
    """

    scaled: ScaledDepth
    origin: str
    posterior: ScalePosterior | None = None
    prior: ScalePosterior | None = None
    evidence: EchoEvidence | None = None
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    refusal: str | None = None


def unused(scene: Scene, error: EchoError) -> tuple[str, ...]:
    """What to say of an echo that nobody could use; nothing where a network that listened to it has said so."""
    told = scene.info.hears or (scene.kind != "metric_depth" and scene.network is not None)
    return () if told else (f"the echo was not used: {error}",)


def times(depth: np.ndarray, scale: float, method: str) -> ScaledDepth:
    """A map, (H, W) depth in any unit, times a factor."""
    return ScaledDepth(depth * np.float32(scale), scale, 0.0, method)
