"""The pictures tell the truth in colour, and nothing in them overlaps."""

import itertools
import os
from typing import NamedTuple

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from avsnet.audio.ranging import RangeProfile
from avsnet.errors import OutputError
from avsnet.geometry import intrinsics_from_fov
from avsnet.prediction import Prediction
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import Arrival
from avsnet.viz import colour_depth, panel, save_figure, summary

MANY_WARNINGS = (
    "clipped: 3.20% of the samples lie on a flat top; record at a lower gain",
    "resampled from 8000 Hz to 44100 Hz; nothing above its own Nyquist frequency is there",
    "one channel only: ranging with one microphone, left and right cannot be told apart" + ", and so on" * 12,
)


class Drawn(NamedTuple):
    """What the pictures take of an `EchoEvidence`."""

    profile: RangeProfile
    arrivals: tuple[Arrival, ...]


def prediction(height=48, width=64, **changes):
    depth = np.linspace(1.0, 9.0, height * width).reshape(height, width)
    valid = np.ones((height, width), dtype=bool)
    valid[0] = False
    entries = {
        "depth": depth,
        "kind": "relative_depth",
        "scale": 3.21,
        "shift": 0.0,
        "valid": valid,
        "intrinsics": intrinsics_from_fov(width, height, 70.0),
        "model": "toy",
        "weights_hash": None,
        "scale_source": "ranging",
        "version": "0",
        "posterior": ScalePosterior.normal(3.21, 0.175),
        "assumptions": ("field of view assumed: 70 degrees horizontal", "rig assumed: speaker to ear 0.16 m"),
    }
    return Prediction(**{**entries, **changes})


def hearing(arrivals):
    ranges = np.arange(0.005, 12.0, 0.005)
    strength = np.exp(-ranges / 3.0) * np.random.default_rng(0).rayleigh(size=len(ranges))
    strength[:60] = 0.0
    profile = RangeProfile(ranges, 2.0 * ranges / 343.0, strength, strength, (), ())
    return Drawn(profile, tuple(arrivals))


def plane(distance, evidence=1.0):
    return Arrival(distance, (2.0 * distance / 343.0,) * 2, evidence)


def picture(shown):
    return np.full((*shown.depth.shape, 3), 90, dtype=np.uint8)


