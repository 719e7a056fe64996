"""Figures are small enough to be committed, and look as they did before."""

import io

import numpy as np
from PIL import Image

from avsnet.reproduce.figures import Example, examples_figure
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
