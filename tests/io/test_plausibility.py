"""Numbers that cannot be what a file is given out to be are refused or noted; what can be is left alone."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from avsnet.errors import DepthError, InputWarning, OptionError
from avsnet.io.depth_maps import read_depth, read_map
from avsnet.io.plausibility import few_bits, growth_note, rank_correlation, spike


def room() -> np.ndarray:
    """(60, 80) metres, 1.5 to 3.7, no two pixels alike."""
    rows, columns = np.mgrid[:60, :80]
    return (1.5 + 0.02 * columns + 0.01 * rows + np.random.default_rng(0).normal(0.0, 0.01, (60, 80))).astype(
        np.float32
    )


def with_hole(values: np.ndarray, hole: float) -> np.ndarray:
    """The upper third holds a number that stands for no depth."""
    values = values.copy()
    values[:20] = hole
    return values


@pytest.mark.parametrize(
    ("dtype", "hole"),
    [
        ("u2", 65_535),
        ("i2", 32_767),
        ("i2", -1),
        ("i2", -32_768),
        ("i4", 65_535),
        ("i4", 2**31 - 1),
        ("u4", 2**32 - 1),
        ("i8", 2**63 - 1),
        ("u8", 2**64 - 1),
        ("u2", 0),
    ],
)
def test_the_largest_number_of_a_type_and_negative_ones_are_no_depth(tmp_path, dtype, hole):
    np.save(tmp_path / "a.npy", with_hole((room() * 1000).round().astype(dtype), hole))
    depth = read_depth(tmp_path / "a.npy")
    assert (depth[:20] == 0.0).all() and np.abs(depth[20:] - room()[20:]).max() < 0.001


@pytest.mark.parametrize(
    "hole", [65.535, 65_535, 65_504, 655.35, 13.107, 32.767, 100.0, 1e10, 1e30, np.finfo("f4").max]
)
def test_a_float_that_stands_for_no_depth_is_taken_as_unknown_and_noted(tmp_path, hole):
    np.save(tmp_path / "a.npy", with_hole(room(), hole))
    notes: list[str] = []
    depth = read_depth(tmp_path / "a.npy", notes=notes)
    assert (depth[:20] == 0.0).all() and np.array_equal(depth[20:], room()[20:])
    assert len(notes) == 1 and "a.npy" in notes[0] and "unknown" in notes[0]
    with pytest.warns(InputWarning, match="taken as unknown"):
        read_depth(tmp_path / "a.npy")


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf, -1.0, 0.0])
def test_what_is_no_number_of_metres_is_unknown_without_a_word(tmp_path, hole):
    np.save(tmp_path / "a.npy", with_hole(room(), hole))
    assert (read_depth(tmp_path / "a.npy")[:20] == 0.0).all()


def grow_together(values, reference):
    """Whether nothing is said of a map, of any unit and shift, and its reference."""
    return growth_note(values, reference, "affine_depth") is None


def test_a_repeated_largest_value_that_may_be_a_wall_is_kept_and_noted(tmp_path):
    np.save(tmp_path / "a.npy", with_hole(room(), 10.0))
    notes: list[str] = []
    assert (read_depth(tmp_path / "a.npy", notes=notes)[:20] == 10.0).all()
    assert "10 m" in notes[0] and "store 0" in notes[0]


def test_a_room_a_single_far_pixel_and_a_drawn_map_are_left_alone():
    far = room()
    far[0, 0] = 90.0
    drawn = np.where(np.arange(80) < 40, 2.0, 4.0) * np.ones((60, 1))
    for depth in (room(), far, drawn, np.ones((5, 7)), np.zeros((5, 7))):
        unknown, text = spike(depth)
        assert not unknown.any() and text is None


@pytest.mark.parametrize(
    ("factor", "flag"), [(1000.0, "--depth-scale 1000"), (100.0, "--depth-scale 100"), (1e6, "--depth-scale")]
)
def test_floats_of_another_unit_are_refused_with_the_flag_which_then_helps(tmp_path, factor, flag):
    np.save(tmp_path / "a.npy", room() * np.float32(factor))
    with pytest.raises(DepthError, match=flag):
        read_depth(tmp_path / "a.npy")
    assert np.allclose(read_depth(tmp_path / "a.npy", factor), room(), rtol=1e-6)


def test_kilometres_and_a_scale_that_does_not_fit_whole_numbers_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", room() / 1000)
    with pytest.raises(DepthError, match="normalised map or a disparity"):
        read_depth(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", (room() * 1000).astype("u2"))
    for scale in (1.0, 1e6):
        with pytest.raises(DepthError, match="probably millimetres; give --depth-scale 1000"):
            read_depth(tmp_path / "b.npy", scale)


def test_a_scale_in_metres_per_unit_is_refused_with_its_inverse(tmp_path):
    np.save(tmp_path / "a.npy", (room() * 1000).astype("u2"))
    for scale, inverse in ((0.001, "1000"), (0.0002, "5000"), (0.25e-3, "4000")):
        with pytest.raises(OptionError, match=f"metres per unit.* {inverse}"):
            read_depth(tmp_path / "a.npy", scale)


def test_metres_stay_metres_whatever_scale_the_whole_numbers_beside_them_have(tmp_path):
    np.save(tmp_path / "a.npy", room())
    assert np.array_equal(read_depth(tmp_path / "a.npy", 5000.0), room())


def test_maps_stretched_over_their_range_are_noted(tmp_path):
    share = (room() - room().min()) / np.ptp(room())
    for values in (share, (share * 65_535).astype("u2")):
        np.save(tmp_path / "a.npy", values)
        notes: list[str] = []
        read_depth(tmp_path / "a.npy", notes=notes)
        assert any("stretched for viewing" in text for text in notes)


def test_a_stretched_map_that_is_no_metric_depth_keeps_its_largest_number(tmp_path):
    share = (room() - room().min()) / np.ptp(room())
    np.save(tmp_path / "a.npy", (share * 65_535).round().astype("u2"))
    values, _ = read_map(tmp_path / "a.npy", kind="affine_disparity")
    assert np.isfinite(values).all()
    np.save(tmp_path / "b.npy", with_hole((room() * 1000).astype("u2"), 65_535))
    assert np.isnan(read_map(tmp_path / "b.npy", kind="relative_depth")[0][:20]).all()


def test_the_rank_correlation_is_spearmans():
    first, second = np.random.default_rng(1).normal(size=(2, 30, 40)).round(1)  # with ties
    second = second + 5.0 + 0.5 * first
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel())[0], abs=1e-12)
    valid = np.zeros((30, 40), bool)
    valid[:5] = True
    wanted = spearmanr(first[valid], second[valid])[0]
    assert rank_correlation(first, second, valid) == pytest.approx(wanted, abs=1e-12)


def test_large_maps_are_compared_by_a_part_of_their_pixels():
    first, second = np.random.default_rng(2).normal(size=(2, 600, 800))
    second = second + 10.0 + first
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel())[0], abs=0.02)


def test_a_disparity_handed_over_as_depth_does_not_grow_with_the_reference_and_a_wall_says_nothing():
    assert grow_together(room(), room() * 2.0) and not grow_together(1.0 / room(), room())
    noise = np.random.default_rng(3).normal(2.0, 0.01, (60, 80))
    assert grow_together(noise[::-1], noise)  # a wall: its order is that of the noise
    assert grow_together(room()[:2, :3], -room()[:2, :3]) and grow_together(np.full((60, 80), np.nan), room())


@pytest.mark.parametrize(
    ("kind", "good", "bad", "advice"),
    [
        ("relative_depth", room(), 1.0 / room(), "--kind disparity"),
        ("metric_depth", room(), 1.0 / room(), "--kind disparity"),
        ("affine_depth", room() - 3.0, 5.0 - room(), "--kind affine_disparity"),
        ("disparity", 1.0 / room(), room(), "--kind relative_depth"),
        ("affine_disparity", 1.0 / room() - 0.4, room(), "--kind affine_depth"),
    ],
)
def test_the_note_on_a_map_that_falls_names_the_kind_that_it_probably_is(kind, good, bad, advice):
    assert growth_note(good, room(), kind) is None
    assert advice in str(growth_note(bad, room(), kind))
    other = np.random.default_rng(4).permutation(good.ravel()).reshape(good.shape)
    assert "same picture" in str(growth_note(other, room(), kind))


def test_the_bits_of_a_dark_picture_are_told_by_its_brightest_pixel():
    assert "10 bits" in str(few_bits(1020)) and "12 bits" in str(few_bits(4000)) and "by 64" in str(few_bits(1023))
    assert few_bits(0) is None and few_bits(16_384) is None and few_bits(65_535) is None
