"""ZoeDepth against the published network's numbers; its files load strictly, and each variant refuses another's."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from avsnet.errors import ModelError, OptionError
from avsnet.models import ModelInfo, create_model, model_info
from avsnet.models.infer import infer
from avsnet.models.metric_bins.routing import RoutedMetricBins
from avsnet.models.metric_bins.settings import ZOEDEPTH_NK
from avsnet.models.midas.decoder import MidasDecoder
from avsnet.models.midas.network import HALF, Midas
from avsnet.models.midas.vit import BeitEncoder
from avsnet.models.resize import input_size
from avsnet.models.zoedepth import ZoeDepth
from places import SHARED

SHARED_GOLDEN = SHARED / "golden"
FILES = {"zoedepth_n": "ZoeD_M12_N.pt", "zoedepth_k": "ZoeD_M12_K.pt", "zoedepth_nk": "ZoeD_M12_NK.pt"}
GAINS = {"seed_bin_regressor": 8.0, "attractors.": 8.0, "conditional_log_binomial.": 16.0}

needs_golden = pytest.mark.skipif(not SHARED_GOLDEN.is_dir(), reason="the golden cases (../shared/golden) are absent")
no_numbers = pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")


def shapes_of(name):
    """The published file's entries: the same core in each, and its own head."""
    full = json.loads((SHARED_GOLDEN / "zoedepth_nyu" / "keys.json").read_text())["ZoeD_M12_N.pt"]
    head = json.loads((SHARED_GOLDEN / "zoedepth_head" / "keys.json").read_text())[FILES[name]]
    core = {key: entry for key, entry in full.items() if key.startswith("core.")}
    if name == "zoedepth_n":
        assert core | head == full
    return core | head


def write(path, name, form="model", drop=(), **more):
    """A file in the published layout whose every entry is one number, however large it looks."""
    state = {
        key: torch.zeros((), dtype=getattr(torch, entry["dtype"])).expand(entry["shape"])
        for key, entry in shapes_of(name).items()
        if key not in drop
    }
    state |= {key: torch.zeros(1) for key in more}
    state = {f"module.{key}": value for key, value in state.items()} if form == "module" else state
    torch.save(state if form == "bare" else {"model": state, "optimizer": None, "epoch": 0}, path)
    return path


def load(name, path):
    """Load into a network without numbers, which costs nothing."""
    with torch.device("meta"):
        return create_model(name, weights=path)


@needs_golden
@no_numbers
@pytest.mark.parametrize("form", ["bare", "model", "module"])
@pytest.mark.parametrize("name", FILES)
def test_published_files_load_bare_wrapped_or_prefixed(tmp_path, name, form):
    model = load(name, write(tmp_path / FILES[name], name, form))
    assert sum(weight.numel() for weight in model.parameters()) == model.info.parameters
    # What is published and never run: the classifier of the backbone and the norm before it.
    if name == "zoedepth_n":
        assert model.info.parameters + 1000 * 1024 + 1000 + 2 * 1024 == pytest.approx(344.817e6, abs=500)


@needs_golden
@no_numbers
def test_a_file_of_another_variant_a_partial_and_an_overfull_one_are_refused_by_name(tmp_path):
    for name, other in (("zoedepth_n", "zoedepth_k"), ("zoedepth_k", "zoedepth_n"), ("zoedepth_nk", "zoedepth_n")):
        path = write(tmp_path / FILES[other], other)
        with pytest.raises(ModelError, match=rf"{FILES[other]}: not the weights of this network.*another model or"):
            load(name, path)
    missing = "core.core.pretrained.model.blocks.7.attn.relative_position_bias_table"
    path = write(tmp_path / "part.pt", "zoedepth_n", drop=[missing])
    with pytest.raises(ModelError, match=r"part\.pt: .*1 missing \(midas\.pretrained\.relative_position\.tables\.7\)"):
        load("zoedepth_n", path)
    path = write(tmp_path / "more.pt", "zoedepth_n", **{"projectors.4._net.0.weight": None})
    with pytest.raises(ModelError, match=r"more\.pt: .*1 unknown \(metric_bins\.projectors\.4\._net\.0\.weight\)"):
        load("zoedepth_n", path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"more\.pt: cannot be read as weights"):
        load("zoedepth_n", path)


@needs_golden
@no_numbers
def test_a_midas_file_is_no_zoedepth_and_ours_is_one(tmp_path):
    path = tmp_path / "midas.pt"
    with torch.device("meta"):
        own = create_model("zoedepth_n").state_dict()
    torch.save({key: torch.zeros(()).expand(value.shape) for key, value in own.items()}, path)
    load("zoedepth_n", path)
    core = {key.removeprefix("midas."): value for key, value in own.items() if key.startswith("midas.")}
    torch.save({key: torch.zeros(()).expand(value.shape) for key, value in core.items()}, path)
    with pytest.raises(ModelError, match=r"midas\.pt: not the weights of this network"):
        load("zoedepth_n", path)


