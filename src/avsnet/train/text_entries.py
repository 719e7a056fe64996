"""Texts among a run's settings, taken as they were written: jsonargparse reads every word of a flag as YAML.

To YAML `#2`, `~` and `null` are nothing and `0x10` is a number; to us they are the names of files and folders.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from avsnet.errors import OptionError

_TEXTS = ("str", "str | None")
_LISTS = ("list[str]", "list[str] | str")
_NUMBER_OR_TEXT = "float | str | None"


def take_texts(
    entries: dict[str, Any], words: Sequence[str], levels: dict[str, type], source: str
) -> tuple[dict[str, Any], list[str]]:
    """Take the texts out of a file's entries and out of flags; a flag takes the place of an entry.

    A flag for a list takes one text, or a YAML list in brackets, which is left to the parser; so is `--name+=`.

    Args:
        entries: of the file, by level; those that are taken are removed.
        words: flags with underscores, as `--level.name=value` or in two words.
        levels: the settings' dataclasses by prefix, such as "data."; the upper one under "".
        source: what the entries are from, for messages.

    Returns:
        Text, or list of texts, by dotted name; the words that are left.

    Raises:
        OptionError: an empty text; names the entry or the flag.
    """
    kinds = {
        prefix + field.name: str(field.type) for prefix, level in levels.items() for field in dataclasses.fields(level)
    }
    found = _of_entries(entries, levels, kinds)
    found_in_flags, left = _of_words(words, kinds)
    for texts, where in ((found, source), (found_in_flags, "flags")):
        empty = next((name for name, text in texts.items() if text in ("", [""])), None)
        if empty is not None:
            raise OptionError(f"{where}: {empty} is empty; name something, or leave it out")
    given = {word.partition("=")[0].removeprefix("--") for word in left}
    return {name: text for name, text in found.items() if name not in given} | found_in_flags, left


def _of_entries(entries: dict[str, Any], levels: dict[str, type], kinds: dict[str, str]) -> dict[str, Any]:
    found = {}
    for prefix in levels:
        group = entries.get(prefix.rstrip("."), {}) if prefix else entries
        for name in list(group):
            kind = kinds.get(prefix + name, "")
            if isinstance(group[name], str) and _is_text(group[name], kind):
                found[prefix + name] = _value(group.pop(name), kind)
    return found


def _of_words(words: Sequence[str], kinds: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    left: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--")
        kind = kinds.get(name, "") if flag.startswith("--") else ""
        if kind not in (*_TEXTS, *_LISTS, _NUMBER_OR_TEXT) or not (equals or (rest and not rest[0].startswith("--"))):
            left.append(word)  # also one without its value, which the parser refuses
            continue
        value = value if equals else rest.pop(0)
        found.pop(name, None)
        if _is_text(value, kind) and not (kind in _LISTS and value.startswith("[")):
            found[name] = _value(value, kind)
        else:
            left.append(f"{flag}={value}")
    return found, left


def _is_text(value: str, kind: str) -> bool:
    """Whether it is the text that it looks like; what may also be a number is one where it reads as one."""
    if kind != _NUMBER_OR_TEXT:
        return kind in _TEXTS or kind in _LISTS
    try:
        float(value)
    except ValueError:
        return True
    return False


def _value(text: str, kind: str) -> str | list[str]:
    return [text] if kind in _LISTS else text
