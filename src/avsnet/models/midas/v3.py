"""MiDaS v3.0 and v3.1: ten of the eleven published networks, all with the same decoder, 256 wide.

Ranftl et al., Vision Transformers for Dense Prediction (2021); Birkl et al., MiDaS v3.1 (2023). Of the published ones
dpt_levit_224 alone is left out: its decoder has a layer of its own before the first fusion, which no library has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from avsnet.models.info import ModelInfo
from avsnet.models.load import build
from avsnet.models.midas.decoder import MidasDecoder
from avsnet.models.midas.keys import LAYOUT
from avsnet.models.midas.network import HALF, Midas, with_input_size
from avsnet.models.midas.stages import StagesEncoder
from avsnet.models.midas.vit import BeitEncoder, VitEncoder
from avsnet.models.registry import register_model

DPT = "Ranftl et al., Vision Transformers for Dense Prediction (2021), MiDaS v3.0"
V31 = "Birkl et al., MiDaS v3.1: A Model Zoo for Robust Monocular Relative Depth Estimation (2023)"
WIDTH, HEAD = 256, (128, 32)
BASE, LARGE = (2, 5, 8, 11), (5, 11, 17, 23)
"""Blocks whose tokens become maps, in a network of 12 blocks and in one of 24."""

BEIT_BASE = partial(BeitEncoder, "beit_base_patch16_384", BASE, (96, 192, 384, 768))
BEIT_LARGE = partial(BeitEncoder, "beit_large_patch16_384", LARGE, (256, 512, 1024, 1024))
BEIT_LARGE_512 = partial(BeitEncoder, "beit_large_patch16_512", LARGE, (256, 512, 1024, 1024))
VIT_LARGE = partial(VitEncoder, "vit_large_patch16_384", LARGE, (256, 512, 1024, 1024))
HYBRID = partial(VitEncoder, "vit_base_r50_s16_384", (8, 11), (256, 512, 768, 768))
SWIN2_TINY = partial(StagesEncoder, "swinv2_tiny_window16_256")
SWIN2_BASE = partial(StagesEncoder, "swinv2_base_window12to24_192to384")
SWIN2_LARGE = partial(StagesEncoder, "swinv2_large_window12to24_192to384")
SWIN_LARGE = partial(StagesEncoder, "swin_large_patch4_window12_384")
NEXT_VIT = partial(StagesEncoder, "nextvit_large")


def _register(
    name: str, file: str, parameters: int, encoder: Callable[[], Any], side: int = 384, square: bool = False
) -> ModelInfo:
    """Register one network; `square` ones take one size only, whatever the picture's aspect."""
    release, paper = ("v3", DPT) if "dpt_" in name else ("v3_1", V31)
    info = ModelInfo(
        name,
        output="affine_disparity",
        code_licence="Apache-2.0",
        weights_licence="MIT",
        source=paper,
        size=(side, side),
        size_multiple=None if square else 32,
        parameters=parameters,
        fit="exact" if square else "minimal",
        resample="cubic",
        upsample="cubic",
        published=f"https://github.com/isl-org/MiDaS/releases/download/{release}/{file}",
    )

    def network(input_size: tuple[int, int] | None = None) -> Midas:
        sees = encoder()
        decoder = MidasDecoder(sees.channels, (WIDTH,) * 4, HEAD)
        return Midas(with_input_size(info, input_size), sees, decoder, HALF)

    @register_model(info)
    def create(weights: str | Path | None = None, input_size: tuple[int, int] | None = None) -> Midas:
        return build(network, info, {"input_size": input_size}, weights, LAYOUT)

    return info


INFOS = (
    _register("midas_beit_large_512", "dpt_beit_large_512.pt", 343_987_393, BEIT_LARGE_512, side=512),
    _register("midas_beit_large_384", "dpt_beit_large_384.pt", 343_311_553, BEIT_LARGE),
    _register("midas_beit_base_384", "dpt_beit_base_384.pt", 110_761_153, BEIT_BASE),
    _register("midas_swin2_large_384", "dpt_swin2_large_384.pt", 211_871_797, SWIN2_LARGE, square=True),
    _register("midas_swin2_base_384", "dpt_swin2_base_384.pt", 101_351_865, SWIN2_BASE, square=True),
    _register("midas_swin2_tiny_256", "dpt_swin2_tiny_256.pt", 40_930_795, SWIN2_TINY, side=256, square=True),
    _register("midas_swin_large_384", "dpt_swin_large_384.pt", 211_867_381, SWIN_LARGE, square=True),
    _register("midas_next_vit_large_384", "dpt_next_vit_large_384.pt", 71_233_665, NEXT_VIT),
    _register("midas_dpt_large", "dpt_large_384.pt", 343_028_417, VIT_LARGE),
    _register("midas_dpt_hybrid", "dpt_hybrid_384.pt", 122_376_449, HYBRID),
)
"""What each of these is."""
