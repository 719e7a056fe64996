"""Sound: the chirp and its matched filter, the direct sound, calibration, the spectrogram, ranging.

Each name brings what it needs when it is first used: the rooms' simulator needs the chirp and the rig, and must not
load torch into every worker.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avsnet.audio.calibration import calibrate
    from avsnet.audio.direct_sound import align_direct
    from avsnet.audio.ranging import RangeProfile, range_profile
    from avsnet.audio.rig import Rig
    from avsnet.audio.stft import spectrogram

__all__ = ["RangeProfile", "Rig", "align_direct", "calibrate", "range_profile", "spectrogram"]

_HOMES = {
    "RangeProfile": "ranging",
    "Rig": "rig",
    "align_direct": "direct_sound",
    "calibrate": "calibration",
    "range_profile": "ranging",
    "spectrogram": "stft",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"avsnet.audio.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'avsnet.audio' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
