"""The spectrograms of a batch, as a network takes them: given, or made from recordings by the settings it carries."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from avsnet.audio.network_input import AudioSettings, hear
from avsnet.audio.stft import ORIGINAL_SETTINGS
from avsnet.errors import SampleError


def echo_input(
    batch: dict[str, Any], settings: AudioSettings, size: tuple[int, int]
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """What a network hears of a batch.

    Args:
        batch: `echo` (B, 2, F, T), or `waveform` (B, 2, N) with `sample_rate` in hertz; the echo counts if both are
            there.
        settings: turn `waveform` into `echo`.
        size: (height, width) of the pictures, for settings that resize to it.

    Returns:
        (B, 2, F, T) magnitudes, and (B,) bool, which rows are of an echo; None twice where the batch has neither.

    Raises:
        SampleError: an echo of another shape or type, no sample rate, or what is no recording.
    """
    if batch.get("echo") is not None:
        echo = _checked(batch["echo"], (2, *echo_shape(settings, size)))
        return echo, torch.ones(len(echo), dtype=torch.bool, device=echo.device)
    if batch.get("waveform") is None:
        return None, None
    if batch.get("sample_rate") is None:
        raise SampleError("batch: 'waveform' has no 'sample_rate' beside it; give it in hertz, such as 44100")
    with torch.no_grad():
        return hear(batch["waveform"], batch["sample_rate"], settings, size)


def needed_echo(batch: dict[str, Any], settings: AudioSettings, size: tuple[int, int]) -> Tensor:
    """The same for a network that cannot do without: (B, 2, F, T); a recording without an echo is one of silence.

    Raises:
        SampleError: as `echo_input`, or there is neither echo nor waveform.
    """
    echo, _ = echo_input(batch, settings, size)
    if echo is None:
        raise SampleError("batch: a network that hears needs 'waveform' (B, 2, N) with 'sample_rate', or 'echo'")
    return echo


def echo_shape(settings: AudioSettings, size: tuple[int, int]) -> tuple[int, int]:
    """(F, T) of what the settings give for pictures of (height, width).

    >>> echo_shape(AudioSettings(samples=2646), (128, 128))
    (257, 166)
    """
    own = (1 + settings.n_fft // 2, 1 + settings.samples // settings.hop_length)
    return size if settings.resize == "rgb" else own


def original_audio(name: str, sample_rate: int, **others: Any) -> dict[str, Any]:
    """One of `ORIGINAL_SETTINGS` as `AudioSettings` by name: recordings as they start, as loud as they are.

    Args:
        name: of the published settings, which fix the number of samples.
        sample_rate: hertz.
        others: further `AudioSettings`.
    """
    published = ORIGINAL_SETTINGS[name]
    kept = {key: getattr(published, key) for key in ("samples", "n_fft", "win_length", "hop_length", "compression")}
    return kept | {"sample_rate": sample_rate, "align_to": None, "amplitude": "none", "centre": False} | others


def _checked(echo: Any, wanted: tuple[int, ...]) -> Tensor:
    if not isinstance(echo, Tensor) or not echo.is_floating_point() or tuple(echo.shape[1:]) != wanted:
        found = tuple(echo.shape) if isinstance(echo, Tensor) else type(echo).__name__
        rows = (len(echo) if isinstance(echo, Tensor) and echo.ndim else 1, *wanted)
        raise SampleError(f"batch: 'echo' is {found}, wanted floats {rows} as this network's settings make it")
    return echo
