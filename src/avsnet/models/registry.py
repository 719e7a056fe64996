"""What models there are: a name, the meaning of its numbers, its licences, and how to build it.

A model is one file in this folder with `@register_model(ModelInfo(...))` above its class or factory. Third-party
networks come by a prefix instead: `onnx:PATH`, `huggingface:ID_OR_FOLDER`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from avsnet.errors import AvsnetError, ModelError, OptionError, one_line
from avsnet.models.info import ModelInfo

if TYPE_CHECKING:  # torch takes a second to import, and names and licences do not need it
    from avsnet.models.contract import DepthModel

PREFIXES = {
    "onnx": "avsnet.models.onnx:OnnxDepthModel",
    "huggingface": "avsnet.models.huggingface:HuggingFaceDepthModel",
}
"""`prefix:REST` as a name calls this class or factory with REST: third-party networks."""

PREFIX_FORMS = ("onnx:PATH", "huggingface:ID_OR_FOLDER")
"""What such names look like, for people."""


_HOMES = {"avsnet_": "avsnet.models.avsnet.weights"}
"""The file in which names of this beginning are registered: the packaged pair needs the files of no other models, nor
the libraries that those import."""
_LONGEST_REASON = 200  # characters of what a library says

Factory = TypeVar("Factory", bound=Callable[..., "DepthModel"])

_MODELS: dict[str, tuple[ModelInfo, Callable[..., DepthModel]]] = {}


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
        return create_model(name).info
    return _registered(name)[0]


def create_model(name: str, weights: str | Path | None = None, **options: Any) -> DepthModel:
    """Build a model behind the contract `forward(batch: dict) -> dict`.

    Args:
        name: one of `list_models()`, or `onnx:PATH`, or `huggingface:ID_OR_FOLDER`.
        weights: None (fresh, the same on every call), `"default"`, or a file or folder. A prefixed name
            brings its own, so None and `"default"` mean the same there.
        options: passed to the model.

    Returns:
        The model in eval mode. The caller's random state is left as it was.

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
        with _readable(name, name.removeprefix(f"{prefix}:")):
            return factory(name.removeprefix(f"{prefix}:"), **options).eval()
    info, factory = _registered(name)
    if weights is not None:
        if not _takes(factory, "weights"):
            raise OptionError(f"{name} has no weights to load; leave out weights={weights!r}")
        options["weights"] = weights
    _check_options(name, factory, options)
    with torch.random.fork_rng(devices=[]), _readable(name, weights):
        torch.default_generator.manual_seed(0)
        model = factory(**options)
    if not hasattr(model, "info"):
        model.info = info
    return model.eval()


@contextmanager
def _readable(name: str, weights: str | Path | None) -> Iterator[None]:
    """The border to files of anyone: what a network's own code makes of their entries is an error of the files."""
    try:
        yield
    except AvsnetError:
        raise
    except Exception as error:
        if weights is None:
            raise
        reason = one_line(error)[:_LONGEST_REASON] or "no reason given"
        raise ModelError(
            f"{weights}: cannot be loaded as {name} ({type(error).__name__}: {reason}); fetch or save it again"
        ) from error


def _import_model_files() -> None:
    """Import every file of this folder and of those in it, so that the decorators in them have run."""
    package = importlib.import_module("avsnet.models")
    for module in pkgutil.walk_packages(package.__path__, "avsnet.models."):
        importlib.import_module(module.name)


def _prefix(name: str) -> str | None:
    head, colon, _ = name.partition(":")
    return head if colon and head in PREFIXES else None


def _registered(name: str) -> tuple[ModelInfo, Callable[..., DepthModel]]:
    for home in (home for beginning, home in _HOMES.items() if name.startswith(beginning)):
        importlib.import_module(home)
    if name not in _MODELS:
        names = list_models()
    if name not in _MODELS:
        nearest = ", ".join(difflib.get_close_matches(name, names)) or "no registered name"
        raise ModelError(
            f"unknown model {name!r}; near it: {nearest}; a third-party network: {' or '.join(PREFIX_FORMS)}"
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
