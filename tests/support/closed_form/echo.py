"""The echo of a room in closed form: image sources, a diffuse tail, the sweep, the rig's response and noise.

Source: image-source method (Allen and Berkley 1979), finite panels after the far-field Kirchhoff limit, Sabine's decay.
One broad band: absorption does not depend on frequency here.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.rig import Rig
from closed_form.raycast import occluded
from closed_form.scene import Quads, Room

_OVERSAMPLING = 8  # arrivals fall on a grid of 1 / (8 * 44100) s = 1 mm of path
_BAND = 4000.0  # hertz; smaller panels than this wave length allows reflect less


def echo(
    room: Room, rig: Rig, *, seed: int, duration: float = 0.3, start: float = 0.0068, noise_db: float = -45.0
) -> np.ndarray:
    """What two ears in the room record when the speaker plays one sweep.

    Args:
        room: the scene; the rig sits at its camera.
        rig: speaker and ears in camera axes.
        seed: of the tail, the noise and the rig's response; the geometry does not depend on it.
        duration: seconds.
        start: seconds before the sweep is played.
        noise_db: RMS of the noise in dB relative to the recording's peak.

    Returns:
        (2, duration * 44100) float32, left ear first, peak 0.5.
    """
    rng = np.random.default_rng([seed, 7])
    response = impulse_response(room, rig, duration - start, rng)
    excitation = sweep(SAMPLE_RATE * _OVERSAMPLING)
    played = fftconvolve(response, excitation[None], axes=-1)[:, : response.shape[1]]
    lead = np.zeros((2, round(start * SAMPLE_RATE * _OVERSAMPLING)))
    waveform = np.concatenate([lead, played], axis=1)[:, ::_OVERSAMPLING]
    low, high = 330.0 * np.exp(rng.normal(0, 0.2)), 9500.0 * np.exp(rng.normal(0, 0.1))
    waveform = sosfilt(butter(2, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos"), waveform)
    waveform *= 0.5 / np.abs(waveform).max()
    waveform += rng.normal(size=waveform.shape) * 0.5 * 10 ** (noise_db / 20)
    return waveform[:, : round(duration * SAMPLE_RATE)].astype(np.float32)


def impulse_response(room: Room, rig: Rig, duration: float, rng: np.random.Generator) -> np.ndarray:
    """(2, duration * 8 * 44100) pressure per ear; a reflector that lengthens the path to 1 m gives a tap of 1 at most.

    The direct sound keeps 0.6 whatever the rig: its speaker looks away from the ears.
    """
    samples = round(duration * SAMPLE_RATE * _OVERSAMPLING)
    speaker, ears = room.to_world(np.array(rig.speaker)), room.to_world(np.array(rig.ears))
    response = np.zeros((2, samples))
    for ear in range(2):
        side = room.axes.T @ np.array([0.8 * (2 * ear - 1), 0.0, 0.6])
        paths, gains = _arrivals(room, speaker, ears[ear], side)
        _add(response[ear], paths / rig.speed_of_sound, gains)
        # The rig's own body answers within a millisecond of the direct sound.
        direct = rig.direct_paths[ear] / rig.speed_of_sound
        body = rng.uniform(0.0001, 0.0009, 3)
        _add(response[ear], np.array([direct, *(direct + body)]), np.array([1, *rng.uniform(-0.3, 0.3, 3)]) * 0.6)
    response += _tail(room, rig, samples, rng)
    return response


def first_order(quads: Quads, speaker: np.ndarray, ear: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mirror paths speaker -> rectangle -> ear that exist: on the rectangle's front and unobstructed.

    Args:
        quads: the scene.
        speaker: (3,) metres.
        ear: (3,) metres.

    Returns:
        index (P,) of the rectangles; point (P, 3) of reflection; length (P,) of the paths in metres.
    """
    normal = quads.normal
    height_speaker = np.sum((speaker - quads.corner) * normal, axis=1)
    height_ear = np.sum((ear - quads.corner) * normal, axis=1)
    front = np.flatnonzero((height_speaker > 1e-6) & (height_ear > 1e-6))
    image = speaker - 2 * height_speaker[front, None] * normal[front]
    share = height_ear[front] / (height_ear[front] + height_speaker[front])
    point = ear + share[:, None] * (image - ear)
    keep = _on(quads, front, point)
    front, image, point = front[keep], image[keep], point[keep]
    ends = np.broadcast_to(speaker, point.shape), np.broadcast_to(ear, point.shape)
    free = ~occluded(quads, ends[0], point) & ~occluded(quads, point, ends[1])
    return front[free], point[free], np.linalg.norm(image[free] - ear, axis=1)


