"""Deterministic weights for parity tests.

A golden case stores inputs and outputs only. The weights behind it are rebuilt by
`fill(state_dict)`: every floating-point entry is drawn from a stream seeded by the
CRC-32 of its key, so any implementation that understands a published checkpoint's
keys and shapes can rebuild the very weights the outputs were computed with.

NumPy's legacy `RandomState` is used on purpose: its stream is frozen for ever.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch


def fill_tensor(key: str, value: torch.Tensor) -> torch.Tensor:
    """The golden value of one state-dict entry (same shape and dtype as `value`).

    Integer entries (index tables, counters) are returned unchanged.
    """
    if not value.is_floating_point():
        return value.clone()
    noise = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(tuple(value.shape))
    if key.endswith("running_var"):
        out = 1.0 + 0.1 * np.abs(noise)
    elif key.endswith("running_mean"):
        out = 0.1 * noise
    elif value.ndim >= 2:
        fan_in = max(1, value.numel() // value.shape[0])
        out = noise / np.sqrt(fan_in)
    elif key.endswith("weight"):  # 1-D: the gain of a normalisation layer
        out = 1.0 + 0.1 * noise
    else:  # biases, layer-scale gains and other vectors
        out = 0.05 * noise
    return torch.from_numpy(np.asarray(out, dtype=np.float64)).to(value.dtype)


def fill(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A copy of `state_dict` with every floating-point entry replaced by its golden value."""
    return {key: fill_tensor(key, value) for key, value in state_dict.items()}


def from_shapes(shapes: dict[str, dict]) -> dict[str, torch.Tensor]:
    """Build a filled state dict from a `keys.json` table: {key: {"shape": [...], "dtype": "float32"}}.

    Integer entries come out as zeros: they are index tables that a model computes for itself.
    """
    empty = {key: torch.zeros(entry["shape"], dtype=getattr(torch, entry["dtype"])) for key, entry in shapes.items()}
    return fill(empty)
