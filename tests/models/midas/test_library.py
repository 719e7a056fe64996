"""MiDaS and ZoeDepth on small backbones give what transformers' own networks give with the same weights.

The library's code is a second opinion on everything that is ours: readout, reassembly, decoder, relative positions,
metric bins. Weights go over in the names of the hub's files.
"""

import json
import re
import warnings

import pytest
import torch
from safetensors.torch import save_file

from avsnet.models import ModelInfo
from avsnet.models.metric_bins.head import MetricBins
from avsnet.models.metric_bins.routing import RoutedMetricBins
from avsnet.models.metric_bins.settings import ZOEDEPTH_K, ZOEDEPTH_N, ZOEDEPTH_NK
from avsnet.models.midas.decoder import MidasDecoder
from avsnet.models.midas.network import HALF, Midas
from avsnet.models.midas.stages import StagesEncoder
from avsnet.models.midas.vit import BeitEncoder, VitEncoder
from avsnet.models.zoedepth import ZoeDepth

INFO = ModelInfo("toy", "affine_disparity", "none", "none", "this test", size_multiple=32)
SIZE = (96, 160)
CHANNELS = (8, 16, 32, 48)
WIDTH = 16
TAPS = (0, 2, 3, 5)

DECODER = (
    (r"scratch\.layer(\d)_rn", lambda m: f"neck.convs.{int(m[1]) - 1}"),
    (r"scratch\.refinenet(\d)\.out_conv", lambda m: f"neck.fusion_stage.layers.{4 - int(m[1])}.projection"),
    (
        r"scratch\.refinenet(\d)\.resConfUnit(\d)\.conv(\d)",
        lambda m: f"neck.fusion_stage.layers.{4 - int(m[1])}.residual_layer{m[2]}.convolution{m[3]}",
    ),
    (
        r"pretrained\.act_postprocess(\d)\.0\.project\.0",
        lambda m: f"neck.reassemble_stage.readout_projects.{int(m[1]) - 1}.0",
    ),
    (r"pretrained\.act_postprocess(\d)\.3", lambda m: f"neck.reassemble_stage.layers.{int(m[1]) - 1}.projection"),
    (r"pretrained\.act_postprocess(\d)\.4", lambda m: f"neck.reassemble_stage.layers.{int(m[1]) - 1}.resize"),
)
BEIT = (
    (r"pretrained\.model\.cls_token", "backbone.embeddings.cls_token"),
    (r"pretrained\.model\.patch_embed\.proj", "backbone.embeddings.patch_embeddings.projection"),
    (
        r"pretrained\.relative_position\.tables\.(\d+)",
        r"backbone.encoder.layer.\1.attention.attention.relative_position_bias.relative_position_bias_table",
    ),
    (r"pretrained\.model\.blocks\.(\d+)\.gamma_", r"backbone.encoder.layer.\1.lambda_"),
)
VIT = (
    (r"pretrained\.model\.cls_token", "dpt.embeddings.cls_token"),
    (r"pretrained\.model\.pos_embed", "dpt.embeddings.position_embeddings"),
    (r"pretrained\.model\.patch_embed\.proj", "dpt.embeddings.patch_embeddings.projection"),
)
HYBRID = (
    *VIT[:2],
    (r"pretrained\.model\.patch_embed\.proj", "dpt.embeddings.projection"),
    (
        r"pretrained\.model\.patch_embed\.backbone\.stem\.conv",
        "dpt.embeddings.backbone.bit.embedder.convolution",
    ),
    (r"pretrained\.model\.patch_embed\.backbone\.stem\.norm", "dpt.embeddings.backbone.bit.embedder.norm"),
    (
        r"pretrained\.model\.patch_embed\.backbone\.stages\.(\d)\.blocks\.",
        r"dpt.embeddings.backbone.bit.encoder.stages.\1.layers.",
    ),
)
BLOCK = (
    (r"(encoder\.layer.*)\.norm1", r"\1.layernorm_before"),
    (r"(encoder\.layer.*)\.norm2", r"\1.layernorm_after"),
    (r"attn\.proj", "attention.output.dense"),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
)
SWIN2 = (
    (r"pretrained\.model\.patch_embed\.proj", "backbone.embeddings.patch_embeddings.projection"),
    (r"pretrained\.model\.patch_embed\.norm", "backbone.embeddings.norm"),
    (
        r"pretrained\.model\.layers\.(\d)\.downsample",
        lambda m: f"backbone.encoder.layers.{int(m[1]) - 1}.downsample",
    ),
    (r"attn\.logit_scale", "attention.self.logit_scale"),
    (r"attn\.cpb_mlp", "attention.self.continuous_position_bias_mlp"),
)
HEAD = (
    (r"metric_bins\.", "metric_head."),
    (r"_net\.0", "conv1"),
    (r"_net\.2", "conv2"),
    (r"transformer_encoder\.layers\.", "transformer_encoder."),
    (r"mlp_classifier\.0", "mlp_classifier.linear1"),
    (r"mlp_classifier\.2", "mlp_classifier.linear2"),
)


