"""ZoeDepth: metres from one picture, by MiDaS and a head of metric bins (Bhat et al. 2023).

N was trained indoors, K on streets, NK on both with a head for each and a router between them. The published rule pads
the picture by reflection and averages with the mirrored picture's map; what the network sees and gives is the same as
upstream's to 5e-6 m.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from avsnet.models.metric_bins.head import MetricBins
from avsnet.models.metric_bins.log_binomial import CONSTANTS
from avsnet.models.metric_bins.routing import RoutedMetricBins
from avsnet.models.metric_bins.settings import ZOEDEPTH_K, ZOEDEPTH_N, ZOEDEPTH_NK
from avsnet.models.midas.keys import UNUSED, from_published, weights_file
from avsnet.models.midas.network import Midas, with_input_size
from avsnet.models.registry import ModelInfo, create_model, register_model
from avsnet.models.resize import checked_image
from avsnet.weights import load_strictly, read_state_dict

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


class ZoeDepth(nn.Module):
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
    midas = _midas()
    head = MetricBins(midas.channels.bottleneck, midas.channels.blocks, midas.channels.out_conv, ZOEDEPTH_N, INDOORS)
    return _loaded(ZoeDepth(with_input_size(N, input_size), midas, head), weights)


@register_model(K)
def zoedepth_k(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> ZoeDepth:
    """ZoeDepth for streets, to its true 80 m."""
    midas = _midas()
    head = MetricBins(midas.channels.bottleneck, midas.channels.blocks, midas.channels.out_conv, ZOEDEPTH_K, STREETS)
    return _loaded(ZoeDepth(with_input_size(K, input_size), midas, head), weights)


@register_model(NK)
def zoedepth_nk(
    weights: str | Path | None = None, input_size: tuple[int, int] | None = None, route_batches: bool = False
) -> ZoeDepth:
    """ZoeDepth for both; each picture is routed by itself, or with `route_batches` a whole batch, as upstream does."""
    midas = _midas()
    head = RoutedMetricBins(
        midas.channels.bottleneck,
        midas.channels.blocks,
        midas.channels.out_conv,
        replace(ZOEDEPTH_NK, published=route_batches),
        {"nyu": INDOORS, "kitti": STREETS},
    )
    return _loaded(ZoeDepth(with_input_size(NK, input_size), midas, head), weights)


def _midas() -> Midas:
    midas = create_model(ENCODER)
    assert isinstance(midas, Midas)
    return midas


def _loaded(model: ZoeDepth, weights: str | Path | None) -> ZoeDepth:
    """Load a published file or our own, strictly."""
    if weights is None:
        return model
    path = weights_file(model.info, weights)
    state = read_state_dict(path)
    if any(key.startswith(_CORE) for key in state):
        core = {key.removeprefix(_CORE): value for key, value in state.items() if key.startswith(_CORE)}
        head = {f"metric_bins.{key}": value for key, value in state.items() if not key.startswith(_CORE)}
        core = from_published(core, model.midas.state_dict())
        state = head | {f"midas.{key}": value for key, value in core.items()}
    load_strictly(model, state, path, unused=(*CONSTANTS, *(rf"midas\.{pattern}" for pattern in UNUSED)))
    return model
