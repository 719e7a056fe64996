"""ZoeDepth: metres from one picture, by MiDaS and a head of metric bins (Bhat et al. 2023).

N was trained indoors, K on streets, NK on both with a head for each and a router between them. The published rule pads
the picture by reflection and averages with the mirrored picture's map; what the network sees and gives is the same as
upstream's to 5e-6 m.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.load import Layout, build
from avsnet.models.metric_bins.head import MetricBins
from avsnet.models.metric_bins.log_binomial import CONSTANTS
from avsnet.models.metric_bins.routing import RoutedMetricBins
from avsnet.models.metric_bins.settings import ZOEDEPTH_K, ZOEDEPTH_N, ZOEDEPTH_NK, BinSettings
from avsnet.models.midas.keys import UNUSED, from_published
from avsnet.models.midas.network import Midas, with_input_size
from avsnet.models.registry import create_model, register_model
from avsnet.models.resize import checked_image

ENCODER = "midas_beit_large_384"
INDOORS, STREETS = (1e-3, 10.0), (1e-3, 80.0)
"""Metres. The configuration published with K says 10 as well, but its weights were trained with 80."""

_CORE = "core.core."  # of the published names


def _info(variant: str, size: tuple[int, int], parameters: int) -> ModelInfo:
    return ModelInfo(
        f"zoedepth_{variant.lower()}",
        output="metric_depth",
        code_licence="Apache-2.0",
        weights_licence="MIT",
        source="Bhat et al., ZoeDepth: Zero-shot Transfer by Combining Relative and Metric Depth (2023)",
        size=size,
        size_multiple=32,
        parameters=parameters,
        fit="minimal",
        resample="corners",
        upsample="cubic",
        flip="mean",
        pad=True,
        published=f"https://github.com/isl-org/ZoeDepth/releases/download/v1.0/ZoeD_M12_{variant}.pt",
    )


N = _info("N", (384, 512), 343_789_698)
K = _info("K", (384, 768), 343_793_439)
NK = _info("NK", (384, 512), 345_073_307)


class ZoeDepth(DepthModel):
    """MiDaS and a head of metric bins.

    Args:
        info: what the network is.
        midas: the relative network.
        metric_bins: the head, of widths that fit `midas.channels`.
    """

    def __init__(self, info: ModelInfo, midas: Midas, metric_bins: MetricBins | RoutedMetricBins) -> None:
        super().__init__()
        self.info, self.midas, self.metric_bins = info, midas, metric_bins

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One pass; nothing is resized, padded or mirrored.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised, of a size that is legal by `info`.

        Returns:
            `metric_depth` (B, 1, H, W) metres; beside it `affine_disparity` (B, 1, H, W), 1 / depth up to scale and
            shift, as MiDaS sees it; the bins' `bin_centers` and `seed_centers` in metres; of the routed head also
            `domain_logits` (B, 2), indoors and streets.

        Raises:
            SampleError: no image, or one of another shape, size or type, or with NaN in it.
        """
        features = self.midas.features(checked_image(batch, self.info))
        metres = self.metric_bins(features.bottleneck, features.blocks, features.out_conv, features.disparity)
        return {"affine_disparity": features.disparity, **metres}


@register_model(N)
def zoedepth_n(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> ZoeDepth:
    """ZoeDepth for rooms."""
    return build(partial(_one_head, N, ZOEDEPTH_N, INDOORS), N, {"input_size": input_size}, weights, LAYOUT)


@register_model(K)
def zoedepth_k(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> ZoeDepth:
    """ZoeDepth for streets, to its true 80 m."""
    return build(partial(_one_head, K, ZOEDEPTH_K, STREETS), K, {"input_size": input_size}, weights, LAYOUT)


@register_model(NK)
def zoedepth_nk(
    weights: str | Path | None = None, input_size: tuple[int, int] | None = None, route_batches: bool = False
) -> ZoeDepth:
    """ZoeDepth for both; each picture is routed by itself, or with `route_batches` a whole batch, as upstream does."""
    options = {"input_size": input_size, "route_batches": route_batches}
    return build(_two_heads, NK, options, weights, LAYOUT)


def _one_head(
    info: ModelInfo, bins: BinSettings, depths: tuple[float, float], input_size: tuple[int, int] | None = None
) -> ZoeDepth:
    midas = _midas()
    head = MetricBins(midas.channels.bottleneck, midas.channels.blocks, midas.channels.out_conv, bins, depths)
    return ZoeDepth(with_input_size(info, input_size), midas, head)


def _two_heads(input_size: tuple[int, int] | None = None, route_batches: bool = False) -> ZoeDepth:
    midas = _midas()
    head = RoutedMetricBins(
        midas.channels.bottleneck,
        midas.channels.blocks,
        midas.channels.out_conv,
        replace(ZOEDEPTH_NK, published=route_batches),
        {"nyu": INDOORS, "kitti": STREETS},
    )
    return ZoeDepth(with_input_size(NK, input_size), midas, head)


def _midas() -> Midas:
    midas = create_model(ENCODER)
    assert isinstance(midas, Midas)
    return midas


def _own_keys(state: dict[str, Tensor], network: nn.Module, path: Path) -> dict[str, Tensor]:
    """The published entries under our keys; our own stay as they are."""
    if not any(key.startswith(_CORE) for key in state):
        return state
    assert isinstance(network, ZoeDepth)
    core = {key.removeprefix(_CORE): value for key, value in state.items() if key.startswith(_CORE)}
    head = {f"metric_bins.{key}": value for key, value in state.items() if not key.startswith(_CORE)}
    core = from_published(core, network.midas.state_dict())
    return head | {f"midas.{key}": value for key, value in core.items()}


LAYOUT = Layout(_own_keys, (*CONSTANTS, *(rf"midas\.{pattern}" for pattern in UNUSED)))
"""Of the published files, each of which is a whole network."""
