import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from avsnet.errors import ModelError
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.protocol import validate
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.trials import System, Trial
from avsnet.metrics import METRICS, depth_metrics
from avsnet.models import ModelInfo, create_model
from avsnet.models.resize import to_image_size
from avsnet.rooms.dataset import Rooms


class Guess(nn.Module):
    """Says of each pixel what the picture's red channel says, at half the size, and counts on eval mode."""

    info = ModelInfo("guess", "metric_depth", "MIT", "MIT", "this test")

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(4.0))
        self.drop = nn.Dropout(0.9)

    def forward(self, batch):
        return {"metric_depth": self.drop(F.avg_pool2d(batch["image"][:, :1], 2) * self.gain)}


class Relative(Guess):
    info = ModelInfo("relative", "disparity", "MIT", "MIT", "this test", upsample="corners")

    def forward(self, batch):
        return {"disparity": 0.1 + super().forward(batch)["metric_depth"]}


def batches(count=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        depth = 1.0 + 3.0 * torch.rand(2, 1, 6, 8, generator=generator)
        depth[0, 0, :2] = 0.0
        if number == 1:
            depth[1] = 0.0
        yield {
            "image": torch.rand(2, 3, 6, 8, generator=generator),
            "depth": depth,
            "valid": depth > 0.0,
            "id": ["a", "b"],
        }


def by_hand(network, scaled, cap):
    """Means over images of the metrics, each image alone; `scaled` makes metres of its map."""
    network.eval()
    alone = []
    for batch in batches():
        with torch.no_grad():
            (given,) = network(batch).values()
        for one, true, valid in zip(given, batch["depth"], batch["valid"] & (batch["depth"] <= cap), strict=True):
            if valid.any():
                pred = scaled(one[0].numpy(), true[0].numpy(), valid[0].numpy())
                alone.append(depth_metrics(pred, true[0].numpy(), valid[0].numpy(), maximum=cap))
    return {name: sum(scores[name] for scores in alone) / len(alone) for name in METRICS}


def test_the_mean_is_that_of_every_image_alone_at_the_size_of_its_truth():
    network = Guess().train()
    mean = validate(network, batches(), cap=3.0)
    assert (mean.count, mean.skipped) == (5, 1)
    assert mean.compute() == pytest.approx(by_hand(network, lambda m, *_: to_image_size(m, (6, 8)), 3.0))


def test_relative_depth_is_evaluated_after_the_true_median_its_disparity_resized_and_then_inverted():
    def scaled(values, true, valid):
        depth = 1.0 / to_image_size(values, (6, 8), "corners")
        return depth * np.median(true[valid]) / np.median(depth[valid])

    network = Relative()
    found = validate(network, batches(), scaling="oracle_median", cap=6.0)
    assert (found.count, found.skipped) == (5, 1)
    assert found.compute() == pytest.approx(by_hand(network, scaled, 6.0), rel=1e-5)


def test_the_mode_of_every_part_is_left_as_it_was():
    network = Guess().train()
    network.drop.eval()
    validate(network, batches(1))
    assert network.training and not network.drop.training


def test_a_network_that_gives_no_metres_is_refused():
    with pytest.raises(ModelError, match=r"relative gives disparity, no metric_depth"):
        validate(Relative(), batches(1))


def test_validation_and_evaluate_give_one_network_the_same_scores(tmp_path):
    """They differed: one resized with corners aligned, the other by the network's own filter."""
    model = create_model("avsnet_lite0_av", weights="default")
    rooms = Rooms("historic", range(70, 73), size=model.info.size)
    cases = Cases(rooms, "rooms", 30.0)
    evaluated = evaluate([Trial(System("avsnet_lite0_av"))], cases, tmp_path).rows
    keys = ("image", "intrinsics", "waveform", "depth", "valid")
    samples = [rooms[place] for place in range(3)]
    batch = {key: torch.stack([sample[key] for sample in samples]) for key in keys} | {"sample_rate": 44_100}
    for place, row in enumerate(sorted(evaluated, key=lambda row: int(row["row"]))):
        one = {key: value[place : place + 1] if torch.is_tensor(value) else value for key, value in batch.items()}
        found = validate(model, [one], cap=30.0).compute()
        assert {name: float(row[name]) for name in METRICS} == pytest.approx(found, rel=1e-5)  # text has six digits
    mean = validate(model, [batch], cap=30.0).compute()
    assert mean == pytest.approx({name: np.mean([float(row[name]) for row in evaluated]) for name in METRICS}, rel=1e-5)


def test_a_batch_needs_no_picture_where_the_network_only_hears():
    model = create_model("batvision_unet_128", ngf=8)
    depth = torch.full((2, 1, 32, 32), 2.0)
    batch = {"echo": torch.rand(2, 2, 128, 128), "depth": depth, "valid": depth > 0.0}
    assert validate(model, [batch], cap=30.0).count == 2
