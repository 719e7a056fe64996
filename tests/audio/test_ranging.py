import numpy as np
import pytest

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.ranging import range_profile
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, EchoError, OptionError

RIG = Rig(origin="known")
START = 0.0068
DISTANCES = np.geomspace(0.5, 10.0, 24)


def played(delay: np.ndarray | float, samples: int) -> np.ndarray:
    """The sweep delayed by any fraction of a sample, from its formula."""
    time = np.arange(samples) / SAMPLE_RATE - delay
    phase = 2 * np.pi * (20.0 * time + (20_000.0 - 20.0) * time**2 / (2 * 0.003))
    return np.where((time >= 0) & (time < 0.003), np.cos(phase), 0.0)


def one_wall(distance: float, *, seed: int = 0, rig: Rig = RIG, noise_db: float = -20.0) -> np.ndarray:
    """Image-source echo of one wall straight ahead, with noise so many dB above the echo's own RMS."""
    rng = np.random.default_rng(seed)
    normal = np.array([[0.0, 0.0, 1.0]])
    walls = rig.mirrored_paths(normal, np.array([distance]))[0]
    waveform = np.zeros((2, 4096))
    for ear, (direct, wall) in enumerate(zip(rig.direct_paths, walls, strict=True)):
        echo = played(START + wall / rig.speed_of_sound, 4096) / wall
        waveform[ear] = 0.2 * played(START + direct / rig.speed_of_sound, 4096) / direct + echo
        level = np.sqrt(np.mean(echo[echo != 0] ** 2)) * 10 ** (noise_db / 20)
        waveform[ear] += rng.normal(size=4096) * level
    return waveform / np.abs(waveform).max()


def test_one_wall_is_ranged_within_3_cm_in_the_median_from_half_a_metre_to_ten():
    errors = []
    for seed, distance in enumerate(DISTANCES):
        strongest = range_profile(one_wall(distance, seed=seed), SAMPLE_RATE, RIG).strongest
        assert strongest is not None
        errors.append(abs(strongest.range - distance))
    assert np.median(errors) < 0.03
    assert max(errors) < 0.05


def test_pyroomacoustics_walls_are_ranged_within_3_cm_once_its_40_samples_are_taken_off():
    pra = pytest.importorskip("pyroomacoustics", reason="pyroomacoustics is not installed")
    errors = []
    for distance in (0.5, 1.0, 2.3, 4.7, 8.0, 10.0):
        mirror, nothing = pra.Material(0.05), pra.Material(1.0)
        walls = {name: nothing for name in ("west", "north", "south", "floor", "ceiling")} | {"east": mirror}
        room = pra.ShoeBox([30.0, 20.0, 20.0], fs=SAMPLE_RATE, materials=walls, max_order=1, air_absorption=False)
        camera = np.array([30.0 - distance, 10.0, 10.0])  # looks along +x: right is -y, down is -z
        to_room = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
        room.add_source(camera + np.array(RIG.speaker) @ to_room)
        room.add_microphone_array((camera + np.array(RIG.ears) @ to_room).T)
        room.set_sound_speed(RIG.speed_of_sound)
        room.compute_rir()
        late = pra.constants.get("frac_delay_length") // 2
        responses = [room.rir[ear][0][late:] for ear in range(2)]
        waveform = np.stack([np.convolve(np.pad(r, (300, 3000)), sweep())[:4000] for r in responses])
        strongest = range_profile(waveform / np.abs(waveform).max(), SAMPLE_RATE, RIG).strongest
        assert strongest is not None
        errors.append(abs(strongest.range - distance))
    assert np.median(errors) < 0.03


def test_one_microphone_works_and_says_so():
    both = one_wall(2.0)
    profile = range_profile(both[:1], SAMPLE_RATE, RIG)
    assert profile.strongest is not None
    assert abs(profile.strongest.range - 2.0) < 0.03
    assert any("one microphone" in line for line in profile.warnings)


def test_a_dead_channel_is_left_out_and_named():
    both = one_wall(2.0)
    both[0] = 0.0
    profile = range_profile(both, SAMPLE_RATE, RIG)
    assert profile.strongest is not None
    assert abs(profile.strongest.range - 2.0) < 0.03
    assert any("only the right ear" in line for line in profile.warnings)


def test_without_an_echo_there_is_no_reflection():
    waveform = np.stack([played(START, 4096)] * 2) * 0.5
    waveform += np.random.default_rng(0).normal(size=waveform.shape) * 1e-3
    assert range_profile(waveform, SAMPLE_RATE, RIG).reflections == ()


def test_noise_seldom_makes_a_reflection():
    found = 0
    for seed in range(40):
        waveform = np.stack([played(START, 4096)] * 2) * 0.5
        waveform += np.random.default_rng(seed).normal(size=waveform.shape) * 1e-2
        found += len(range_profile(waveform, SAMPLE_RATE, RIG).reflections)
    assert found <= 4


