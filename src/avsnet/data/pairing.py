"""Which recording belongs to which picture, by the names of the files.

Sources: BatVision's names, in which `camera_47.jpeg` was taken while `audio_47.wav` was recorded; and those of TUM
RGB-D and ROS, whose files are named by the time at which they were taken, each by its own clock tick, as in
`1305031102.175304.png`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

TOLERANCE = 0.05
"""Seconds between a picture and its recording at most: five centimetres at a walking pace."""

_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_.T ]+(\d\d)[-_.:]?(\d\d)[-_.:]?(\d\d)(?:[.,](\d+))?$"
)
_DECIMAL = re.compile(r"(?<![\d.])(\d+)\.(\d+)$")
_EPOCH = re.compile(r"(?<![\d.])(1\d{9})(\d{3}|\d{6}|\d{9})?$")


@dataclass(frozen=True)
class Pair:
    """The recording of one picture.

    Attributes:
        recording: its file; None where none was found, or several.
        obstacle: why there is none; "" where there is one.
        candidates: those among which none could be chosen.
    """

    recording: Path | None
    obstacle: str = ""
    candidates: tuple[Path, ...] = ()


def pair(pictures: Sequence[Path], recordings: Sequence[Path], tolerance: float = TOLERANCE) -> list[Pair]:
    """Find the recording of each picture.

    It is the one of the same stem; else, where names end in a time stamp, the nearest within the tolerance that has no
    nearer picture; else the only one that ends in the same number, if no other picture does.

    Args:
        pictures: files; nothing is opened.
        recordings: files.
        tolerance: seconds.

    Returns:
        For each picture its `Pair`.
    """
    by_stem: defaultdict[str, list[Path]] = defaultdict(list)
    by_number: defaultdict[int | None, list[Path]] = defaultdict(list)
    for recording in recordings:
        by_stem[recording.stem].append(recording)
        if time_stamp(recording.stem) is None:
            by_number[_number(recording.stem)].append(recording)
    numbers = Counter(_number(picture.stem) for picture in pictures)
    stems = {picture.stem for picture in pictures}
    left = [picture for picture in pictures if picture.stem not in by_stem]
    nearest = _nearest(left, [one for one in recordings if one.stem not in stems], tolerance)
    found = []
    for picture in pictures:
        candidates = by_stem.get(picture.stem) or nearest.get(picture) or []
        number = _number(picture.stem)
        if not candidates and time_stamp(picture.stem) is None and number is not None and numbers[number] == 1:
            candidates = by_number.get(number, [])
        found.append(_chosen(picture, candidates, tolerance))
    return found


def time_stamp(stem: str) -> int | None:
    """The time at the end of a file's name without its suffix.

    Args:
        stem: ends in seconds with a fraction (TUM), in seconds, milli-, micro- or nanoseconds since 1970 (ROS), or in a
            date and a time of day.

    Returns:
        Nanoseconds, since 1970 or since whatever the seconds count from; None if there is none.

    >>> time_stamp("1305031102.175304"), time_stamp("camera_47")
    (1305031102175304000, None)
    """
    if date := _DATE.search(stem):
        try:
            moment = datetime(*map(int, date.groups()[:6]), tzinfo=timezone.utc)  # type: ignore[arg-type, misc]
        except ValueError:
            return None
        return int(moment.timestamp()) * 10**9 + _fraction(date[7] or "")
    if decimal := _DECIMAL.search(stem):
        return int(decimal[1]) * 10**9 + _fraction(decimal[2])
    if epoch := _EPOCH.search(stem):
        return int(epoch[1]) * 10**9 + _fraction(epoch[2] or "")
    return None


def _fraction(digits: str) -> int:
    """Nanoseconds of the digits behind a point."""
    return int(digits[:9].ljust(9, "0"))


def _number(stem: str) -> int | None:
    digits = re.search(r"\d+$", stem)
    return int(digits[0]) if digits else None


def _nearest(pictures: Sequence[Path], recordings: Sequence[Path], tolerance: float) -> dict[Path, list[Path]]:
    """Each picture's nearest recordings, several where they are equally near, if it is their nearest picture."""
    seen = sorted((time, path) for path in pictures if (time := time_stamp(path.stem)) is not None)
    heard = sorted((time, path) for path in recordings if (time := time_stamp(path.stem)) is not None)
    limit = round(tolerance * 1e9)
    return {
        path: near
        for time, path in seen
        if (near := [other for at, other in _closest(heard, time, limit) if abs(at - time) == _gap(seen, at)])
    }


def _closest(stamped: Sequence[tuple[int, Path]], time: int, limit: int) -> list[tuple[int, Path]]:
    """Those nearest to a time, all that are equally near."""
    gap = _gap(stamped, time)
    if gap is None or gap > limit:
        return []
    first, last = (bisect_left(stamped, bound, key=_time) for bound in (time - gap, time + gap + 1))
    return [entry for entry in stamped[first:last] if abs(entry[0] - time) == gap]


def _time(entry: tuple[int, Path]) -> int:
    return entry[0]


def _gap(stamped: Sequence[tuple[int, Path]], time: int) -> int | None:
    """How far the nearest of them is from a time."""
    place = bisect_left(stamped, time, key=_time)
    around = stamped[max(0, place - 1) : place + 1]
    return min((abs(at - time) for at, _ in around), default=None)


def _chosen(picture: Path, candidates: Sequence[Path], tolerance: float) -> Pair:
    if len(candidates) == 1:
        return Pair(candidates[0])
    if candidates:
        names = " and ".join(path.name for path in candidates[:2])
        return Pair(None, f"{names} may both be the recording of {picture.name}; keep or rename one", tuple(candidates))
    near = f", or within {tolerance:g} s by a time stamp" if time_stamp(picture.stem) is not None else ""
    return Pair(None, f"no recordings of the same stem or the same number at its end{near}")
