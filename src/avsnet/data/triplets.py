"""Triplets: a picture and its two neighbours in time, from which relative depth is learned without any depth.

Source: the paper's triplets of BatVision V1, "at a 20-frame time interval", read as frames t - 20, t and t + 20 of one
recording and one split.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch.utils.data import Dataset

from avsnet.errors import DataError, OptionError, UnusableError

TRIPLET_KEYS = ("id", "image", "earlier", "later", "intrinsics")
"""What a triplet holds: its target's name and picture, the frames before and after it, and their camera."""

GAP = 5.0
"""Frames that are further apart than so many times the median distance belong to different recordings."""

DARK = 0.03
"""Mean of a picture within 0..1, below which it is dark: a covered lens, a room without light."""

STILL = 0.003
"""Mean difference of two frames, in squares of 4 x 4 pixels, below which the camera stands still.

Of 360 simulated triplets, twenty frames apart at 160 x 96, the smallest has 0.0039; noise alone makes 0.0023.
"""


def continuous(times: Sequence[float]) -> list[int]:
    """Which recording each frame belongs to.

    Args:
        times: of frames in their order; seconds, or any other unit.

    Returns:
        0 for the frames of the first recording, 1 for those after the first long gap, and so on.

    >>> continuous([0.0, 0.1, 0.2, 60.0, 60.1])
    [0, 0, 0, 1, 1]
    """
    gaps = np.diff(times)
    longest = GAP * np.median(gaps) if len(gaps) else 0.0
    return np.cumsum([0, *(gaps > longest)]).tolist() if len(times) else []


def find_triplets(recordings: Sequence[Hashable], interval: int) -> list[tuple[int, int, int]]:
    """The triplets of frames: each frame with those `interval` before and after it in its recording, if there are any.

    Args:
        recordings: of each frame, whose order within each recording is that of time.
        interval: frames from a picture to its neighbours.

    Returns:
        Places of earlier, target and later frame, in the order of the targets.

    Raises:
        OptionError: the interval is not a whole number of 1 or more.

    >>> find_triplets(["a", "a", "a", "b", "b"], 1)
    [(0, 1, 2)]
    """
    if type(interval) is not int or interval < 1:
        raise OptionError(f"interval: found {interval!r}, wanted a whole number of frames, 1 or more")
    places: dict[Hashable, list[int]] = {}
    for place, recording in enumerate(recordings):
        places.setdefault(recording, []).append(place)
    return sorted(
        (triplet for one in places.values() for triplet in zip(one, one[interval:], one[2 * interval :], strict=False)),
        key=lambda triplet: triplet[1],
    )


@dataclass(frozen=True)
class Footage:
    """Frames of moving cameras, of which triplets can be made.

    Attributes:
        frames: samples with id, image and intrinsics.
        recordings: of each frame, whose order within each recording is that of time.
        interval: frames from a picture to its neighbours.
        missing: places without a picture, which keep their place in time.
        camera_known: whether every frame has a camera of its own.
        counts: how many triplets there are in which split, for people; "" where `count` says it all.
    """

    frames: Dataset[dict[str, Any]]
    recordings: Sequence[Hashable]
    interval: int
    missing: frozenset[int] = frozenset()
    camera_known: bool = True
    counts: str = ""

    def triplets(self) -> list[tuple[int, int, int]]:
        """As `find_triplets`, of pictures that are there."""
        found = find_triplets(self.recordings, self.interval)
        return [triplet for triplet in found if self.missing.isdisjoint(triplet)]

    def count(self) -> str:
        """How many there are, for people."""
        return f"{len(self.triplets())} triplets of {len(self.recordings)} frames"


class Triplets(Dataset[dict[str, Any]]):
    """Triplets of a data set of frames.

    Args:
        frames: samples with id, image and intrinsics.
        triplets: as of `find_triplets`.
        remarks: lines for people, such as how many there are.

    Raises:
        DataError: there is no triplet.
    """

    def __init__(
        self,
        frames: Dataset[dict[str, Any]],
        triplets: Sequence[tuple[int, int, int]],
        remarks: Sequence[str] = (),
    ) -> None:
        if not triplets:
            raise DataError(
                f"{remarks[0] if remarks else 'no triplets'}; a recording gives some from 2 x interval + 1 frames on: "
                "give a smaller data.interval, or longer recordings"
            )
        self.frames, self.triplets, self.remarks = frames, triplets, remarks

    def __len__(self) -> int:
        return len(self.triplets)

    def __getitem__(self, row: int) -> dict[str, Any]:
        """One triplet: image, earlier and later (3, H, W) within 0..1, intrinsics (3, 3), id of the target.

        Raises:
            AvsnetError: a frame cannot be read.
            UnusableError: a frame is dark, or the camera stands still.
        """
        earlier, target, later = (self.frames[place] for place in self.triplets[row])
        found = {
            "id": target["id"],
            "image": target["image"],
            "earlier": earlier["image"],
            "later": later["image"],
            "intrinsics": target["intrinsics"],
        }
        check_usable(found)
        return found


def check_usable(triplet: dict[str, Any]) -> None:
    """Refuse a triplet that teaches nothing.

    One neighbour that is the target again is enough: at every pixel it explains the target best, as no depth does.

    Args:
        triplet: id, image, earlier and later.

    Raises:
        UnusableError: a frame is dark, or the camera stands still; names the triplet and the value.
    """
    frames = {name: triplet[name] for name in ("image", "earlier", "later")}
    for name, picture in frames.items():
        if (mean := float(picture.mean())) < DARK:
            raise UnusableError(f"{triplet['id']}: dark, its {name} has a mean of {mean:.3f} (below {DARK})")
    # In squares, so that noise, which differs between frames of a standing camera, is averaged away.
    before, target, after = (F.avg_pool2d(frames[name], 4, ceil_mode=True) for name in ("earlier", "image", "later"))
    moved = min(float((target - before).abs().mean()), float((after - target).abs().mean()))
    if moved < STILL:
        raise UnusableError(f"{triplet['id']}: still, neighbours differ by {moved:.4f} (below {STILL})")
