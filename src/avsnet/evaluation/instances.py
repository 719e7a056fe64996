"""Data to evaluate on: every instance with its picture, its echo under a condition, and its true depth."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.rig import Rig
from avsnet.errors import AvsnetError, DataError, EchoError, OptionError

_LATE = 0.005  # seconds: 0.86 m of range
_DIRECT = 0.004  # seconds from the direct sound on that belong to it: the sweep and the rig's body


@dataclass(frozen=True, eq=False)
class Case:
    """One instance.

    Attributes:
        id: unique, stable, sortable.
        picture: (H, W, 3) uint8 RGB.
        depth: (H, W) float32 metres, 0 = unknown.
        valid: (H, W) bool.
        waveform: (2, N) float32 tensor, or None.
        sample_rate: hertz.
        intrinsics: (3, 3) pixels of this picture, or None.
        rig: with which it was recorded; None: nobody says.
        group: what it shares with images that are hard or easy together: building, room or scene.
        subset: "ambiguous" or "cued" for simulated rooms, whether all in them scales with the room; what the data calls
            a part of itself; else "".
        room_type: the kind of room, where the data tells; else "".
    """

    id: str
    picture: np.ndarray
    depth: np.ndarray
    valid: np.ndarray
    waveform: torch.Tensor | None = None
    sample_rate: int = SAMPLE_RATE
    intrinsics: np.ndarray | None = None
    rig: Rig | None = None
    group: str = ""
    subset: str = ""
    room_type: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """What tables are divided by: group, subset, room_type, and fov, the horizontal field of view in degrees."""
        fov = ""
        if self.intrinsics is not None:
            fov = f"{math.degrees(2.0 * math.atan(self.depth.shape[1] / 2.0 / self.intrinsics[0, 0])):.0f}"
        return {"group": self.group, "subset": self.subset, "room_type": self.room_type, "fov": fov}


class Cases:
    """The instances of a data set, as `Case`s.

    Args:
        data: gives samples of the contract, with depth, at the size at which maps are evaluated.
        name: of the data set, for tables and folders.
        cap: metres; deeper pixels do not count, and predictions are lowered to it.
        seed: of the permutation behind shuffled echoes.

    Attributes:
        other: (N,) whose echo each instance gets where echoes are shuffled.

    Raises:
        OptionError: the seed is below 0.
    """

    counts_unknown = False
    """Whether rows say how many of the pixels that count a map leaves unknown."""

    def __init__(self, data: Dataset[Any], name: str, cap: float, seed: int = 0) -> None:
        self.data, self.name, self.cap, self.seed = data, name, cap, seed
        if seed < 0:
            raise OptionError(f"seed {seed} is below 0")
        self.length = len(data)  # type: ignore[arg-type]
        # A cycle through all instances in random order: nobody gets the own echo, and everybody's is used once.
        order = np.random.default_rng([seed, self.length]).permutation(self.length)
        scenes, step = getattr(data, "scenes", None), 1
        if scenes is not None:
            # Scene by scene, and farther on than the largest reaches: nobody gets an echo of the own scene either.
            _, scene, sizes = np.unique(np.array(scenes)[order], return_inverse=True, return_counts=True)
            order, step = order[np.argsort(scene, kind="stable")], int(sizes.max())
        self.other = np.empty_like(order)
        self.other[order] = np.roll(order, step)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Case:
        """The instance with its own echo.

        Raises:
            DataError: an unreadable row, or one without depth or picture.
        """
        try:
            sample = self.data[index]
        except (DataError, OptionError):
            raise
        except AvsnetError as error:  # of a file of this row
            raise DataError(f"row {index}: {error}") from None
        if not {"image", "depth", "valid"} <= sample.keys():
            raise DataError(f"{sample.get('id', index)}: has no picture or no depth, so nothing can be evaluated on it")
        picture = (sample["image"] * 255.0).round().to(torch.uint8).permute(1, 2, 0).numpy()
        intrinsics = sample.get("intrinsics")
        return Case(
            id=sample["id"],
            picture=picture,
            depth=sample["depth"][0].numpy(),
            valid=(sample["valid"] & (sample["depth"] <= self.cap))[0].numpy(),
            waveform=sample.get("waveform"),
            sample_rate=int(sample.get("sample_rate", SAMPLE_RATE)),
            intrinsics=None if intrinsics is None else intrinsics.double().numpy(),
            rig=sample.get("rig"),
            group=self._told("group_of", sample["id"]) or sample["id"],
            subset=_subset(sample),
            room_type=str(sample.get("room_type") or self._told("room_type_of", sample["id"])),
        )

    @property
    def grouping(self) -> str:
        """What the groups of the images are, for the header of tables."""
        if hasattr(self.data, "group_of"):
            return "of one building, room or scene; intervals are of whole groups"
        return "not told by the data: every image counts as one by itself, so that intervals may be too narrow"

    def _told(self, what: str, identity: str) -> str:
        """What the data set says of an image; "" where it does not."""
        ask = getattr(self.data, what, None)
        return "" if ask is None else str(ask(identity))

    def heard(self, case: Case, index: int, echo: str) -> dict[str, Any]:
        """What a system hears of an instance under a condition: `waveform` and `sample_rate`, or nothing.

        Args:
            case: the instance.
            index: its place.
            echo: one of `avsnet.evaluation.trials.ECHOES`.

        Raises:
            DataError: the row whose echo is to be heard is unreadable.
        """
        if case.waveform is None:
            return {}
        waveform, sample_rate = case.waveform, case.sample_rate
        if echo == "shuffled":
            other = self[int(self.other[index])]
            if other.waveform is None:
                raise DataError(f"{other.id}: has no echo to shuffle")
            waveform, sample_rate = other.waveform, other.sample_rate
        elif echo == "silent":
            waveform = torch.zeros_like(waveform)
        elif echo == "late":
            waveform = _late(waveform, sample_rate)
        return {"waveform": waveform, "sample_rate": sample_rate}

    def fingerprint(self) -> str:
        """What tells this data set from another in a folder of cached maps: its name, length and shuffling."""
        return hashlib.sha256(f"{self.name}|{self.length}|{self.seed}".encode()).hexdigest()[:12]


def _subset(sample: dict[str, Any]) -> str:
    """What part of the data the sample belongs to: what it says itself, or whether all in its room scales with it."""
    if "ambiguous" in sample:
        return "ambiguous" if sample["ambiguous"] else "cued"
    return str(sample.get("subset", ""))


def _late(waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """(2, N) everything after the direct sound 5 ms later, silence in between."""
    shift = round(_LATE * sample_rate)
    try:
        cut = direct_sound(waveform.numpy()) + round(_DIRECT * sample_rate)
    except EchoError:
        return waveform
    moved = torch.zeros_like(waveform)
    moved[:, :cut] = waveform[:, :cut]
    if cut + shift < waveform.shape[1]:
        moved[:, cut + shift :] = waveform[:, cut:-shift]
    return moved
