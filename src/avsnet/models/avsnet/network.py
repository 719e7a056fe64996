"""AVS-Net: a picture and the echo of one chirp to pseudo-dense metric depth.

Source: "AVS-Net: Audio-Visual Scale Net for Self-supervised Monocular Metric Depth Estimation", stage one. A MiDaS
encoder sees, an echo encoder hears, cross-modal fusion lets the echo change the visual bottleneck, and metric bins
(ZoeDepth) make metres of it. The visual-only network of the paper's tables is the same without the two parts that hear.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from avsnet.audio.network_input import AudioSettings
from avsnet.errors import EchoError, OptionError, SampleError
from avsnet.models.avsnet.camera import in_canonical_metres, zoom_of
from avsnet.models.avsnet.echo_encoder import EchoEncoder
from avsnet.models.avsnet.echo_variation import varied
from avsnet.models.avsnet.fusion import Fusion, ScaleFusion
from avsnet.models.avsnet.names import avsnet_info, encoder_info
from avsnet.models.contract import DepthModel
from avsnet.models.echo_input import echo_input
from avsnet.models.metric_bins.head import MetricBins
from avsnet.models.metric_bins.settings import BinSettings
from avsnet.models.midas.network import Midas, MidasFeatures, with_input_size
from avsnet.models.registry import create_model
from avsnet.models.resize import checked_image
from avsnet.models.settings import settings_by_name
from avsnet.weights import load_strictly, read_state_dict, weights_hash

NARROW = {
    "embedding": 32,
    "regressor_width": 64,
    "projector_width": 32,
    "attractor_width": 32,
    "binomial_width": 32,
    "alpha": 3.0,
    "stride": 2,
}
"""Bin settings of a network whose bottleneck has `_NARROW` channels at most: the tiny one. Trained from scratch, its
attractors must reach further than the 6 cm of the published strength, or centres that start metres away never feel
them."""

PLACES = ("bins", "decoder", "scale")
"""Where the fused bottleneck goes."""

WEIGHTS = "model.safetensors"
"""The file of weights in a saved network's folder."""

_NEAREST = 1e-3  # metres, before a logarithm
_NARROW = 64


