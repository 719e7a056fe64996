import json
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from avsnet.errors import MissingExtraError, ModelError, OptionError, SampleError
from avsnet.models import create_model, model_info
from avsnet.models.onnx import external_files

SIZE = (4, 6)
DECLARED = {"output": "disparity", "layout": "NCHW", "size": list(SIZE)}


def write_graph(path, shape, nodes, raw_shape, *, inputs=("image",), outputs=("map",), type_=TensorProto.FLOAT):
    """A graph of `nodes` from `image` (of `shape`) to `map` (of `raw_shape`)."""
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info(name, type_, shape) for name in inputs],
        [helper.make_tensor_value_info(name, type_, raw_shape) for name in outputs],
        [helper.make_tensor("channels", TensorProto.INT64, [1], [3 if shape[-1] == 3 else 1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def mean_of_channels(keepdims=1, outputs=("map",)):
    return [helper.make_node("ReduceMean", ["image", "channels"], [name], keepdims=keepdims) for name in outputs]


@pytest.fixture
def nchw(tmp_path):
    """An NCHW network whose output is the mean of the three channels, with its side file."""
    path = write_graph(tmp_path / "toy.onnx", [1, 3, *SIZE], mean_of_channels(), [1, 1, *SIZE])
    declare(path)
    return path


def declare(path, **entries):
    path.with_suffix(".json").write_text(json.dumps({**DECLARED, **entries}))


@pytest.fixture
def image():
    return torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def test_an_nchw_network_keeps_the_contract(nchw, image):
    model = create_model(f"onnx:{nchw}")
    output = model({"image": image})
    assert output.keys() == {"disparity"}
    assert output["disparity"].shape == (2, 1, *SIZE)
    assert output["disparity"].dtype == torch.float32
    assert not model.training
    torch.testing.assert_close(output["disparity"], image.mean(1, keepdim=True))


@pytest.mark.parametrize("keepdims", [1, 0], ids=["(B, h, w, 1)", "(B, h, w)"])
def test_an_nhwc_network_gives_what_its_nchw_twin_gives(nchw, image, tmp_path, keepdims):
    raw_shape = [1, *SIZE, 1] if keepdims else [1, *SIZE]
    twin = write_graph(tmp_path / "twin.onnx", [1, *SIZE, 3], mean_of_channels(keepdims), raw_shape)
    declare(twin, layout="NHWC")
    expected = create_model(f"onnx:{nchw}")({"image": image})["disparity"]
    torch.testing.assert_close(create_model(f"onnx:{twin}")({"image": image})["disparity"], expected)


def test_a_network_with_free_dimensions_runs_at_the_declared_size(tmp_path, image):
    path = write_graph(tmp_path / "free.onnx", ["n", 3, "h", "w"], mean_of_channels(), ["n", 1, "h", "w"])
    declare(path)
    assert create_model(f"onnx:{path}")({"image": image})["disparity"].shape == (2, 1, *SIZE)


def test_range_mean_and_std_are_applied_in_that_order(nchw, image):
    declare(nchw, range=[-1, 3], mean=[0.1, 0.2, 0.3], std=[0.5, 1.0, 2.0])
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1), torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1)
    expected = ((-1 + 4 * image - mean) / std).mean(1, keepdim=True)
    torch.testing.assert_close(create_model(f"onnx:{nchw}")({"image": image})["disparity"], expected)


def test_the_output_is_scaled_first_and_then_bounded_below(nchw, image):
    declare(nchw, output_scale=-2, output_min=-0.9)
    expected = (image.mean(1, keepdim=True) * -2).clamp(min=-0.9)
    assert expected.min() == -0.9 and expected.max() > -0.9
    torch.testing.assert_close(create_model(f"onnx:{nchw}")({"image": image})["disparity"], expected)


def test_the_info_says_what_the_side_file_says(nchw):
    declare(nchw, license="CC0-1.0")
    info = model_info(f"onnx:{nchw}")
    assert (info.name, info.output, info.size, info.size_multiple) == (
        "onnx:toy.onnx",
        "disparity",
        SIZE,
        None,
    )
    assert info.code_licence == info.weights_licence == "CC0-1.0"


def test_what_is_known_of_its_own_scale_stands_in_the_side_file_and_is_nothing_by_default(nchw):
    bare = create_model(f"onnx:{nchw}").info
    assert (bare.focal, bare.scale_bias, bare.scale_spread) == (None, 0.0, None)
    info = create_model(f"onnx:{nchw}", focal=0.889, scale_bias=-0.1, scale_spread=0.25).info
    assert (info.focal, info.scale_bias, info.scale_spread) == (0.889, -0.1, 0.25)
    for name, wrong in (("focal", 0), ("scale_bias", "0"), ("scale_spread", 0)):
        with pytest.raises(ModelError, match=name):
            create_model(f"onnx:{nchw}", **{name: wrong})


def test_the_hash_covers_the_file_and_what_is_declared_of_it_but_not_its_licence(nchw):
    def found(**entries):
        declare(nchw, **entries)
        return create_model(f"onnx:{nchw}").weights_hash

    assert len(found()) == 12 and found() == found(license="MIT")
    assert len({found(), found(output_scale=2), found(mean=[0.5, 0, 0]), found(output="metric_depth")}) == 4


def test_networks_that_differ_only_in_their_external_weights_have_other_hashes(tmp_path, image):
    hashes, maps = set(), []
    for factor in (1.0, 2.0):
        folder = tmp_path / str(factor)
        folder.mkdir()
        weight = numpy_helper.from_array(np.full((1, 1, *SIZE), factor, np.float32), "weight")
        nodes = [*mean_of_channels(outputs=("mean",)), helper.make_node("Mul", ["mean", "weight"], ["map"])]
        path = write_graph(folder / "net.onnx", [1, 3, *SIZE], nodes, [1, 1, *SIZE])
        whole = onnx.load(path)
        whole.graph.initializer.append(weight)
        onnx.save_model(whole, path, save_as_external_data=True, location="net.onnx.data", size_threshold=0)
        declare(path)
        assert external_files(path) == [folder / "net.onnx.data"]
        model = create_model(f"onnx:{path}")
        hashes.add(model.weights_hash)
        maps.append(model({"image": image})["disparity"])
    assert (tmp_path / "1.0/net.onnx").read_bytes() == (tmp_path / "2.0/net.onnx").read_bytes()
    assert len(hashes) == 2
    torch.testing.assert_close(maps[1], 2.0 * maps[0])


def test_options_stand_in_for_the_side_file_and_win_over_it(nchw, image):
    name = f"onnx:{nchw}"
    assert "metric_depth" in create_model(name, output="metric_depth")({"image": image})
    nchw.with_suffix(".json").unlink()
    assert create_model(name, output="affine_depth", layout="NCHW", size=SIZE).info.output == "affine_depth"


def test_other_weights_are_refused(nchw):
    create_model(f"onnx:{nchw}", weights="default")
    with pytest.raises(OptionError, match="brings its own weights"):
        create_model(f"onnx:{nchw}", weights="other.onnx")


def test_without_a_side_file_the_error_names_all_that_is_missing_and_shows_an_example(nchw):
    nchw.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r'no .*toy\.json to declare "output", "layout", "size".*"NCHW"') as error:
        create_model(f"onnx:{nchw}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["output", "layout", "size"])
def test_a_side_file_that_lacks_an_entry_is_an_error_that_names_just_it(nchw, name):
    nchw.with_suffix(".json").write_text(json.dumps({k: v for k, v in DECLARED.items() if k != name}))
    with pytest.raises(ModelError, match=rf'toy\.json lacks "{name}";'):
        create_model(f"onnx:{nchw}")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"metric_depth"', "\x00\xff"])
def test_a_side_file_that_is_no_json_object_is_an_error(nchw, text):
    nchw.with_suffix(".json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"toy\.json"):
        create_model(f"onnx:{nchw}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("output", "depth"),
        ("output", ["disparity"]),
        ("layout", "CHW"),
        ("size", [4]),
        ("size", [4.0, 6.0]),
        ("size", [0, 6]),
        ("size", 4),
        ("output_scale", 0),
        ("output_scale", "-1"),
        ("output_scale", True),
        ("output_min", float("nan")),
        ("range", [1, 0]),
        ("mean", [0.5]),
        ("std", [1, 1, 0]),
        ("license", None),
    ],
)
def test_a_wrong_entry_is_an_error_that_names_it_and_its_rule(nchw, name, value):
    declare(nchw, **{name: value})
    with pytest.raises(ModelError, match=f'"{name}" is .*, but must be '):
        create_model(f"onnx:{nchw}")


def test_an_unknown_entry_is_an_error_that_lists_the_known_ones(nchw):
    declare(nchw, scale=2)
    with pytest.raises(ModelError, match='unknown entry "scale"; known are output, layout, size, output_scale'):
        create_model(f"onnx:{nchw}")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.onnx: no such file"):
        create_model(f"onnx:{tmp_path / 'absent.onnx'}")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file_is_an_error_of_one_line(nchw, kept, capfd):
    content = nchw.read_bytes()
    nchw.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ModelError, match=r"toy\.onnx: no readable ONNX graph") as error:
        create_model(f"onnx:{nchw}")
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_file_that_is_no_onnx_is_an_error(nchw):
    nchw.write_text("not a network at all")
    with pytest.raises(ModelError, match="no readable ONNX graph"):
        create_model(f"onnx:{nchw}")


