"""How a network of the Monodepth2 family comes to be: fresh, from ImageNet, or from a checkpoint with its size.

Its published checkpoint is a folder with `encoder.pth` and `depth.pth`, one flat state dict each, in the first of them
also the `height` and `width` at which it was trained; or one file with both networks under `encoder.` and `decoder.`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from avsnet.errors import ModelError, OptionError
from avsnet.models.info import ModelInfo
from avsnet.models.load import Layout, as_published, build
from avsnet.weights import read_entries

PROFILER = r".*\.total_(ops|params)"
"""Counters that a profiler left in published files."""


def family_layout(*unused: str, own_keys: Callable[..., Any] = as_published) -> Layout:
    """The layout of the family's checkpoints.

    Args:
        unused: as `Layout` has it, beside the profiler's counters.
        own_keys: likewise.
    """
    parts = {"encoder": "encoder.pth", "decoder": "depth.pth"}
    return Layout(own_keys, (*unused, PROFILER), parts, stored_size, decided=("input_size",))


def start(
    network: Any,
    info: ModelInfo,
    options: dict[str, Any],
    weights: str | Path | None,
    imagenet: str | Path | None,
    layout: Layout,
) -> Any:
    """Build a network: fresh, to be trained from ImageNet, or as its checkpoint says.

    Args:
        network: its class, which has `smallest` (as `sized` has it) and `load_imagenet`.
        info: of the model.
        options: of the caller; None: not given. An `input_size` beside a checkpoint changes nothing but the size at
            which pictures are seen.
        weights: file or folder, or `"default"`.
        imagenet: file of an encoder that was trained on ImageNet, to start training from.
        layout: of the published files.

    Raises:
        ModelError: not this model's checkpoint.
        OptionError: an option outside what it allows, or no input size where the checkpoint does not tell it.
    """
    if weights is not None and imagenet is not None:
        raise OptionError(f"{info.name}: give weights or imagenet, not both")
    built = build(network, info, options, weights, layout)
    if imagenet is not None:
        built.load_imagenet(imagenet)
    if weights is not None and options.get("input_size") is not None:
        built.info = sized(info, options["input_size"], network.smallest)
    return built


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


def stored_size(path: Path) -> dict[str, Any]:
    """The option `input_size`, where the file has `height` and `width`."""
    entries = read_entries(path)
    sides = tuple(entries.get(name) for name in ("height", "width"))
    if sides == (None, None):
        return {}
    if any(type(side) is not int or side < 1 for side in sides):
        raise ModelError(f"{path}: its height and width are {sides[0]!r} and {sides[1]!r}, not whole pixels")
    return {"input_size": sides}
