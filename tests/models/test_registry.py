import subprocess
import sys

import pytest
import torch

from avsnet.errors import AvsnetError, ModelError, OptionError
from avsnet.models import ModelInfo, create_model, list_models, model_info, register_model, registry

INFO = ModelInfo(
    "toy_small",
    "relative_depth",
    "Apache-2.0",
    "none",
    "this test",
    size=(4, 6),
    size_multiple=2,
    parameters=4,
)


class Toy(torch.nn.Module):
    def __init__(self, max_depth=10.0):
        super().__init__()
        self.max_depth = max_depth
        self.mix = torch.nn.Conv2d(3, 1, 1)

    def forward(self, batch):
        return {"relative_depth": self.mix(batch["image"])}


@pytest.fixture
def register(monkeypatch):
    """`register_model` on a copy of the registry, which goes away with the test."""
    list_models()  # the real models must register before the copy is made
    monkeypatch.setattr(registry, "_MODELS", dict(registry._MODELS))
    return register_model


def test_a_registered_class_is_listed_described_and_built(register):
    register(INFO)(Toy)
    assert "toy_small" in list_models()
    assert list_models() == sorted(list_models())
    assert model_info("toy_small") == INFO
    model = create_model("toy_small", max_depth=5.0)
    assert isinstance(model, Toy)
    assert model.max_depth == 5.0
    assert model.info == INFO
    assert not model.training


def test_fresh_weights_are_the_same_every_time_and_leave_the_callers_random_state(register):
    register(INFO)(Toy)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, second = create_model("toy_small"), create_model("toy_small")
    assert torch.equal(first.mix.weight, second.mix.weight)
    assert torch.equal(torch.rand(3), expected)


def test_a_model_that_sets_its_own_info_keeps_it(register):
    exact = ModelInfo("toy_small", "relative_depth", "MIT", "MIT", "the checkpoint", size=(8, 8))

    @register(INFO)
    def build():
        model = Toy()
        model.info = exact
        return model

    assert create_model("toy_small").info == exact


def test_weights_reach_a_factory_that_takes_them_and_only_when_asked_for(register):
    seen = []

    @register(INFO)
    def build(weights="untouched"):
        seen.append(weights)
        return Toy()

    create_model("toy_small")
    create_model("toy_small", weights="default")
    assert seen == ["untouched", "default"]


def test_weights_for_a_model_that_takes_none_are_an_error(register):
    register(INFO)(Toy)
    with pytest.raises(OptionError, match="toy_small has no weights to load"):
        create_model("toy_small", weights="default")


def test_an_unknown_option_is_an_error_that_lists_the_options(register):
    register(INFO)(Toy)
    with pytest.raises(OptionError, match="toy_small has no option 'depth'; its options: max_depth"):
        create_model("toy_small", depth=3.0)


def test_a_name_is_registered_only_once(register):
    register(INFO)(Toy)
    with pytest.raises(ModelError, match="'toy_small' is registered already"):
        register(INFO)(Toy)


@pytest.mark.parametrize("name", ["Toy", "onnx:toy", "toy-small", "7toy", ""])
def test_a_name_that_is_not_lower_snake_case_is_refused(register, name):
    with pytest.raises(ModelError, match="lower snake case"):
        register(ModelInfo(name, "disparity", "MIT", "MIT", "this test"))


@pytest.mark.parametrize("function", [create_model, model_info])
def test_an_unknown_name_is_an_error_that_names_the_nearest_and_the_prefixes(register, function):
    register(INFO)(Toy)
    with pytest.raises(ModelError, match=r"unknown model 'toy_smal'; near it: toy_small.*onnx:PATH"):
        function("toy_smal")


def test_an_unknown_prefix_is_an_unknown_name():
    with pytest.raises(ModelError, match="unknown model 'torchhub:toy'"):
        create_model("torchhub:toy")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"output": "depth"}, "output 'depth' is none of metric_depth"),
        ({"size": None, "size_multiple": None}, "give a size, a size_multiple or both"),
        ({"size_multiple": 0}, "size_multiple 0 is below 1"),
        ({"size_multiple": None, "fit": "minimal"}, "give both a size and a size_multiple"),
    ],
)
def test_an_info_that_means_nothing_is_refused(rule, message):
    with pytest.raises(AvsnetError, match=message):
        ModelInfo(
            **{"name": "toy", "output": "disparity", "size": (4, 6), **rule},
            **dict.fromkeys(("code_licence", "weights_licence", "source"), "none"),
        )


def test_importing_the_registry_does_not_import_torch():
    code = "import sys, avsnet.models.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
