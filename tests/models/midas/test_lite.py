"""The encoder of MiDaS small is timm's EfficientNet-Lite, entry by entry and number by number."""

import pytest
import timm
import torch
from torch import nn

from avsnet.models.midas.lite import LiteEfficientNet, LiteSize

SIZES = {
    "efficientnet_lite0": LiteSize(same=False),
    "tf_efficientnet_lite0": LiteSize(),
    "tf_efficientnet_lite3": LiteSize(width=1.2, depth=1.4),
}


def grouped(net):
    """timm's network in the parts of the published files."""
    parts = nn.Module()
    parts.layer1 = nn.Sequential(net.conv_stem, net.bn1, nn.Identity(), *net.blocks[:2])
    parts.layer2, parts.layer3, parts.layer4 = (nn.Sequential(*net.blocks[i:j]) for i, j in ((2, 3), (3, 5), (5, 7)))
    return parts


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("training", [False, True])
def test_it_is_timms_network(name, training):
    own, net = LiteEfficientNet(SIZES[name]), timm.create_model(name)
    theirs = grouped(net)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = {  # norms that do something, and keep the values within what floats tell apart
            key: torch.rand_like(value) + 0.5 if value.ndim == 1 else value
            for key, value in theirs.state_dict().items()
            for key, value in theirs.state_dict().items()
        }
        x = torch.rand(2, 3, 67, 97)
    theirs.load_state_dict(state)
    own.load_state_dict(state)  # strictly: the same entries of the same shapes
    assert own.channels == tuple(stage["num_chs"] for stage in net.feature_info[1:])
    own.train(training)
    theirs.train(training)
    with torch.inference_mode():
        maps, y = own(x), x
        for layer, found in zip(theirs.children(), maps, strict=True):
            y = layer(y)
            torch.testing.assert_close(found, y, rtol=1e-5, atol=1e-5)
    assert torch.equal(own.layer1[1].running_mean, theirs.layer1[1].running_mean)


def test_fresh_weights_are_as_wide_as_timms():
    theirs = dict(grouped(timm.create_model("tf_efficientnet_lite0")).named_parameters())
    for name, weight in LiteEfficientNet(LiteSize()).named_parameters():
        if weight.ndim == 4 and weight.numel() > 2000:
            assert weight.std().item() == pytest.approx(theirs[name].std().item(), rel=0.15), name
        if weight.ndim == 1:
            assert torch.equal(weight, theirs[name])