def hub(state, rules, blocks=(r"pretrained\.model\.blocks\.", "backbone.encoder.layer."), own="attention"):
    """The entries of our network under the hub's names; what is one matrix here is three there."""
    found = {}
    for key, value in state.items():
        for pattern, name in (*rules, *DECODER, blocks, *BLOCK):
            key = re.sub(pattern, name, key)
        three = re.fullmatch(r"(.*\.)(attn\.qkv\.|self_attn\.in_proj_)(weight|bias)", key)
        if three:
            inner = "self_attn." if three[2].startswith("self") else f"attention.{own}."
            for part, chunk in zip(("query", "key", "value"), value.chunk(3), strict=True):
                found[f"{three[1]}{inner}{part}.{three[3]}"] = chunk.contiguous()
            continue
        key = re.sub(r"attn\.([qv])_bias", lambda m: f"attention.{own}.{dict(q='query', v='value')[m[1]]}.bias", key)
        found[key] = value.contiguous()
    return found


def library(folder, config, state, kind="DPTForDepthEstimation", absent=()):
    """The library's network of a configuration with these weights, all of them used and none left over."""
    import transformers

    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network, report = getattr(transformers, kind).from_pretrained(
            folder, config=config, output_loading_info=True, attn_implementation="eager"
        )
    assert not [key for key in report["missing_keys"] if key not in absent], report["missing_keys"]
    assert not report["unexpected_keys"]
    return network.eval()


