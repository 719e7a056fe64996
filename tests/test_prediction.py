"""A prediction keeps its contract in memory and in each of its three files."""

import dataclasses
import os
import struct

import numpy as np
import pytest
from PIL import Image

from avsnet.errors import DepthError, OptionError
from avsnet.geometry import intrinsics_from_fov, unproject
from avsnet.prediction import Prediction
from avsnet.scale.posterior import ScalePosterior


@pytest.fixture
def prediction() -> Prediction:
    depth = np.random.default_rng(0).uniform(1.0, 5.0, (6, 8))
    valid = np.ones((6, 8), dtype=bool)
    valid[0, :3] = False
    depth[0, 0] = np.nan
    return Prediction(
        depth=depth,
        kind="relative_depth",
        scale=2.5,
        shift=0.0,
        valid=valid,
        intrinsics=intrinsics_from_fov(8, 6, 70.0),
        model="tiny",
        weights_hash=None,
        scale_source="known:10,20,3.5",
        version="0.1.0",
        warnings=("no echo", "gr\u00fcn"),
        assumptions=("field of view assumed 70 degrees",),
    )


def test_types_are_those_of_the_contract(prediction):
    assert prediction.depth.dtype == np.float32 and prediction.valid.dtype == bool
    assert prediction.intrinsics.dtype == np.float64


@pytest.mark.parametrize(
    "change",
    [
        {"depth": np.ones((6, 9))},
        {"depth": np.ones((1, 6, 8)), "valid": np.ones((1, 6, 8), bool)},
        {"depth": np.ones((0, 8)), "valid": np.ones((0, 8), bool)},
        {"valid": np.ones((8, 6), bool)},
        {"valid": np.ones((6, 8), bool)},  # the first pixel's depth is NaN
        {"intrinsics": np.eye(4)},
    ],
)
def test_what_does_not_fit_together_is_refused(prediction, change):
    with pytest.raises(DepthError):
        dataclasses.replace(prediction, **change)


def test_the_npz_holds_everything_without_pickle(prediction, tmp_path):
    prediction.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as entries:
        contract = {"depth", "intrinsics", "valid", "model", "scale", "shift", "kind", "version"}
        further = {"scale_source", "weights_hash", "confidence", "log_scale", "scale_probability", "warnings"}
        assert set(entries) == contract | further | {"assumptions", "contrast", "prior_log_scale", "prior_probability"}
        assert np.array_equal(entries["depth"], prediction.depth, equal_nan=True)
        assert entries["depth"].dtype == np.float32 and entries["valid"].dtype == bool
        assert np.array_equal(entries["valid"], prediction.valid)
        assert np.array_equal(entries["intrinsics"], prediction.intrinsics)
        assert str(entries["model"]) == "tiny" and str(entries["kind"]) == "relative_depth"
        assert float(entries["scale"]) == 2.5 and float(entries["shift"]) == 0.0
        assert str(entries["scale_source"]) == "known:10,20,3.5" and str(entries["weights_hash"]) == ""
        assert np.isnan(entries["confidence"]) and entries["warnings"].tolist() == ["no echo", "gr\u00fcn"]
        assert entries["assumptions"].tolist() == ["field of view assumed 70 degrees"]


@pytest.mark.parametrize(
    "name, entry",
    [
        ("kind", np.array(["relative_depth"])),
        ("model", np.array(3.0)),
        ("scale", np.array(np.nan)),
        ("shift", np.array("none")),
        ("scale_source", np.array(True)),
        ("warnings", np.array("text")),
        ("valid", np.ones((3, 3), bool)),
        ("valid", np.ones((6, 8))),
        ("intrinsics", np.zeros((3, 3))),
        ("log_scale", np.zeros((2, 2))),
        ("scale_probability", np.array([0.5, np.nan, 0.5])),
        ("scale_probability", np.array([0.5])),
    ],
)
def test_an_npz_with_an_entry_that_no_prediction_has_is_one_error(prediction, tmp_path, name, entry):
    dataclasses.replace(prediction, posterior=ScalePosterior.normal(2.0, 0.13)).save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as whole:
        entries = dict(whole)
    np.savez(tmp_path / "b.npz", **entries)
    assert Prediction.load(tmp_path / "b.npz").scale == 2.5
    np.savez(tmp_path / "b.npz", **entries | {name: entry})
    with pytest.raises(DepthError, match=r"b\.npz"):
        Prediction.load(tmp_path / "b.npz")


