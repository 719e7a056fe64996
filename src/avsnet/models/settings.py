"""Settings of a part of a network, as config.json and a user's options hold them: values by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from avsnet.errors import OptionError

Settings = TypeVar("Settings")


def settings_by_name(kind: type[Settings], option: str, values: Mapping[str, Any]) -> Settings:
    """A dataclass of settings, whose unknown names are refused.

    Args:
        kind: the dataclass.
        option: of the network, for messages.
        values: name -> value; what is not named has its default.

    Raises:
        OptionError: a name that is none, or a value outside what it allows.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # any dataclass
    unknown = [name for name in values if name not in known]
    if unknown:
        raise OptionError(f"{option}: no setting {unknown[0]!r}; there are {', '.join(known)}")
    return kind(**values)
