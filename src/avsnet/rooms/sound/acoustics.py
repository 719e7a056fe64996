"""What two ears in a room hear of one sweep: image sources and rays in eight octave bands, the rig's colour, noise.

The picture's scene, in metres, is all that sound knows of the room; everything drawn here has a seed of its own, so
that a change of the room's size leaves the others as they were. Source: the simulator's design.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.sparse import csc_array

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.rooms.geometry.materials import AIR, BANDS
from avsnet.rooms.geometry.raycast import RayCaster
from avsnet.rooms.geometry.scene import Quads
from avsnet.rooms.geometry.surfaces import Clutter, Surfaces
from avsnet.rooms.sound.image_sources import Arrivals, direct_sound, mirror_reflections
from avsnet.rooms.sound.ray_tracing import diffuse_rain
from avsnet.rooms.sound.recording import noise_spectrum, responses, sweep_spectrum
from avsnet.rooms.sound.rig import RecordingRig

RAYS = 4096
"""Rays that leave the speaker."""

_SINC = 8  # samples to either side of an exact arrival
_PAD = 2048  # samples behind the recording into which zero-phase filters may ring


def record(
    quads: Quads,
    caster: RayCaster,
    camera: np.ndarray,
    axes: np.ndarray,
    rig: RecordingRig,
    *,
    ray_seed: int | np.random.SeedSequence,
    noise_seed: int | np.random.SeedSequence,
    clutter: Clutter | None = None,
    duration: float = 0.5,
    rays: int = RAYS,
) -> np.ndarray:
    """Record one sweep in a room.

    Args:
        quads: the scene in metres, `rig.plate_quads` joined to it where there is a plate.
        caster: of the same rectangles.
        camera: (3,) metres, world axes; where the rig's origin is.
        axes: (3, 3) rows right, down, forward in world axes.
        rig: the rig.
        ray_seed: of the rays.
        noise_seed: of the noise.
        clutter: what is not modelled in the room; None = nothing.
        duration: seconds.
        rays: how many; the time it takes grows with them. 0 leaves mirror reflections alone.

    Returns:
        (2, duration * 44100) float32 in -1..1, left ear first; the same bytes for the same arguments.
    """
    samples = round(duration * SAMPLE_RATE)
    length, frequency = _axis(samples)
    direct, echoes = _arrivals(quads, caster, camera, axes, rig, ray_seed, clutter, duration, rays)
    bank = _bank(frequency)
    colour_direct, colour = responses(frequency, rig)
    heard = _spectrum(echoes, rig, samples, length, bank) * colour
    heard += _direct_spectrum(direct, rig, samples, length, bank) * colour_direct
    heard *= sweep_spectrum(rig.geometry, length)
    heard += noise_spectrum(frequency, rig, noise_seed)
    waveform = irfft(rig.gain * heard, length)[:, :samples]
    return np.clip(waveform, -1.0, 1.0).astype(np.float32)


def impulse_response(
    quads: Quads,
    caster: RayCaster,
    camera: np.ndarray,
    axes: np.ndarray,
    rig: RecordingRig,
    *,
    ray_seed: int | np.random.SeedSequence,
    clutter: Clutter | None = None,
    duration: float = 0.5,
    rays: int = RAYS,
) -> np.ndarray:
    """Pressure at the ears after an impulse: the room and the directivities, without the rig's colour and noise.

    Args:
        quads: as for `record`, and so the other arguments.
        caster: of the same rectangles.
        camera: (3,) metres.
        axes: (3, 3).
        rig: the rig; the impulse leaves the speaker at its `start`.
        ray_seed: of the rays.
        clutter: what is not modelled in the room.
        duration: seconds.
        rays: how many.

    Returns:
        (2, duration * 44100) float32; free sound over 1 m arrives as an impulse of 1.
    """
    samples = round(duration * SAMPLE_RATE)
    length, frequency = _axis(samples)
    direct, echoes = _arrivals(quads, caster, camera, axes, rig, ray_seed, clutter, duration, rays)
    bank = _bank(frequency)
    spectrum = _spectrum(echoes, rig, samples, length, bank)
    spectrum += _direct_spectrum(direct, rig, samples, length, bank)
    return irfft(spectrum, length)[:, :samples].astype(np.float32)


def _arrivals(
    quads: Quads,
    caster: RayCaster,
    camera: np.ndarray,
    axes: np.ndarray,
    rig: RecordingRig,
    ray_seed: int | np.random.SeedSequence,
    clutter: Clutter | None,
    duration: float,
    rays: int,
) -> tuple[Arrivals, tuple[Arrivals, Arrivals]]:
    """The direct sound; and the echoes, by mirrors and by rays."""
    placed, surfaces = rig.placed(camera, axes), Surfaces.of(quads, clutter)
    longest = (duration - rig.start) * placed.speed_of_sound
    mirrors = mirror_reflections(surfaces, caster, placed, longest)
    rain = diffuse_rain(surfaces, caster, placed, longest, rays=rays if rig.diffuse else 0, seed=ray_seed)
    rain = replace(rain, amplitude=np.float32(rig.diffuse) * rain.amplitude)
    return direct_sound(placed), (mirrors, rain)


def _axis(samples: int) -> tuple[int, np.ndarray]:
    """An even length that is fast to transform, with room behind the recording; and its frequencies in hertz."""
    length = 2 * next_fast_len((samples + _PAD) // 2, real=True)
    return length, np.fft.rfftfreq(length, 1.0 / SAMPLE_RATE)


def _bank(frequency: np.ndarray) -> np.ndarray:
    """(8, F) share of each band in each frequency: sine-squared cross-fades over log frequency, 1 in all."""
    octave = np.log2(np.maximum(frequency, 1.0) / BANDS[0]).clip(0.0, len(BANDS) - 1.0)
    apart = np.abs(octave - np.arange(len(BANDS))[:, None]).clip(0.0, 1.0)
    return (np.cos(0.5 * np.pi * apart) ** 2).astype(np.float32)


def _spectrum(
    echoes: tuple[Arrivals, Arrivals], rig: RecordingRig, samples: int, length: int, bank: np.ndarray
) -> np.ndarray:
    """(2, F) spectrum of the arrivals on the recording's time axis: per band onto a grid, then through the bank."""
    mirrors, rain = ((arrivals, _sample(arrivals.length, rig)) for arrivals in echoes)
    grid = _on_grid(mirrors[1], mirrors[0].ear, mirrors[0].amplitude, samples, _SINC)
    grid += _on_grid(rain[1], rain[0].ear, rain[0].amplitude, samples, 0)
    metres = np.maximum(0.0, np.arange(samples) / SAMPLE_RATE - rig.start) * rig.geometry.speed_of_sound
    grid *= np.exp(-0.5 * metres[:, None] * AIR).astype(np.float32)
    spectra = rfft(np.ascontiguousarray(grid.transpose(0, 2, 1)), length)
    return np.einsum("ebf,bf->ef", spectra, bank)


