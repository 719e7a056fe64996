"""The checker of the sample contract: right samples pass, each single defect is named."""

import math

import pytest
import torch

from avsnet.data.sample import SAMPLE_KEYS, check_sample
from avsnet.errors import SampleError


def good_sample() -> dict:
    return {
        "image": torch.rand(3, 6, 8),
        "waveform": torch.rand(2, 100) * 2.0 - 1.0,
        "sample_rate": 44_100,
        "echo": torch.rand(2, 5, 7) * 9.0,
        "depth": torch.rand(1, 6, 8) + 0.5,
        "valid": torch.rand(1, 6, 8) > 0.5,
        "intrinsics": torch.eye(3),
        "id": "office/0001",
    }


def good_batch() -> dict:
    batch = torch.utils.data.default_collate([good_sample(), good_sample()])
    return batch | {"sample_rate": 44_100}


def with_value(tensor: torch.Tensor, value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor.view(-1)[0] = value
    return tensor


def test_a_right_sample_and_a_right_batch_pass():
    assert set(good_sample()) == set(SAMPLE_KEYS)
    check_sample(good_sample())
    check_sample(good_batch(), batched=True)
    check_sample(good_batch() | {"sample_rate": torch.tensor([44_100, 16_000])}, batched=True)


@pytest.mark.parametrize("absent", [k for k in SAMPLE_KEYS if k != "sample_rate"])
def test_a_key_that_a_user_does_not_need_may_be_absent(absent):
    sample = good_sample()
    del sample[absent]
    check_sample(sample)


def test_keys_beyond_the_contract_are_allowed():
    check_sample(good_sample() | {"room": "attic", "pose": None})


def test_a_collated_sample_rate_passes():
    check_sample(torch.utils.data.default_collate([good_sample(), good_sample()]), batched=True)


def test_rounding_over_a_bound_of_one_passes():
    check_sample({"image": torch.full((3, 4, 4), 1.0 + 1e-7)})


DEFECTS = {
    "image in uint8": ("image", torch.zeros(3, 6, 8, dtype=torch.uint8), "uint8"),
    "image in float64": ("image", torch.zeros(3, 6, 8).double(), "float64"),
    "image as an array": ("image", torch.zeros(3, 6, 8).numpy(), "ndarray"),
    "image absent by None": ("image", None, "NoneType"),
    "image channels last": ("image", torch.zeros(6, 8, 3), r"\(6, 8, 3\)"),
    "image of one channel": ("image", torch.zeros(1, 6, 8), r"\(1, 6, 8\)"),
    "image with a batch": ("image", torch.zeros(1, 3, 6, 8), r"\(1, 3, 6, 8\)"),
    "image of zero size": ("image", torch.zeros(3, 0, 8), "H = 0"),
    "image in 0..255": ("image", with_value(torch.rand(3, 6, 8), 255.0), "255"),
    "image below 0": ("image", with_value(torch.rand(3, 6, 8), -0.1), "-0.1"),
    "image with NaN": ("image", with_value(torch.rand(3, 6, 8), math.nan), "1 values that are NaN"),
    "waveform of one ear": ("waveform", torch.zeros(1, 100), r"\(1, 100\)"),
    "waveform ears last": ("waveform", torch.zeros(100, 2), r"\(100, 2\)"),
    "waveform in int16": ("waveform", torch.zeros(2, 100, dtype=torch.int16), "int16"),
    "waveform unscaled": ("waveform", with_value(torch.zeros(2, 100), -32_768.0), "-32768"),
    "waveform infinite": ("waveform", with_value(torch.zeros(2, 100), math.inf), "infinite"),
    "sample rate as float": ("sample_rate", 44_100.0, "44100.0"),
    "sample rate as bool": ("sample_rate", True, "True"),
    "sample rate as tensor": ("sample_rate", torch.tensor(44_100), "int64"),
    "sample rate of 0": ("sample_rate", 0, "0"),
    "echo without ears": ("echo", torch.zeros(5, 7), r"\(5, 7\)"),
    "echo in dB": ("echo", with_value(torch.rand(2, 5, 7), -40.0), "-40"),
    "depth without channel": ("depth", torch.ones(6, 8), r"\(6, 8\)"),
    "depth in millimetres": ("depth", torch.ones(1, 6, 8, dtype=torch.int32), "int32"),
    "depth of another size": ("depth", torch.ones(1, 6, 9), "W = 9 where image has W = 8"),
    "depth negative": ("depth", with_value(torch.ones(1, 6, 8), -1.0), "-1"),
    "depth with NaN": ("depth", with_value(torch.ones(1, 6, 8), math.nan), "NaN"),
    "valid as float": ("valid", torch.ones(1, 6, 8), "float32"),
    "valid of another size": ("valid", torch.ones(1, 5, 8, dtype=torch.bool), "H = 5 where image has H = 6"),
    "intrinsics of 4 x 4": ("intrinsics", torch.eye(4), r"\(4, 4\)"),
    "intrinsics in float64": ("intrinsics", torch.eye(3).double(), "float64"),
    "intrinsics with NaN": ("intrinsics", with_value(torch.eye(3), math.nan), "NaN"),
    "id as a number": ("id", 47, "47"),
    "id empty": ("id", "", "''"),
    "id as a list": ("id", ["a"], r"\['a'\]"),
}

BATCH_DEFECTS = {
    "image without a batch": ("image", torch.zeros(3, 6, 8), r"\(3, 6, 8\)"),
    "waveform of another B": ("waveform", torch.zeros(3, 2, 100), "B = 3 where image has B = 2"),
    "depth of another B": ("depth", torch.ones(1, 1, 6, 8), "B = 1 where image has B = 2"),
    "sample rates of another B": ("sample_rate", torch.tensor([1, 2, 3]), "B = 3 where image has B = 2"),
    "sample rates as float": ("sample_rate", torch.tensor([44.1, 44.1]), "float32"),
    "sample rate without a dimension": ("sample_rate", torch.tensor(44_100), r"int64 \(\)"),
    "sample rates with a 0": ("sample_rate", torch.tensor([44_100, 0]), "from 0"),
    "sample rates as a list": ("sample_rate", [44_100, 44_100], r"\[44100, 44100\]"),
    "one id for all": ("id", "office/0001", "'office/0001'"),
    "ids of another B": ("id", ["a", "b", "c"], "B = 3 where image has B = 2"),
    "an id as a number": ("id", ["a", 47], r"\['a', 47\]"),
}


@pytest.mark.parametrize(("key", "value", "found"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_of_a_sample_is_named_with_what_is_wanted(key, value, found):
    with pytest.raises(SampleError, match=rf"^{key}: found .*{found}.*, wanted .*{SAMPLE_KEYS[key].meaning}"):
        check_sample(good_sample() | {key: value})


@pytest.mark.parametrize(("key", "value", "found"), BATCH_DEFECTS.values(), ids=BATCH_DEFECTS)
def test_a_defect_of_a_batch_is_named_with_what_is_wanted(key, value, found):
    with pytest.raises(SampleError, match=rf"^{key}: found .*{found}.*, wanted .*B.*{SAMPLE_KEYS[key].meaning}"):
        check_sample(good_batch() | {key: value}, batched=True)


def test_a_waveform_needs_its_sample_rate():
    sample = good_sample()
    del sample["sample_rate"]
    with pytest.raises(SampleError, match="sample_rate: found none"):
        check_sample(sample)


def test_a_valid_pixel_needs_a_known_depth():
    sample = good_sample()
    sample["valid"][:] = True
    sample["depth"][0, 2, :3] = 0.0
    with pytest.raises(SampleError, match="valid: found 3 pixels whose depth is 0"):
        check_sample(sample)


def test_there_must_be_something_to_see_or_to_hear():
    with pytest.raises(SampleError, match="image, waveform, echo"):
        check_sample({"depth": torch.ones(1, 6, 8), "id": "a"})


def test_a_sample_is_a_dict():
    with pytest.raises(SampleError, match="found list"):
        check_sample([good_sample()])
