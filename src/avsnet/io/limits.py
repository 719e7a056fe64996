"""What reading one file may cost: every bound, and the environment variable that moves it.

A file can ask for far more memory than it has bytes, by compression or by a header that lies. Each reader asks here
before it believes a file, so that no single one takes a machine down.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from avsnet.errors import LimitError, OptionError


@dataclass(frozen=True)
class Limit:
    """A bound that a user can move.

    Attributes:
        variable: of the environment.
        usual: what holds where the variable is not set.
        unit: what is counted, in the plural.
    """

    variable: str
    usual: int
    unit: str

    @property
    def most(self) -> int:
        """What holds now.

        Raises:
            OptionError: the variable is no whole number above 0.
        """
        given = os.environ.get(self.variable, "").strip()
        if not given:
            return self.usual
        if not given.isdecimal() or not 0 < int(given) < 2**62:
            raise OptionError(f"{self.variable} is {given!r}, but must be a whole number of {self.unit} above 0")
        return int(given)

    def check(self, count: float) -> None:
        """Refuse what would cost more.

        Raises:
            LimitError: names the bound and its variable; the caller adds the file.
        """
        if not count <= self.most:
            raise LimitError(f"{count:.10g} {self.unit}, of which {self.most} may be read; {self.variable} sets that")


SECONDS = Limit("AVSNET_MAX_SECONDS", 60, "seconds")
"""Of a recording, of which no more than the head is read: whoever sends a sweep does so within a minute."""

PIXELS = Limit("AVSNET_MAX_PIXELS", 50_000_000, "pixels")
"""Of a picture or a map: 8688 x 5792, and the 48 megapixels of telephones."""

BYTES = Limit("AVSNET_MAX_BYTES", 400 * 2**20, "bytes when unpacked")
"""Of the arrays in a file."""

TEXT = Limit("AVSNET_MAX_TEXT", 32 * 2**20, "bytes of text")
"""Of a table or of JSON."""

SETTINGS = Limit("AVSNET_MAX_SETTINGS", 2**20, "bytes of YAML")
"""Of a file that is read in seconds a megabyte."""

NESTING = Limit("AVSNET_MAX_NESTING", 100, "levels of nesting")
"""Of lists and entries within each other, in JSON and YAML."""

UNFOLDED = Limit("AVSNET_MAX_UNFOLDED", 1_000_000, "entries when its aliases are written out")
"""Of YAML, whose aliases repeat what was written once."""

LIMITS = (SECONDS, PIXELS, BYTES, TEXT, SETTINGS, NESTING, UNFOLDED)
"""All of them."""