class AVSNet(
    DepthModel,
    PyTorchModelHubMixin,
    library_name="avsnet",
    license="apache-2.0",
    tags=["depth-estimation", "echolocation"],
):
    """The network; its arguments are what `config.json` keeps beside the weights.

    Args:
        encoder: name of a MiDaS network, such as "midas_tiny".
        fusion: a name in `avsnet.models.avsnet.fusion.FUSIONS`, or "none" for the visual-only network.
        input_size: (height, width) in pixels, multiples of the encoder's, to which every picture then comes exactly;
            None: by the encoder's own rule.
        min_depth: metres, the least that is measured.
        max_depth: metres, the greatest; fresh bins spread over this range.
        n_bins: K, bins of every pixel.
        bins: further `BinSettings` by name.
        echo_width: E, channels of the echo's vector or tokens; None: 512, fewer where the visual bottleneck is narrow.
        echo_front: one of `avsnet.models.avsnet.echo_encoder.FRONTS`.
        echo_dropout: share of training echoes that are replaced by a learned nothing; above 0 the network also runs
            without sound.
        echo_variation: whether training echoes vary in level, colour, decay and noise, see
            `avsnet.models.avsnet.echo_variation`: what was learned from one simulator's sound then holds for others. It
            needs audio with amplitude "direct", compression "log1p" and `align_to`.
        fusion_output: one of `avsnet.models.avsnet.fusion.OUTPUTS`.
        fuse_into: "bins": the fused bottleneck goes to the metric bins alone, and MiDaS stays visual, as the paper has
            it. "decoder": MiDaS's decoder starts from it too, so that every level hears; by its name, the tiny network
            is created so, as it is trained from scratch and keeps nothing of MiDaS. "scale": it sets one factor for all
            metres of a picture, between what is seen and what is heard, and none where nothing is; whatever sees may
            stay as it is, frozen.
        most_trust: with `fuse_into` "scale" the most that an echo is trusted, above 0 to 1. Lowered after training,
            foreign echoes do less harm, and true ones help less.
        scale_spread: how far its metres may err where it was not trained, as deviation of the log of true over own
            ones: `avsnet.predict` then lets the packaged ear correct them. None: nobody knows, and they stay.
        trained_on: what its weights were trained on, in words.
        audio: `AudioSettings` by name that differ from their defaults.
        canonical_camera: whether metres and ranges are divided by the camera's zoom before they are learned, see
            `avsnet.models.avsnet.camera`, so that one network serves every camera.

    Attributes:
        info: its `ModelInfo`.
        audio: its `AudioSettings`; None if it cannot hear.

    Raises:
        OptionError: an option is outside what it allows.
        ModelError: an unknown encoder.
    """

    def __init__(
        self,
        encoder: str = "midas_tiny",
        fusion: str = "bilinear",
        input_size: tuple[int, int] | None = None,
        min_depth: float = 0.1,
        max_depth: float = 30.0,
        n_bins: int = 64,
        bins: dict[str, Any] | None = None,
        echo_width: int | None = None,
        echo_front: str = "parida",
        echo_dropout: float = 0.1,
        echo_variation: bool = False,
        fusion_output: str = "residual",
        fuse_into: str = "bins",
        most_trust: float = 1.0,
        audio: dict[str, Any] | None = None,
        canonical_camera: bool = False,
        scale_spread: float | None = None,
        trained_on: str = "",
    ) -> None:
        super().__init__()
        if fuse_into not in PLACES:
            raise OptionError(f"fuse_into: found {fuse_into!r}, wanted one of {', '.join(PLACES)}")
        if not 0.0 <= echo_dropout < 1.0:
            raise OptionError(f"echo_dropout: found {echo_dropout}, wanted 0 or more and less than 1")
        if not 0.0 < most_trust <= 1.0:
            raise OptionError(f"most_trust: found {most_trust}, wanted above 0 to 1")
        if scale_spread is not None and not 0.02 <= scale_spread <= 3.0:
            raise OptionError(f"scale_spread: found {scale_spread}, wanted None or a deviation of log scale, 0.02 to 3")
        base = encoder_info(encoder)
        self.info = with_input_size(avsnet_info(base, fusion != "none"), input_size)
        if base.size_multiple is None and self.info.size != base.size:
            raise OptionError(f"input_size: found {input_size}, but {encoder} takes {base.size} alone")
        # An upright picture squeezed to a lying one comes out too far; a size that may be any may as well be turned.
        fit = "turned" if base.size_multiple is not None and self.info.fit == "exact" else self.info.fit
        self.info = replace(
            self.info, takes_intrinsics=canonical_camera, fit=fit, scale_spread=scale_spread, trained_on=trained_on
        )
        midas = create_model(encoder)
        assert isinstance(midas, Midas)
        self.midas, channels = midas, midas.channels
        narrow = NARROW if channels.bottleneck <= _NARROW else {}
        self.metric_bins = MetricBins(
            channels.bottleneck,
            channels.blocks,
            channels.out_conv,
            settings_by_name(BinSettings, "bins", narrow | (bins or {}) | {"n_bins": n_bins}),
            (min_depth, max_depth),
        )
        self.metric_bins.spread_seeds()
        width = None
        if fusion != "none":
            width = echo_width or (64 if narrow else 512 if channels.bottleneck <= 256 else 256)
            self.audio = settings_by_name(AudioSettings, "audio", audio or {})
            if echo_variation and (self.audio.amplitude, self.audio.compression) != ("direct", "log1p"):
                raise OptionError("echo_variation: needs audio of amplitude direct and compression log1p")
            if echo_variation and self.audio.align_to is None:
                raise OptionError("echo_variation: needs audio.align_to, where the direct sound is")
            self.echo_dropout, self.echo_variation = echo_dropout, echo_variation
            self.fuse_into = fuse_into
            parts = (fusion, channels.bottleneck, width, fusion_output)
            self.fusion = ScaleFusion(*parts, most_trust) if fuse_into == "scale" else Fusion(*parts)
            self.echo_encoder = EchoEncoder(width, echo_front, tokens=fusion == "tokens")
            if echo_dropout:
                self.echo_encoder.null = nn.Parameter(torch.zeros(width))
        self.info = replace(self.info, parameters=sum(weight.numel() for weight in self.parameters()))
        # What was left to a default is written down too, so that a later default does not change a saved network.
        resolved = {"bins": asdict(self.metric_bins.settings), "audio": self.audio and asdict(self.audio)}
        given: Any = self._hub_mixin_config
        self._hub_mixin_config = {**given, **resolved, "echo_width": width}

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """One pass; nothing is resized.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB of a size that is legal by `info`; and, for a network that
                hears, `waveform` (B, 2, N) with its `sample_rate` in hertz, or `echo` (B, 2, F, T), the spectrogram as
                `audio` makes it. A network trained with echo dropout also runs without them. One with a canonical
                camera takes `intrinsics` (B, 3, 3), pixels of this picture; None assumes a field of view of 70 degrees.

        Returns:
            `metric_depth` (B, 1, h, w) metres; `bin_centers` (B, K, h, w) and `seed_centers` (B, K, H/32, W/32)
            metres; of a network that hears also `heard` (B,) bool, which rows' echoes were used; and in training, with
            `fuse_into` "scale", `as_heard` (B, 1, h, w), the metres if the echo were trusted wholly.

        Raises:
            SampleError: no image, or one that is not legal; no sound, or one that is none, for a network that needs it.
            EchoError: a recording without a direct sound, for a network that needs it.
        """
        image = checked_image(batch, self.info)
        zoom = zoom_of(batch.get("intrinsics"), image) if self.info.takes_intrinsics else None
        if self.audio is None:
            features = self.midas.features(image)
            return self.measure(features.bottleneck, features, zoom)
        echo, heard = self._listen(batch, image, zoom)
        return self.with_echo(image, echo, heard, zoom) | {"heard": heard}

    def with_echo(self, image: Tensor, echo: Tensor, heard: Tensor, zoom: Tensor | None) -> dict[str, Tensor]:
        """The outputs of `forward` from what the echo encoder made of the sound, (B, E) or (B, T, E)."""
        features = self.midas.features(image, (lambda x: self.fusion(x, echo)) if self.fuse_into == "decoder" else None)
        bottleneck = features.bottleneck
        if self.fuse_into == "bins":
            bottleneck = self.fusion(bottleneck, echo)
        outputs = self.measure(bottleneck, features, zoom)
        if isinstance(self.fusion, ScaleFusion):
            metres = outputs["metric_depth"]
            canonical = metres if zoom is None else metres / zoom[:, None, None, None]
            seen = torch.log(canonical.clamp_min(_NEAREST)).mean(dim=(1, 2, 3))
            apart, trust = self.fusion.apart(bottleneck, echo, seen)
            apart = torch.where(heard, apart, 0.0)  # without an echo: as it sees
            outputs = _times(outputs, torch.exp(trust * apart))
            if self.training:
                outputs["as_heard"] = metres * torch.exp(apart)[:, None, None, None]
        return outputs

    def note_training(self, data: str) -> None:
        """Say that the weights change now: what they learn from, and no more how far their metres err.

        Args:
            data: in words; what they were trained on before stays in front of it.
        """
        before = self.info.trained_on
        seen = before if data in before.split(", then ") else ", then ".join(filter(None, [before, data]))
        self.info = replace(self.info, scale_spread=None, trained_on=seen)
        config: Any = self._hub_mixin_config
        config |= {"scale_spread": None, "trained_on": seen}

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The parameters by how ZoeDepth's training sets their learning rates.

        Returns:
            "encoder", "relative_position", "decoder" of MiDaS, and "rest": bins, echo encoder and fusion.
        """
        groups = self.midas.parameter_groups()
        rest = [weight for name, weight in self.named_parameters() if not name.startswith("midas.")]
        return groups | {"rest": rest}

    def measure(self, bottleneck: Tensor, features: MidasFeatures, zoom: Tensor | None) -> dict[str, Tensor]:
        """The outputs of `forward`; all of the bins' are metres, of the canonical camera or of the picture's own."""
        outputs = self.metric_bins(bottleneck, features.blocks, features.out_conv, features.disparity)
        return outputs if zoom is None else _times(outputs, zoom)

    def _listen(self, batch: dict[str, Any], image: Tensor, zoom: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the fusion takes, (B, E) or (B, T, E), and (B,) bool, of which rows it is an echo."""
        assert self.audio is not None
        count, (height, width) = len(image), image.shape[2:]
        size = (height, width)
        null = getattr(self.echo_encoder, "null", None)
        weight = self.echo_encoder.embed.weight
        echo, heard = echo_input(batch, self.audio, size)
        if echo is None or heard is None:
            if null is None:
                raise SampleError(
                    f"batch: {self.info.name} needs a sound, 'waveform' with 'sample_rate', or 'echo'; trained with "
                    "echo_dropout it would also run without, and the network of the same name with _v sees only"
                )
            return null.expand(count, *self._token_axis(), -1), image.new_zeros(count, dtype=torch.bool)
        if len(echo) != count:
            given = "waveform" if batch.get("echo") is None else "echo"
            raise SampleError(f"batch: {given!r} has {len(echo)} rows and 'image' {count}; give as many")
        if null is None and not heard.all():
            row = int((~heard).nonzero()[0])
            raise EchoError(
                f"row {row}: no echo in this recording (silent, no direct sound, or it ends within 10 ms of it); "
                f"{self.info.name} was built without echo_dropout and cannot do without"
            )
        origin = (self.audio.align_to or 0) / self.audio.hop_length
        if self.training and self.echo_variation:
            echo = varied(echo, self.audio.gain, origin, self.audio.hop_length / self.audio.sample_rate)
        if zoom is not None:
            echo = in_canonical_metres(echo, zoom, origin)
        encoded = self.echo_encoder(echo.to(weight.dtype))
        if null is not None:
            kept = heard
            if self.training:
                kept = heard & (torch.rand(count, device=image.device) >= self.echo_dropout)
            encoded = torch.where(kept.reshape(-1, *[1] * (encoded.ndim - 1)), encoded, null)
        return encoded, heard

    def _token_axis(self) -> tuple[int, ...]:
        return (self.echo_encoder.cells[1],) if self.echo_encoder.tokens else ()

    def _save_pretrained(self, save_directory: Path) -> None:
        from safetensors.torch import save_file

        state = {key: value.detach().cpu().contiguous() for key, value in self.state_dict().items()}
        save_file(state, save_directory / WEIGHTS, metadata={"format": "pt"})

    @classmethod
    def _from_pretrained(cls, *, model_id: str, map_location: str = "cpu", **options: Any) -> AVSNet:
        """Called by `from_pretrained` with the entries of config.json; every weight must be there and fit."""
        hub = ("revision", "cache_dir", "force_download", "local_files_only", "token", "strict")
        fetching = {key: options.pop(key) for key in hub if key in options}
        if Path(model_id).is_dir():
            path = Path(model_id, WEIGHTS)
        else:
            from huggingface_hub import hf_hub_download

            fetching.pop("strict", None)
            path = Path(hf_hub_download(model_id, WEIGHTS, **fetching))
        state = read_state_dict(path)
        model = cls(**options)
        load_strictly(model, state, path)
        model.weights_hash = weights_hash(path)
        return model.to(map_location).eval()


def _times(outputs: dict[str, Tensor], factor: Tensor) -> dict[str, Tensor]:
    """Maps (B, ..) times a factor (B,)."""
    return {key: values * factor[:, None, None, None] for key, values in outputs.items()}
