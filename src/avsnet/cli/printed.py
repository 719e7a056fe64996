"""What reaches the terminal: text, and no command to it that the name of a stranger's file may hold."""

from __future__ import annotations

import re
from typing import Any, TextIO

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str, keeps: str = "") -> str:
    r"""The text with control characters, escape sequences and changes of direction written out.

    Args:
        text: any; line breaks and tabs stay.
        keeps: further characters to keep.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _COMMANDS.sub(lambda found: found[0] if found[0] in keeps else _written_out(found[0]), text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode()


class Printed:
    """A stream that prints only what is printable.

    Args:
        stream: behind it.
        keeps: as for `printable`.
    """

    def __init__(self, stream: TextIO, keeps: str = "") -> None:
        self._stream, self._keeps = stream, keeps

    def write(self, text: str) -> int:
        """Write a text; its own length, as streams give it."""
        self._stream.write(printable(text, self._keeps))
        return len(text)

    def writelines(self, texts: Any) -> None:
        """Write several texts."""
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
