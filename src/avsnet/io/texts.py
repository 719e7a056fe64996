"""Text, JSON and YAML from anyone: bounded in size, in depth, in its numbers and in what its aliases unfold to."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from avsnet.io.limits import NESTING, SETTINGS, TEXT, UNFOLDED, Limit


def read_text(path: str | Path, limit: Limit = TEXT) -> str:
    """The text of a file, UTF-8 with or without a byte order mark.

    Args:
        path: the file.
        limit: of its bytes.

    Raises:
        LimitError: it is longer; the message does not name the file, nor do the others.
        OSError, ValueError: it cannot be read, or is no text.
    """
    with open(path, "rb") as file:
        content = file.read(limit.most + 1)
        if len(content) > limit.most:
            limit.check(max(Path(path).stat().st_size, len(content)))
    return content.decode("utf-8-sig")


def read_json(path: str | Path) -> Any:
    """What a JSON file holds: every number of it can be computed with, nothing is nested more than `NESTING` deep.

    NaN and Infinity, which JSON does not know and Python writes, are left to the reader of the entry.

    Raises:
        LimitError: too long, or nested too deeply.
        OSError, ValueError: it cannot be read, or is no such JSON; the message does not name the file.
    """
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """The same of a text.

    >>> parse_json('{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    """
    try:
        found = json.loads(text, parse_float=_finite, parse_int=_countable)
    except RecursionError:
        raise ValueError(f"nested more than {NESTING.most} levels deep; {NESTING.variable} sets that") from None
    NESTING.check(_depth(found))
    return found


def parse_yaml(text: str) -> Any:
    """The first document of a YAML text, by YAML's own few types.

    Raises:
        LimitError: too long, nested too deeply, or full of aliases.
        ValueError: it is no YAML.
    """
    import yaml

    SETTINGS.check(len(text))
    try:
        _check_events(yaml.parse(text, Loader=yaml.SafeLoader))
        return next(iter(yaml.safe_load_all(text)), None)
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large to compute with")
    return value


def _countable(text: str) -> int:
    if len(text) > 20 or abs(int(text)) >= 2**64:
        raise ValueError(f"the number {text[:40]} is too large to compute with")
    return int(text)


def _depth(found: Any) -> int:
    """How many lists and dicts are within each other, counted without recursion."""
    deepest = 0
    waiting = [(found, 1)]
    while waiting:
        value, depth = waiting.pop()
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        if inner is not None:
            deepest = max(deepest, depth)
            waiting += [(part, depth + 1) for part in inner if isinstance(part, dict | list)]
    return deepest


def _check_events(events: Iterator[Any]) -> None:
    """Refuse YAML that is nested too deeply or unfolds to too much, before anything of it is built."""
    import yaml

    counts, names = [0], [""]
    known: dict[str, int] = {}
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in names:
                raise ValueError(f"the alias *{event.anchor} stands within what it repeats")
            counts[-1] += known.get(event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            counts.append(1)
            names.append(event.anchor or "")
            NESTING.check(len(counts) - 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            count, name = counts.pop(), names.pop()
            known[name] = count
            counts[-1] += count
        elif isinstance(event, yaml.ScalarEvent):
            counts[-1] += 1
            known[event.anchor or ""] = 1
        UNFOLDED.check(counts[-1])
