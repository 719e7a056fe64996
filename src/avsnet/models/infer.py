"""From a picture to a model's map at the picture's own size.

The one place where pictures are resized, padded and mirrored for a network, and maps brought back. What is done is
data of the model (`ModelInfo`), taken from its authors' published test-time rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avsnet.errors import AvsnetError, ModelError
from avsnet.geometry import resize_intrinsics
from avsnet.models.contract import DepthModel
from avsnet.models.evaluating import evaluating
from avsnet.models.info import ModelInfo
from avsnet.models.resize import input_size, to_image_size, to_model_input, unknown_pixels

_BLEND_SLOPE, _BLEND_BORDER = 20.0, 0.05  # of the width


def infer(
    model: DepthModel,
    picture: np.ndarray,
    *,
    camera: np.ndarray | None = None,
    flip: bool = True,
    pad: bool = True,
    **heard: Any,
) -> np.ndarray:
    """What a model says of one picture, at the picture's size: `network_map`, then `at_picture_size`.

    Args:
        model: keeps the contract of `avsnet.models` and carries its `ModelInfo` as `info`.
        picture: (H, W, 3) uint8 RGB.
        camera: as for `network_map`.
        flip: likewise.
        pad: likewise.
        **heard: likewise.

    Returns:
        (H, W) float32 in the unit of `model.info.output`; where the model says that it does not know, 0, or NaN where 0
        could be a value.

    Raises:
        ImageError: no such picture.
        ModelError: the model fails, or gives no such map, or one of which no pixel is finite.
    """
    info = model.info
    values = network_map(model, picture, camera=camera, flip=flip, pad=pad, **heard)
    return at_picture_size(values, info, picture.shape[:2], pad=pad)


def network_map(
    model: DepthModel,
    picture: np.ndarray,
    *,
    camera: np.ndarray | None = None,
    flip: bool = True,
    pad: bool = True,
    **heard: Any,
) -> np.ndarray:
    """What a model says of one picture, at the size at which it says it; its mode is left as it was.

    Args:
        model: keeps the contract of `avsnet.models` and carries its `ModelInfo` as `info`.
        picture: (H, W, 3) uint8 RGB.
        camera: (3, 3) pixels of the picture, for a model that takes it; None: what the model assumes.
        flip: whether to also run the mirrored picture, where the model's published rule does.
        pad: likewise, to pad by reflection.
        **heard: further entries of the batch, without the leading B: `waveform` (2, N) tensor, `sample_rate` int.

    Returns:
        (h, w) float32 in the unit of `model.info.output`, of the padded picture.

    Raises:
        ImageError: no such picture.
        ModelError: the model fails, or gives no such map, or one of which no pixel is finite.
    """
    batch = batch_of_one(model.info, picture, camera=camera, pad=pad, **heard)
    return network_maps(model, batch, flip=flip)[0, 0].numpy()


def batch_of_one(
    info: ModelInfo, picture: np.ndarray, *, camera: np.ndarray | None = None, pad: bool = True, **heard: Any
) -> dict[str, Any]:
    """What a model takes of one picture, as `network_maps` wants it.

    Args:
        info: of the model.
        picture: as for `network_map`; likewise the others.
        camera: (3, 3) pixels of the picture.
        pad: whether to pad where the model's rule does.
        **heard: further entries of the batch, without the leading B.

    Raises:
        ImageError: no such picture.
    """
    rows, columns = _margins(info, picture.shape[:2], pad)
    padded = np.pad(picture, ((rows, rows), (columns, columns), (0, 0)), "reflect") if rows or columns else picture
    image = to_model_input(padded, input_size(info, *padded.shape[:2]), info.resample)
    others = {key: value[None] if isinstance(value, Tensor) else value for key, value in heard.items()}
    if camera is not None and info.takes_intrinsics:
        whole = camera + np.array([[0.0, 0.0, columns], [0.0, 0.0, rows], [0.0, 0.0, 0.0]])
        seen = resize_intrinsics(whole, padded.shape[:2], (image.shape[2], image.shape[3]))
        others["intrinsics"] = torch.from_numpy(seen).float()[None]
    return {"image": image, **others}


def network_map_each(
    model: DepthModel, batches: Sequence[dict[str, Any]], *, half: bool = False
) -> list[np.ndarray | AvsnetError]:
    """What a model says of each of several pictures; those of one shape go through it together.

    Args:
        model: as for `network_map`.
        batches: as `batch_of_one` makes them.
        half: as for `network_maps`.

    Returns:
        (h, w) float32 of each, in order, or the error with which the model fails on it; the others do not suffer.
    """
    found: dict[int, np.ndarray | AvsnetError] = {}
    for places in _alike(batches):
        try:
            maps = network_maps(model, _stacked([batches[place] for place in places]), half=half)
            found |= zip(places, maps[:, 0].numpy(), strict=True)
        except AvsnetError as error:
            if len(places) == 1:
                found[places[0]] = error
                continue
            # One of them is at fault, or together they need more memory than there is.
            found |= {place: network_map_each(model, [batches[place]], half=half)[0] for place in places}
    return [found[place] for place in range(len(batches))]


def _alike(batches: Sequence[dict[str, Any]]) -> list[list[int]]:
    """Places of batches that can be stacked: of the same entries and shapes."""
    places: dict[Any, list[int]] = {}
    for place, batch in enumerate(batches):
        form = [(key, tuple(value.shape) if isinstance(value, Tensor) else value) for key, value in batch.items()]
        places.setdefault(tuple(sorted(form)), []).append(place)
    return list(places.values())


def _stacked(batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One batch of several; what is no tensor is the same in all."""
    return {
        key: torch.cat([batch[key] for batch in batches]) if isinstance(value, Tensor) else value
        for key, value in batches[0].items()
    }


