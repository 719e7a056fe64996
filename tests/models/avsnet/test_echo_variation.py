"""Varied echoes: the direct sound and when things are heard stay, how loud each is does not."""

import torch

from avsnet.audio.network_input import AudioSettings
from avsnet.models.avsnet.echo_variation import varied

AUDIO = AudioSettings(n_fft=128, samples=5248, gain=300.0)
ORIGIN, COLUMN = 4.0, AUDIO.hop_length / AUDIO.sample_rate


def spectrograms(count: int = 64) -> torch.Tensor:
    """A direct sound, and a wall at column 40 in silence."""
    magnitude = torch.zeros(count, 2, 65, 329)
    magnitude[..., 4], magnitude[..., 40] = 1.0, 0.05
    return torch.log1p(AUDIO.gain * magnitude)


def test_the_direct_sound_stays_and_the_wall_is_louder_or_softer_where_it_was():
    torch.manual_seed(0)
    given = spectrograms()
    other = varied(given, AUDIO.gain, ORIGIN, COLUMN)
    assert other.shape == given.shape and other.min() >= 0.0 and torch.isfinite(other).all()
    torch.testing.assert_close(other[..., :6], given[..., :6])
    level = (torch.expm1(other[..., 40]) / torch.expm1(given[..., 40])).mean(dim=(1, 2)).log()
    assert 0.2 < level.std() < 0.7 and level.mean().abs() < 0.2
    quiet = other[..., 41:].amax(dim=(1, 2, 3)) < 1e-6
    assert 0.25 < quiet.float().mean() < 0.75  # the others have noise
    assert (other[quiet][:, :, :, 20:60].argmax(dim=3) == 20).all()


def test_both_ears_of_one_echo_vary_alike_and_two_echoes_do_not():
    torch.manual_seed(1)
    other = varied(spectrograms(2), AUDIO.gain, ORIGIN, COLUMN)[..., 40]
    torch.testing.assert_close(other[:, 0], other[:, 1])
    assert (other[0] - other[1]).abs().max() > 1e-2
