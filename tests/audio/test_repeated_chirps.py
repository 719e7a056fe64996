"""A long recording is cut before each chirp, whatever else is to be heard in it."""

import numpy as np
import pytest

from avsnet.audio.recording import listen
from avsnet.audio.repeated_chirps import repeated_chirps
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, EchoError
from closed_form.echo import echo
from closed_form.furnished import furnished_room

RATE = 44_100
RIG = Rig(origin="known")


@pytest.fixture(scope="module")
def once():
    """One chirp in a room, a third of a second, and the sample of its direct sound."""
    waveform = echo(furnished_room("offices", 2), RIG, seed=2)
    return waveform, listen(waveform, RATE, RIG).direct


def played_at(once, times, seconds=4.0, rate=RATE):
    """The chirp at each time, of its direct sound, amid faint noise."""
    waveform, direct = once
    sound = 1e-4 * np.random.default_rng(0).standard_normal((2, round(seconds * rate)))
    for time in times:
        start = round(time * rate) - direct
        sound[:, start : start + waveform.shape[1]] += waveform
    return sound.astype(np.float32)


def test_every_chirp_is_found_where_it_was_played_and_hears_the_same_room(once):
    times = [0.3, 0.8, 1.3, 1.8, 2.9]  # one was missed
    chirps = repeated_chirps(played_at(once, times), RATE, RIG)
    assert [chirp.time for chirp in chirps] == pytest.approx(times, abs=0.0005)
    alone = listen(once[0], RATE, RIG)
    for chirp in chirps:
        heard = listen(chirp.waveform, RATE, RIG)
        assert heard.warnings == ()
        assert heard.direct == pytest.approx(0.005 * RATE, abs=3)
        late = slice(0, 4000)
        same = np.corrcoef(heard.magnitude[0, heard.direct :][late], alone.magnitude[0, alone.direct :][late])
        assert same[0, 1] > 0.95


def test_claps_and_a_longer_recording_than_a_block_change_nothing(once):
    times = list(np.arange(0.5, 23.0, 0.75))
    sound = played_at(once, times, seconds=24.0)
    rng = np.random.default_rng(1)
    for time in (2.11, 13.3):
        start = round(time * RATE)
        sound[:, start : start + 200] += 0.8 * rng.standard_normal(200) * np.exp(-np.arange(200) / 40.0)
    assert [chirp.time for chirp in repeated_chirps(sound, RATE, RIG)] == pytest.approx(times, abs=0.0005)


def test_a_speaker_wired_the_other_way_round_is_found_all_the_same(once):
    times = [0.3, 0.8, 1.3, 1.8]
    assert [chirp.time for chirp in repeated_chirps(-played_at(once, times), RATE, RIG)] == pytest.approx(
        times, abs=0.0005
    )


def test_a_recording_at_another_rate_keeps_its_rate(once):
    import soxr

    sound = soxr.resample(played_at(once, [0.4, 1.4], 2.0).T, RATE, 48_000).T
    chirps = repeated_chirps(sound, 48_000, RIG)
    assert [chirp.time for chirp in chirps] == pytest.approx([0.4, 1.4], abs=0.0005)
    assert chirps[0].waveform.shape[1] == pytest.approx(0.505 * 48_000, abs=60)


def test_what_holds_no_chirp_is_refused():
    with pytest.raises(EchoError, match="no direct sound"):
        repeated_chirps(1e-3 * np.random.default_rng(0).standard_normal((2, 3 * RATE)), RATE)
    with pytest.raises(AudioError):
        repeated_chirps(np.zeros(100), RATE)