def texts(figure):
    """Every text that is drawn, with the box that it fills."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    beyond = set()  # matplotlib keeps the labels of ticks just beyond an axis, but does not draw them
    for axis in itertools.chain.from_iterable((axes.xaxis, axes.yaxis) for axes in figure.axes):
        low, high = sorted(axis.get_view_interval())
        beyond |= {
            id(text) for t in axis.get_major_ticks() if not low <= t.get_loc() <= high for text in t.findobj(Text)
        }
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in found if id(text) not in beyond]


def test_near_is_warm_far_is_cold_and_unknown_is_grey():
    depth = np.array([[1.0, 5.0, 9.0, 0.5, 20.0, np.nan]])
    near, _, far, below, above, unknown = colour_depth(depth, depth > 0, (1.0, 9.0))[0].astype(int)
    assert near[0] > near[2] + 50 and far[2] > far[0] + 50
    assert (below == near).all() and (above == far).all() and (unknown == 128).all()


def test_colours_are_uint8_of_the_map_s_size():
    painted = colour_depth(np.ones((3, 5)), np.zeros((3, 5), dtype=bool), (1.0, 1.0))
    assert painted.shape == (3, 5, 3) and painted.dtype == np.uint8 and (painted == 128).all()


@pytest.mark.parametrize("size", [(48, 64), (150, 50), (20, 200)], ids=["usual", "tall", "flat"])
@pytest.mark.parametrize("planes", [0, 1, 10])
@pytest.mark.parametrize("warnings", [(), MANY_WARNINGS], ids=["no warnings", "many warnings"])
def test_no_two_texts_of_a_panel_overlap_and_none_leaves_it(size, planes, warnings):
    shown = prediction(*size, warnings=warnings, model="onnx:a_$strange$_name_" + "x" * 60 + ".onnx")
    distances = np.random.default_rng(planes).uniform(0.4, 3.0, planes)
    figure = panel(picture(shown), shown, hearing(plane(d, 1.0 - 2.0 * (i % 4 == 3)) for i, d in enumerate(distances)))
    boxes = texts(figure)
    for (first, a), (second, b) in itertools.combinations(boxes, 2):
        # A pixel of common border is no overlap.
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart, (first, second)
    for text, box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text


def test_every_axis_names_its_unit():
    shown = prediction()
    written = [text for text, _ in texts(panel(picture(shown), shown, hearing([plane(2.0)])))]
    assert written.count("x (pixels)") == written.count("y (pixels)") == 2
    for label in ("depth (m)", "range (m), as of a surface straight ahead", "strength (dB re direct sound)"):
        assert label in written


def test_planes_heard_are_solid_with_their_distance_and_others_faint_without():
    shown = prediction()
    figure = panel(picture(shown), shown, hearing([plane(2.0), plane(3.0, -0.5), plane(50.0)]))
    axes = figure.axes[-1]
    lines = {round(line.get_xdata()[0], 6): line.get_linestyle() for line in axes.lines if len(line.get_xdata()) == 2}
    assert lines == {2.0: "-", 3.0: ":"}
    written = [text for text, _ in texts(figure)]
    assert "2.00 m" in written and "3.00 m" not in written and "50.00 m" not in written


def test_a_plane_is_marked_where_it_is_heard_not_where_it_stands():
    shown = prediction()
    axes = panel(picture(shown), shown, hearing([Arrival(2.3, (4.0 / 343.0,) * 2, 1.0)])).axes[-1]
    assert next(line for line in axes.lines if len(line.get_xdata()) == 2).get_xdata()[0] == pytest.approx(2.0)


def test_the_header_holds_numbers_assumptions_and_warnings():
    shown = prediction(warnings=("clipped",))
    written = [text for text, _ in texts(panel(picture(shown), shown))]
    assert summary(shown) in written and "warning: clipped" in written and set(shown.assumptions) <= set(written)
    assert "scale 3.21 from ranging, confidence 0.61" in summary(shown)


def test_the_median_depth_has_its_interval_where_an_ear_gave_the_scale():
    shown = prediction()
    low, high = (
        float(np.median(shown.depth[shown.valid])) * end / shown.scale for end in shown.posterior.interval(0.9)
    )
    by_ear = summary(prediction(scale_source="ear and the model's own metres"))
    assert f" (90 %: {low:.3g} to {high:.3g}), scale" in by_ear
    assert "90 %" not in summary(shown)  # ranging's posterior is not calibrated
    assert "90 %" in summary(prediction(scale_source="carried: ear")) and shown.interval == pytest.approx((low, high))


def test_the_panel_shows_how_probable_each_median_depth_is_before_and_after_the_echo():
    shown = prediction(scale_source="ear", prior=ScalePosterior.normal(3.0, 0.4))
    label = "median depth of the picture (m)"
    axes = next(one for one in panel(picture(shown), shown).axes if one.get_xlabel() == label)
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    used = next(name for name in lines if name.startswith("used: "))
    assert set(lines) == {used, "without the echo", "with all that is known"}
    for name in ("without the echo", "with all that is known"):
        x, y = lines[name].T
        assert (y[1:] * np.diff(x)).sum() == pytest.approx(1.0, abs=0.12)
    x, y = lines["with all that is known"].T
    assert lines[used][0, 0] == pytest.approx(x[np.argmax(y)], rel=0.1)
    bare = prediction(posterior=None)
    assert all(one.get_xlabel() != label for one in panel(picture(bare), bare).axes)


def test_model_units_are_not_called_metres():
    bare = prediction(scale_source="none", posterior=None)
    assert bare.unit == "model units" and "units by the network itself" in summary(bare)
    assert "depth (model units)" in [text for text, _ in texts(panel(picture(bare), bare))]
    metric = prediction(scale_source="none", kind="metric_depth", posterior=None)
    assert metric.unit == "m" and "metres by the network itself" in summary(metric)


@pytest.mark.parametrize("depth", [np.full((4, 4), 2.0), np.zeros((4, 4))], ids=["flat", "unknown"])
def test_a_flat_or_an_unknown_map_still_makes_a_panel(depth, tmp_path):
    shown = prediction(4, 4, depth=depth, valid=depth > 0)
    save_figure(tmp_path / "a.png", panel(picture(shown), shown))
    with Image.open(tmp_path / "a.png") as written:
        assert written.width == 1320


def test_a_name_that_is_no_text_does_not_stop_the_panel(tmp_path):
    shown = prediction(model=os.fsdecode(b"onnx:\xff.onnx"))
    save_figure(tmp_path / "a.png", panel(picture(shown), shown))


def test_a_figure_appears_whole_or_not_at_all(tmp_path):
    shown = prediction()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        save_figure(tmp_path / "file" / "a.png", panel(picture(shown), shown))
    assert os.listdir(tmp_path) == ["file"]
