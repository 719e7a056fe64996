"""ImageNet weights reach the encoder entry by entry, and what they compute is what timm's own network computes."""

import pytest
import timm
import torch

from avsnet.errors import MissingExtraError, ModelError, OptionError
from avsnet.models import create_model
from avsnet.models.midas import imagenet

REPEATS = (1, 2, 2, 3, 3, 4, 1)


def published_keys():
    """timm's name of an entry to the published one, as the wheel has them, written down block by block."""
    names = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    number = 0
    for stage, blocks in enumerate(REPEATS):
        for block in range(blocks):
            parts = ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
            own = ["conv_dw", "bn1", "conv_pw", "bn2"]
            if stage:
                parts = ["_expand_conv", "_bn0", *parts]
                own = ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
            for mine, theirs in zip(own, parts, strict=True):
                names[f"blocks.{stage}.{block}.{mine}"] = f"_blocks.{number}.{theirs}"
            number += 1
    return names


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return timm.create_model("tf_efficientnet_lite0").eval()


@pytest.fixture(scope="module")
def wheel(net, tmp_path_factory):
    names = published_keys()
    path = tmp_path_factory.mktemp("wheel") / "lite0.pth"
    state = {
        ".".join((names[key.rpartition(".")[0]], key.rpartition(".")[2])): v for key, v in net.state_dict().items()
    }
    torch.save(state, path)
    return path


def test_the_published_entries_give_the_maps_of_timms_network(net, wheel):
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    wanted = net.forward_intermediates(image, intermediates_only=True)
    model = create_model("midas_lite0", imagenet=wheel)
    found = model.pretrained(image)
    for number, stride in enumerate((4, 8, 16, 32)):
        torch.testing.assert_close(found[number], next(m for m in wanted if m.shape[-1] == 96 // stride))
    hears = create_model("avsnet_lite0_av", imagenet=wheel, input_size=(64, 96))
    assert torch.equal(hears.midas.pretrained(image)[3], found[3])


def test_a_file_that_lacks_an_entry_or_has_another_network_is_refused(wheel, tmp_path):
    state = torch.load(wheel, weights_only=True)
    torch.save({k: v for k, v in state.items() if "_blocks.7._bn2" not in k}, tmp_path / "less.pth")
    with pytest.raises(ModelError, match=r"less.pth.*missing"):
        create_model("midas_lite0", imagenet=tmp_path / "less.pth")
    torch.save(state | {"_blocks.16._expand_conv.weight": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(ModelError, match=r"more.pth.*1 unknown .layer4.1.1"):
        create_model("midas_lite0", imagenet=tmp_path / "more.pth")


def test_imagenet_is_for_fresh_networks_on_that_encoder(wheel, monkeypatch):
    with pytest.raises(OptionError, match="avsnet_tiny_v: imagenet"):
        create_model("avsnet_tiny_v", imagenet=wheel)
    monkeypatch.setattr(imagenet, "_PACKAGE", "no_such_package")
    with pytest.raises(MissingExtraError, match=r"avsnet\[encoder\]"):
        create_model("midas_lite0", imagenet="installed")
