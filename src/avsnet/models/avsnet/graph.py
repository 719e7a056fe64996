"""AVS-Net as one graph of tensors, for export: picture and recording in, metres out.

`AVSNet.forward` decides by looking into its data what it was given; a graph cannot, so it is always given all of it.
A recording of silence is an echo that is missing, and the network then sees alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avsnet.audio.graph import HearingGraph
from avsnet.errors import OptionError
from avsnet.models.avsnet.camera import in_canonical_metres
from avsnet.models.avsnet.network import AVSNet


class AvsnetGraph(nn.Module):
    """The network with its spectrogram inside.

    Args:
        network: in eval mode.

    Attributes:
        hearing: what makes spectrograms; None of a network that only sees.

    Raises:
        OptionError: a network that hears in a way that no graph can follow.
    """

    def __init__(self, network: AVSNet) -> None:
        super().__init__()
        self.network = network
        self.hearing = None if network.audio is None else HearingGraph(network.audio)
        if network.audio is not None and not hasattr(network.echo_encoder, "null"):
            raise OptionError(f"{network.info.name}: trained without echo_dropout, it cannot say that it heard nothing")

    def forward(
        self, image: Tensor, waveform: Tensor | None = None, intrinsics: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Metres.

        Args:
            image: (B, 3, H, W) 0..1 RGB.
            waveform: (B, 2, `hearing.samples`) at the network's rate; of a network that hears.
            intrinsics: (B, 3, 3) pixels of this picture; of a network that takes them.

        Returns:
            (B, 1, h, w) metres; of a network that hears also (B,) bool, whose echo was used.
        """
        network, zoom = self.network, None
        if intrinsics is not None:
            zoom = (intrinsics[:, 0, 0] * intrinsics[:, 1, 1] / (image.shape[2] * image.shape[3])).sqrt()
        if self.hearing is None or waveform is None:
            features = network.midas.features(image)
            return (network.measure(features.bottleneck, features, zoom)["metric_depth"],)
        echo, heard = self.hearing(waveform)
        if zoom is not None:
            settings = self.hearing.settings
            echo = in_canonical_metres(echo, zoom, (settings.align_to or 0) / settings.hop_length)
        encoded = network.echo_encoder(echo)
        null = network.echo_encoder.null
        assert isinstance(null, Tensor)
        encoded = torch.where(heard.reshape(-1, *[1] * (encoded.ndim - 1)), encoded, null)
        return network.with_echo(image, encoded, heard, zoom)["metric_depth"], heard
