"""Depth is never mixed, pictures never alias, and a cheap decode is close to the whole one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from avsnet.data.transforms import load_image, resize_image, resize_nearest
from avsnet.errors import ImageError, OptionError
from avsnet.io import read_image

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