def test_a_clipped_echo_is_ranged_and_said_to_be_clipped():
    waveform = np.clip(one_wall(1.0) * 3.0, -1.0, 1.0)
    profile = range_profile(waveform, SAMPLE_RATE, RIG)
    assert profile.strongest is not None
    assert abs(profile.strongest.range - 1.0) < 0.05
    assert any("clipped" in line for line in profile.warnings)


def test_silence_is_refused():
    with pytest.raises(EchoError, match="silent"):
        range_profile(np.zeros((2, 4096)), SAMPLE_RATE, RIG)


def test_a_recording_without_the_sweep_is_refused():
    noise = np.random.default_rng(0).normal(size=(2, 20_000)) * 0.1
    with pytest.raises(EchoError, match="no direct sound"):
        range_profile(noise, SAMPLE_RATE, RIG)


def test_a_recording_that_ends_with_the_direct_sound_is_refused():
    with pytest.raises(EchoError, match="too short"):
        range_profile(one_wall(1.0)[:, : int(START * SAMPLE_RATE) + 200], SAMPLE_RATE, RIG)


def test_not_a_number_is_refused():
    waveform = one_wall(1.0)
    waveform[0, 100] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        range_profile(waveform, SAMPLE_RATE, RIG)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000, 96_000])
def test_other_sample_rates_are_resampled_and_said(rate):
    import soxr

    waveform = soxr.resample(one_wall(2.0).T, SAMPLE_RATE, rate).T
    profile = range_profile(waveform, rate, RIG)
    assert any(f"resampled from {rate} Hz" in line for line in profile.warnings)
    assert profile.strongest is not None
    assert abs(profile.strongest.range - 2.0) < (0.10 if rate < SAMPLE_RATE else 0.03)


def test_swapped_ears_change_nothing_for_a_symmetric_rig():
    waveform = one_wall(2.0)
    there, back = (range_profile(w, SAMPLE_RATE, RIG) for w in (waveform, waveform[::-1]))
    np.testing.assert_allclose(there.strength, back.strength, atol=1e-9)


def test_swapped_ears_are_heard_where_the_speaker_stands_to_one_side():
    rig = Rig(speaker=(0.3, 0.0, 0.0), origin="known")
    waveform = one_wall(2.0, rig=rig)
    assert not any("swapped" in line for line in range_profile(waveform, SAMPLE_RATE, rig).warnings)
    assert any("swapped" in line for line in range_profile(waveform[::-1], SAMPLE_RATE, rig).warnings)


def test_the_profile_says_where_its_rig_comes_from():
    assert "rig assumed" in range_profile(one_wall(1.0), SAMPLE_RATE).warnings[0]
    assert "rig known" in range_profile(one_wall(1.0), SAMPLE_RATE, RIG).warnings[0]


def test_the_level_of_the_recording_does_not_matter():
    waveform = one_wall(3.0)
    loud, soft = (range_profile(gain * waveform, SAMPLE_RATE, RIG) for gain in (1.0, 1e-3))
    np.testing.assert_allclose(loud.strength, soft.strength, rtol=1e-6)


def test_a_hissing_dead_microphone_is_left_out_and_named():
    waveform = one_wall(2.0)
    waveform[1] = np.random.default_rng(1).normal(size=waveform.shape[1]) * 2e-4
    profile = range_profile(waveform, SAMPLE_RATE, RIG)
    assert profile.strongest is not None
    assert abs(profile.strongest.range - 2.0) < 0.03
    assert any("right ear hears only noise" in line for line in profile.warnings)


def test_a_click_that_is_not_the_sweep_is_refused():
    waveform = np.random.default_rng(0).normal(size=(2, 8000)) * 1e-4
    waveform[:, 1000] += 0.3
    with pytest.raises(EchoError, match="not the sweep"):
        range_profile(waveform, SAMPLE_RATE, RIG)


@pytest.mark.parametrize("distance", [1.0, 2.0, 5.0])
def test_the_level_of_an_echo_is_right_though_one_ear_is_farther_from_the_speaker(distance):
    rig = Rig(speaker=(0.25, 0.0, 0.0), origin="known")
    waveform = np.zeros((2, 4096))
    paths = rig.mirrored_paths(np.array([[0.0, 0.0, 1.0]]), np.array([distance]))[0]
    for ear in range(2):
        for length, gain in ((rig.direct_paths[ear], 0.5), (paths[ear], 0.05)):
            waveform[ear] += gain * played(START + length / rig.speed_of_sound, 4096)
    strongest = range_profile(waveform, SAMPLE_RATE, rig).strongest
    assert strongest is not None
    assert abs(strongest.range - distance) < 0.03
    assert abs(strongest.level + 20.0) < 1.5


@pytest.mark.parametrize("options", [{"max_range": 0.0}, {"max_range": np.nan}, {"direction": (0.0, 0.0, 0.0)}])
def test_a_profile_of_nothing_is_refused(options):
    with pytest.raises(OptionError):
        range_profile(one_wall(1.0), SAMPLE_RATE, RIG, **options)
