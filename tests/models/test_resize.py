import numpy as np
import pytest
import torch

from avsnet.errors import DepthError, ImageError
from avsnet.models import ModelInfo
from avsnet.models.info import RESAMPLINGS
from avsnet.models.resize import input_size, to_image_size, to_model_input, unknown_pixels


def test_an_image_of_the_networks_size_passes_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    batch = to_model_input(image, (5, 7))
    assert batch.dtype == torch.float32
    torch.testing.assert_close(batch[0].permute(1, 2, 0), torch.from_numpy(image).float() / 255)


def test_sizes_are_height_and_width_in_that_order():
    assert to_model_input(np.zeros((5, 7, 3), np.uint8), (3, 11)).shape == (1, 3, 3, 11)
    assert to_image_size(np.zeros((3, 11)), (5, 7)).shape == (5, 7)


def test_a_ramp_stays_a_ramp_with_pixel_centres_at_integer_coordinates():
    # Pixel x of the small map lies at 4 x + 1.5 of the large one: (x + 0.5) s - 0.5.
    small = np.tile(4.0 * np.arange(6) + 1.5, (4, 1))
    large = to_image_size(small, (16, 24))
    assert large.dtype == np.float32
    np.testing.assert_allclose(large[:, 2:-2], np.tile(np.arange(24.0), (16, 1))[:, 2:-2], atol=1e-5)


def test_shrinking_averages_a_checkerboard_away():
    board = np.repeat((np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    inner = to_model_input(board, (8, 8))[..., 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_picture_is_an_error(image):
    with pytest.raises(ImageError, match=r"give \(H, W, 3\) uint8 RGB"):
        to_model_input(image, (2, 2))


@pytest.mark.parametrize("shape", [(4,), (1, 4, 4), (0, 4)])
def test_what_is_no_map_is_an_error(shape):
    with pytest.raises(DepthError, match=r"give \(h, w\)"):
        to_image_size(np.zeros(shape), (2, 2))


def info(size=None, multiple=1, fit="exact"):
    return ModelInfo("toy", "disparity", "MIT", "MIT", "this test", size, multiple, fit=fit)


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (101, 999), (3, 5)])
def test_the_input_size_is_the_fixed_one_or_the_nearest_legal_one(shape):
    assert input_size(info((192, 640), None), *shape) == (192, 640)
    height, width = input_size(info(multiple=32), *shape)
    assert height % 32 == width % 32 == 0 and min(height, width) >= 32
    assert abs(height - max(shape[0], 32)) <= 16 and abs(width - max(shape[1], 32)) <= 16


@pytest.mark.parametrize(("shape", "turned"), [((640, 480), True), ((480, 640), False), ((480, 480), False)])
def test_a_size_may_be_turned_as_the_picture_stands(shape, turned):
    assert input_size(info((64, 96), 32, fit="turned"), *shape) == ((96, 64) if turned else (64, 96))
    assert input_size(info((96, 64), 32, fit="turned"), *shape[::-1]) == ((64, 96) if turned else (96, 64))
    assert input_size(info((64, 96), 32), *shape) == (64, 96)


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (101, 999), (2000, 1900)])
def test_a_kept_aspect_brings_one_side_to_the_size_and_leaves_the_shape(shape):
    height, width = input_size(info((280, 420), 14, fit="minimal"), *shape)
    assert height == 280 or width == 420
    assert height % 14 == width % 14 == 0
    assert height / width == pytest.approx(shape[0] / shape[1], rel=7 / min(height, width) + 1e-9)


@pytest.mark.parametrize("resample", RESAMPLINGS)
@pytest.mark.parametrize("size", [(12, 20), (47, 61), (96, 128), (24, 32)])
def test_holes_do_not_bleed_into_known_pixels_and_far_from_them_nothing_changes(resample, size):
    rng = np.random.default_rng(0)
    values = np.repeat(np.repeat(2.0 + rng.random((6, 8)), 4, 0), 4, 1).astype(np.float32)
    unknown = np.zeros(values.shape, bool)
    unknown[:, 20:] = unknown[3:5, 7] = True
    dense = to_image_size(values, size, resample)
    results = []
    for hole in (0.0, -1000.0, np.nan):
        results.append(to_image_size(np.where(unknown, np.float32(hole), values), size, resample, unknown))
        known = np.isfinite(results[-1])
        assert results[-1].dtype == np.float32
        assert known[:, : size[1] // 4 - 4].any() and not known[:, -size[1] // 4 :].any()
        inner = slice(0, max(1, (size[1] * 20) // 32 - 1 - 4 * size[1] // 32))
        assert np.nanmax(np.abs(results[-1][-2:, inner] - dense[-2:, inner])) < 1e-5
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    flat = to_image_size(np.where(unknown, np.float32(0.0), np.float32(4.0)), size, resample, unknown)
    assert np.nanmax(np.abs(flat - 4.0)) < 1e-4


def test_a_map_without_holes_is_resized_bit_by_bit_as_ever():
    values = np.random.default_rng(0).random((9, 7)).astype(np.float32)
    for resample in RESAMPLINGS:
        expected = to_image_size(values, (30, 20), resample)
        np.testing.assert_array_equal(to_image_size(values, (30, 20), resample, np.zeros((9, 7), bool)), expected)


def test_what_is_unknown_depends_on_the_kind():
    values = np.array([1.0, 0.0, -1.0, np.nan, np.inf])
    for kind in ("metric_depth", "relative_depth", "disparity"):
        assert unknown_pixels(values, kind).tolist() == [False, True, True, True, True]
    for kind in ("affine_depth", "affine_disparity"):
        assert unknown_pixels(values, kind).tolist() == [False, False, False, True, True]
