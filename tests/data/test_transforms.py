"""Depth is never mixed, pictures never alias, and a cheap decode is close to the whole one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from avsnet.data.sample import check_sample
from avsnet.data.transforms import flip, jitter, load_image, resize_image, resize_nearest, zoomed
from avsnet.errors import ImageError, OptionError, SampleError
from avsnet.geometry import unproject
from avsnet.io.pictures import read_image

SIZES = [((720, 1280), (256, 256)), ((7, 9), (3, 4)), ((5, 6), (11, 13)), ((720, 1280), (192, 640)), ((4, 4), (4, 4))]


def smooth(height: int = 180, width: int = 320) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / height
    return (np.stack([x / x.max(), y, (x + y) / 3], -1) * 255).round().astype(np.uint8)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_nearest_takes_the_pixel_under_each_centre(old, new):
    values = np.random.default_rng(0).random(old)
    expected = F.interpolate(torch.from_numpy(values)[None, None], new, mode="nearest-exact")[0, 0]
    np.testing.assert_array_equal(resize_nearest(values, new), expected)


def test_nearest_from_a_mapped_file_equals_nearest_from_memory(tmp_path):
    values = np.random.default_rng(0).integers(0, 9000, (72, 128)).astype(np.uint16)
    np.save(tmp_path / "a.npy", values)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    for size in (None, (10, 20), (72, 128)):
        np.testing.assert_array_equal(resize_nearest(mapped, size), resize_nearest(values, size))
        assert type(resize_nearest(mapped, size)) is np.ndarray


@pytest.mark.parametrize("size", [(90, 160), (50, 70), (200, 400)])
def test_a_picture_is_resized_as_in_float32_up_to_half_a_grey_level(size):
    pixels = np.random.default_rng(0).integers(0, 256, (180, 320, 3), dtype=np.uint8)
    exact = F.interpolate(
        torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255.0, size, mode="bilinear", antialias=True
    )[0]
    resized = resize_image(pixels, size)
    assert resized.dtype == torch.float32 and resized.is_contiguous()
    # Height and width are filtered one after the other, and rounded twice.
    assert (resized - exact).abs().max() < 1.1 / 255.0


@pytest.mark.parametrize("size", [(90, 160), (40, 40), (22, 40), (100, 300)])
def test_a_jpeg_decoded_small_is_close_to_the_whole_one_resized(tmp_path, size):
    Image.fromarray(smooth()).save(tmp_path / "a.jpeg", quality=95)
    cheap, whole = load_image(tmp_path / "a.jpeg", size), resize_image(read_image(tmp_path / "a.jpeg"), size)
    assert cheap.shape == (3, *size)
    # One and a half grey levels: a gradient in JPEG.
    assert (cheap - whole).abs().mean() < 0.006


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
def test_without_a_size_a_picture_is_what_its_file_holds(tmp_path, suffix):
    Image.fromarray(smooth()).save(tmp_path / f"a.{suffix}")
    expected = read_image(tmp_path / f"a.{suffix}").transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(load_image(tmp_path / f"a.{suffix}", None), expected)


def test_a_picture_on_its_side_is_put_upright_and_stays_sharp(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth()).save(tmp_path / "a.jpeg", exif=exif)
    # Upright it is 320 x 180; a decode chosen for 100 x 20 as stored would give 45 x 80.
    expected = resize_image(read_image(tmp_path / "a.jpeg"), (300, 20))
    assert torch.equal(load_image(tmp_path / "a.jpeg", (300, 20)), expected)


def test_a_truncated_jpeg_is_named(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "a.jpeg")
    (tmp_path / "a.jpeg").write_bytes((tmp_path / "a.jpeg").read_bytes()[:800])
    with pytest.raises(ImageError, match=r"a\.jpeg: broken or truncated"):
        load_image(tmp_path / "a.jpeg", (20, 20))


@pytest.mark.parametrize("size", [256, (256,), (0, 3), (2.0, 3), [4, 4]])
def test_a_size_is_two_whole_numbers(size):
    with pytest.raises(OptionError, match="size"):
        resize_nearest(np.ones((4, 4)), size)
    with pytest.raises(OptionError, match="size"):
        resize_image(np.ones((4, 4, 3), np.uint8), size)


def scene(batch: int | None = None) -> dict:
    """A sample, or a batch of two, of random numbers with a camera that looks off to one side."""
    generator = torch.Generator().manual_seed(0)
    leading = () if batch is None else (batch,)
    depth = 1.0 + torch.rand(*leading, 1, 5, 8, generator=generator)
    camera = torch.tensor([[9.0, 0.0, 2.75], [0.0, 9.0, 1.5], [0.0, 0.0, 1.0]])
    return {
        "image": torch.rand(*leading, 3, 5, 8, generator=generator),
        "waveform": torch.rand(*leading, 2, 40, generator=generator),
        "sample_rate": 44_100,
        "echo": torch.rand(*leading, 2, 6, 7, generator=generator),
        "depth": depth,
        "valid": depth > 1.2,
        "intrinsics": camera.expand(*leading, 3, 3),
        "id": "a" if batch is None else ["a", "b"],
    }


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[key], b[key]) if isinstance(a[key], torch.Tensor) else a[key] == b[key] for key in a
    )


@pytest.mark.parametrize("batch", [None, 2])
def test_a_flip_keeps_the_contract_leaves_its_input_alone_and_undoes_itself(batch):
    sample = scene(batch)
    flipped = flip(sample)
    check_sample(flipped, batched=batch is not None)
    assert same(sample, scene(batch)) and not same(flipped, sample) and same(flip(flipped), sample)


def test_a_flipped_sample_is_the_mirrored_world_heard_with_swapped_ears():
    sample = scene()
    flipped = flip(sample)
    points, mirrored = (unproject(s["depth"][0].numpy(), s["intrinsics"].numpy()) for s in (sample, flipped))
    np.testing.assert_allclose(mirrored[:, ::-1], points * [-1.0, 1.0, 1.0], atol=1e-6)
    assert torch.equal(flipped["image"][:, :, 0], sample["image"][:, :, -1])
    assert torch.equal(flipped["valid"], flipped["depth"] > 1.2)
    for key in ("waveform", "echo"):
        assert torch.equal(flipped[key][0], sample[key][1]) and torch.equal(flipped[key][1], sample[key][0])


def test_a_flipped_batch_is_the_batch_of_its_flipped_samples():
    batch = scene(2)
    tensors = [key for key, value in batch.items() if isinstance(value, torch.Tensor)]
    for index in range(2):
        one = flip({key: batch[key][index] for key in tensors})
        assert same(one, {key: flip(batch)[key][index] for key in tensors})


def test_a_camera_alone_cannot_be_flipped():
    with pytest.raises(SampleError, match="intrinsics"):
        flip({"intrinsics": torch.eye(3), "waveform": torch.zeros(2, 5)})


def test_jitter_is_a_power_and_a_gain_per_channel_within_their_bounds_and_clipped():
    grey = torch.tensor([0.25, 0.5]).repeat(1000, 3, 1, 1)
    varied = jitter(grey, torch.Generator().manual_seed(0))
    # out = gain * grey ** gamma: two greys give both.
    gamma = (varied[..., 1].log() - varied[..., 0].log()) / np.log(2.0)
    gain = varied[..., 1] / 0.5**gamma
    assert torch.allclose(gamma, gamma[:, :1].expand_as(gamma), atol=1e-5), "one gamma for the three channels"
    assert 0.9 <= gamma.min() < 0.902 and 1.098 < gamma.max() <= 1.1 + 1e-5
    assert 0.75 * 0.9 <= gain.min() < 0.7 and 1.35 < gain.max() <= 1.25 * 1.1 + 1e-5
    ratio = gain[:, 0] / gain[:, 1]
    assert 0.9 / 1.1 - 1e-5 <= ratio.min() < 0.85 and 1.18 < ratio.max() <= 1.1 / 0.9 + 1e-5
    assert abs(gain.mean() - 1.0) < 0.01 and abs(gamma.mean() - 1.0) < 0.01
    bright = jitter(torch.ones(50, 3, 2, 2), torch.Generator().manual_seed(0))
    assert bright.max() == 1.0 and bright.min() < 0.9


def test_jitter_repeats_with_its_generator_and_takes_one_picture():
    image = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(1))
    first, again, other = (jitter(image, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other) and first.shape == image.shape
    assert torch.equal(jitter(image, torch.Generator().manual_seed(0), brightness=0.25), first)
    assert torch.equal(jitter(image[None], torch.Generator().manual_seed(0))[0], first)


def test_a_part_of_a_picture_is_what_a_longer_lens_shows():
    depth = torch.arange(1.0, 8 * 12 + 1).reshape(1, 8, 12)
    sample = {
        "image": depth.expand(3, 8, 12) / 100.0,
        "depth": depth,
        "valid": depth > 20.0,
        "intrinsics": torch.tensor([[10.0, 0.0, 5.5], [0.0, 10.0, 3.5], [0.0, 0.0, 1.0]]),
        "waveform": torch.ones(2, 5),
    }
    found = zoomed(sample, (4, 6), 0.5, (0.0, 1.0))  # the upper right quarter, at its own size
    assert torch.equal(found["depth"], depth[:, :4, 6:]) and torch.equal(found["valid"], depth[:, :4, 6:] > 20.0)
    torch.testing.assert_close(found["image"], sample["image"][:, :4, 6:])
    assert found["intrinsics"].tolist() == [[10.0, 0.0, -0.5], [0.0, 10.0, 3.5], [0.0, 0.0, 1.0]]
    assert found["waveform"] is sample["waveform"]
    whole = zoomed(sample, (4, 6), 1.0, (0.3, 0.7))
    assert torch.equal(whole["depth"][0], depth[0, 1::2, 1::2])
    assert whole["intrinsics"][:2].tolist() == [[5.0, 0.0, 2.5], [0.0, 5.0, 1.5]]
    larger = zoomed(sample, (8, 12), 0.5, (0.0, 0.0))
    assert larger["depth"].unique().tolist() == depth[:, :4, :6].unique().tolist()
    assert larger["intrinsics"][0, 0] == 20.0
