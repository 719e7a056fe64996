"""The metric-bins head of several domains, such as indoors and outdoors, with a router that chooses for each picture.

Source: ZoeDepth (Bhat et al. 2023), ZoeDepth-NK.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avsnet.models.metric_bins.centers import attractor_layers, seed_regressor
from avsnet.models.metric_bins.head import DomainParts, finest_features, metres
from avsnet.models.metric_bins.layers import PixelMLP, project
from avsnet.models.metric_bins.log_binomial import ConditionalLogBinomial
from avsnet.models.metric_bins.settings import BinSettings, check_head
from avsnet.models.sinusoids import sinusoids


class RoutedMetricBins(nn.Module):
    """The head of several domains, of which each picture gets the one that a router chooses (ZoeDepth-NK).

    Args:
        bottleneck: channels of the bottleneck.
        blocks: channels of the decoder's levels, coarse to fine.
        out_conv: channels of the finest features.
        settings: how it is built; `published` routes a whole batch by the sum of its logits.
        depth_ranges: metres, by the name of the domain.

    Raises:
        OptionError: as `MetricBins`.
    """

    def __init__(
        self,
        bottleneck: int,
        blocks: Sequence[int],
        out_conv: int,
        settings: BinSettings,
        depth_ranges: dict[str, tuple[float, float]],
    ) -> None:
        super().__init__()
        for depth_range in depth_ranges.values():
            check_head(blocks, settings, depth_range)
        self.settings, self.depth_ranges = settings, dict(depth_ranges)
        width, e = settings.projector_width, settings.embedding
        self.conv2 = nn.Conv2d(bottleneck, bottleneck, 1)
        self.patch_transformer = PatchTransformer(bottleneck)
        self.mlp_classifier = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, len(depth_ranges)))
        self.seed_bin_regressors = nn.ModuleDict({name: seed_regressor(bottleneck, settings) for name in depth_ranges})
        self.seed_projector = PixelMLP(bottleneck, width, e)
        self.projectors = nn.ModuleList(PixelMLP(channels, width, e) for channels in blocks)
        self.attractors = nn.ModuleDict({name: attractor_layers(settings) for name in depth_ranges})
        self.conditional_log_binomial = nn.ModuleDict(
            {name: ConditionalLogBinomial(out_conv, settings) for name in depth_ranges}
        )

    def forward(
        self, bottleneck: Tensor, blocks: Sequence[Tensor], out_conv: Tensor, disparity: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As `MetricBins.forward`, and beside its outputs `domain_logits` (B, domains)."""
        x = self.conv2(bottleneck)
        logits = self.mlp_classifier(self.patch_transformer(x))
        chosen = (logits.sum(0, keepdim=True) if self.settings.published else logits).argmax(1).expand(len(x))
        embeddings = [self.seed_projector(x), *project(self.projectors, blocks)]
        last = finest_features(out_conv, disparity, self.settings)
        outputs: dict[str, Tensor] = {}
        for index, (name, depth_range) in enumerate(self.depth_ranges.items()):
            rows = (chosen == index).nonzero()[:, 0]
            if not len(rows):
                continue
            parts = DomainParts(
                self.seed_bin_regressors[name],
                self.attractors[name],  # type: ignore[arg-type]
                self.conditional_log_binomial[name],
                self.settings,
                depth_range,
            )
            for key, values in metres(parts, x[rows], [e[rows] for e in embeddings], last[rows]).items():
                empty = outputs.get(key, values.new_zeros((len(x), *values.shape[1:])))
                outputs[key] = empty.index_copy(0, rows, values)
        return outputs | {"domain_logits": logits}


class PatchTransformer(nn.Module):
    """The router's view of a picture: a transformer over the bottleneck's positions and one empty token before them."""

    def __init__(self, inputs: int, width: int = 128, heads: int = 4, feedforward: int = 1024, layers: int = 4) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, heads, feedforward, dropout=0.1, activation="relu", batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.embedding_convPxP = nn.Conv2d(inputs, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, width), what the empty token gathered."""
        tokens = F.pad(self.embedding_convPxP(x).flatten(2).transpose(1, 2), (0, 0, 1, 0))
        position = torch.arange(tokens.shape[1], device=x.device, dtype=tokens.dtype)
        return self.transformer_encoder(tokens + sinusoids(position, tokens.shape[2]))[:, 0]
