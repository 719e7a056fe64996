"""The spectrogram: the magnitude of a short-time Fourier transform, as the networks that hear want it.

Source: the original BatVision settings. Periodic Hann window of `win_length` samples, zero-padded on both
sides to `n_fft`; frames centred on multiples of `hop_length` with reflection at the ends; one-sided;
magnitude, neither squared nor normalised nor in dB. Column t is centred on sample t * hop_length, so time,
and with it range, is linear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.errors import OptionError, SampleError

COMPRESSIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda magnitude: magnitude,
    "log1p": torch.log1p,
}
"""What may be done to the magnitudes at the very end, by name."""


def spectrogram(
    waveform: Tensor,
    *,
    n_fft: int = 512,
    win_length: int = 64,
    hop_length: int = 16,
    samples: int | None = None,
    size: tuple[int, int] | None = None,
    antialias: bool = True,
    compression: str = "none",
) -> Tensor:
    """Turn a recording into magnitudes over frequency and time.

    In this order: cut or pad, transform, resize, compress; so the compressed result is exactly the
    compression of the uncompressed one.

    Args:
        waveform: (..., N) float, -1..1, on any device; (2, N) binaural, (B, 2, N) a batch.
        n_fft: length of the transform in samples; gives F = n_fft // 2 + 1 bins, sample_rate / n_fft hertz
            apart.
        win_length: length of the Hann window in samples, at most `n_fft`.
        hop_length: samples from one frame to the next; gives T = 1 + N // hop_length frames.
        samples: keep the first `samples` samples, or append zeros up to that many; None takes all there are.
            Data sets that share one N, after alignment, share one range axis.
        size: (F, T) to resize to, bilinear; None leaves the transform's own.
        antialias: whether a resize to fewer pixels averages over all it leaves out. torchvision's default for
            tensors changed over the years, and on a recording the two differ by up to 0.8.
        compression: "none" (the original) or "log1p", ln(1 + magnitude).

    Returns:
        (..., F, T) magnitudes >= 0 in the waveform's type; half precision is computed, and returned, as
        float32.

    Raises:
        OptionError: a setting is outside what it allows.
        SampleError: the waveform is no float tensor, is empty, or is too short to reflect (N <= n_fft // 2).

    >>> spectrogram(torch.zeros(2, 3200)).shape
    torch.Size([2, 257, 201])
    """
    _check_settings(n_fft, win_length, hop_length, samples, size, compression)
    if not isinstance(waveform, Tensor) or not waveform.is_floating_point():
        found = waveform.dtype if isinstance(waveform, Tensor) else type(waveform).__name__
        raise SampleError(f"waveform: found {found}, wanted a float tensor with values within -1..1")
    if waveform.ndim == 0 or waveform.numel() == 0:
        raise SampleError(f"waveform: found shape {tuple(waveform.shape)}, wanted (..., N) with something in it")
    if samples is not None:
        # A negative padding cuts.
        waveform = F.pad(waveform, (0, samples - waveform.shape[-1]))
    if waveform.shape[-1] <= n_fft // 2:
        raise SampleError(
            f"waveform: {waveform.shape[-1]} samples are too few for n_fft {n_fft}, which needs more than "
            f"{n_fft // 2}; set `samples` to pad with zeros"
        )
    if waveform.dtype in (torch.float16, torch.bfloat16):
        waveform = waveform.float()

    ears = waveform.reshape(-1, waveform.shape[-1])
    if ears.device.type != "cpu" or ears.requires_grad or torch.compiler.is_compiling():
        window = torch.hann_window(win_length, dtype=ears.dtype, device=ears.device)
        magnitude = _stft(ears, n_fft, hop_length, window).abs()
        if size is not None:
            magnitude = F.interpolate(magnitude[:, None], size, mode="bilinear", antialias=antialias)[:, 0]
    else:
        # The same numbers three times as fast, but no gradient and no exporter follows. More than one recording's
        # two ears at a time would not stay in the processor's cache.
        magnitude = torch.cat(
            [_by_hand(pair, n_fft, win_length, hop_length, size, antialias) for pair in ears.split(2)]
        )
    return COMPRESSIONS[compression](magnitude).reshape(*waveform.shape[:-1], *magnitude.shape[-2:])


def _stft(ears: Tensor, n_fft: int, hop_length: int, window: Tensor) -> Tensor:
    """(C, N) -> (C, F, T) complex."""
    return torch.stft(
        ears, n_fft, hop_length, len(window), window, center=True, pad_mode="reflect", return_complex=True
    )


def _by_hand(
    ears: Tensor, n_fft: int, win_length: int, hop_length: int, size: tuple[int, int] | None, antialias: bool
) -> Tensor:
    """(C, N) -> (C, F, T) magnitudes, or (C, *size)."""
    spectrum = _stft(ears, n_fft, hop_length, _window(win_length, ears.dtype))
    # NumPy takes the magnitude of complex numbers ten times as fast as torch.
    magnitude = torch.from_numpy(np.abs(spectrum.numpy()))
    if size is None:
        return magnitude
    # Time first: that is how `torch.stft` lays its result out.
    magnitude = _resize_rows(magnitude.transpose(1, 2), size[1], antialias)
    return _resize_rows(magnitude.transpose(1, 2), size[0], antialias)


def _resize_rows(images: Tensor, rows: int, antialias: bool) -> Tensor:
    """Resize (C, n, m) to (C, rows, m) as `F.interpolate` does, but by weighted sums of whole rows: 5 times as fast."""
    count, old, width = images.shape
    places, weights = _filter(count, old, rows, antialias, images.dtype)
    sums = F.embedding_bag(places, images.reshape(-1, width), mode="sum", per_sample_weights=weights)
    return sums.reshape(count, rows, width)


@lru_cache(maxsize=16)
def _filter(count: int, old: int, new: int, antialias: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The filter of `F.interpolate` along one axis of `count` images that lie one after the other.

    A resize is linear, so resizing the identity gives its matrix; all but the K largest weights of a row are zero.

    Returns:
        places (count * new, K) int32 among the count * old rows, and their weights, of the same shape.
    """
    with torch.inference_mode(False):
        identity = torch.eye(old, dtype=dtype)[None, None]
        matrix = F.interpolate(identity, (new, old), mode="bilinear", antialias=antialias)[0, 0]
        weights, places = matrix.topk(int((matrix > 0.0).sum(dim=1).max()), dim=1)
        places = places + old * torch.arange(count)[:, None, None]
        return places.reshape(count * new, -1).int(), weights.repeat(count, 1)


@lru_cache(maxsize=16)
def _window(length: int, dtype: torch.dtype) -> Tensor:
    """The periodic Hann window, kept because making it costs a tenth of a spectrogram."""
    with torch.inference_mode(False):
        return torch.hann_window(length, dtype=dtype)


@dataclass(frozen=True)
class SpectrogramSettings:
    """The settings of `spectrogram`, as a model carries them: call them with a waveform.

    A config keeps `dataclasses.asdict(settings)`, and `SpectrogramSettings(**config)` restores them.

    Raises:
        OptionError: a setting is outside what it allows.

    >>> SpectrogramSettings(samples=3200, size=(128, 96))(torch.zeros(4, 2, 8000)).shape
    torch.Size([4, 2, 128, 96])
    """

    n_fft: int = 512
    win_length: int = 64
    hop_length: int = 16
    samples: int | None = None
    size: tuple[int, int] | None = None
    antialias: bool = True
    compression: str = "none"

    def __post_init__(self) -> None:
        if isinstance(self.size, list):
            # JSON and YAML know no tuples.
            object.__setattr__(self, "size", tuple(self.size))
        _check_settings(self.n_fft, self.win_length, self.hop_length, self.samples, self.size, self.compression)

    def __call__(self, waveform: Tensor) -> Tensor:
        """`spectrogram` of a (..., N) waveform with these settings: (..., F, T)."""
        return spectrogram(waveform, **vars(self))


def samples_for_range(max_depth: float, sample_rate: int = SAMPLE_RATE, speed_of_sound: float = 340.0) -> int:
    """How much of a recording to keep for a maximal depth: the authors' cut rule, there and back.

    The rule counts from the start of the file: it forgets the time before the direct sound.

    Args:
        max_depth: metres.
        sample_rate: hertz.
        speed_of_sound: metres per second; the authors' 340, not the 343 of `Rig`.

    Returns:
        int(2 * max_depth / speed_of_sound * sample_rate) samples.

    Raises:
        OptionError: one of the three is not positive and finite.

    >>> samples_for_range(30.0)
    7782
    """
    for name, value in (
        ("max_depth", max_depth),
        ("sample_rate", sample_rate),
        ("speed_of_sound", speed_of_sound),
    ):
        if not 0.0 < value < float("inf"):
            raise OptionError(f"{name}: found {value}, wanted a positive number")
    return int(2.0 * max_depth / speed_of_sound * sample_rate)


def _check_settings(
    n_fft: int,
    win_length: int,
    hop_length: int,
    samples: int | None,
    size: tuple[int, int] | None,
    compression: str,
) -> None:
    for name, value in (("n_fft", n_fft), ("win_length", win_length), ("hop_length", hop_length)):
        if not isinstance(value, int) or value < 1:
            raise OptionError(f"{name}: found {value!r}, wanted a positive whole number of samples")
    if win_length > n_fft:
        raise OptionError(f"win_length: {win_length} samples do not fit into n_fft {n_fft}")
    if samples is not None and (not isinstance(samples, int) or samples <= n_fft // 2):
        raise OptionError(f"samples: found {samples!r}, wanted None or more than n_fft // 2 = {n_fft // 2}")
    if size is not None and (
        not isinstance(size, tuple) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size)
    ):
        raise OptionError(f"size: found {size!r}, wanted None or (F, T), two positive whole numbers of pixels")
    if compression not in COMPRESSIONS:
        raise OptionError(f"compression: found {compression!r}, wanted one of {', '.join(COMPRESSIONS)}")


ORIGINAL_SETTINGS: dict[str, SpectrogramSettings] = {
    "v2_full": SpectrogramSettings(400, 200, 100, samples=20_000),
    "v2_cut30": SpectrogramSettings(samples=samples_for_range(30.0)),
    "v2_cut12": SpectrogramSettings(samples=samples_for_range(12.0)),
    "v2_cut10": SpectrogramSettings(samples=samples_for_range(10.0)),
    "v1": SpectrogramSettings(),
    "v1_window": SpectrogramSettings(samples=3_200),
    "replica60ms": SpectrogramSettings(samples=2_646),
    "matterport60ms": SpectrogramSettings(512, 32, 8, samples=960),
}
"""Published settings before any resize: BatVision V2 whole (`v2_full`) or cut at 30, 12 or 10 m, V1 whole or
as a 72.5 ms window, and the first 60 ms of "Beyond Image to Depth" at 44.1 kHz (Replica) and 16 kHz
(Matterport). `dataclasses.replace(settings, size=(256, 256))` adds the resize of the BatVision baseline."""
