"""Backbones in four stages as encoders of MiDaS v3.1: Swin, Swin2 and Next-ViT, whose stages' outputs are the maps."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class StagesEncoder(nn.Module):
    """A backbone of timm in four stages, without the final norm and classifier, which are never run.

    Args:
        name: of timm's network: a Swin or Swin2 (Liu et al. 2021, 2022) or a Next-ViT (Li et al. 2022).
        **options: further ones of it.

    Attributes:
        channels: of the maps at strides 4, 8, 16, 32.
    """

    model: Any

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__()
        import timm

        self.model = timm.create_model(name, num_classes=0, **options)
        del self.model.norm, self.model.head
        self.channels = tuple(stage["num_chs"] for stage in self.model.feature_info)
        self.windowed = hasattr(self.model, "layers")

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised -> maps at strides 4, 8, 16, 32."""
        x = self.model.patch_embed(image) if self.windowed else self.model.stem(image)
        maps = []
        for stage in self.model.layers if self.windowed else self.model.stages:
            x = stage(x)
            maps.append(x.permute(0, 3, 1, 2) if self.windowed else x)  # windows work channels last
        return maps
