"""The YAML files that come with the package."""

from dataclasses import asdict
from pathlib import Path

import pytest

from avsnet.models import create_model
from avsnet.train.config_file import read_config
from places import ROOT

CONFIGS = ROOT / "configs"
NAMES = sorted(path.name for path in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_config_is_read(name):
    config = read_config(CONFIGS / name)
    assert config.out == f"runs/{Path(name).stem}"
    assert config.data.train and config.data.val


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("avsnet", "avsnet_beit_large_384"),
        ("avsnet_tiny", "avsnet_tiny"),
        ("twin", "avsnet_tiny"),
    ],
)
def test_what_sees_only_is_trained_as_what_hears_too_but_for_the_network(name, network):
    hears, sees = (asdict(read_config(CONFIGS / f"{name}_{kind}.yaml")) for kind in ("av", "v"))
    for config, kind in ((hears, "av"), (sees, "v")):
        assert config.pop("out") == f"runs/{name}_{kind}"
        assert config["model"].pop("name") == f"{network}_{kind}"
        # Each goes on from its own kind.
        config["model"]["weights"] = (config["model"]["weights"] or "").replace(f"twin_{kind}/", "twin/")
    assert hears == sees


def test_the_packaged_pair_starts_from_pictures_alone():
    pictures, sees = (read_config(CONFIGS / f"avsnet_lite0_{name}.yaml") for name in ("pictures", "v"))
    assert pictures.model.name == sees.model.name and pictures.model.options["imagenet"] == "installed"
    assert sees.model.weights == f"{pictures.out}/model" and not sees.data.hears


@pytest.mark.parametrize("name", ["avsnet", "twin"])
def test_a_network_that_hears_on_lite0_is_the_one_that_sees_with_ears(name):
    sees, hears = (read_config(CONFIGS / f"{name}_lite0_{kind}.yaml") for kind in ("v", "av"))
    assert (sees.model.name, hears.model.name) == ("avsnet_lite0_v", "avsnet_lite0_av")
    assert hears.model.weights == f"{sees.out}/model" and hears.data.hears
    # All that sees stays as it is: whatever the one has over the other is the echo's.
    assert hears.model.frozen == ["midas.", "metric_bins."] and hears.model.options["fuse_into"] == "scale"
    assert all(hears.model.options[name] == sees.model.options[name] for name in ("input_size", "n_bins"))


@pytest.mark.parametrize("name", ["twin_av", "twin_lite0_av"])
def test_the_control_differs_from_its_network_in_nothing_but_whose_echo_is_heard(name):
    network, control = (asdict(read_config(CONFIGS / f"{name}{tag}.yaml")) for tag in ("", "_shuffled"))
    network["out"] = control["out"]
    network["data"]["shuffle_echoes"] = True
    assert network == control


def test_published_recipes_are_kept():
    zoe, bitd, unet = (read_config(CONFIGS / f"{name}.yaml") for name in ("avsnet_av", "bitd", "batvision_unet"))
    rates = zoe.optimiser
    assert (zoe.loss, zoe.epochs, zoe.data.batch_size, zoe.seed, zoe.validate_every) == ("silog", 5, 16, 43, 0.25)
    assert (rates.lr, rates.weight_decay, rates.clip) == (1.61e-4, 0.01, 0.1)
    assert (rates.pct_start, rates.div_factor, rates.final_div_factor) == (0.7, 1.0, 1e4)
    assert rates.divisors == {"encoder": 10.0, "relative_position": 10.0}
    assert (bitd.loss, bitd.optimiser.name, bitd.optimiser.lr, bitd.optimiser.weight_decay) == (
        "log_l1",
        "adam",
        1e-4,
        5e-4,
    )
    assert (bitd.data.batch_size, bitd.epochs, bitd.data.flip) == (64, 300, 0.0)
    assert (unet.loss, unet.optimiser.lr, unet.data.batch_size, unet.epochs) == ("l1", 1e-3, 128, 80)


def test_recipes_without_depth_are_those_of_each_system_on_triplets_of_v1():
    mono, vit, lite = (read_config(CONFIGS / f"{name}.yaml") for name in ("monodepth2", "monovit", "lite_mono"))
    for config in (mono, vit, lite):
        data = config.data
        assert (config.loss, data.interval, data.batch_size) == ("photometric", 20, 12)
        assert config.photometric.smoothness == 1e-3
        assert data.train == data.val == ["batvision_v1:data/BatvisionV1"]
        assert data.size[1] * 9 == data.size[0] * 16 and (data.flip, data.jitter) == (0.5, 0.5)
    rates = mono.optimiser
    assert (mono.epochs, rates.name, rates.lr, rates.weight_decay) == (20, "adam", 1e-4, 0.0)
    assert (rates.schedule, rates.period, rates.gamma, rates.divisors) == ("step", 15, 0.1, {})
    rates = vit.optimiser
    assert (vit.epochs, rates.name, rates.lr, rates.weight_decay) == (20, "adamw", 1e-4, 0.01)
    assert (rates.schedule, rates.gamma, rates.divisors) == ("exponential", 0.9, {"encoder": 2.0})
    rates = lite.optimiser
    assert (lite.epochs, rates.name, rates.lr, rates.weight_decay) == (30, "adamw", 1e-4, 0.01)
    assert (rates.schedule, rates.period, rates.gamma) == ("cosine", 31, 0.9)
    assert rates.minima == {"encoder": 5e-6, "decoder": 5e-6, "pose": 1e-5}


@pytest.mark.parametrize("name", [name for name in NAMES if read_config(CONFIGS / name).loss == "photometric"])
def test_a_network_that_learns_without_depth_is_saved_with_the_size_that_it_saw(name):
    config = read_config(CONFIGS / name)
    options = {key: value for key, value in config.model.options.items() if key != "imagenet"}
    assert create_model(config.model.name, **options).info.size == config.data.size


def test_the_twins_without_depth_differ_in_network_rates_and_length_alone():
    twins = [asdict(read_config(CONFIGS / f"twin_{name}.yaml")) for name in ("monodepth2", "monovit", "lite_mono")]
    for config in twins:
        for name in ("out", "model", "optimiser", "steps", "validate_every"):
            config.pop(name)
    assert twins[0] == twins[1] == twins[2]
