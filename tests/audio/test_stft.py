"""Spectrograms against the golden of the original settings, a slow DFT, and the physics of a tone."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import soundfile
import torch

from avsnet.audio.stft import ORIGINAL_SETTINGS, SpectrogramSettings, samples_for_range, spectrogram
from avsnet.errors import OptionError, SampleError
from places import SHARED

torch.set_num_threads(1)

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def golden():
    path = SHARED / "golden" / "stft" / "case1.npz"
    if not path.is_file():
        pytest.skip("../shared/golden/stft is absent (its audio is CC BY-SA, so it is not carried here)")
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def recording():
    path = SHARED / "batvision_v2_sample" / "audio_47.wav"
    if not path.is_file():
        pytest.skip("../shared/batvision_v2_sample is absent (CC BY-SA, so it is not carried here)")
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 44_100
    return torch.from_numpy(samples.T.copy())


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0


def slow_spectrogram(waveform: np.ndarray, n_fft: int, win_length: int, hop_length: int) -> np.ndarray:
    """One channel, straight from the definition: (N,) -> (F, T)."""
    half = n_fft // 2
    padded = np.concatenate([waveform[half:0:-1], waveform, waveform[-2 : -half - 2 : -1]])
    window = np.zeros(n_fft)
    left = (n_fft - win_length) // 2
    window[left : left + win_length] = np.sin(np.pi * np.arange(win_length) / win_length) ** 2
    time = np.arange(n_fft)
    result = np.empty((half + 1, 1 + len(waveform) // hop_length))
    for frame in range(result.shape[1]):
        piece = padded[frame * hop_length : frame * hop_length + n_fft] * window
        for bin in range(half + 1):
            result[bin, frame] = abs(np.sum(piece * np.exp(-2j * np.pi * bin * time / n_fft)))
    return result


@pytest.mark.parametrize(("name", "settings"), [("v2_full", "v2_full"), ("v2_cut30", "v2_cut30"), ("v1", "v1_window")])
def test_original_settings_give_the_golden_spectrogram(golden, recording, name, settings):
    result = ORIGINAL_SETTINGS[settings](recording)
    assert list(result.shape) == golden[f"{name}_shape"].tolist()
    assert np.abs(result[:, ::4, ::4].numpy() - golden[f"{name}_stride4"]).max() < TOLERANCE
    assert np.abs(result.double().sum((1, 2)).numpy() / golden[f"{name}_sum"] - 1.0).max() < 1e-6
    assert np.abs(result.amax((1, 2)).numpy() - golden[f"{name}_max"]).max() < TOLERANCE


@pytest.mark.parametrize("resize", ["antialias", "plain"])
@pytest.mark.parametrize(("name", "settings"), [("v2_full", "v2_full"), ("v2_cut30", "v2_cut30"), ("v1", "v1_window")])
def test_both_resizes_give_the_golden_spectrogram(golden, recording, name, settings, resize):
    result = replace(ORIGINAL_SETTINGS[settings], size=(256, 256), antialias=resize == "antialias")(recording)
    expected = golden[f"{name}_resize256_{resize}_stride4"]
    assert np.abs(result[:, ::4, ::4].numpy() - expected).max() < TOLERANCE


def test_small_cases_give_the_golden_spectrogram_pixel_by_pixel(golden):
    waveform = torch.from_numpy(golden["small_waveform"])
    v1 = ORIGINAL_SETTINGS["v1"](waveform)
    full400 = spectrogram(waveform, n_fft=400, win_length=200, hop_length=100)
    assert np.abs(v1.numpy() - golden["small_v1_full"]).max() < TOLERANCE
    assert np.abs(full400.numpy() - golden["small_full400"]).max() < TOLERANCE


def test_the_first_60_ms_give_the_golden_spectrogram(golden, recording):
    result = ORIGINAL_SETTINGS["replica60ms"](recording)
    assert result.shape == (2, 257, 166)
    assert np.abs(result[:, ::4, ::4].numpy() - golden["replica60ms"]).max() < TOLERANCE


def test_the_cut_rule_keeps_the_golden_number_of_samples(golden):
    assert samples_for_range(30.0) == golden["cut_samples"]


@pytest.mark.parametrize(("max_depth", "samples"), [(30.0, 7_782), (12.0, 3_112), (10.0, 2_594)])
def test_the_cut_rule_keeps_the_published_number_of_samples(max_depth, samples):
    assert samples_for_range(max_depth) == samples


@pytest.mark.parametrize(
    ("name", "recorded", "shape"),
    [
        ("v2_full", 20_000, (201, 201)),
        ("v2_cut30", 20_000, (257, 487)),
        ("v2_cut12", 20_000, (257, 195)),
        ("v2_cut10", 20_000, (257, 163)),
        ("v1", 4_200, (257, 1 + 4_200 // 16)),
        ("v1_window", 4_200, (257, 201)),
        ("replica60ms", 44_100, (257, 166)),
        ("matterport60ms", 16_000, (257, 121)),
    ],
)
def test_original_settings_have_the_published_shape(name, recorded, shape):
    assert ORIGINAL_SETTINGS[name](noise(2, recorded)).shape == (2, *shape)


@pytest.mark.parametrize(("n_fft", "win_length", "hop_length"), [(64, 64, 16), (64, 20, 7), (50, 15, 10)])
def test_it_equals_a_slow_fourier_transform(n_fft, win_length, hop_length):
    waveform = noise(150).double()
    result = spectrogram(waveform, n_fft=n_fft, win_length=win_length, hop_length=hop_length)
    expected = slow_spectrogram(waveform.numpy(), n_fft, win_length, hop_length)
    assert result.shape == expected.shape
    assert np.abs(result.numpy() - expected).max() < 1e-12


def test_a_batch_equals_its_recordings_one_by_one():
    waveforms = noise(3, 2, 1_000)
    settings = SpectrogramSettings(size=(40, 30), compression="log1p")
    one_by_one = torch.stack([torch.stack([settings(ear) for ear in waveform]) for waveform in waveforms])
    torch.testing.assert_close(settings(waveforms), one_by_one, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [(128, 128), (257, 40), (40, 126), (300, 400), (1, 1)])
def test_the_fast_way_equals_the_one_that_carries_gradients(size, antialias):
    for waveform in (noise(3, 2, 2_000), noise(2_000).double()):
        fast = spectrogram(waveform, size=size, antialias=antialias)
        slow = spectrogram(waveform.clone().requires_grad_(), size=size, antialias=antialias)
        assert slow.requires_grad and not fast.requires_grad and fast.dtype == waveform.dtype
        torch.testing.assert_close(fast, slow.detach(), atol=1e-5 if fast.dtype == torch.float32 else 1e-12, rtol=0.0)


def test_what_inference_leaves_behind_does_not_disturb_training():
    waveform = noise(2, 1_111)
    with torch.inference_mode():
        expected = spectrogram(waveform, win_length=60, size=(50, 60))
    spectrogram(waveform.requires_grad_(), win_length=60, size=(50, 60)).sum().backward()
    assert waveform.grad is not None and torch.equal(
        spectrogram(noise(2, 1_111), win_length=60, size=(50, 60)), expected
    )


def test_an_exported_graph_gives_the_same():
    class Hears(torch.nn.Module):
        def forward(self, waveform):
            return spectrogram(waveform, size=(40, 30))

    waveform = noise(2, 1_000)
    exported = torch.export.export(Hears(), (waveform,)).module()
    torch.testing.assert_close(exported(waveform), spectrogram(waveform, size=(40, 30)), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("frequency", [1_000.0, 5_000.0, 17_300.0])
def test_a_pure_tone_peaks_in_its_bin(frequency):
    tone = torch.sin(2.0 * torch.pi * frequency * torch.arange(4_000) / 44_100)
    # The middle frames: the mirrored ends are no pure tone.
    peaks = spectrogram(tone, win_length=512)[:, 40:-40].argmax(0)
    assert (peaks == round(frequency / 44_100 * 512)).all()


def test_a_click_lies_in_the_column_of_its_time():
    waveform = torch.zeros(3_200)
    waveform[1_600] = 1.0
    assert spectrogram(waveform).sum(0).argmax() == 1_600 // 16


def test_recordings_are_cut_or_padded_before_the_transform():
    waveform = noise(2, 1_000)
    padded = torch.cat([waveform, torch.zeros(2, 200)], dim=1)
    assert torch.equal(spectrogram(waveform, samples=600), spectrogram(waveform[:, :600]))
    assert torch.equal(spectrogram(waveform, samples=1_200), spectrogram(padded))


def test_compression_is_the_logarithm_of_what_would_have_come_out():
    waveform = noise(2, 1_000)
    compressed = spectrogram(waveform, size=(64, 64), compression="log1p")
    assert torch.equal(compressed, torch.log1p(spectrogram(waveform, size=(64, 64))))


def test_half_precision_is_computed_as_float32():
    waveform = noise(2, 1_000).bfloat16()
    assert torch.equal(spectrogram(waveform), spectrogram(waveform.float()))


def test_gradients_reach_a_silent_waveform_as_finite_numbers():
    waveform = torch.zeros(2, 1_000, requires_grad=True)
    spectrogram(waveform, size=(64, 64), compression="log1p").sum().backward()
    assert waveform.grad is not None and waveform.grad.isfinite().all()


@pytest.mark.parametrize("settings", [*ORIGINAL_SETTINGS.values(), SpectrogramSettings(size=(256, 192))])
def test_settings_survive_a_config_file(settings):
    assert SpectrogramSettings(**json.loads(json.dumps(asdict(settings)))) == settings


@pytest.mark.parametrize(
    "option",
    [
        {"n_fft": 0},
        {"n_fft": 512.0},
        {"win_length": 513},
        {"win_length": 0},
        {"hop_length": -1},
        {"samples": 256},
        {"samples": 3200.5},
        {"size": 256},
        {"size": (256,)},
        {"size": (0, 256)},
        {"compression": "dB"},
    ],
    ids=str,
)
def test_a_setting_outside_its_range_is_named(option):
    (name,) = option
    with pytest.raises(OptionError, match=name):
        SpectrogramSettings(**option)
    with pytest.raises(OptionError, match=name):
        spectrogram(torch.zeros(2, 3_200), **option)


@pytest.mark.parametrize("value", [0.0, -3.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["max_depth", "sample_rate", "speed_of_sound"])
def test_the_cut_rule_refuses_what_is_not_positive_and_finite(name, value):
    with pytest.raises(OptionError, match=name):
        samples_for_range(**{"max_depth": 30.0, name: value})


@pytest.mark.parametrize(
    ("waveform", "found"),
    [
        (np.zeros((2, 3_200), np.float32), "ndarray"),
        (torch.zeros(2, 3_200, dtype=torch.int16), "int16"),
        (torch.tensor(0.5), "shape"),
        (torch.zeros(0, 2, 3_200), "shape"),
        (torch.zeros(2, 0), "shape"),
        (torch.zeros(2, 256), "too few"),
    ],
)
def test_a_waveform_that_cannot_be_transformed_is_an_error(waveform, found):
    with pytest.raises(SampleError, match=found):
        spectrogram(waveform)


def test_a_short_recording_passes_once_it_is_padded():
    assert spectrogram(noise(2, 100), samples=1_600).shape == (2, 257, 101)
