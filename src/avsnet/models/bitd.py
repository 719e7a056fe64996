"""BITD, "Beyond Image to Depth": a depth from the picture and one from the echo, mixed pixel by pixel.

Source: Parida, Srivastava, Sharma, "Beyond Image to Depth: Improving Depth Prediction using Echoes", CVPR 2021. Four
networks; their published files keep their names here. The two bilinear maps of the attention are contracted with the
echo first, which gives the same numbers without tiling the echo over the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.network_input import AudioSettings
from avsnet.errors import OptionError
from avsnet.models.avsnet.fusion import bilinear
from avsnet.models.batvision_unet import initialise
from avsnet.models.contract import DepthModel
from avsnet.models.echo_input import echo_shape, needed_echo, original_audio
from avsnet.models.info import ModelInfo
from avsnet.models.load import Layout, build
from avsnet.models.registry import register_model
from avsnet.models.resize import checked_image
from avsnet.models.settings import settings_by_name

VARIANTS: dict[str, tuple[dict[str, Any], float]] = {
    "replica": (original_audio("replica60ms", SAMPLE_RATE), 14.104),
    "mp3d": (original_audio("matterport60ms", 16_000), 10.0),
}
"""Data set of the published files -> its `AudioSettings` by name and largest depth (metres)."""

FILES = {
    "image_network": "rgbdepth",
    "echo_encoder": "audiodepth",
    "material_network": "material",
    "fusion": "attention",
}
"""Network -> start of its published file's name, which goes on `_<variant>.pth`."""

LAYOUT = Layout(
    # The echo network's convolutions are registered twice, the second time winning; the trunk's classifier is unused.
    unused=(r"echo_encoder\.conv[123]\..*", r"material_network\.pretrained\.fc\..*"),
    parts={network: f"{start}_{{variant}}.pth" for network, start in FILES.items()},
)
"""A folder with the four published files of a variant."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MATERIALS = 10
_SIZE = (128, 128)  # of the depth that the echo gives

_INFO = ModelInfo(
    name="bitd",
    output="metric_depth",
    code_licence="Apache-2.0",
    weights_licence="MIT",
    source="Parida et al., CVPR 2021; github.com/krantiparida/beyond-image-to-depth",
    size=(128, 128),
    size_multiple=32,
    parameters=316_405_781,
    published="github.com/krantiparida/beyond-image-to-depth",
    hears=True,
)


class BITD(DepthModel, PyTorchModelHubMixin):
    """The four networks and the mix of the two depths.

    Args:
        variant: one of `VARIANTS`, which sets what follows where that is None.
        max_depth: metres, the depth of an output of 1.
        audio: `AudioSettings` by name that differ from the variant's; they fix the echo network's shape.
        input_size: (h, w) of pictures, pixels, multiples of 32. Beyond the published 128 x 128 the echo's map, which
            is always that, is resized to the picture's.
        width: channels of the features that are mixed; 512 as published, the other widths in proportion.
    """

    audio: AudioSettings
    _mean: Tensor
    _std: Tensor

    def __init__(
        self,
        variant: str = "replica",
        max_depth: float | None = None,
        audio: Mapping[str, Any] | None = None,
        input_size: tuple[int, int] = (128, 128),
        width: int = 512,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise OptionError(f"variant: found {variant!r}, wanted one of {', '.join(VARIANTS)}")
        if len(input_size) != 2 or any(side < 32 or side % 32 for side in input_size):
            raise OptionError(f"input_size {tuple(input_size)}: give (height, width), multiples of 32")
        if width < 32 or width % 32:
            raise OptionError(f"width {width}: give a multiple of 32")
        settings, farthest = VARIANTS[variant]
        self.audio = settings_by_name(AudioSettings, "audio", settings | dict(audio or {}))
        self.max_depth = max_depth or farthest
        self.image_network = ImageNetwork(width)
        self.echo_encoder = EchoNetwork(echo_shape(self.audio, _SIZE), width)
        self.material_network = MaterialNetwork()
        self.fusion = AttentionNetwork(width)
        for network in (self.image_network, self.echo_encoder, self.fusion):
            initialise(network)
        self.register_buffer("_mean", torch.tensor(_MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(_STD).reshape(3, 1, 1), persistent=False)
        height, wide = input_size
        count = sum(weight.numel() for weight in self.parameters())
        self.info = ModelInfo(**(asdict(_INFO) | {"size": (height, wide), "parameters": count}))

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One pass.

        Args:
            batch: `image` (B, 3, H, W), and `waveform` (B, 2, N) with `sample_rate` or `echo` (B, 2, F, T).

        Returns:
            `metric_depth`, `image_depth` and `echo_depth` (B, 1, H, W) metres; `attention` (B, 1, H, W), the share of
            the echo's depth.

        Raises:
            SampleError: nothing to see or to hear, or of a size, rate or shape that the network does not take.
        """
        image = (checked_image(batch, self.info) - self._mean) / self._std
        echo = needed_echo(batch, self.audio, _SIZE)
        image_depth, seen = self.image_network(image)
        echo_depth, sound = self.echo_encoder(echo)
        attention = self.fusion(seen, self.material_network(image), sound)
        if echo_depth.shape != image_depth.shape:
            echo_depth = F.interpolate(echo_depth, image_depth.shape[2:], mode="bilinear")
        mixed = attention * echo_depth + (1.0 - attention) * image_depth
        return {
            "metric_depth": mixed * self.max_depth,
            "image_depth": image_depth * self.max_depth,
            "echo_depth": echo_depth * self.max_depth,
            "attention": attention,
        }

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The four networks' parameters, by the name of each network."""
        return {name: list(getattr(self, name).parameters()) for name in FILES}


