"""Each way to let an echo change a visual map: its formula, what it starts as, and that it can learn."""

import numpy as np
import pytest
import torch

from avsnet.errors import OptionError
from avsnet.models.avsnet.fusion import FUSIONS, Fusion, ScaleFusion, bilinear
from places import SHARED

GOLDEN = SHARED / "golden" / "bitd" / "fusion_small.npz"
CHANNELS, WIDTH, TIMES = 12, 16, 5


def maps(kind, batch=3, channels=CHANNELS):
    stream = torch.Generator().manual_seed(0)
    echo = (batch, TIMES, WIDTH) if kind == "tokens" else (batch, WIDTH)
    return torch.randn(batch, channels, 4, 6, generator=stream), torch.randn(echo, generator=stream)


def build(kind, **options):
    torch.manual_seed(0)
    return Fusion(kind, CHANNELS, WIDTH, **options)


def test_the_contracted_bilinear_block_gives_the_published_numbers():
    if not GOLDEN.is_file():
        pytest.skip("../shared/golden/bitd is absent")
    with np.load(GOLDEN) as case:
        parts = {key: torch.from_numpy(case[key]) for key in case.files}
    fused = [
        bilinear(parts[name], parts["echo"].flatten(1), parts[f"weight_{name}"], parts[f"bias_{name}"])
        for name in ("visual", "material")
    ]
    torch.testing.assert_close(torch.cat(fused, 1), parts["fused"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", FUSIONS)
def test_a_residual_fusion_starts_as_the_visual_map_itself(kind):
    x, echo = maps(kind)
    assert torch.equal(build(kind)(x, echo), x)


@pytest.mark.parametrize("kind", FUSIONS)
def test_once_the_gate_is_open_every_weight_and_the_echo_get_a_gradient(kind):
    fusion = build(kind)
    x, echo = maps(kind)
    torch.nn.init.normal_(fusion.gate)
    echo.requires_grad_()
    fusion(x, echo).square().sum().backward()
    silent = [name for name, weight in fusion.named_parameters() if not weight.grad.abs().max() > 0.0]
    assert not silent
    assert echo.grad.abs().max() > 0.0


@pytest.mark.parametrize("kind", FUSIONS)
def test_what_is_heard_does_not_depend_on_the_scale_of_what_is_seen_and_trust_can_be_none_or_whole(kind):
    torch.manual_seed(0)
    fusion = ScaleFusion(kind, CHANNELS, WIDTH)
    x, echo = maps(kind)
    seen = torch.randn(len(x))
    last = fusion.read_out._net[2]
    with torch.no_grad():
        last.bias[1] = -100.0
        assert not fusion.apart(x, echo, seen)[1].any()
        last.bias[1] = 100.0
        apart, trust = fusion.apart(x, echo, seen)
        assert torch.equal(trust, torch.ones(len(x)))
        torch.testing.assert_close(fusion.apart(x, echo, seen + 1.0)[0] + 1.0, apart)
        assert (fusion.apart(x, echo.flip(0), seen)[0] - apart).abs().max() > 1e-3


@pytest.mark.parametrize("kind", FUSIONS)
def test_a_fresh_fusion_hears_e_metres_and_half_trusts_it_whatever_the_bottleneck_holds(kind):
    torch.manual_seed(0)
    fusion = ScaleFusion(kind, CHANNELS, WIDTH)
    x, echo = maps(kind)
    apart, trust = fusion.apart(3.0 * x, 3.0 * echo, torch.zeros(len(x)))
    assert torch.allclose(trust * apart, torch.tensor(0.5), atol=0.02)


def test_the_closed_gate_itself_gets_a_gradient():
    fusion = build("bilinear")
    fusion(*maps("bilinear")).square().sum().backward()
    assert fusion.gate.grad.abs().min() > 0.0


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("output", ["replace", "concat"])
def test_the_literal_outputs_depend_on_the_echo_from_the_start(kind, output):
    fusion = build(kind, output=output)
    x, echo = maps(kind)
    fused = fusion(x, echo)
    assert fused.shape == x.shape
    assert (fused - fusion(x, echo.flip(0))).abs().max() > 1e-3


@pytest.mark.parametrize("kind", FUSIONS)
def test_what_the_echo_adds_does_not_depend_on_the_scale_of_the_visual_map(kind):
    fusion = build(kind, output="replace")
    x, echo = maps(kind)
    torch.testing.assert_close(fusion(100.0 * x, echo), fusion(x, echo), rtol=1e-3, atol=1e-4)


def test_a_wide_map_is_projected_before_the_bilinear_block():
    fusion = Fusion("bilinear", 512, 64)
    assert fusion.block.weight.shape == (128, 128, 64)
    assert fusion(torch.randn(2, 512, 2, 3), torch.randn(2, 64)).shape == (2, 512, 2, 3)


@pytest.mark.parametrize(("channels", "inner"), [(256, 256), (257, 128)])
def test_256_channels_are_the_most_that_are_not_projected(channels, inner):
    block = Fusion("bilinear", channels, 4)
    assert any(inner in parameter.shape for parameter in block.parameters())
    assert (128 in {size for parameter in block.parameters() for size in parameter.shape}) == (inner == 128)


def test_attention_over_time_tells_the_order_of_its_tokens():
    fusion = build("tokens", output="replace")
    x, echo = maps("tokens")
    assert (fusion(x, echo) - fusion(x, echo.flip(1))).abs().max() > 1e-3


def test_tokens_are_plain_attention_position_by_position():
    block = build("tokens").block
    x, echo = maps("tokens")
    from avsnet.models.sinusoids import sinusoids

    keys, values = block.key_value(echo + sinusoids(torch.arange(float(TIMES)), WIDTH)).chunk(2, dim=2)
    queries = block.query(x)
    slow = torch.zeros_like(queries)
    size = WIDTH // 4
    for head in range(4):
        part = slice(head * size, (head + 1) * size)
        weight = torch.einsum("bchw,btc->bthw", queries[:, part], keys[..., part]) / size**0.5
        slow[:, part] = torch.einsum("bthw,btc->bchw", weight.softmax(1), values[..., part])
    torch.testing.assert_close(block(x, echo), block.expand(slow))


def test_unknown_kinds_and_outputs_are_named_with_what_there_is():
    with pytest.raises(OptionError, match=r"fusion: found 'sum', wanted one of bilinear.*none"):
        build("sum")
    with pytest.raises(OptionError, match="fusion_output: found 'add'"):
        build("film", output="add")


def test_the_contracted_block_is_the_bilinear_layer_at_every_place_and_so_are_its_gradients():
    layer = torch.nn.Bilinear(5, 7, 4).double()
    visual = torch.randn(2, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    echo = torch.randn(2, 7, dtype=torch.float64, requires_grad=True)
    ours = bilinear(visual, echo, layer.weight, layer.bias)
    tiled = echo[:, None].expand(2, 6, 7).contiguous()
    theirs = layer(visual.flatten(2).transpose(1, 2).contiguous(), tiled).transpose(1, 2).reshape(2, 4, 3, 2)
    torch.testing.assert_close(ours, theirs)
    pull = torch.randn_like(ours)
    for first, second in zip(
        torch.autograd.grad((ours * pull).sum(), (visual, echo, layer.weight)),
        torch.autograd.grad((theirs * pull).sum(), (visual, echo, layer.weight)),
        strict=True,
    ):
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("output", ["residual", "replace", "concat"])
def test_what_else_is_in_a_batch_changes_nothing(kind, output):
    torch.manual_seed(0)
    fusion = Fusion(kind, 16, 32, output).eval()
    if output == "residual":
        torch.nn.init.normal_(fusion.gate)
    seen = torch.randn(3, 16, 4, 5) * torch.tensor([0.01, 1.0, 100.0]).reshape(3, 1, 1, 1)
    heard = torch.randn(3, 6, 32) if kind == "tokens" else torch.randn(3, 32)
    together = fusion(seen, heard)
    for place in range(3):
        alone = fusion(seen[place : place + 1], heard[place : place + 1])
        assert torch.allclose(together[place], alone[0], rtol=1e-4, atol=1e-5 * float(seen[place].abs().max()))


def test_film_without_a_word_from_the_echo_leaves_the_map_as_it_is():
    film = FUSIONS["film"](8, 16)
    torch.nn.init.zeros_(film.modulate.weight)
    torch.nn.init.zeros_(film.modulate.bias)
    seen = torch.randn(2, 8, 3, 4)
    assert torch.equal(film(seen, torch.randn(2, 16)), seen)