def test_without_onnxruntime_the_error_names_the_extra(nchw, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"install avsnet\[export\]"):
        create_model(f"onnx:{nchw}")


@pytest.mark.parametrize(("inputs", "outputs"), [(("image", "other"), ("map",)), (("image",), ("map", "more"))])
def test_a_graph_with_several_inputs_or_outputs_is_an_error(tmp_path, inputs, outputs):
    nodes = mean_of_channels(outputs=outputs)
    path = write_graph(tmp_path / "toy.onnx", [1, 3, *SIZE], nodes, [1, 1, *SIZE], inputs=inputs, outputs=outputs)
    declare(path)
    with pytest.raises(ModelError, match=f"the graph has {len(inputs)} inputs and {len(outputs)} outputs"):
        create_model(f"onnx:{path}")


def test_of_several_outputs_the_named_one_is_the_map_and_the_error_lists_them(tmp_path, image):
    nodes = [*mean_of_channels(outputs=("depth",)), helper.make_node("Neg", ["depth"], ["confidence"])]
    shapes = {"outputs": ("confidence", "depth")}
    path = write_graph(tmp_path / "toy.onnx", [1, 3, *SIZE], nodes, None, **shapes)
    declare(path)
    with pytest.raises(ModelError, match=r'2 outputs, confidence, depth; say which .*"output_name"'):
        create_model(f"onnx:{path}")
    declare(path, output_name="depth")
    expected = image.mean(1, keepdim=True)
    torch.testing.assert_close(create_model(f"onnx:{path}")({"image": image})["disparity"], expected)
    torch.testing.assert_close(
        create_model(f"onnx:{path}", output_name="confidence")({"image": image})["disparity"], -expected
    )
    with pytest.raises(ModelError, match=r'"output_name" is \'normal\', but the outputs are confidence, depth'):
        create_model(f"onnx:{path}", output_name="normal")


