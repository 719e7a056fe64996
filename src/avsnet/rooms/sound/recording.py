"""From pressure at the ears to a recording: the sweep, the speaker's and ears' frequency response, noise.

All responses are of zero phase, so nothing but the room and the rig's geometry moves an arrival. Source: fitted by eye
to the one real BatVision V2 recording that is at hand.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import rfft

from avsnet.audio.rig import Rig
from avsnet.rooms.sound.rig import RecordingRig

_EDGE = 1.0 / 12.0  # of the sweep, faded in and out
_DIRECT_LIFT = 0.25  # of the resonance that the direct sound gets: it does not come from ahead


def sweep_spectrum(rig: Rig, length: int) -> np.ndarray:
    """(length // 2 + 1,) spectrum of what the speaker plays, its ends faded by sine-squared edges."""
    played = np.array(rig.emitted, dtype=np.float64)
    if rig.template is None:
        edge = round(_EDGE * len(played))
        fade = np.sin(0.5 * np.pi * (np.arange(edge) + 0.5) / edge) ** 2
        played[:edge] *= fade
        played[-edge:] *= fade[::-1]
    return rfft(played, length)


def responses(frequency: np.ndarray, rig: RecordingRig) -> tuple[np.ndarray, np.ndarray]:
    """How rig and ears colour sound.

    High-pass 330 Hz and low-pass 9.5 kHz of second order, a lift at 16.5 kHz, a steep end at 19.2 kHz, and the ears'
    resonance, of which the direct sound gets a quarter.

    Args:
        frequency: (F,) hertz.
        rig: the rig.

    Returns:
        (F,) amplitude for the direct sound, (F,) amplitude for what comes back from the room.
    """
    with np.errstate(divide="ignore"):
        high = 1.0 / (1.0 + (330.0 / frequency) ** 4)
    low = 1.0 / (1.0 + (frequency / 9500.0) ** 4)
    steep = 1.0 / (1.0 + (frequency / 19200.0) ** 40)
    common = np.sqrt(high * low * steep) * (1.0 + 1.4 * _bump(frequency, 16500.0, 0.22))
    lift = 3.2 * _bump(frequency, rig.resonance, 0.42)
    direct, others = common * (1.0 + _DIRECT_LIFT * lift), common * (1.0 + lift)
    return (direct, others) if rig.colour == 1.0 else (direct**rig.colour, others**rig.colour)


def noise_spectrum(frequency: np.ndarray, rig: RecordingRig, seed: int | np.random.SeedSequence) -> np.ndarray:
    """(2, F) spectrum of noise, mostly rumble below 100 Hz, independent at each ear, of RMS `rig.noise`."""
    rng = np.random.default_rng(seed)
    shape = 1.0 / (1.0 + (frequency / 60.0) ** 1.1) + 0.0015
    shape[0] = 0.0
    length = 2 * (len(frequency) - 1)
    shape *= rig.noise * length / np.sqrt(2.0 * np.sum(shape**2))
    normal = rng.standard_normal((2, 2, len(frequency)))
    return shape * (normal[0] + 1j * normal[1]) / np.sqrt(2.0)


def _bump(frequency: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A Gaussian over log frequency, `width` in octaves, 1 at its centre."""
    return np.exp(-0.5 * (np.log2(np.maximum(frequency, 1.0) / centre) / width) ** 2)
