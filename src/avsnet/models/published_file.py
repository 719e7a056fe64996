"""Checkpoints of networks that their authors publish as one file: theirs, or ours.

Ours is a folder as `save_pretrained` writes it, `model.safetensors` and `config.json`; the options in it are the
network's own, so that a published file, once read with the right ones, can be kept without having to know them again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from avsnet.errors import ModelError, OptionError
from avsnet.models.registry import ModelInfo
from avsnet.weights import default_weights, load_strictly, read_folder, read_state_dict, weights_hash

Network = TypeVar("Network", bound=nn.Module)


def build(
    network: Callable[..., Network],
    info: ModelInfo,
    options: Mapping[str, Any],
    weights: str | Path | None,
    own_keys: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
    unused: Iterable[str] = (),
) -> Network:
    """Build a network, fresh or with the weights of a checkpoint.

    Args:
        network: its class, whose first option is `variant`, one of the registered names.
        info: of the model; its name is the variant.
        options: of the caller; None: not given. They come before those of the checkpoint.
        weights: file or folder, `"default"`, or None for fresh ones.
        own_keys: from published keys to those of the class; leaves those of the class as they are.
        unused: as `avsnet.weights.load_strictly` has it.

    Raises:
        ModelError: the checkpoint is missing or broken, or not of this network; names what is missing.
        OptionError: an option outside what it allows.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if weights is None:
        return network(info.name, **given)
    path = default_weights(info.name, info.published or "no place") if weights == "default" else Path(weights)
    # Read first: building takes seconds, and a file that is not there should be told of at once.
    stored, state = read_folder(path) if path.is_dir() else ({}, read_state_dict(path))
    variant = stored.pop("variant", info.name)
    if variant != info.name:
        raise ModelError(f"{path}: holds {variant}, not {info.name}; create_model({variant!r}, weights=...) reads it")
    unknown = [name for name in stored if name not in inspect.signature(network).parameters]
    if unknown:
        raise ModelError(f"{path}: its config.json has the option {unknown[0]!r}, which {info.name} has not")
    try:
        built = network(info.name, **(stored | given))
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from None
    load_strictly(built, own_keys(state), path, unused=unused)
    built.weights_hash = weights_hash(path)  # type: ignore[assignment]
    return built