def test_an_npz_of_a_prediction_without_warnings_has_an_empty_list(prediction, tmp_path):
    dataclasses.replace(prediction, warnings=(), posterior=ScalePosterior.normal(2.0, 0.13), weights_hash="ab12").save(
        tmp_path / "a.npz"
    )
    with np.load(tmp_path / "a.npz", allow_pickle=False) as entries:
        assert entries["warnings"].tolist() == [] and float(entries["confidence"]) == pytest.approx(0.75, abs=0.01)
        assert str(entries["weights_hash"]) == "ab12"


def test_the_png_holds_millimetres_and_0_where_not_valid(prediction, tmp_path):
    prediction.save(tmp_path / "a.PNG")
    with Image.open(tmp_path / "a.PNG") as picture:
        millimetres = np.asarray(picture)
    assert (millimetres[~prediction.valid] == 0).all()
    error = millimetres / 1000.0 - prediction.depth
    assert np.abs(error[prediction.valid]).max() <= 0.000501


def test_the_ply_holds_the_valid_points_in_the_image_colours(prediction, tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    prediction.save(tmp_path / "a.ply", image)
    header, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)
    assert b"comment field of view assumed 70 degrees\n" in header
    vertices = np.array(list(struct.iter_unpack("<fffBBB", body)))
    points = unproject(prediction.depth, prediction.intrinsics)[prediction.valid]
    assert np.allclose(vertices[:, :3], points, rtol=1e-6)
    assert np.array_equal(vertices[:, 3:], image[prediction.valid])


def test_a_ply_without_an_image_is_grey_and_one_with_a_wrong_image_is_refused(prediction, tmp_path):
    prediction.save(tmp_path / "a.ply")
    body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n", 1)[1]
    assert {vertex[3:] for vertex in struct.iter_unpack("<fffBBB", body)} == {(128, 128, 128)}
    for image in (np.zeros((8, 6, 3), np.uint8), np.zeros((6, 8, 3))):
        with pytest.raises(DepthError, match="as large as the depth"):
            prediction.save(tmp_path / "b.ply", image)
    assert os.listdir(tmp_path) == ["a.ply"]


@pytest.mark.parametrize("name", ["a.exr", "a", "a.npy"])
def test_another_suffix_is_refused_and_the_three_are_listed(prediction, tmp_path, name):
    with pytest.raises(OptionError, match=r"\.npz, \.png, \.ply"):
        prediction.save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_depth_without_metres_is_not_saved_as_millimetres(prediction, tmp_path):
    bare = dataclasses.replace(prediction, kind="disparity", scale_source="none")
    with pytest.raises(OptionError, match="no metres"):
        bare.save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
    bare.save(tmp_path / "a.ply")
    assert b"unit: model units" in (tmp_path / "a.ply").read_bytes()


def test_a_saved_prediction_is_loaded_as_it_was(prediction, tmp_path):
    posterior = ScalePosterior.normal(2.0, 0.13)
    both = {"posterior": posterior, "prior": ScalePosterior.normal(2.2, 0.4)}
    for saved in (prediction, dataclasses.replace(prediction, **both, weights_hash="ab12", warnings=())):
        saved.save(tmp_path / "a.npz")
        loaded = Prediction.load(tmp_path / "a.npz")
        assert loaded.confidence == (saved.posterior and pytest.approx(saved.confidence))
        for field in dataclasses.fields(Prediction):
            before, after = getattr(saved, field.name), getattr(loaded, field.name)
            if isinstance(before, ScalePosterior):
                np.testing.assert_allclose([after.log_scale, after.probability], [before.log_scale, before.probability])
                continue
            equal = np.array_equal(before, after, equal_nan=True) if isinstance(before, np.ndarray) else before == after
            assert equal and type(before) is type(after), field.name


def test_what_is_no_prediction_is_not_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", depth=np.ones((3, 4)))
    for name, word in (("a.npz", "lacks kind"), ("none.npz", "no such file")):
        with pytest.raises(DepthError, match=word):
            Prediction.load(tmp_path / name)
