"""From a checkpoint on disk to a network: the one way for every layout.

A checkpoint is a folder of ours, as `save_pretrained` writes it, `model.safetensors` and `config.json`; or what the
authors published: one file, or a folder with a file for each part of the network. What tells the published ones apart
is data, a `Layout` beside each network. The options of our folder are the network's own, so that a published file, once
read with the right ones, can be kept without having to know them again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from avsnet.errors import ModelError, OptionError, one_line
from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.registry import list_models, registered
from avsnet.weights import default_weights, load_strictly, read_config, read_state_dict, weights_hash

_USUAL_WIDTH = 2048  # channels, bins or pixels
_SLACK = 1_000_000  # weights

Network = TypeVar("Network", bound=DepthModel)
State = dict[str, Tensor]


def as_published(state: State, network: nn.Module, path: Path) -> State:
    """The entries of a file whose keys are the network's own."""
    return state


@dataclass(frozen=True)
class Layout:
    """How the published weights of a network lie on a disk.

    Args:
        own_keys: (entries as published, the built network, the file for messages) -> entries under the network's own
            keys; leaves those that are so already as they are.
        unused: regular expressions of whole keys that published files hold and the network has no place for.
        parts: part of the network -> its file in a published folder, perhaps with an option as `{variant}`. The keys of
            a part are read behind its name and a dot. None: the network is one file.
        stored_options: from the first file that was read to the options that stand in it.
        decided: options that the checkpoint knows better than the caller, who gives them where it does not tell.
        stem: what all keys of the network begin with.
    """

    own_keys: Callable[[State, nn.Module, Path], State] = as_published
    unused: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    stored_options: Callable[[Path], dict[str, Any]] | None = None
    decided: tuple[str, ...] = ()
    stem: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """What was read.

    Args:
        state: key -> tensor.
        options: for the network's constructor, as far as the files tell them.
        files: that were read.
    """

    state: State
    options: dict[str, Any]
    files: tuple[Path, ...]


def build(
    network: Callable[..., Network],
    info: ModelInfo,
    options: Mapping[str, Any],
    weights: str | Path | None,
    layout: Layout,
) -> Network:
    """Build a network, fresh or with the weights of a checkpoint.

    Args:
        network: its class or factory, which takes the options.
        info: of the model.
        options: of the caller; None: not given. They come before those of the checkpoint, but for `layout.decided`.
        weights: file or folder, `"default"`, or None for fresh ones.
        layout: of the published files.

    Returns:
        The network, with the hash of the files and of the options that differ from theirs.

    Raises:
        ModelError: the checkpoint is missing or broken, or not of this network; names what is missing.
        OptionError: an option outside what it allows, or one that is needed and that the checkpoint does not tell.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if weights is None:
        return network(**given)
    path = default_weights(info.name, info.published or "no place") if weights == "default" else Path(weights)
    # Read first: building takes seconds, and a missing file should be reported at once.
    checkpoint = read_checkpoint(path, layout, _defaults(network) | given)
    chosen = _merged(network, info, path, checkpoint.options, given, layout.decided)
    try:
        _refuse_giant(network, chosen, checkpoint)
        built = network(**chosen)
    except (OptionError, _Giant) as error:
        raise (ModelError if isinstance(error, _Giant) else OptionError)(f"{path}: {error}") from None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except Exception as error:  # what config.json holds may be of any kind
        reason = f"{type(error).__name__}: {one_line(error)[:200]}"
        raise ModelError(f"{path}: its config.json describes no network ({reason}); save the network again") from error
    load_strictly(built, layout.own_keys(checkpoint.state, built, path), path, unused=layout.unused)
    built.weights_hash = weights_hash(*checkpoint.files, options=_changed(network, checkpoint.options, given))
    return built


class _Giant(Exception):
    """Options of a network that is far larger than the weights beside them."""


def _refuse_giant(network: Callable[..., DepthModel], options: Mapping[str, Any], checkpoint: Checkpoint) -> None:
    """Refuse options that would fill the memory before the weights turn out not to fit: they are tried without any."""
    if _largest({name: value for name, value in checkpoint.options.items() if name != "audio"}) <= _USUAL_WIDTH:
        return
    list_models()  # parts are looked up by name, and what is imported under "meta" may break
    with torch.device("meta"):
        wanted = sum(weight.numel() for weight in network(**options).parameters())
    held = sum(weight.numel() for weight in checkpoint.state.values())
    if wanted > 2 * held + _SLACK:
        raise _Giant(f"its config.json asks for {wanted} weights, and {held} are there; save the network again")


def _largest(value: Any) -> float:
    """The largest number among options."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    own = abs(value) if isinstance(value, int | float) else 0
    return max([own, *map(_largest, inner)])


