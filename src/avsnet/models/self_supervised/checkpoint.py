"""Checkpoints of the Monodepth2 family: two networks, `encoder` and `decoder`, and the size that they were trained at.

Three layouts hold the same entries. Published: a folder with `encoder.pth` and `depth.pth`, one flat state dict each,
in the first of them also `height` and `width`. Published, one file: both networks under `encoder.` and `decoder.`.
Ours: a folder as `save_pretrained` writes it, `model.safetensors` and `config.json`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from avsnet.errors import ModelError, OptionError
from avsnet.models.registry import ModelInfo
from avsnet.weights import default_weights, load_strictly, read_entries, read_folder, read_state_dict, weights_hash

DEPTH_FILES = {"encoder": "encoder.pth", "decoder": "depth.pth"}
"""Part of the network -> its file in a published folder."""

PROFILER = (r".*\.total_(ops|params)",)
"""Counters that a profiler left in published files."""

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Checkpoint:
    """What was read.

    Args:
        state: key -> tensor, the keys of each part behind the part's name and a dot.
        options: for the network's constructor; `input_size` where the files tell it.
        files: that were read.
    """

    state: dict[str, Tensor]
    options: dict[str, Any]
    files: tuple[Path, ...]


def read_checkpoint(path: str | Path, parts: dict[str, str] = DEPTH_FILES) -> Checkpoint:
    """Read a checkpoint in any of the three layouts.

    Args:
        path: file or folder.
        parts: of the network, each with its file in a published folder.

    Raises:
        ModelError: files are missing or broken, or hold only a part of the network.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "config.json").is_file():
            options, state = read_folder(path)
            return Checkpoint(state, options, (path / "model.safetensors",))
        files = {part: path / name for part, name in parts.items()}
        if all(file.is_file() for file in files.values()):
            state = {
                f"{part}.{key}": value for part, file in files.items() for key, value in read_state_dict(file).items()
            }
            return Checkpoint(state, _stored_size(next(iter(files.values()))), tuple(files.values()))
        whole = [file for file in files.values() if file.is_file()]
        if not whole:
            raise ModelError(f"{path}: holds neither {_listed(parts)} nor config.json; give a folder of a checkpoint")
        path = whole[0]
    state = read_state_dict(path)
    absent = [part for part in parts if not any(key.startswith(f"{part}.") for key in state)]
    if absent or any(key.split(".")[0] not in parts for key in state):
        raise ModelError(
            f"{path}: is not a whole network ({' and '.join(f'{part}.*' for part in parts)}), but has entries such as "
            f"{next(iter(state))}; give a folder with {_listed(parts)}"
        )
    return Checkpoint(state, _stored_size(path), (path,))


def build(
    network: Callable[..., Network],
    info: ModelInfo,
    options: dict[str, Any],
    weights: str | Path | None = None,
    imagenet: str | Path | None = None,
    *,
    unused: Iterable[str] = (),
    adapt: Callable[[dict[str, Tensor], Path], dict[str, Tensor]] | None = None,
) -> Network:
    """Build a network: fresh, to be trained from ImageNet, or as its checkpoint says.

    Args:
        network: its class, which has `smallest` (as `sized` has it) and `load_imagenet`.
        info: of the model.
        options: of the caller; None: not given. They come before the checkpoint's. An `input_size` beside a checkpoint
            changes nothing but the size at which pictures are seen.
        weights: file or folder, or `"default"`.
        imagenet: file of an encoder that was trained on ImageNet, to start training from.
        unused: as `avsnet.weights.load_strictly` has it.
        adapt: checks the entries of the file that is named with them, and brings them to the names of the class.

    Raises:
        ModelError: not this model's checkpoint.
        OptionError: an option outside what it allows, or no input size where the checkpoint does not tell it.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if weights is None:
        fresh = network(**given)
        if imagenet is not None:
            fresh.load_imagenet(imagenet)  # type: ignore[operator]
        return fresh
    if imagenet is not None:
        raise OptionError(f"{info.name}: give weights or imagenet, not both")
    path = default_weights(info.name, info.published) if weights == "default" else Path(weights)
    checkpoint = read_checkpoint(path)
    state = checkpoint.state if adapt is None else adapt(checkpoint.state, path)
    try:
        built = network(**_merged(network, info, path, checkpoint.options, given))
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from None
    load_strictly(built, state, path, unused=unused)
    if "input_size" in given:
        built.info = sized(info, given["input_size"], network.smallest)  # type: ignore
    built.weights_hash = weights_hash(*checkpoint.files)  # type: ignore[assignment]
    return built


def _merged(
    network: Callable[..., nn.Module], info: ModelInfo, path: Path, stored: dict[str, Any], given: dict[str, Any]
) -> dict[str, Any]:
    """Options for the class: of the checkpoint, then of the caller, but the size that it was trained at."""
    unknown = [name for name in stored if name not in inspect.signature(network).parameters]
    if unknown:
        raise ModelError(f"{path}: its config.json has the option {unknown[0]!r}, which {info.name} has not")
    if "input_size" not in stored | given:
        raise OptionError("does not tell the size it was trained at; give input_size=(height, width)")
    return given | stored | {key: value for key, value in given.items() if key != "input_size"}


def sized(info: ModelInfo, input_size: Sequence[int], smallest: int) -> ModelInfo:
    """The info of a model whose default input size is another.

    Args:
        info: of the model at its published size.
        input_size: (height, width) in pixels.
        smallest: pixels; below it a map inside the network gets too small to be padded by reflection.

    Raises:
        OptionError: no such size.
    """
    sides, multiple = tuple(input_size) if isinstance(input_size, Sequence) else (), info.size_multiple or 1
    if len(sides) != 2 or any(type(side) is not int or side < smallest or side % multiple for side in sides):
        raise OptionError(
            f"input_size {input_size}: give (height, width) in whole pixels, multiples of {multiple} from {smallest}"
        )
    return replace(info, size=sides)


def _stored_size(path: Path) -> dict[str, Any]:
    """The option `input_size`, where the file has `height` and `width`."""
    entries = read_entries(path) if path.suffix != ".safetensors" else {}
    sides = tuple(entries.get(name) for name in ("height", "width"))
    if sides == (None, None):
        return {}
    if any(type(side) is not int or side < 1 for side in sides):
        raise ModelError(f"{path}: its height and width are {sides[0]!r} and {sides[1]!r}, not whole pixels")
    return {"input_size": sides}


def _listed(parts: dict[str, str]) -> str:
    return " and ".join(parts.values())
