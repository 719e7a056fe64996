"""The ear: its equivariance to scale, what it refuses, and what it warns of."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import soxr
import torch

from avsnet.audio.chirp import sweep
from avsnet.audio.recording import listen
from avsnet.audio.rig import Rig
from avsnet.errors import DepthError, EchoError, ModelError
from avsnet.geometry import intrinsics_from_fov
from avsnet.scale.ear import posterior_from_ear
from avsnet.scale.ear_echo import (
    DIRECTIONS,
    ECHO_CHANNELS,
    RANGES,
    STEP,
    bandwidth,
    echo_channels,
    onset,
    rig_numbers,
)
from avsnet.scale.ear_map import DISTANCES, MAP_CHANNELS, map_features
from avsnet.scale.ear_network import LOG_MEDIANS, EarNetwork
from avsnet.scale.posterior import ScalePosterior
from closed_form.echo import echo
from closed_form.furnished import furnished_room
from closed_form.render import render

RIG = Rig(origin="known")
SHIFT = round(np.log(2.0) / STEP)  # cells


@pytest.fixture(scope="module")
def network():
    """Any weights: equivariance is none of theirs."""
    torch.manual_seed(0)
    network = EarNetwork()
    torch.nn.init.normal_(network.head[-1][-1].weight, std=0.1)
    return network.eval()


@pytest.fixture(scope="module")
def room():
    """Depth (H, W) in metres, intrinsics and recording of a furnished room."""
    scene = furnished_room("historic", 20_001)
    _, depth, intrinsics = render(scene, 96, 128)
    return depth.astype(np.float64), intrinsics, echo(scene, RIG, seed=20_001)


def free_field(*paths, samples=8000, noise=1e-4, played=None):
    """Echoes of given paths, each as loud as its path lets it be, after the direct sound of both ears."""
    waveform = noise * np.random.default_rng(0).normal(size=(2, samples))
    for ear, direct in enumerate(RIG.direct_paths):
        for path, level in [(direct, 0.2), *((path, 0.6) for path in paths)]:
            waveform[ear] += arriving(path, samples, played) * level / path
    return waveform / np.abs(waveform).max()


def free_field_of(rig, paths, loud):
    """One echo at each of a rig's ears, of a path of its own; the direct sound is `loud` times as loud."""
    waveform = 1e-4 * np.random.default_rng(0).normal(size=(2, 8000))
    for ear, direct in enumerate(rig.direct_paths):
        waveform[ear] += loud * arriving(direct, 8000) / direct + arriving(paths[ear], 8000) / paths[ear]
    return waveform / np.abs(waveform).max()


def arriving(path, samples, played=None):
    """(N,) the sweep after a path in metres, played at 6.8 ms."""
    played = sweep() if played is None else played
    spectrum = np.fft.rfft(np.pad(played, (0, samples - len(played))))
    delay = 0.0068 + path / 343.0
    return np.fft.irfft(spectrum * np.exp(-2j * np.pi * np.fft.rfftfreq(samples, 1 / 44_100) * delay), samples)


def heard(room, network=None, waveform=None, rig=RIG, **options):
    depth, intrinsics, recorded = room
    sound = listen(recorded if waveform is None else waveform, 44_100, rig)
    return posterior_from_ear(depth, depth > 0.0, intrinsics, sound, network=network, **options)


def test_a_map_times_two_moves_the_posterior_by_minus_log_2(room, network):
    depth, intrinsics, recorded = room
    once, twice = heard(room, network).posterior, heard((2.0 * depth, intrinsics, recorded), network).posterior
    np.testing.assert_allclose(twice.log_scale, once.log_scale - np.log(2.0), atol=1e-6)
    np.testing.assert_allclose(twice.probability, once.probability, atol=1e-6)