def randomised(module):
    """Every weight drawn anew, so that none is 0 or 1: such a one would hide what is done with it."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.ndim >= 2 and "tables" not in name:
                weight.copy_(noise / weight[0].numel() ** 0.5)
            else:
                weight.copy_(0.3 * noise + (1.0 if name.endswith("weight") or "gamma" in name else 0.0))
    return module.eval()


def midas(encoder, channels=CHANNELS):
    return randomised(Midas(INFO, encoder, MidasDecoder(channels, (WIDTH,) * 4, (WIDTH // 2, 32)), HALF))


def small_beit():
    sizes = {"img_size": 64, "embed_dim": 32, "depth": 6, "num_heads": 2}
    return midas(BeitEncoder("beit_base_patch16_384", TAPS, CHANNELS, **sizes))


def beit_config():
    from transformers import BeitConfig

    return BeitConfig(
        image_size=64,
        num_hidden_layers=6,
        hidden_size=32,
        intermediate_size=128,
        num_attention_heads=2,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=[f"stage{tap + 1}" for tap in TAPS],
        layer_norm_eps=1e-6,
    )


@pytest.fixture(scope="module")
def image():
    return torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def assert_same(network, model, image):
    with torch.no_grad():
        wanted = network(pixel_values=2.0 * image - 1.0).predicted_depth[:, None]
        found = model({"image": image})["affine_disparity"]
    assert found.std() > 0.01 * found.mean() > 0.0
    assert torch.allclose(found, wanted, rtol=0.0, atol=1e-5 * wanted.max().item())


def test_beit_away_from_its_training_size_equals_the_librarys(tmp_path, image):
    from transformers import DPTConfig

    model = small_beit()
    config = DPTConfig(backbone_config=beit_config(), neck_hidden_sizes=list(CHANNELS), fusion_hidden_size=WIDTH)
    state = hub(model.state_dict(), (*BEIT, (r"scratch\.output_conv", "head.head")))
    assert_same(library(tmp_path, config, state), model, image)


def vit_config(**more):
    from transformers import DPTConfig

    return DPTConfig(
        image_size=64,
        num_hidden_layers=6,
        num_attention_heads=2,
        backbone_out_indices=list(TAPS),
        neck_hidden_sizes=list(CHANNELS),
        fusion_hidden_size=WIDTH,
        layer_norm_eps=1e-6,
        **more,
    )


FINAL_NORM = ("dpt.layernorm.weight", "dpt.layernorm.bias")  # never run for depth
LAYERS = (r"pretrained\.model\.blocks\.", "dpt.encoder.layer.")


def test_vit_away_from_its_training_size_equals_the_librarys(tmp_path, image):
    sizes = {"img_size": 64, "embed_dim": 32, "depth": 6, "num_heads": 2}
    model = midas(VitEncoder("vit_large_patch16_384", TAPS, CHANNELS, **sizes))
    state = hub(model.state_dict(), (*VIT, (r"scratch\.output_conv", "head.head")), LAYERS)
    config = vit_config(hidden_size=32, intermediate_size=128)
    square = image[..., :96]  # the library's takes no other
    assert_same(library(tmp_path, config, state, absent=FINAL_NORM), model, square)


@pytest.mark.slow
def test_the_hybrid_equals_the_librarys(tmp_path, image):
    channels = (256, 512, 32, 48)
    sizes = {"img_size": 64, "depth": 6, "num_heads": 2}
    model = midas(VitEncoder("vit_base_r50_s16_384", TAPS[2:], channels, **sizes), channels)
    state = hub(model.state_dict(), (*HYBRID, (r"scratch\.output_conv", "head.head")), LAYERS)
    config = vit_config(is_hybrid=True, hidden_size=768, intermediate_size=3072)
    config.neck_hidden_sizes = list(channels)
    config.backbone_featmap_shape = [1, 1024, 4, 4]
    trained = image[..., :64, :64]  # the library's takes no other
    assert_same(library(tmp_path, config, state, absent=FINAL_NORM), model, trained)


def test_swin2_equals_the_librarys(tmp_path):
    from transformers import DPTConfig, Swinv2Config

    sizes = {"img_size": 128, "embed_dim": 16, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 2, 4), "window_size": 4}
    encoder = StagesEncoder("swinv2_tiny_window16_256", **sizes)
    model = midas(encoder, encoder.channels)
    backbone = Swinv2Config(
        image_size=128,
        embed_dim=16,
        depths=[2, 2, 2, 2],
        num_heads=[1, 2, 2, 4],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = DPTConfig(backbone_config=backbone, neck_hidden_sizes=list(encoder.channels), fusion_hidden_size=WIDTH)
    blocks = (r"pretrained\.model\.layers\.(\d)\.blocks\.", r"backbone.encoder.layers.\1.blocks.")
    state = hub(model.state_dict(), (*SWIN2, (r"scratch\.output_conv", "head.head")), blocks, "self")
    image = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    assert_same(library(tmp_path, config, state), model, image)


@pytest.mark.parametrize("variant", ["n", "k", "nk"])
def test_zoedepth_equals_the_librarys(tmp_path, image, variant):
    from transformers import ZoeDepthConfig

    core = small_beit()
    ranges = {"nyu": (1e-3, 10.0), "kitti": (1e-3, 80.0)}
    bottleneck, blocks, out_conv = core.channels.bottleneck, core.channels.blocks, core.channels.out_conv
    if variant == "nk":
        head = RoutedMetricBins(bottleneck, blocks, out_conv, ZOEDEPTH_NK, ranges)
    else:
        settings, depth_range = {"n": (ZOEDEPTH_N, ranges["nyu"]), "k": (ZOEDEPTH_K, ranges["kitti"])}[variant]
        head = MetricBins(bottleneck, blocks, out_conv, settings, depth_range)
    model = ZoeDepth(INFO, core, head).eval()
    bins = [{"name": name, "n_bins": 64, "min_depth": low, "max_depth": high} for name, (low, high) in ranges.items()]
    config = ZoeDepthConfig(
        backbone_config=beit_config(),
        neck_hidden_sizes=list(CHANNELS),
        fusion_hidden_size=WIDTH,
        bottleneck_features=WIDTH,
        num_relative_features=32,
        bin_centers_type="normed" if variant == "k" else "softplus",
        bin_configurations={"n": bins[:1], "k": bins[1:], "nk": bins}[variant],
        num_patch_transformer_layers=4 if variant == "nk" else None,
        patch_transformer_hidden_size=128 if variant == "nk" else None,
        patch_transformer_intermediate_size=1024 if variant == "nk" else None,
        patch_transformer_num_attention_heads=4 if variant == "nk" else None,
    )
    relative = (
        (r"scratch\.output_conv\.0", "relative_head.conv1"),
        (r"scratch\.output_conv\.2", "relative_head.conv2"),
    )
    relative = (*relative, (r"scratch\.output_conv\.4", "relative_head.conv3"))
    state = {key.removeprefix("midas."): value for key, value in model.state_dict().items()}
    network = library(tmp_path, config, hub(state, (*BEIT, *HEAD, *relative)), "ZoeDepthForDepthEstimation")
    with torch.no_grad():
        wanted = network(pixel_values=2.0 * image - 1.0)
        found = model({"image": image})
    assert torch.allclose(found["metric_depth"][:, 0], wanted.predicted_depth, rtol=1e-5, atol=1e-5)
    if variant == "nk":
        assert torch.allclose(found["domain_logits"], wanted.domain_logits, atol=1e-5)
