"""How the camera moved between two pictures, learned together with depth: the pose network of Monodepth2's family.

Source: Godard et al., ICCV 2019. Training needs it; depth does not.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from avsnet.models.load import Layout, read_checkpoint
from avsnet.models.self_supervised.monodepth2 import CLASSIFIER, ResNet18, channels_last
from avsnet.models.self_supervised.start import PROFILER
from avsnet.weights import load_strictly

LAYOUT = Layout(unused=(CLASSIFIER, PROFILER), parts={"encoder": "pose_encoder.pth", "decoder": "pose.pth"})
"""A published folder of a training run, or one file with both parts."""

POSE_FILE = "pose.safetensors"
"""The whole network, in the `model` folder of a run of ours."""


class PoseNetwork(nn.Module):
    """A ResNet-18 that sees both pictures, and four convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ResNet18(pictures=2)
        self.decoder = PoseDecoder()
        channels_last(self)

    def forward(self, earlier: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
        """The motion from the first picture to the second, up to the unit of depth.

        For a source picture later than the target give (target, source); for one that is earlier (source, target) and
        invert what comes out, see `pose_matrix`.

        Args:
            earlier: (B, 3, H, W) float, 0..1 RGB.
            later: likewise.

        Returns:
            Axis times angle (B, 3), radians, and translation (B, 3), in the unit of the family's depth.
        """
        return self.motions(earlier, later)[:, 0].split(3, -1)

    def motions(self, earlier: Tensor, later: Tensor) -> Tensor:
        """(B, 2, 6): two motions, as published; of a pair the first alone is used."""
        return self.decoder(self.encoder(torch.cat([earlier, later], 1))[-1])

    def load_imagenet(self, path: str | Path) -> None:
        """Start from a ResNet-18 that was trained on ImageNet."""
        self.encoder.load_imagenet(path)

    def load(self, path: str | Path) -> None:
        """Take the weights of a run's `model` folder, of one with `pose_encoder.pth` and `pose.pth`, or of one file.

        Raises:
            ModelError: not the weights of a pose network; names what is missing.
        """
        ours = Path(path) / POSE_FILE
        state = read_checkpoint(ours if ours.is_file() else path, LAYOUT).state
        load_strictly(self, state, path, unused=LAYOUT.unused)


class PoseDecoder(nn.Module):
    """From the last feature map to two motions."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(512, 256, 1), *(nn.Conv2d(256, 256, 3, padding=1) for _ in range(2)), nn.Conv2d(256, 12, 1)]
        self.net = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 512, h, w) -> (B, 2, 6)."""
        for layer in self.net[:-1]:
            x = layer(x).relu()
        # Small at first, so that training starts near no motion.
        return 0.01 * self.net[-1](x).float().mean((2, 3)).reshape(-1, 2, 6)


def pose_matrix(axis_angle: Tensor, translation: Tensor, invert: bool = False) -> Tensor:
    """A motion as a matrix, by Rodrigues' formula: turn, then move.

    Args:
        axis_angle: (B, 3) axis times angle, radians.
        translation: (B, 3) any unit.
        invert: the motion backwards: move by the negative, then turn back.

    Returns:
        (B, 4, 4), to be multiplied by points from the left.

    >>> quarter = pose_matrix(torch.tensor([[0.0, 0.0, torch.pi / 2]]), torch.tensor([[1.0, 0.0, 0.0]]))
    >>> (quarter @ torch.tensor([1.0, 0.0, 0.0, 1.0])).round(decimals=3)
    tensor([[1., 1., 0., 1.]])
    """
    angle = axis_angle.norm(dim=-1, keepdim=True)[..., None]
    x, y, z = (axis_angle / (angle[..., 0] + 1e-7)).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    axis = torch.stack([x, y, z], -1)
    outer = axis[:, :, None] * axis[:, None, :]
    identity = torch.eye(3, dtype=axis.dtype, device=axis.device)
    rotation = angle.cos() * identity + angle.sin() * cross + (1.0 - angle.cos()) * outer
    move = translation[:, :, None]
    if invert:
        rotation = rotation.transpose(1, 2)
        move = rotation @ -move
    last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=axis.dtype, device=axis.device).expand(len(axis), 1, 4)
    return torch.cat([torch.cat([rotation, move], 2), last], 1)
