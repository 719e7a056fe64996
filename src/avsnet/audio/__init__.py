"""Sound: the chirp and its matched filter, alignment on the direct sound, calibration, the spectrogram, ranging.

`spectrogram` is here the function: it is bound after the file of that name was imported, so it stays the function.
"""

from avsnet.audio.alignment import align_direct, direct_sound
from avsnet.audio.calibration import calibrate
from avsnet.audio.ranging import RangeProfile, range_profile
from avsnet.audio.rig import Rig
from avsnet.audio.spectrogram import spectrogram

__all__ = ["RangeProfile", "Rig", "align_direct", "calibrate", "direct_sound", "range_profile", "spectrogram"]
