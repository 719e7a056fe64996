"""What models there are: a name, the meaning of its numbers, its licences, and how to build it.

A model is one file in this folder with `@register_model(ModelInfo(...))` above its class or factory. Networks
that are not ours come by a prefix instead: `onnx:PATH`, `huggingface:ID_OR_FOLDER`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from avsnet.errors import ModelError, OptionError

if TYPE_CHECKING:  # torch takes a second to import, and names and licences do not need it
    import torch

OUTPUT_KINDS = ("metric_depth", "relative_depth", "affine_depth", "disparity", "affine_disparity")
"""What a model's numbers can mean: metres; depth up to a scale; depth up to scale and shift; 1 / depth up to
a scale; 1 / depth up to scale and shift. The kind is also the key of the map in what `forward` returns."""

FITS = ("exact", "minimal", "upper", "lower")
"""How a picture comes to a model's `size`: to it exactly, whatever the aspect; or by one factor for both sides: the
one that changes less, the smaller (no side is over its bound) or the larger (none is under it)."""

FLIPS = ("none", "mean", "blend")
"""What becomes of the mirrored picture's map: not made; averaged with the first; or blended with it so that each
counts alone at the border that it sees better (Monodepth2, NeWCRFs)."""

RESAMPLINGS = ("bilinear", "bicubic", "lanczos", "corners", "cubic")
"""PIL's filters, which widen when they shrink; and two that do not: bilinear with aligned corners, bicubic without."""

PREFIXES = {
    "onnx": "avsnet.models.onnx:OnnxDepthModel",
    "huggingface": "avsnet.models.huggingface:HuggingFaceDepthModel",
}
"""`prefix:REST` as a name calls this class or factory with REST."""

PREFIX_FORMS = ("onnx:PATH", "huggingface:ID_OR_FOLDER")
"""What such names look like, for people."""


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
        flip: one of `FLIPS`, the published test-time rule.
        pad: whether the published test-time rule pads the picture by reflection (ZoeDepth).
        published: where the official weights can be had; "" where there are none.

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


Factory = TypeVar("Factory", bound=Callable[..., "torch.nn.Module"])

_MODELS: dict[str, tuple[ModelInfo, Callable[..., torch.nn.Module]]] = {}


def register_model(info: ModelInfo) -> Callable[[Factory], Factory]:
    """Decorate a class or factory so that `create_model(info.name)` builds it.

    Args:
        info: what the model is. The model carries it as `model.info`, unless it sets a more exact one itself.

    Returns:
        A decorator that returns the class or factory as it was. `create_model` calls it with the caller's
        options, and with `weights=` when the caller asks for weights.

    Raises:
        ModelError: the name is taken, or is not lower snake case.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", info.name):
        raise ModelError(f"model name {info.name!r} is not lower snake case")
    if info.name in _MODELS:
        raise ModelError(f"a model named {info.name!r} is registered already; choose another name")

    def register(factory: Factory) -> Factory:
        _MODELS[info.name] = (info, factory)
        return factory

    return register


def list_models() -> list[str]:
    """The names of all registered models, sorted; those behind a prefix cannot be listed."""
    _import_model_files()
    return sorted(_MODELS)


def registered(prefix: str = "") -> list[ModelInfo]:
    """What is registered so far under names that begin with `prefix`, in the order of registration.

    For a file of models that is built on the models of other files, which it has imported.
    """
    return [info for name, (info, _) in _MODELS.items() if name.startswith(prefix)]


def model_info(name: str) -> ModelInfo:
    """What the model of this name is.

    Args:
        name: one of `list_models()`, or one with a prefix of `PREFIXES`, which opens the file.

    Raises:
        ModelError: an unknown name, or a file that is missing, broken or undeclared.
    """
    if _prefix(name):
        return create_model(name).info  # type: ignore[return-value]
    return _registered(name)[0]


def create_model(name: str, weights: str | Path | None = None, **options: Any) -> torch.nn.Module:
    """Build a model behind the contract `forward(batch: dict) -> dict`.

    Args:
        name: one of `list_models()`, or `onnx:PATH`, or `huggingface:ID_OR_FOLDER`.
        weights: None (fresh, the same on every call), `"default"`, or a file or folder. A prefixed name
            brings its own, so None and `"default"` mean the same there.
        options: passed to the model.

    Returns:
        The module in eval mode, with its `ModelInfo` as `info`. The caller's random state is left as it was.

    Raises:
        ModelError: an unknown name, or a file that is missing, broken or undeclared.
        OptionError: an option that the model does not have, or weights for one that takes none.
    """
    import torch

    prefix = _prefix(name)
    if prefix:
        if weights not in (None, "default"):
            raise OptionError(f"{name} brings its own weights; leave out weights={weights!r}")
        factory = pkgutil.resolve_name(PREFIXES[prefix])
        _check_options(name, factory, options, positional=1)
        return factory(name.removeprefix(f"{prefix}:"), **options).eval()
    info, factory = _registered(name)
    if weights is not None:
        if not _takes(factory, "weights"):
            raise OptionError(f"{name} has no weights to load; leave out weights={weights!r}")
        options["weights"] = weights
    _check_options(name, factory, options)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = factory(**options)
    if not hasattr(model, "info"):
        model.info = info  # type: ignore[assignment]
    return model.eval()


def _import_model_files() -> None:
    """Import every file of this folder and of those in it, so that the decorators in them have run."""
    package = importlib.import_module("avsnet.models")
    for module in pkgutil.walk_packages(package.__path__, "avsnet.models."):
        importlib.import_module(module.name)


def _prefix(name: str) -> str | None:
    head, colon, _ = name.partition(":")
    return head if colon and head in PREFIXES else None


def _registered(name: str) -> tuple[ModelInfo, Callable[..., torch.nn.Module]]:
    names = list_models()
    if name not in _MODELS:
        nearest = ", ".join(difflib.get_close_matches(name, names)) or "no registered name"
        raise ModelError(
            f"unknown model {name!r}; near it: {nearest}; a network of others: {' or '.join(PREFIX_FORMS)}"
        )
    return _MODELS[name]


def _takes(factory: Callable[..., Any], option: str) -> bool:
    parameters = inspect.signature(factory).parameters
    return option in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _check_options(name: str, factory: Callable[..., Any], options: dict[str, Any], positional: int = 0) -> None:
    unknown = [option for option in options if not _takes(factory, option)]
    if unknown:
        known = ", ".join(list(inspect.signature(factory).parameters)[positional:]) or "none"
        raise OptionError(f"{name} has no option {unknown[0]!r}; its options: {known}")
