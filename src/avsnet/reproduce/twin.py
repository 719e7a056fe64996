"""The simulated twin of the paper's data: unseen historic rooms stand for BatVision V2, unseen offices for V1."""

from __future__ import annotations

from pathlib import Path

from avsnet.audio.range_axis import AS_RECORDED
from avsnet.evaluation.instances import Cases
from avsnet.rooms.dataset import Rooms

DOMAINS = {"V2": "historic", "V1": "offices"}
"""Which domain stands for which part."""

FIRST_SEED = 900_000
"""Of the rooms to test on; training keeps below it."""

SIZE = (240, 320)
"""Height and width of the pictures, pixels."""


def twin_cases(images: int, cache: Path, workers: int = 1) -> dict[str, Cases]:
    """Make the rooms to test on, those that are not there yet.

    Args:
        images: of each domain, one a room.
        cache: folder to keep them in.
        workers: processes that make them.

    Returns:
        "V2" and "V1" to the instances, as recorded: nothing is aligned.
    """
    cases = {}
    for part, domain in DOMAINS.items():
        seeds = range(FIRST_SEED, FIRST_SEED + images)
        rooms = Rooms(domain, seeds, size=SIZE, axis=AS_RECORDED, cache=cache)
        rooms.fill(workers)
        cases[part] = Cases(rooms, f"rooms:{domain}:{rooms.preset}", rooms.cap)
    return cases
