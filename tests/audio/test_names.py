"""What the package of sound shows to a reader who completes its name."""

from avsnet import audio


def test_completion_shows_every_public_name():
    assert set(audio.__all__) <= set(dir(audio))
    assert all(getattr(audio, name) is not None for name in audio.__all__)
