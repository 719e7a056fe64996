"""The licences of everything that is installed with avsnet, as each package states its own."""

from __future__ import annotations

import re
from importlib import metadata

_LONGEST = 60  # characters of a field in which some packages keep the whole text


def licences() -> list[tuple[str, str, str]]:
    """Name, version and licence of avsnet and of every installed package that it needs, directly or not.

    Packages of extras count where they are installed. What a licence covers is for its package to say.
    """
    rows = {}
    waiting = [("avsnet", True)]
    while waiting:
        name, with_extras = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in rows:
            continue
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        rows[key] = (found.metadata["Name"], found.version, _licence(found.metadata))
        waiting += [(needed, False) for needed in _needed(found, with_extras)]
    return [rows[key] for key in sorted(rows)]


def _needed(found: metadata.Distribution, with_extras: bool) -> list[str]:
    lines = found.requires or []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if with_extras or "extra ==" not in line]


def _licence(told: metadata.PackageMetadata) -> str:
    """The licence by its SPDX expression, else by its short field, else by its classifiers."""
    for field in ("License-Expression", "License"):
        text = " ".join(told[field].split()) if field in told else ""
        if text and text != "UNKNOWN" and len(text) <= _LONGEST:
            return text
    named = [line.rpartition(":: ")[2] for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    return ", ".join(named) or "not stated"
