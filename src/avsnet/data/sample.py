"""The sample contract: what a data set gives, and what every model and loss takes.

A sample is a dict; a batch is the same dict with a leading B. Keys beyond these are nobody's business here. A
key may be absent (a network that only hears needs no image, a prediction needs no depth), but what is there
must be right.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from avsnet.errors import SampleError


@dataclass(frozen=True)
class Entry:
    """What one key of a sample holds.

    Attributes:
        type: the dtype of a tensor, or `int` or `str`. A batch has a list of str; of int, one for all or a
            tensor (B,).
        meaning: unit and meaning, in words.
        shape: of one sample. A letter is a size on which all keys that use it agree.
        low: smallest value; in any case every number must be finite.
        high: largest value.
    """

    type: torch.dtype | type
    meaning: str
    shape: tuple[int | str, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    def describe(self, batched: bool) -> str:
        """What is wanted, for people."""
        if self.type is int:
            wanted = "int, or integers (B,)" if batched else "int"
        elif self.type is str:
            wanted = "list of B str" if batched else "str"
        else:
            wanted = _text(self.type, ("B", *self.shape) if batched else self.shape)
        return f"{wanted}: {self.meaning}"


SAMPLE_KEYS: dict[str, Entry] = {
    "image": Entry(torch.float32, "RGB within 0..1, not normalised", (3, "H", "W"), 0.0, 1.0),
    "waveform": Entry(torch.float32, "as recorded, within -1..1, channel 0 = left", (2, "N"), -1.0, 1.0),
    "sample_rate": Entry(int, "hertz, of waveform", low=1),
    "echo": Entry(torch.float32, "magnitudes >= 0, channel 0 = left", (2, "F", "T"), 0.0),
    "depth": Entry(torch.float32, "metres along the optical axis, 0 = unknown", (1, "H", "W"), 0.0),
    "valid": Entry(torch.bool, "pixels that count, all of known depth", (1, "H", "W")),
    "intrinsics": Entry(torch.float32, "pixels of this image size", (3, 3)),
    "id": Entry(str, "not empty; unique, stable, sortable"),
}
"""Every key of the contract."""

_SOURCES = ("image", "waveform", "echo")
_ROUNDING = 1e-6


def check_sample(sample: Mapping[str, Any], batched: bool = False) -> None:
    """Check a sample or a batch against the contract.

    It looks at every value, which on a GPU waits for them: for data sets and tests, not for inner loops.

    Args:
        sample: key -> value; unknown keys are allowed.
        batched: whether the tensors lead with B and `id` is a list.

    Raises:
        SampleError: the first defect; names the key, what was found and what is wanted.

    >>> check_sample({"image": torch.zeros(3, 4, 6), "id": "office/0001"})
    """
    if not isinstance(sample, Mapping):
        raise SampleError(f"sample: found {type(sample).__name__}, wanted a dict")
    if not any(key in sample for key in _SOURCES):
        raise SampleError(f"sample: found the keys {list(sample)}, wanted one of {', '.join(_SOURCES)} at least")
    if "waveform" in sample and "sample_rate" not in sample:
        raise SampleError(f"sample_rate: found none, wanted {SAMPLE_KEYS['sample_rate'].describe(batched)}")
    # What each letter stands for here, and which key said so first.
    sizes: dict[str, tuple[int, str]] = {}
    for key, entry in SAMPLE_KEYS.items():
        if key in sample and (defect := _defect(key, entry, sample[key], batched, sizes)):
            raise SampleError(f"{key}: found {defect}, wanted {entry.describe(batched)}")
    if "depth" in sample and "valid" in sample:
        unknown = int((sample["valid"] & (sample["depth"] == 0.0)).sum())
        if unknown:
            wanted = SAMPLE_KEYS["valid"].describe(batched)
            raise SampleError(f"valid: found {unknown} pixels whose depth is 0, wanted {wanted}")


def _defect(key: str, entry: Entry, value: Any, batched: bool, sizes: dict[str, tuple[int, str]]) -> str | None:
    """What is wrong with a value, most basic first; None if nothing is. Enters its sizes into `sizes`."""
    shape = _shape(entry, value, batched)
    # A batch may have one sample rate for all.
    wanted = ("B", *entry.shape) if batched and not isinstance(value, int) else entry.shape
    if shape is None or len(shape) != len(wanted):
        return _found(value)
    for letter, size in zip(wanted, shape, strict=True):
        if isinstance(letter, int):
            if size != letter:
                return _found(value)
            continue
        expected, first = sizes.setdefault(letter, (size, key))
        if size != expected:
            return f"{_found(value)} with {letter} = {size} where {first} has {letter} = {expected}"
        if size == 0:
            return f"{_found(value)} with {letter} = 0"
    if entry.type in (str, torch.bool):
        return None
    numbers = torch.as_tensor(value)
    strange = int((~torch.isfinite(numbers)).sum())
    if strange:
        return f"{strange} values that are NaN or infinite"
    low, high = numbers.min().item(), numbers.max().item()
    # Resizing and filtering in float32 may step over a bound of 1 by rounding; 0 stays a hard bound.
    if low < entry.low - _ROUNDING * abs(entry.low) or high > entry.high + _ROUNDING * abs(entry.high):
        return f"values from {low:g} to {high:g}"
    return None


def _shape(entry: Entry, value: Any, batched: bool) -> tuple[int, ...] | None:
    """The value's shape, or None where its type is not the entry's."""
    if entry.type is str:
        names = value if batched and isinstance(value, list) else [value]
        if not all(isinstance(name, str) and name for name in names):
            return None
        return (len(names),) if names is value else ()
    if isinstance(value, Tensor):
        whole = batched and entry.type is int and value.dtype in (torch.int32, torch.int64)
        return tuple(value.shape) if value.dtype == entry.type or whole else None
    return () if entry.type is int and type(value) is int else None


def _found(value: Any) -> str:
    if isinstance(value, Tensor):
        return _text(value.dtype, tuple(value.shape))
    return reprlib.repr(value) if isinstance(value, str | int | float | list) else type(value).__name__


def _text(dtype: torch.dtype | type, shape: tuple[int | str, ...]) -> str:
    return f"{str(dtype).removeprefix('torch.')} ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
