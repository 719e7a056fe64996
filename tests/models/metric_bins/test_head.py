"""The metric-bins head against the published one's numbers, and against what its formulas promise."""

import json
import sys
import zlib

import numpy as np
import pytest
import torch

from avsnet.errors import OptionError
from avsnet.models.metric_bins.centers import pull
from avsnet.models.metric_bins.head import MetricBins
from avsnet.models.metric_bins.log_binomial import CONSTANTS
from avsnet.models.metric_bins.routing import RoutedMetricBins
from avsnet.models.metric_bins.settings import ZOEDEPTH_K, ZOEDEPTH_N, ZOEDEPTH_NK, BinSettings
from avsnet.weights import load_strictly
from places import SHARED

GOLDEN = SHARED / "golden"
FILES = {"N": "ZoeD_M12_N.pt", "K": "ZoeD_M12_K.pt", "NK": "ZoeD_M12_NK.pt"}
GAINS = {"seed_bin_regressor": 8.0, "attractors": 8.0, "conditional_log_binomial": 16.0}
BLOCKS = (256,) * 4


@pytest.fixture(scope="module")
def golden():
    if not (GOLDEN / "zoedepth_head").is_dir():
        pytest.skip("../shared/golden/zoedepth_head is absent")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # as the golden case was computed: then equal, bit by bit, on a machine of that kind
    with np.load(GOLDEN / "zoedepth_head" / "case1.npz") as case:
        yield dict(case)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def inputs(golden):
    found = {}
    for name, shape, total in zip(golden["input_names"], golden["input_shapes"], golden["input_sums"], strict=True):
        stream = np.random.RandomState(zlib.crc32(f"zoedepth_head/case1/{name}".encode()))
        values = stream.standard_normal(tuple(n for n in shape if n)).astype(np.float32)
        values = np.abs(values) if name in ("out_conv", "rel_depth") else values
        assert values.sum(dtype=np.float64) == pytest.approx(total)
        found[str(name)] = torch.from_numpy(values)
    return {
        "bottleneck": found["l4_rn"],
        "blocks": [found[name] for name in ("r4", "r3", "r2", "r1")],
        "out_conv": found["out_conv"],
        "disparity": found["rel_depth"][:, None],
    }


def filled(variant):
    """The golden weights under the published keys, with the gains of the golden cases."""
    sys.path.insert(0, str(GOLDEN))
    try:
        from fill import from_shapes
    finally:
        sys.path.remove(str(GOLDEN))
    state = from_shapes(json.loads((GOLDEN / "zoedepth_head" / "keys.json").read_text())[FILES[variant]])
    for key, value in state.items():
        for part, gain in GAINS.items():
            ending = "mlp.2.weight" if part.startswith("conditional") else "_net.2.weight"
            if key.startswith(part) and key.endswith(ending):
                value.mul_(gain)
    return state


def build(variant, **more):
    if variant == "NK":
        ranges = {"nyu": (1e-3, 10.0), "kitti": (1e-3, 80.0)}
        head = RoutedMetricBins(256, BLOCKS, 32, ZOEDEPTH_NK, ranges)
    else:
        settings, farthest = {"N": (ZOEDEPTH_N, 10.0), "K": (ZOEDEPTH_K, 80.0)}[variant]
        head = MetricBins(256, BLOCKS, 32, settings, (1e-3, farthest))
    load_strictly(head, filled(variant), FILES[variant], unused=CONSTANTS)
    return head.eval()


def assert_near(found, wanted):
    """Within 1e-5 of the golden map; at single pixels the golden itself is 4e-4 from what float64 gives, because a
    temperature of 0.02 magnifies rounding, so that even the number of threads changes them by 1e-4."""
    error = found.numpy() - wanted
    assert np.linalg.norm(error) <= 1e-5 * np.linalg.norm(wanted)
    assert np.abs(error).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("variant", ["N", "K"])
def test_the_published_heads_give_the_published_numbers(golden, inputs, variant):
    head = build(variant)
    seen = []
    head.conditional_log_binomial.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.inference_mode():
        outputs = head(**inputs)
    centers = torch.nn.functional.interpolate(outputs["bin_centers"], (128, 192), mode="bilinear", align_corners=True)
    assert_near(outputs["seed_centers"], golden[f"{variant}_seed_centers"])
    assert_near(centers[..., ::16, ::16], golden[f"{variant}_bin_centers_s16"])
    assert_near(seen[0][..., ::16, ::16], golden[f"{variant}_probs_s16"])
    assert_near(outputs["metric_depth"][..., ::4, ::4], golden[f"{variant}_metric_depth_s4"])
    total = outputs["metric_depth"].double().sum().item()
    assert total == pytest.approx(golden[f"{variant}_metric_depth_sum"], rel=1e-6)


