"""Hearing in batches: the same direct sound as one by one, and one column for one range whatever the file."""

import numpy as np
import pytest
import soundfile
import torch

from avsnet.audio.chirp import SAMPLE_RATE, sweep
from avsnet.audio.direct_sound import align_direct, direct_sound, direct_sounds
from avsnet.audio.network_input import AudioSettings, hear
from avsnet.audio.stft import spectrogram
from avsnet.errors import OptionError, SampleError
from places import SHARED

SAMPLE = SHARED / "batvision_v2_sample" / "audio_47.wav"


def recording(direct=300, echoes=((0.3, 900), (0.2, 2100)), samples=6000, noise=0.003, seed=0, rate=SAMPLE_RATE):
    """The sweep, its echoes so many samples later, and noise, (2, N) float32."""
    rng = np.random.default_rng(seed)
    waveform = noise * rng.normal(size=(2, samples))
    chirp = sweep(rate)
    for gain, delay in ((1.0, 0), *echoes):
        start = direct + delay
        waveform[:, start : start + len(chirp)] += 0.5 * gain * chirp[: samples - start]
    return waveform.astype(np.float32)


def test_the_batched_matched_filter_agrees_with_the_one_of_alignment():
    rng = np.random.default_rng(1)
    batch = [
        recording(
            direct=int(rng.integers(20, 1500)),
            echoes=[(rng.uniform(0.1, 1.4), int(rng.integers(150, 3000))) for _ in range(4)],
            noise=10 ** rng.uniform(-4, -1.5),
            seed=seed,
        )
        for seed in range(40)
    ]
    found = direct_sounds(torch.from_numpy(np.stack(batch)))
    assert found[2].all()
    assert found[0].tolist() == [direct_sound(waveform) for waveform in batch]


def test_it_agrees_on_the_real_recording():
    if not SAMPLE.is_file():
        pytest.skip("../shared/batvision_v2_sample is absent (CC BY-SA, so it is not carried here)")
    waveform, rate = soundfile.read(SAMPLE, dtype="float32", always_2d=True)
    batch = torch.from_numpy(waveform.T.copy())[None]
    assert direct_sounds(batch, rate)[0].item() == direct_sound(waveform.T, rate)


def test_one_column_is_one_range_whenever_the_recording_starts():
    settings = AudioSettings(samples=4000)
    early, late = (recording(direct=start, noise=0.0, samples=9000) for start in (299, 975))
    echo, heard = hear(torch.from_numpy(np.stack([early, late])), SAMPLE_RATE, settings)
    assert heard.all()
    torch.testing.assert_close(echo[0], echo[1], rtol=1e-4, atol=1e-4)


def test_the_echo_is_the_spectrogram_of_the_aligned_recording():
    settings = AudioSettings(samples=4000, amplitude="none", align_to=100)
    waveform = recording()
    waveform -= waveform.mean(axis=1, keepdims=True)
    echo, _ = hear(torch.from_numpy(waveform)[None], SAMPLE_RATE, settings)
    aligned = torch.from_numpy(align_direct(waveform, to=100))
    torch.testing.assert_close(echo[0], spectrogram(aligned, samples=4000, compression="log1p"))


def test_without_alignment_and_normalisation_it_is_the_original_setting():
    settings = AudioSettings(samples=7782, align_to=None, amplitude="none", compression="none")
    waveform = torch.from_numpy(recording(samples=9000))
    echo, heard = hear(waveform[None], SAMPLE_RATE, settings)
    assert heard.all()
    # But for the mean, which no microphone hears.
    assert torch.equal(echo[0], spectrogram(waveform - waveform.mean(dim=1, keepdim=True), samples=7782))


