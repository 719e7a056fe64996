"""Training without any depth: a depth and a pose network that explain a moving camera's pictures by each other.

Source: Godard et al., "Digging into Self-Supervised Monocular Depth Estimation", ICCV 2019; MonoViT and Lite-Mono train
by the same loss and with the same pose network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avsnet.errors import ModelError, OptionError, SampleError
from avsnet.losses import photometric
from avsnet.models.self_supervised.monodepth2 import DisparityNetwork, family_image
from avsnet.models.self_supervised.pose import POSE_FILE, PoseNetwork, pose_matrix
from avsnet.train.config import PhotometricConfig, TrainConfig
from avsnet.train.module import DepthTraining


class SelfSupervised(DepthTraining):
    """A network that learns relative depth from frames before and after its own.

    Args:
        network: of Monodepth2's family.
        config: of the run.
        steps: in all.
        steps_per_epoch: of them.

    Attributes:
        pose: learns the camera's motion beside it.

    Raises:
        ModelError: another network, or no weights of a pose network.
        OptionError: pictures of a size that the network does not take.
    """

    scaling, keeps_last = "oracle_median", True

    def __init__(self, network: nn.Module, config: TrainConfig, steps: int, steps_per_epoch: int) -> None:
        if not isinstance(network, DisparityNetwork):
            raise ModelError(
                f"{config.model.name}: loss photometric trains networks with disparities of several scales, "
                "monodepth2, monovit or lite_mono"
            )
        try:
            family_image({"image": torch.zeros(1, 3, *config.data.size)}, network.info, network.smallest)
        except SampleError:
            raise OptionError(
                f"data.size {config.data.size}: {config.model.name} takes sides that are multiples of "
                f"{network.info.size_multiple} from {network.smallest}, best its input_size {network.info.size}"
            ) from None
        pose = pose_network(config.photometric)
        super().__init__(network, config, steps, steps_per_epoch, {"pose": list(pose.parameters())})
        self.pose = pose.train()

    def batch_loss(self, batch: dict[str, Any]) -> Tensor:
        """The photometric loss: networks see colours that were varied, the loss those that were taken."""
        scales = self.network({"image": batch["seen"]})["raw_scales"]
        # The earlier frame comes first: the motion from it to the target is turned round.
        to_target = self.pose(batch["seen_earlier"], batch["seen"])
        to_later = self.pose(batch["seen"], batch["seen_later"])
        with torch.autocast(self.device.type, enabled=False):
            motions = [
                pose_matrix(turn.float(), move.float(), invert)
                for (turn, move), invert in ((to_target, True), (to_later, False))
            ]
        return photometric(
            scales,
            batch["image"],
            [batch["earlier"], batch["later"]],
            motions,
            batch["intrinsics"],
            depth_range=self.network.depth_range,
            weight=self.config.photometric.smoothness,
            auto_mask=self.config.photometric.auto_mask,
        )

    def save(self, folder: Path) -> None:
        """Write the depth network's weights, and those of the pose network beside them."""
        from safetensors.torch import save_model

        super().save(folder)
        save_model(self.pose, str(folder / POSE_FILE))


def pose_network(config: PhotometricConfig) -> PoseNetwork:
    """A pose network, fresh and the same on every call, or from what the config names.

    Raises:
        OptionError: both weights and ImageNet's are given.
        ModelError: a file that is missing or no such weights.
    """
    if config.pose_weights is not None and config.pose_imagenet is not None:
        raise OptionError("photometric: give pose_weights or pose_imagenet, not both")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = PoseNetwork()
    for name, load in (("pose_weights", network.load), ("pose_imagenet", network.load_imagenet)):
        path = getattr(config, name)
        if path is None:
            continue
        try:
            load(path)
        except ModelError as error:
            hint = "or null in the YAML file for a start from nothing"
            raise ModelError(f"photometric.{name}: {error}, {hint}") from None
    return network
