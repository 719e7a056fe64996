import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from avsnet.errors import ModelError
from avsnet.metrics import depth_metrics
from avsnet.train.evaluation import at_size, evaluate


class Guess(nn.Module):
    """Says of each pixel what the picture's red channel says, at half the size, and counts on eval mode."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(4.0))
        self.drop = nn.Dropout(0.9)

    def forward(self, batch):
        return {"metric_depth": self.drop(F.avg_pool2d(batch["image"][:, :1], 2) * self.gain)}


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


def test_the_mean_is_that_of_every_image_judged_alone_at_the_size_of_its_target():
    network = Guess().train()
    mean = evaluate(network, batches(), cap=3.0)
    assert (mean.count, mean.skipped) == (5, 1)
    network.eval()
    alone = []
    with torch.no_grad():
        for batch in batches():
            pred = F.interpolate(network(batch)["metric_depth"], (6, 8), mode="bilinear", align_corners=True)
            alone += [
                depth_metrics(one, depth, valid, maximum=3.0)
                for one, depth, valid in zip(pred, batch["depth"], batch["valid"], strict=True)
                if valid.any()
            ]
    expected = {name: sum(scores[name] for scores in alone) / 5 for name in alone[0]}
    assert mean.compute() == pytest.approx(expected)


def test_the_mode_of_every_part_is_left_as_it_was():
    network = Guess().train()
    network.drop.eval()
    evaluate(network, batches(1))
    assert network.training and not network.drop.training


def test_a_network_that_gives_no_metres_is_refused():
    class Relative(nn.Module):
        def forward(self, batch):
            return {"disparity": batch["image"][:, :1]}

    with pytest.raises(ModelError, match=r"Relative gives disparity, no metric_depth"):
        evaluate(Relative(), batches(1))
    with pytest.raises(ModelError, match=r"Guess gives metric_depth, no disparity; .* after oracle_median"):
        evaluate(Guess(), batches(1), scaling="oracle_median")


def test_relative_depth_is_judged_after_the_true_median_its_disparity_resized_and_then_inverted():
    class Relative(Guess):
        def forward(self, batch):
            return {"disparity": 0.1 + super().forward(batch)["metric_depth"]}

    network = Relative()
    found = evaluate(network, batches(), scaling="oracle_median", cap=6.0)
    assert (found.count, found.skipped) == (5, 1)
    network.eval()
    alone = []
    for batch in batches():
        with torch.no_grad():
            given = network(batch)["disparity"]
        depth = 1.0 / F.interpolate(given, (6, 8), mode="bilinear", align_corners=True)
        for one, true, valid in zip(depth, batch["depth"], batch["valid"], strict=True):
            if valid.any():
                factor = np.median(true[valid].numpy()) / np.median(one[valid].numpy())
                alone.append(depth_metrics(factor * one, true, valid, maximum=6.0))
    expected = {name: sum(scores[name] for scores in alone) / 5 for name in alone[0]}
    assert found.compute() == pytest.approx(expected, rel=1e-5)


def test_only_the_width_or_only_the_height_may_differ():
    values = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    torch.testing.assert_close(at_size(values, (2, 3)), torch.tensor([[[[0.0, 0.5, 1.0], [2.0, 2.5, 3.0]]]]))
    torch.testing.assert_close(at_size(values, (3, 2)), torch.tensor([[[[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]]]))
    assert at_size(values, (2, 2)) is values
