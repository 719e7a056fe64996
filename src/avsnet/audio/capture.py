"""From what a sound card recorded to one echo worth keeping, and to plain words on what to change.

Pure functions of samples: nothing here touches a device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from scipy.ndimage import maximum_filter1d

from avsnet.audio.chirp import SAMPLE_RATE, matched_filter
from avsnet.audio.direct_sound import NO_DIRECT_SOUND, direct_sound, first_strong
from avsnet.audio.ranging import profile_of
from avsnet.audio.recording import Echo, listen
from avsnet.audio.rig import Rig
from avsnet.errors import EchoError

BEFORE, AFTER = 0.05, 0.5
"""Seconds kept round the direct sound."""

_SEARCH = 0.01  # seconds by which a chirp may come earlier or later than the others foretell
_SLACK = 0.001  # seconds by which a chirp may be off where two clocks drift apart
_ALIKE_FOR = 0.02  # seconds after the direct sound by which repeats are compared
_ALIKE = 0.7  # correlation; two recordings of one room have above 0.9, one with a slammed door less
_QUIET, _LOUD = -34.0, -1.0  # decibels of full scale, of the peak
_NOISY = 30.0  # decibels of the direct sound's peak over the noise before it
_BANDS = (2_000.0, 7_000.0), (8_000.0, 16_000.0)  # hertz
_MUFFLED = 30.0  # decibels by which the upper band may lie below the lower one; a phone's speaker has about 15


@dataclass(frozen=True, eq=False)
class Averaged:
    """Repeats of a chirp as one recording.

    Args:
        waveform: (C, N) float32, from `BEFORE` the direct sound to `AFTER` it.
        used: how many repeats are in it.
        left_out: how many were unlike the others: something else sounded.
        direct: sample of the whole recording at which the first direct sound starts.
    """

    waveform: np.ndarray
    used: int
    left_out: int
    direct: int


@dataclass(frozen=True)
class Examined:
    """What was found in a recording.

    Args:
        facts: one line each, in plain words.
        advice: what to change, the most important first; empty where nothing need be.
        peak: decibels of full scale.
        signal_to_noise: decibels of the direct sound's peak over the noise before it.
        echo: what `listen` heard; None where there is no chirp.
    """

    facts: tuple[str, ...]
    advice: tuple[str, ...]
    peak: float
    signal_to_noise: float
    echo: Echo | None


def average(recording: np.ndarray, sample_rate: int, template: np.ndarray, count: int = 1, period: int = 0) -> Averaged:
    """Cut the chirps out of a recording, bring their direct sounds to one sample, and take the mean.

    Args:
        recording: (C, N) -1..1.
        sample_rate: hertz.
        template: (M,) what was played, at the same rate.
        count: how many chirps were played.
        period: samples from one to the next.

    Returns:
        The `Averaged`; a repeat that is unlike the median of all is left out.

    Raises:
        EchoError: no chirp, or only a part of one.
    """
    before, after = round(BEFORE * sample_rate), round(AFTER * sample_rate)
    if count > 1:
        after = min(after, period - before)
    reach = round(_SEARCH * sample_rate)
    coarse = _folded_direct_sound(recording, sample_rate, template, count, period)
    padded = np.pad(recording, ((0, 0), (before + reach, after + reach)))
    starts = coarse + period * np.arange(count)
    windows = [padded[:, start : start + before + after + 2 * reach] for start in starts]
    # The reference is as loud as most: neither cut off nor with a slammed door in it.
    loud = [float((window**2).mean()) for window in windows]
    reference = int(np.argsort(loud)[(count - 1) // 2])
    place = direct_sound(windows[reference], sample_rate, template)
    place = min(max(place, before), before + 2 * reach)
    first = windows[reference][:, place - before : place + after]
    cuts = [_like(window, first, before, template) for window in windows]
    stack = np.stack(cuts)
    kept = _alike(stack, before, round(_ALIKE_FOR * sample_rate))
    return Averaged(
        stack[kept].mean(axis=0).astype(np.float32),
        int(kept.sum()),
        count - int(kept.sum()),
        int(coarse + place - before - reach),
    )


def examine(waveform: np.ndarray, sample_rate: int, rig: Rig | None = None) -> Examined:
    """Level, clipping, noise, hum, the ears and the band of a recording, and what to change.

    Args:
        waveform: (2, N) or (1, N) -1..1, channel 0 = left.
        sample_rate: hertz.
        rig: what was played; None = the assumed rig.

    Raises:
        AudioError: what is no recording.
    """
    peak = 20.0 * np.log10(max(float(np.abs(waveform).max()), 1e-6))
    facts = [f"level: the peak is {peak:.0f} dB of full scale"]
    advice = _of_level(peak)
    try:
        echo = listen(waveform, sample_rate, rig)
    except EchoError as error:
        reasons = "is the speaker on and loud, and is this the right microphone? --list shows the devices"
        return Examined(tuple(facts), (f"the chirp was not heard ({error}): {reasons}", *advice), peak, 0.0, None)
    over_noise = _over_noise(echo)
    facts.append(f"noise: the direct sound stands {over_noise:.0f} dB above it")
    if over_noise < _NOISY:
        advice.append("noise: play louder, come closer, or average with --repeat 8 in a quiet moment")
    facts += _of_ears(echo)
    # `listen` words its warnings as advice: clipping, hum, rumble, dead or equal channels.
    advice += [text for text in echo.warnings if not text.startswith("resampled")]
    below = _upper_band_below(echo)
    if below > _MUFFLED:
        advice.append(
            f"muffled: above 8 kHz {below:.0f} dB less is heard than below; switch off noise suppression and echo "
            "cancelling of the microphone, and use a cable, not Bluetooth"
        )
    found = profile_of(echo).reflections
    if found:
        loudest = max(found, key=lambda reflection: reflection.level)
        facts.append(f"echoes: {len(found)} stand out, the clearest from {loudest.range:.2f} m")
    else:
        facts.append("echoes: none stands out of the decay")
        advice.append("no echo stands out: aim the speaker where the camera looks, and play louder")
    return Examined(tuple(facts), tuple(advice), peak, over_noise, echo)


def _folded_direct_sound(recording: np.ndarray, sample_rate: int, template: np.ndarray, count: int, period: int) -> int:
    """The sample at which the first direct sound starts, nearly; all chirps have a say, so that no other sound wins."""
    filtered = np.abs(matched_filter(recording - recording.mean(axis=1, keepdims=True), template))
    # Two sound cards have two clocks: a later chirp may come some samples off.
    slack = max(1, round(_SLACK * sample_rate)) if count > 1 else 1
    length = max(1, filtered.shape[1] - (count - 1) * period)
    spread = maximum_filter1d(filtered, slack, axis=1)
    folded = np.median([spread[:, k * period : k * period + length] for k in range(count)], axis=0)
    start, _, found = first_strong(folded, sample_rate)
    if not found:
        raise EchoError(NO_DIRECT_SOUND)
    return int(start)


def _like(window: np.ndarray, first: np.ndarray, before: int, template: np.ndarray) -> np.ndarray:
    """The cut of `first`'s length out of a longer window, at which both fit best round the direct sound."""
    span = slice(before - len(template) // 4, before + 2 * len(template))
    piece = first[:, span]
    fit = sum(np.correlate(long, short, "valid") for long, short in zip(window, piece, strict=True))
    start = int(np.argmax(fit)) - span.start
    start = min(max(start, 0), window.shape[1] - first.shape[1])
    return window[:, start : start + first.shape[1]]


def _alike(stack: np.ndarray, before: int, span: int) -> np.ndarray:
    """(K,) bool, which repeats hear what the median of all hears."""
    if len(stack) < 3:
        return np.ones(len(stack), bool)
    part = stack[:, :, before : before + span]
    middle = np.median(part, axis=0)
    energy = np.sqrt((part**2).sum(axis=(1, 2)) * (middle**2).sum())
    # What sounds before or after counts as well: a door does not wait for the direct sound.
    loud = np.sqrt((stack**2).mean(axis=(1, 2)))
    alike = ((part * middle).sum(axis=(1, 2)) > _ALIKE * energy) & (loud < 1.5 * np.median(loud))
    return alike if alike.any() else np.ones(len(stack), bool)


def _of_level(peak: float) -> list[str]:
    if peak > _LOUD:
        return ["too loud: turn the microphones down until the peak is -12 to -6 dB"]
    if peak < _QUIET:
        return ["too quiet: turn the speaker up, then the microphones, until the peak is -12 to -6 dB"]
    return []


def _over_noise(echo: Echo) -> float:
    """Decibels of the direct sound's peak over the noise: before it, or where that is too short, at the end."""
    lead = echo.waveform[:, : max(0, echo.direct - 40)]
    quiet = lead if lead.shape[1] > 400 else echo.waveform[:, -(echo.waveform.shape[1] // 10 + 1) :]
    peak = np.abs(echo.waveform[:, echo.direct : echo.direct + 2 * len(echo.rig.emitted)]).max()
    return float(20.0 * np.log10(max(peak, 1e-9) / max(float(np.sqrt((quiet**2).mean())), 1e-9)))


def _of_ears(echo: Echo) -> list[str]:
    """Which channel hears first; which of them is the left ear no recording tells."""
    if len(echo.ears) < 2:
        return ["channels: one ear; ranging works with it, a network that hears needs two"]
    near = echo.magnitude[:, max(0, echo.direct - 60) : echo.direct + 120]
    first, second = np.argmax(near, axis=1) / SAMPLE_RATE
    order = "both channels hear the speaker at once"
    if abs(first - second) > 1.5 / SAMPLE_RATE:
        order = f"channel {1 if first < second else 2} hears the speaker {abs(first - second) * 1000:.2f} ms first"
    return [f"channels: {order}; channel 1 is taken for the left ear: tap the left microphone to be sure"]


def _upper_band_below(echo: Echo) -> float:
    """Decibels by which the direct sound is weaker in the upper of two bands, against what was played."""

    def ratio(sound: np.ndarray) -> float:
        power = (np.abs(np.fft.rfft(sound, 1024)) ** 2).reshape(-1, 513).mean(axis=0)
        frequency = np.fft.rfftfreq(1024, 1.0 / SAMPLE_RATE)
        low, high = (power[(frequency >= a) & (frequency < b)].mean() for a, b in _BANDS)
        return float(10.0 * np.log10(max(low, 1e-20) / max(high, 1e-20)))

    heard = echo.waveform[:, echo.direct : echo.direct + len(echo.rig.emitted) + 40]
    return ratio(heard) - ratio(echo.rig.emitted[None])


def latency(recording_direct: int, played_at: int, handed_over: int, sample_rate: int) -> float:
    """Seconds from handing a chirp to the sound card to hearing it.

    Args:
        recording_direct: sample of the recording at which its direct sound starts.
        played_at: sample of the played signal at which the chirp starts.
        handed_over: sample of the recording at which playing began.
        sample_rate: hertz.
    """
    return (recording_direct - handed_over - played_at) / sample_rate


def template_at(rig: Rig, sample_rate: int) -> np.ndarray:
    """(M,) what a rig plays, at another rate."""
    emitted = rig.emitted
    return emitted if sample_rate == SAMPLE_RATE else soxr.resample(emitted, SAMPLE_RATE, sample_rate)