def second_order(quads: Quads, speaker: np.ndarray, ear: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mirror paths over two rectangles larger than 1 m^2.

    Returns:
        pair (P, 2) of rectangles in the order met; points (P, 2, 3) of reflection; length (P,) metres.
    """
    large = np.flatnonzero(quads.area > 1.0)
    first, second = (grid.ravel() for grid in np.meshgrid(large, large, indexing="ij"))
    first, second = first[first != second], second[first != second]
    normal = quads.normal
    image1 = _mirror(quads, normal, first, np.broadcast_to(speaker, (len(first), 3)))
    image2 = _mirror(quads, normal, second, image1)
    ears = np.broadcast_to(ear, image2.shape)
    point2, good2 = _cross(quads, normal, second, ears, image2)
    point1, good1 = _cross(quads, normal, first, point2, image1)
    front = np.sum((speaker - quads.corner[first]) * normal[first], axis=1) > 1e-6
    front &= np.sum((ear - quads.corner[second]) * normal[second], axis=1) > 1e-6
    keep = np.flatnonzero(good1 & good2 & front)
    first, second, point1, point2, image2 = (rows[keep] for rows in (first, second, point1, point2, image2))
    speakers, ears = np.broadcast_to(speaker, point1.shape), np.broadcast_to(ear, point1.shape)
    free = ~(occluded(quads, speakers, point1) | occluded(quads, point1, point2) | occluded(quads, point2, ears))
    lengths = np.linalg.norm(image2[free] - ear, axis=1)
    return np.stack([first, second], 1)[free], np.stack([point1, point2], 1)[free], lengths


def _arrivals(room: Room, speaker: np.ndarray, ear: np.ndarray, ear_axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Path lengths (P,) in metres and amplitudes (P,) of the first and second order."""
    quads, forward = room.quads, room.axes[2]
    absorption, area, normal = quads.absorption, quads.area, quads.normal
    index, point, length = first_order(quads, speaker, ear)
    out, back = point - speaker, point - ear
    r1, r2 = np.linalg.norm(out, axis=1), np.linalg.norm(back, axis=1)
    slant = np.abs(np.sum(out * normal[index], axis=1)) / r1
    panel = np.minimum(1.0, _BAND * 2 * area[index] * slant * (r1 + r2) / (343.0 * r1 * r2))
    gain = np.sqrt(1 - absorption[index]) * panel * _beam(out, forward) * _beam(back, ear_axis) / length
    pair, points, length2 = second_order(quads, speaker, ear)
    gain2 = np.sqrt(np.prod(1 - absorption[pair], axis=1)) * 0.85 / np.maximum(length2, 1e-6)
    gain2 = gain2 * _beam(points[:, 0] - speaker, forward) * _beam(points[:, 1] - ear, ear_axis)
    return np.concatenate([length, length2]), np.concatenate([gain, gain2])


def _beam(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Amplitude of a speaker or ear that favours its axis: 1 ahead, 0.5 behind."""
    cosine = direction @ axis / np.linalg.norm(direction, axis=-1)
    return 0.5 + 0.25 * (1 + cosine)


def _tail(room: Room, rig: Rig, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Diffuse sound: white noise under Sabine's decay, half of the diffuse field's energy (the rest is specular)."""
    area = float(room.quads.area.sum())
    absorbing = float((room.quads.area * room.quads.absorption).sum()) + 0.1 * area  # clutter absorbs too
    volume = float(np.prod(room.size))
    decay = 13.8 / (0.161 * volume / absorbing)  # energy, 1/s
    mean_free_time = 4 * volume / area / rig.speed_of_sound
    time = np.arange(samples) / (SAMPLE_RATE * _OVERSAMPLING)
    energy = np.exp(-decay * time) * (time > mean_free_time)
    energy *= 0.5 * 16 * np.pi / absorbing / max(energy.sum(), 1e-12)
    return rng.normal(size=(2, samples)) * np.sqrt(energy)


def _add(response: np.ndarray, times: np.ndarray, gains: np.ndarray) -> None:
    index = np.round(times * SAMPLE_RATE * _OVERSAMPLING).astype(int)
    inside = index < len(response)
    np.add.at(response, index[inside], gains[inside])


def _mirror(quads: Quads, normal: np.ndarray, index: np.ndarray, points: np.ndarray) -> np.ndarray:
    height = np.sum((points - quads.corner[index]) * normal[index], axis=1)
    return points - 2 * height[:, None] * normal[index]


def _cross(
    quads: Quads, normal: np.ndarray, index: np.ndarray, start: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where start -> end (an image source behind the rectangle) crosses each rectangle, and whether it does."""
    before = np.sum((start - quads.corner[index]) * normal[index], axis=1)
    after = np.sum((end - quads.corner[index]) * normal[index], axis=1)
    good = (before > 1e-6) & (after < -1e-6)
    share = np.where(good, before / np.where(good, before - after, 1.0), 0.0)
    point = start + share[:, None] * (end - start)
    return point, good & _on(quads, index, point)


def _on(quads: Quads, index: np.ndarray, point: np.ndarray) -> np.ndarray:
    inside = np.ones(len(index), dtype=bool)
    for edge in (quads.u[index], quads.v[index]):
        share = np.sum((point - quads.corner[index]) * edge, axis=1) / np.sum(edge**2, axis=1)
        inside &= (share >= 0.0) & (share <= 1.0)
    return inside
