"""A sound card in a room of one wall, in place of a device."""

import numpy as np
from scipy.signal import fftconvolve

from avsnet.audio.rig import Rig
from avsnet.audio.sound_card import Exchange

WALL = 1.5
"""Metres from the camera to the wall."""


class RoomCard:
    """A room with one wall: whatever is played comes back by the direct way and from the wall, to both ears."""

    rig = Rig().with_speaker_distance(0.2)
    gain, noise, deaf = 0.4, 1e-4, False

    def __init__(self, microphone=None, speaker=None):
        pass

    def exchange(self, signal, sample_rate, channels):
        delay = 9_000  # of the sound card
        silence = np.zeros(delay + 2_000)
        padded = np.concatenate([silence, signal, np.zeros(sample_rate)])
        paths = self.rig.mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([WALL]))[0]
        ears = []
        for direct, wall, side in zip(self.rig.direct_paths, paths, (4.1, 4.6), strict=True):
            response = np.zeros(2_000)
            for length, gain in ((direct, self.gain), (wall, 0.4 * self.gain), (side, 0.2 * self.gain)):
                time = np.arange(2_000) - length / self.rig.speed_of_sound * sample_rate
                response += gain * np.sinc(time) * np.exp(-((time / 200.0) ** 2))
            ears.append(fftconvolve(padded, response)[: len(padded)])
        heard = np.stack(ears) * (not self.deaf)
        heard += self.noise * np.random.default_rng(0).normal(size=heard.shape)
        return Exchange(heard[:channels].clip(-1.0, 1.0).astype(np.float32), 2_000)
