"""The rooms where sight fails as a data set: `failures:DOMAIN:FIRST-LAST`, every kind and twin of every room."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.range_axis import AS_RECORDED, RangeAxis
from avsnet.data.reading import Reading
from avsnet.data.registry import DataSetInfo, register_data_set
from avsnet.metrics import valid_depth
from avsnet.rooms.dataset import parse_rooms
from avsnet.rooms.failures import KINDS, failure
from avsnet.rooms.preset import find_domain, find_preset

SIZE = (240, 320)
"""Height and width of the pictures, pixels, unless asked otherwise."""


class FailureSet(Dataset[dict[str, Any]]):
    """Rooms where sight fails and their plain twins, as samples of the contract, with `rig`, `room_type` and `subset`.

    Args:
        domain: `"offices"` or `"historic"`.
        rooms: their seeds; tests take those from 900 000 on, which nothing is trained on.
        size: (h, w) of picture and depth, pixels.
        axis: of recordings.
        cap: metres; None: the domain's.
        keys: which of image, waveform and depth to give.

    Attributes:
        items: seed and kind of each sample; ids are `<domain>/<seed>/<kind>`.
        scenes: of each sample; echoes are shuffled between scenes, all of which one rig recorded.
    """

    def __init__(
        self,
        domain: str,
        rooms: range,
        *,
        size: tuple[int, int] = SIZE,
        axis: RangeAxis = AS_RECORDED,
        cap: float | None = None,
        keys: tuple[str, ...] = ("image", "waveform", "depth"),
    ) -> None:
        self.domain, self.size, self.axis, self.keys = domain, size, axis, keys
        self.cap = find_domain(domain, find_preset("rooms-1")).cap if cap is None else cap
        self.items = [(seed, kind) for seed in rooms for kind in KINDS]
        self.scenes = [seed for seed, _ in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def group_of(self, identity: str) -> str:
        """What images share that are hard or easy together: the room."""
        return identity.rpartition("/")[0]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The sample at a place; its depth is exact, and of a pane or mirror that of the pane."""
        seed, kind = self.items[index]
        made = failure(self.domain, seed, kind, self.size)
        found: dict[str, Any] = {
            "id": f"{self.domain}/{seed:07d}/{kind}",
            "intrinsics": torch.from_numpy(made.intrinsics.astype(np.float32)),
            "subset": kind,
            "room_type": made.room_type,
        }
        if "image" in self.keys:
            found["image"] = torch.from_numpy(made.rgb.transpose(2, 0, 1).astype(np.float32) / np.float32(255.0))
        if "depth" in self.keys:
            depth, valid = valid_depth(made.depth, self.cap)
            found |= {"depth": torch.from_numpy(depth)[None], "valid": torch.from_numpy(valid)[None]}
        if "waveform" in self.keys:
            waveform = self.axis.place(made.waveform, made.rig.direct_sample)
            found |= {"waveform": torch.from_numpy(waveform), "sample_rate": SAMPLE_RATE, "rig": made.rig.geometry}
        return found


def _open(where: str, reading: Reading) -> FailureSet:
    domain, seeds = parse_rooms("failures", where)
    size, keys = reading.size or SIZE, tuple(reading.keys)
    return FailureSet(domain, seeds, size=size, axis=reading.axis, cap=reading.cap, keys=keys)


register_data_set(DataSetInfo("failures", _open, where="DOMAIN:FIRST-LAST"))