@pytest.mark.parametrize("amplitude", ["rms", "direct"])
def test_a_recorders_gain_does_not_matter_once_the_amplitude_is_normalised(amplitude):
    waveform = torch.from_numpy(recording())[None]
    loud, quiet = (hear(gain * waveform, SAMPLE_RATE, AudioSettings(amplitude=amplitude))[0] for gain in (1.0, 0.05))
    torch.testing.assert_close(loud, quiet, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(
        *(hear(gain * waveform, SAMPLE_RATE, AudioSettings(amplitude="none"))[0] for gain in (1.0, 0.05))
    )


def test_the_gain_is_that_of_the_magnitudes_before_they_are_compressed():
    waveform = torch.from_numpy(recording())[None]
    plain, _ = hear(waveform, SAMPLE_RATE, AudioSettings())
    loud, _ = hear(waveform, SAMPLE_RATE, AudioSettings(gain=300.0))
    torch.testing.assert_close(loud, torch.log1p(300.0 * torch.expm1(plain)), rtol=1e-4, atol=1e-4)


def test_the_ears_keep_their_ratio():
    waveform = torch.from_numpy(recording())[None] * torch.tensor([1.0, 0.25])[:, None]
    for amplitude in ("none", "rms", "direct"):
        settings = AudioSettings(amplitude=amplitude, compression="none")
        left, right = hear(waveform, SAMPLE_RATE, settings)[0][0].square().mean(dim=(1, 2)).sqrt()
        assert right / left == pytest.approx(0.25, rel=0.05)


def test_the_picture_size_is_that_of_the_spectrogram_where_the_paper_is_followed():
    echo, _ = hear(torch.from_numpy(recording())[None], SAMPLE_RATE, AudioSettings(resize="rgb"), (96, 128))
    assert echo.shape == (1, 2, 96, 128)


def test_rows_without_an_echo_are_told_and_silent_and_change_no_other_row():
    rng = np.random.default_rng(0)
    good = recording()
    broken = good.copy()
    broken[0, 17] = np.nan
    noise = (0.1 * rng.normal(size=good.shape)).astype(np.float32)
    late = recording(direct=5800, echoes=(), samples=6000)
    batch = torch.from_numpy(np.stack([good, np.zeros_like(good), broken, noise, late, good]))
    echo, heard = hear(batch, SAMPLE_RATE, AudioSettings())
    assert heard.tolist() == [True, False, False, False, False, True]
    assert echo[1:5].abs().max() == 0.0
    torch.testing.assert_close(echo[0], hear(batch[:1], SAMPLE_RATE, AudioSettings())[0][0])


def test_another_sample_rate_is_brought_to_the_networks_own():
    settings = AudioSettings(samples=4000)
    own = torch.from_numpy(recording(noise=0.0))[None]
    rate = 48_000
    echoes = ((0.3, round(900 * rate / SAMPLE_RATE)), (0.2, round(2100 * rate / SAMPLE_RATE)))
    other = torch.from_numpy(recording(direct=326, echoes=echoes, noise=0.0, rate=rate))[None]
    wanted, _ = hear(own, SAMPLE_RATE, settings)
    found, heard = hear(other, rate, settings)
    assert heard.all()
    assert (found - wanted).abs().mean() < 0.02 * wanted.abs().mean() + 0.01
    both, _ = hear(torch.cat([own, other]), torch.tensor([SAMPLE_RATE, rate]), settings)
    torch.testing.assert_close(both[1], found[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("waveform", "rate", "wanted"),
    [
        (torch.zeros(1, 1, 4000), 44_100, r"\(1, 1, 4000\), wanted \(B, 2, N\)"),
        (torch.zeros(2, 4000), 44_100, "must be a float tensor"),
        (torch.zeros(1, 2, 4000, dtype=torch.int16), 44_100, "must be a float tensor"),
        (torch.zeros(1, 2, 4000), 100, "sample_rate"),
        (torch.zeros(1, 2, 4000), torch.tensor([44_100, 44_100]), "sample_rate"),
    ],
)
def test_what_is_no_recording_is_refused(waveform, rate, wanted):
    with pytest.raises(SampleError, match=wanted):
        hear(waveform, rate, AudioSettings())


@pytest.mark.parametrize(
    "wrong",
    [
        {"amplitude": "peak"},
        {"resize": "256"},
        {"sample_rate": 10},
        {"align_to": 9000},
        {"compression": "db"},
        {"gain": 0.0},
    ],
)
def test_settings_outside_what_they_allow_are_named(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        AudioSettings(**wrong)