def read_checkpoint(path: str | Path, layout: Layout, options: Mapping[str, Any] | None = None) -> Checkpoint:
    """Read a checkpoint in any of the layouts.

    Args:
        path: file or folder.
        layout: of the published files.
        options: of the network, on which the names of published files may depend.

    Raises:
        ModelError: files are missing or broken, or hold only a part of the network.
    """
    path = Path(path)
    if not path.is_dir():
        return _read_file(path, layout, options or {})
    whole, config = path / "model.safetensors", path / "config.json"
    if config.is_file():
        return Checkpoint(read_state_dict(whole, layout.stem), read_config(path), (config, whole))
    if whole.is_file():
        return _read_file(whole, layout, options or {})
    files = {part: path / name for part, name in _part_files(layout, options or {}).items()}
    found = [file for file in files.values() if file.is_file()]
    if not found:
        wanted = _listed(layout, options or {}) if files else "model.safetensors"
        raise ModelError(f"{path}: holds neither {wanted} nor config.json; give the weight file or a folder with them")
    if len(found) < len(files):
        return _read_file(found[0], layout, options or {})
    state = {f"{part}.{key}": value for part, file in files.items() for key, value in read_state_dict(file).items()}
    return Checkpoint(state, _stored(found[0], layout), tuple(found))


def _read_file(path: Path, layout: Layout, options: Mapping[str, Any]) -> Checkpoint:
    """A checkpoint of one file, which must hold every part."""
    state = read_state_dict(path, layout.stem)
    heads = {key.partition(".")[0] for key in state}
    if layout.parts and heads != layout.parts.keys():
        raise ModelError(
            f"{path}: is not a whole network ({' and '.join(f'{part}.*' for part in layout.parts)}), but has entries "
            f"such as {next(iter(state))}; give a folder with {_listed(layout, options)}"
        )
    return Checkpoint(state, _stored(path, layout), (path,))


def _stored(path: Path, layout: Layout) -> dict[str, Any]:
    return {} if layout.stored_options is None else layout.stored_options(path)


def _part_files(layout: Layout, options: Mapping[str, Any]) -> dict[str, str]:
    return {part: name.format(**options) for part, name in layout.parts.items()}


def _listed(layout: Layout, options: Mapping[str, Any]) -> str:
    *first, last = _part_files(layout, options).values()
    return f"{', '.join(first)} and {last}"


def _merged(
    network: Callable[..., DepthModel],
    info: ModelInfo,
    path: Path,
    stored: dict[str, Any],
    given: dict[str, Any],
    decided: tuple[str, ...],
) -> dict[str, Any]:
    """Options for the network: of the caller, then of the checkpoint; those that it decides the other way round."""
    variant = stored.get("variant")
    if variant is not None and given.get("variant", variant) != variant:
        names = [other.name for other in registered()]
        way = f"create_model({variant!r}, weights=...) reads it" if variant in names else "leave out the variant"
        raise ModelError(f"{path}: holds {variant}, not {given['variant']}; {way}")
    unknown = [name for name in stored if name not in inspect.signature(network).parameters]
    if unknown:
        raise ModelError(f"{path}: its config.json has the option {unknown[0]!r}, which {info.name} has not")
    for name in decided:
        if name not in stored | given:
            raise OptionError(f"{path}: does not tell the size it was trained at; give {name}=(height, width)")
    return stored | given | {name: stored[name] for name in decided if name in stored}


def _changed(network: Callable[..., Any], stored: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The options of the caller that are not what the checkpoint, or else the network, says without them."""
    before = _defaults(network) | stored
    return {name: value for name, value in given.items() if _plain(value) != _plain(before.get(name))}


def _defaults(network: Callable[..., Any]) -> dict[str, Any]:
    return {name: one.default for name, one in inspect.signature(network).parameters.items()}


def _plain(value: Any) -> Any:
    """Lists for tuples, which JSON does not know."""
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
