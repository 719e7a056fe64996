"""MiDaS against the published small one's numbers, and the promises that every encoder of the family keeps."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from avsnet.errors import OptionError, SampleError
from avsnet.models import ModelInfo, create_model, list_models, model_info
from avsnet.models.infer import infer
from avsnet.models.midas.decoder import MidasDecoder
from avsnet.models.midas.network import HALF, Midas
from avsnet.models.midas.vit import BeitEncoder
from avsnet.models.resize import input_size
from places import GOLDEN

NAMES = [name for name in list_models() if name.startswith("midas_")]

# Millions of weights: published, and of them those that are never run (classifier and final norm).
PUBLISHED = {
    "midas_beit_large_512": (345, 1.027),
    "midas_beit_large_384": (344.34, 1.027),
    "midas_beit_base_384": (112, 0.771),
    "midas_swin2_large_384": (213, 1.540),
    "midas_swin2_base_384": (102, 1.027),
    "midas_swin2_tiny_256": (42, 0.771),
    "midas_swin_large_384": (213, 1.540),
    "midas_next_vit_large_384": (72, 1.027),
    "midas_dpt_large": (344, 1.027),
    "midas_dpt_hybrid": (123, 0.771),
    "midas_v21_large": (105, 0.0),
    "midas_small": (21.32, 0.0),
}


def golden_fill():
    """The module that rebuilds the golden cases' weights."""
    spec = importlib.util.spec_from_file_location("golden_fill", GOLDEN / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "midas_small" / "case1.npz") as case:
        return dict(case)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """MiDaS small with the golden weights, read from a file in the published layout."""
    keys = json.loads((GOLDEN / "midas_small" / "keys.json").read_text())
    path = tmp_path_factory.mktemp("midas") / "midas_v21_small_256.pt"
    torch.save(golden_fill().from_shapes(keys["midas_v21_small_256.pt"]), path)
    return create_model("midas_small", weights=path)


@pytest.fixture(scope="module")
def tiny():
    return create_model("midas_tiny")


def small_beit():
    sizes = {"img_size": 64, "embed_dim": 32, "depth": 4, "num_heads": 2}
    encoder = BeitEncoder("beit_base_patch16_384", (0, 1, 2, 3), (8, 16, 32, 48), **sizes)
    info = ModelInfo("toy", "affine_disparity", "none", "none", "this test", size_multiple=32)
    model = Midas(info, encoder, MidasDecoder(encoder.channels, (16,) * 4, (8, 8)), HALF)
    for table in encoder.relative_position.tables:
        torch.nn.init.normal_(table)
    return model.eval()


def test_the_published_small_one_gives_the_published_numbers(golden, small):
    image = torch.from_numpy(golden["image"]).permute(2, 0, 1)[None] / 255.0
    with torch.inference_mode():
        features = small.features(image)
        depth = small({"image": image})["affine_disparity"]
    for found, name in (
        (depth[:, 0, ::2, ::2], "rel_depth_s2"),
        (features.bottleneck[:, ::8], "layer4_rn_c8"),
        (features.blocks[3][:, ::8, ::4, ::4], "refinenet1_c8_s4"),
        (features.out_conv[..., ::8, ::8], "out_conv_s8"),
    ):
        wanted = golden[name]
        assert np.abs(found.numpy() - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max()), name
    assert torch.equal(depth, features.disparity)


def test_pictures_come_to_the_published_sizes(golden):
    base = replace(model_info("midas_small"), size_multiple=32)
    for (height, width, rows, columns, keep, mode), size in zip(
        golden["resize_in"].tolist(), golden["resize_out"].tolist(), strict=True
    ):
        fit = ("lower", "upper", "minimal")[mode] if keep else "exact"
        assert input_size(replace(base, size=(rows, columns), fit=fit), height, width) == tuple(size)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_the_published_size_and_says_it(name):
    with torch.device("meta"):  # shapes without numbers
        model = create_model(name)
    count = sum(weight.numel() for weight in model.parameters())
    assert count == model.info.parameters
    if name not in ("midas_tiny", "midas_lite0"):
        published, unused = PUBLISHED[name]
        assert count / 1e6 + unused == pytest.approx(published, abs=0.5 if isinstance(published, int) else 0.005)
    else:
        assert count < 5.2e6  # with 0.8 million of head and echo, 12 MB in half precision
    groups = model.parameter_groups()
    grouped = [weight for group in groups.values() for weight in group]
    assert {id(weight) for weight in grouped} == {id(weight) for weight in model.parameters()}
    assert len(grouped) == len({id(weight) for weight in grouped})
    assert len(groups["relative_position"]) == {"beit_l": 24, "beit_b": 12, "swin_l": 24}.get(name[6:12], 0)
    assert all(
        name.startswith("scratch.") == any(w is d for d in groups["decoder"]) for name, w in model.named_parameters()
    )


