"""Metres from any depth model's picture by listening: one picture, one chirp, two microphones.

`import avsnet` costs milliseconds; each public name brings what it needs when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# The one eager import, of a file that itself imports nothing heavy: importing the file later would otherwise
# put the module `avsnet.predict` in the place of the function.
from avsnet.predict import predict

if TYPE_CHECKING:
    from avsnet.metrics import depth_metrics
    from avsnet.models.registry import create_model, list_models
    from avsnet.prediction import Prediction
    from avsnet.predictor import Predictor
    from avsnet.scale.rules import scale_depth

__all__ = ["Prediction", "Predictor", "create_model", "depth_metrics", "list_models", "predict", "scale_depth"]

_HOMES = {
    "Prediction": "avsnet.prediction",
    "Predictor": "avsnet.predictor",
    "create_model": "avsnet.models.registry",
    "depth_metrics": "avsnet.metrics",
    "list_models": "avsnet.models.registry",
    "scale_depth": "avsnet.scale.rules",
}
_MODULES = (
    *("analysis", "audio", "data", "errors", "evaluation", "geometry", "io", "losses"),
    *("metrics", "models", "rooms", "scale", "viz"),
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("avsnet")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"avsnet.{name}")
    raise AttributeError(f"module 'avsnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES, "__version__"})