def test_what_is_heard_farther_moves_the_likelihood_as_far(network):
    channels = torch.zeros(1, ECHO_CHANNELS, len(RANGES))
    channels[:, -1] = 1.0
    there = slice(140, 180)
    channels[0, :-1, there] = 5.0 * torch.randn(ECHO_CHANNELS - 1, 40, generator=torch.Generator().manual_seed(1))
    farther = channels.clone()
    farther[0, :-1] = channels[0, :-1].roll(SHIFT, -1)
    density = torch.zeros(1, MAP_CHANNELS, len(DISTANCES))
    density[0, :, 200:230] = 20.0 * torch.rand(MAP_CHANNELS, 30, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        near, far = (
            network.log_likelihood(network.heard(one, torch.zeros(1, 4)), network.seen(density))[0]
            for one in (channels, farther)
        )
    # The overlap of map and audible band, all of it here, is the same for all of these shifts.
    inner = slice(110, 200)
    moved = far[inner.start + SHIFT : inner.stop + SHIFT]
    np.testing.assert_allclose(moved, near[inner], atol=2e-4)
    assert near[inner].std() > 1e-3


def test_correlation_equals_its_sum_written_out():
    network = EarNetwork()
    network.head = torch.nn.Identity()
    generator = torch.Generator().manual_seed(0)
    f = torch.randn(1, 1, len(RANGES), generator=generator)
    g = torch.randn(1, 1, len(DISTANCES), generator=generator)
    with torch.inference_mode():
        found = network.log_likelihood(f, g)[0]
    place = {round(u / STEP): number for number, u in enumerate(RANGES)}
    for at in (0, 77, 200, len(LOG_MEDIANS) - 1):
        pairs = [
            (place[shifted], number)
            for number, v in enumerate(DISTANCES)
            if (shifted := round((v + LOG_MEDIANS[at]) / STEP)) in place
        ]
        slow = sum(float(f[0, 0, u] * g[0, 0, v]) for u, v in pairs)
        assert float(found[at]) == pytest.approx(slow, abs=1e-3)


def test_an_echo_of_doubled_paths_is_heard_log_2_farther():
    once, twice = (echo_channels(listen(free_field(*(k * np.array([2.4, 4.0]))), 44_100, RIG)) for k in (1.0, 2.0))
    for path in (2.4, 4.0):
        near, far = (np.abs(RANGES - np.log(k * path / 2)).argmin() for k in (1.0, 2.0))
        assert once[3, near - 3 : near + 4].max() == pytest.approx(once[3, once[-1] > 0].max(), abs=0.7)
        # Level is energy times path squared: spreading leaves it alone.
        assert twice[1, far - 3 : far + 4].max() == pytest.approx(once[1, near - 3 : near + 4].max(), abs=0.35)


def test_silence_before_the_sweep_changes_nothing_that_is_heard(room):
    """Before the direct sound the background is 0; dividing by it once swamped a channel of late sweeps."""
    _, _, recorded = room
    silence = 1e-6 * np.random.default_rng(1).normal(size=(2, 1500))
    early, late = (listen(sound, 44_100, RIG) for sound in (recorded, np.concatenate([silence, recorded], axis=1)))
    assert late.direct == early.direct + 1500
    np.testing.assert_allclose(echo_channels(late), echo_channels(early), atol=0.02)


def test_a_surface_square_to_a_direction_is_heard_at_its_own_range_by_ears_far_apart():
    rig = Rig((0.05, 0.3, 0.1), ((-0.15, -0.1, 0.0), (0.12, -0.05, 0.02)), origin="known")
    for number, direction in enumerate(DIRECTIONS):
        paths = rig.mirrored_paths(direction[None], np.array([1.7]))[0]
        sound = free_field_of(rig, paths, loud=0.2)
        channels = echo_channels(listen(sound, 44_100, rig))
        place = np.abs(RANGES - np.log(1.7)).argmin()
        level = channels[6 + 2 * number]
        assert abs(int(level.argmax()) - place) <= 1
        assert level[place - 1 : place + 2].max() > channels[5].max() - 0.2  # no ear hears less there


def test_a_direct_sound_far_softer_than_the_floor_is_found():
    rig = Rig((0.0, 0.4, 0.1), ((-0.1, 0.0, 0.0), (0.1, 0.0, 0.0)), origin="known")
    sound = free_field_of(rig, np.array([1.0, 1.02]), loud=0.08)
    echo = listen(sound, 44_100, rig)
    expected = (0.0068 + rig.direct_paths[0] / 343.0) * 44_100
    assert echo.direct > expected + 50 and abs(onset(echo) - expected) <= 2
    assert abs(onset(listen(free_field(2.4), 44_100, RIG)) - listen(free_field(2.4), 44_100, RIG).direct) <= 1


def test_another_sweep_sounds_as_if_the_default_one_had_been_played():
    """Beside its width: the narrow one of 2 to 18 kHz is heard at the same ranges."""
    rig = replace(RIG, template=sweep(duration=0.01, low=100.0, high=20_000.0))
    once = echo_channels(listen(free_field(2.4, 4.0), 44_100, RIG))
    again = echo_channels(listen(free_field(2.4, 4.0, played=rig.emitted), 44_100, rig))
    for channel in (1, 3):
        assert np.corrcoef(once[channel], again[channel])[0, 1] > 0.9


def test_features_of_a_map_do_not_know_its_unit(room):
    depth, intrinsics, _ = room
    once, twice = (map_features(k * depth, depth > 0.0, intrinsics) for k in (1.0, 2.0))
    np.testing.assert_allclose(once[0], twice[0], atol=1e-3)
    np.testing.assert_allclose(once[1], twice[1], atol=1e-5)


def test_a_wall_ahead_is_a_peak_at_its_distance_whose_foot_is_seen():
    depth, camera = np.full((48, 64), 3.0), intrinsics_from_fov(64, 48, 70.0)
    channels, _ = map_features(depth, depth > 0.0, camera)
    middle = np.abs(DISTANCES).argmin()
    for number in (2, 3, 4, 5):  # tangent planes, and of those whose foot is seen
        assert abs(int(channels[number].argmax()) - middle) <= 1
    assert channels[6:9].max() < 0.2 * channels[5].max()
    assert channels[13].argmax() == channels[5].argmax() and channels[9:13].max() < 0.2 * channels[13].max()


def test_an_unrelated_echo_changes_little(room, network):
    """Wherever the likelihood is far below that of chance, the prior is left."""
    unlikely = EarNetwork()
    unlikely.load_state_dict(network.state_dict())
    torch.nn.init.zeros_(unlikely.head[-1][-1].weight)
    torch.nn.init.constant_(unlikely.head[-1][-1].bias, -12.0)
    found = heard(room, unlikely.eval())
    np.testing.assert_allclose(found.posterior.probability, found.prior.probability, atol=1e-6)
    assert found.belongs < 0.01 and any("may not belong" in line for line in found.warnings)


def test_what_is_known_beforehand_takes_the_place_of_what_any_map_tells(room, network):
    wide, narrow = (heard(room, network, own=ScalePosterior.normal(1.0, spread)) for spread in (2.0, 0.1))
    product = narrow.prior.probability * wide.posterior.probability / wide.prior.probability
    np.testing.assert_allclose(narrow.posterior.probability, product / product.sum(), atol=1e-9)
    assert narrow.scale == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(("believed", "told"), [(3.0, True), (1.0, False)])
def test_where_other_metres_outweigh_a_sure_ear_its_own_answer_is_told(room, believed, told):
    """Neither is thrown away in silence: the user knows whose recording it is."""
    alone, beside = heard(room), heard(room, own=ScalePosterior.normal(believed, 0.2))
    assert alone.belongs > 0.7 and alone.scale == pytest.approx(1.0, rel=0.15)
    lines = [line for line in beside.warnings if "the echo alone would make these metres" in line]
    assert len(lines) == told
    assert all(f"{alone.scale / beside.scale:.2g} times as large" in line for line in lines)


@pytest.mark.parametrize(("unrelated", "told"), [(False, False), (True, True)])
def test_beside_other_metres_an_echo_is_doubted_only_for_what_it_says(room, unrelated, told):
    """Not because the chance that it belongs, with which one begins there, is less than a half."""
    waveform = free_field(9.0) if unrelated else None
    beside = heard(room, waveform=waveform, own=ScalePosterior.normal(1.0, 0.1))
    assert (beside.belongs < 0.4) == told
    assert any("may not belong" in line for line in beside.warnings) == told


def test_metres_off_the_grid_are_taken_to_its_end(room, network):
    found = heard(room, network, own=ScalePosterior.normal(1e4, 0.1))
    assert found.scale * np.median(room[0]) == pytest.approx(20.0, rel=0.1)


def test_recordings_without_an_echo_are_refused(room, network):
    with pytest.raises(EchoError, match="silent"):
        heard(room, network, np.zeros((2, 8000)))
    with pytest.raises(EchoError, match="no echo"):
        heard(room, network, free_field(noise=1e-3))


def test_a_map_all_unknown_is_refused(room, network):
    depth, intrinsics, recorded = room
    with pytest.raises(DepthError, match="all unknown"):
        heard((0.0 * depth, intrinsics, recorded), network)


def test_one_microphone_another_rate_and_an_assumed_rig_are_said(room, network):
    depth, intrinsics, recorded = room
    one = heard(room, network, recorded[:1])
    assert any("one channel only" in line for line in one.warnings)
    faster = listen(soxr.resample(recorded.T, 44_100, 48_000).T, 48_000)
    found = posterior_from_ear(depth, depth > 0.0, intrinsics, faster, network=network)
    assert any("48000" in line for line in found.warnings)
    assert found.warnings[0].startswith("rig assumed")
    assert heard(room, network).warnings[0].startswith("rig known")


def test_the_bandwidth_is_that_of_the_sweep_or_of_the_recording():
    sound = free_field(2.4, 4.0)
    narrow = replace(RIG, template=sweep(duration=0.01, low=2_000.0, high=8_000.0))
    heard = [
        listen(sound, 44_100, RIG),
        listen(soxr.resample(sound.T, 44_100, 16_000).T, 16_000, RIG),
        listen(free_field(2.4, 4.0, played=narrow.emitted), 44_100, narrow),
    ]
    assert np.allclose([bandwidth(one) for one in heard], [17_300, 6_700, 5_100], rtol=0.1)


def test_an_ear_that_assumes_the_rig_is_less_sure(room, network):
    """Of one recording by the assumed rig, told by one network that no rig moves."""
    depth, intrinsics, waveform = room
    network = deepcopy(network)
    torch.nn.init.zeros_(network.rig.weight)
    known, assumed = (
        posterior_from_ear(depth, depth > 0.0, intrinsics, listen(waveform, 44_100, rig), network=network)
        for rig in (Rig(origin="known"), None)
    )
    told = [np.log(one.posterior.probability / one.prior.probability) for one in (known, assumed)]
    assert np.ptp(told[1]) < 0.9 * np.ptp(told[0])


def test_an_assumed_rig_tells_nothing_of_itself(room):
    _, _, recorded = room
    known, assumed = (rig_numbers(listen(recorded, 44_100, rig)) for rig in (RIG, None))
    assert known[0] == 1.0 and list(assumed) == [0.0, 0.0, 0.0, 1.0]
    assert list(rig_numbers(listen(recorded[:1], 44_100, RIG))[[0, 2, 3]]) == [1.0, 0.0, 0.0]


def test_a_scale_at_the_end_of_the_grid_is_said(room, network):
    far = float(np.exp(LOG_MEDIANS[-1])) / np.median(room[0])
    found = heard(room, network, own=ScalePosterior.normal(far, 0.002))
    assert any("at the end of what the ear can tell" in line for line in found.warnings)


def test_weights_are_read_back_as_they_were_saved(network, tmp_path):
    network.save(tmp_path / "ear")
    again = EarNetwork.load(tmp_path / "ear")
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    with pytest.raises(ModelError, match="no weights of the ear"):
        EarNetwork.load(tmp_path / "nothing")
