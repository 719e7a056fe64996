"""What the ear learns from, and that it learns."""

import csv

import numpy as np
import pytest
import torch
from lightning import Callback
from PIL import Image

from avsnet.errors import DataError, OptionError, TrainingError
from avsnet.scale.ear_network import LOG_MEDIANS, EarNetwork
from avsnet.train.config_file import read_config
from avsnet.train.ear import calibrate, narrow
from avsnet.train.ear_data import origins, rarity
from avsnet.train.ear_distortion import DepthMap, cropped, distorted
from avsnet.train.ear_pairs import nyu_training
from avsnet.train.run import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny run from rooms and one real picture, and its folder."""
    root = tmp_path_factory.mktemp("ear")
    pictures = root / "nyu"
    for name in ("images", "depth"):
        (pictures / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    depth = 60 + 20 * np.linspace(0.0, 1.0, 304)[None] + np.zeros((228, 1))
    Image.fromarray(depth.astype(np.uint8)).save(pictures / "depth" / "0007.png")
    Image.fromarray(rng.integers(0, 256, (228, 304, 3), np.uint8)).save(pictures / "images" / "0007.jpg")
    (pictures / "split.csv").write_text("index,split,scene_type\n0006,test,kitchen\n0007,train,\n")
    (root / "ear.yaml").write_text(
        f"""
out: {root / "run"}
loss: ear
steps: 4
save_every: 2
log_every: 1
accelerator: cpu
model: {{name: ear}}
data:
  train: ["rooms:offices:0-3", "rooms:historic:7-7", "nyu:{pictures}"]
  val: ["rooms:offices:80000-80001"]
  batch_size: 8
  workers: 1
  cache: {root / "cache"}
"""
    )
    train(read_config(root / "ear.yaml"), command="avsnet train ear.yaml")
    return root


def wall(height=24, width=32):
    truth = np.broadcast_to(np.linspace(1.0, 3.0, width), (height, width)).copy()
    return DepthMap(truth, truth, np.array([[30.0, 0.0, 15.5], [0.0, 30.0, 11.5], [0.0, 0.0, 1.0]]))


def test_a_run_writes_weights_that_are_read_back_with_their_card(folder):
    model = folder / "run" / "model"
    EarNetwork.load(model)
    card = (model / "MODEL_CARD.md").read_text()
    assert "avsnet train ear.yaml" in card and "NYU Depth V2" in card and str(folder / "nyu") not in card
    assert (model / "model.safetensors").stat().st_size < 500_000
    with (folder / "run" / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


class Killed(BaseException):
    """What no code may catch."""


class Kill(Callback):
    """Ends the run after its third step."""

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 3:
            raise Killed


def test_a_run_that_is_killed_goes_on_to_the_same_weights(folder):
    flags = ["--out", str(folder / "again")]
    with pytest.raises(Killed):
        train(read_config(folder / "ear.yaml", flags), callbacks=[Kill()])
    with pytest.raises(TrainingError, match="was begun with seed 0, not 9"):
        train(read_config(folder / "ear.yaml", [*flags, "--resume", "--seed", "9"]))
    again = EarNetwork.load(train(read_config(folder / "ear.yaml", [*flags, "--resume"])))
    for name, value in EarNetwork.load(folder / "run" / "model").state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_sources_are_rooms_and_real_pictures_of_the_training_split(folder):
    assert [one.number for one in origins("rooms:offices:3-5")] == [3, 4, 5]
    assert nyu_training(folder / "nyu") == [7]
    with pytest.raises(OptionError, match="the ear learns from"):
        origins("folder:somewhere")
    with pytest.raises(DataError, match=r"split\.csv"):
        origins(f"nyu:{folder}")


def test_the_best_factor_has_the_least_mean_relative_error():
    rng = np.random.default_rng(1)
    truth = rng.uniform(1.0, 8.0, (20, 30))
    found = DepthMap(truth * np.exp(rng.normal(-1.0, 0.4, truth.shape)), truth, np.eye(3))
    median, factor = found.scales()
    assert median == pytest.approx(np.median(truth) / np.median(found.depth))
    tried = np.exp(np.linspace(-0.5, 2.0, 2001))
    errors = [np.abs(k * found.depth / truth - 1.0).mean() for k in tried]
    assert np.log(factor) == pytest.approx(np.log(tried[np.argmin(errors)]), abs=0.01)


def test_a_crop_keeps_every_ray():
    found = cropped(wall(), np.random.default_rng(0), least=0.5)
    assert found.depth.shape < (24, 32)
    value = found.depth[0, 0]
    column = int(np.argmin(np.abs(wall().depth[0] - value)))
    before, after = (column - wall().intrinsics[0, 2]), (0 - found.intrinsics[0, 2])
    assert before == pytest.approx(after)


def test_distortion_bends_maps_as_much_as_real_models_do_and_leaves_truth_alone():
    errors = []
    for seed in range(60):
        found = distorted(wall(), np.random.default_rng(seed))
        assert np.array_equal(found.truth, wall().truth)
        known = found.depth > 0.0
        ratio = np.log(found.depth[known] / found.truth[known])
        errors.append(np.std(ratio))
    assert np.mean(np.array(errors) < 1e-6) == pytest.approx(0.25, abs=0.2)
    assert 0.05 < np.median(errors) < 0.3 < np.max(errors)


def test_calibration_finds_how_sharp_a_likelihood_must_be():
    """Truths drawn from normal distributions that a network states too sharply."""

    class Sharp(EarNetwork):
        def heard(self, channels, rig):
            return channels

        def seen(self, channels):
            return channels

        def log_likelihood(self, heard, seen):
            grid = torch.as_tensor(LOG_MEDIANS, dtype=torch.float32)
            return -0.5 * ((grid - heard) / 0.2) ** 2 / 0.7  # 1 / 0.7 times too sharp

        def log_prior(self, numbers):
            return torch.zeros(len(numbers), len(LOG_MEDIANS))

    middle = torch.linspace(0.0, 2.0, 4000)[:, None]
    target = middle[:, 0] + 0.2 * torch.randn(4000, generator=torch.Generator().manual_seed(0))
    batch = {"echo": middle, "rig": middle, "map": middle, "numbers": middle, "target": target}
    network = Sharp()
    network.matched.fill_(0.999999)
    scores = calibrate(network, [batch])
    assert float(network.sharpness) == pytest.approx(0.7, abs=0.051)
    assert scores["coverage"] == pytest.approx(0.9, abs=0.02)


def test_rare_depths_count_more_but_not_without_end():
    targets = np.array([0.1] * 100 + [1.1] * 50 + [2.1, np.nan])
    weights = rarity(targets)
    assert weights[:-1].mean() == pytest.approx(1.0) and weights[-1] == 0.0
    assert weights[120] / weights[0] == pytest.approx(2.0**0.5)
    assert weights[150] / weights[0] == pytest.approx(3.0)


def test_the_narrow_target_is_a_distribution_round_the_truth():
    found = narrow(torch.tensor([0.3, 1.0]))
    assert torch.allclose(found.sum(-1), torch.ones(2))
    assert LOG_MEDIANS[found.argmax(-1)] == pytest.approx([0.3, 1.0], abs=0.008)