def network_maps(model: DepthModel, batch: dict[str, Any], *, flip: bool = True, half: bool = False) -> Tensor:
    """What a model says of a batch, wherever the model is, at the size at which it says it.

    Args:
        model: as for `network_map`.
        batch: of `avsnet.data.sample`; pictures of a size that is legal by the model's info.
        flip: whether to also run the mirrored batch, where the model's published rule does.
        half: whether to compute in half precision where that is safe (torch's autocast), on a GPU.

    Returns:
        (B, 1, h, w) float32 on the CPU, in the unit of `model.info.output`.

    Raises:
        ModelError: the model fails, or gives no such maps, or one of which no pixel is finite.
    """
    info = model.info
    weight = next(model.parameters(), None)
    device = torch.device("cpu") if weight is None else weight.device
    moved = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}
    with torch.autocast(device.type, torch.float16) if half else nullcontext():
        if info.flip == "none" or not flip:
            return _forward(model, info, moved)
        return _unflip(_forward(model, info, _with_mirrored(moved)), info)


def at_picture_size(values: np.ndarray, info: ModelInfo, size: tuple[int, int], *, pad: bool = True) -> np.ndarray:
    """Bring a network's map to its picture: resized in its own unit, its padding cut off.

    Args:
        values: (h, w) as `network_map` gives it.
        info: of the network.
        size: (H, W) of the picture, pixels.
        pad: whether the picture was padded where the model's rule does.

    Returns:
        (H, W) float32, same unit; of unknown pixels 0, or NaN where 0 could be a value.
    """
    (height, width), (rows, columns) = size, _margins(info, size, pad)
    unknown = unknown_pixels(values, info.output)
    if info.upsample_inverse:
        values = 1.0 / np.where(unknown, np.float32(1.0), values)
    whole = to_image_size(values, (height + 2 * rows, width + 2 * columns), info.upsample, unknown)
    cut = whole[rows : rows + height, columns : columns + width]
    if info.upsample_inverse:
        cut = 1.0 / cut
    if info.output.startswith("affine") or not unknown.any():
        return cut
    return np.nan_to_num(cut, nan=0.0)


def _margins(info: ModelInfo, size: tuple[int, int], pad: bool) -> tuple[int, int]:
    """Rows and columns of reflection on each side: they hide what the training pictures' borders taught (ZoeDepth)."""
    rows, columns = (int(3.0 * (side / 2) ** 0.5) if info.pad and pad else 0 for side in size)
    return rows, columns


def _with_mirrored(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch, and behind it its mirror image, whose ears change places."""
    mirrored = {"image": -1, "waveform": 1, "echo": 1}
    doubled: dict[str, Any] = {
        key: torch.cat([batch[key], batch[key].flip(axis)]) for key, axis in mirrored.items() if key in batch
    }
    if "intrinsics" in batch:
        camera = batch["intrinsics"].clone()
        camera[:, 0, 1] *= -1.0
        camera[:, 0, 2] = batch["image"].shape[-1] - 1 - camera[:, 0, 2]
        doubled["intrinsics"] = torch.cat([batch["intrinsics"], camera])
    if "sample_rate" in batch:  # one number for all, or one a recording
        rate = batch["sample_rate"]
        doubled["sample_rate"] = torch.cat([rate, rate]) if isinstance(rate, Tensor) and rate.ndim else rate
    return doubled


def _forward(model: DepthModel, info: ModelInfo, batch: dict[str, Any]) -> Tensor:
    """(B, 1, h, w) float32 on the CPU."""
    try:
        with evaluating(model), torch.inference_mode():
            values = model(batch)[info.output].float().cpu()
    except AvsnetError:
        raise
    except Exception as error:  # a third-party network may raise anything
        rows, columns = batch["image"].shape[2:] if "image" in batch else (0, 0)
        seen = f"a picture of {columns} x {rows} pixels" if columns else "this echo"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{info.name}: fails on {seen} ({reason})") from error
    count = len(next(batch[key] for key in ("image", "waveform", "echo") if key in batch))
    if values.ndim != 4 or values.shape[:2] != (count, 1):
        raise ModelError(f"{info.name}: gave {info.output} of shape {tuple(values.shape)}, not ({count}, 1, h, w)")
    if not torch.isfinite(values).flatten(1).any(dim=1).all():
        raise ModelError(f"{info.name}: gave NaN or infinite values alone for this picture")
    return values


def _unflip(values: Tensor, info: ModelInfo) -> Tensor:
    """(2 B, 1, h, w) of pictures and of their mirror images -> (B, 1, h, w); what one lacks counts from the other."""
    direct, mirrored = values[: len(values) // 2], values[len(values) // 2 :].flip(-1)
    known = [torch.from_numpy(~unknown_pixels(one.numpy(), info.output)) for one in (direct, mirrored)]
    direct, mirrored = torch.where(known[0], direct, mirrored), torch.where(known[1], mirrored, direct)
    mean = (direct + mirrored) / 2
    if info.flip == "mean":
        return mean
    place = torch.linspace(0.0, 1.0, values.shape[-1])
    left = 1.0 - (_BLEND_SLOPE * (place - _BLEND_BORDER)).clamp(0.0, 1.0)
    right = left.flip(0)
    return right * direct + left * mirrored + (1.0 - left - right) * mean
