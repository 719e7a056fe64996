"""Monodepth2, MonoViT and Lite-Mono against the goldens of their originals, and what must fail them."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from avsnet.errors import OptionError, SampleError
from avsnet.models import create_model, model_info
from avsnet.models.infer import infer
from avsnet.models.self_supervised import lite_mono
from avsnet.models.self_supervised.lite_mono import VARIANTS
from places import GOLDEN

NAMES = ("monodepth2", "monovit", *VARIANTS)


def golden(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / ("lite_mono" if name in VARIANTS else name) / "case1.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


def differences(model: nn.Module, name: str, prefix: str | None = None) -> dict[str, float]:
    """How far disparities and feature maps are from the golden, in shares of what is allowed."""
    expected = golden(name)
    prefix = prefix if prefix is not None else f"{name}_" if name in VARIANTS else ""
    with torch.inference_mode():
        scales = model({"image": expected["image"]})["raw_scales"]
        features = model.encoder(expected["image"])
    found = {}
    for scale, raw in enumerate(scales):
        allowed = (1e-4 if scale < 2 else 1e-3) if name == "monovit" else 1e-5
        found[f"disp_{scale}"] = float((raw - expected[f"{prefix}disp_{scale}"]).abs().max()) / allowed
    every = 16 if name == "monodepth2" else 8
    for index, feature in enumerate(features):
        step = (4 if name in VARIANTS else 16) >> index
        strided = feature[:, ::every, ::step, ::step]
        allowed = 5e-3 if name == "monovit" else 1e-4
        found[f"feat_{index}"] = float((strided - expected[f"{prefix}feat_{index}"]).abs().max()) / allowed
    return found


def disparity_share(model: nn.Module, name: str) -> float:
    """The same, of the disparities alone, and the largest."""
    return max(share for key, share in differences(model, name).items() if key.startswith("disp"))


@pytest.mark.parametrize("name", NAMES)
def test_published_weights_give_the_golden_disparities_and_feature_maps(published, name):
    found = differences(create_model(name, weights=published(name)), name)
    assert len(found) == (6 if name in VARIANTS else 9)
    assert max(found.values()) < 1.0, found


@pytest.mark.parametrize("name", ["lite_mono", "lite_mono_tiny"])
def test_the_dilations_of_high_resolution_give_their_golden_by_option_or_by_the_size_in_the_file(
    published, changed, name
):
    told = create_model(name, weights=published(name), dilations=VARIANTS[name].high)
    assert max(differences(told, name, f"{name}_hr_").values()) < 1.0
    folder = changed(name, "encoder.pth", lambda entries: entries.update(height=320, width=1024))
    # The size at which pictures are seen does not change how the network was trained.
    read = create_model(name, weights=folder, input_size=(96, 160))
    assert read.info.size == (96, 160)
    assert max(differences(read, name, f"{name}_hr_").values()) < 1.0


def test_the_depth_of_monodepth2_is_one_over_its_disparity(published):
    expected = golden("monodepth2")
    with torch.inference_mode():
        given = create_model("monodepth2", weights=published("monodepth2"))({"image": expected["image"]})
    assert torch.allclose(1.0 / given["disparity"], expected["depth_0"], atol=1e-6)
    assert torch.allclose(given["disparity"], 0.01 + 9.99 * given["raw"], atol=1e-6)
    assert given["raw"] is given["raw_scales"][0]


def zeroed(*ends):
    """These weights are 0, so that what they stand for is missing."""

    def mutate(model):
        hit = [weight for key, weight in model.named_parameters() if key.endswith(ends)]
        assert hit
        for weight in hit:
            weight.data.zero_()

    return mutate


def every(kind, attribute, value):
    def mutate(model):
        hit = [part for part in model.modules() if isinstance(part, kind)]
        assert hit
        for part in hit:
            setattr(part, attribute, value)

    return mutate


def swapped_halves(key):
    """What comes from below and what comes from the encoder are joined in the other order."""

    def mutate(model):
        weight = model.get_parameter(key).data
        weight.copy_(weight.roll(weight.shape[1] // 2, 1))

    return mutate


def zeros_around(model):
    every(nn.Conv2d, "padding_mode", "zeros")(model.decoder)


def unnormalised(model):
    model.encoder.forward = lambda images: model.encoder.encoder(images)


def four_heads(model):
    every(lite_mono.XCA, "num_heads", 4)(model)
    for part in model.modules():
        if isinstance(part, lite_mono.XCA):
            part.temperature = nn.Parameter(part.temperature[:4])


def one_temperature(model):
    for part in model.modules():
        if isinstance(part, lite_mono.XCA):
            part.temperature.data.fill_(1.0)


CODES = [f"crpe.conv_list.{window}.{kind}" for window in range(3) for kind in ("weight", "bias")]
MISTAKES = {
    "swapped skip": ("monodepth2", swapped_halves("decoder.decoder.1.conv.conv.weight")),
    "pictures not normalised": ("monodepth2", unnormalised),
    "smooth enlarging": ("monodepth2", every(lite_mono.SkipDecoder, "smooth", True)),
    "zeros around maps": ("monodepth2", zeros_around),
    "swapped skip in the grid": ("monovit", swapped_halves("decoder.convs.X_31_attention.conv_se.weight")),
    "no position code by convolution": ("monovit", zeroed("cpe.proj.weight", "cpe.proj.bias")),
    "no relative position code": ("monovit", zeroed(*CODES)),
    "another epsilon in the norms": ("monovit", every(nn.LayerNorm, "eps", 1e-5)),
    "approximate GELU": ("monovit", every(nn.GELU, "approximate", "tanh")),
    "gates half open": ("monovit", zeroed("fc.2.weight")),
    "zeros around maps of the grid": ("monovit", zeros_around),
    "no position code": ("lite_mono", zeroed("token_projection.weight", "token_projection.bias")),
    "no attention": ("lite_mono_small", zeroed("gamma_xca")),
    "four heads": ("lite_mono_small", four_heads),
    "temperature ignored": ("lite_mono_8m", one_temperature),
    "enlarging by neighbours": ("lite_mono_tiny", every(lite_mono.SkipDecoder, "smooth", False)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_network_with_one_mistake_fails_the_golden(published, mistake):
    name, mutate = MISTAKES[mistake]
    model = create_model(name, weights=published(name))
    mutate(model)
    assert disparity_share(model, name) > 1.0


@pytest.mark.parametrize("dilation", [1, 5])
def test_one_wrong_dilation_fails_the_golden(published, dilation):
    stages = [list(stage) for stage in VARIANTS["lite_mono"].dilations]
    assert stages[2][-1] == 6
    stages[2][-1] = dilation
    model = create_model("lite_mono", weights=published("lite_mono"), dilations=stages)
    assert disparity_share(model, "lite_mono") > 1.0


def test_pooling_that_leaves_the_padding_out_fails_the_golden(published, monkeypatch):
    monkeypatch.setattr(lite_mono, "_half", nn.AvgPool2d(3, 2, 1, count_include_pad=False))
    model = create_model("lite_mono_tiny", weights=published("lite_mono_tiny"))
    assert disparity_share(model, "lite_mono_tiny") > 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_what_its_info_says_and_every_weight_is_trained(name):
    model, info = create_model(name), model_info(name)
    assert model.info == info
    assert info.parameters == sum(weight.numel() for weight in model.parameters())
    assert (info.output, info.size, info.size_multiple) == ("disparity", (192, 640), 32)
    groups = model.parameter_groups()
    assert list(groups) == ["encoder", "decoder"]
    assert sorted(id(weight) for group in groups.values() for weight in group) == sorted(map(id, model.parameters()))
    image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        both, first = model({"image": image}), model({"image": image[:1]})
    assert torch.allclose(both["disparity"][:1], first["disparity"], atol=1e-4)
    given = model.train()({"image": image})
    sizes = [(64 >> scale, 96 >> scale) for scale in range(3 if name in VARIANTS else 4)]
    assert [tuple(raw.shape) for raw in given["raw_scales"]] == [(2, 1, *size) for size in sizes]
    sum(raw.mean() for raw in given["raw_scales"]).backward()
    assert [key for key, weight in model.named_parameters() if weight.grad is None] == []


def test_what_lite_mono_infers_in_parts_is_what_it_gives_whole(published):
    model = create_model("lite_mono_tiny", weights=published("lite_mono_tiny"))
    image = torch.rand(1, 3, 160, 192, generator=torch.Generator().manual_seed(0))
    whole = model({"image": image})["raw"].detach()  # with gradients nothing is cut
    with torch.inference_mode():
        assert torch.allclose(model({"image": image})["raw"], whole, rtol=0, atol=1e-6)
    assert 40 * 48 > lite_mono._PART  # tokens


@pytest.mark.parametrize("name", ["monovit", "lite_mono_tiny"])
def test_layers_drop_out_in_training_and_only_then(name):
    model, batch = create_model(name, drop_path=0.9), {"image": torch.rand(2, 3, 64, 64)}
    for key, weight in model.named_parameters():
        if "gamma" in key:
            weight.data.fill_(1.0)  # fresh layers are too faint to be missed
    with torch.no_grad():
        assert torch.equal(model(batch)["raw"], model(batch)["raw"])
        model.train()
        every(nn.BatchNorm2d, "training", False)(model)
        torch.manual_seed(0)
        assert not torch.equal(model(batch)["raw"], model(batch)["raw"])


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("monodepth2", (100, 96), "H and W that are multiples of 32"),
        ("monodepth2", (32, 96), "monodepth2 takes sides from 64 pixels"),
        ("monovit", (64, 32), "monovit takes sides from 64 pixels"),
        ("lite_mono", (48, 32), "H and W that are multiples of 32"),
    ],
)
def test_a_picture_of_no_legal_size_is_refused(name, size, message):
    with pytest.raises(SampleError, match=message):
        create_model(name)({"image": torch.rand(1, 3, *size)})


@pytest.mark.parametrize(("name", "side"), [("monodepth2", 64), ("monovit", 64), ("lite_mono_tiny", 32)])
def test_the_smallest_pictures_go_through(name, side):
    model = create_model(name, input_size=(side, side))
    assert model.info.size == (side, side)
    assert model({"image": torch.rand(1, 3, side, side)})["disparity"].shape == (1, 1, side, side)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": (190, 640)}, r"input_size \(190, 640\): give .* multiples of 32 from 32"),
        ({"input_size": (0, 640)}, "multiples of 32 from 32"),
        ({"input_size": (192,)}, "multiples of 32 from 32"),
        ({"dilations": [[1, 2], [1, 2, 3], [1, 2, 3]]}, r"lite_mono takes 3 lists of \[3, 3, 9\] whole numbers from 1"),
        ({"dilations": [[1, 2, 0], [1, 2, 3], [1] * 9]}, "whole numbers from 1"),
        ({"dilations": []}, "lite_mono takes 3 lists"),
        ({"dilations": 3}, "dilations 3: lite_mono takes 3 lists"),
        ({"dilations": [1, 2, 3]}, r"dilations \[1, 2, 3\]: lite_mono takes 3 lists"),
        ({"input_size": 224}, "input_size 224: give"),
        ({"weights": "a.pth", "imagenet": "b.pth"}, "lite_mono: give weights or imagenet, not both"),
        ({"min_depth": 2.0, "max_depth": 1.0}, r"min_depth 2\.0, max_depth 1\.0: wanted 0 < min_depth < max_depth"),
        ({"dilation": 3}, "its options: weights, input_size, dilations, drop_path, imagenet"),
    ],
)
def test_an_option_outside_what_it_allows_is_an_error(options, message):
    with pytest.raises(OptionError, match=message):
        create_model("lite_mono", **options)


@pytest.mark.parametrize("name", ["monodepth2", "lite_mono_tiny"])
def test_any_picture_is_shrunk_by_lanczos_seen_both_ways_blended_and_enlarged_bilinearly(published, name):
    model = create_model(name, weights=published(name), input_size=(64, 96))
    picture = np.random.default_rng(0).integers(0, 256, (75, 131, 3), np.uint8)
    small = np.asarray(Image.fromarray(picture).resize((96, 64), Image.Resampling.LANCZOS), np.float32) / 255
    maps = []
    for seen in (small, small[:, ::-1]):
        with torch.inference_mode():
            given = model({"image": torch.from_numpy(seen.transpose(2, 0, 1).copy())[None]})
        maps.append(given["disparity"][0, 0].numpy())
    direct, mirrored = maps[0], maps[1][:, ::-1]
    blend = np.empty_like(direct)
    for column in range(96):
        left, right = (1 - min(max(20 * (place - 0.05), 0), 1) for place in (column / 95, 1 - column / 95))
        mean = (direct[:, column] + mirrored[:, column]) / 2
        blend[:, column] = right * direct[:, column] + left * mirrored[:, column] + (1 - left - right) * mean
    expected = nn.functional.interpolate(torch.from_numpy(blend)[None, None], (75, 131), mode="bilinear")[0, 0]
    found = infer(model, picture)
    assert np.allclose(found, expected, atol=1e-4)
    assert found.std() > 0.01
