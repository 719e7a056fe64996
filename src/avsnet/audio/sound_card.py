"""The sound card: what plays and records at once. All of avsnet that touches a sound device.

Playing and recording are streams of their own, because speaker and microphones are often different devices; long
buffers make both safe, and their delay does not matter: the direct sound is the clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from avsnet.errors import AudioError, MissingExtraError, OptionError, one_line

_BUFFER = 0.3  # seconds; shorter ones run dry on busy machines
_WAKE = 0.3  # seconds of recording before anything is played
_AFTER = 1.5  # seconds recorded after the last sample was handed over: buffers, Bluetooth, and the room


@dataclass(frozen=True, eq=False)
class Exchange:
    """What was recorded while something was played.

    Args:
        waveform: (C, N) float32.
        handed_over: sample of it at which playing began.
        gaps: how often the machine was too slow: a piece of either stream is missing.
    """

    waveform: np.ndarray
    handed_over: int
    gaps: int = 0


class SoundCard(Protocol):
    """Whatever plays and records at once."""

    def exchange(self, signal: np.ndarray, sample_rate: int, channels: int) -> Exchange:
        """Play (N,) float32 on all speakers and record so many channels from before its start until after its end."""


class PortAudioCard:
    """The sound devices of this computer, through `sounddevice`.

    Args:
        microphone: number of `list_devices`, or a part of a name; None: the system's default.
        speaker: likewise.

    Raises:
        MissingExtraError: `sounddevice`, or the PortAudio library that it needs, is not installed.
        OptionError: no such device.
    """

    def __init__(self, microphone: str | None = None, speaker: str | None = None) -> None:
        self._library = _sounddevice()
        self._microphone = self._device(microphone, "input")
        self._speaker = self._device(speaker, "output")

    def exchange(self, signal: np.ndarray, sample_rate: int, channels: int) -> Exchange:
        """As `SoundCard.exchange`.

        Raises:
            AudioError: the devices refuse this rate or number of channels, or give no sound.
        """
        pieces: list[np.ndarray] = []
        state = {"played": 0, "handed_over": -1, "gaps": 0}

        def heard(data: np.ndarray, _frames: int, _time: Any, status: Any) -> None:
            state["gaps"] += bool(status)
            pieces.append(data.copy())

        def play(data: np.ndarray, frames: int, _time: Any, status: Any) -> None:
            state["gaps"] += bool(status)
            if state["handed_over"] < 0:
                state["handed_over"] = sum(map(len, pieces))
            piece = signal[state["played"] : state["played"] + frames]
            data[: len(piece)] = piece[:, None]
            data[len(piece) :] = 0.0
            state["played"] += frames

        settings: dict[str, Any] = {"samplerate": sample_rate, "latency": _BUFFER, "dtype": "float32"}
        library = self._library
        try:
            with library.InputStream(device=self._microphone, channels=channels, callback=heard, **settings):
                time.sleep(_WAKE)
                with library.OutputStream(device=self._speaker, channels=1, callback=play, **settings):
                    deadline = time.monotonic() + len(signal) / sample_rate + 10.0
                    while state["played"] < len(signal) and time.monotonic() < deadline:
                        time.sleep(0.02)
                    time.sleep(_AFTER)
        except (library.PortAudioError, ValueError) as error:
            raise AudioError(
                f"the sound devices refuse {channels} channels at {sample_rate} Hz ({one_line(error)}); --list shows "
                "what there is, --channels and --rate choose"
            ) from None
        if not pieces:
            raise AudioError("the microphone gave no sound at all; is it plugged in, and may this program use it?")
        return Exchange(np.concatenate(pieces).T.copy(), max(0, state["handed_over"]), state["gaps"])

    def _device(self, wanted: str | None, kind: str) -> int | None:
        """The number of a device, checked."""
        try:
            name = int(wanted) if wanted is not None and wanted.isdigit() else wanted
            found = self._library.query_devices(name, kind)
        except (ValueError, self._library.PortAudioError) as error:
            what = "microphone" if kind == "input" else "speaker"
            raise OptionError(f"no {what} {wanted or 'at all'} ({one_line(error)}); --list shows the devices") from None
        return None if wanted is None else int(found["index"])


def list_devices() -> list[str]:
    """One line for each sound device: its number, name, channels in and out, own rate.

    Raises:
        MissingExtraError: as `PortAudioCard`.
    """
    library = _sounddevice()
    defaults = list(library.default.device)
    lines = []
    for number, device in enumerate(library.query_devices()):
        roles = [role for role, chosen in zip(("microphone", "speaker"), defaults, strict=True) if chosen == number]
        default = f", the default {' and '.join(roles)}" if roles else ""
        lines.append(
            f"{number}: {device['name']}: records {device['max_input_channels']}, plays "
            f"{device['max_output_channels']} channels, {device['default_samplerate']:.0f} Hz{default}"
        )
    return lines


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise MissingExtraError("recording needs sounddevice; pip install 'avsnet[live]'") from None
    except OSError:  # the library is there, what it wraps is not
        raise MissingExtraError(
            "recording needs the PortAudio library; on Debian and Ubuntu: apt install libportaudio2"
        ) from None
    return sounddevice