@pytest.mark.parametrize(
    ("type_", "gain"), [(TensorProto.FLOAT16, 1), (TensorProto.DOUBLE, 1), (TensorProto.UINT8, 255)]
)
def test_a_graph_of_another_type_gets_the_picture_in_that_type(tmp_path, image, type_, gain):
    nodes = [helper.make_node("Cast", ["image"], ["wide"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("ReduceMean", ["wide", "channels"], ["map"]))
    path = write_graph(tmp_path / "half.onnx", [1, 3, *SIZE], nodes, None, type_=type_)
    whole = onnx.load(path)
    whole.graph.output[0].CopyFrom(helper.make_tensor_value_info("map", TensorProto.FLOAT, None))
    onnx.save(whole, path)
    declare(path, range=[0, gain])
    found = create_model(f"onnx:{path}")({"image": image})["disparity"]
    torch.testing.assert_close(found / gain, image.mean(1, keepdim=True), atol=2e-3, rtol=0)


def test_a_graph_that_takes_whole_numbers_of_another_kind_is_an_error(tmp_path):
    nodes = [helper.make_node("Identity", ["image"], ["map"])]
    path = write_graph(tmp_path / "whole.onnx", [1, 3, *SIZE], nodes, [1, 3, *SIZE], type_=TensorProto.INT64)
    declare(path)
    with pytest.raises(ModelError, match=r"the input is tensor\(int64\); it must be one of tensor\(float\)"):
        create_model(f"onnx:{path}")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "is a git-lfs pointer; run"),
        (b"\n<!DOCTYPE html>\n<html lang=en>", "is a web page; download"),
    ],
)
def test_what_is_no_network_at_all_is_called_what_it_is(nchw, content, what):
    nchw.write_bytes(content)
    with pytest.raises(ModelError, match=rf"toy\.onnx: no readable ONNX graph, {what}") as error:
        create_model(f"onnx:{nchw}")
    assert "\n" not in str(error.value)


def test_unknown_pixels_are_part_of_a_map_and_a_map_of_nothing_else_is_an_error(tmp_path, image):
    nodes = [
        helper.make_node("ReduceMean", ["image", "channels"], ["mean"]),
        helper.make_node("Log", ["mean"], ["map"]),
    ]
    path = write_graph(tmp_path / "log.onnx", [1, 3, *SIZE], nodes, [1, 1, *SIZE])
    declare(path)
    image = image.clone()
    image[..., :3] = -1.0
    found = create_model(f"onnx:{path}")({"image": image})["disparity"]
    assert torch.isnan(found[..., :3]).all() and torch.isfinite(found[..., 3:]).all()


