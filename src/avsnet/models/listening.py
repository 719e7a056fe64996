"""What a network that hears gets of a recording, and what a user must know of it before trusting the metres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.network_input import hear
from avsnet.audio.recording import listen
from avsnet.errors import AudioError, EchoError, OptionError

if TYPE_CHECKING:
    from avsnet.audio.rig import Rig
    from avsnet.io import Recording

_ANY_SIZE = (8, 8)  # of a picture; whether a recording holds an echo does not depend on it


def hears(model: torch.nn.Module) -> bool:
    """Whether a network has an ear: an AVS-Net with its audio settings, or another with those of a spectrogram."""
    return getattr(model, "audio", None) is not None or getattr(model, "spectrogram", None) is not None


def sound_for(
    model: torch.nn.Module, recording: Recording | None, rig: Rig | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The entries of a batch that a network gets from a recording.

    A network that was trained with echo dropout also sees alone: it gets nothing where the recording is missing, holds
    no echo, or is unlike what it was trained on (one ear, clipped, a band cut off), because its metres would be wrong
    without looking so. Another gets what can be used.

    Args:
        model: carries its `ModelInfo` as `info`.
        recording: the echo; None for none.
        rig: what was played; None assumes the default rig.

    Returns:
        `waveform` (2, N) float32 and its `sample_rate`, or nothing; and one line for each thing a user should know.

    Raises:
        OptionError: a network that needs an echo, and none.
        AudioError: what is no recording.
        EchoError: a recording without an echo in both ears, for a network that needs it.
    """
    if not hears(model):
        return {}, []
    name: str = model.info.name  # type: ignore[union-attr, assignment]
    needed = not getattr(model, "echo_dropout", 0.0)
    if recording is None:
        if needed:
            raise OptionError(f"{name} needs an echo; give the recording")
        return {}, [f"no echo: the metres of {name} are by sight alone"]
    label = recording.path or "echo"
    try:
        echo = listen(recording.waveform, recording.sample_rate, rig)
        if len(echo.ears) < 2:
            raise EchoError("only one ear heard the chirp, and the network needs both")
        waveform = torch.from_numpy(echo.waveform).float()
        settings = getattr(model, "audio", None)
        if settings is not None and not hear(waveform[None], SAMPLE_RATE, settings, _ANY_SIZE)[1].item():
            raise EchoError("no direct sound of the 3 ms sweep that the network was trained with")
    except AudioError as error:
        raise AudioError(f"{label}: {error}") from None
    except EchoError as error:
        if needed:
            raise EchoError(f"{label}: {error}") from None
        return {}, [f"{label} was not used: {error}; the metres of {name} are by sight alone"]
    doubts = [text for text in echo.warnings if text.startswith("clipped")]
    if recording.sample_rate < SAMPLE_RATE:
        doubts.append(f"nothing above {recording.sample_rate // 2} Hz is in a recording at {recording.sample_rate} Hz")
    if doubts and not needed:
        return {}, [f"{label} was not used: {'; '.join(doubts)}; the metres of {name} are by sight alone"]
    return {"waveform": waveform, "sample_rate": SAMPLE_RATE}, list(echo.warnings)