@pytest.mark.parametrize("name", NAMES)
def test_features_have_the_channels_and_strides_that_a_metric_head_relies_on(name):
    with torch.device("meta"):
        model = create_model(name)
        height, width = model.info.size if model.info.size_multiple is None else (64, 96)
        features = model.features(torch.rand(2, 3, height, width))
    assert features.out_conv.shape == (2, model.channels.out_conv, height, width)
    assert features.disparity.shape == (2, 1, height, width)
    assert features.bottleneck.shape == (2, model.channels.bottleneck, height // 32, width // 32)
    for stride, block, channels in zip((16, 8, 4, 2), features.blocks, model.channels.blocks, strict=True):
        assert block.shape == (2, channels, height // stride, width // stride)
    if model.channels.bottleneck == 256:
        assert model.channels == (32, 256, (256,) * 4)


def test_a_network_normalises_for_itself_and_refuses_what_is_no_picture_of_its_size(tiny):
    with pytest.raises(SampleError, match="multiples of 32"):
        tiny({"image": torch.rand(1, 3, 100, 100)})
    assert not tiny.training
    with torch.no_grad():
        seen = []
        hook = tiny.pretrained.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        tiny({"image": torch.full((1, 3, 32, 32), 0.485)})
        hook.remove()
    assert seen[0][0, 0].abs().max() < 1e-6
    assert seen[0][0, 1, 0, 0].item() == pytest.approx((0.485 - 0.456) / 0.224, abs=1e-6)


def test_another_input_size_is_an_option_where_the_network_allows_it():
    info = create_model("midas_tiny", input_size=(128, 160)).info
    assert input_size(info, 720, 1280) == (128, 160)
    for size in ((100, 160), (0, 32), (32,), (32.0, 32)):
        with pytest.raises(OptionError, match="multiples of 32"):
            create_model("midas_tiny", input_size=size)
    with torch.device("meta"), pytest.raises(OptionError, match=r"takes \(256, 256\) only"):
        create_model("midas_swin2_tiny_256", input_size=(192, 256))


def test_gradients_reach_every_weight_that_is_not_frozen_and_only_the_skipless_unit_is(tiny):
    tiny.zero_grad()
    features = tiny.train().features(torch.rand(2, 3, 64, 64))
    assert (features.disparity > 0.0).float().mean() > 0.9  # else the last ReLU would shut the network up
    features.disparity.mean().backward()
    tiny.eval()
    frozen = {name for name, weight in tiny.named_parameters() if not weight.requires_grad}
    assert frozen == {f"scratch.refinenet4.resConfUnit1.conv{n}.{kind}" for n in (1, 2) for kind in ("weight", "bias")}
    assert all(w.grad.any() for name, w in tiny.named_parameters() if name not in frozen)


def test_a_picture_and_its_mirror_image_in_one_batch_give_what_each_gives_alone(small):
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        both = small({"image": torch.cat([image, image.flip(-1)])})["affine_disparity"]
        alone = [small({"image": one})["affine_disparity"] for one in (image, image.flip(-1))]
    assert torch.allclose(both, torch.cat(alone), atol=1e-5)


def test_a_picture_of_any_size_comes_back_as_a_map_of_its_size(tiny):
    found = infer(tiny, np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8))
    assert found.shape == (50, 70)
    assert (found >= 0.0).all()


def test_a_beit_takes_a_half_precision_pass_and_any_legal_size():
    model = small_beit()
    with torch.inference_mode():
        for size in ((32, 32), (64, 64), (64, 160)):
            assert model({"image": torch.rand(2, 3, *size)})["affine_disparity"].shape == (2, 1, *size)
        model.bfloat16()
        assert model({"image": torch.rand(1, 3, 64, 64).bfloat16()})["affine_disparity"].isfinite().all()