def _direct_spectrum(direct: Arrivals, rig: RecordingRig, samples: int, length: int, bank: np.ndarray) -> np.ndarray:
    """(2, F) spectrum of the direct sound with what the rig's body throws back of it."""
    delays, gains = (np.insert(rig.body[..., entry], 0, first, axis=1) for entry, first in ((0, 0.0), (1, 1.0)))
    at = _sample(direct.length, rig)[:, None] + delays * SAMPLE_RATE
    ear = np.repeat((0, 1), at.shape[1])
    grid = _on_grid(at.ravel(), ear, gains.reshape(-1, 1), samples, _SINC)
    return rfft(grid[..., 0], length) * (direct.amplitude @ bank)


def _sample(metres: np.ndarray, rig: RecordingRig) -> np.ndarray:
    """The fractional sample of the recording at which a path of so many metres arrives."""
    return (rig.start + metres / rig.geometry.speed_of_sound) * SAMPLE_RATE


def _on_grid(at: np.ndarray, ear: np.ndarray, amplitude: np.ndarray, samples: int, reach: int) -> np.ndarray:
    """Arrivals as windowed sincs `reach` samples to either side, or on the nearest sample.

    The nearest sample is enough for rays: half a sample is far less than their scatter, and no band loses energy.

    Args:
        at: (P,) fractional samples.
        ear: (P,) 0 or 1.
        amplitude: (P, B).
        samples: length of the grid; what lies outside is left out.
        reach: samples; 0 = the nearest one alone.

    Returns:
        (2, samples, B) float32.
    """
    if reach:
        offset = np.arange(1 - reach, 1 + reach)
        first = np.floor(at).astype(np.int64)
        apart = offset - (at - first)[:, None]
        taps = np.sinc(apart) * np.cos(0.5 * np.pi * apart / reach) ** 2
    else:
        offset, first, taps = np.zeros(1, dtype=np.int64), np.rint(at).astype(np.int64), np.ones((len(at), 1))
    index = first[:, None] + offset
    inside = (index >= 0) & (index < samples)
    rows = np.where(inside, index + samples * ear[:, None], 0).ravel()
    taps = np.where(inside, taps, 0.0).astype(np.float32).ravel()
    # One column an arrival: the product adds each arrival's bands to the samples that it touches.
    columns = np.arange(0, len(rows) + 1, len(offset))
    placed = csc_array((taps, rows, columns), shape=(2 * samples, len(at))) @ amplitude.astype(np.float32)
    return placed.reshape(2, samples, amplitude.shape[1])