@pytest.mark.parametrize("domain", ["nyu", "kitti"])
def test_the_published_head_of_two_domains_gives_the_published_numbers_in_each(golden, inputs, domain):
    head = build("NK")
    with torch.inference_mode():
        logits = head(**inputs)["domain_logits"]
        head.mlp_classifier[2].bias[["nyu", "kitti"].index(domain)] += 100.0
        depth = head(**inputs)["metric_depth"]
    assert_near(logits, golden["NK_domain_logits"])
    assert_near(depth[..., ::4, ::4], golden[f"NK_metric_depth_{domain}_s4"])


def test_heads_have_the_published_size():
    head = MetricBins(256, BLOCKS, 32, ZOEDEPTH_N)
    assert sum(weight.numel() for weight in head.parameters()) == pytest.approx(0.478e6, rel=2e-3)


def features(batch=2, bottleneck=12, blocks=(10, 8, 6, 4), out_conv=5):
    stream = torch.Generator().manual_seed(0)

    def draw(channels, stride):
        return torch.randn(batch, channels, 64 // stride, 96 // stride, generator=stream)

    return {
        "bottleneck": draw(bottleneck, 32),
        "blocks": [draw(channels, stride) for channels, stride in zip(blocks, (16, 8, 4, 2), strict=True)],
        "out_conv": draw(out_conv, 1).abs(),
        "disparity": draw(1, 1).abs(),
    }


def small(**settings):
    torch.manual_seed(0)
    settings = {"n_bins": 16, "embedding": 8, "regressor_width": 16, "projector_width": 8} | settings
    return MetricBins(12, (10, 8, 6, 4), 5, BinSettings(**settings), (0.5, 12.0))


@pytest.mark.parametrize("centers", ["softplus", "normed", "hybrid1", "hybrid2"])
@pytest.mark.parametrize("attractor", ["inverse", "exponential"])
def test_every_weight_gets_a_gradient_from_the_default_initialisation(centers, attractor):
    head = small(centers=centers, attractor=attractor, alpha=1.0)
    inputs = features()
    inputs["bottleneck"].requires_grad_()
    head(**inputs)["metric_depth"].log().square().sum().backward()
    silent = [name for name, weight in head.named_parameters() if not weight.grad.abs().max() > 0.0]
    assert not silent
    assert inputs["bottleneck"].grad.abs().max() > 0.0


@pytest.mark.parametrize("centers", ["normed", "hybrid2"])
def test_pulled_centers_that_are_bounded_are_sorted_and_stay_within_the_depth_range(centers):
    centers = small(centers=centers, alpha=0.1)(**features())["bin_centers"]
    assert centers.min() >= 0.5 and centers.max() <= 12.0
    assert (centers.diff(dim=1) >= 0.0).all()


@pytest.mark.parametrize("centers", ["normed", "hybrid1"])
def test_normed_seeds_are_the_middles_of_bins_that_fill_the_depth_range(centers):
    seed = small(centers=centers)(**features())["seed_centers"]
    edge = torch.full_like(seed[:, :1], 0.5)
    for center in seed.split(1, dim=1):
        edge = 2.0 * center - edge
    torch.testing.assert_close(edge, torch.full_like(edge, 12.0))


def test_depth_is_a_mix_of_the_centers_with_probabilities_that_sum_to_one():
    head, inputs = small(), features()
    seen = []
    head.conditional_log_binomial.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    outputs = head(**inputs)
    torch.testing.assert_close(seen[0].sum(1), torch.ones(2, 64, 96))
    up = torch.nn.functional.interpolate(outputs["bin_centers"], (64, 96), mode="bilinear", align_corners=True)
    torch.testing.assert_close(outputs["metric_depth"], (seen[0] * up).sum(1, keepdim=True))


def test_the_distribution_is_the_binomial_one_at_temperature_one():
    head = small(temperature=(1.0, 1.0)).conditional_log_binomial
    inputs = features()
    with torch.no_grad():
        found = head(torch.cat([inputs["out_conv"], inputs["disparity"]], 1), torch.zeros(2, 8, 32, 48))
    k = torch.arange(16.0).reshape(1, -1, 1, 1)
    mean = (k * found).sum(1, keepdim=True) / 15.0
    exact = torch.exp(torch.distributions.Binomial(15, mean).log_prob(k))
    # Stirling's formula lacks sqrt(2 pi n), so the tails weigh a little more.
    assert (found - exact).abs().max() < 0.03


def test_autocast_keeps_the_metres_in_float32_and_close():
    head, inputs = small().eval(), features()
    with torch.inference_mode():
        exact = head(**inputs)["metric_depth"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = head(**inputs)
    assert {values.dtype for values in half.values()} == {torch.float32}
    torch.testing.assert_close(half["metric_depth"], exact, rtol=0.05, atol=0.0)


def test_each_picture_goes_to_its_own_domain_unless_the_published_rule_is_asked_for():
    ranges = {"near": (1e-3, 10.0), "far": (1e-3, 80.0)}
    settings = BinSettings(n_bins=8, embedding=8, takes_disparity=False)
    torch.manual_seed(1)
    head = RoutedMetricBins(12, (10, 8, 6, 4), 5, settings, ranges).eval()
    inputs = features()
    inputs["bottleneck"] = inputs["bottleneck"] * torch.tensor([1.0, 30.0])[:, None, None, None]
    with torch.no_grad():
        logits = head(**inputs)["domain_logits"]
        head.mlp_classifier[2].bias += torch.tensor([0.0, 1.0]) * (logits[:, 0] - logits[:, 1]).mean()
        both = head(**inputs)
        assert both["domain_logits"].argmax(1).unique().numel() == 2
        for row in range(2):
            one = {k: [v[row : row + 1] for v in x] if k == "blocks" else x[row : row + 1] for k, x in inputs.items()}
            torch.testing.assert_close(head(**one)["metric_depth"][0], both["metric_depth"][row])
        published = RoutedMetricBins(12, (10, 8, 6, 4), 5, BinSettings(**vars(settings) | {"published": True}), ranges)
        published.load_state_dict(head.state_dict())
        summed = published.eval()(**inputs)
    chosen = both["domain_logits"].sum(0).argmax()
    same = [torch.equal(a, b) for a, b in zip(summed["metric_depth"], both["metric_depth"], strict=True)]
    assert chosen in both["domain_logits"].argmax(1) and not all(same)


def test_the_published_flag_brings_back_the_strength_that_the_code_used():
    given = {"alpha": 1000.0, "gamma": 1.0}
    torch.manual_seed(0)
    head, inputs = small(published=True, **given), features()
    reference = small()
    reference.load_state_dict(head.state_dict())
    torch.testing.assert_close(head(**inputs)["metric_depth"], reference(**inputs)["metric_depth"])
    assert not torch.equal(small(**given)(**inputs)["metric_depth"], reference(**inputs)["metric_depth"])


@pytest.mark.parametrize(
    "wrong", [{"centers": "normal"}, {"attractor": "linear"}, {"gather": "max"}, {"n_bins": 1}, {"temperature": (0, 1)}]
)
def test_settings_outside_what_they_allow_are_named(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        BinSettings(**wrong)


def test_levels_and_attractors_must_agree():
    with pytest.raises(OptionError, match="3 levels"):
        MetricBins(8, (8, 8, 8), 4)
    with pytest.raises(OptionError, match="depth_range"):
        MetricBins(8, (8,) * 4, 4, depth_range=(2.0, 1.0))
    with pytest.raises(OptionError, match="give disparity"):
        small()(**features() | {"disparity": None})


def test_spread_seeds_start_over_the_whole_range_in_even_ratios():
    head = small()
    head.spread_seeds()
    with torch.no_grad():
        head.seed_bin_regressor._net[2].weight.zero_()
        seed = head(**features())["seed_centers"][0, :, 0, 0]
    torch.testing.assert_close(seed[[0, -1]], torch.tensor([0.5, 12.0]), rtol=1e-4, atol=0.0)
    ratios = seed[1:] / seed[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(15), rtol=1e-3, atol=0.0)


@pytest.mark.parametrize("gather", ["mean", "sum"])
@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("attractor", ["inverse", "exponential"])
def test_the_pull_is_its_formula_for_every_attractor_and_bin(attractor, gamma, gather):
    stream = torch.Generator().manual_seed(0)
    points, centers = (torch.rand(2, n, 3, 4, generator=stream, dtype=torch.float64) * 4.0 for n in (5, 7))
    settings = BinSettings(attractor=attractor, alpha=0.7, gamma=gamma, gather=gather)
    slow = torch.zeros_like(centers)
    for a in range(5):
        for k in range(7):
            d = points[:, a] - centers[:, k]
            power = 0.7 * d.abs() ** gamma
            slow[:, k] += d / (1.0 + power) if attractor == "inverse" else d * torch.exp(-power)
    torch.testing.assert_close(pull(points, centers, settings), slow / 5 if gather == "mean" else slow)


def test_the_quick_distribution_is_the_published_one():
    head, inputs = small(temperature=(0.5, 50.0)), features()
    published = small(temperature=(0.5, 50.0), published=True)
    published.load_state_dict(head.state_dict())
    last = torch.cat([inputs["out_conv"], inputs["disparity"]], 1)
    embedding = torch.randn(2, 8, 32, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = head.conditional_log_binomial(last, embedding)
        torch.testing.assert_close(found, published.conditional_log_binomial(last, embedding), rtol=1e-3, atol=1e-6)


def test_a_stride_averages_the_finest_features_and_gives_a_smaller_map():
    head, inputs = small(stride=2), features()
    outputs = head(**inputs)
    assert outputs["metric_depth"].shape == (2, 1, 32, 48)
    pooled = inputs | {key: torch.nn.functional.avg_pool2d(inputs[key], 2) for key in ("out_conv", "disparity")}
    reference = small()
    reference.load_state_dict(head.state_dict())
    torch.testing.assert_close(outputs["metric_depth"], reference(**pooled)["metric_depth"])
