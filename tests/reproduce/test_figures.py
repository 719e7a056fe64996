"""Figures are small enough to be committed, and look as they did before."""

import io

import numpy as np
from PIL import Image

from avsnet.analysis import Aide
from avsnet.reproduce.figures import Example, _broken, _round_metres, aide_figure, examples_figure, paint_depth
from avsnet.reproduce.report import _DPI, png_of


def figure_of_a_slanted_room(rows=4, shape=(240, 320), noise=2.0):
    """Figure 2 of walls and a floor in a noisy picture: what compresses as badly as our twin's rooms."""
    chance = np.random.default_rng(0)
    down, across = np.meshgrid(*(np.linspace(0.0, 1.0, n) for n in shape), indexing="ij")
    depth = 1.0 + 3.0 * np.minimum.reduce([across * 2, 2.2 - across * 2, 1.8 - down]).clip(0.1, 1.0)
    picture = np.stack([60 + 30 * depth, 80 + 100 * across, 200 - 40 * depth], axis=-1)
    picture = (picture + chance.normal(0.0, noise, picture.shape)).clip(0, 255).astype(np.uint8)
    bent = [depth * (1.0 + 0.3 * np.sin(k + 5 * across)) for k in range(rows)]
    examples = [Example(f"model {k}", 1.4 * one, 1.1 * one) for k, one in enumerate(bent)]
    return examples_figure(picture, depth, np.ones(shape, bool), examples)


def test_figure_2_takes_less_than_400_kilobytes():
    assert len(png_of(figure_of_a_slanted_room())) < 400_000


def test_256_colours_are_within_a_few_grey_values_of_all():
    figure, drawn = figure_of_a_slanted_room(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    every = np.asarray(Image.open(drawn).convert("RGB"), dtype=float)
    few = np.asarray(Image.open(io.BytesIO(png_of(figure))).convert("RGB"), dtype=float)
    assert few.shape == every.shape
    assert (few[0] == 255.0).all()  # the page behind the maps stays white
    assert np.abs(few - every).mean() < 3.0
    assert np.percentile(np.abs(few - every).max(axis=2), 99) < 16.0


def test_near_depths_keep_their_shades_where_something_is_far_away():
    depth = np.array([[1.0, 2.0, 30.0]])
    near, nearly, far = paint_depth(depth, np.ones(depth.shape, bool), 1.0, 30.0)[0].astype(int)
    assert np.abs(nearly - near).max() > 0.15 * np.abs(far - near).max()


def test_a_logarithmic_bar_is_labelled_in_round_metres():
    assert _round_metres(0.7, 2.6) == [0.7, 1.0, 1.5, 2.0]
    assert _round_metres(1.4, 29.0)[-1] == 20.0


def test_names_of_models_are_broken_between_their_words():
    assert _broken("onnx:fast_depth_224_dequant").split("\n") == ["onnx:fast_depth_", "224_dequant"]
    assert _broken("AVS-Net, V2 -> V1") == "AVS-Net, V2 -> V1"


def test_training_runs_bound_a_band_round_their_mean():
    runs = [Aide(np.array([low, 0.0]), np.array([low, 0.0]), np.array([5, 2]), 5) for low in (0.1, 0.3)]
    figure = aide_figure({"net": runs[0]}, 2.0, runs={"net": runs})
    (band,) = figure.axes[0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (np.nanmin(heights), np.nanmax(heights)) == (0.1, 0.3)  # and nothing of a metre that two images reach


def test_a_curve_ends_where_its_axis_ends():
    curve = Aide(np.array([0.1, 0.2, -0.9]), np.array([0.1, 0.2, -0.9]), np.array([5, 5, 5]), 5)
    figure = aide_figure({"net": curve}, 2.0)  # depths of exactly 2 m are in the third metre
    assert len(figure.axes[0].lines[0].get_xdata()) == 2
