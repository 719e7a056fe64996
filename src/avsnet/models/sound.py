"""What a network that hears gets of a recording, and what a user must know of it before trusting the metres."""

from __future__ import annotations

from typing import Any

import torch

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import direct_sound
from avsnet.audio.ranging import profile_of
from avsnet.audio.recording import Echo, Heard
from avsnet.errors import EchoError, OptionError
from avsnet.models.contract import DepthModel


def sound_for(model: DepthModel, heard: Heard | None) -> tuple[dict[str, Any], list[str]]:
    """The entries of a batch that a network gets from a recording.

    A network that was trained with echo dropout also sees alone: it gets nothing where the recording is missing, holds
    no echo, or is unlike what it was trained on (one ear, clipped, a band cut off), because its metres would be wrong
    without looking so. Another gets what can be used.

    Args:
        model: carries its `ModelInfo` as `info`.
        heard: the recording; None for none.

    Returns:
        `waveform` (2, N) float32 and its `sample_rate`, or nothing; and one line for each thing a user should know.

    Raises:
        OptionError: a network that needs an echo, and none.
        AudioError: what is no recording.
        EchoError: a recording without an echo in both ears, for a network that needs it.
    """
    if not model.info.hears:
        return {}, []
    name, needed = model.info.name, not getattr(model, "echo_dropout", 0.0)  # a user's module may have none
    if heard is None:
        if needed:
            raise OptionError(f"{name} needs an echo; give the recording")
        return {}, [f"no echo: the metres of {name} are by sight alone"]
    try:
        echo = _usable(heard.found, model)
    except EchoError as error:
        if needed:
            raise EchoError(f"{heard.label}: {error}") from None
        return {}, [f"{name} itself did not use {heard.label}: {error}; what it gives is by sight alone"]
    if echo.doubts and not needed:
        doubts = "; ".join(echo.doubts)
        return {}, [f"{name} itself did not use {heard.label}: {doubts}; what it gives is by sight alone"]
    warnings = list(echo.warnings)
    if not profile_of(echo).reflections:
        warnings.append(f"nothing after the direct sound of {heard.label} stands out of its decay")
    return {"waveform": torch.from_numpy(echo.waveform).float(), "sample_rate": SAMPLE_RATE}, warnings


def _usable(found: Echo | EchoError, model: DepthModel) -> Echo:
    """The echo, if both ears heard it, and what the model will look for in it."""
    if isinstance(found, EchoError):
        raise found
    if len(found.ears) < 2:
        raise EchoError("only one ear heard the chirp, and the network needs both")
    if found.rig.template is not None and getattr(model, "audio", None) is not None:
        # An AVS-Net finds the direct sound of its own sweep again.
        try:
            direct_sound(found.waveform)
        except EchoError:
            raise EchoError("no direct sound of the 3 ms sweep that the network was trained with") from None
    return found
