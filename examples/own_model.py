"""A depth model of your own next to all others, by `python examples/own_model.py --half-real ROOT --out scores`."""

import sys

import torch

from avsnet import cli
from avsnet.models import ModelInfo, register_model


@register_model(ModelInfo("my_model", "relative_depth", "MIT", "MIT", "here", size=(192, 256)))
class MyModel(torch.nn.Module):
    """Says of every picture that what is lower is nearer."""

    def __init__(self, weights=None):
        super().__init__()  # read your network here, such as torch.hub.load(...)

    def forward(self, batch):
        """From `image`, (B, 3, 192, 256) RGB within 0..1, to depth in any unit."""
        height = torch.linspace(2.0, 1.0, 192)[:, None].expand(192, 256)
        return {"relative_depth": height.expand(len(batch["image"]), 1, -1, -1)}


if __name__ == "__main__":
    sys.exit(cli.main(["evaluate", "--systems", "my_model", *sys.argv[1:]]))