def test_sizes_ranges_and_options_are_the_published_ones():
    assert input_size(model_info("zoedepth_n"), 480, 640) == (384, 512)
    assert input_size(model_info("zoedepth_k"), 352, 1216) == (384, 1312)
    with torch.device("meta"):
        streets = create_model("zoedepth_k", input_size=(384, 768))
        assert streets.metric_bins.depth_range == (1e-3, 80.0)
        assert input_size(streets.info, 352, 1216) == (384, 768)
        with pytest.raises(OptionError, match="multiples of 32"):
            create_model("zoedepth_n", input_size=(384, 500))
        both = create_model("zoedepth_nk")
    assert both.metric_bins.depth_ranges == {"nyu": (1e-3, 10.0), "kitti": (1e-3, 80.0)}
    assert not both.metric_bins.settings.published


@pytest.mark.parametrize("route_batches", [False, True])
def test_each_picture_of_a_batch_gets_the_head_that_it_gets_alone_unless_batches_are_routed(route_batches):
    sizes = {"img_size": 64, "embed_dim": 32, "depth": 4, "num_heads": 2}
    encoder = BeitEncoder("beit_base_patch16_384", (0, 1, 2, 3), (8, 16, 32, 48), **sizes)
    info = ModelInfo("toy", "metric_depth", "none", "none", "this test", size_multiple=32)
    midas = Midas(info, encoder, MidasDecoder(encoder.channels, (16,) * 4, (8, 8)), HALF)
    settings = replace(ZOEDEPTH_NK, published=route_batches)
    head = RoutedMetricBins(16, (16,) * 4, 8, settings, {"nyu": (1e-3, 10.0), "kitti": (1e-3, 80.0)})
    model = ZoeDepth(info, midas, head).eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    images[1] *= 0.2
    with torch.inference_mode():
        logits = model({"image": images})["domain_logits"]
        # Put the border between the domains where the two pictures fall on either side of it, the first by more.
        gap = logits[:, 0] - logits[:, 1]
        head.mlp_classifier[2].bias[1] += gap.mean() - 0.1 * (gap[0] - gap[1])
        head.mlp_classifier[2].bias[0] += 0.0
        both = model({"image": images})
        alone = torch.cat([model({"image": image[None]})["metric_depth"] for image in images])
    assert set(both["domain_logits"].argmax(1).tolist()) == {0, 1}
    same = [torch.allclose(both["metric_depth"][row], alone[row], atol=1e-4) for row in range(2)]
    assert same == ([True, False] if route_batches else [True, True])


@needs_golden
@pytest.mark.slow
def test_the_published_network_gives_the_published_numbers_also_padded_and_mirrored(tmp_path):
    spec = importlib.util.spec_from_file_location("golden_fill", SHARED_GOLDEN / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    state = fill.from_shapes(shapes_of("zoedepth_n"))
    for key, value in state.items():
        for part, gain in GAINS.items():
            ending = "mlp.2.weight" if part.startswith("conditional") else "_net.2.weight"
            if key.startswith(part) and key.endswith(ending):
                value.mul_(gain)
    path = tmp_path / FILES["zoedepth_n"]
    torch.save({"model": state, "optimizer": None, "epoch": 0}, path)
    del state
    model = create_model("zoedepth_n", weights=path)
    path.unlink()
    with np.load(SHARED_GOLDEN / "zoedepth_nyu" / "case1.npz") as case:
        golden = dict(case)
    image = torch.from_numpy(golden["image"]).permute(2, 0, 1)[None] / 255.0
    assert tuple(image.shape[2:]) == tuple(golden["net_size"])
    with torch.inference_mode():
        features = model.midas.features(image)
        outputs = model({"image": image})
    centers = F.interpolate(outputs["bin_centers"], image.shape[2:], mode="bilinear", align_corners=True)
    model.info = replace(model.info, size=tuple(golden["infer_net_size"].tolist()))
    for found, name in (
        (outputs["metric_depth"][..., ::4, ::4], "metric_depth_s4"),
        (outputs["affine_disparity"][:, 0, ::4, ::4], "rel_depth_s4"),
        (features.bottleneck[:, ::4], "l4_rn_c4"),
        (features.blocks[3][:, ::16, ::8, ::8], "r1_c16_s8"),
        (features.out_conv[:, ::8, ::8, ::8], "out_conv_c8_s8"),
        (centers[:, ::8, ::16, ::16], "bin_centers_c8_s16"),
        (infer(model, golden["infer_image"])[None, None, ::2, ::2], "infer_depth_s2"),
        (infer(model, golden["infer_image"], flip=False, pad=False)[None, None, ::2, ::2], "infer_nopad_noflip_s2"),
    ):
        assert np.abs(np.asarray(found) - golden[name]).max() <= 5e-6, name
