"""Sound: the chirp and its matched filter, alignment on the direct sound, calibration, the spectrogram, ranging.

Each name brings what it needs when it is first used: the rooms' simulator needs the chirp and the rig, and must not
load torch into every worker. `spectrogram` is here the function, although a file of that name is imported for it.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avsnet.audio.alignment import align_direct, direct_sound
    from avsnet.audio.calibration import calibrate
    from avsnet.audio.ranging import RangeProfile, range_profile
    from avsnet.audio.rig import Rig
    from avsnet.audio.spectrogram import spectrogram

__all__ = ["RangeProfile", "Rig", "align_direct", "calibrate", "direct_sound", "range_profile", "spectrogram"]

_HOMES = {
    "RangeProfile": "ranging",
    "Rig": "rig",
    "align_direct": "alignment",
    "calibrate": "calibration",
    "direct_sound": "alignment",
    "range_profile": "ranging",
    "spectrogram": "spectrogram",
}


class _Package(ModuleType):
    """Python binds a file to its package when it is imported: whoever imports it, the name stays the function."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "spectrogram" and isinstance(value, ModuleType):
            value = value.spectrogram
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"avsnet.audio.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'avsnet.audio' has no attribute {name!r}")