@pytest.mark.parametrize(
    ("shape", "entries"),
    [
        ([1, 3, *SIZE], {"size": [4, 8]}),
        ([1, 3, *SIZE], {"layout": "NHWC"}),
        ([2, 3, *SIZE], {}),
        ([1, 1, *SIZE], {}),
        ([3, *SIZE], {}),
    ],
    ids=["size", "layout", "batch of two", "one channel", "no batch"],
)
def test_a_graph_that_contradicts_its_declaration_is_an_error(tmp_path, shape, entries):
    path = write_graph(tmp_path / "toy.onnx", shape, [helper.make_node("Abs", ["image"], ["map"])], shape)
    declare(path, **entries)
    with pytest.raises(ModelError, match=r"the graph takes \[.*, but layout .* declare \["):
        create_model(f"onnx:{path}")


def test_an_output_that_is_not_finite_is_an_error(tmp_path, image):
    nodes = [
        helper.make_node("ReduceMean", ["image", "channels"], ["mean"]),
        helper.make_node("Log", ["mean"], ["map"]),
    ]
    path = write_graph(tmp_path / "log.onnx", [1, 3, *SIZE], nodes, [1, 1, *SIZE])
    declare(path)
    with pytest.raises(ModelError, match=r"log\.onnx: the output has NaN or infinite values"):
        create_model(f"onnx:{path}")({"image": image - 1})


def test_an_output_that_is_no_map_is_an_error(tmp_path, image):
    nodes = [helper.make_node("Abs", ["image"], ["map"])]
    path = write_graph(tmp_path / "three.onnx", [1, 3, *SIZE], nodes, [1, 3, *SIZE])
    declare(path)
    with pytest.raises(ModelError, match=r"output of shape \(1, 3, 4, 6\) is no map"):
        create_model(f"onnx:{path}")({"image": image})


def test_a_network_that_fails_while_running_is_an_error_of_one_line(tmp_path, image, capfd):
    # With free dimensions the impossible reshape shows only at run time.
    nodes = [
        helper.make_node("Constant", [], ["shape"], value_ints=[7, 7]),
        helper.make_node("Reshape", ["image", "shape"], ["map"]),
    ]
    path = write_graph(tmp_path / "bad.onnx", ["n", 3, "h", "w"], nodes, ["a", "b"])
    declare(path)
    with pytest.raises(ModelError, match=r"bad\.onnx: the network fails to run") as error:
        create_model(f"onnx:{path}")({"image": image})
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_an_image_of_another_size_is_an_error_that_names_both_sizes(nchw):
    with pytest.raises(SampleError, match=r"'image' is \(1, 3, 8, 8\), but onnx:toy\.onnx takes \(B, 3, 4, 6\)"):
        create_model(f"onnx:{nchw}")({"image": torch.rand(1, 3, 8, 8)})


@pytest.mark.parametrize(
    "batch",
    [
        {},
        {"image": np.zeros((1, 3, *SIZE), np.float32)},
        {"image": torch.zeros(3, *SIZE)},
        {"image": torch.zeros(1, 3, *SIZE, dtype=torch.uint8)},
        {"image": torch.full((1, 3, *SIZE), torch.nan)},
    ],
    ids=["none", "numpy", "no batch", "uint8", "NaN"],
)
def test_a_batch_without_a_proper_image_is_an_error(nchw, batch):
    with pytest.raises(SampleError, match="'image'"):
        create_model(f"onnx:{nchw}")(batch)


@pytest.mark.parametrize(
    "entries, told",
    [
        ({"takes_intrinsics": True}, "one image and intrinsics, and takes image"),
        ({"audio": {"samples": 4_000}, "samples": 4_000}, "one image and waveform, and takes image"),
        ({"audio": "loud"}, '"audio" is'),
        ({"fit": "tight"}, '"fit" is'),
        ({"size_multiple": 0}, '"size_multiple" is'),
        ({"echo_dropout": 1.0}, '"echo_dropout" is'),
    ],
)
def test_what_an_export_declares_must_be_true_of_the_graph(nchw, entries, told):
    declare(nchw, **entries)
    with pytest.raises(ModelError, match=told):
        create_model(f"onnx:{nchw}")


def test_a_graph_that_fits_sizes_says_so(tmp_path, image):
    path = write_graph(tmp_path / "free.onnx", ["n", 3, "h", "w"], mean_of_channels(), ["n", 1, "h", "w"])
    declare(path, size_multiple=2, fit="minimal", upsample="corners", flip="mean")
    model = create_model(f"onnx:{path}")
    assert (model.info.size_multiple, model.info.fit, model.info.flip) == (2, "minimal", "mean")
    assert model({"image": torch.rand(1, 3, 8, 10)})["disparity"].shape == (1, 1, 8, 10)