class ImageNetwork(nn.Module):
    """A U-Net from the picture to depth; its bottleneck goes to the attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width // 8
        down = [(3, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w), (8 * w, 8 * w)]
        up = [(8 * w, 8 * w), (16 * w, 4 * w), (8 * w, 2 * w), (4 * w, w), (2 * w, 1)]
        _add(self, "rgbdepth_convlayer", (_down(*pair) for pair in down))
        _add(self, "rgbdepth_upconvlayer", (_up(*pair, last=pair == up[-1]) for pair in up))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> depth 0..1 (B, 1, H, W) and features (B, width, H / 32, W / 32)."""
        skips = []
        x = image
        for layer in _layers(self, "rgbdepth_convlayer", 5):
            x = layer(x)
            skips.append(x)
        features = skips.pop()
        up = list(_layers(self, "rgbdepth_upconvlayer", 5))
        x = up[0](features)
        for layer in up[1:]:
            x = layer(torch.cat([x, skips.pop()], 1))
        return torch.sigmoid(x.float()), features


class EchoNetwork(nn.Module):
    """Spectrogram to one vector, and from that vector to a depth of 128 x 128."""

    def __init__(self, shape: tuple[int, int], width: int) -> None:
        super().__init__()
        self.shape = shape
        cells = 1
        for side in shape:
            rest = ((side - 8) // 4 + 1 - 4) // 2 + 1 - 2
            if rest < 1:
                raise OptionError(f"audio: gives {shape}, too small for the echo network; each side needs 36 or more")
            cells *= rest
        convolutions = [(2, 32, 8, 4), (32, 64, 4, 2), (64, 8, 3, 1)]
        self.feature_extraction = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(a, b, k, s), nn.BatchNorm2d(b), nn.ReLU()) for a, b, k, s in convolutions)
        )
        self.conv1x1 = nn.Sequential(nn.Conv2d(8 * cells, width, 1), nn.BatchNorm2d(width), nn.ReLU())
        widths = [width, width, width // 2, width // 4, width // 8, width // 16, width // 32, 1]
        pairs = list(pairwise(widths))
        _add(self, "rgbdepth_upconvlayer", (_up(*pair, last=pair == pairs[-1]) for pair in pairs))

    def forward(self, echo: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2, F, T) -> depth 0..1 (B, 1, 128, 128) and the echo's features (B, width)."""
        x = self.feature_extraction(echo).flatten(1)[..., None, None]
        features = x = self.conv1x1(x)
        for layer in _layers(self, "rgbdepth_upconvlayer", 7):
            x = layer(x)
        return torch.sigmoid(x.float()), features[..., 0, 0]


class MaterialNetwork(nn.Module):
    """A ResNet-18 that was trained on materials; its last features go to the attention, its classes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.pretrained: Any = timm.create_model("resnet18", num_classes=0)
        # Depth does not depend on the classes: frozen, so that no process waits for their gradient.
        self.fc = nn.Linear(512, _MATERIALS).requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> features (B, 512, H / 32, W / 32)."""
        return self.pretrained.forward_features(image)

    def classes(self, features: Tensor) -> Tensor:
        """Logits of the materials (B, 10), of features."""
        return self.fc(features.mean((2, 3)))


class AttentionNetwork(nn.Module):
    """What of the picture and of its materials goes together with the echo, and from that the attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Only their weights are used, in the contracted form.
        self.attention_img = nn.Bilinear(width, width, width)
        self.attention_material = nn.Bilinear(512, width, width)
        widths = [2 * width, width, width // 2, width // 4, width // 8, 1]
        pairs = list(pairwise(widths))
        _add(self, "upconvlayer", (_up(*pair, last=pair == pairs[-1]) for pair in pairs))

    def forward(self, visual: Tensor, material: Tensor, echo: Tensor) -> Tensor:
        """(B, width, h, w), (B, 512, h, w), (B, width) -> attention 0..1 (B, 1, 32 h, 32 w)."""
        x = self.fused(visual, material, echo)
        for layer in _layers(self, "upconvlayer", 5):
            x = layer(x)
        return torch.sigmoid(x.float())

    def fused(self, visual: Tensor, material: Tensor, echo: Tensor) -> Tensor:
        """The same -> (B, 2 width, h, w), the picture's half first."""
        pairs = ((visual, self.attention_img), (material, self.attention_material))
        return torch.cat([bilinear(features, echo, m.weight, m.bias) for features, m in pairs], 1)


@register_model(_INFO)
def bitd(
    weights: str | Path | None = None,
    *,
    variant: str | None = None,
    max_depth: float | None = None,
    audio: Mapping[str, Any] | None = None,
    input_size: tuple[int, int] | None = None,
    width: int | None = None,
) -> BITD:
    """BITD; `weights` is a folder with the four published files of the variant, or a folder of ours."""
    options = {
        "variant": variant,
        "max_depth": max_depth,
        "audio": audio,
        "input_size": input_size,
        "width": width,
    }
    return build(BITD, _INFO, options, weights, LAYOUT)


def _down(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2))


def _up(inputs: int, outputs: int, last: bool) -> nn.Sequential:
    """The last one ends without norm; its sigmoid is taken outside of half precision."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
    return nn.Sequential(convolution) if last else nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _add(network: nn.Module, prefix: str, layers: Iterator[nn.Module]) -> None:
    for number, layer in enumerate(layers, 1):
        network.add_module(f"{prefix}{number}", layer)


def _layers(network: nn.Module, prefix: str, count: int) -> Iterator[Any]:
    return (getattr(network, f"{prefix}{number}") for number in range(1, count + 1))
