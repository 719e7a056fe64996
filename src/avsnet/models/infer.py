"""From a picture to a model's map at the picture's own size.

The one place where pictures are resized, padded and mirrored for a network, and maps brought back. What is done is
data of the model (`ModelInfo`), taken from its authors' published test-time rule.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from avsnet.errors import AvsnetError, ModelError
from avsnet.models.registry import ModelInfo
from avsnet.models.resize import input_size, to_image_size, to_model_input

_BLEND_SLOPE, _BLEND_BORDER = 20.0, 0.05  # of the width


def infer(
    model: torch.nn.Module, picture: np.ndarray, *, flip: bool = True, pad: bool = True, **heard: Any
) -> np.ndarray:
    """What a model says of one picture, at the picture's size: `network_map`, then `at_picture_size`.

    Args:
        model: keeps the contract of `avsnet.models` and carries its `ModelInfo` as `info`.
        picture: (H, W, 3) uint8 RGB.
        flip: as for `network_map`.
        pad: likewise.
        **heard: likewise.

    Returns:
        (H, W) float32 in the unit of `model.info.output`.

    Raises:
        ImageError: no such picture.
        ModelError: the model fails, or gives no such map, or NaN.
    """
    info: ModelInfo = model.info  # type: ignore[assignment]
    return at_picture_size(network_map(model, picture, flip=flip, pad=pad, **heard), info, picture.shape[:2], pad=pad)


def network_map(
    model: torch.nn.Module, picture: np.ndarray, *, flip: bool = True, pad: bool = True, **heard: Any
) -> np.ndarray:
    """What a model says of one picture, at the size at which it says it; its mode is left as it was.

    Args:
        model: keeps the contract of `avsnet.models` and carries its `ModelInfo` as `info`.
        picture: (H, W, 3) uint8 RGB.
        flip: whether to also run the mirrored picture, where the model's published rule does.
        pad: likewise, to pad by reflection.
        **heard: further entries of the batch, without the leading B: `waveform` (2, N) tensor, `sample_rate` int.

    Returns:
        (h, w) float32 in the unit of `model.info.output`, of the padded picture.

    Raises:
        ImageError: no such picture.
        ModelError: the model fails, or gives no such map, or NaN.
    """
    info: ModelInfo = model.info  # type: ignore[assignment]
    rows, columns = _margins(info, picture.shape[:2], pad)
    padded = np.pad(picture, ((rows, rows), (columns, columns), (0, 0)), "reflect") if rows or columns else picture
    image = to_model_input(padded, input_size(info, *padded.shape[:2]), info.resample)
    batch = _batch(image, heard, info.flip != "none" and flip)
    weight = next(model.parameters(), None)
    device = torch.device("cpu") if weight is None else weight.device
    batch = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in batch.items()}
    values = _forward(model, info, batch)
    return (_unflip(values, info.flip) if len(values) == 2 else values)[0, 0].numpy()


def at_picture_size(values: np.ndarray, info: ModelInfo, size: tuple[int, int], *, pad: bool = True) -> np.ndarray:
    """Bring a network's map to its picture: resized in its own unit, its padding cut off.

    Args:
        values: (h, w) as `network_map` gives it.
        info: of the network.
        size: (H, W) of the picture, pixels.
        pad: whether the picture was padded where the model's rule does.

    Returns:
        (H, W) float32, same unit.
    """
    (height, width), (rows, columns) = size, _margins(info, size, pad)
    whole = to_image_size(values, (height + 2 * rows, width + 2 * columns), info.upsample)
    return whole[rows : rows + height, columns : columns + width]


def _margins(info: ModelInfo, size: tuple[int, int], pad: bool) -> tuple[int, int]:
    """Rows and columns of reflection on each side: they hide what the training pictures' borders taught (ZoeDepth)."""
    rows, columns = (int(3.0 * (side / 2) ** 0.5) if info.pad and pad else 0 for side in size)
    return rows, columns


def _batch(image: Tensor, heard: dict[str, Any], flip: bool) -> dict[str, Any]:
    """The batch of one picture, or of it and its mirror image, whose ears change places."""
    batch = {"image": image} | {
        key: value[None] if isinstance(value, Tensor) else value for key, value in heard.items()
    }
    if not flip:
        return batch
    mirrored = {"image": -1, "waveform": 1, "echo": 1}
    return {
        key: torch.cat([value, value.flip(mirrored[key])]) if key in mirrored else value for key, value in batch.items()
    }


def _forward(model: torch.nn.Module, info: ModelInfo, batch: dict[str, Any]) -> Tensor:
    """(B, 1, h, w) float32 on the CPU."""
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        with torch.inference_mode():
            values = model(batch)[info.output].float().cpu()
    except AvsnetError:
        raise
    except Exception as error:  # anyone's network may raise anything
        rows, columns = batch["image"].shape[2:]
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{info.name}: fails on a picture of {columns} x {rows} pixels ({reason})") from error
    finally:
        for part in training:
            part.training = True
    if values.ndim != 4 or values.shape[:2] != (len(batch["image"]), 1):
        raise ModelError(f"{info.name}: gave {info.output} of shape {tuple(values.shape)}, not (1, 1, h, w)")
    if not torch.isfinite(values).all():
        raise ModelError(f"{info.name}: gave NaN or infinite values for this picture")
    return values


def _unflip(values: Tensor, rule: str) -> Tensor:
    """(2, 1, h, w) of a picture and of its mirror image -> (1, 1, h, w)."""
    direct, mirrored = values[:1], values[1:].flip(-1)
    mean = (direct + mirrored) / 2
    if rule == "mean":
        return mean
    place = torch.linspace(0.0, 1.0, values.shape[-1])
    left = 1.0 - (_BLEND_SLOPE * (place - _BLEND_BORDER)).clamp(0.0, 1.0)
    right = left.flip(0)
    return right * direct + left * mirrored + (1.0 - left - right) * mean
